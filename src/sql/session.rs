//! MySQL's and MariaDB's statements that change the session and nothing else: what they set lasts until the session ends, so a handler that
//! goes on in another session needs them again.

use super::code::{Item, read};
use super::tokens::Kind;
use crate::model::Dialect;
use std::{borrow::Cow, collections::BTreeSet};

/// What `SET` is followed by where it sets more than the session, or runs a statement.
const WIDER: &[&str] = &["GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "STATEMENT", "DEFAULT", "RESOURCE"];

/// Whether a statement only sets the session: `SET`, `USE`, `PREPARE`, `DEALLOCATE`; in `/*! */` too, as dumps have them.
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

/// Every word of a statement that could name a table, a view, a routine or a database. `None` where the text can't be read, or hides code
/// in a comment, or writes a file.
pub fn names(dialect: Dialect, text: &str) -> Option<BTreeSet<String>> {
    let items = read(dialect, text)?;
    if items.iter().any(|item| item.kind == Kind::Hint || item.is_any(&["OUTFILE", "DUMPFILE"])) {
        return None;
    }
    Some(items.iter().filter(|item| matches!(item.kind, Kind::Word | Kind::Name)).map(name).collect())
}

/// A name without its quotes.
pub(super) fn name(item: &Item<'_>) -> String {
    match (item.kind, item.text.strip_prefix('`').and_then(|text| text.strip_suffix('`'))) {
        (Kind::Name, Some(inner)) => inner.replace("``", "`"),
        _ => item.text.to_owned(),
    }
}

/// SQL modes after which the text that follows would be read in another way than it was cut.
const UNREADABLE: [&str; 4] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "ORACLE"];

/// Why a statement is refused that changes how a text is read: what is wrong, and the way out.
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
    fn names_of_a_statement() {
        let found = names(Dialect::Mysql, "INSERT INTO `a``b`.t SELECT 'x.y', f(c) FROM u");
        let found: Vec<String> = found.into_iter().flatten().collect();
        assert_eq!(found, ["FROM", "INSERT", "INTO", "SELECT", "a`b", "c", "f", "t", "u"]);
        assert_eq!(names(Dialect::Mysql, "SELECT 1 INTO OUTFILE '/x'"), None);
        assert_eq!(names(Dialect::Mysql, "INSERT /*! DELAYED */ INTO t VALUES (1)"), None);
    }

    #[test]
    fn modes_that_turn_the_text_are_refused() {
        let told = |text: &str| read(Dialect::Mysql, text).and_then(|items| unreadable(&items)).is_some();
        assert!(told("SET sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'") && told("/*!40101 SET SQL_MODE='ansi' */"));
        assert!(!told("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'") && !told("SET @ansi = 1"));
    }
}
