//! What is half done, and what of the files can't be read: labels, `check`, and a person's word.

use super::{
    fixture::{handler, id, project, refusals, v},
    guards::World,
};
use crate::{
    ledger::Verdict::{Applied, Unknown},
    model::{Dialect, Label, Verb},
    plan::{About, Repair, Scope, check, leave_unmade, repair},
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

/// The answers that the ledger alone gives for a rollback, once `units` of an add are done.
fn spared(dialect: Dialect, add: &str, back: &str, units: usize) -> Vec<(u32, crate::ledger::Verdict)> {
    // The fixture splits at blanks.
    let step = format!("a add:{} rollback_add:{}", add.replace(' ', "\t"), back.replace(' ', "\t"));
    let files = project(&[("v1", &[step.as_str()])]);
    let mut world = World::new("");
    world.apply(&files, "add v1", units);
    let mut plan = world.plan(&files, "rollback_add v1");
    leave_unmade(&world.facts(), &mut plan, dialect);
    let asked: Vec<_> = plan.tasks[0].asked.iter().map(|(index, verdict)| (*index, *verdict)).collect();
    assert_eq!(plan.warnings.len(), asked.iter().filter(|(_, verdict)| *verdict == Applied).count());
    asked
}

#[test]
fn l4_a_rollback_leaves_alone_what_its_step_never_made() {
    const ADD: &str = "!CREATE TABLE a (id int);!CREATE TABLE b (id int);!CREATE INDEX i ON b (id)";
    const BACK: &str = "!DROP INDEX i ON b;!DROP TABLE b;!DROP TABLE a";
    let said = |units| spared(Dialect::Mariadb, ADD, BACK, units);
    assert_eq!(said(1), [(0, Applied), (1, Applied)]);
    assert_eq!(said(2), [(0, Applied)]);
    assert_eq!(said(3), [], "it ran to its end");
    for (dialect, add, back, expected) in [
        // What takes its own away too, or was perhaps made by what can't be read, is a person's question.
        (
            Dialect::Mariadb,
            "!CREATE TABLE a (id int);!CREATE TABLE b (id int)",
            "!DROP TABLE b, a",
            &[(0, Unknown)][..],
        ),
        (Dialect::Mariadb, "!CALL makes();!CREATE TABLE b (id int)", "!DROP TABLE b", &[(0, Unknown)]),
        // A name that an earlier statement gave is the step's own, as is one that the rollback does not take away.
        (Dialect::Mariadb, "!RENAME TABLE t TO b;!CREATE TABLE b (id int)", "!DROP TABLE b", &[]),
        (Dialect::Mariadb, "!CREATE TABLE a (id int);!CREATE TABLE b (id int)", "!DROP TABLE c", &[]),
        // Columns, and a way back by another name.
        (
            Dialect::Mariadb,
            "!CREATE TABLE a (id int);!ALTER TABLE t ADD COLUMN c int",
            "!ALTER TABLE t DROP c",
            &[(0, Applied)],
        ),
        (Dialect::Mariadb, "!CREATE TABLE a (id int);!RENAME TABLE t TO u", "!RENAME TABLE u TO t", &[(0, Applied)]),
        // Indexes are a schema's, and names are quoted otherwise.
        (
            Dialect::Postgres,
            "!CREATE TABLE a (id int);!CREATE INDEX CONCURRENTLY i ON t (c)",
            "!DROP INDEX CONCURRENTLY s.i",
            &[(0, Applied)],
        ),
        (
            Dialect::Sqlite,
            "!CREATE TABLE a (id int);!CREATE TABLE \"b\" (id int)",
            "!DROP TABLE IF EXISTS b",
            &[(0, Applied)],
        ),
    ] {
        assert_eq!(spared(dialect, add, back, 1), expected, "{add}: {back}");
    }
}
