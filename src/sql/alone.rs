//! What can't run inside a transaction, and so stands alone: each list as the server itself refuses it.

use super::code::{Cursor, Item, read};
use super::session;
use super::tokens::Kind;
use crate::model::Dialect;

/// Whether the engine refuses (or quietly ignores) this statement inside a transaction, or commits by itself after it.
pub(super) fn alone(dialect: Dialect, items: &[Item<'_>]) -> bool {
    match dialect {
        Dialect::Postgres => postgres(items),
        Dialect::Sqlite => sqlite(items),
        // Everything else commits what came before it (rule L4); what can't be told apart counts as such.
        Dialect::Mysql | Dialect::Mariadb => {
            let shares = items.first().is_some_and(|first| first.is_any(MYSQL_SHARES) || first.symbol("("));
            !shares && !session::sets(items)
        }
        // Each statement is a commit of its table.
        Dialect::Delta => true,
    }
}

/// What commits nothing on MySQL and MariaDB. Which tables it works on is for the server to say: one without transactions makes it stand
/// alone all the same.
const MYSQL_SHARES: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "TABLE", "DO", "SHOW", "DESCRIBE", "DESC",
    "EXPLAIN",
];

fn postgres(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    if at.eat(&["CREATE"]) {
        if at.eat(&["SUBSCRIPTION"]) {
            return !off(items, "create_slot") && !off(items, "connect");
        }
        at.eat(&["UNIQUE"]);
        return at.eat(&["INDEX", "CONCURRENTLY"]) || at.eat_any(&["DATABASE", "TABLESPACE"]);
    }
    if at.eat(&["DROP"]) {
        // Dropping a subscription drops its slot too, if it has one: the text does not tell.
        return at.eat(&["INDEX", "CONCURRENTLY"]) || at.eat_any(&["DATABASE", "TABLESPACE", "SUBSCRIPTION"]);
    }
    if at.eat(&["REINDEX"]) {
        let listed = at.parentheses().is_some_and(|options| options.iter().any(|o| o.is("CONCURRENTLY")));
        return listed
            || at.eat_any(&["SCHEMA", "DATABASE", "SYSTEM"])
            || (at.eat_any(&["INDEX", "TABLE"]) && at.eat(&["CONCURRENTLY"]));
    }
    if at.eat(&["CLUSTER"]) {
        at.parentheses();
        at.eat(&["VERBOSE"]);
        return at.peek().is_none();
    }
    if at.eat(&["ALTER"]) {
        return postgres_alter(at);
    }
    at.eat(&["VACUUM"]) || at.eat(&["DISCARD", "ALL"])
}

fn postgres_alter(mut at: Cursor<'_, '_>) -> bool {
    if at.eat(&["SYSTEM"]) {
        return true;
    }
    if at.eat(&["TYPE"]) {
        return at.name().is_some() && at.eat(&["ADD", "VALUE"]);
    }
    if at.eat(&["DATABASE"]) {
        return at.name().is_some() && at.eat(&["SET", "TABLESPACE"]);
    }
    if at.eat(&["TABLE"]) {
        at.eat(&["IF", "EXISTS"]);
        at.eat(&["ONLY"]);
        let detached = at.name().is_some() && at.eat(&["DETACH", "PARTITION"]) && at.name().is_some();
        return detached && at.eat(&["CONCURRENTLY"]);
    }
    if at.eat(&["SUBSCRIPTION"]) && at.name().is_some() {
        if at.eat(&["REFRESH"]) {
            return true;
        }
        let changed = at.eat_any(&["SET", "ADD", "DROP"]) && at.eat(&["PUBLICATION"]);
        return changed && !off(at.rest(), "refresh");
    }
    false
}

/// Whether a list of options sets this one to false.
fn off(items: &[Item<'_>], option: &str) -> bool {
    items.windows(3).any(|of| {
        let value = of[2].text.trim_matches('\'');
        of[0].is(option) && of[1].symbol("=") && ["false", "off", "0"].iter().any(|no| value.eq_ignore_ascii_case(no))
    })
}

fn sqlite(items: &[Item<'_>]) -> bool {
    if Cursor::new(items).eat(&["VACUUM"]) {
        return true;
    }
    pragma(items).is_some_and(|(name, value)| match name.to_ascii_lowercase().as_str() {
        // Into and out of WAL is refused, and any other change is ignored.
        "journal_mode" | "synchronous" | "temp_store" => value.is_some(),
        "wal_checkpoint" => true,
        _ => false,
    })
}

/// A pragma's name, and the value it is given.
pub(super) fn pragma<'a>(items: &[Item<'a>]) -> Option<(&'a str, Option<&'a str>)> {
    let mut at = Cursor::new(items);
    if !at.eat(&["PRAGMA"]) {
        return None;
    }
    let name = at.name()?.pop()?;
    let name = if name.kind == Kind::Name { inner(name.text) } else { name.text };
    if !at.symbol("=") && !at.symbol("(") {
        return Some((name, None));
    }
    let sign = at.symbol("-") || at.symbol("+");
    let value = at.take().map(|value| match value.kind {
        Kind::Text | Kind::Name => inner(value.text),
        // A negative number is no yes to any pragma.
        Kind::Number if sign => "",
        Kind::Number
        | Kind::Word
        | Kind::Blank
        | Kind::LineComment
        | Kind::BlockComment
        | Kind::Hint
        | Kind::Continuation
        | Kind::Dollar
        | Kind::Parameter
        | Kind::Symbol => value.text,
    });
    Some((name, value))
}

fn inner(quoted: &str) -> &str {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// Whether this statement is SQLite's `PRAGMA foreign_keys = …`, and if so, whether it turns them on. Inside a transaction SQLite ignores
/// it, so the runner must set it before one.
pub fn foreign_keys(dialect: Dialect, text: &str) -> Option<bool> {
    match dialect {
        Dialect::Sqlite => {}
        Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => return None,
    }
    let items = read(dialect, text)?;
    let (name, value) = pragma(&items)?;
    let value = value.filter(|_| name.eq_ignore_ascii_case("foreign_keys"))?;
    // As SQLite reads a boolean: a number's last byte, one of its words, and no for all else.
    Some(match value.parse::<u64>() {
        Ok(number) => number % 256 != 0,
        Err(_) => ["on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn is_alone(dialect: Dialect, text: &str) -> bool {
        alone(dialect, &read(dialect, text).unwrap())
    }

    const POSTGRES_ALONE: &[&str] = &[
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "create unique index concurrently if not exists i on t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REINDEX (VERBOSE, CONCURRENTLY TRUE) TABLE t",
        "REINDEX SCHEMA public",
        "REINDEX DATABASE CONCURRENTLY postgres",
        "REINDEX SYSTEM postgres",
        "VACUUM",
        "VACUUM (FULL) t",
        "ALTER TYPE s.\"E\" ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'",
        "CREATE DATABASE d",
        "DROP DATABASE IF EXISTS d",
        "CREATE TABLESPACE x LOCATION '/x'",
        "DROP TABLESPACE x",
        "ALTER SYSTEM SET work_mem = '4MB'",
        "ALTER DATABASE d SET TABLESPACE x",
        "CLUSTER",
        "CLUSTER (VERBOSE)",
        "ALTER TABLE ONLY s.t DETACH PARTITION s.p CONCURRENTLY",
        "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s SET PUBLICATION p",
        "DROP SUBSCRIPTION s",
        "DISCARD ALL",
    ];

    #[test]
    fn postgres_statements_that_stand_alone() {
        for text in POSTGRES_ALONE {
            assert!(is_alone(Dialect::Postgres, text), "{text}");
        }
        for text in [
            "CREATE INDEX i ON t (a)",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "REINDEX TABLE t",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "ANALYZE t",
            "ALTER TYPE e RENAME VALUE 'a' TO 'b'",
            "ALTER DATABASE d SET work_mem = '4MB'",
            "CLUSTER t USING i",
            "ALTER TABLE t DETACH PARTITION p",
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (connect = false)",
            "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
            "ALTER SUBSCRIPTION s DISABLE",
            "DISCARD PLANS",
            "CHECKPOINT",
            "SELECT 'VACUUM'",
        ] {
            assert!(!is_alone(Dialect::Postgres, text), "{text}");
        }
    }

    #[test]
    fn sqlite_statements_that_stand_alone() {
        for text in [
            "VACUUM",
            "vacuum INTO 'f'",
            "PRAGMA journal_mode = WAL",
            "PRAGMA main.journal_mode(wal)",
            "PRAGMA wal_checkpoint",
            "PRAGMA synchronous = OFF",
        ] {
            assert!(is_alone(Dialect::Sqlite, text), "{text}");
        }
        for text in [
            "PRAGMA journal_mode",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA user_version = 3",
            "ATTACH 'f' AS x",
            "REINDEX",
            "ANALYZE",
            "SELECT 'VACUUM'",
        ] {
            assert!(!is_alone(Dialect::Sqlite, text), "{text}");
        }
    }

    #[test]
    fn others_commit_by_themselves() {
        assert!(is_alone(Dialect::Mysql, "ALTER TABLE t ADD a int") && is_alone(Dialect::Mariadb, "CALL p()"));
        assert!(is_alone(Dialect::Mariadb, "SET GLOBAL a = 1") && !is_alone(Dialect::Mariadb, "SET @a = 1"));
        assert!(
            !is_alone(Dialect::Mysql, "/*!40101 SET NAMES utf8 */") && is_alone(Dialect::Mysql, "LOAD DATA INFILE 'f'")
        );
        assert!(!is_alone(Dialect::Mysql, "UPDATE t SET a = 1") && is_alone(Dialect::Delta, "UPDATE t SET a = 1"));
    }

    #[test]
    fn foreign_keys_are_told() {
        for (text, expected) in [
            ("PRAGMA foreign_keys = ON", Some(true)),
            ("pragma main.Foreign_Keys(1);", Some(true)),
            ("PRAGMA foreign_keys = 'yes'", Some(true)),
            ("PRAGMA foreign_keys=off -- now", Some(false)),
            ("PRAGMA foreign_keys = 256", Some(false)),
            ("PRAGMA foreign_keys = -1", Some(false)),
            ("PRAGMA foreign_keys", None),
            ("PRAGMA defer_foreign_keys = ON", None),
            ("SELECT 1", None),
        ] {
            assert_eq!(foreign_keys(Dialect::Sqlite, text), expected, "{text}");
        }
        assert_eq!(foreign_keys(Dialect::Postgres, "PRAGMA foreign_keys = ON"), None);
    }
}
