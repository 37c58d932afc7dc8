//! Delta Lake: tables whose every change is one atomic commit. The ledger is a Delta table under the lake's root, the lock a lease beside
//! it; a statement's commit carries the evidence that it is applied, so no crash leaves a question open.

mod acts;
mod aside;
#[doc(hidden)]
pub mod bench;
mod change;
mod columns;
mod commit;
mod context;
mod dml;
mod evidence;
mod folder;
mod head;
mod hold;
mod journal;
mod lake;
mod lease;
mod leavings;
mod memory;
mod objects;
mod patience;
mod probe;
mod query;
mod same;
mod script;
mod session;
#[cfg(test)]
mod tests;
mod tombstone;
mod traces;
mod trouble;
mod unit;

use super::{Access, Answer, Driver, Me, Session, UrlOption};
use crate::{
    ledger::{Begin, Ledger, Unit},
    model::{Dialect, Finding},
    target::Target,
};

/// The engine.
pub struct Delta;

impl Driver for Delta {
    fn schemes(&self) -> &'static [&'static str] {
        &[
            "delta",
            #[cfg(feature = "s3")]
            "s3",
            #[cfg(feature = "s3")]
            "s3a",
            #[cfg(feature = "azure")]
            "az",
            #[cfg(feature = "azure")]
            "adl",
            #[cfg(feature = "azure")]
            "abfs",
            #[cfg(feature = "azure")]
            "abfss",
            #[cfg(feature = "gcs")]
            "gs",
        ]
    }

    fn dialect(&self) -> Dialect {
        Dialect::Delta
    }

    fn options(&self) -> &'static [UrlOption] {
        &[]
    }

    fn hint(&self, target: &Target) -> Option<String> {
        let lake = lake::Lake::of(target).ok()?;
        (!lake.is_there()).then(|| format!("the lake's folder {} does not exist", lake.shown))
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
        Box::pin(async move { Ok(Box::new(session::LakeSession::open(target, access).await?) as Box<dyn Session>) })
    }

    fn open_damaged<'a>(&'a self, target: &'a Target) -> Answer<'a, Box<dyn Session>> {
        Box::pin(async move { Ok(Box::new(session::LakeSession::open_damaged(target).await?) as Box<dyn Session>) })
    }
}
