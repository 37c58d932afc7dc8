//! Against a real server, a database each. `TRIPHASE_TEST_MARIADB` is the URL of a user who may do everything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod commit;
mod ledger;
mod lock;

use super::{
    super::{
        Access, Driver as _, Session,
        testing::{fresh_name, on_server},
    },
    Mysql, connect,
    wire::Wire,
};
use crate::target::Target;

/// A fresh database, and a way in that is not the engine's.
async fn fresh() -> (Target, Wire) {
    let at = |database: &str| on_server("TRIPHASE_TEST_MARIADB", "mysql", database);
    let name = fresh_name();
    let mut admin = connect::connect(&at("mysql")).await.unwrap();
    admin.one(&format!("CREATE DATABASE {name}")).await.unwrap();
    let target = at(&name);
    let wire = connect::connect(&target).await.unwrap();
    (target, wire)
}

async fn open(target: &Target) -> Box<dyn Session> {
    Mysql::MYSQL.open(target, Access::Write).await.unwrap()
}

/// One value.
async fn one(wire: &mut Wire, query: &str) -> String {
    wire.one(query).await.unwrap().first().unwrap_or("NULL").to_owned()
}
