//! Opening and reading: no file is made, a log is read, a killed writer's file too; what can't be opened is named.

use super::{
    super::{
        super::{Access, Driver as _, Failure, testing::step},
        Sqlite, connect,
    },
    begun, me, open, run_script, schema, target,
};
use crate::ledger::Format;
use pretty_assertions::assert_eq;
use std::{path::Path, sync::Arc};

#[tokio::test]
async fn reading_makes_no_file_and_says_so_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = Sqlite.open(&target(&file), Access::Read).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    assert!(session.stored(&[step("a")]).await.unwrap().is_empty());
    assert!(session.evict(&me("r"), false).await.unwrap().starts_with("nobody"));
    assert_eq!(session.place().database, "t.db");
    assert!(session.place().engine.starts_with("SQLite 3."));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn reading_a_file_with_a_log_leaves_no_file_and_sees_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    run_script(&file, "PRAGMA journal_mode = wal; CREATE TABLE a (x);").unwrap();
    let before = files();
    let reader = Sqlite.open(&target(&file), Access::Read).await.unwrap();
    assert_eq!(reader.ledger().await.unwrap().format, None);
    assert_eq!(files(), before);
    let session = open(&file).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    assert_eq!(reader.ledger().await.unwrap().format, Some(Format::CURRENT));
    hold.release().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_writer_left_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (live, dead) = (folder.path().join("live.db"), folder.path().join("dead.db"));
    run_script(&live, "CREATE TABLE a (x);").unwrap();
    let settings = connect::Settings::of(&target(&live)).unwrap();
    let mut writer =
        connect::Link::new(settings.connect(connect::Mode::Write).await.unwrap(), Arc::default()).await.unwrap();
    // A cache of one page: the transaction's pages reach the file before it commits.
    connect::execute(&mut writer.connection, "PRAGMA cache_size = 1").await.unwrap();
    writer.begin("SELECT 1").await.unwrap();
    let much = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                INSERT INTO a SELECT zeroblob(1000) FROM n";
    connect::execute(&mut writer.connection, much).await.unwrap();
    connect::execute(&mut writer.connection, "CREATE TABLE b (x)").await.unwrap();
    std::fs::copy(&live, &dead).unwrap();
    std::fs::copy(live.with_extension("db-journal"), dead.with_extension("db-journal")).unwrap();
    writer.rollback().await;
    assert!(std::fs::metadata(&dead).unwrap().len() > 100_000);
    let session = Sqlite.open(&target(&dead), Access::Read).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert_eq!(schema(&dead).await, ["CREATE TABLE a (x)"]);
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let say = async |file: &Path| match Sqlite.open(&target(file), Access::Write).await {
        Err(Failure::Access(why)) => format!("{why:#}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("opened {}", file.display()),
    };
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, however long its only line may be; it is made of words").unwrap();
    assert!(say(&text).await.contains("is no SQLite database"));
    assert!(say(folder.path()).await.contains("is a folder"));
    assert!(say(&folder.path().join("no/t.db")).await.contains("/no does not exist"));
    let mut outside = target(Path::new("/nowhere/dev.db"));
    outside.project = folder.path().to_owned();
    let said = Sqlite.open(&outside, Access::Write).await.err().unwrap().to_string();
    assert!(said.ends_with("write sqlite://nowhere/dev.db"), "{said}");
}
