//! What a unit leaves, what it may not, and what is set back after it; traffic in its way, and a stop.

use super::{
    super::{
        super::{
            Failure, Stop,
            testing::{expect, lone, sql, step},
        },
        connect,
    },
    begun, entry, me, once, open, schema, target, unit,
};
use crate::{
    action::Action,
    ledger::{PhaseRow, Unit, Verdict},
    model::{Phase, PhaseState},
};
use pretty_assertions::assert_eq;
use std::sync::Arc;

fn why(failure: &Failure) -> String {
    assert!(matches!(failure, Failure::Handler { .. }), "{failure:?}");
    failure.to_string()
}

#[tokio::test]
async fn a_failing_statement_leaves_nothing() {
    let (done, ledger, schema) = once(vec![sql("CREATE TABLE a (x)"), sql("CREATE TABLE a (x)")]).await;
    let failed = done.unwrap_err();
    assert!(matches!(failed, Failure::Handler { at: 1, .. }), "{failed:?}");
    assert_eq!(failed.to_string(), "table a already exists");
    assert!(ledger.steps.is_empty() && schema.is_empty());
}

#[tokio::test]
async fn expect_wants_one_true_value() {
    for query in ["SELECT 1", "SELECT 2 > 1", "SELECT -0.5 -- yes"] {
        once(vec![expect(query)]).await.0.unwrap();
    }
    for (query, found) in [
        ("SELECT 0", "0"),
        ("SELECT NULL", "NULL"),
        ("SELECT 'true'", "the text \"true\""),
        ("SELECT 1 WHERE 0", "no row"),
        ("SELECT 1 UNION ALL SELECT 1", "2 rows"),
        ("SELECT 1, 1", "2 columns"),
    ] {
        let failed = once(vec![expect(query)]).await.0.unwrap_err();
        assert_eq!(
            why(&failed),
            format!("expected one row with one value, true or not zero; found {found}"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn foreign_keys_are_switched_outside_and_checked() {
    let make = [
        sql("CREATE TABLE parent (id integer PRIMARY KEY)"),
        sql("CREATE TABLE child (parent integer REFERENCES parent)"),
    ];
    let bad = sql("INSERT INTO child VALUES (5)");
    let with = |first: &str| [vec![sql(first)], make.to_vec(), vec![bad.clone()]].concat();
    once([make.to_vec(), vec![bad.clone()]].concat()).await.0.unwrap();
    let failed = once(with("PRAGMA foreign_keys=OFF")).await;
    assert!(why(&failed.0.unwrap_err()).contains("`child` rowid 1 has no parent in `parent`"));
    assert!(failed.2.is_empty());
    let failed = once(with("PRAGMA foreign_keys = ON")).await.0.unwrap_err();
    assert_eq!(why(&failed), "FOREIGN KEY constraint failed");
}

#[tokio::test]
async fn no_setting_leaks_into_the_next_handler() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(&folder.path().join("t.db")).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    hold.commit(&unit("a", vec![lone("PRAGMA foreign_keys = ON")]), &Stop::never()).await.unwrap();
    hold.commit(&unit("b", vec![sql("PRAGMA ignore_check_constraints = ON")]), &Stop::never()).await.unwrap();
    let asks = [
        expect("SELECT foreign_keys = 0 FROM pragma_foreign_keys"),
        expect("SELECT ignore_check_constraints = 0 FROM pragma_ignore_check_constraints"),
    ];
    hold.commit(&unit("c", asks.to_vec()), &Stop::never()).await.unwrap();
    hold.release().await.unwrap();
}

#[tokio::test]
async fn a_lone_statement_runs_between_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(&folder.path().join("t.db")).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    let running = PhaseRow { state: PhaseState::Running, trying: Some(0), ..PhaseRow::pending() };
    let opens = vec![entry("a", running.clone())];
    let vacuum = Unit { opens: opens.clone(), ..unit("a", vec![lone("VACUUM")]) };
    hold.commit(&vacuum, &Stop::never()).await.unwrap();
    assert_eq!(session.ledger().await.unwrap().steps[&step("a")].phase(Phase::Add).state, PhaseState::Done);
    let failing = Unit { opens, ..unit("a", vec![lone("INSERT INTO nowhere VALUES (1)")]) };
    let failed = hold.commit(&failing, &Stop::never()).await.unwrap_err();
    assert_eq!(why(&failed), "no such table: nowhere");
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.steps[&step("a")].phase(Phase::Add).trying, Some(0));
    assert_eq!(session.ask(&lone("VACUUM")).await.unwrap(), Verdict::Not);
    assert_eq!(session.ask(&lone("INSERT INTO x VALUES (1)")).await.unwrap(), Verdict::Unknown);
    let asked = Action::Sql { text: "x".into(), alone: true, done_when: Some("SELECT 1".into()) };
    assert_eq!(session.ask(&asked).await.unwrap(), Verdict::Applied);
    hold.release().await.unwrap();
}

#[tokio::test]
async fn traffic_is_busy_and_a_stop_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let session = open(&file).await;
    let me = me("r1");
    let hold = begun(session.as_ref(), &me).await;
    let settings = connect::Settings::of(&target(&file)).unwrap();
    let mut traffic =
        connect::Link::new(settings.connect(connect::Mode::Write).await.unwrap(), Arc::default()).await.unwrap();
    traffic.begin("SELECT 1").await.unwrap();
    let failed = hold.commit(&unit("a", vec![sql("CREATE TABLE a (x)")]), &Stop::never()).await.unwrap_err();
    assert!(matches!(failed, Failure::Busy(_)), "{failed:?}");
    traffic.rollback().await;

    let (pull, stop) = Stop::new();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let endless = unit("a", vec![sql("CREATE TABLE a (x)"), sql(endless)]);
    let (done, ()) = tokio::join!(hold.commit(&endless, &stop), async {
        tokio::task::yield_now().await;
        pull.send(Some(2)).unwrap();
    });
    assert!(matches!(done, Err(Failure::Stopped)), "{done:?}");
    assert!(schema(&file).await.is_empty());
    hold.commit(&unit("a", vec![sql("CREATE TABLE a (x)")]), &Stop::never()).await.unwrap();
}
