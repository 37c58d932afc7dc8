//! What a target remembers of every step and phase, and what it is asked to remember next. Pure: engines keep the rows.

#[cfg(test)]
pub(crate) mod apply;
pub mod drift;
mod read;
mod traces;
mod write;

pub use read::{Facts, Halfway, HistoryRow, Ledger, Leftover, PhaseRow, Row, RunRow, Verdict, after, of};
pub use traces::{By, Kind, Left, Trace, Traces};
pub use write::{Begin, Entry, Event, Outcome, Unit};

use std::fmt;

/// The version of the ledger's own shape (rule L8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format {
    /// Grows when an older binary could no longer work on the ledger.
    pub major: u32,
    /// Grows with nullable columns and new tables.
    pub minor: u32,
}

impl Format {
    /// What this binary writes.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// The first triphase that knows this major: all before it are shut out by an upgrade.
    pub const FIRST_VERSION: &str = "0.1.0";

    /// Whether this binary can read it, and must upgrade it before it may write.
    pub const fn is_old(self) -> bool {
        self.major < Self::CURRENT.major
    }

    /// Reads `1.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
