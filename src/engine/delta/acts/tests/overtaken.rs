//! Others commit first, again and again: what an act has looked at stays looked at.

use super::*;
use crate::ops::Check;

fn edits(key: &str) -> Vec<Edit> {
    vec![Edit::SetProperty { key: key.to_owned(), value: "1".to_owned() }]
}

fn choose(rows: &str) -> Does {
    let (checks, rows, told) = (vec![], rows.to_owned(), "some do".to_owned());
    Does::Choose { checks, rows, none: edits("my.none"), some: edits("my.some"), told }
}

fn commit(check: Check) -> Does {
    Does::Commit { checks: vec![check], edits: edits("my.checked") }
}

fn unique() -> Check {
    Check::Unique { columns: vec!["id".to_owned()], refusal: "ids are not unique".to_owned() }
}

fn no_rows(rows: &str) -> Check {
    Check::NoRows { rows: rows.to_owned(), refusal: "some are".to_owned() }
}

/// One try at the newest version.
async fn attempt(lake: &Lake, act: &Act, looked: &mut Looked, before_it_commits: Option<&str>) -> Result<(), Trouble> {
    let (evidence, stop) = (evidence("s", 1 << 40), Stop::never());
    let run = Run { lake, evidence: &evidence, patience: Duration::from_secs(30), stop: &stop };
    let seen = table(lake).await;
    looked.at(&crate::engine::delta::acts::state(&seen).unwrap());
    // What it looks at is the version before.
    if let Some(text) = before_it_commits {
        statement(lake, text).await;
    }
    run.once(&lake.place("t").unwrap(), &seen, act, looked).await.unwrap()
}

/// Whatever the act looks for: k lost races cost a look at k new files, and not k looks at the table.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_overtaken_looks_only_at_what_is_new() {
    let filled = Check::Filled { set: columns("id * 2"), rows: "(`v` IS DISTINCT FROM (id * 2))".to_owned() };
    for does in [
        choose("id < 0"),
        choose("id > 0"),
        commit(no_rows("id < 0")),
        commit(filled),
        commit(unique()),
        Does::Rewrite { checks: vec![], edits: vec![], columns: columns("id * 3") },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lake = lake(folder.path());
        made(&lake, &[]).await;
        for id in 1..=4 {
            statement(&lake, &format!("INSERT INTO t VALUES ({id}, {})", id * 2)).await;
        }
        let (act, mut looked) = (Act::new("t", does), Looked::default());
        for id in 11..=15 {
            let insert = format!("INSERT INTO t VALUES ({id}, {})", id * 2);
            let tried = attempt(&lake, &act, &mut looked, Some(&insert)).await;
            assert!(matches!(tried, Err(Trouble::Moved)), "{act:?}: {tried:?}");
            assert_eq!(looked.now(), if id == 11 { 4 } else { 1 }, "{act:?} at {id}");
        }
        let tried = attempt(&lake, &act, &mut looked, None).await;
        assert!(tried.is_ok(), "{act:?}: {tried:?}");
        assert_eq!(looked.ever(), 4 + 5, "{act:?}");
        holds(&lake, "SELECT count(*) = 9 FROM t").await;
    }
}

/// Rows that meet the condition come, change and go between the tries: the count is that of the version that the commit follows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_is_right_for_the_version_that_the_commit_follows() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2, 3]).await;
    let mut looked = Looked::default();
    for (text, met) in [
        ("UPDATE t SET v = 2 WHERE id = 1", 3),
        ("DELETE FROM t WHERE id = 2", 2),
        ("INSERT INTO t VALUES (4, NULL)", 1),
        ("UPDATE t SET v = 6 WHERE id = 3", 2),
        ("DELETE FROM t WHERE id = 4", 1),
    ] {
        let seen = table(&lake).await;
        assert_eq!(looked.count(&seen, "`v` IS NULL").await.unwrap(), met, "before {text}");
        statement(&lake, text).await;
    }
    let seen = table(&lake).await;
    assert_eq!(looked.count(&seen, "`v` IS NULL").await.unwrap(), 0);
    for (id, key) in [(0, "my.none"), (5, "my.some")] {
        if id > 0 {
            statement(&lake, &format!("INSERT INTO t VALUES ({id}, NULL)")).await;
        }
        act(&lake, 100 + id, choose("`v` IS NULL")).await.unwrap();
        assert!(crate::engine::delta::acts::state(&table(&lake).await).unwrap().properties.contains_key(key), "{key}");
    }
}

/// What was seen to hold does not hide what comes later.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_between_two_tries_is_looked_at() {
    for (check, row, says) in [
        (unique(), "(2, 0)", "ids are not unique: 2 rows"),
        (unique(), "(NULL, 0)", "ids are not unique: 1 row"),
        (no_rows("v = 7"), "(9, 7)", "some are: 1 row"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lake = lake(folder.path());
        made(&lake, &[1, 2, 3]).await;
        let (act, mut looked) = (Act::new("t", commit(check)), Looked::default());
        let insert = format!("INSERT INTO t VALUES {row}");
        let tried = attempt(&lake, &act, &mut looked, Some(&insert)).await;
        assert!(matches!(tried, Err(Trouble::Moved)), "{tried:?}");
        let tried = attempt(&lake, &act, &mut looked, None).await;
        assert!(matches!(&tried, Err(Trouble::Refused(why)) if why.to_string().starts_with(says)), "{says}: {tried:?}");
    }
}

/// A condition is over columns: where somebody changes those, what was seen says nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_under_other_columns_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let mut looked = Looked::default();
    for edit in [None, Some(Edit::SetNullable { name: "id".to_owned(), nullable: false })] {
        if let Some(edit) = edit {
            act(&lake, 50, Does::Commit { checks: vec![], edits: vec![edit] }).await.unwrap();
        }
        let seen = table(&lake).await;
        looked.at(&crate::engine::delta::acts::state(&seen).unwrap());
        assert_eq!(looked.count(&seen, "id > 0").await.unwrap(), 2);
        assert_eq!(looked.now(), 2);
    }
}

/// A writer whose every row wants a value: what was there is filled, and the act ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_ends_though_rows_that_want_it_come_without_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2, 3, 4]).await;
    let (stop, stopped) = Stop::new();
    let writer = tokio::spawn(appending(lake.clone(), stopped, i64::MAX, |_| None));
    let (evidence, never) = (evidence("s", 1 << 40), Stop::never());
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::from_secs(3), stop: &never };
    let ended = run.act(&Act::new("t", backfill(None))).await;
    stop.send(Some(2)).unwrap();
    writer.await.unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    holds(&lake, "SELECT count(*) = 4 FROM t WHERE id < 100 AND v = id * 2").await;
}

/// Who fills what wants it has lost to nobody: the act goes on, though it may not lose once.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_filled_first_are_no_lost_race() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    made(&lake, &[1, 2]).await;
    let filled = Check::Filled { set: columns("id * 2"), rows: "(`v` IS DISTINCT FROM (id * 2))".to_owned() };
    let (evidence, never) = (evidence("s", 1 << 40), Stop::never());
    let run = Run { lake: &lake, evidence: &evidence, patience: Duration::ZERO, stop: &never };
    run.act(&Act::new("t", commit(filled))).await.unwrap();
    holds(&lake, "SELECT count(*) = 2 FROM t WHERE v = id * 2").await;
}
