//! The lock: one holder, named; nothing is written once it is lost.

use super::{
    super::{
        super::{
            Failure, Stop,
            testing::{AGAIN, CREATE, alone, busy, failed, had, me, sql, unit, until},
        },
        settings::lock_name,
    },
    fresh, one, open,
};
use crate::{model::Class, target::Target};
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
    let (session, other) = (open(&target).await, open(&target).await);
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    assert_eq!(busy(other.try_lock(&b).await).by, None);
    hold.begin(&CREATE).await.unwrap();
    assert_eq!(busy(other.try_lock(&b).await).by.unwrap().run, a.run);
    // Another database has another lock.
    let name = format!("{}_s", target.connection.database);
    wire.one(&format!("CREATE DATABASE {name}")).await.unwrap();
    let third = open(&Target { schema: Some(name), ..target.clone() }).await;
    had(third.try_lock(&b).await).release().await.unwrap();
    hold.release().await.unwrap();
    had(other.try_lock(&b).await).release().await.unwrap();
    assert!(other.evict(&b, false).await.unwrap().contains("no one holds"));
}

#[tokio::test]
async fn unlock_ends_a_live_holder_only_by_force() {
    let (target, _wire) = fresh().await;
    let (session, other) = (open(&target).await, open(&target).await);
    let (a, b) = (me('a'), me('b'));
    let hold = had(session.try_lock(&a).await);
    hold.begin(&CREATE).await.unwrap();
    let Failure::Refused(finding) = failed(other.evict(&b, false).await) else { panic!("not refused") };
    assert_eq!(finding.class, Class::Guard);
    assert!(finding.message.contains(&a.run), "{}", finding.message);
    assert!(other.evict(&b, true).await.unwrap().contains(&a.run));
    assert!(matches!(failed(hold.commit(&unit(vec![sql("SELECT 1")]), &Stop::never()).await), Failure::Lost(_)));
    had(other.try_lock(&b).await).release().await.unwrap();
}
