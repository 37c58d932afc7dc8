//! What can not be reached, read or written.

use super::{
    super::{
        super::{
            Access, Driver as _, Failure, Stop,
            testing::{CREATE, failed, had, me, sql, unit},
        },
        Postgres,
    },
    fresh, one, open,
};
use crate::{
    model::Class,
    target::{Secret, Target},
};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn what_can_not_be_written_is_said_before_the_first_statement() {
    let (target, mut wire) = fresh().await;
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        .await
        .unwrap();
    let mut poor = target.clone();
    poor.connection.username = Some(name.clone());
    poor.connection.password = Some(Secret::new(name));
    let me = me('a');
    let says = |failure: Failure| match failure {
        Failure::Access(why) => format!("{why:#}"),
        other => panic!("{other}"),
    };
    let session = open(&poor).await;
    assert!(says(failed(session.try_lock(&me).await)).contains("may not create the ledger"));
    assert_eq!(session.ledger().await.unwrap().format, None);
    let nowhere = open(&Target { schema: Some("nowhere".into()), ..target.clone() }).await;
    assert_eq!(nowhere.ledger().await.unwrap().format, None);
    assert!(says(failed(nowhere.try_lock(&me).await)).contains("CREATE SCHEMA \"nowhere\""));
    wire.all(format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    assert!(says(failed(open(&target).await.try_lock(&me).await)).contains("read-only"));
}

#[tokio::test]
async fn a_ledger_elsewhere_needs_a_decision_and_an_unreadable_one_is_not_none() {
    let (target, mut wire) = fresh().await;
    wire.all("CREATE SCHEMA app".to_owned()).await.unwrap();
    let named = Target { schema: Some("app".into()), ..target.clone() };
    let session = open(&named).await;
    let me = me('a');
    let hold = had(session.try_lock(&me).await);
    hold.begin(&CREATE).await.unwrap();
    hold.commit(&unit(vec![sql("CREATE TABLE t (a int)")]), &Stop::never()).await.unwrap();
    assert_eq!(one(&mut wire, "SELECT to_regclass('app.t')::text").await, "app.t");
    let Failure::Refused(finding) = failed(Postgres.open(&target, Access::Read).await) else { panic!("not refused") };
    assert_eq!((finding.class, finding.rule), (Class::Decision, "L9"));
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'")).await.unwrap();
    let mut poor = named.clone();
    poor.connection.username = Some(name.clone());
    poor.connection.password = Some(Secret::new(name));
    assert!(matches!(failed(open(&poor).await.ledger().await), Failure::Access(_)));
}

#[tokio::test]
async fn no_connection_is_said_without_secrets() {
    let (target, mut wire) = fresh().await;
    let name = &target.connection.database;
    wire.all(format!("CREATE ROLE {name} LOGIN PASSWORD 'right'")).await.unwrap();
    let mut wrong = target.clone();
    wrong.connection.database = "no_such_database".into();
    wrong.connection.password = Some(Secret::new("hush-hush"));
    let mut closed = target.clone();
    closed.connection.port = Some(1);
    closed.connection.password = Some(Secret::new("hush-hush"));
    let mut odd = target.clone();
    odd.connection.query.insert("sslpasword".into(), Secret::new("hush-hush"));
    for (target, says) in [(wrong, "no_such_database"), (closed, ":1/"), (odd, "unknown option `sslpasword`")] {
        let failure = failed(Postgres.open(&target, Access::Read).await);
        let text = format!("{failure} {failure:?}");
        assert!(matches!(failure, Failure::Access(_)));
        assert!(
            text.contains(says) && text.contains("cannot connect to postgres://") && !text.contains("hush"),
            "{text}"
        );
    }
}

/// A session waits while a plan is read by a person, before it has the lock; and what triphase reads by itself takes as long as it takes.
#[tokio::test]
async fn limits_of_a_database_are_lifted_with_the_connection() {
    let (target, mut wire) = fresh().await;
    let limits = ["idle_session_timeout", "statement_timeout", "idle_in_transaction_session_timeout"];
    for limit in limits {
        wire.all(format!("ALTER DATABASE {} SET {limit} = '10s'", target.connection.database)).await.unwrap();
    }
    let session = open(&target).await;
    for limit in limits {
        let rows = session.rows(&format!("SELECT current_setting('{limit}')")).await.unwrap().unwrap();
        assert_eq!(rows, [[Some("0".to_owned())]], "{limit}");
    }
}

/// Who is between here and there forgets a connection that is silent for as long as a handler works.
#[tokio::test]
async fn a_silent_connection_is_kept_alive() {
    let (target, _wire) = fresh().await;
    let session = open(&target).await;
    let rows = session.rows("SELECT current_setting('tcp_keepalives_idle')").await.unwrap().unwrap();
    assert_eq!(rows, [[Some("60".to_owned())]]);
}
