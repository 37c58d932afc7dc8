//! Statements that change the session and nothing else: what they set lasts until the session ends, or until triphase puts its own
//! settings back. A handler that is cut around a statement by itself needs them again for what follows (rule L9).

use super::alone;
use super::code::{Cursor, Item, read};
use super::tokens::Kind;
use crate::model::Dialect;
use std::borrow::Cow;

/// What `SET` is followed by on MySQL and MariaDB where it sets more than the session, or runs a statement.
const WIDER: &[&str] = &["GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "STATEMENT", "DEFAULT", "RESOURCE"];

/// What `SET` is followed by on PostgreSQL where it ends with its transaction.
const BRIEF: &[&str] = &["LOCAL", "TRANSACTION", "CONSTRAINTS"];

/// PostgreSQL's settings by which triphase's own texts are read and its session is found: a handler's word on them ends with its
/// transaction.
const OWN: &[&str] = &["client_encoding", "NAMES", "standard_conforming_strings", "application_name"];

/// SQLite's settings that a handler may change and triphase puts back after it; what sets the file, or stands alone, is none of them.
const PRAGMAS: &[&str] = &[
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "recursive_triggers",
    "reverse_unordered_selects",
    "writable_schema",
];

/// Whether a statement only sets the session. MySQL and MariaDB: as [`sets_session`]. PostgreSQL: `SET`, `RESET`, and `SELECT
/// set_config(…, false)`, as dumps have it. SQLite: a pragma that triphase puts back.
pub fn is_setting(dialect: Dialect, text: &str) -> bool {
    match dialect {
        Dialect::Mysql | Dialect::Mariadb => sets_session(text),
        Dialect::Postgres => read(dialect, text).is_some_and(|items| sets_postgres(&items)),
        Dialect::Sqlite => read(dialect, text).is_some_and(|items| {
            let set = alone::pragma(&items).and_then(|(name, value)| value.map(|_| name));
            set.is_some_and(|name| PRAGMAS.iter().any(|known| name.eq_ignore_ascii_case(known)))
        }),
        Dialect::Delta => false,
    }
}

/// Whether a statement of MySQL or MariaDB only sets the session: `SET`, `USE`, `PREPARE`, `DEALLOCATE`; in `/*! */` too, as dumps have
/// them.
pub fn sets_session(text: &str) -> bool {
    let inner = executable(text);
    read(Dialect::Mariadb, &inner).is_some_and(|items| sets(&items))
}

/// The same of a statement that was read already.
pub(super) fn sets(items: &[Item<'_>]) -> bool {
    let [first, rest @ ..] = items else { return false };
    if first.kind == Kind::Hint {
        return rest.is_empty() && sets_session(first.text);
    }
    if first.is("SET") {
        let global = |item: &Item<'_>| {
            let text = item.text.to_ascii_lowercase();
            text.starts_with("@@global.") || text.starts_with("@@persist")
        };
        return !rest.first().is_some_and(|next| next.is_any(WIDER)) && !rest.iter().any(global);
    }
    first.is_any(&["USE", "PREPARE", "DEALLOCATE"])
}

fn sets_postgres(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    if at.eat(&["RESET"]) {
        // `ALL` would take back triphase's own too.
        return !at.peek().is_some_and(|name| name.is("ALL") || name.is_any(OWN));
    }
    if at.eat(&["SET"]) {
        at.eat(&["SESSION"]);
        return !at.peek().is_some_and(|next| next.is_any(BRIEF) || next.is_any(OWN));
    }
    let held = |value: &Item<'_>| value.is("false") || matches!(value.text, "'f'" | "'false'");
    let own = |name: &Item<'_>| OWN.iter().any(|own| name.text.trim_matches('\'').eq_ignore_ascii_case(own));
    configured(items).is_some_and(|call| call.last().is_some_and(held) && !call.first().is_some_and(own))
}

/// What stands between the parentheses of a `SELECT set_config(…)` that is nothing else.
fn configured<'s, 'a>(items: &'s [Item<'a>]) -> Option<&'s [Item<'a>]> {
    let mut at = Cursor::new(items);
    if !at.eat(&["SELECT"]) {
        return None;
    }
    if at.eat(&["pg_catalog"]) && !at.symbol(".") {
        return None;
    }
    if !at.eat(&["set_config"]) {
        return None;
    }
    let call = at.parentheses()?;
    at.peek().is_none_or(|item| item.symbol(";")).then_some(call)
}

/// Whether a PostgreSQL statement changes where names without a schema are looked for: in its session, or in its transaction.
pub fn moves_path(text: &str) -> bool {
    let Some(items) = read(Dialect::Postgres, text) else { return false };
    let mut at = Cursor::new(&items);
    if at.eat(&["SET"]) {
        at.eat_any(&["LOCAL", "SESSION"]);
        return at.eat_any(&["search_path", "SCHEMA"]);
    }
    let path = |name: &Item<'_>| name.text.eq_ignore_ascii_case("'search_path'");
    at.eat(&["RESET", "search_path"]) || configured(&items).is_some_and(|call| call.first().is_some_and(path))
}

/// What stands in a text that is one `/*! */` and nothing else; other texts as they are.
pub(super) fn executable(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix("/*!").or_else(|| text.strip_prefix("/*M!")).and_then(|t| t.strip_suffix("*/"));
    match inner {
        Some(inner) if !inner.contains("*/") => {
            Cow::Owned(inner.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned())
        }
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// SQL modes after which the text that follows would be read in another way than it was cut.
const UNREADABLE: [&str; 4] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "ORACLE"];

/// Why a statement of MySQL or MariaDB is refused that changes how a text is read: what is wrong, and the way out.
pub(super) fn unreadable(items: &[Item<'_>]) -> Option<(String, String)> {
    let text = items.iter().map(|item| item.text).collect::<Vec<_>>().join(" ");
    let inner = executable(&text).to_ascii_uppercase();
    if !inner.starts_with("SET") || !inner.contains("SQL_MODE") {
        return None;
    }
    let words: Vec<&str> = inner.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let mode = UNREADABLE.iter().find(|mode| words.contains(mode))?;
    Some((
        format!("the SQL mode {mode} changes how the text after it is read; triphase reads it without, and cut it so"),
        "take the mode out; quote names with ` and write a backslash in a string twice".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_sets_the_session() {
        for text in [
            "SET foreign_key_checks = 0",
            "set @a := 1",
            "SET @@session.sql_mode = ''",
            "SET NAMES utf8mb4",
            "USE other",
            "PREPARE s FROM @a",
            "DEALLOCATE PREPARE s",
            "/*!40101 SET character_set_client = utf8 */",
            "/*M!100100 SET @a = 1 */",
        ] {
            assert!(sets_session(text), "{text}");
        }
        for text in [
            "SET GLOBAL max_connections = 1",
            "SET @@global.max_connections = 1",
            "SET STATEMENT max_statement_time = 1 FOR ALTER TABLE t ENGINE = InnoDB",
            "SET PASSWORD = 'x'",
            "UPDATE t SET a = 1",
            "/*!50001 CREATE TABLE t (a int) */",
            "EXECUTE s",
        ] {
            assert!(!sets_session(text), "{text}");
        }
    }

    #[test]
    fn what_sets_the_session_elsewhere() {
        for (dialect, text, expected) in [
            (Dialect::Postgres, "SET search_path = tenant, public", true),
            (Dialect::Postgres, "set session ROLE owner", true),
            (Dialect::Postgres, "SET SESSION AUTHORIZATION 'owner'", true),
            (Dialect::Postgres, "RESET ROLE", true),
            (Dialect::Postgres, "SELECT pg_catalog.set_config('search_path', '', false)", true),
            (Dialect::Postgres, "SELECT set_config('search_path', '', true)", false),
            (Dialect::Postgres, "SELECT set_config('a.b', '', false) FROM t", false),
            (Dialect::Postgres, "SET LOCAL ROLE owner", false),
            (Dialect::Postgres, "SET client_encoding = 'LATIN1'", false),
            (Dialect::Postgres, "SELECT set_config('client_encoding', 'LATIN1', false)", false),
            (Dialect::Postgres, "SET SESSION application_name = 'x'", false),
            (Dialect::Postgres, "RESET ALL", false),
            (Dialect::Postgres, "SET CONSTRAINTS ALL DEFERRED", false),
            (Dialect::Postgres, "UPDATE t SET a = 1", false),
            (Dialect::Sqlite, "PRAGMA foreign_keys = OFF", true),
            (Dialect::Sqlite, "pragma main.legacy_alter_table(on)", true),
            (Dialect::Sqlite, "PRAGMA foreign_keys", false),
            (Dialect::Sqlite, "PRAGMA user_version = 3", false),
            (Dialect::Sqlite, "PRAGMA journal_mode = WAL", false),
            (Dialect::Delta, "SET a = 1", false),
        ] {
            assert_eq!(is_setting(dialect, text), expected, "{text}");
        }
    }

    #[test]
    fn what_moves_names() {
        for text in [
            "SET search_path = tenant",
            "SET LOCAL search_path TO tenant",
            "SET SCHEMA 'tenant'",
            "RESET search_path",
            "SELECT pg_catalog.set_config('search_path', '', false)",
        ] {
            assert!(moves_path(text), "{text}");
        }
        assert!(!moves_path("SET ROLE owner") && !moves_path("SELECT set_config('role', 'owner', false)"));
    }

    #[test]
    fn modes_that_turn_the_text_are_refused() {
        let told = |text: &str| read(Dialect::Mysql, text).and_then(|items| unreadable(&items)).is_some();
        assert!(told("SET sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'") && told("/*!40101 SET SQL_MODE='ansi' */"));
        assert!(!told("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'") && !told("SET @ansi = 1"));
    }
}
