//! MySQL 8 and MariaDB 10.6 or later: one engine, told apart at connect. Its DDL commits by itself, so the ledger says *attempting* before
//! such a statement and *done* after it (rule L4); what comes between is decided by `done_when` or a probe.
//!
//! Two connections serve a run that writes. One holds the lock, and is never inside a transaction for longer than one text. The other does
//! the work, and holds a lock of its own by the run's name, so that whoever takes over finds it and sees it gone: the server gives a lock
//! back only after the session's last statement and its rollback.

mod blockers;
mod connect;
mod differ;
mod error;
mod evict;
mod hold;
mod lock;
mod probe;
mod script;
mod session;
mod settings;
mod tables;
#[cfg(test)]
mod tests;
mod wire;

use super::{Access, Answer, Driver, Me, Session, UrlOption};
use crate::{
    ledger::{Begin, Ledger, Unit},
    model::{Dialect, Finding},
    target::Target,
};

/// The engine, by either of its names: what the name promises is believed until the server has said what it is.
pub struct Mysql(Dialect);

impl Mysql {
    /// `mysql://`.
    pub const MYSQL: Self = Self(Dialect::Mysql);
    /// `mariadb://`.
    pub const MARIADB: Self = Self(Dialect::Mariadb);
}

impl Driver for Mysql {
    fn schemes(&self) -> &'static [&'static str] {
        match self.0 {
            Dialect::Mariadb => &["mariadb"],
            Dialect::Mysql | Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => &["mysql"],
        }
    }
    fn dialect(&self) -> Dialect {
        self.0
    }
    fn options(&self) -> &'static [UrlOption] {
        connect::OPTIONS
    }
    fn found<'a>(&'a self, target: &'a Target) -> Answer<'a, Dialect> {
        Box::pin(async move { Ok(session::Open::new(target).await?.about.dialect) })
    }
    fn script(
        &self,
        target: &Target,
        seen: &Ledger,
        begin: &Begin,
        units: &[Unit],
        me: &Me,
    ) -> Result<String, Finding> {
        script::script(target, seen, begin, units, me)
    }
    fn open<'a>(&'a self, target: &'a Target, _: Access) -> Answer<'a, Box<dyn Session>> {
        // Every read is in a read-only transaction, and only the lock writes: both kinds of access are the same here.
        Box::pin(async move { Ok(Box::new(session::Open::new(target).await?) as Box<dyn Session>) })
    }
}
