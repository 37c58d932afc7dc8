//! Postgres.

mod batch;
mod connect;
mod error;
mod pooler;
mod wire;

use super::{Access, Answer, Driver, Failure, Me, Session};
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
    fn script(&self, _: &Target, _: &Ledger, _: &Begin, _: &[Unit], _: &Me) -> Result<String, Finding> {
        Ok(String::new())
    }
    fn open<'a>(&'a self, _: &'a Target, _: Access) -> Answer<'a, Box<dyn Session>> {
        Box::pin(async { Err(Failure::Stopped) })
    }
}
