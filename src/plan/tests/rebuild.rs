//! A lake's ledger from the commits of its tables (D7).

use super::fixture::{id, project};
use crate::{
    action::Checksum,
    ledger::{By, Entry, Format, Ledger, Row, Trace, Traces, apply::Kept},
    model::{Class, Phase, PhaseState, Time, Verb},
    plan::{About, Repair, RepairPlan, repair},
    release::Project,
};

/// Commits written short: `v1/a add 1` is one that a handler does not end with, `v1/a add 2.` one that it does; `?` stands for a statement of
/// which only the number is left, `~` behind it for one of several commits of a statement. Attempts count from 1.
fn traces(texts: &[&str]) -> Traces {
    let trace = |(attempt, text): (i64, &&str)| {
        let [step, verb, statement] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let (release, step) = step.split_once('/').unwrap();
        Trace {
            id: id(release, step),
            verb: Verb::parse(verb).unwrap(),
            statement: statement.trim_end_matches(['.', '~']).parse().ok(),
            attempt,
            ends: statement.ends_with('.'),
            proof: !statement.ends_with('~'),
            known: statement.ends_with('~'),
            table: "t".into(),
            at: Some(Time(attempt)),
            run: "r".into(),
            by: None,
        }
    };
    Traces { commits: (1..).zip(texts).map(trace).collect(), ..Traces::default() }
}

/// The same, as a ledger has made them.
fn known(mut traces: Traces) -> Traces {
    traces.commits.iter_mut().for_each(|trace| trace.known = true);
    traces
}

fn rebuilt(files: &Project, ledger: &Ledger, traces: Traces) -> RepairPlan {
    let about = About::Rebuild { traces: Box::new(traces), accept_loss: false };
    let plan = repair(files, ledger, &Repair { about, reason: "lost".into() });
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    plan
}

/// The ledger that comes of it.
fn ledger(plan: &RepairPlan) -> Ledger {
    let mut kept = Kept::default();
    kept.ledger.format = Some(Format::CURRENT);
    for entry in &plan.entries {
        kept.apply(entry, "ann@ops", Time(99));
    }
    kept.ledger
}

/// `v1/a done done pending`, a `-` behind what is empty.
fn said(ledger: &Ledger) -> Vec<String> {
    let state = |row: &Row, phase: &Phase| {
        let at = row.phase(*phase);
        format!("{}{}", at.state, if at.empty { "-" } else { "" })
    };
    let line = |(id, row): (&crate::model::StepId, &Row)| {
        format!("{id} {}", Phase::ALL.iter().map(|phase| state(row, phase)).collect::<Vec<_>>().join(" "))
    };
    ledger.steps.iter().map(line).collect()
}

fn files() -> Project {
    project(&[
        ("v1", &["a add:!A;!B simdrop:!C drop:!D rollback_add:!E rollback_simdrop:!F", "b add:=X"]),
        ("v2", &["c add:!G rollback_add:!H", "d simdrop:!I rollback_simdrop:!J", "e add:!K"]),
    ])
}

#[test]
fn d7_commits_say_how_far_each_step_has_come() {
    let empty = Ledger::default();
    for (commits, expected) in [
        (vec!["v1/a add 1"], vec!["v1/a failed pending pending"]),
        (vec!["v1/a add 1", "v1/a add 2."], vec!["v1/a done pending pending"]),
        (vec!["v1/a add 2.", "v1/a simdrop 1."], vec!["v1/a done done pending", "v1/b done done- pending-"]),
        (vec!["v1/a add 2.", "v1/a simdrop 1.", "v1/a rollback_simdrop 1."], vec!["v1/a done rolled_back pending"]),
        (vec!["v1/a add 2.", "v1/a rollback_add 1."], vec!["v1/a rolled_back pending pending"]),
        (vec!["v1/a rollback_add 1.", "v1/a add 1"], vec!["v1/a failed pending pending"]),
        // Only the newest number is left of it, and says enough.
        (vec!["v1/a simdrop ?."], vec!["v1/a done done pending", "v1/b done done- pending-"]),
        // A release before one with commits is finished, but for what its own commits deny.
        (
            vec!["v2/c add 1.", "v2/d simdrop 1."],
            vec![
                "v1/a done done done",
                "v1/b done done- done-",
                "v2/c done done- done-",
                "v2/d done- done done-",
                "v2/e done done- done-",
            ],
        ),
        (
            vec!["v1/a add 2.", "v2/c add 1."],
            vec!["v1/a done pending pending", "v1/b done done- done-", "v2/c done pending- pending-"],
        ),
    ] {
        let plan = rebuilt(&files(), &empty, traces(&commits));
        let ledger = ledger(&plan);
        assert_eq!(said(&ledger), expected, "{commits:?}");
        // What was rebuilt is known from then on.
        assert!(rebuilt(&files(), &ledger, known(traces(&commits))).is_empty(), "{commits:?}");
    }
}

/// A handler that ends with a question leaves no commit that ends it; what was run behind it says that it held.
#[test]
fn d7_what_a_handler_expects_at_its_end_held_if_more_was_run() {
    let files = project(&[("v1", &["a add:!A;=B rollback_add:!E"]), ("v2", &["c add:!G;=H", "d add:!I simdrop:!J"])]);
    for (commits, expected) in [
        (vec!["v1/a add 1"], vec!["v1/a failed pending- pending-"]),
        (vec!["v1/a add 1", "v2/c add 1"], vec!["v1/a done done- done-", "v2/c failed pending- pending-"]),
        (
            vec!["v1/a add 1", "v2/c add 1", "v2/d add 1."],
            vec!["v1/a done done- done-", "v2/c done pending- pending-", "v2/d done pending pending-"],
        ),
        (
            vec!["v1/a add ?", "v2/c add ?", "v2/d simdrop 1."],
            vec!["v1/a done done- done-", "v2/c done done- done-", "v2/d done done done-"],
        ),
    ] {
        let plan = rebuilt(&files, &Ledger::default(), traces(&commits));
        assert_eq!(said(&ledger(&plan)), expected, "{commits:?}");
    }
}

#[test]
fn d7_what_has_begun_keeps_its_handlers_and_its_place() {
    let plan = rebuilt(&files(), &Ledger::default(), traces(&["v1/a add 1", "v1/a add 2~"]));
    let ledger = ledger(&plan);
    let row = &ledger.steps[&id("v1", "a")];
    let add = row.phase(Phase::Add);
    assert_eq!((add.upto, add.hashes.len(), add.trying, add.seq), (1, 2, None, 1));
    assert_eq!((add.at, add.who.as_str()), (Some(Time(2)), "run r"));
    assert!(row.stored.contains(&Verb::Add) && row.stored.contains(&Verb::RollbackAdd), "{:?}", row.stored);
    // Of a log that is gone nobody knows how far a handler came: that is asked, never guessed.
    let plan = rebuilt(&files(), &Ledger::default(), traces(&["v1/a add ?"]));
    assert_eq!(self::ledger(&plan).steps[&id("v1", "a")].phase(Phase::Add).trying, Some(0));
    assert!(plan.notes.iter().any(|note| note.contains("repair done v1/a add")), "{:?}", plan.notes);
}

#[test]
fn d7_what_the_ledger_knows_stays_as_it_is() {
    let mut ledger = Ledger { format: Some(Format::CURRENT), ..Ledger::default() };
    ledger.steps.insert(id("v1", "a"), Row::pending("a"));
    // A person has said that it is pending, and has had another step forgotten.
    assert!(rebuilt(&files(), &ledger, known(traces(&["v1/a add 2.", "v2/c add 1."]))).is_empty());
    // A table has an attempt that this ledger never made.
    let mut later = known(traces(&["v1/a add 1", "v1/a add 2.", "v2/c add 1."]));
    later.commits[1].known = false;
    let plan = rebuilt(&files(), &ledger, later);
    let [Entry::Replace { id: of, row: Some(row), .. }, Entry::Keep { .. }] = &plan.entries[..] else {
        panic!("{:?}", plan.entries)
    };
    assert_eq!((of, row.phase(Phase::Add).state), (&id("v1", "a"), PhaseState::Done));
}

/// The same commits, made by the handlers that the files have.
fn by(files: &Project, mut traces: Traces) -> Traces {
    for trace in &mut traces.commits {
        let handlers = &files.step(&trace.id).unwrap().handlers;
        let of = |verb: Verb| handlers.get(&verb).map(|handler| handler.checksum.clone());
        trace.by = of(trace.verb).map(|ran| By { ran, back: trace.verb.phase().rollback().and_then(of) });
    }
    traces
}

/// The verbs that a plan keeps handlers of.
fn keeps(plan: &RepairPlan) -> Vec<Verb> {
    let kept = |entry: &Entry| match entry {
        Entry::Keep { handlers, .. } => handlers.keys().copied().collect(),
        _ => vec![],
    };
    plan.entries.iter().flat_map(kept).collect()
}

/// An older ledger may have the rollback of an attempt that was taken back since.
#[test]
fn d7_an_older_ledgers_handlers_give_way_to_those_that_ran_since() {
    let files = files();
    let mut ledger = Ledger { format: Some(Format::CURRENT), ..Ledger::default() };
    let mut row = Row::pending("a");
    row.stored.insert(Verb::RollbackAdd);
    ledger.steps.insert(id("v1", "a"), row);
    let mut again = known(by(&files, traces(&["v1/a add 2.", "v1/a rollback_add 1.", "v1/a add 2."])));
    again.commits[2].known = false;
    assert_eq!(keeps(&rebuilt(&files, &ledger, again)), [Verb::RollbackAdd]);
    let mut on = known(by(&files, traces(&["v1/a add 2.", "v1/a simdrop 1."])));
    on.commits[1].known = false;
    assert_eq!(keeps(&rebuilt(&files, &ledger, on)), [Verb::RollbackSimdrop]);
}

/// A rollback that was written once the step had run is none that the ledger ever kept; one of an attempt that was taken back is free to be
/// edited.
#[test]
fn d7_only_what_was_kept_when_the_step_ran_is_kept_anew() {
    let files = files();
    let mut without = by(&files, traces(&["v1/a add 2."]));
    without.commits[0].by.as_mut().unwrap().back = None;
    assert_eq!(keeps(&rebuilt(&files, &Ledger::default(), without)), []);
    let mut edited = by(&files, traces(&["v1/a add 2.", "v1/a rollback_add 1.", "v1/a add 2."]));
    edited.commits[0].by.as_mut().unwrap().ran = Checksum::of(["another"]);
    assert_eq!(keeps(&rebuilt(&files, &Ledger::default(), edited)), [Verb::RollbackAdd]);
    let mut other = by(&files, traces(&["v1/a add 2."]));
    other.commits[0].by.as_mut().unwrap().ran = Checksum::of(["another"]);
    let about = About::Rebuild { traces: Box::new(other), accept_loss: false };
    let plan = repair(&files, &Ledger::default(), &Repair { about, reason: "lost".into() });
    assert_eq!(plan.findings.iter().map(|finding| finding.class).collect::<Vec<_>>(), [Class::Drift]);
    assert!(plan.entries.is_empty(), "{:?}", plan.entries);
}

/// What was finished before a release with commits may have been edited since, and accepted: it is in nobody's way, and is not taken for
/// what ran either.
#[test]
fn d7_an_edit_of_what_was_finished_long_ago_refuses_nothing() {
    let files = files();
    let mut before =
        by(&files, traces(&["v1/a add 2.", "v1/a simdrop 1.", "v1/a drop 1.", "v1/b add 1.", "v2/c add 1."]));
    before.commits[3].by = Some(By { ran: Checksum::of(["another"]), back: Some(Checksum::of(["another back"])) });
    let plan = rebuilt(&files, &Ledger::default(), before);
    assert_eq!(said(&ledger(&plan))[1], "v1/b done done- done-");
    assert!(plan.notes.iter().any(|note| note.contains("step `v1/b` is left without")), "{:?}", plan.notes);
    assert_eq!(keeps(&plan), [Verb::RollbackAdd], "{:?}", plan.entries);
}
