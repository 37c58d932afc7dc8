//! What a rollback's own text tells of what it costs.

use super::code::{Cursor, Item, outer, read};
use crate::model::{Dialect, Label};

/// What a rollback made of these statements gives back, as far as their text tells; unsure is lossy. No statements: lossless.
pub fn label(dialect: Dialect, statements: &[&str]) -> Label {
    let lossless = statements.iter().all(|text| read(dialect, text).is_some_and(|items| keeps_all(&items)));
    if lossless { Label::Lossless } else { Label::Lossy }
}

fn keeps_all(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    // CASCADE takes what the text does not name.
    if outer(items).any(|item| item.is("CASCADE")) {
        return false;
    }
    if at.eat(&["CREATE"]) {
        at.eat(&["OR", "REPLACE"]);
        at.eat_any(&["TEMP", "TEMPORARY"]);
        at.eat_any(&["UNIQUE", "CONSTRAINT", "RECURSIVE"]);
        return at.eat_any(&["INDEX", "VIEW", "TRIGGER", "FUNCTION", "PROCEDURE"]);
    }
    if at.eat(&["DROP"]) {
        return at.eat_any(&["INDEX", "VIEW", "TRIGGER", "FUNCTION", "PROCEDURE"]);
    }
    if at.eat(&["ALTER"]) {
        return alter(at);
    }
    at.eat(&["COMMENT", "ON"]) || at.eat(&["RENAME", "TABLE"]) || at.eat_any(&["GRANT", "REVOKE"])
}

fn alter(mut at: Cursor<'_, '_>) -> bool {
    at.eat(&["FOREIGN"]);
    at.eat(&["MATERIALIZED"]);
    let table = at.eat(&["TABLE"]);
    if !table && at.take().is_none() {
        return false;
    }
    at.eat(&["IF", "EXISTS"]);
    at.eat(&["ONLY"]);
    if at.name().is_none() {
        return false;
    }
    at.symbol("*");
    if !table {
        at.parentheses();
        if at.eat(&["ON"]) && at.name().is_none() {
            return false;
        }
        return at.eat(&["RENAME"]) || at.eat(&["SET", "SCHEMA"]);
    }
    let mut depth = 0_i32;
    at.rest()
        .split(|item| {
            depth += i32::from(item.symbol("(")) - i32::from(item.symbol(")"));
            depth == 0 && item.symbol(",")
        })
        .all(table_action)
}

fn table_action(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    if at.eat(&["ALTER"]) {
        at.eat(&["COLUMN"]);
        let kept: [&[&str]; 4] =
            [&["SET", "DEFAULT"], &["DROP", "DEFAULT"], &["SET", "NOT", "NULL"], &["DROP", "NOT", "NULL"]];
        return at.name().is_some() && kept.iter().any(|words| at.eat(words));
    }
    let kept: [&[&str]; 5] =
        [&["RENAME"], &["SET", "SCHEMA"], &["ADD", "CONSTRAINT"], &["DROP", "CONSTRAINT"], &["VALIDATE", "CONSTRAINT"]];
    kept.iter().any(|words| at.eat(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_all_is_lossless() {
        for text in [
            "ALTER TABLE t RENAME COLUMN a TO b",
            "ALTER TABLE IF EXISTS ONLY s.t SET SCHEMA x",
            "ALTER TYPE s.e RENAME VALUE 'a' TO 'b'",
            "ALTER FUNCTION f(int) RENAME TO g",
            "ALTER TRIGGER x ON t RENAME TO y",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
            "DROP INDEX i",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "DROP TRIGGER x ON t",
            "DROP FUNCTION f",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IN (1, 2)), ALTER COLUMN b DROP NOT NULL",
            "ALTER TABLE t ALTER a SET DEFAULT 1",
            "ALTER TABLE t DROP CONSTRAINT c",
            "COMMENT ON TABLE t IS 'x'",
            "GRANT SELECT ON t TO r",
        ] {
            assert_eq!(label(Dialect::Postgres, &[text]), Label::Lossless, "{text}");
        }
        assert_eq!(label(Dialect::Postgres, &[]), Label::Lossless);
    }

    #[test]
    fn the_rest_is_lossy() {
        for text in [
            "DROP TABLE t",
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t RENAME a TO b, DROP COLUMN c",
            "ALTER TABLE t ALTER a TYPE int",
            "ALTER TYPE rename DROP ATTRIBUTE x",
            "DROP FUNCTION f CASCADE",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "INSERT INTO t VALUES (1)",
            "SOMETHING new",
            "'open",
        ] {
            assert_eq!(label(Dialect::Postgres, &["DROP INDEX i", text]), Label::Lossy, "{text}");
        }
    }
}
