//! What a release's own hooks did counts for its guards as a step's does (G4–G6).

use super::{
    fixture::{project, tasks},
    guards::World,
};

#[test]
fn g4_what_a_hook_has_hidden_stands_in_the_way_of_every_steps_rollback_add() {
    for hook in ["@before", "@after"] {
        let hooked = format!("{hook} simdrop:H rollback_simdrop:-H");
        let step = "a add:A rollback_add:-A";
        let files = project(&[("v1", &[hooked.as_str(), step])]);
        let mut world = World::new("");
        // The hook came into the file once the release was added: its add was never passed.
        world.run(&project(&[("v1", &[step])]), "add v1");
        world.run(&files, "simdrop v1");
        let said = format!(
            "G4: cannot rollback_add step `v1/{hook}`: it is simdropped; the old application would find neither old nor new"
        );
        for text in ["rollback_add v1", "rollback_add v1/a", "rollback_add"] {
            assert_eq!(world.refused(&files, text), [said.as_str()], "{text}");
        }
        assert_eq!(
            world.refused(&files, "rollback_add v1/a --cascade"),
            [said.as_str()],
            "the hook is not of that step"
        );
        let cascaded = tasks(&world.plan(&files, "rollback_add v1 --cascade"));
        assert!(cascaded.contains(&format!("rollback_simdrop v1/{hook}")), "{cascaded:?}");
        world.run(&files, "rollback_simdrop v1");
        assert_eq!(tasks(&world.plan(&files, "rollback_add v1/a")), ["rollback_add v1/a"]);
    }
}

#[test]
fn g5_a_hook_that_dropped_is_final_and_one_of_a_later_release_builds_on_it() {
    let step = "a add:A rollback_add:-A";
    let files = project(&[("v1", &["@after drop:H", step])]);
    let mut world = World::new("");
    world.run(&files, "ff v1");
    for text in ["rollback_add v1", "rollback_add v1/a"] {
        assert_eq!(
            world.refused(&files, text),
            ["G5: cannot rollback_add release `v1`: step `v1/@after` is dropped, and a drop has no way back"]
        );
    }
    let files = project(&[("v1", &[step]), ("v2", &["@before add:H", "b drop:B"])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    world.run(&files, "add v2");
    assert_eq!(
        world.refused(&files, "rollback_add v1"),
        ["G5: cannot rollback_add release `v1`: later release `v2` is there (step `v2/@before` is added)"]
    );
}

#[test]
fn g6_a_hooks_simdrop_soaks_and_needs_the_rollout() {
    let files = project(&[("v1", &["@after simdrop:H drop:I", "a add:A"])]);
    let mut world = World::new("min_simdrop_age: 7d\nrequire_rollout: true");
    world.run(&files, "add v1");
    assert_eq!(
        world.refused(&files, "simdrop v1"),
        ["G6: cannot simdrop release `v1`: nobody has said that it is rolled out (`require_rollout: true`)"]
    );
    let said = crate::model::Rollout { who: "ann@ops".into(), at: world.kept.ledger.now };
    world.kept.ledger.rollouts.insert(super::fixture::v("v1"), said);
    world.run(&files, "simdrop v1");
    let said = world.refused(&files, "drop v1");
    assert!(said[0].starts_with("G6: cannot drop release `v1` yet: it was simdropped at"), "{said:?}");
}
