//! What happens beside a run, staged without a second process: a dead run that goes on, an answer that is lost, an append.

use super::{
    super::{
        acts::{Run, over},
        evidence::Evidence,
        lake::Lake,
        session::LakeSession,
        trouble::Trouble,
    },
    act, me, step, target,
};
use crate::{
    engine::{Access, Failure, Me, Session as _, Stop},
    ledger::Begin,
    model::Verb,
    ops::{Act, Does, TableState},
    sql,
};
use std::{collections::BTreeSet, path::Path, time::Duration};

/// X2: on a lake without a ledger too, who takes over writes first, and whoever is late finds that.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_run_does_not_begin_a_ledger_behind_its_successor() {
    let folder = tempfile::tempdir().unwrap();
    let target = target(folder.path());
    let begin = Begin { create: true, guards: None };
    let (first, second) = (me(), Me { run: "r2".into(), ..me() });
    let dead = LakeSession::open(&target, Access::Write).await.unwrap();
    let late = dead.try_lock(&first).await.unwrap().map_err(|_| ()).unwrap();
    assert!(dead.ledger().await.unwrap().format.is_none());
    let alive = LakeSession::open(&target, Access::Write).await.unwrap();
    alive.evict(&second, true).await.unwrap();
    let hold = alive.try_lock(&second).await.unwrap().map_err(|_| ()).unwrap();
    let seen = alive.ledger().await.unwrap();
    assert_eq!(seen.run.as_ref().map(|run| run.run.as_str()), Some("r2"), "it has written before it plans");
    let refused = late.begin(&begin).await;
    assert!(matches!(refused, Err(Failure::Lost(_) | Failure::Fenced(_))), "{refused:?}");
    hold.begin(&Begin { create: seen.format.is_none(), guards: None }).await.unwrap();
}

fn table() -> TableState {
    let text = r#"{"fields":[{"name":"v","type":"long","nullable":true,"metadata":{}},
        {"name":"kind","type":"string","nullable":true,"metadata":{}}],"partition_by":["kind"],"properties":{},
        "protocol":{"minReaderVersion":1,"minWriterVersion":2},"comment":null,"files":0,"bytes":0,"rows":0}"#;
    serde_json::from_str(text).unwrap()
}

async fn with_table(folder: &Path) -> Lake {
    let lake = Lake::of(&target(folder)).unwrap();
    act(&lake, 7, Act::new("t", Does::Create { state: Box::new(table()) })).await.unwrap();
    lake
}

/// A store's client that lost the answer sends a table's first version again, and hears that it is there: it is the run's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_there_may_be_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let lake = with_table(folder.path()).await;
    let place = lake.place("t").unwrap();
    let stop = Stop::never();
    for (txn, ours) in [(7, true), (8, false)] {
        let evidence = Evidence::new(&step("s"), Verb::Add, 0, txn, &me(), 1);
        let run = Run { lake: &lake, evidence: &evidence, patience: Duration::ZERO, stop: &stop };
        let made = run.made(&place, "t", Err(Trouble::Moved)).await;
        assert_eq!(made.is_ok(), ours, "{made:?}");
        assert!(ours || matches!(made, Err(Failure::Handler { .. })));
    }
}

/// After a lost race only the files that came since are read: they are found whatever their folders are called.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_again_by_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    let lake = with_table(folder.path()).await;
    let kinds = ["New York", "a:b", "50%", "Zürich", "a+b&c=d", "what?#"];
    for (txn, kind) in (10..).zip(kinds) {
        let dml = sql::lake::read(&format!("INSERT INTO t VALUES (1, '{kind}')")).unwrap();
        let evidence = Evidence::new(&step("other"), Verb::Add, 0, txn, &me(), 1);
        super::super::dml::run(&lake, &dml, &evidence, Duration::from_secs(5), &Stop::never()).await.unwrap();
    }
    let table = lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap();
    let files: Vec<String> = table.snapshot().unwrap().log_data().iter().map(|file| file.path().into_owned()).collect();
    assert_eq!(files.len(), kinds.len());
    for file in files {
        let only = BTreeSet::from([file.clone()]);
        let rows = over(&table, Some(&only), "SELECT v FROM t").await.unwrap().collect().await;
        assert_eq!(rows.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "{file}");
    }
}
