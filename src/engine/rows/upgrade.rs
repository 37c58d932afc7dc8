//! From one major format of the ledger to the next (rule L8). Only `repair upgrade-ledger` goes this way.

use super::{FORMAT, Rows};
use crate::ledger::Format;

/// A major format that this binary can read, and turn into the next one.
struct Upgrade {
    /// The major it has.
    from: u32,
    /// How its ledger is asked for: a query that gives the columns of [`Rows::ledger_query`].
    query: fn(&Rows) -> String,
    /// What makes the next major of it, but for the format's own row. Sent in one transaction.
    statements: fn(&Rows) -> Vec<String>,
}

/// Every one there is, oldest first; the last leads to the current major. There is one major so far.
#[cfg(not(test))]
static UPGRADES: &[Upgrade] = &[];

/// For tests: a format that never was, which differs from the first in one comment of its own.
#[cfg(test)]
static UPGRADES: &[Upgrade] =
    &[Upgrade { from: 0, query: Rows::ledger_query, statements: |rows| vec![rows.meta("upgraded", "'from 0'")] }];

fn upgrade(major: u32) -> Option<&'static Upgrade> {
    UPGRADES.iter().find(|upgrade| upgrade.from == major)
}

impl Rows {
    /// Whether this binary can read a format that is older than its own, and upgrade it.
    pub(super) fn upgrades(major: u32) -> bool {
        upgrade(major).is_some()
    }

    /// How a ledger of an older major is asked for, where [`Rows::format`] lets it through; none for the current one.
    pub fn older_ledger_query(&self, format: Format) -> Option<String> {
        upgrade(format.major).map(|upgrade| (upgrade.query)(self))
    }

    /// All that makes the current format of an older one.
    pub(super) fn upgrade(&self, from: Format) -> Vec<String> {
        let steps = UPGRADES.iter().filter(|upgrade| upgrade.from >= from.major);
        let mut statements: Vec<String> = steps.flat_map(|upgrade| (upgrade.statements)(self)).collect();
        statements.push(self.meta(FORMAT, &self.literal(&Format::CURRENT.to_string())));
        statements
    }
}
