//! How far each step has come: files and ledger side by side, as a table or JSON.

use super::{Paint, count, json, span, table, visible};
use crate::{
    event::Where,
    ledger::{Facts, Ledger, PhaseRow, Row},
    model::{Phase, PhaseState, StepId, Version},
    release::{Project, Step},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{self, Write},
};

/// One step as files and ledger know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its identity.
    pub id: StepId,
    /// Its name: the file's, else the ledger's.
    pub name: String,
    /// By [`Phase::index`]. A phase without handler is empty, run or not.
    pub phases: [PhaseRow; 3],
    /// The files have it.
    pub in_files: bool,
    /// The files say `deleted: true`.
    pub deleted: bool,
}

impl Line {
    /// The phase that it waits for, simdrop or drop, after an add that is done. A deleted step that was added waits too (rule F5): it is
    /// never pushed forward, and what it added is still there.
    pub fn waits_for(&self) -> Option<Phase> {
        let open = |phase: &Phase| {
            let row = &self.phases[phase.index()];
            (!row.empty || self.deleted) && row.state != PhaseState::Done
        };
        let add = &self.phases[0];
        let added = add.state == PhaseState::Done && !(self.deleted && add.empty);
        [Phase::Simdrop, Phase::Drop].into_iter().find(|phase| added && open(phase))
    }
}

/// Every step of files and ledger: releases in order, steps as in the file, then those that only the ledger has.
pub fn lines(project: &Project, ledger: &Ledger) -> Vec<Line> {
    let mut versions: BTreeSet<&Version> = ledger.releases();
    versions.extend(project.releases.iter().map(|release| &release.version));
    let mut lines = vec![];
    for version in versions {
        let steps = project.release(version).map_or(&[][..], |release| &release.steps);
        lines.extend(steps.iter().map(|step| of_file(step, ledger.steps.get(&step.id), project.is_sound(version))));
        let known: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
        lines.extend(ledger.of(version).filter(|(id, _)| !known.contains(id)).map(|(id, row)| Line {
            id: id.clone(),
            name: row.name.clone(),
            phases: row.phases.clone(),
            // What a file that can't be read lacks is not known.
            in_files: !project.is_sound(version),
            deleted: false,
        }));
    }
    lines
}

/// `sound`: the file could be read; of one that could not, no phase is said to be empty but by the ledger.
fn of_file(step: &Step, row: Option<&Row>, sound: bool) -> Line {
    let mut phases = row.map_or_else(|| Row::pending("").phases, |row| row.phases.clone());
    for phase in Phase::ALL {
        let row = &mut phases[phase.index()];
        if row.state == PhaseState::Pending && sound {
            row.empty = !step.has(phase.verb());
        }
    }
    Line { id: step.id.clone(), name: step.name.clone(), phases, in_files: true, deleted: step.deleted }
}

/// Writes the table. `width`: the terminal's, none elsewhere.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, lines: &[Line], facts: &Facts, width: Option<u16>, paint: Paint) -> io::Result<()> {
    let ledger = &facts.ledger;
    if let Some(who) = &facts.at_work {
        writeln!(out, "{}: {}", paint.warn("at work"), visible(who))?;
    }
    if ledger.format.is_none() {
        writeln!(out, "nothing yet: the target has no ledger")?;
    }
    if lines.is_empty() {
        return Ok(());
    }
    let header = ["release", "step", "add", "simdrop", "drop"];
    let rows = |detail: Detail| -> Vec<Vec<String>> {
        let row = |line: &Line| {
            let mut row = vec![line.id.release.to_string(), label(line)];
            row.extend(line.phases.iter().map(|phase| cell(phase, detail)));
            row
        };
        lines.iter().map(row).collect()
    };
    // `--json` and `history` have what a narrow terminal has no room for.
    let fits = |detail: &Detail| width.is_none_or(|width| table::fits(&header, &rows(*detail), width));
    let detail = [Detail::All, Detail::InWords, Detail::User].into_iter().find(fits).unwrap_or(Detail::Time);
    table::write(out, &header, rows(detail), width)?;
    for (release, rollout) in &ledger.rollouts {
        writeln!(out, "{}", paint.dim(&format!("{release} rolled out: {} by {}", rollout.at, rollout.who)))?;
    }
    for line in lines {
        for (phase, row) in Phase::ALL.iter().zip(&line.phases) {
            if let Some(error) = &row.error
                && matches!(row.state, PhaseState::Failed | PhaseState::RollbackFailed)
            {
                // A file or a procedure may have done a part of its work.
                let unsure =
                    row.trying.map_or_else(String::new, |k| format!("; how far statement {} came is not known", k + 1));
                writeln!(out, "{} {phase} {}: {}{unsure}", paint.bad(row.state.name()), line.id, visible(error))?;
            }
        }
    }
    Ok(())
}

/// Writes what still waits for simdrop or drop, and for how long (`--pending-contract`).
///
/// # Errors
/// Where the writer fails.
pub fn pending(out: &mut impl Write, lines: &[Line], ledger: &Ledger, width: Option<u16>) -> io::Result<()> {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .filter_map(|line| {
            let phase = line.waits_for()?;
            let since = since(line, phase);
            let long = since.map_or_else(String::new, |at| span(ledger.now.since(at)));
            let at = since.map_or_else(String::new, |at| at.to_string());
            Some(vec![line.id.release.to_string(), label(line), phase.to_string(), at, long])
        })
        .collect();
    if rows.is_empty() {
        return writeln!(out, "nothing waits for simdrop or drop");
    }
    table::write(out, &["release", "step", "waits for", "since", "for"], rows, width)
}

/// The states as one document.
pub fn json(place: &Where, lines: &[Line], facts: &Facts) -> Value {
    let ledger = &facts.ledger;
    let steps: Vec<Value> = lines.iter().map(|line| step(line, ledger)).collect();
    let rollouts: Vec<Value> = ledger
        .rollouts
        .iter()
        .map(|(release, r)| json!({ "release": release, "who": r.who, "at": r.at.to_string() }))
        .collect();
    json::document(
        "show",
        json!({
            "exit_code": 0,
            "target": json::place(place),
            "ledger": ledger.format.map(|f| f.to_string()),
            "now": ledger.now.to_string(),
            "at_work": facts.at_work,
            "steps": steps,
            "rollouts": rollouts,
        }),
    )
}

fn step(line: &Line, ledger: &Ledger) -> Value {
    let mut value = json!({
        "release": line.id.release, "step": line.id.step, "name": line.name, "in_files": line.in_files,
        "deleted": line.deleted,
    });
    for (phase, row) in Phase::ALL.iter().zip(&line.phases) {
        value[phase.name()] = json!({
            "state": row.state, "empty": row.empty, "at": row.at.map(|t| t.to_string()),
            "who": (!row.who.is_empty()).then_some(&row.who), "error": row.error,
        });
    }
    value["waits_for"] = json!(line.waits_for());
    let since = line.waits_for().and_then(|phase| since(line, phase));
    value["waits_since"] = json!(since.map(|at| at.to_string()));
    value["waits_seconds"] = json!(since.map(|at| ledger.now.since(at).as_secs()));
    value
}

/// When the phase before ended: since then the phase could have run.
fn since(line: &Line, phase: Phase) -> Option<crate::model::Time> {
    let before = &line.phases[phase.before()?.index()];
    before.at.or(line.phases[0].at)
}

fn label(line: &Line) -> String {
    let mut label = line.name.clone();
    if line.name != line.id.step {
        label.push_str(&format!(" (id {})", line.id.step));
    }
    if line.deleted {
        label.push_str(" (deleted)");
    }
    if !line.in_files {
        label.push_str(" (not in the files)");
    }
    label
}

/// How much a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// `done 2026-01-02T03:04:05Z ann@host`.
    All,
    /// `done 2026-01-02 03:04:05Z ann@host`: a line may end between date and time.
    InWords,
    /// The same without the host.
    User,
    /// The same without who.
    Time,
}

/// State, time and who.
fn cell(row: &PhaseRow, detail: Detail) -> String {
    let state = match (row.state, row.empty) {
        (PhaseState::Pending, true) => "empty".to_owned(),
        (PhaseState::Pending, false) => return "pending".to_owned(),
        (PhaseState::Done, true) => "done (empty)".to_owned(),
        (PhaseState::Done, false) => "done".to_owned(),
        (
            state @ (PhaseState::Running
            | PhaseState::Failed
            | PhaseState::RollingBack
            | PhaseState::RolledBack
            | PhaseState::RollbackFailed),
            _,
        ) if row.upto > 0 => format!("{state} after {}", count(row.upto as usize, "statement")),
        (
            state @ (PhaseState::Running
            | PhaseState::Failed
            | PhaseState::RollingBack
            | PhaseState::RolledBack
            | PhaseState::RollbackFailed),
            _,
        ) => state.to_string(),
    };
    let at = row.at.map(|at| format!(" {at}")).unwrap_or_default();
    let at = if detail == Detail::All { at } else { at.replace('T', " ") };
    let who = match detail {
        Detail::All | Detail::InWords => row.who.as_str(),
        Detail::User => row.who.split('@').next().unwrap_or_default(),
        Detail::Time => "",
    };
    let who = if who.is_empty() { String::new() } else { format!(" {who}") };
    format!("{state}{at}{who}")
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{
        action::{Action, Checksum, Handler, Handlers},
        ledger::Format,
        model::{Label, Time, Verb},
        release::Release,
    };

    pub fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    pub fn done(at: i64) -> PhaseRow {
        PhaseRow {
            state: PhaseState::Done,
            at: Some(Time(at * 1_000_000)),
            who: "ann@ci".into(),
            ..PhaseRow::pending()
        }
    }

    fn file_step(name: &str, verbs: &[Verb]) -> Step {
        let handler = Handler {
            checksum: Checksum::of([]),
            label: Label::Lossy,
            actions: vec![Action::Expect { query: "SELECT 1".into() }],
        };
        let handlers: Handlers = verbs.iter().map(|verb| (*verb, handler.clone())).collect();
        Step {
            name: name.into(),
            id: StepId::new(v("v1"), name),
            description: String::new(),
            deleted: false,
            handlers,
            operation: None,
        }
    }

    fn scene() -> (Project, Ledger) {
        let steps = vec![file_step("customers", &[Verb::Add, Verb::Drop]), file_step("orders", &[Verb::Add])];
        let project = Project {
            releases: vec![Release { version: v("v1"), description: String::new(), steps }],
            ..Project::default()
        };
        let mut ledger = Ledger { format: Some(Format::CURRENT), now: Time(100_000_000), ..Ledger::default() };
        let mut row = Row::pending("customers");
        row.phases[0] = done(1);
        ledger.steps.insert(StepId::new(v("v1"), "customers"), row.clone());
        row.name = "old".into();
        ledger.steps.insert(StepId::new(v("v0"), "legacy"), row);
        (project, ledger)
    }

    fn facts(ledger: &Ledger) -> Facts {
        Facts { ledger: ledger.clone(), ..Facts::default() }
    }

    #[test]
    fn files_and_ledger_stand_side_by_side() {
        let (project, ledger) = scene();
        let mut out = vec![];
        write(&mut out, &lines(&project, &ledger), &facts(&ledger), None, Paint::PLAIN).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["release", "step", "add", "simdrop", "drop"]);
        assert_eq!(
            words[1].join(" "),
            "v0 old (id legacy) (not in the files) done 1970-01-01T00:00:01Z ann@ci pending pending"
        );
        assert_eq!(words[2].join(" "), "v1 customers done 1970-01-01T00:00:01Z ann@ci empty pending");
        assert_eq!(words[3].join(" "), "v1 orders pending empty empty");
    }

    #[test]
    fn no_time_is_broken_on_a_narrow_terminal() {
        let (project, mut ledger) = scene();
        for row in ledger.steps.values_mut() {
            row.phases = [done(1), done(2), done(3)];
        }
        for (who, says) in [("ann@ci", "ann@ci"), ("ann@runner-17.eu.example.com", "ann")] {
            ledger.steps.values_mut().flat_map(|row| &mut row.phases).for_each(|phase| phase.who = who.into());
            let mut out = vec![];
            write(&mut out, &lines(&project, &ledger), &facts(&ledger), Some(80), Paint::PLAIN).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            let words: Vec<&str> = text.split_whitespace().collect();
            for word in ["1970-01-01", "00:00:01Z", "00:00:02Z", "00:00:03Z", says] {
                assert!(words.contains(&word), "{word}: {text}");
            }
        }
    }

    #[test]
    fn without_a_ledger_everything_is_pending() {
        let (project, _) = scene();
        let ledger = Ledger::default();
        let mut out = vec![];
        write(&mut out, &lines(&project, &ledger), &facts(&ledger), None, Paint::PLAIN).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("nothing yet"), "{text}");
        assert_eq!(text.matches("pending").count(), 3, "{text}");
    }

    #[test]
    fn what_waits_for_contraction_says_since_when() {
        let (project, ledger) = scene();
        let mut out = vec![];
        pending(&mut out, &lines(&project, &ledger), &ledger, None).unwrap();
        let text = String::from_utf8(out).unwrap();
        let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(last.join(" "), "v1 customers drop 1970-01-01T00:00:01Z 1m 39s");
    }

    #[test]
    fn a_deleted_step_that_was_added_is_listed() {
        let (mut project, ledger) = scene();
        let step = &mut project.releases[0].steps[0];
        step.deleted = true;
        step.handlers.clear();
        let waits: Vec<_> = lines(&project, &ledger).iter().map(|line| (line.name.clone(), line.waits_for())).collect();
        assert_eq!(waits[1], ("customers".to_owned(), Some(Phase::Simdrop)));
        // One that was never added left nothing behind.
        project.releases[0].steps[1].deleted = true;
        assert_eq!(lines(&project, &ledger)[2].waits_for(), None);
    }

    #[test]
    fn the_document_has_three_states_a_step() {
        let (project, ledger) = scene();
        let place = Where { engine: "e".into(), host: "h".into(), database: "d".into(), schema: String::new() };
        let value = json(&place, &lines(&project, &ledger), &facts(&ledger));
        assert_eq!(value["steps"][1]["add"]["state"], "done");
        assert_eq!(value["steps"][1]["simdrop"]["empty"], true);
        assert_eq!(value["steps"][0]["in_files"], false);
        assert_eq!(value["steps"][1]["waits_for"], "drop");
    }
}
