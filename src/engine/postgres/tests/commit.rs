//! What a unit leaves: all of it with its row, or nothing; traffic in its way, and a stop.

use super::{
    super::super::{
        Failure, Stop,
        testing::{CREATE, alone, entry, expect, failed, had, lone, me, sql, state, step, unit, until},
    },
    fresh, one, open,
};
use crate::{
    action::Action,
    ledger::{Format, Unit, Verdict},
    model::{Phase, PhaseState, Span},
    target::Target,
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_unit_and_its_row_commit_together() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    assert_eq!(session.ledger().await.unwrap().format, None);
    assert!(session.history(5).await.unwrap().is_empty());
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    let begun = hold.begin(&CREATE).await.unwrap();
    let actions = vec![
        sql("CREATE TABLE t (a int) -- a comment at the end"),
        expect("SELECT count(*) = 0 FROM t"),
        // What the handler sets does not reach the ledger's rows.
        sql("SET search_path = nowhere"),
    ];
    let done = hold.commit(&unit(actions), &Stop::never()).await.unwrap();
    assert!(done > begun);
    hold.release().await.unwrap();
    let ledger = session.ledger().await.unwrap();
    assert_eq!(ledger.format, Some(Format::CURRENT));
    assert_eq!(ledger.run.as_ref().unwrap().run, me.run);
    assert_eq!(ledger.steps[&step("a")].phase(Phase::Add).state, PhaseState::Done);
    assert_eq!(session.history(5).await.unwrap().len(), 1);
    assert!(session.stored(&[step("a")]).await.unwrap().is_empty());
    assert_eq!(one(&mut wire, "SELECT to_regclass('public.t')::text").await, "t");
    assert!(session.place().engine.starts_with("PostgreSQL "));
}

#[tokio::test]
async fn the_statement_that_failed_is_named_and_nothing_stays() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.all("CREATE TABLE p (id int PRIMARY KEY)".to_owned()).await.unwrap();
    let cases: Vec<(Vec<Action>, usize, &str)> = vec![
        (vec![sql("CREATE TABLE t (a int)"), sql("SELECT 1/0")], 1, "22012"),
        // Read before anything runs: told by its position, in characters.
        (vec![sql("CREATE TABLE t (a int)"), sql("SELECT 'é'"), sql("SELEKT 1")], 2, "42601"),
        (vec![sql("SELECT 1"), expect("SELECT false")], 1, "found false"),
        (vec![expect("SELECT true"), sql("SELECT nix")], 1, "42703"),
        (
            vec![
                sql("CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
                sql("INSERT INTO c VALUES (1)"),
            ],
            2,
            "23503",
        ),
    ];
    for (actions, index, says) in cases {
        let failure = failed(hold.commit(&unit(actions.clone()), &Stop::never()).await);
        let Failure::Handler { at, why } = failure else { panic!("{failure}") };
        assert_eq!(at, index, "{actions:?}");
        assert!(format!("{why:#}").contains(says), "{why:#}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*)::text FROM triphase_ledger").await, "0");
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
}

#[tokio::test]
async fn a_concurrent_index_is_built_again_where_an_attempt_left_it_invalid() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)".to_owned()).await.unwrap();
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let text = "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)";
    let failure = failed(hold.commit(&alone(text), &Stop::never()).await);
    assert!(matches!(failure, Failure::Handler { at: 0, .. }), "{failure}");
    assert_eq!(state(&*session).await, PhaseState::Running);
    // Nothing of a failed one stays. What a killed one leaves is found before it is built again.
    assert_eq!(one(&mut wire, "SELECT to_regclass('i')::text").await, "NULL");
    assert!(wire.all(text.to_owned()).await.is_err());
    assert_eq!(one(&mut wire, "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i'::regclass").await, "false");
    assert_eq!(session.ask(&lone(text)).await.unwrap(), Verdict::Not);
    wire.all("DELETE FROM t".to_owned()).await.unwrap();
    hold.commit(&alone(text), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    assert_eq!(session.ask(&lone(text)).await.unwrap(), Verdict::Applied);
    let drop = lone("DROP INDEX CONCURRENTLY i");
    assert_eq!(session.ask(&drop).await.unwrap(), Verdict::Not);
    hold.commit(&alone("DROP INDEX CONCURRENTLY i"), &Stop::never()).await.unwrap();
    assert_eq!(session.ask(&drop).await.unwrap(), Verdict::Applied);
    assert_eq!(session.ask(&lone("VACUUM t")).await.unwrap(), Verdict::Not);
    assert_eq!(session.ask(&lone("CREATE INDEX CONCURRENTLY ON t (a)")).await.unwrap(), Verdict::Unknown);
    let asked = Action::Sql { text: "X".into(), alone: true, done_when: Some("SELECT 1".into()) };
    assert_eq!(session.ask(&asked).await.unwrap(), Verdict::Applied);
}

#[tokio::test]
async fn traffic_in_the_way_is_busy_and_named() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE TABLE t (a int)".to_owned()).await.unwrap();
    wire.all("BEGIN; LOCK TABLE t".to_owned()).await.unwrap();
    let target = Target { lock_timeout: Span::parse("3s").unwrap(), ..target };
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let (unit, stop) = (unit(vec![sql("ALTER TABLE t ADD b int")]), Stop::never());
    let commit = hold.commit(&unit, &stop);
    let watch = async {
        let mut by = Vec::new();
        until("who blocks", async || {
            by = hold.blockers().await.unwrap();
            !by.is_empty()
        })
        .await;
        by
    };
    let (failure, by) = tokio::join!(commit, watch);
    assert!(matches!(failed(failure), Failure::Busy(_)));
    assert!(by[0].contains("LOCK TABLE t"), "{by:?}");
    wire.all("ROLLBACK".to_owned()).await.unwrap();
    hold.commit(&unit, &stop).await.unwrap();
}

#[tokio::test]
async fn a_stop_cancels_the_statement_in_flight() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    let (pull, stop) = Stop::new();
    let unit = unit(vec![sql("CREATE TABLE t (a int)"), sql("SELECT pg_sleep(600)")]);
    let commit = hold.commit(&unit, &stop);
    let pulled = async {
        let at_work = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() \
                       AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%' AND state = 'active'";
        until("the statement", async || one(&mut wire, at_work).await != "0").await;
        pull.send(Some(2)).unwrap();
    };
    let (failure, ()) = tokio::join!(commit, pulled);
    assert!(matches!(failed(failure), Failure::Stopped));
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    hold.commit(&Unit { closes: vec![entry("a", PhaseState::Failed)], ..Unit::default() }, &stop).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Failed);
}
