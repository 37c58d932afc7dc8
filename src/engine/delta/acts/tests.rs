//! Producing, validating and adopting, on tables of a folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod overtaken;

use super::{
    Run, files,
    looked::Looked,
    rewrite,
    stage::{self, Making, Stage},
};
use crate::{
    engine::{
        Doing, Failure, Me, Stop,
        delta::{dml, evidence::Evidence, lake::Lake, query, trouble::Trouble},
    },
    model::{Guards, StepId, Verb, Version},
    ops::{Act, Does, Edit},
    sql,
};
use deltalake::{DeltaTable, kernel::Action, logstore::get_actions};
use indexmap::IndexMap;
use std::{collections::BTreeSet, path::Path, time::Duration};

fn me() -> Me {
    Me { run: "r1".into(), who: "ann@ops".into(), host: "ops".into(), pid: 1, command: "ff".into() }
}

fn evidence(name: &str, txn: i64) -> Evidence {
    Evidence::new(&StepId::new(Version::parse("v1").unwrap(), name), Verb::Add, 0, txn, &me(), 1)
}

fn lake(folder: &Path) -> Lake {
    let mut target = crate::plan::tests::fixture::target(Guards::default());
    target.connection.scheme = "delta".to_owned();
    target.connection.database = folder.display().to_string();
    Lake::of(&target).unwrap()
}

async fn act(lake: &Lake, txn: i64, does: Does) -> Result<(), Failure> {
    let (evidence, stop) = (evidence("s", txn), Stop::never());
    Run { lake, evidence: &evidence, patience: Duration::from_secs(30), stop: &stop }.act(&Act::new("t", does)).await
}

async fn statement(lake: &Lake, text: &str) {
    let dml = sql::lake::read(text).unwrap();
    // Each is a statement of its own: numbers that grow, as those of attempts do.
    let evidence = evidence("other", i64::try_from(table(lake).await.version().unwrap()).unwrap() + 1);
    dml::run(lake, &dml, &evidence, Duration::from_secs(30), &Stop::never()).await.unwrap();
}

async fn table(lake: &Lake) -> DeltaTable {
    lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap()
}

/// A table `t` of ids and values, a file for each of `rows`.
async fn made(lake: &Lake, rows: &[i64]) {
    let text = r#"{"fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"v","type":"long","nullable":true,
        "metadata":{}}],"partition_by":[],"properties":{},"protocol":{"minReaderVersion":1,"minWriterVersion":2},"comment":null,
        "files":0,"bytes":0,"rows":0}"#;
    act(lake, 1, Does::Create { state: Box::new(serde_json::from_str(text).unwrap()) }).await.unwrap();
    for id in rows {
        statement(lake, &format!("INSERT INTO t VALUES ({id}, NULL)")).await;
    }
}

fn columns(text: &str) -> IndexMap<String, String> {
    [("v".to_owned(), text.to_owned())].into()
}

fn backfill(batch: Option<u64>) -> Does {
    Does::Backfill {
        set: columns("id * 2"),
        rows: "(`v` IS DISTINCT FROM (id * 2))".into(),
        batch,
        key: Some("id".into()),
        once: false,
    }
}

async fn holds(lake: &Lake, query: &str) {
    let found = query::truth(lake, query).await.unwrap();
    assert!(found.is_ok(), "{query}: {found:?}");
}

/// The staging folder's files: data, and those of its log.
fn staged(folder: &Path) -> (BTreeSet<String>, usize) {
    let (mut data, mut log) = (BTreeSet::new(), 0);
    let mut folders = vec![folder.join("t").join(stage::FOLDER)];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.components().any(|part| part.as_os_str() == "_delta_log") {
                log += 1;
            } else {
                data.insert(path.strip_prefix(folder.join("t")).unwrap().display().to_string());
            }
        }
    }
    (data, log)
}

/// Appends rows, ids from 101 on, so many at most, until it is told to stop; how many it were.
async fn appending(lake: Lake, stop: Stop, most: i64, value: fn(i64) -> Option<i64>) -> i64 {
    let mut appended = 0;
    while stop.signal().is_none() && appended < most {
        appended += 1;
        let id = 100 + appended;
        let value = value(id).map_or_else(|| "NULL".to_owned(), |value| value.to_string());
        statement(&lake, &format!("INSERT INTO t VALUES ({id}, {value})")).await;
    }
    appended
}

fn live(table: &DeltaTable) -> BTreeSet<String> {
    files::live(table, None).unwrap().into_iter().map(|file| file.path).collect()
}

/// A rewrite of a version that others have overtaken: what it produced is staged, and not adopted.
async fn cut_short(lake: &Lake, stale: &DeltaTable) {
    let (evidence, stop) = (evidence("s", 20), Stop::never());
    let run = Run { lake, evidence: &evidence, patience: Duration::from_secs(30), stop: &stop };
    let tried = rewrite::run(&run, stale, &[], &[], &columns("id * 2"), &mut Looked::default()).await;
    assert!(matches!(tried, Err(Trouble::Moved)), "{tried:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_that_was_cut_short_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let stale = table(&lake).await;
    statement(&lake, "INSERT INTO t VALUES (3, NULL)").await;
    cut_short(&lake, &stale).await;
    let (first, _) = staged(folder.path());
    assert!(!first.is_empty(), "what was produced stays");
    act(&lake, 30, Does::Rewrite { checks: vec![], edits: vec![], columns: columns("id * 2") }).await.unwrap();
    let now = live(&table(&lake).await);
    assert!(first.is_subset(&now), "{first:?} were made for nothing: {now:?}");
    assert_eq!(staged(folder.path()), (now, 0), "nothing else is left, and no log");
    holds(&lake, "SELECT count(*) = 3 AND sum(v) = 12 FROM t").await;
    let progress = lake.meter.read().unwrap();
    assert_eq!((progress.doing, progress.files, progress.of_files, progress.rows), (Doing::Rewrite, 3, 3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_rewrite_left_and_can_not_be_taken_up_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let stale = table(&lake).await;
    statement(&lake, "DELETE FROM t WHERE id = 1").await;
    cut_short(&lake, &stale).await;
    let (first, _) = staged(folder.path());
    // The file of the row that is gone can't be used; nor can the other, for what the act makes is another thing.
    act(&lake, 30, Does::Rewrite { checks: vec![], edits: vec![], columns: columns("id * 3") }).await.unwrap();
    let now = live(&table(&lake).await);
    assert!(first.is_disjoint(&now));
    assert_eq!(staged(folder.path()), (now, 0));
    holds(&lake, "SELECT count(*) = 1 AND sum(v) = 6 FROM t").await;
    // Files that were adopted stay where an older version of the table has them.
    let before = live(&table(&lake).await);
    act(&lake, 40, Does::Rewrite { checks: vec![], edits: vec![], columns: columns("id * 4") }).await.unwrap();
    assert!(
        before.iter().all(|file| folder.path().join("t").join(file).is_file()),
        "time travel is broken: {before:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_all_rows_is_not_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let current = table(&lake).await;
    let state = super::table::state(&current).unwrap();
    let (evidence, stop) = (evidence("s", 20), Stop::never());
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::from_secs(30), stop: &stop };
    // Another producer, that lost a file's rows.
    let sources = files::live(&current, None).unwrap();
    let making = Making::new(&state, &state, &columns("id * 2"));
    let mut stage = Stage::open(&run, &current, &making).await.unwrap();
    stage.keep(&run, &sources, vec![]).await.unwrap();
    let does = Does::Rewrite { checks: vec![], edits: vec![], columns: columns("id * 2") };
    let version = current.version();
    let refused = act(&lake, 30, does).await;
    let says = "2 rows were to be written anew, and 0 were";
    assert!(matches!(&refused, Err(Failure::Handler { why, .. }) if why.to_string().contains(says)), "{refused:?}");
    assert_eq!(table(&lake).await.version(), version);
    holds(&lake, "SELECT count(*) = 2 FROM t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_table_does_not_take_are_not_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let edits = vec![crate::ops::Edit::AddConstraint { name: "small".into(), check: "v IS NULL OR v < 3".into() }];
    act(&lake, 10, Does::Commit { checks: vec![], edits }).await.unwrap();
    let version = table(&lake).await.version();
    let refused = act(&lake, 20, backfill(None)).await;
    assert!(
        matches!(&refused, Err(Failure::Handler { why, .. }) if why.to_string().starts_with("1 row would be written")),
        "{refused:?}"
    );
    assert_eq!(table(&lake).await.version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_file_by_file_in_its_keys_order_and_skips_what_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[3, 1, 2]).await;
    statement(&lake, "INSERT INTO t VALUES (9, 18)").await;
    let before = table(&lake).await;
    let (filled, version) = (live(&before), before.version().unwrap());
    act(&lake, 20, backfill(Some(1))).await.unwrap();
    let after = table(&lake).await;
    // One commit for each of the three files, one for the evidence.
    assert_eq!(after.version(), Some(version + 4));
    holds(&lake, "SELECT count(*) = 4 AND min(v) = 2 AND sum(v) = 30 FROM t").await;
    assert_eq!(filled.intersection(&live(&after)).count(), 1, "the file that was filled is written anew");
    let mut order = vec![];
    for version in version + 1..=version + 3 {
        let bytes = after.log_store().read_commit_entry(version).await.unwrap().unwrap();
        let least = get_actions(version, &bytes).unwrap().into_iter().find_map(|action| match action {
            Action::Add(add) => Some(serde_json::from_str::<serde_json::Value>(&add.stats?).unwrap()),
            Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) | Action::Remove(_) => None,
            Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
        });
        order.push(least.unwrap()["minValues"]["id"].as_i64());
    }
    assert_eq!(order, [Some(1), Some(2), Some(3)], "not in the key's order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_ends_under_steady_appends() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2, 3, 4]).await;
    let (stop, stopped) = Stop::new();
    let writer = tokio::spawn(appending(lake.clone(), stopped, 200, |id| Some(2 * id)));
    act(&lake, 1 << 40, backfill(Some(1))).await.unwrap();
    stop.send(Some(2)).unwrap();
    let appended = writer.await.unwrap();
    holds(&lake, &format!("SELECT count(*) = {} AND count(DISTINCT id) = count(*) FROM t", appended + 4)).await;
    holds(&lake, "SELECT count(*) = 0 FROM t WHERE v IS DISTINCT FROM id * 2").await;
}

/// What nobody has touched since holds its own values, and a row that had none then has none to get: neither file is written anew.
#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_only_to_files_that_have_lost_some() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[4]).await;
    for id in 1..=3 {
        statement(&lake, &format!("INSERT INTO t VALUES ({id}, {})", id * 2)).await;
    }
    let edits = vec![Edit::SetProperty { key: "my.hidden".to_owned(), value: "1".to_owned() }];
    act(&lake, 1 << 20, Does::Commit { checks: vec![], edits }).await.unwrap();
    statement(&lake, "UPDATE t SET v = NULL WHERE id = 2").await;
    statement(&lake, "INSERT INTO t VALUES (9, NULL)").await;
    let before = live(&table(&lake).await);
    let recover = || Does::Recover { column: "v".into(), key: vec!["id".into()], since: Verb::Add };
    act(&lake, 1 << 40, recover()).await.unwrap();
    let after = live(&table(&lake).await);
    assert_eq!(before.difference(&after).count(), 1, "{before:?} {after:?}");
    holds(&lake, "SELECT count(*) = 3 AND count(*) FILTER (WHERE v IS DISTINCT FROM id * 2) = 0 FROM t WHERE id < 4")
        .await;
    holds(&lake, "SELECT count(*) = 2 FROM t WHERE id >= 4 AND v IS NULL").await;
}
