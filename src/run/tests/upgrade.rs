//! `repair upgrade-ledger` on a real file: from a major that never was, which `engine::rows` knows in tests alone.

use super::fixture::{guards, handler, project, request};
use crate::{
    engine::{Driver as _, Me, Stop, Where, sqlite::Sqlite},
    event::End,
    ledger::{Ledger, Unit},
    plan::{About, Repair},
    run::{Asked, Context, ledger, repair, run},
    target::{Connection, Target},
};
use std::time::Duration;

fn file(folder: &std::path::Path) -> Target {
    let database = folder.join("app.db").display().to_string();
    let connection = Connection { scheme: "sqlite".into(), database, ..Connection::default() };
    Target { connection, ..super::fixture::target(guards("protected: true")) }
}

/// Sends a statement past triphase's rules.
async fn by_hand(target: &Target, text: &str) {
    let session = Sqlite.open(target, crate::engine::Access::Write).await.unwrap();
    let me = me();
    let hold = session.try_lock(&me).await.unwrap().unwrap();
    hold.begin(&Default::default()).await.unwrap();
    let actions = handler(text).actions;
    hold.commit(&Unit { actions, ..Unit::default() }, &Stop::never()).await.unwrap();
    hold.release().await.unwrap();
}

fn me() -> Me {
    Me { run: "run".into(), who: "ann@ops".into(), host: "ops".into(), pid: 1, command: "repair".into() }
}

#[tokio::test]
async fn an_old_ledger_is_read_refused_and_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    let target = file(folder.path());
    let files = project(&[("v1", &["a add:VALUES(1) drop:VALUES(2)"])]);
    let yes = |_: &Where, _: &Asked<'_>| Ok(true);
    let no = |_: &Where, _: &Asked<'_>| Ok(false);
    let tell = |_| {};
    let context = Context {
        target: &target,
        driver: &Sqlite,
        me: me(),
        wait_lock: Duration::ZERO,
        stop: Stop::never(),
        tell: &tell,
        confirm: &yes,
    };
    let word = Repair { about: About::UpgradeLedger, reason: "all are new".into() };
    assert_eq!(run(&context, &files, &request("add v1")).await.end, End::Done);
    assert_eq!(repair(&context, &files, &word).await.notes, ["the ledger's format is already 1.0; nothing to do"]);
    by_hand(&target, "UPDATE triphase_meta SET value = '0.9' WHERE key = 'format'").await;
    assert_eq!(read(&target).await.steps.len(), 1, "an old ledger is read");
    let refused = |end: &End| match end {
        End::Refused(findings) | End::Undecided(findings) => findings[0].rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&run(&context, &files, &request("simdrop v1")).await.end), "L8");
    let between = repair(&context, &files, &word).await;
    assert_eq!((refused(&between.end), between.exit_code()), ("L8", 7), "v1 lies between add and drop");

    by_hand(&target, "UPDATE triphase_meta SET value = '1.0' WHERE key = 'format'").await;
    for text in ["simdrop v1", "drop v1"] {
        assert_eq!(run(&context, &files, &request(text)).await.end, End::Done);
    }
    by_hand(&target, "UPDATE triphase_meta SET value = '0.9' WHERE key = 'format'").await;
    let declined = Context { confirm: &no, ..context.clone() };
    assert_eq!(repair(&declined, &files, &word).await.end, End::Declined);
    assert_eq!(read(&target).await.format.map(|f| f.major), Some(0));
    let done = repair(&context, &files, &word).await;
    assert_eq!(done.end, End::Done);
    assert!(done.notes[0].contains("no triphase before 0.1.0 works on it"), "{:?}", done.notes);
    assert_eq!(read(&target).await.format.map(|f| f.to_string()).as_deref(), Some("1.0"));
    let session = Sqlite.open(&target, crate::engine::Access::Read).await.unwrap();
    let last = &session.history(1).await.unwrap()[0];
    assert_eq!((last.verb.as_str(), last.detail.as_deref()), ("repair upgrade-ledger", Some("all are new")));
    assert_eq!(run(&context, &files, &request("ff")).await.end, End::Done);
}

async fn read(target: &Target) -> Ledger {
    ledger(target, &Sqlite).await.unwrap().1.ledger
}
