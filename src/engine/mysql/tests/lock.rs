//! The lock: one holder, named; nothing is written once it is lost.

use super::{
    super::{
        super::{
            Failure, Stop,
            testing::{AGAIN, CREATE, alone, failed, had, me, sql, the_lock_is_one, unit, unlock_needs_force, until},
        },
        connect,
        error::Trouble as _,
        lock,
        settings::lock_name,
    },
    fresh, one, open,
};
use crate::target::Target;
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_run_that_lost_its_lock_writes_nothing() {
    let (target, mut wire) = fresh().await;
    let session = open(&target).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    wire.one("CREATE TABLE t (a integer)").await.unwrap();
    wire.one("UPDATE triphase_run SET run_id = 'other'").await.unwrap();
    for unit in [unit(vec![sql("INSERT INTO t VALUES (1)")]), alone("DROP TABLE t"), unit(vec![])] {
        let failure = failed(hold.commit(&unit, &Stop::never()).await);
        assert!(matches!(&failure, Failure::Fenced(Some(by)) if by.run == "other"), "{failure}");
    }
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM triphase_ledger").await, "0");
    // One whose lock is gone, but whose row is not, sends no statement that commits by itself.
    wire.one(&format!("UPDATE triphase_run SET run_id = '{}'", me.run)).await.unwrap();
    let holder = format!("SELECT IS_USED_LOCK('{}')", lock_name(&target.connection.database));
    let id = one(&mut wire, &holder).await;
    wire.one(&format!("KILL {id}")).await.unwrap();
    until("the lock session's end", async || one(&mut wire, &holder).await == "NULL").await;
    let failure = failed(hold.commit(&alone("DROP TABLE t"), &Stop::never()).await);
    assert!(matches!(failure, Failure::Fenced(_) | Failure::Lost(_)), "{failure}");
    assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "0");
    assert!(matches!(failed(hold.begin(&AGAIN).await), Failure::Fenced(_) | Failure::Lost(_)));
}

#[tokio::test]
async fn the_lock_is_one_and_its_holder_is_named() {
    let (target, mut wire) = fresh().await;
    // Another database has another lock.
    let name = format!("{}_s", target.connection.database);
    wire.one(&format!("CREATE DATABASE {name}")).await.unwrap();
    let elsewhere = Target { schema: Some(name), ..target.clone() };
    the_lock_is_one(&*open(&target).await, &*open(&target).await, &*open(&elsewhere).await).await;
}

#[tokio::test]
async fn unlock_ends_a_live_holder_only_by_force() {
    let (target, _wire) = fresh().await;
    unlock_needs_force(&*open(&target).await, &*open(&target).await).await;
}

/// X2: `unlock` was cut short between the row and the session.
#[tokio::test]
async fn sessions_of_a_run_that_the_lock_was_taken_from_are_ended() {
    let (target, _wire) = fresh().await;
    let (a, b) = (me('a'), me('b'));
    let session = open(&target).await;
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    let other = open(&target).await;
    other.evict(&b, true).await.unwrap();
    let mut left = connect::connect(&target).await.unwrap();
    lock::take_name(&mut left, &a.run).await.unwrap().unwrap();
    had(other.try_lock(&b).await).release().await.unwrap();
    assert!(left.one("SELECT 1").await.unwrap_err().gone());
}
