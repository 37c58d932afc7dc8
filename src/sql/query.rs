//! Whether a text that should only ask (`expect`, `done_when`) is a query, by its kind of statement. What a function does that it calls is
//! not in the text.

use super::code::{Item, outer, read};
use crate::model::Dialect;

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
    // `PRAGMA x = 1` sets.
    if first.is("PRAGMA") {
        return items.iter().any(|item| item.symbol("=")).then(|| "PRAGMA … =".to_owned());
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
        assert_eq!(writes(Dialect::Sqlite, "PRAGMA user_version = 3").as_deref(), Some("PRAGMA … ="));
    }
}
