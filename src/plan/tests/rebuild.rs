//! A lake's ledger from the commits of its tables (D7).

use super::fixture::{id, project};
use crate::{
    ledger::{Entry, Format, Ledger, Row, Trace, Traces, apply::Kept},
    model::{Phase, PhaseState, Time, Verb},
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
    let about = About::Rebuild { traces: Box::new(traces) };
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
