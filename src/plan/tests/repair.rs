//! What a person's word makes of the ledger, and what it leaves alone.

use super::{
    fixture::{id, project, v},
    guards::World,
};
use crate::{
    ledger::Entry,
    model::{Phase, PhaseState},
    plan::{About, Broken, Repair, Scope, repair},
    release::Project,
};

fn step() -> Scope {
    Scope::Step(v("v1"), "a".into())
}

/// A step of which one of two rollback statements is done.
fn half_back(files: &Project, partly: bool) -> World {
    let mut world = World::new("");
    world.run(files, "add v1");
    if let Some(row) = world.kept.ledger.steps.get_mut(&id("v1", "a")) {
        let add = &mut row.phases[Phase::Add.index()];
        add.state = PhaseState::RollbackFailed;
        add.partly = partly;
        add.upto = 1;
        add.hashes = vec!["of the rollback".into(), "its second".into()];
    }
    world
}

fn said(world: &World, files: &Project, about: About) -> Entry {
    let mut plan = repair(files, &world.kept.ledger, &Repair { about, reason: "so".into() });
    assert_eq!((plan.findings.as_slice(), plan.entries.len()), (&[][..], 1));
    plan.entries.remove(0)
}

#[test]
fn accepting_drift_leaves_a_rollback_under_way_alone() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    let world = half_back(&files, false);
    let Entry::Replace { row: Some(row), .. } = said(&world, &files, About::Accept { step: step() }) else {
        panic!("accept replaces a row")
    };
    assert_eq!(row.phase(Phase::Add).hashes, ["of the rollback", "its second"]);
}

#[test]
fn a_rollback_undone_gives_back_what_was_there_before_it() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    for (partly, state) in [(false, PhaseState::Done), (true, PhaseState::Failed)] {
        let world = half_back(&files, partly);
        let about = About::Decide { step: step(), phase: Phase::Add, statement: None, done: false };
        let Entry::Step { row, .. } = said(&world, &files, about) else { panic!("a decision is about a phase") };
        assert_eq!(row.state, state);
    }
}

/// A step of which the first of three lone statements is announced, and nothing more is known.
fn one_open(files: &Project) -> World {
    let mut world = World::new("");
    let planned = world.plan(files, "add v1");
    world.kept.ledger.format = Some(crate::ledger::Format::CURRENT);
    for cut in crate::plan::cut(&planned, &world.kept.ledger, crate::model::Dialect::Sqlite).iter().take(2) {
        for entry in &cut.unit.opens {
            world.kept.apply(entry, "ann@ops", crate::model::Time(0));
        }
    }
    world
}

#[test]
fn a_statement_said_to_be_done_is_where_the_resume_goes_on_behind() {
    let files = project(&[("v1", &["a add:!A;!B;!C rollback_add:-A"])]);
    for (done, upto) in [(true, 2), (false, 1)] {
        let mut world = one_open(&files);
        let hashes = world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add).hashes.clone();
        let about = |statement| About::Decide { step: step(), phase: Phase::Add, statement: Some(statement), done };
        let other = repair(&files, &world.kept.ledger, &Repair { about: about(1), reason: "so".into() });
        assert_eq!(
            other.findings[0].message, "statement 1 of add of step `v1/a` is not an open question",
            "only what is open is decided"
        );
        let entry = said(&world, &files, about(2));
        world.kept.apply(&entry, "ann@ops", crate::model::Time(0));
        let row = world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add);
        assert_eq!((row.state, row.upto, row.trying), (PhaseState::Failed, upto, None));
        assert_eq!((row.hashes.len(), &row.hashes), (3, &hashes), "what is done stays guarded against edits");
        assert_eq!(world.plan(&files, "add v1").tasks[0].from, upto);
        let edited = project(&[("v1", &["a add:!other;!B;!C rollback_add:-A"])]);
        assert_eq!(world.refused(&edited, "add v1").len(), 1, "L6");
    }
}

#[test]
fn a_phase_said_to_be_undone_begins_again() {
    let files = project(&[("v1", &["a add:!A;!B;!C rollback_add:-A"])]);
    let mut world = one_open(&files);
    let about = About::Decide { step: step(), phase: Phase::Add, statement: None, done: false };
    let entry = said(&world, &files, about);
    world.kept.apply(&entry, "ann@ops", crate::model::Time(0));
    let row = world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add);
    assert_eq!((row.state, row.upto, row.trying), (PhaseState::Pending, 0, None));
    let edited = project(&[("v1", &["a add:!other;!B rollback_add:-A"])]);
    assert_eq!(world.plan(&edited, "add v1").tasks[0].from, 0, "nothing of it is done, so an edit is free");
}

/// The first unit of a command is announced, and breaks.
fn breaks(world: &mut World, files: &Project, text: &str, how: Broken) {
    let planned = world.plan(files, text);
    let first = &crate::plan::cut(&planned, &world.kept.ledger, crate::model::Dialect::Sqlite)[0];
    let broken = crate::plan::broken(&planned, first, Some(first.first), "no", how);
    for entry in first.unit.opens.iter().chain([&broken]) {
        world.kept.apply(entry, "ann@ops", crate::model::Time(0));
    }
}

/// A step of which two of three lone statements are done, the third refused, and whose rollback stopped at its own first.
fn half_done_and_half_back(files: &Project) -> World {
    let mut world = World::new("");
    world.apply(files, "add v1", 2);
    breaks(&mut world, files, "add v1", Broken::Failed);
    breaks(&mut world, files, "rollback_add v1", Broken::Failed);
    let row = world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add);
    assert_eq!((row.state, row.partly, row.upto), (PhaseState::RollbackFailed, true, 0));
    world
}

#[test]
fn a_rollback_undone_leaves_a_half_applied_step_half_applied() {
    let files = project(&[("v1", &["a add:!A;!B;!C rollback_add:?-B;?-A"])]);
    let mut world = half_done_and_half_back(&files);
    let about = About::Decide { step: step(), phase: Phase::Add, statement: None, done: false };
    let entry = said(&world, &files, about);
    world.kept.apply(&entry, "ann@ops", crate::model::Time(0));
    let row = world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add).clone();
    assert_eq!((row.state, row.upto, row.hashes.len(), row.really()), (PhaseState::Failed, 2, 3, true));
    assert_eq!(world.plan(&files, "add v1").tasks[0].from, 2, "an add goes on behind what is applied");
    let edited = project(&[("v1", &["a add:!other;!B;!C rollback_add:?-B;?-A"])]);
    assert_eq!(world.refused(&edited, "add v1").len(), 1, "L6");
    let back = world.plan(&files, "rollback_add v1");
    assert_eq!(
        (back.tasks[0].handler.actions.len(), back.tasks[0].ask_each),
        (2, true),
        "and a rollback takes it back"
    );
    // A ledger of before this was kept does not know how far it was: that it was begun is known.
    let Some(step) = world.kept.ledger.steps.get_mut(&id("v1", "a")) else { panic!("the step is there") };
    let at = &mut step.phases[Phase::Add.index()];
    (at.upto, at.halfway, at.hashes) = (0, None, Vec::new());
    assert!(at.really());
    assert!(world.plan(&files, "rollback_add v1").tasks[0].ask_each);
}

#[test]
fn what_a_person_says_is_done_has_no_error_left() {
    let files = project(&[("v1", &["a add:!A;!B rollback_add:!-A"])]);
    let mut world = World::new("");
    world.apply(&files, "add v1", 1);
    breaks(&mut world, &files, "add v1", Broken::Undecided);
    let row = |world: &World| world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Add).clone();
    assert_eq!((row(&world).trying, row(&world).error.as_deref()), (Some(1), Some("no")));
    let about = |done| About::Decide { step: step(), phase: Phase::Add, statement: Some(2), done };
    let entry = said(&world, &files, about(false));
    let Entry::Step { row: failed, .. } = entry else { panic!("a decision is about a phase") };
    assert_eq!((failed.state, failed.error.as_deref()), (PhaseState::Failed, Some("no")), "it says why it failed");
    let entry = said(&world, &files, about(true));
    world.kept.apply(&entry, "ann@ops", crate::model::Time(0));
    assert_eq!((row(&world).state, row(&world).error), (PhaseState::Done, None));
}

#[test]
fn what_is_so_already_is_not_recorded_again() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    let mut world = World::new("");
    let said = |world: &World, files: &Project, done| {
        let about = About::Decide { step: step(), phase: Phase::Add, statement: None, done };
        repair(files, &world.kept.ledger, &Repair { about, reason: "so".into() })
    };
    assert_eq!(said(&world, &files, false).notes, ["add of step `v1/a` is pending already: nothing is recorded"]);
    world.run(&files, "add v1");
    let plan = said(&world, &files, true);
    assert_eq!((plan.entries.len(), plan.findings.len()), (0, 0));
    assert_eq!(plan.notes, ["add of step `v1/a` is done already: nothing is recorded"]);
    // An edit is something to record, and so is another word.
    let edited = project(&[("v1", &["a add:B rollback_add:-A"])]);
    assert_eq!((said(&world, &edited, true).entries.len(), said(&world, &files, false).entries.len()), (1, 1));
}
