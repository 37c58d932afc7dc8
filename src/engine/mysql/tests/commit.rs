//! What a unit leaves: rows with their ledger row, a statement that stands alone between its rows; and a stop.

use super::{
    super::super::{
        Failure, Stop,
        testing::{AGAIN, CREATE, DETAIL, alone, entry, expect, failed, had, lone, me, sql, state, unit, until},
    },
    fresh, one, open,
};
use crate::{
    action::Action,
    ledger::{Unit, Verdict},
    model::PhaseState,
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn rows_and_their_ledger_row_commit_together() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.one("CREATE TABLE t (a integer PRIMARY KEY, b varchar(3))").await.unwrap();
    for (actions, index, says) in [
        (vec![sql("INSERT INTO t VALUES (1, '')"), sql("INSERT INTO t VALUES (1, '')")], 1, "1062"),
        (vec![sql("INSERT INTO t VALUES (2, '')"), sql("INSERT INTO t VALUES (3, 'too long')")], 1, "1406"),
        (vec![sql("INSERT INTO t VALUES (4, '')"), expect("SELECT 0")], 1, "found 0"),
        (vec![expect("SELECT '1'")], 0, "found 1"),
        (vec![expect("SELECT 1 UNION SELECT 2")], 0, "2 rows"),
        (vec![sql("SELEKT 1")], 0, "1064"),
    ] {
        let failure = failed(hold.commit(&unit(actions.clone()), &Stop::never()).await);
        let Failure::Handler { at, why } = failure else { panic!("{actions:?}: {failure}") };
        assert_eq!(at, index, "{actions:?}");
        assert!(format!("{why:#}").contains(says), "{why:#}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM triphase_ledger").await, "0");
    // Whatever a handler sets, the ledger's rows are written as meant.
    let actions = vec![
        sql("SET NAMES latin1"),
        sql("SET sql_mode = 'PIPES_AS_CONCAT'"),
        sql("INSERT INTO t VALUES (5, '\u{e9}')"),
        expect("SELECT count(*) = 1 FROM t"),
    ];
    hold.commit(&unit(actions), &Stop::never()).await.unwrap();
    assert_eq!(session.history(1).await.unwrap()[0].detail.as_deref(), Some(DETAIL));
    // And what it has set still holds for its next statement, and for no other handler.
    let setup = vec!["SET NAMES latin1".to_owned(), "SET sql_mode = 'PIPES_AS_CONCAT'".to_owned()];
    let goes_on = Unit { setup, ..unit(vec![expect("SELECT @@sql_mode = 'PIPES_AS_CONCAT'")]) };
    hold.commit(&goes_on, &Stop::never()).await.unwrap();
    let next = unit(vec![expect("SELECT @@sql_mode LIKE '%STRICT%'")]);
    hold.commit(&next, &Stop::never()).await.unwrap();
    // In a session of its own, it is set again.
    hold.release().await.unwrap();
    let hold = had(session.try_lock(&me).await);
    hold.begin(&AGAIN).await.unwrap();
    hold.commit(&goes_on, &Stop::never()).await.unwrap();
}

#[tokio::test]
async fn a_lone_statement_runs_between_its_rows() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let failure = failed(hold.commit(&alone("CREATE TABLE t (a nonsense)"), &Stop::never()).await);
    assert!(matches!(failure, Failure::Handler { at: 0, .. }), "{failure}");
    assert_eq!(state(&*session).await, PhaseState::Running);
    let create = "CREATE TABLE t (a integer)";
    assert_eq!(session.ask(&lone(create)).await.unwrap(), Verdict::Not);
    hold.commit(&alone(create), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    assert_eq!(session.ask(&lone(create)).await.unwrap(), Verdict::Applied);
    for (text, verdict) in [
        ("ALTER TABLE t ADD COLUMN b integer", Verdict::Not),
        ("ALTER TABLE t DROP COLUMN b", Verdict::Applied),
        ("ALTER TABLE nowhere DROP COLUMN b", Verdict::Unknown),
        ("ALTER TABLE t MODIFY a bigint", Verdict::Not),
        ("TRUNCATE TABLE t", Verdict::Unknown),
        ("CALL p()", Verdict::Unknown),
        ("SET @a = 1", Verdict::Not),
    ] {
        assert_eq!(session.ask(&lone(text)).await.unwrap(), verdict, "{text}");
    }
    let asked = |query: &str| Action::Sql { text: "CALL p()".into(), alone: true, done_when: Some(query.into()) };
    assert_eq!(session.ask(&asked("SELECT 1")).await.unwrap(), Verdict::Applied);
    assert_eq!(session.ask(&asked("SELECT 0")).await.unwrap(), Verdict::Not);
    assert!(matches!(failed(session.ask(&asked("SELECT nothing")).await), Failure::Handler { .. }));
    assert!(matches!(failed(session.ask(&asked("DELETE FROM t")).await), Failure::Handler { .. }));
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_stop_cancels_the_statement_in_flight() {
    let (target, mut wire) = fresh().await;
    wire.one("CREATE TABLE t (a integer)").await.unwrap();
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    for slow in [
        unit(vec![sql("INSERT INTO t VALUES (1)"), sql("SELECT sleep(600)")]),
        alone("CREATE TABLE slow AS SELECT sleep(600) AS a"),
    ] {
        let (pull, stop) = Stop::new();
        let pulled = async {
            let at_work = format!(
                "SELECT count(*) FROM information_schema.processlist WHERE db = '{}' AND info LIKE '%sleep(600)%' AND id <> connection_id()",
                target.connection.database
            );
            until("the statement", async || one(&mut wire, &at_work).await == "1").await;
            pull.send(Some(15)).unwrap();
        };
        let (done, ()) = tokio::join!(hold.commit(&slow, &stop), pulled);
        assert!(matches!(done, Err(Failure::Stopped)), "{done:?}");
        // What has happened is recorded all the same.
        hold.commit(&Unit { closes: vec![entry("a", PhaseState::Failed)], ..Unit::default() }, &stop).await.unwrap();
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(session.ask(&lone("CREATE TABLE slow (a integer)")).await.unwrap(), Verdict::Not);
}
