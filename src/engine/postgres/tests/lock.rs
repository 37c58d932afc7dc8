//! The lock: one holder, named; fenced once it is lost; by a lease behind a pooler.

use super::{
    super::{
        super::{
            Failure, Stop,
            testing::{
                AGAIN, CREATE, alone, busy, failed, fresh_name, had, me, sql, state, the_lock_is_one, unit,
                unlock_needs_force, until,
            },
        },
        connect,
        error::Trouble as _,
        lock,
    },
    fresh, one, open, pooled,
};
use crate::{
    model::PhaseState,
    target::{Connection, Secret, Target},
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_run_that_lost_its_lock_writes_nothing() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.all("UPDATE triphase_run SET run_id = 'other'".to_owned()).await.unwrap();
    for unit in [unit(vec![sql("CREATE TABLE t (a int)")]), alone("VACUUM")] {
        let failure = failed(hold.commit(&unit, &Stop::never()).await);
        assert!(matches!(&failure, Failure::Fenced(Some(by)) if by.run == "other"), "{failure}");
    }
    assert_eq!(one(&mut wire, "SELECT to_regclass('t')::text").await, "NULL");
    // And one whose lock session is gone does not begin.
    let held = "FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    wire.all(format!("SELECT pg_terminate_backend(l.pid) {held}")).await.unwrap();
    let count = format!("SELECT count(*)::text {held}");
    until("the lock session's end", async || one(&mut wire, &count).await == "0").await;
    assert!(matches!(failed(hold.begin(&AGAIN).await), Failure::Fenced(_) | Failure::Lost(_)));
}

#[tokio::test]
async fn the_lock_is_one_and_its_holder_is_named() {
    let (target, mut wire) = fresh().await;
    // Another schema has another lock.
    wire.all("CREATE SCHEMA s".to_owned()).await.unwrap();
    let elsewhere = Target { schema: Some("s".into()), ..target.clone() };
    the_lock_is_one(&*open(&target).await, &*open(&target).await, &*open(&elsewhere).await).await;
}

#[tokio::test]
async fn unlock_ends_a_live_holder_only_by_force() {
    let (target, _wire) = fresh().await;
    unlock_needs_force(&*open(&target).await, &*open(&target).await).await;
}

#[tokio::test]
async fn a_dead_runs_statement_is_ended_before_the_lock_is_given() {
    let (target, mut wire) = fresh().await;
    let (a, b) = (me('a'), me('b'));
    let session = open(&target).await;
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    hold.release().await.unwrap();
    // What a killed client leaves: its lock session is gone, its work session still at work.
    let mut work = connect::connect(&target, &lock::name(&a.run)).await.unwrap();
    let left = tokio::spawn(async move { work.all("SELECT pg_sleep(600)".to_owned()).await });
    let count = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = '{}' AND query LIKE '%pg_sleep%'",
        lock::name(&a.run)
    );
    until("the statement", async || one(&mut wire, &count).await == "1").await;
    let other = open(&target).await;
    had(other.try_lock(&b).await).release().await.unwrap();
    assert_eq!(one(&mut wire, &count).await, "0");
    assert!(left.await.unwrap().unwrap_err().gone());
}

/// X2: a run whose sessions `unlock` can't end is fenced all the same, and whoever comes next waits for their end.
#[tokio::test]
async fn unlock_takes_the_row_away_before_it_waits_for_any_end() {
    let (target, mut wire) = fresh().await;
    let (a, b) = (me('a'), me('b'));
    let role = fresh_name();
    wire.all(format!("CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO {role}")).await.unwrap();
    let connection =
        Connection { username: Some(role.clone()), password: Some(Secret::new("x")), ..target.connection.clone() };
    let weak = Target { connection, ..target.clone() };
    let session = open(&weak).await;
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    // It goes by the run's name, and only another user may end it.
    let left = connect::connect(&target, &lock::name(&a.run)).await.unwrap();
    let other = open(&weak).await;
    let Failure::Busy(what) = failed(other.evict(&b, true).await) else { panic!("not busy") };
    assert!(what.contains(&a.run), "{what}");
    assert_eq!(one(&mut wire, "SELECT run_id FROM triphase_run").await, "");
    until("the end of the holder's session", async || one(&mut wire, HELD).await == "0").await;
    assert!(busy(other.try_lock(&b).await).what.contains(&a.run));
    left.close().await;
    until("the lock", async || other.try_lock(&b).await.unwrap().is_ok()).await;
    wire.all(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

/// X2: the same where `unlock` itself was cut short.
#[tokio::test]
async fn sessions_of_a_run_that_the_lock_was_taken_from_are_ended() {
    let (target, mut wire) = fresh().await;
    let (a, b) = (me('a'), me('b'));
    let session = open(&target).await;
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    let other = open(&target).await;
    other.evict(&b, true).await.unwrap();
    let mut left = connect::connect(&target, &lock::name(&a.run)).await.unwrap();
    had(other.try_lock(&b).await).release().await.unwrap();
    assert!(left.all("SELECT 1".to_owned()).await.unwrap_err().gone());
    assert_eq!(one(&mut wire, HELD).await, "0");
}

/// How many hold the lock of this database.
const HELD: &str = "SELECT count(*)::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                    WHERE l.locktype = 'advisory' AND d.datname = current_database()";

#[tokio::test]
async fn a_pooler_is_found_and_worked_through_by_a_lease() {
    let (target, mut wire) = fresh().await;
    let behind = pooled(&target);
    let (a, b) = (me('a'), me('b'));
    let session = open(&behind).await;
    let hold = had(session.try_lock(&a).await);
    assert_eq!(one(&mut wire, "SELECT (lease_until > clock_timestamp())::text FROM triphase_run").await, "true");
    let direct = open(&target).await;
    assert_eq!(busy(direct.try_lock(&b).await).by.unwrap().run, a.run);
    let second = open(&behind).await;
    assert_eq!(busy(second.try_lock(&b).await).by.unwrap().run, a.run);
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
    hold.commit(&alone("CREATE INDEX CONCURRENTLY i ON t (a)"), &Stop::never()).await.unwrap();
    assert_eq!(state(&*session).await, PhaseState::Done);
    // Its holder died: the lease runs out, and what it had written is fenced.
    wire.all("UPDATE triphase_run SET lease_until = clock_timestamp() - interval '1 second'".to_owned()).await.unwrap();
    let taken = had(second.try_lock(&b).await);
    assert!(matches!(
        failed(hold.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await),
        Failure::Fenced(Some(_))
    ));
    assert_eq!(one(&mut wire, "SELECT epoch::text FROM triphase_run").await, "2");
    assert!(matches!(failed(direct.evict(&a, false).await), Failure::Refused(_)));
    assert!(direct.evict(&a, true).await.unwrap().contains("lease"));
    assert!(matches!(failed(taken.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await), Failure::Fenced(_)));
    // A session's lock is respected from behind the pooler.
    let held = had(direct.try_lock(&a).await);
    assert!(busy(second.try_lock(&b).await).what.contains("session"));
    held.release().await.unwrap();
    had(second.try_lock(&b).await).release().await.unwrap();
}
