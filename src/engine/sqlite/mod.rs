//! SQLite: one file, one writer. A handler and its ledger row are one transaction; the lock is the operating system's, on a file beside
//! the database.

mod connect;
mod failure;
mod foreign_keys;
mod hold;
mod lock;
mod probe;
mod script;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod whole;

use super::{Access, Answer, Driver, Me, Session, UrlOption};
use crate::{
    ledger::{Begin, Ledger, Unit},
    model::{Dialect, Finding},
    target::Target,
};

/// The engine.
pub struct Sqlite;

impl Driver for Sqlite {
    fn schemes(&self) -> &'static [&'static str] {
        &["sqlite"]
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn options(&self) -> &'static [UrlOption] {
        connect::OPTIONS
    }

    fn hint(&self, target: &Target) -> Option<String> {
        let file = std::path::Path::new(&target.runner().database);
        let hint = session::relative(file, target)?;
        (!file.exists()).then(|| format!("{} does not exist{hint}", file.display()))
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

    fn open<'a>(&'a self, target: &'a Target, access: Access) -> Answer<'a, Box<dyn Session>> {
        Box::pin(async move { Ok(Box::new(session::FileSession::open(target, access).await?) as Box<dyn Session>) })
    }
}
