//! What the tools' files have in common.

use crate::{model::Dialect, sql};

/// A file's name without folders.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A column as text, in a query of one of our dialects.
pub(super) fn column(dialect: Dialect, name: &str) -> String {
    let kind = match dialect {
        Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => "text",
        Dialect::Mysql | Dialect::Mariadb => "char",
    };
    format!("CAST({} AS {kind})", sql::ident(dialect, name))
}

/// A query for columns as text.
pub(super) fn select(dialect: Dialect, table: &str, columns: &[&str], order: &str) -> String {
    let columns: Vec<String> = columns.iter().map(|name| column(dialect, name)).collect();
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", sql::ident(dialect, order)) };
    format!("SELECT {} FROM {table}{order}", columns.join(", "))
}

/// A truth value as the engines write it.
pub(super) fn truth(text: Option<&str>) -> bool {
    matches!(text, Some("1" | "t" | "true" | "TRUE"))
}

/// The text without the statements that open and end a transaction: triphase runs a handler in one of its own. With `all`, wherever
/// they stand; else only as the first and the last statement, so that what commits on its way is found and refused (F9).
pub(super) fn unwrapped(dialect: Dialect, text: &str, all: bool) -> String {
    let Err(errors) = sql::split(dialect, text) else { return text.to_owned() };
    if errors.iter().any(|error| error.rule != "F9") {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    for error in errors.iter().rev() {
        let mut end = error.span.end;
        let tail = &text[end..];
        if tail.trim_start().starts_with(';') {
            end += tail.len() - tail.trim_start().len() + 1;
        }
        let outer = is_empty(dialect, &text[..error.span.start]) || is_empty(dialect, &text[end..]);
        let word = text[error.span.clone()].split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let frames = ["BEGIN", "START", "COMMIT", "END"].iter().any(|known| word.eq_ignore_ascii_case(known));
        if frames && (all || outer) {
            kept.replace_range(error.span.start..end, "");
        }
    }
    kept
}

/// Whether a text has no statement.
pub(super) fn is_empty(dialect: Dialect, text: &str) -> bool {
    sql::split(dialect, text).is_ok_and(|statements| statements.is_empty())
}

/// How long a name in backticks is that the text begins with.
pub(super) fn quoted_name(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'`', Some(b'`')) => at += 2,
            (b'`', _) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Words of a file's name as a person would write them.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_frame_is_taken_off() {
        let text = "-- why\nBEGIN;\nCREATE TABLE a (b text DEFAULT 'BEGIN;');\nCOMMIT ;\n";
        assert_eq!(
            unwrapped(Dialect::Postgres, text, false).trim(),
            "-- why\n\nCREATE TABLE a (b text DEFAULT 'BEGIN;');"
        );
        let text = "a; COMMIT; b; BEGIN TRANSACTION; c";
        assert_eq!(unwrapped(Dialect::Postgres, text, false), text);
        assert_eq!(unwrapped(Dialect::Postgres, text, true), "a;  b;  c");
        let body = "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END;";
        assert_eq!(unwrapped(Dialect::Sqlite, body, true), body);
    }
}
