//! Declarative operations through whole runs: read from a file, derived from a table, kept, carried out, taken back.

use super::{command, say, states};
use crate::{
    action::Action,
    engine::fake::Fake,
    event::{End, Outcome},
    model::{Class, Dialect, Guards, Label, StepId, Verb, Version},
    ops::{DataType, Field, Protocol, TableState, Writer},
    plan::{About, Scope},
    release::{self, Files, Project},
};
use std::collections::BTreeMap;

pub(super) fn project(releases: &[(&str, &str)]) -> Project {
    let texts: BTreeMap<String, std::sync::Arc<str>> =
        releases.iter().map(|(version, text)| (format!("releases/{version}.yaml"), (*text).into())).collect();
    let files = Files { entries: texts.keys().cloned().collect(), texts, unread: BTreeMap::new(), ..Files::default() };
    let project = release::project(&files, Dialect::Delta);
    assert!(project.findings.is_empty(), "{:?}", project.findings);
    project
}

fn sales() -> TableState {
    let field = |name, data_type| Field::new(name, DataType::parse(data_type).unwrap());
    let mut state = TableState {
        fields: vec![field("id", "long"), field("amount", "string"), field("note", "string")],
        protocol: Protocol::legacy(1, 2),
        ..TableState::default()
    };
    state = crate::ops::apply(&crate::ops::Edit::UpgradeColumnMapping, &state).unwrap();
    state
}

pub(super) fn lake() -> Fake {
    let fake = Fake::new(false);
    let mut state = fake.state();
    state.lake.tables.insert("sales".into(), sales());
    state.lake.writers = Some([Writer::Spark].into());
    drop(state);
    fake
}

async fn runs(fake: &Fake, project: &Project, text: &str) -> Outcome {
    command(fake, &Guards::default(), project, text).await
}

async fn done(fake: &Fake, project: &Project, text: &str) {
    let outcome = runs(fake, project, text).await;
    assert!(matches!(outcome.end, End::Done), "{text}: {:?}", outcome.end);
}

fn columns(fake: &Fake) -> Vec<String> {
    fake.state().lake.tables["sales"].fields.iter().map(|field| field.name.clone()).collect()
}

fn refused(outcome: Outcome) -> (Class, &'static str, String) {
    let End::Refused(findings) = outcome.end else { panic!("{:?}", outcome.end) };
    (findings[0].class, findings[0].rule, findings[0].message.clone())
}

const CHANGE: &str =
    "steps:\n  amount:\n    change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}\n";

#[tokio::test]
async fn an_operation_goes_through_all_its_handlers() {
    let (fake, project) = (lake(), project(&[("v1", CHANGE)]));
    let before = sales();
    done(&fake, &project, "add v1").await;
    assert_eq!(columns(&fake).len(), 4);
    done(&fake, &project, "rollback_add v1").await;
    assert_eq!(fake.state().lake.tables["sales"].fields, before.fields);
    done(&fake, &project, "add v1").await;
    done(&fake, &project, "simdrop v1").await;
    assert_eq!(&columns(&fake)[..3], ["id", "amount", "note"]);
    assert_eq!(fake.state().lake.tables["sales"].field("amount").unwrap().data_type.to_string(), "long");
    done(&fake, &project, "rollback_simdrop v1").await;
    assert_eq!(fake.state().lake.tables["sales"].field("amount").unwrap().data_type.to_string(), "string");
    done(&fake, &project, "simdrop v1").await;
    done(&fake, &project, "drop v1").await;
    assert_eq!(columns(&fake), ["id", "amount", "note"]);
}

/// O4: all five handlers are kept with the version that derived them when `add` starts; a run without files goes by them.
#[tokio::test]
async fn what_was_derived_is_kept() {
    let (fake, with) = (lake(), project(&[("v1", CHANGE)]));
    done(&fake, &with, "add v1").await;
    let kept = fake.state().kept.stored.values().next().unwrap().clone();
    assert_eq!(kept.keys().copied().collect::<Vec<_>>(), Verb::ALL);
    let sums: std::collections::BTreeSet<_> = kept.values().map(|handler| handler.checksum.as_str()).collect();
    assert_eq!(sums.len(), 1);
    let Action::Operation { by, step, verb, number, .. } = &kept[&Verb::Simdrop].actions[1] else { panic!() };
    assert_eq!((by.as_str(), verb, number), (env!("CARGO_PKG_VERSION"), &Verb::Simdrop, &2));
    assert_eq!(*step, StepId::new(Version::parse("v1").unwrap(), "amount"));
    // The table changes under it: what was derived stays.
    fake.state().lake.tables.get_mut("sales").unwrap().files = 99;
    done(&fake, &with, "simdrop v1").await;
    assert_eq!(fake.state().kept.stored.values().next().unwrap(), &kept);
    done(&fake, &Project::default(), "rollback_simdrop v1").await;
    done(&fake, &Project::default(), "rollback_add v1").await;
    assert_eq!(columns(&fake), ["id", "amount", "note"]);
}

#[tokio::test]
async fn an_edit_after_add_is_drift_in_every_phase() {
    let fake = lake();
    done(&fake, &project(&[("v1", CHANGE)]), "add v1").await;
    let spaces = CHANGE.replace("CAST(amount AS string)", "'CAST( amount  AS string ) -- back'");
    done(&fake, &project(&[("v1", &spaces)]), "add v1").await;
    let edited = project(&[("v1", &CHANGE.replace("type: long", "type: double"))]);
    for command in ["add v1", "simdrop v1", "drop v1", "ff"] {
        let (class, rule, message) = refused(runs(&fake, &edited, command).await);
        assert_eq!((class, rule), (Class::Drift, "O4"), "{command}");
        assert_eq!(message, "the operation of step `v1/amount` was edited after its add had run");
    }
    let accept = About::Accept { step: Scope::Step(Version::parse("v1").unwrap(), "amount".into()) };
    assert!(matches!(say(&fake, &edited, accept).await.end, End::Done));
    done(&fake, &edited, "simdrop v1").await;
}

#[tokio::test]
async fn an_edit_before_anything_has_run_is_free() {
    let drop = |column: &str| {
        project(&[("v1", &format!("steps: {{a: {{drop_column: {{table: sales, column: {column}}}}}}}"))])
    };
    let fake = lake();
    done(&fake, &drop("note"), "add v1").await;
    done(&fake, &drop("amount"), "simdrop v1").await;
    assert_eq!(&columns(&fake)[..2], ["id", "note"]);
    assert_eq!(refused(runs(&fake, &drop("id"), "drop v1").await).0, Class::Drift);
    done(&fake, &drop("amount"), "drop v1").await;
    assert_eq!(columns(&fake), ["id", "note"]);
}

/// O12: what an earlier step of the same run makes counts as there; what is not there refuses before anything runs.
#[tokio::test]
async fn a_step_is_derived_from_what_earlier_steps_will_make() {
    let fake = lake();
    let v1 = "steps:\n  a: {create_table: {table: t, columns: [{name: a, type: long}]}}\n  b: {add_column: {table: t, column: b, type: long, up: a + 1}}\n  \
              c: {drop_column: {table: sales, column: note}}\n";
    let v2 = "steps:\n  d: {rename_column: {table: t, column: b, to: c}}\n  e: {add_column: {table: sales, column: note, type: date}}\n";
    done(&fake, &project(&[("v1", v1), ("v2", v2)]), "ff").await;
    let names: Vec<_> = fake.state().lake.tables["t"].fields.iter().map(|field| field.name.clone()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(columns(&fake), ["id", "amount", "note"]);

    let fake = lake();
    let lost = "steps:\n  a: {set_comment: {table: sales, comment: x}}\n  b: {drop_column: {table: gone, column: a}}\n  c: {drop_column: {table: sales, column: nix}}\n";
    let End::Refused(findings) = runs(&fake, &project(&[("v1", lost)]), "add v1").await.end else { panic!() };
    let said: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(said, ["step `v1/b`: there is no table `gone`", "step `v1/c`: table `sales` has no column `nix`"]);
    assert!(states(&fake).is_empty() && fake.state().log.is_empty());
}

/// O10: `--yes` is no answer to a loss, `--accept-loss` is.
#[tokio::test]
async fn a_lossy_way_back_asks_for_accept_loss() {
    let (fake, project) = (lake(), project(&[("v1", &CHANGE.replace(", down: CAST(amount AS string)", ""))]));
    done(&fake, &project, "add v1").await;
    done(&fake, &project, "simdrop v1").await;
    for command in ["rollback_simdrop v1", "rollback_add v1 --cascade"] {
        let (class, rule, _) = refused(runs(&fake, &project, command).await);
        assert_eq!((class, rule), (Class::Guard, "O10"));
    }
    done(&fake, &project, "rollback_simdrop v1 --accept-loss").await;
    done(&fake, &project, "rollback_add v1").await;
    assert_eq!(columns(&fake), ["id", "amount", "note"]);
}

/// D8: what has no way back is asked about on every target, and its rollback refused by name.
#[tokio::test]
async fn the_upgrade_of_column_mapping_has_no_way_back() {
    let fake = lake();
    fake.state()
        .lake
        .tables
        .insert("old".into(), TableState { protocol: Protocol::legacy(1, 2), ..TableState::default() });
    let project = project(&[("v1", "steps: {a: {upgrade_column_mapping: {table: old}}}")]);
    let target = crate::plan::tests::fixture::target(Guards::default());
    let no = |_: &crate::engine::Where, _: &super::Asked<'_>| Ok(false);
    let context = super::Context { confirm: &no, ..super::with(&fake, &target) };
    let outcome = super::run(&context, &project, &crate::plan::tests::fixture::request("add v1")).await;
    assert!(matches!(outcome.end, End::Declined));
    done(&fake, &project, "add v1").await;
    assert!(fake.state().lake.tables["old"].mapped());
    let (_, rule, message) = refused(runs(&fake, &project, "rollback_add v1").await);
    assert_eq!(
        (rule, message.as_str()),
        ("G5", "cannot rollback_add step `v1/a`: there is no way back from its operation")
    );
}

#[tokio::test]
async fn a_release_of_operations_ends_finished() {
    let text = "steps:\n  a: {add_column: {table: sales, column: b, type: long}}\n  b: {backfill: {table: sales, set: {b: id}}}\n  \
                c: {repartition: {table: sales, partition_by: [note]}}\n  d: {set_not_null: {table: sales, column: id}}\n";
    let (fake, project) = (lake(), project(&[("v1", text)]));
    done(&fake, &project, "ff").await;
    let log = fake.state().log.clone();
    let outcome = runs(&fake, &project, "ff").await;
    assert!(outcome.done.is_empty() && fake.state().log == log);
    assert_eq!(fake.state().lake.tables["sales"].partition_by, ["note"]);
    let backfill = fake.state().kept.stored[&StepId::new(Version::parse("v1").unwrap(), "b")].clone();
    assert_eq!(backfill[&Verb::RollbackAdd].label, Label::Lossy);
}
