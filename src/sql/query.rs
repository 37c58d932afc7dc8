//! Whether a text that should only ask (`expect`, `done_when`) is a query, by its kind of statement. What a function does that it calls is
//! not in the text.

use super::alone::pragma;
use super::code::{Item, outer, read};
use crate::model::Dialect;

/// SQLite's pragmas whose argument says what is asked about (sqlite.org/pragma.html); any other is set by its argument.
const ASKED_OF: &[&str] = &[
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// What keeps a statement from being a query: the word that makes it write, as written; none where it only asks, or can't be read.
pub fn writes(dialect: Dialect, text: &str) -> Option<String> {
    let items = read(dialect, text)?;
    let first = items.iter().find(|item| !item.symbol("("))?;
    let word = |item: &Item<'_>| Some(item.text.to_ascii_uppercase());
    let asks: &[&str] = match dialect {
        Dialect::Sqlite => &["SELECT", "VALUES", "WITH", "PRAGMA"],
        Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => {
            &["SELECT", "VALUES", "WITH", "SHOW", "TABLE"]
        }
    };
    if !first.is_any(asks) {
        return word(first);
    }
    // `PRAGMA x = 1` sets, and so does `PRAGMA x(1)`.
    if first.is("PRAGMA") {
        let (name, value) = pragma(&items)?;
        let asks = value.is_none() || ASKED_OF.iter().any(|known| name.eq_ignore_ascii_case(known));
        return (!asks).then(|| format!("PRAGMA {name} = …"));
    }
    if let Some(into) = outer(&items).find(|item| item.is("INTO")) {
        return word(into);
    }
    // Of a WITH, any part may write: it begins after a parenthesis, open or closed.
    let begins = items.windows(3).find_map(|three| match three {
        [before, here, next] => {
            let part = before.symbol("(") || before.symbol(")");
            let writes = here.is_any(&["INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"]);
            let called = next.symbol("(") || next.symbol(")") || next.symbol(",") || next.symbol(".");
            (part && writes && !called).then_some(here)
        }
        _ => None,
    });
    if first.is("WITH") { begins.and_then(word) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_writes_is_told_from_what_asks() {
        for (text, expected) in [
            ("SELECT true", None),
            ("(SELECT 1) UNION (SELECT 2) LIMIT 1", None),
            ("VALUES (1)", None),
            ("TABLE t", None),
            ("SHOW server_version_num", None),
            ("SELECT count(*) FROM a WHERE update > 1 FOR UPDATE", None),
            ("WITH a AS (SELECT 1) SELECT * FROM a", None),
            ("WITH a AS (SELECT 1) SELECT replace('a', 'b', 'c') FROM a FOR UPDATE", None),
            ("WITH a AS (SELECT (delete) FROM t) SELECT 1", None),
            ("INSERT INTO a VALUES (1) RETURNING true", Some("INSERT")),
            ("CREATE TABLE a (x int)", Some("CREATE")),
            ("/* x */ update a SET x = 1 RETURNING true", Some("UPDATE")),
            ("WITH a AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM a", Some("DELETE")),
            ("WITH a AS MATERIALIZED (SELECT 1) INSERT INTO t SELECT 1 RETURNING true", Some("INTO")),
            ("WITH a AS (SELECT 1) UPDATE t SET x = 1 RETURNING true", Some("UPDATE")),
            ("SELECT 1 INTO a", Some("INTO")),
            ("CALL p()", Some("CALL")),
        ] {
            assert_eq!(writes(Dialect::Postgres, text).as_deref(), expected, "{text}");
        }
        assert_eq!(writes(Dialect::Sqlite, "PRAGMA user_version"), None);
        for text in ["PRAGMA table_info(t)", "PRAGMA main.foreign_key_check('t')", "PRAGMA integrity_check(1)"] {
            assert_eq!(writes(Dialect::Sqlite, text), None, "{text}");
        }
        for (text, expected) in [
            ("PRAGMA user_version = 3", "PRAGMA user_version = …"),
            ("PRAGMA user_version(3)", "PRAGMA user_version = …"),
            ("pragma main.\"journal_mode\"(wal)", "PRAGMA journal_mode = …"),
        ] {
            assert_eq!(writes(Dialect::Sqlite, text).as_deref(), Some(expected), "{text}");
        }
    }
}
