//! The words of a statement that may be names.

use super::code::{Cursor, Item, read};
use super::ddl::Named;
use super::tokens::Kind;
use crate::model::Dialect;
use std::collections::BTreeSet;

/// Every word of a statement that could name a table, a view, a routine or a database. `None` where the text can't be read, or hides code
/// in a comment, or writes a file.
pub fn names(dialect: Dialect, text: &str) -> Option<BTreeSet<String>> {
    let items = read(dialect, text)?;
    if items.iter().any(|item| item.kind == Kind::Hint || item.is_any(&["OUTFILE", "DUMPFILE"])) {
        return None;
    }
    Some(items.iter().filter(|item| matches!(item.kind, Kind::Word | Kind::Name)).map(name).collect())
}

/// The procedure that a `CALL` of MySQL or MariaDB is of; none for any other statement.
pub fn called(text: &str) -> Option<Named> {
    let items = read(Dialect::Mariadb, text)?;
    let mut at = Cursor::new(&items);
    at.eat(&["CALL"]).then_some(())?;
    let mut parts: Vec<String> = at.name()?.into_iter().map(name).collect();
    let name = parts.pop()?;
    Some(Named { schema: parts.pop(), name })
}

/// Whether a statement of MySQL or MariaDB is a `DROP`.
pub fn drops(text: &str) -> bool {
    read(Dialect::Mariadb, text).is_some_and(|items| items.first().is_some_and(|first| first.is("DROP")))
}

/// A name without its quotes.
pub(super) fn name(item: &Item<'_>) -> String {
    let text = item.text;
    for (open, close) in [('`', '`'), ('"', '"'), ('[', ']')] {
        if item.kind == Kind::Name
            && let Some(inner) = text.strip_prefix(open).and_then(|text| text.strip_suffix(close))
        {
            return inner.replace(&format!("{close}{close}"), &close.to_string());
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn what_is_called() {
        let called = |text: &str| called(text).map(|named| (named.schema, named.name));
        assert_eq!(called("call p(1)"), Some((None, "p".into())));
        assert_eq!(called("CALL `other db`.p"), Some((Some("other db".into()), "p".into())));
        assert_eq!(called("SELECT p()"), None);
        assert!(drops("/* x */ drop table a, b") && !drops("CALL p()"));
    }

    #[test]
    fn names_of_a_statement() {
        let found = names(Dialect::Mysql, "INSERT INTO `a``b`.t SELECT 'x.y', f(c) FROM u");
        let found: Vec<String> = found.into_iter().flatten().collect();
        assert_eq!(found, ["FROM", "INSERT", "INTO", "SELECT", "a`b", "c", "f", "t", "u"]);
        assert_eq!(names(Dialect::Mysql, "SELECT 1 INTO OUTFILE '/x'"), None);
        assert_eq!(names(Dialect::Mysql, "INSERT /*! DELAYED */ INTO t VALUES (1)"), None);
    }
}
