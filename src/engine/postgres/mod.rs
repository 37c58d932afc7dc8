//! PostgreSQL, from version 12 on. A unit is one transaction and mostly one round trip; the lock is a session's, or a lease behind a
//! transaction-mode pooler.
//!
//! Two connections serve a run that writes: one holds the lock and is never inside a transaction for longer than one text, the other
//! does the work and goes by the run's name, so that whoever takes over finds it. Behind a pooler a statement that stands alone runs
//! with the server's own `lock_timeout` and `statement_timeout`: nothing can be set there that lasts from one text to the next.

mod batch;
mod blockers;
mod connect;
mod error;
mod evict;
mod hold;
mod lease;
mod left;
mod lock;
mod pooler;
mod probe;
mod script;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod wire;

use super::{Access, Answer, Driver, Me, Session, UrlOption};
use crate::{
    ledger::{Begin, Ledger, Unit},
    model::{Dialect, Finding},
    target::Target,
};

/// The engine.
pub struct Postgres;

impl Driver for Postgres {
    fn schemes(&self) -> &'static [&'static str] {
        &["postgres", "postgresql"]
    }
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
    fn options(&self) -> &'static [UrlOption] {
        connect::OPTIONS
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
        Box::pin(async move { Ok(Box::new(session::Pg::open(target).await?) as Box<dyn Session>) })
    }
}
