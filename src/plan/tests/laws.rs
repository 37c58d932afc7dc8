//! What holds of every plan, over random projects and commands.

use super::{
    fixture::{project, tasks},
    guards::World,
};
use crate::{
    model::{Verb, Way},
    plan::{Cut, Plan, cut},
    release::Project,
};
use proptest::prelude::*;

/// A step's phases, each a list of statements: shared, alone, alone with `done_when`.
type Shape = Vec<Vec<[Vec<u8>; 3]>>;

fn shape() -> impl Strategy<Value = Shape> {
    let handler = || prop::collection::vec(0..3_u8, 0..3);
    let step = [handler(), handler(), handler()];
    prop::collection::vec(prop::collection::vec(step, 1..4), 1..4)
}

fn files(shape: &Shape) -> Project {
    let mut names = 0;
    let mut list = |kinds: &Vec<u8>, sign: &str| {
        let one = |kind: &u8| {
            names += 1;
            format!("{}{sign}s{names}", ["", "!", "?"][usize::from(*kind)])
        };
        kinds.iter().map(one).collect::<Vec<_>>().join(";")
    };
    let releases: Vec<(String, Vec<String>)> = shape
        .iter()
        .enumerate()
        .map(|(r, steps)| {
            let step = |(s, phases): (usize, &[Vec<u8>; 3])| {
                let mut text = format!("s{s}");
                for (phase, kinds) in ["add", "simdrop", "drop"].iter().zip(phases) {
                    text += &format!(" {phase}:{}", list(kinds, ""));
                    if *phase != "drop" && !kinds.is_empty() {
                        text += &format!(" rollback_{phase}:{}", list(kinds, "-"));
                    }
                }
                text
            };
            (format!("v{}", r + 1), steps.iter().enumerate().map(step).collect())
        })
        .collect();
    let borrowed: Vec<(&str, Vec<&str>)> =
        releases.iter().map(|(v, steps)| (v.as_str(), steps.iter().map(String::as_str).collect())).collect();
    let borrowed: Vec<(&str, &[&str])> = borrowed.iter().map(|(v, steps)| (*v, steps.as_slice())).collect();
    project(&borrowed)
}

/// Every statement that a list of units sends.
fn sent(cuts: &[Cut]) -> Vec<String> {
    cuts.iter().flat_map(|cut| &cut.unit.actions).map(crate::action::Action::text).collect()
}

fn working(plan: &Plan) -> Vec<String> {
    tasks(plan).into_iter().filter(|task| !task.starts_with('(')).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_success_the_same_plan_is_empty_and_all_is_done(shape in shape()) {
        let files = files(&shape);
        let mut world = World::new("");
        let planned = world.run(&files, "ff");
        prop_assert!(cut(&world.plan(&files, "ff"), &world.kept.ledger, crate::model::Dialect::Sqlite).is_empty());
        let closed = crate::plan::cut::closes(&cut(&planned, &Default::default(), crate::model::Dialect::Sqlite));
        prop_assert_eq!(closed.len(), planned.tasks.len());
        prop_assert!(closed.values().all(|state| *state == crate::model::PhaseState::Done));
    }

    #[test]
    fn cut_after_any_unit_planning_again_gives_the_rest(shape in shape()) {
        let files = files(&shape);
        let whole = cut(&World::new("").plan(&files, "ff"), &Default::default(), crate::model::Dialect::Sqlite);
        for units in 0..=whole.len() {
            let mut world = World::new("");
            world.apply(&files, "ff", units);
            let rest = cut(&world.plan(&files, "ff"), &world.kept.ledger, crate::model::Dialect::Sqlite);
            prop_assert_eq!(sent(&rest), sent(&whole[units..]), "after {} units", units);
        }
    }

    #[test]
    fn a_rollback_cut_after_any_unit_goes_on_with_the_rest(shape in shape()) {
        let files = files(&shape);
        let last = format!("rollback_add v{} --cascade", shape.len());
        let ready = || {
            let mut world = World::new("require_previous: added");
            for r in 1..=shape.len() {
                world.run(&files, &format!("add v{r}"));
                world.run(&files, &format!("simdrop v{r}"));
            }
            world
        };
        let world = ready();
        let whole = cut(&world.plan(&files, &last), &world.kept.ledger, crate::model::Dialect::Sqlite);
        for units in 0..=whole.len() {
            let mut world = ready();
            world.apply(&files, &last, units);
            let rest = world.plan(&files, &last);
            prop_assert!(rest.tasks.iter().all(|task| !task.ask_each), "a step that was whole is asked nothing");
            prop_assert_eq!(sent(&cut(&rest, &world.kept.ledger, crate::model::Dialect::Sqlite)), sent(&whole[units..]), "after {} units", units);
        }
    }

    #[test]
    fn a_rollback_mirrors_what_ran_and_needs_no_files(shape in shape()) {
        let files = files(&shape);
        let mut world = World::new("require_previous: added");
        let mut ran = Vec::new();
        for r in 1..=shape.len() {
            for verb in ["add", "simdrop"] {
                ran.push(working(&world.run(&files, &format!("{verb} v{r}"))));
            }
        }
        for r in (1..=shape.len()).rev() {
            let text = format!("rollback_add v{r} --cascade");
            let mut mirror: Vec<_> = ran[2 * r - 2..2 * r].concat();
            mirror.reverse();
            let mirror: Vec<_> = mirror.into_iter().map(|task| format!("rollback_{task}")).collect();
            let without = world.plan(&Project::default(), &text);
            let with = world.run(&files, &text);
            prop_assert_eq!(&with.tasks, &without.tasks);
            let hidden = working(&with).iter().any(|task| task.starts_with("rollback_simdrop"));
            prop_assert_eq!(hidden, mirror.iter().any(|task| task.starts_with("rollback_simdrop")));
            prop_assert_eq!(working(&with), mirror);
        }
    }

    #[test]
    fn a_drop_that_ran_is_final_and_refusals_come_first(
        shape in shape(),
        commands in prop::collection::vec((0..8_usize, 1..4_usize), 1..20),
    ) {
        const WORDS: [&str; 8] =
            ["add v", "simdrop v", "drop v", "rollback_simdrop v", "rollback_add v", "rollback_add --cascade v", "ff v", "add --out-of-order v"];
        let files = files(&shape);
        let mut world = World::new("require_previous: added");
        for (word, release) in commands {
            let text = format!("{}{release}", WORDS[word]);
            let planned = world.plan(&files, &text);
            if planned.findings.is_empty() {
                let dropped = |task: &crate::plan::Task| {
                    world.kept.ledger.steps.get(&task.id).is_some_and(|row| row.phases[2].really())
                };
                prop_assert!(!planned.tasks.iter().any(|task| task.verb.way() == Way::Back && dropped(task)));
                prop_assert!(!planned.tasks.iter().any(|task| task.verb == Verb::Drop && dropped(task)), "dropped once");
                world.run(&files, &text);
            } else {
                prop_assert!(planned.tasks.is_empty() && planned.waits.is_empty());
            }
        }
    }
}
