//! Sqlite.

use super::{Access, Answer, Driver, Failure, Me, Session};
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
    fn script(&self, _: &Target, _: &Ledger, _: &Begin, _: &[Unit], _: &Me) -> Result<String, Finding> {
        Ok(String::new())
    }
    fn open<'a>(&'a self, _: &'a Target, _: Access) -> Answer<'a, Box<dyn Session>> {
        Box::pin(async { Err(Failure::Stopped) })
    }
}
