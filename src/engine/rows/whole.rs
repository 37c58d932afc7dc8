//! Whether all of the ledger's tables are there (rule L9): only where none of them is, there is no ledger. Made anew beside what is left of
//! one, what was done would be done again.

use super::{Rows, TextRow, table};
use crate::engine::Failure;
use anyhow::anyhow;

/// What to do about a ledger some of whose tables are there.
pub const RESTORE: &str =
    "restore its tables from a backup; or drop what is left of them, and say with `triphase stamp` what is applied";

/// Which of the ledger's tables are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// None: there is no ledger.
    None,
    /// All of them.
    All,
    /// Not these.
    Without(Vec<&'static str>),
}

impl There {
    /// As found, table by table.
    pub fn of(is_there: impl Fn(&str) -> bool) -> Self {
        let missing: Vec<_> = table::ALL.into_iter().filter(|name| !is_there(name)).collect();
        match missing.len() {
            0 => Self::All,
            all if all == table::ALL.len() => Self::None,
            _ => Self::Without(missing),
        }
    }
}

impl Rows {
    /// Asks PostgreSQL's catalogue which of the ledger's tables are there. MySQL's and MariaDB's shows only what a user has some right on,
    /// and compares names as the server's settings have it: there each table is asked.
    pub fn there_in_postgres(&self) -> String {
        of_each(|name| format!("to_regclass({})::text", self.literal(&self.table(name))))
    }

    /// Asks SQLite's catalogue the same.
    pub fn there_in_sqlite(&self) -> String {
        of_each(|name| {
            format!(
                "(SELECT name FROM main.sqlite_master WHERE type IN ('table', 'view') AND name = {} COLLATE NOCASE)",
                self.literal(name)
            )
        })
    }

    /// Reads the answer of a catalogue.
    pub fn there(answer: &[TextRow]) -> There {
        let found = |name: &str| {
            let at = table::ALL.iter().position(|one| *one == name)?;
            answer.first()?.get(at)?.as_deref()
        };
        There::of(|name| found(name).is_some())
    }

    /// Refuses a ledger that lacks these tables.
    pub fn not_whole(&self, missing: &[&str]) -> Failure {
        let named = missing.iter().map(|name| self.table(name)).collect::<Vec<_>>().join(", ");
        let which = if missing.len() == 1 {
            format!("table {named} is missing")
        } else {
            format!("tables {named} are missing")
        };
        Failure::Access(anyhow!("the ledger is not whole: {which}; {RESTORE}"))
    }

    /// A condition that always holds, and that the server understands only where the ledger's other tables are there too: what is asked
    /// of one alone would not see that they are gone.
    pub(super) fn beside(&self, one: &str) -> String {
        let others: Vec<String> =
            table::ALL.into_iter().filter(|name| *name != one).map(|name| self.table(name)).collect();
        format!("NOT EXISTS (SELECT 1 FROM {} WHERE 1 = 0)", others.join(", "))
    }
}

/// A query with a column for each of the ledger's tables.
fn of_each(column: impl Fn(&str) -> String) -> String {
    format!("SELECT {}", table::ALL.map(column).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_missing_is_no_ledger() {
        assert_eq!(There::of(|_| false), There::None);
        assert_eq!(There::of(|_| true), There::All);
        assert_eq!(There::of(|name| name != table::META), There::Without(vec![table::META]));
        let answer = [vec![Some("x".to_owned()), None, Some("x".to_owned()), None]];
        assert_eq!(Rows::there(&answer), There::Without(vec![table::RUN, table::HISTORY]));
    }
}
