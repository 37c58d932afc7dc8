//! What is half done, and what of the files can't be read: labels, `check`, and a person's word.

use super::{
    fixture::{handler, id, project, refusals, v},
    guards::World,
};
use crate::{
    model::{Label, Verb},
    plan::{About, Repair, Scope, check, repair},
};

const HALF: &str = "a add:!A;B;!C rollback_add:-A";

#[test]
fn l2_what_is_applied_in_part_has_the_way_back_that_is_kept() {
    let files = project(&[("v1", &[HALF])]);
    let mut world = World::new("");
    world.apply(&files, "add v1", 2);
    assert_eq!(world.plan(&files, "add v1").tasks[0].label, Label::Lossy);
    let wanted = crate::plan::wants(&files, &world.kept.ledger, &super::fixture::request("add v1"));
    assert_eq!(wanted.stored, [id("v1", "a")], "its text is read for that");
}

#[test]
fn l6_check_finds_what_a_resume_refuses() {
    let mut world = World::new("");
    world.apply(&project(&[("v1", &[HALF])]), "add v1", 2);
    let said = |text: &str, what: &str| {
        let edited = project(&[("v1", &[text])]);
        let found = check(&edited, &world.facts());
        assert_eq!(found.iter().map(|f| f.class.exit_code()).min_by_key(|code| *code != 6), Some(6));
        assert_eq!(refusals(&found)[0], format!("L6: cannot resume add of step `v1/a`: statement {what}"));
        assert_eq!(world.refused(&edited, "add v1"), [refusals(&found)[0].clone()]);
    };
    said("a add:!A;other;!C", "2, which is done, was edited since");
    said("a add:!A", "2, which is done, was taken out since");
    assert!(check(&project(&[("v1", &["a add:!A;B;!other"])]), &world.facts()).iter().all(|f| f.rule != "L6"));
}

#[test]
fn l6_changed_vars_are_not_called_an_edit() {
    let mut world = World::new("");
    world.apply(&project(&[("v1", &[HALF])]), "add v1", 2);
    let mut files = project(&[("v1", &["a add:!other;B;!C"])]);
    let source = handler("!A;B;!C").checksum;
    if let Some(add) = files.releases[0].steps[0].handlers.get_mut(&Verb::Add) {
        add.checksum = source;
    }
    assert_eq!(
        world.refused(&files, "add v1"),
        [
            "L6: cannot resume add of step `v1/a`: statement 1, which is done, reads otherwise since the target's `vars` were changed"
        ]
    );
}

#[test]
fn l7_no_drift_follows_from_a_file_that_can_not_be_read() {
    let mut world = World::new("");
    world.run(&project(&[("v1", &["a add:A simdrop:B", "b add:X"])]), "add v1");
    let mut files = project(&[("v1", &["a simdrop:B"])]);
    files.findings.push(crate::model::Finding::new(crate::model::Class::Usage, "F7", "`name` is not in `vars`"));
    files.unsound.insert(v("v1"));
    assert_eq!(refusals(&check(&files, &world.facts())), ["F7: `name` is not in `vars`"]);
    let about = About::Accept { step: Scope::Step(v("v1"), "a".into()) };
    let plan = repair(&files, &world.kept.ledger, &Repair { about, reason: "so".into() });
    assert_eq!(
        refusals(&plan.findings),
        [": the file of release `v1` is not valid: what its handlers are is not known"]
    );
    let advice = crate::plan::advice(&files, &world.facts(), &world.guards);
    assert_eq!(advice, "mend the release files: triphase check");
}

#[test]
fn l2_only_a_rollback_is_replaced_and_by_something() {
    let files = project(&[("v1", &["a add:A rollback_add:-A"])]);
    let mut world = World::new("");
    world.run(&files, "add v1");
    let said = |verb, texts: &str| {
        let about = About::Handler { step: Scope::Step(v("v1"), "a".into()), verb, handler: handler(texts) };
        repair(&files, &world.kept.ledger, &Repair { about, reason: "so".into() })
    };
    assert_eq!(
        refusals(&said(Verb::RollbackAdd, "").findings),
        [": the file has no statement: a rollback_add of step `v1/a` by it would take nothing back"]
    );
    for verb in [Verb::Add, Verb::Simdrop, Verb::Drop] {
        let plan = said(verb, "X");
        assert_eq!((plan.findings.len(), plan.entries.len()), (1, 0), "{verb}");
    }
    let replaced = said(Verb::RollbackAdd, "X");
    assert_eq!(replaced.notes, ["the stored rollback_add handler of step `v1/a` is replaced (1 statement)"]);
}

#[test]
fn check_refuses_a_folder_without_releases() {
    let found = check(&project(&[]), &World::new("").facts());
    assert_eq!(refusals(&found), ["F1: no releases found in releases/"]);
}
