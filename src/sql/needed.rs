//! Which statements may be run although nothing tells whether they are needed: those that the target itself refuses where they are not,
//! and those that come to the same. A rollback of a step that is applied only in part runs these, and asks a person about the others.

use super::code::{Cursor, Item, read};
use super::query;
use crate::model::Dialect;

/// Statements that come to the same however often they are run, or only set the session.
const SAME: &[&str] = &[
    "COMMENT", "GRANT", "REVOKE", "REINDEX", "ANALYZE", "ANALYSE", "VACUUM", "CLUSTER", "REFRESH", "SECURITY", "SET",
    "RESET", "SHOW", "LOCK", "PRAGMA",
];

/// Whether a statement that shares a transaction with its ledger row does no harm where it is not needed. DDL on PostgreSQL and SQLite: what
/// is there already, or is not there, is refused, and the refusal leaves nothing behind. What changes rows is taken wherever it can be
/// read, so it never is; nor is a text that can't be read.
pub fn harmless_if_needless(dialect: Dialect, text: &str) -> bool {
    let Some(items) = read(dialect, text) else { return false };
    let Some(first) = items.first() else { return true };
    match dialect {
        Dialect::Postgres | Dialect::Sqlite => {
            first.is("DROP")
                || first.is_any(SAME)
                || (first.is("CREATE") && !makes_up_a_name(&items))
                || (first.is("ALTER") && alters_once(&items))
                || asks(dialect, text, &items)
        }
        // DDL commits by itself there, and is decided by a probe.
        Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => asks(dialect, text, &items),
    }
}

/// `CREATE INDEX ON t …` makes another index each time, under a name of the server's.
fn makes_up_a_name(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    at.eat(&["CREATE"]);
    at.eat(&["UNIQUE"]);
    at.eat(&["INDEX"]) && {
        at.eat(&["CONCURRENTLY"]);
        at.eat(&["ON"])
    }
}

/// Not a second time: a change of type may compute (`USING cents / 100`), and a constraint without a name would be another one.
fn alters_once(items: &[Item<'_>]) -> bool {
    let computes = items.iter().any(|item| item.is("USING"));
    let nameless =
        items.windows(2).any(|of| of[0].is("ADD") && of[1].is_any(&["CHECK", "UNIQUE", "FOREIGN", "EXCLUDE"]));
    !computes && !nameless
}

/// A query that calls nothing: what a function does is not in the text.
fn asks(dialect: Dialect, text: &str, items: &[Item<'_>]) -> bool {
    query::writes(dialect, text).is_none() && !items.iter().any(|item| item.symbol("("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_is_run_without_knowing_whether_it_is_needed() {
        for (text, expected) in [
            ("ALTER TABLE t DROP COLUMN a", true),
            ("ALTER TABLE t RENAME COLUMN a TO b", true),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", true),
            ("DROP TABLE IF EXISTS t CASCADE", true),
            ("CREATE UNIQUE INDEX i ON t (a)", true),
            ("CREATE OR REPLACE VIEW v AS SELECT f(a) FROM t", true),
            ("COMMENT ON TABLE t IS 'x'", true),
            ("SELECT 1", true),
            ("ALTER TABLE t ADD CHECK (a > 0)", false),
            ("ALTER TABLE account ALTER cents TYPE bigint USING cents / 100", false),
            ("CREATE INDEX ON t (a)", false),
            ("UPDATE account SET cents = cents / 100", false),
            ("DELETE FROM t WHERE a NOT IN (SELECT a FROM kept)", false),
            ("INSERT INTO t VALUES (1)", false),
            ("TRUNCATE t", false),
            ("WITH a AS (SELECT 1) SELECT 1", false),
            ("SELECT setval('s', 1)", false),
            ("CALL p()", false),
            ("DO 'BEGIN END'", false),
            ("UPDATE t SET a = 'x", false),
        ] {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                assert_eq!(harmless_if_needless(dialect, text), expected, "{dialect}: {text}");
            }
        }
        assert!(!harmless_if_needless(Dialect::Mariadb, "ALTER TABLE t DROP COLUMN a"));
        assert!(!harmless_if_needless(Dialect::Mariadb, "UPDATE t SET a = 1"));
        assert!(harmless_if_needless(Dialect::Mariadb, "SELECT 1"));
    }
}
