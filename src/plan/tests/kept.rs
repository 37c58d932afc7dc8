//! What the ledger knows by itself: which phases are empty, how a version is spelt, what stands open in which phase, its own format.

use super::{
    fixture::{guards, id, project, refusals, request, tasks},
    guards::World,
};
use crate::{
    ledger::{Entry, Format, PhaseRow, Verdict},
    model::{Class, Phase, PhaseState},
    plan::{About, Repair, check, plan, repair},
    release::Project,
};

#[test]
fn l11_a_release_with_only_empty_phases_left_may_leave_the_files() {
    let both = project(&[("v1", &["a add:A", "b add:B drop:C"]), ("v2", &["x add:X"])]);
    let later = project(&[("v2", &["x add:X"])]);
    let mut world = World::new("require_previous: added");
    world.run(&both, "add v1");
    let said = [
        "L11: step `v1/a` (a) is in the ledger and in no file",
        "L11: step `v1/b` (b) is in the ledger and in no file",
    ];
    assert_eq!(world.refused(&later, "add v2"), said, "v1/b's drop is not empty");
    let row = |world: &World, phase: Phase| world.kept.ledger.steps[&id("v1", "a")].phase(phase).clone();
    assert_eq!(row(&world, Phase::Simdrop), PhaseRow { empty: true, ..PhaseRow::pending() }, "a mark, not a state");

    let mut world = World::new("");
    let both = project(&[("v1", &["a add:A", "b add:B"]), ("v2", &["x add:X"])]);
    world.run(&both, "add v1");
    assert_eq!(tasks(&world.plan(&later, "add v2")), ["add v2/x"]);
    assert_eq!(tasks(&world.plan(&both, "simdrop v1")), ["(simdrop v1/a)", "(simdrop v1/b)"], "it may still be passed");
}

#[test]
fn l1_a_handler_written_later_takes_the_mark_away() {
    let empty = project(&[("v1", &["a add:A"])]);
    let filled = project(&[("v1", &["a add:A drop:C"])]);
    let mut world = World::new("");
    world.run(&empty, "add v1");
    world.run(&filled, "simdrop v1");
    assert!(!world.kept.ledger.steps[&id("v1", "a")].phase(Phase::Drop).empty);
    assert_eq!(world.refused(&project(&[("v2", &["x add:X"])]), "add v2").len(), 1, "the drop is to come");
}

#[test]
fn f1_a_respelt_version_is_the_release_that_the_ledger_knows() {
    let steps: &[&str] = &["a add:A simdrop:B rollback_add:-A rollback_simdrop:-B", "b drop:D"];
    let (before, after) = (project(&[("v001", steps)]), project(&[("v1", steps)]));
    let mut world = World::new("");
    world.run(&before, "add v001");
    assert_eq!(tasks(&world.plan(&after, "add v1")), [""; 0], "nothing runs twice");
    world.run(&after, "simdrop v1");
    let more = project(&[("v1", &[steps[0], steps[1], "c add:C rollback_add:-C"])]);
    world.run(&more, "add v1 --out-of-order");
    let keys: Vec<_> = world.kept.ledger.steps.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["v001/a", "v001/b", "v001/c"], "the ledger keeps its spelling, for new steps too");
    assert_eq!(
        tasks(&world.plan(&Project::default(), "rollback_add v1.0 --cascade")),
        [""; 0],
        "v1.0 is another version"
    );
    assert_eq!(
        tasks(&world.run(&more, "rollback_simdrop v1")),
        ["(rollback_simdrop v001/b)", "rollback_simdrop v001/a"]
    );
}

#[test]
fn l4_what_stands_open_in_two_phases_is_decided_in_each() {
    let files = project(&[("v1", &["a add:A simdrop:?B rollback_add:?-A;!-Z rollback_simdrop:-B"])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    for text in ["simdrop v1", "rollback_add v1 --cascade"] {
        let mut facts = world.facts();
        facts.verdicts.insert((id("v1", "a"), Phase::Simdrop), Verdict::Not);
        let planned = plan(&files, &facts, &world.guards, &request(text));
        assert_eq!(refusals(&planned.findings), [""; 0]);
        for entry in &crate::plan::cut(&planned, &world.kept.ledger, crate::model::Dialect::Sqlite)[0].unit.opens {
            world.kept.apply(entry, "ann@ops", crate::model::Time(0));
        }
    }
    let row = &world.kept.ledger.steps[&id("v1", "a")];
    assert_eq!([row.phase(Phase::Add).trying, row.phase(Phase::Simdrop).trying], [Some(0), Some(0)]);
    let mut facts = world.facts();
    facts.verdicts.insert((id("v1", "a"), Phase::Add), Verdict::Applied);
    facts.verdicts.insert((id("v1", "a"), Phase::Simdrop), Verdict::Not);
    let planned = plan(&files, &facts, &world.guards, &request("rollback_simdrop v1"));
    assert_eq!(tasks(&planned), ["(rollback_simdrop v1/a)"], "its simdrop was not applied");
    facts.ledger.steps.get_mut(&id("v1", "a")).unwrap().phases[1].state = PhaseState::RolledBack;
    let planned = plan(&files, &facts, &world.guards, &request("rollback_add v1"));
    assert_eq!(planned.tasks[0].from, 1, "its rollback_add was");
}

#[test]
fn l11_no_files_at_all_is_a_wrong_folder_for_what_goes_forward() {
    let mut world = World::new("");
    let nothing = Project::default();
    for text in ["ff", "add", "drop v1"] {
        assert_eq!(world.refused(&nothing, text), ["F1: no releases found in releases/"]);
    }
    world.run(&super::guards::two(), "add v1");
    let planned = world.plan(&nothing, "ff");
    assert_eq!(planned.findings.iter().map(|f| f.class.exit_code()).collect::<Vec<_>>(), [2]);
    assert_eq!(check(&nothing, &world.facts()), planned.findings);
    assert_eq!(tasks(&world.plan(&nothing, "rollback_add v1")), ["rollback_add v1/a"]);
}

#[test]
fn g1_every_release_that_is_not_finished_is_listed() {
    let files = project(&[("v1", &["a add:A"]), ("v2", &["b add:B"]), ("v3", &["c add:C"]), ("v4", &["d add:D"])]);
    let mut world = World::new("");
    world.run(&files, "ff v2");
    world.kept.ledger.steps.clear();
    let said = |n: u32, step: &str| {
        format!("G1: cannot add release `v4`: earlier release `v{n}` is not finished (step `v{n}/{step}` is not added)")
    };
    assert_eq!(world.refused(&files, "add v4"), [said(1, "a"), said(2, "b"), said(3, "c")]);
}

fn upgrade(world: &World) -> crate::plan::RepairPlan {
    repair(&Project::default(), &world.kept.ledger, &Repair { about: About::UpgradeLedger, reason: "new".into() })
}

#[test]
fn l8_an_old_format_is_read_and_only_upgraded() {
    let files = super::guards::two();
    let mut world = World::new("");
    assert_eq!(upgrade(&world).notes, ["there is no ledger yet; nothing to do"]);
    world.run(&files, "add v1");
    assert_eq!(upgrade(&world).notes, [format!("the ledger's format is already {}; nothing to do", Format::CURRENT)]);
    assert_eq!(upgrade(&world).entries, []);
    world.kept.ledger.format = Some(Format { major: 0, minor: 9 });
    let old = "L8: the ledger has the old format 0.9; this triphase writes 1.0";
    for text in ["ff", "rollback_add v1"] {
        assert_eq!(world.refused(&files, text), [old], "{text}");
    }
    assert_eq!(refusals(&check(&files, &world.facts()))[0], old);
    let between = upgrade(&world);
    assert_eq!(refusals(&between.findings), ["L8: releases lie between add and drop: v1"]);
    assert_eq!((between.findings[0].class, between.entries.len()), (Class::Guard, 0));
    world.kept.ledger.format = Some(Format::CURRENT);
    world.run(&files, "ff v1");
    world.kept.ledger.format = Some(Format { major: 0, minor: 9 });
    let plan = upgrade(&world);
    assert_eq!(
        plan.notes,
        ["the ledger's format goes from 0.9 to 1.0: no triphase before 0.1.0 works on it from then on"]
    );
    let Entry::Upgrade { from, event } = &plan.entries[0] else { panic!("{plan:?}") };
    assert_eq!((from.major, event.detail.as_deref()), (0, Some("new")));
    world.kept.apply(&plan.entries[0], "ann@ops", crate::model::Time(0));
    assert_eq!(tasks(&world.plan(&files, "add v2")), ["add v2/x"]);
}

#[test]
fn g10_a_guard_is_kept_and_told_as_it_was_written() {
    let mut world = World::new("");
    world.kept.ledger.guards = guards("min_simdrop_age: 1h 30m");
    let kept = serde_json::to_string(&world.kept.ledger.guards).unwrap();
    world.kept.ledger.guards = serde_json::from_str(&kept).unwrap();
    world.run(&super::guards::two(), "add v1");
    world.run(&super::guards::two(), "simdrop v1");
    let said = world.refused(&super::guards::two(), "drop v1");
    assert!(said[0].ends_with("(`min_simdrop_age: 1h 30m`), 1h 30m are left"), "{said:?}");
}
