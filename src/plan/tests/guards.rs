//! A test for each rule that refuses: where it lets pass, where it refuses, and what it says.

use super::fixture::{guards, project, refusals, request, tasks, v};
use crate::{
    action::Action,
    ledger::{Facts, apply::Kept},
    model::{Guards, Phase, Time},
    plan::{Plan, cut, open, plan},
    release::Project,
};

/// A ledger and a clock.
#[derive(Default)]
pub(super) struct World {
    pub kept: Kept,
    pub guards: Guards,
}

impl World {
    pub fn new(settings: &str) -> Self {
        let mut world = Self { guards: guards(settings), ..Self::default() };
        world.kept.ledger.now = Time(1_000_000_000);
        world
    }

    pub fn facts(&self) -> Facts {
        Facts { ledger: self.kept.ledger.clone(), stored: self.kept.stored.clone(), ..Facts::default() }
    }

    pub fn plan(&self, project: &Project, text: &str) -> Plan {
        plan(project, &self.facts(), &self.guards, &request(text))
    }

    /// Plans and applies the first `units` of it.
    pub fn apply(&mut self, project: &Project, text: &str, units: usize) -> Plan {
        let planned = self.plan(project, text);
        assert_eq!(refusals(&planned.findings), Vec::<String>::new(), "{text}");
        let now = self.kept.ledger.now;
        self.kept.ledger.format = Some(crate::ledger::Format::CURRENT);
        for cut in cut(&planned, &self.kept.ledger, crate::model::Dialect::Sqlite).iter().take(units) {
            self.kept.unit(&cut.unit, "ann@ops", now);
        }
        planned
    }

    pub fn run(&mut self, project: &Project, text: &str) -> Plan {
        self.apply(project, text, usize::MAX)
    }

    pub fn refused(&self, project: &Project, text: &str) -> Vec<String> {
        let plan = self.plan(project, text);
        assert!(plan.tasks.is_empty() || plan.findings.is_empty(), "what refuses, refuses before anything runs");
        refusals(&plan.findings)
    }

    fn later(&mut self, span: &str) {
        let ledger = &mut self.kept.ledger;
        ledger.now = ledger.now.plus(humantime::parse_duration(span).unwrap());
    }
}

pub(super) fn two() -> Project {
    project(&[
        ("v1", &["a add:A simdrop:B drop:C rollback_add:-A rollback_simdrop:-B"]),
        ("v2", &["x add:X simdrop:Y rollback_add:-X rollback_simdrop:-Y"]),
    ])
}

#[test]
fn l1_an_empty_phase_is_recorded_when_run_and_makes_nothing_final() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    let mut world = World::new("");
    let first = world.run(&files, "ff");
    assert_eq!(tasks(&first), ["add v1/a", "(simdrop v1/a)", "(drop v1/a)"]);
    assert_eq!(
        cut(&first, &Default::default(), crate::model::Dialect::Sqlite).len(),
        1,
        "empty phases cost no transaction of their own"
    );
    assert_eq!(tasks(&world.run(&files, "ff")), [""; 0]);
    assert_eq!(tasks(&world.run(&files, "rollback_add v1")), ["rollback_add v1/a"]);
}

#[test]
fn l1_an_earlier_release_can_go_back_once_the_later_one_has_only_empty_phases_left() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"]), ("v2", &["x add:X rollback_add:-X"])]);
    let mut world = World::new("");
    world.run(&files, "ff");
    assert_eq!(
        world.refused(&files, "rollback_add v1"),
        ["G5: cannot rollback_add release `v1`: later release `v2` is there (step `v2/x` is added)"]
    );
    world.run(&files, "rollback_add v2");
    assert_eq!(tasks(&world.run(&files, "rollback_add v1")), ["rollback_add v1/a"]);
}

#[test]
fn l2_rollbacks_are_stored_when_the_phase_starts_and_run_without_files() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    let edited = project(&[("v1", &["a add:A rollback_add:other"])]);
    let back = world.plan(&edited, "rollback_add v1");
    assert_eq!(back.tasks[0].handler.actions[0].text(), "-A");
    assert_eq!(
        back.warnings,
        ["the rollback_add handler of step `v1/a` in the file differs from the one stored; the ledger's is used"]
    );
    assert_eq!(world.plan(&edited, "rollback_add v1 --from-files").tasks[0].handler.actions[0].text(), "other");
    assert_eq!(world.plan(&Project::default(), "rollback_add v1").tasks, back.tasks);
}

#[test]
fn l6_a_rerun_resumes_and_refuses_what_was_edited_behind_it() {
    let mut world = World::new("");
    world.apply(&project(&[("v1", &["a add:!A;B;!C"])]), "add v1", 2);
    let free = project(&[("v1", &["a add:!A;B;!other"])]);
    assert_eq!(world.plan(&free, "add v1").tasks[0].from, 2);
    let behind = project(&[("v1", &["a add:!other;B;!C"])]);
    assert_eq!(
        world.refused(&behind, "add v1"),
        ["L6: cannot resume add of step `v1/a`: statement 1, which is done, was edited since"]
    );
}

#[test]
fn l6_a_resume_asks_an_expect_again() {
    let files = project(&[("v1", &["a add:!A;=true;!C"])]);
    let mut world = World::new("");
    world.apply(&files, "add v1", 2);
    assert_eq!(world.plan(&files, "add v1").tasks[0].from, 1);
}

#[test]
fn l7_editing_what_ran_is_drift_and_what_did_not_run_is_free() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    let free = project(&[("v1", &["a add:A simdrop:other rollback_simdrop:-B"])]);
    assert_eq!(tasks(&world.plan(&free, "simdrop v1")), ["simdrop v1/a"]);
    let drift = project(&[("v1", &["a add:other simdrop:B rollback_simdrop:-B"])]);
    let said = ["L7: the add handler of step `v1/a` was edited after it ran"];
    assert_eq!(world.refused(&drift, "simdrop v1"), said);
    assert_eq!(world.refused(&drift, "ff"), said);
    assert_eq!(
        tasks(&world.plan(&drift, "rollback_add v1")),
        ["rollback_add v1/a"],
        "G8: rollbacks need the ledger alone"
    );
}

#[test]
fn l11_a_lost_step_is_drift_and_a_finished_release_may_leave() {
    let files = project(&[("v1", &["a add:A"]), ("v2", &["x add:X simdrop:Y"]), ("v3", &["z add:Z"])]);
    let mut world = World::new("require_previous: added");
    world.run(&files, "ff v1");
    world.run(&files, "add v2");
    let gone = project(&[("v3", &["z add:Z"])]);
    assert_eq!(world.refused(&gone, "add v3"), ["L11: step `v2/x` (x) is in the ledger and in no file"]);
    let renamed = project(&[("v1", &["a add:A"]), ("v2", &["xx add:X simdrop:Y"]), ("v3", &["z add:Z"])]);
    let plan = world.plan(&renamed, "add v3");
    assert_eq!(
        plan.findings[0].way_out,
        "if it is step `v2/xx` now: triphase repair rename v2/x v2/xx --reason …; put the step back (`deleted: true` keeps it from running), or: \
         triphase repair forget v2/x --reason …"
    );
}

#[test]
fn l11_a_target_that_is_ahead_is_fine_unless_something_is_pending() {
    let mut world = World::new("require_previous: added");
    world.run(&two(), "add v1");
    world.run(&two(), "add v2");
    let older = project(&[("v1", &["a add:A"])]);
    let plan = world.plan(&older, "ff");
    assert_eq!(plan.findings, [], "an empty phase is not pending");
    assert_eq!(plan.notes, ["the target is ahead: it has release `v2`, newer than all in the files"]);
    assert_eq!(plan.tasks, []);
    let pending = project(&[("v1", &["a add:A simdrop:B"])]);
    assert_eq!(
        world.refused(&pending, "simdrop v1"),
        ["L11: the target is ahead: it has release `v2`, newer than all in the files"]
    );
}

#[test]
fn g1_earlier_releases_come_first() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    let said = ["G1: cannot add release `v2`: earlier release `v1` is not finished (step `v1/a` is not simdropped)"];
    assert_eq!(world.refused(&two(), "add v2"), said);
    assert_eq!(
        world.plan(&two(), "add v2").findings[0].way_out,
        "run: triphase simdrop v1; the guard is `require_previous: dropped`, a weaker one (`simdropped`, `added`) lets releases overlap"
    );
    world.guards = guards("require_previous: simdropped");
    assert_eq!(world.refused(&two(), "add v2"), said);
    world.guards = guards("require_previous: added");
    assert_eq!(tasks(&world.plan(&two(), "add v2")), ["add v2/x"]);
    world.guards = guards("");
    world.run(&two(), "ff v1");
    assert_eq!(tasks(&world.plan(&two(), "add v2")), ["add v2/x"]);
}

#[test]
fn g2_a_phase_needs_the_one_before() {
    let mut world = World::new("");
    assert_eq!(world.refused(&two(), "simdrop v1"), ["G2: cannot simdrop release `v1`: not added yet: v1/a"]);
    world.run(&two(), "add v1");
    assert_eq!(world.refused(&two(), "drop v1"), ["G2: cannot drop release `v1`: not simdropped yet: v1/a"]);
    assert_eq!(tasks(&world.plan(&two(), "simdrop v1")), ["simdrop v1/a"]);
}

#[test]
fn g2_an_empty_phase_says_nothing_of_the_one_before_it() {
    let project = project(&[("v1", &["a add:A drop:D rollback_add:Ra"])]);
    let mut world = World::new("");
    let missing = ["G2: cannot drop release `v1`: not added yet: v1/a"];
    assert_eq!(world.refused(&project, "drop v1"), missing);
    assert_eq!(world.refused(&project, "drop"), missing);
    world.run(&project, "add v1");
    world.run(&project, "rollback_add v1");
    assert_eq!(world.refused(&project, "drop v1"), missing);
    world.run(&project, "add v1");
    assert_eq!(tasks(&world.plan(&project, "drop v1")), ["drop v1/a"]);
}

#[test]
fn g1_a_release_with_nothing_to_add_begins_with_its_simdrop() {
    let project = project(&[("v1", &["a add:A rollback_add:Ra"]), ("v2", &["b simdrop:S drop:D rollback_simdrop:Rs"])]);
    let mut world = World::new("");
    let early = |verb| {
        format!("G1: cannot {verb} release `v2`: earlier release `v1` is not finished (step `v1/a` is not added)")
    };
    assert_eq!(world.refused(&project, "simdrop v2"), [early("simdrop")]);
    assert_eq!(world.refused(&project, "simdrop"), [early("simdrop")]);
    world.run(&project, "add v1");
    assert_eq!(tasks(&world.plan(&project, "simdrop v2")), ["simdrop v2/b"]);
}

#[test]
fn nothing_goes_forward_in_a_release_where_a_rollback_is_open() {
    let project = project(&[("v1", &["a add:A drop:D rollback_add:!Ra;!Rb", "b add:B drop:E rollback_add:Rc"])]);
    let mut world = World::new("");
    world.run(&project, "add v1");
    world.apply(&project, "rollback_add v1/b", 9);
    world.apply(&project, "rollback_add v1/a", 1);
    for verb in ["add", "simdrop", "drop"] {
        let open = format!("G5: cannot {verb} release `v1`: rollback_add of step `v1/a` has begun and is not done");
        assert_eq!(world.refused(&project, &format!("{verb} v1")), [open]);
    }
}

#[test]
fn g3_steps_and_releases_run_in_order() {
    let mut world = World::new("");
    world.run(&project(&[("v1", &["b add:B simdrop:BB"])]), "add v1");
    let inserted = project(&[("v1", &["a add:A", "b add:B simdrop:BB", "c add:C"])]);
    assert_eq!(
        world.refused(&inserted, "add v1"),
        ["G3: cannot add step `v1/a`: step `v1/b`, which comes after it, is added already"]
    );
    assert_eq!(tasks(&world.plan(&inserted, "add v1 --out-of-order")), ["add v1/a", "add v1/c"]);
    assert_eq!(
        World::new("").refused(&inserted, "add v1/b"),
        ["G3: cannot add step `v1/b`: step `v1/a`, which comes before it, is not added"]
    );
    world.run(&project(&[("v1", &["b add:B simdrop:BB"])]), "simdrop v1");
    let appended = project(&[("v1", &["b add:B simdrop:BB", "c add:C"])]);
    assert_eq!(
        world.refused(&appended, "add v1"),
        ["G3: cannot add step `v1/c`: its release is simdropped already (step `v1/b`)"]
    );
    assert_eq!(tasks(&world.plan(&appended, "add v1 --out-of-order")), ["add v1/c"]);
    let mut world = World::new("");
    world.run(&project(&[("v2", &["x add:X"])]), "add v2");
    let older = project(&[("v1", &["a add:A"]), ("v2", &["x add:X"])]);
    assert_eq!(
        world.refused(&older, "add v1"),
        ["G3: cannot add release `v1`: release `v2`, which comes after it, has begun"]
    );
    assert_eq!(tasks(&world.plan(&older, "add v1 --out-of-order")), ["add v1/a"]);
}

#[test]
fn g4_no_rollback_add_while_simdropped_unless_cascaded() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    world.run(&two(), "simdrop v1");
    assert_eq!(
        world.refused(&two(), "rollback_add v1"),
        ["G4: cannot rollback_add step `v1/a`: it is simdropped; the old application would find neither old nor new"]
    );
    assert_eq!(tasks(&world.plan(&two(), "rollback_add v1 --cascade")), ["rollback_simdrop v1/a", "rollback_add v1/a"]);
    let partly = project(&[("v1", &["a add:A simdrop:!B;!C rollback_add:-A rollback_simdrop:-B"])]);
    let mut world = World::new("");
    world.run(&partly, "add v1");
    world.apply(&partly, "simdrop v1", 1);
    assert_eq!(
        world.refused(&partly, "rollback_add v1").len(),
        1,
        "a failed simdrop with a committed statement counts"
    );
}

#[test]
fn g5_no_way_back_past_a_drop_a_missing_handler_or_a_later_release() {
    let mut world = World::new("require_previous: added");
    world.run(&two(), "ff v1");
    assert_eq!(
        world.refused(&two(), "rollback_simdrop v1"),
        ["G5: cannot rollback_simdrop release `v1`: step `v1/a` is dropped, and a drop has no way back"]
    );
    let none = project(&[("v1", &["a add:A rollback_add:-A", "b add:B"])]);
    let mut world = World::new("");
    world.run(&none, "add v1");
    assert_eq!(
        world.refused(&none, "rollback_add v1"),
        ["G5: cannot rollback_add step `v1/b`: it gives no `rollback_add` handler"]
    );
    let mut world = World::new("require_previous: added");
    for command in ["add v1", "simdrop v1", "add v2"] {
        world.run(&two(), command);
    }
    assert_eq!(
        world.plan(&two(), "rollback_simdrop v1").warnings,
        ["later release `v2` is added already: see that it does without what `v1` hid"]
    );
    world.run(&two(), "simdrop v2");
    assert_eq!(
        world.refused(&two(), "rollback_simdrop v1"),
        ["G5: cannot rollback_simdrop release `v1`: later release `v2` is there (step `v2/x` is simdropped)"]
    );
}

#[test]
fn g6_drop_waits_for_its_age_and_both_for_the_rollout() {
    let mut world = World::new("min_simdrop_age: 7d");
    world.run(&two(), "add v1");
    world.run(&two(), "simdrop v1");
    world.later("1d");
    assert_eq!(
        world.refused(&two(), "drop v1"),
        [
            "G6: cannot drop release `v1` yet: it was simdropped at 1970-01-01T00:16:40Z (`min_simdrop_age: 7d`), 6d are left"
        ]
    );
    world.later("6d");
    assert_eq!(tasks(&world.plan(&two(), "drop v1")), ["drop v1/a"]);
    world.run(&two(), "rollback_simdrop v1");
    world.run(&two(), "simdrop v1");
    assert_eq!(world.refused(&two(), "drop v1").len(), 1, "a rollback clears the age");

    let mut world = World::new("require_rollout: true");
    world.run(&two(), "add v1");
    assert_eq!(
        world.refused(&two(), "simdrop v1"),
        ["G6: cannot simdrop release `v1`: nobody has said that it is rolled out (`require_rollout: true`)"]
    );
    let said = crate::model::Rollout { who: "ann@ops".into(), at: world.kept.ledger.now };
    world.kept.ledger.rollouts.insert(v("v1"), said);
    world.run(&two(), "simdrop v1");
    world.run(&two(), "rollback_simdrop v1");
    assert_eq!(world.refused(&two(), "simdrop v1").len(), 1, "a rollback voids the rollout");
}

#[test]
fn g6_a_rollback_that_stops_at_its_first_lone_statement_has_voided_the_rollout() {
    let files = project(&[("v1", &["a add:A rollback_add:!-A"])]);
    let mut world = World::new("require_rollout: true");
    world.run(&files, "add v1");
    let said = crate::model::Rollout { who: "ann@ops".into(), at: world.kept.ledger.now };
    world.kept.ledger.rollouts.insert(v("v1"), said);
    let back = world.plan(&files, "rollback_add v1");
    for entry in &cut(&back, &world.kept.ledger, crate::model::Dialect::Sqlite)[0].unit.opens {
        world.kept.apply(entry, "ann@ops", Time(0));
    }
    assert!(world.kept.ledger.rollouts.is_empty());
}

#[test]
fn g7_what_was_rolled_back_runs_again_only_when_named() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    world.run(&two(), "rollback_add v1");
    let said = "will not add step `v1/a` again by itself: ann@ops rolled it back at 1970-01-01T00:16:40Z";
    assert_eq!(world.refused(&two(), "add"), [format!("G7: {said}")]);
    for text in ["ff", "ff +1", "ff v2"] {
        let plan = world.plan(&two(), text);
        assert_eq!(tasks(&plan), [""; 0], "{text}");
        assert_eq!(plan.waits[0].rule, "G7");
        assert_eq!(plan.waits[0].why, format!("{said}; once that is settled, name it: triphase add v1"));
        assert!(plan.waits[0].blocks_add);
    }
    assert_eq!(tasks(&world.plan(&two(), "add v1")), ["add v1/a"]);
    assert_eq!(tasks(&world.plan(&two(), "ff v1")), ["add v1/a", "simdrop v1/a", "drop v1/a"]);
}

#[test]
fn g8_bad_files_refuse_forward_commands_and_warn_on_rollbacks() {
    let mut world = World::new("");
    world.run(&two(), "add v1");
    let mut bad = two();
    bad.findings.push(crate::model::Finding::new(crate::model::Class::Usage, "F8", "unknown key `ad`"));
    for text in ["add v2", "ff", "simdrop"] {
        assert_eq!(world.refused(&bad, text), ["F8: unknown key `ad`"]);
    }
    let back = world.plan(&bad, "rollback_add v1");
    assert_eq!(tasks(&back), ["rollback_add v1/a"]);
    assert_eq!(back.warnings, ["the release files are not valid: unknown key `ad`; rolling back from the ledger"]);
}

/// An older checkout is told so, not sent to another release.
#[test]
fn a_release_that_only_the_ledger_has_is_no_slip_of_the_pen() {
    let mut world = World::new("");
    world.run(&two(), "ff");
    let mut older = two();
    older.releases.pop();
    assert_eq!(older.releases.len(), 1);
    for (text, way_out) in
        [("simdrop v2", "the ledger has it: use the checkout that has its file"), ("simdrop v3", "did you mean `v1`?")]
    {
        let findings = world.plan(&older, text).findings;
        assert_eq!(findings[0].way_out, way_out, "{text}: {findings:?}");
    }
}

#[test]
fn g9_ff_stops_after_add_on_a_protected_target_unless_told_to_contract() {
    let mut world = World::new("protected: true");
    let plan = world.plan(&two(), "ff v1");
    assert_eq!(tasks(&plan), ["add v1/a"]);
    assert_eq!(
        (plan.waits[0].rule, plan.waits[0].why.as_str(), plan.waits[0].blocks_add),
        (
            "G9",
            "the target is `protected: true`: ff stops after add; run: triphase simdrop v1, or ff --contract",
            false
        )
    );
    assert_eq!(tasks(&world.plan(&two(), "ff v1 --contract")).len(), 3);
    assert!(
        world.run(&two(), "ff").waits.iter().any(|wait| wait.blocks_add && wait.rule == "G1"),
        "v2's add can't run"
    );
}

#[test]
fn g10_the_ledger_keeps_guards_and_a_file_replaces_them() {
    let mut world = World::new("");
    world.kept.ledger.guards = guards("protected: true\nrequire_previous: added");
    assert_eq!(world.plan(&two(), "ff v1").waits[0].rule, "G9");
    assert_eq!(world.plan(&two(), "ff v1").begin.guards, None);
    world.guards = guards("protected: false");
    let plan = world.plan(&two(), "ff v1");
    assert_eq!(plan.waits, []);
    assert_eq!(plan.begin.guards, Some(guards("protected: false\nrequire_previous: added")));
}

#[test]
fn ff_leaves_what_must_wait_and_goes_on_where_it_may() {
    let mut world = World::new("min_simdrop_age: 7d\nrequire_previous: simdropped");
    let plan = world.run(&two(), "ff");
    assert_eq!(tasks(&plan), ["add v1/a", "simdrop v1/a", "add v2/x", "simdrop v2/x", "(drop v2/x)"]);
    let wait = &plan.waits[0];
    assert_eq!((wait.release.as_str(), wait.phase, wait.rule, wait.blocks_add), ("v1", Phase::Drop, "G6", false));
    assert_eq!(
        wait.why,
        "cannot drop release `v1` yet: it is simdropped only now (`min_simdrop_age: 7d`); wait 7d, then: triphase drop v1"
    );
    let again = world.plan(&two(), "ff");
    assert_eq!((tasks(&again).len(), again.waits[0].until), (0, Some(Time(1_000_000_000 + 7 * 86_400_000_000))));
    let blocked = World::new("min_simdrop_age: 7d").plan(&two(), "ff");
    assert_eq!(blocked.waits.iter().map(|w| (w.rule, w.blocks_add)).collect::<Vec<_>>(), [("G6", false), ("G1", true)]);
}

#[test]
fn ff_next_takes_the_first_release_with_work_left_and_phase_stops_it() {
    let mut world = World::new("");
    assert_eq!(tasks(&world.plan(&two(), "ff --phase add v1")), ["add v1/a"]);
    assert_eq!(tasks(&world.run(&two(), "ff +1")), ["add v1/a", "simdrop v1/a", "drop v1/a"]);
    assert_eq!(tasks(&world.run(&two(), "ff +1")), ["add v2/x", "simdrop v2/x", "(drop v2/x)"]);
    assert_eq!(world.plan(&two(), "ff +1").notes, ["nothing to do"]);
}

#[test]
fn a_command_without_a_version_means_the_one_release_that_is_eligible() {
    let mut world = World::new("require_previous: added");
    assert_eq!(world.plan(&two(), "simdrop").findings[0].class.exit_code(), 7, "pending but refused");
    assert_eq!(tasks(&world.run(&two(), "add")), ["add v1/a"]);
    assert_eq!(tasks(&world.run(&two(), "add")), ["add v2/x"]);
    assert_eq!(world.plan(&two(), "add").notes, ["nothing to do"]);
    let plan = world.plan(&two(), "simdrop");
    assert_eq!(plan.findings[0].class.exit_code(), 2);
    assert_eq!(refusals(&plan.findings), [": several releases could be meant by `simdrop`: v1, v2"]);
}

#[test]
fn what_never_applied_needs_no_rollback_statement() {
    let files = project(&[("v1", &["a add:?A;B rollback_add:!-A"])]);
    let mut world = World::new("");
    let begun = world.plan(&files, "add v1");
    world.kept.ledger.format = Some(crate::ledger::Format::CURRENT);
    for entry in &cut(&begun, &world.kept.ledger, crate::model::Dialect::Sqlite)[0].unit.opens {
        world.kept.apply(entry, "ann@ops", Time(0));
    }
    let mut facts = world.facts();
    let open = open(&facts);
    assert!(matches!(&open[0].action, Action::Sql { text, .. } if text == "A"));
    facts.verdicts.insert((open[0].id.clone(), Phase::Add), crate::ledger::Verdict::Not);
    assert_eq!(tasks(&plan(&files, &facts, &world.guards, &request("rollback_add v1"))), ["(rollback_add v1/a)"]);
    facts.verdicts.insert((open[0].id.clone(), Phase::Add), crate::ledger::Verdict::Unknown);
    assert_eq!(tasks(&plan(&files, &facts, &world.guards, &request("rollback_add v1"))), ["rollback_add v1/a"]);
}

#[test]
fn f6_a_hook_with_a_rollback_alone_runs_it() {
    let files = project(&[("v1", &["@before rollback_add:H", "a add:A rollback_add:-A"])]);
    let mut world = World::new("");
    world.run(&files, "ff");
    assert_eq!(tasks(&world.run(&files, "rollback_add v1")), ["rollback_add v1/@before", "rollback_add v1/a"]);
}

#[test]
fn c_a_command_without_a_version_is_held_to_the_release_it_meant() {
    let mut world = World::new("require_previous: added");
    for text in ["add", "ff +1"] {
        let first = world.plan(&two(), text);
        assert_eq!(first.tasks[0].id.release, super::fixture::v("v1"));
        let held = request(text).held_to(&first);
        let mut later = World::new("require_previous: added");
        later.run(&two(), "ff v1");
        assert_eq!(tasks(&plan(&two(), &later.facts(), &later.guards, &held)), [""; 0], "{text}");
    }
    world.run(&two(), "add v1");
}

#[test]
fn l2_a_resume_leaves_the_stored_rollback_alone() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    if let Some(row) = world.kept.ledger.steps.get_mut(&super::fixture::id("v1", "a")) {
        let add = &mut row.phases[Phase::Add.index()];
        (add.state, add.upto) = (crate::model::PhaseState::Failed, 1);
    }
    assert!(world.plan(&files, "add v1").tasks.iter().all(|task| task.keep.is_empty()));
}
