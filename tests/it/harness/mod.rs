//! What the scenarios stand on: throw-away servers, a project folder, the binary, and a way to ask the database itself.

mod bench;
mod bin;
mod db;
mod endless;
mod golden;
mod holder;
mod project;
mod proxy;
mod servers;

pub use bench::Bench;
pub use bin::{Command, Run, Running, signal, until};
pub use db::{Db, Engine, mariadb_client};
pub use endless::{ENDLESS_ALONE, LOG, begun, endless, without_end};
#[cfg(feature = "failpoints")]
pub use golden::table;
pub use golden::{golden, host, plain};
pub use holder::Holder;
pub use project::Project;
pub use proxy::Proxy;
pub use servers::{Replica, Url, bouncer, mariadb, mariadb_alone, postgres, tls};

/// Makes each named scenario, a `fn(Engine)` in this file, a test per engine: `…::sqlite::name`, `…::postgres::name`,
/// `…::mariadb::name`.
macro_rules! on_each_engine {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(crate::harness::Engine::Sqlite); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(crate::harness::Engine::Postgres); })*
        }
        mod mariadb {
            $(#[test] fn $name() { super::$name(crate::harness::Engine::Mariadb); })*
        }
    };
}
pub(crate) use on_each_engine;

/// The same for the engines that have servers.
macro_rules! on_each_server {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[test] fn $name() { super::$name(crate::harness::Engine::Postgres); })*
        }
        mod mariadb {
            $(#[test] fn $name() { super::$name(crate::harness::Engine::Mariadb); })*
        }
    };
}
pub(crate) use on_each_server;
