//! What is read and committed without the list of a table's files.

use super::{
    super::{
        commit::{self, Put},
        head::Told as _,
        trouble::Trouble,
    },
    act, overtaken,
};
use crate::{
    engine::delta::{acts, lake::Lake},
    ops::{Act, Does, Edit},
};
use std::path::Path;

async fn set(lake: &Lake, txn: i64, key: &str, value: &str) {
    let edits = vec![Edit::SetProperty { key: key.to_owned(), value: value.to_owned() }];
    act(lake, txn, Act::new("t", Does::Commit { checks: vec![], edits })).await.unwrap();
}

fn log(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("t/_delta_log")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A table whose list of files can't even be read takes a commit of metadata, and its evidence counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_metadata_takes_no_list_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = overtaken(folder.path()).await;
    let place = lake.place("t").unwrap();
    let damaged = r#"{"add":{"path":"x","partitionValues":{},"size":"many","modificationTime":0,"dataChange":true}}"#;
    std::fs::write(folder.path().join(format!("t/_delta_log/{:020}.json", 2)), damaged).unwrap();
    assert!(lake.open(&place).await.is_err(), "the list of files is read with the table: this shows nothing");
    set(&lake, 7, "my.key", "v").await;
    let head = lake.head(&place).await.unwrap().unwrap();
    assert_eq!(head.version(), 3);
    assert_eq!(acts::state(&head).unwrap().properties["my.key"], "v");
    assert_eq!(head.txn("triphase/v1/s").await.unwrap(), Some(7));
    assert_eq!(head.txn("triphase/v1/nobody").await.unwrap(), None);
    // Run again, it is there already.
    set(&lake, 7, "my.key", "other").await;
    assert_eq!(lake.head(&place).await.unwrap().unwrap().version(), 3);
}

/// Both ways of reading say the same, and both ways of committing write the same.
#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_the_whole_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = overtaken(folder.path()).await;
    let place = lake.place("t").unwrap();
    let put = Put { txns: vec![("app".to_owned(), 5)], ..Put::own("TRIPHASE SET PROPERTIES", "r1") };
    let head = lake.head(&place).await.unwrap().unwrap();
    commit::put_metadata(&head, vec![], &put).await.unwrap();
    let whole = lake.open(&place).await.unwrap().unwrap();
    commit::put(&whole, vec![], &put).await.unwrap();
    let written = |version: u64| {
        let text = std::fs::read_to_string(folder.path().join(format!("t/_delta_log/{version:020}.json"))).unwrap();
        let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let info = lines[0]["commitInfo"].as_object_mut().unwrap();
        assert_eq!(info.remove("readVersion").unwrap(), version - 1);
        assert!(info.remove("timestamp").unwrap().is_i64());
        lines
    };
    assert_eq!(written(2), written(3));
    let (head, whole) = (lake.head(&place).await.unwrap().unwrap(), lake.open(&place).await.unwrap().unwrap());
    assert_eq!(acts::state(&head).unwrap(), acts::state(&whole).unwrap());
    assert_eq!((head.txn("app").await.unwrap(), whole.txn("app").await.unwrap()), (Some(5), Some(5)));
}

/// It is a compare-and-swap on the version that was read.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_overtaken_is_not_committed_on() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = overtaken(folder.path()).await;
    let place = lake.place("t").unwrap();
    let stale = lake.head(&place).await.unwrap().unwrap();
    set(&lake, 2, "my.key", "v").await;
    let before = log(folder.path());
    let tried = commit::put_metadata(&stale, vec![], &Put::own("TRIPHASE FENCE", "r1")).await;
    assert!(matches!(tried, Err(Trouble::Moved)), "{tried:?}");
    assert_eq!(log(folder.path()), before);
}

/// A table gets its checkpoints all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_written_where_the_table_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, _) = overtaken(folder.path()).await;
    set(&lake, 2, "delta.checkpointInterval", "2").await;
    assert!(!log(folder.path()).iter().any(|name| name.contains("checkpoint")));
    set(&lake, 3, "my.key", "v").await;
    assert!(log(folder.path()).contains(&format!("{:020}.checkpoint.parquet", 3)), "{:?}", log(folder.path()));
    let whole = lake.open(&lake.place("t").unwrap()).await.unwrap().unwrap();
    assert_eq!(acts::sized(&whole).unwrap().files, 1);
}
