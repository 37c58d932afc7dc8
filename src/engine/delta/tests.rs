//! What can be shown without the binary: the ledger's fold, and commits on a version that others have overtaken.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod beside;
mod head;
mod places;
mod spoilt;

use super::{
    acts::{self, Run},
    change::{Change, Fold},
    evidence::Evidence,
    journal::Row,
    lake::Lake,
};
use crate::{
    action::{Action, Checksum, Handler},
    engine::{Failure, Me, Stop},
    ledger::{Entry, Event, Outcome, PhaseRow, apply::Kept},
    model::{Guards, Label, Phase, PhaseState, StepId, Time, Verb, Version},
    ops::{Act, Check, Does, Edit},
    sql,
    target::Target,
};
use std::{collections::BTreeMap, path::Path, time::Duration};

fn target(folder: &Path) -> Target {
    let mut target = crate::target::fixture(Guards::default());
    target.connection.scheme = "delta".to_owned();
    target.connection.database = folder.display().to_string();
    target
}

fn me() -> Me {
    Me { run: "r1".into(), who: "ann@ops".into(), host: "ops".into(), pid: 1, command: "ff".into() }
}

fn step(name: &str) -> StepId {
    StepId::new(Version::parse("v1").unwrap(), name)
}

fn event() -> Event {
    Event {
        release: None,
        step: None,
        verb: "add".into(),
        statement: None,
        hash: None,
        outcome: Outcome::Done,
        detail: None,
    }
}

/// Every entry means to a lake what it means to `ledger::apply`.
#[test]
fn the_fold_of_events_is_the_plain_ledger() {
    let handler = Handler {
        checksum: Checksum::of(["x"]),
        label: Label::None,
        actions: vec![Action::Expect { query: "SELECT 1".into() }],
    };
    let row = |state| PhaseRow { state, seq: 3, ..PhaseRow::pending() };
    let entries = [
        Entry::Step {
            id: step("a"),
            name: "a".into(),
            phase: Phase::Add,
            row: row(PhaseState::Done),
            marks: vec![(Phase::Drop, PhaseRow { empty: true, ..PhaseRow::pending() })],
            keep: BTreeMap::from([(Verb::RollbackAdd, handler.clone())]),
            event: event(),
        },
        Entry::Keep { id: step("a"), handlers: BTreeMap::from([(Verb::Add, handler)]), event: event() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: true, event: event() },
        Entry::Rename { from: step("a"), to: step("b"), name: "b".into(), event: event() },
        Entry::Step {
            id: step("c"),
            name: "c".into(),
            phase: Phase::Simdrop,
            row: row(PhaseState::Failed),
            marks: vec![],
            keep: BTreeMap::new(),
            event: event(),
        },
        Entry::Replace { id: step("c"), row: None, event: event() },
        Entry::Rollout { release: Version::parse("v1").unwrap(), said: false, event: event() },
    ];
    let (mut fold, mut plain) = (Fold::default(), Kept::default());
    for (id, entry) in (1..).zip(&entries) {
        let event = Row { id, at: Time(id), who: "ann@ops".into(), ..Row::default() };
        fold.apply(&Change::of(entry).json(), &event).unwrap();
        plain.apply(entry, "ann@ops", Time(id));
        assert_eq!(fold.ledger.steps, plain.ledger.steps, "{entry:?}");
        assert_eq!(fold.ledger.rollouts, plain.ledger.rollouts);
        assert_eq!(fold.stored(&[step("a"), step("b"), step("c")]).unwrap(), {
            let mut stored = plain.stored.clone();
            stored.retain(|_, handlers| !handlers.is_empty());
            let mut expected = stored.clone();
            // A step without handlers is known all the same.
            for (id, handlers) in &plain.stored {
                expected.insert(id.clone(), handlers.clone());
            }
            expected
        });
    }
}

/// A table `t` with a column `v`, and a handle on its first version, which an append has overtaken.
async fn overtaken(folder: &Path) -> (Lake, deltalake::DeltaTable) {
    let lake = Lake::of(&target(folder)).unwrap();
    let text = r#"{"fields":[{"name":"v","type":"long","nullable":true,"metadata":{}}],"partition_by":[],"properties":{},
        "protocol":{"minReaderVersion":1,"minWriterVersion":2},"comment":null,"files":0,"bytes":0,"rows":0}"#;
    let state = Box::new(serde_json::from_str(text).unwrap());
    act(&lake, 1, Act::new("t", Does::Create { state })).await.unwrap();
    let stale = lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap();
    let dml = sql::lake::read("INSERT INTO t VALUES (-5)").unwrap();
    let evidence = Evidence::new(&step("other"), Verb::Add, 0, 1, &me(), 1);
    super::dml::run(&lake, &dml, &evidence, Duration::from_secs(5), &Stop::never()).await.unwrap();
    (lake, stale)
}

async fn act(lake: &Lake, txn: i64, act: Act) -> Result<(), Failure> {
    let evidence = Evidence::new(&step("s"), Verb::Add, 0, txn, &me(), 1);
    let stop = Stop::never();
    Run { lake, evidence: &evidence, patience: Duration::from_secs(5), stop: &stop }.act(&act).await
}

fn constraint() -> (Vec<Check>, Vec<Edit>) {
    let check = Check::NoRows { rows: "NOT (v > 0)".into(), refusal: "rows violate it".into() };
    (vec![check], vec![Edit::AddConstraint { name: "pos".into(), check: "v > 0".into() }])
}

/// H1 of the research: a constraint on a version that was overtaken is not committed, and not after the race either.
#[tokio::test(flavor = "multi_thread")]
async fn h1_a_constraint_on_an_overtaken_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, stale) = overtaken(folder.path()).await;
    let (checks, edits) = constraint();
    let evidence = Evidence::new(&step("s"), Verb::Add, 0, 2, &me(), 1);
    let stop = Stop::never();
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::from_secs(5), stop: &stop };
    let tried = run.try_commit(&stale, &checks, &edits).await;
    assert!(matches!(tried, Err(super::trouble::Trouble::Moved)), "{tried:?}");
    let refused = act(&lake, 2, Act::new("t", Does::Commit { checks, edits })).await;
    assert!(
        matches!(&refused, Err(Failure::Handler { why, .. }) if why.to_string().contains("1 row: {v: -5}")),
        "{refused:?}"
    );
    let table = lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap();
    assert!(acts::state(&table).unwrap().properties.is_empty());
}

/// H2 of the research: files written anew from a version that was overtaken are not adopted; the next try has all rows.
#[tokio::test(flavor = "multi_thread")]
async fn h2_a_rewrite_of_an_overtaken_version_is_not_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, stale) = overtaken(folder.path()).await;
    let columns = indexmap::IndexMap::from([("v".to_owned(), "v * 2".to_owned())]);
    let evidence = Evidence::new(&step("s"), Verb::Add, 0, 2, &me(), 1);
    let stop = Stop::never();
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::from_secs(5), stop: &stop };
    let tried = run.try_rewrite(&stale, &columns).await;
    assert!(matches!(tried, Err(super::trouble::Trouble::Moved)), "{tried:?}");
    act(&lake, 2, Act::new("t", Does::Rewrite { checks: vec![], edits: vec![], columns })).await.unwrap();
    assert!(super::query::truth(&lake, "SELECT count(*) = 1 AND min(v) = -10 FROM t").await.unwrap().is_ok());
}

/// X2: a run that another has taken over from commits nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_run_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, table) = overtaken(folder.path()).await;
    drop(table);
    let current = lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap();
    let fence = super::commit::Put {
        txns: vec![(super::evidence::FENCE.to_owned(), 2)],
        ..super::commit::Put::own("TRIPHASE FENCE", "r2")
    };
    super::commit::put(&current, vec![], &fence).await.unwrap();
    let edits = vec![Edit::SetProperty { key: "my.key".into(), value: "v".into() }];
    let fenced = act(&lake, 2, Act::new("t", Does::Commit { checks: vec![], edits })).await;
    assert!(matches!(fenced, Err(Failure::Fenced(_))), "{fenced:?}");
}

/// D6: a store is asked for put-if-absent, and nothing of the question stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_probed_before_the_first_write() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::of(&target(folder.path())).unwrap();
    let now = lake.probe("r1").await.unwrap();
    assert!(super::lake::host_clock().since(now) < Duration::from_secs(600));
    let left = std::fs::read_dir(folder.path().join("_triphase/lease")).unwrap().count();
    assert_eq!(left, 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    let nowhere = Lake::of(&target(&file.path().join("lake"))).unwrap();
    assert!(matches!(nowhere.probe("r1").await, Err(Failure::Access(_))));
}
