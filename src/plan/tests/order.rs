//! The order of steps, hooks and phases: what is refused, and what a rollback puts back in order.

use super::{
    fixture::{id, project, refusals, tasks, v},
    guards::World,
};
use crate::{
    ledger::Outcome,
    model::{Phase, PhaseState},
    plan::{About, Repair, Scope, broken, cut, repair},
    release::Project,
};

const A: &str = "a add:A simdrop:B drop:C rollback_add:-A rollback_simdrop:-B";

/// Runs a request whose first unit fails before anything of it commits.
fn fails(world: &mut World, files: &Project, text: &str) {
    let planned = world.plan(files, text);
    assert_eq!(refusals(&planned.findings), [""; 0], "{text}");
    let cuts = cut(&planned, &world.kept.ledger, crate::model::Dialect::Sqlite);
    let entry = broken(&planned, &cuts[0], Some(0), "no", crate::plan::Broken::Failed);
    world.kept.apply(&entry, "ann@ops", world.kept.ledger.now);
}

#[test]
fn g3_a_step_is_not_named_past_the_hook_before_it() {
    let files = project(&[("v1", &["@before add:E simdrop:F", A, "b add:X", "@after add:G"])]);
    let mut world = World::new("");
    let said = |phase: &str, step: &str, before: &str| {
        format!("G3: cannot {phase} step `v1/{step}`: step `v1/{before}`, which comes before it, is not {phase}")
            .replace("is not add", "is not added")
            .replace("is not simdrop", "is not simdropped")
    };
    assert_eq!(world.refused(&files, "add v1/a"), [said("add", "a", "@before")]);
    assert_eq!(
        world.plan(&files, "add v1/a").findings[0].way_out,
        "run the whole release: triphase add v1; if that is meant: --out-of-order"
    );
    assert_eq!(tasks(&world.plan(&files, "add v1/a --out-of-order")), ["add v1/a"]);
    fails(&mut world, &files, "add v1");
    assert_eq!(world.refused(&files, "add v1/a"), [said("add", "a", "@before")], "a hook that failed has not run");
    world.run(&files, "add v1/@before");
    assert_eq!(world.refused(&files, "add v1/@after"), [said("add", "@after", "a")]);
    assert_eq!(tasks(&world.run(&files, "add v1/a")), ["add v1/a"]);
    assert_eq!(world.refused(&files, "add v1/@after"), [said("add", "@after", "b")]);
    world.run(&files, "add v1");
    assert_eq!(world.refused(&files, "simdrop v1/a"), [said("simdrop", "a", "@before")]);
}

#[test]
fn g3_a_hook_written_once_the_steps_ran_comes_too_late() {
    let mut world = World::new("");
    world.run(&project(&[("v1", &[A])]), "add v1");
    let late = project(&[("v1", &["@before add:E", A])]);
    assert_eq!(
        world.refused(&late, "add v1"),
        ["G3: cannot add step `v1/@before`: step `v1/a`, which comes after it, is added already"]
    );
    assert_eq!(tasks(&world.plan(&late, "add v1 --out-of-order")), ["add v1/@before"]);
}

#[test]
fn f6_a_hooks_rollback_runs_where_its_phase_committed_something() {
    for (handler, back) in [("=E", "(rollback_simdrop v1/@before)"), ("!E;!F", "rollback_simdrop v1/@before")] {
        let hook = format!("@before simdrop:{handler} rollback_simdrop:-E");
        let files = project(&[("v1", &[hook.as_str(), A])]);
        let mut world = World::new("");
        world.run(&files, "add v1");
        if handler == "=E" {
            fails(&mut world, &files, "simdrop v1");
        } else {
            world.apply(&files, "simdrop v1", 1);
        }
        assert_eq!(tasks(&world.plan(&files, "rollback_simdrop v1")), [back]);
    }
}

#[test]
fn f6_a_step_that_is_named_goes_back_without_the_hooks_and_that_is_said() {
    let files = project(&[("v1", &["@before add:E rollback_add:-E", A])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    let back = world.plan(&files, "rollback_add v1/a");
    assert_eq!(tasks(&back), ["rollback_add v1/a"]);
    assert_eq!(
        back.warnings,
        [
            "the release's own rollback_add is left out where a step is named: `v1/@before`; it runs with: triphase rollback_add v1"
        ]
    );
    assert_eq!(world.plan(&files, "rollback_add v1").warnings, [""; 0]);
}

#[test]
fn g2_a_persons_word_keeps_the_phases_of_a_step_in_order() {
    let files = project(&[("v1", &[A])]);
    let mut world = World::new("");
    let say = |world: &World, phase, done| {
        let about = About::Decide { step: Scope::Step(v("v1"), "a".into()), phase, statement: None, done };
        repair(&files, &world.kept.ledger, &Repair { about, reason: "so".into() })
    };
    for (phase, first) in [(Phase::Simdrop, "add"), (Phase::Drop, "add")] {
        let plan = say(&world, phase, true);
        assert_eq!(
            refusals(&plan.findings),
            [format!("G2: cannot record {phase} of step `v1/a` as done: its {first} is pending, and comes first")]
        );
        assert_eq!(plan.entries, []);
    }
    world.run(&files, "add v1");
    let plan = say(&world, Phase::Drop, true);
    assert_eq!(
        refusals(&plan.findings),
        ["G2: cannot record drop of step `v1/a` as done: its simdrop is pending, and comes first"]
    );
    assert_eq!(
        plan.findings[0].way_out,
        "run it: triphase simdrop v1; or, if it was done by hand: triphase repair done v1/a simdrop --reason …"
    );
    assert_eq!(say(&world, Phase::Simdrop, true).findings, []);
    world.run(&files, "simdrop v1");
    let plan = say(&world, Phase::Add, false);
    assert_eq!(
        refusals(&plan.findings),
        ["G2: cannot record add of step `v1/a` as pending: its simdrop is done, and comes after it"]
    );
    assert_eq!(
        plan.findings[0].way_out,
        "roll it back: triphase rollback_simdrop v1; or, if that is not so: triphase repair undone v1/a simdrop --reason …"
    );
    assert_eq!(say(&world, Phase::Simdrop, false).findings, []);
    let empties = project(&[("v1", &["a add:A drop:C"])]);
    let mut world = World::new("");
    world.run(&empties, "add v1");
    let about =
        About::Decide { step: Scope::Step(v("v1"), "a".into()), phase: Phase::Drop, statement: None, done: true };
    let plan = repair(&empties, &world.kept.ledger, &Repair { about, reason: "so".into() });
    assert_eq!(plan.findings, [], "an empty phase counts as done");
}

#[test]
fn a_phase_that_failed_in_vain_is_pending_once_the_one_before_it_is_taken_back() {
    let files = project(&[("v1", &[A])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    world.run(&files, "simdrop v1");
    fails(&mut world, &files, "drop v1");
    let state = |world: &World, phase| world.kept.ledger.steps[&id("v1", "a")].phase(phase).state;
    assert_eq!(state(&world, Phase::Drop), PhaseState::Failed);
    world.run(&files, "rollback_simdrop v1");
    assert_eq!(state(&world, Phase::Drop), PhaseState::Pending);
    assert_eq!(state(&world, Phase::Simdrop), PhaseState::RolledBack);
    assert!(world.kept.history.iter().any(|event| event.outcome == Outcome::Failed), "what happened is not forgotten");
    fails(&mut world, &files, "simdrop v1");
    world.run(&files, "rollback_add v1");
    assert_eq!(
        [Phase::Add, Phase::Simdrop].map(|phase| state(&world, phase)),
        [PhaseState::RolledBack, PhaseState::Pending]
    );

    let two = project(&[("v1", &[A, "b add:X simdrop:Y rollback_add:-X rollback_simdrop:-Y"])]);
    let mut world = World::new("");
    world.run(&two, "add v1");
    world.apply(&two, "simdrop v1", 1);
    fails(&mut world, &two, "simdrop v1");
    world.run(&two, "rollback_add v1 --cascade");
    let after = world.kept.ledger.steps[&id("v1", "b")].phase(Phase::Simdrop).state;
    assert_eq!(after, PhaseState::RolledBack, "what the same plan takes back stays rolled back");
}

#[test]
fn l2_from_files_takes_no_other_handler_in_the_files_place() {
    let files = project(&[("v1", &[A])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    for files in [Project::default(), project(&[("v1", &["a add:A"])])] {
        assert_eq!(
            world.refused(&files, "rollback_add v1/a --from-files"),
            ["L2: cannot rollback_add step `v1/a` with --from-files: no file gives it a `rollback_add` handler"]
        );
    }
}

#[test]
fn g8_a_rollback_without_any_release_file_says_so() {
    let mut world = World::new("");
    world.run(&project(&[("v1", &[A])]), "add v1");
    assert_eq!(
        world.plan(&Project::default(), "rollback_add v1").warnings,
        ["no releases found in releases/; rolling back from the ledger"]
    );
}

#[test]
fn a_way_out_can_be_gone() {
    let files = project(&[("v1", &[A]), ("v2", &["x add:X simdrop:Y drop:Z rollback_add:-X rollback_simdrop:-Y"])]);
    let mut world = World::new("require_previous: added");
    world.run(&files, "add v1");
    world.run(&files, "add v2");
    let way_out = |world: &World| world.plan(&files, "rollback_add v1").findings[0].way_out.clone();
    assert_eq!(way_out(&world), "roll that one back first: triphase rollback_add v2");
    world.run(&files, "simdrop v2");
    world.run(&files, "drop v2");
    assert_eq!(
        way_out(&world),
        "`v2` is dropped too and has no way back: restore what was dropped from a backup, or write a new release that goes forward"
    );
    let late = project(&[("v1", &["z add:Z", A])]);
    let mut world = World::new("");
    world.run(&project(&[("v1", &[A])]), "add v1");
    let advice = crate::plan::advice(&late, &world.facts(), &world.guards);
    assert_eq!(
        advice, "put it into a new release; or, if that order is meant: triphase add v1 --out-of-order",
        "a bare `triphase add v1` is refused"
    );
}

#[test]
fn g7_who_rolled_back_is_told_where_a_protected_target_waits_anyway() {
    let files = project(&[("v1", &[A])]);
    let mut world = World::new("protected: true");
    world.run(&files, "add v1");
    world.run(&files, "simdrop v1");
    world.run(&files, "rollback_simdrop v1");
    let waits = world.plan(&files, "ff").waits;
    assert_eq!(waits[0].rule, "G9");
    assert!(waits[0].why.contains("ann@ops rolled it back"), "{}", waits[0].why);
}
