//! What a person's word makes of the ledger, and what it leaves alone.

use super::{
    fixture::{id, project, v},
    guards::World,
};
use crate::{
    ledger::Entry,
    model::{Phase, PhaseState},
    plan::{About, Repair, Scope, repair},
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
