//! Against a real server, a database each. `TRIPHASE_TEST_POSTGRES` is the URL of a user who may create databases and roles,
//! `TRIPHASE_TEST_PGBOUNCER` the same server's by way of a pgbouncer in transaction mode.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod commit;
mod ledger;
mod lock;
mod script;

use super::{
    super::{
        Access, Driver as _, Session,
        testing::{fresh_name, on_server},
    },
    Postgres, connect,
    wire::Wire,
};
use crate::target::Target;

/// A fresh database, and a way in that is not the engine's.
async fn fresh() -> (Target, Wire) {
    let at = |database: &str| on_server("TRIPHASE_TEST_POSTGRES", "postgres", database);
    let name = fresh_name();
    let mut admin = connect::connect(&at("postgres"), "test").await.unwrap();
    admin.all(format!("CREATE DATABASE {name}")).await.unwrap();
    let target = at(&name);
    let wire = connect::connect(&target, "test").await.unwrap();
    (target, wire)
}

/// The same database behind the pooler.
fn pooled(target: &Target) -> Target {
    on_server("TRIPHASE_TEST_PGBOUNCER", "postgres", &target.connection.database)
}

async fn open(target: &Target) -> Box<dyn Session> {
    Postgres.open(target, Access::Write).await.unwrap()
}

/// One value.
async fn one(wire: &mut Wire, query: &str) -> String {
    let given = wire.all(query.to_owned()).await.unwrap();
    given.last().unwrap().first().unwrap_or("NULL").to_owned()
}
