//! Names and texts as SQL: the only way either gets into a statement that triphase writes.
//!
//! No engine can hold a NUL, and a server may read no further than one. It becomes U+FFFD: a wrong name that is seen, never a statement
//! that ends early. Callers that can name the source refuse it there.

use crate::model::Dialect;

/// A name as an identifier, always quoted, so that its case and characters stay. A NUL becomes U+FFFD.
pub fn ident(dialect: Dialect, name: &str) -> String {
    let quote = match dialect {
        Dialect::Postgres | Dialect::Sqlite => '"',
        Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => '`',
    };
    quoted(String::new(), quote, name, |c| (c == quote).then_some(quote))
}

/// A text as a literal. A NUL becomes U+FFFD. On PostgreSQL right whatever `standard_conforming_strings` is; on MySQL and MariaDB not
/// under `NO_BACKSLASH_ESCAPES`, which the runner's `sql_mode` leaves out.
pub fn literal(dialect: Dialect, text: &str) -> String {
    let backslashes = |c| (c == '\\').then_some('\\');
    let quotes = |c| (c == '\'').then_some('\'');
    match dialect {
        Dialect::Postgres if text.contains('\\') => {
            quoted("E".to_owned(), '\'', text, |c| backslashes(c).or_else(|| quotes(c)))
        }
        Dialect::Postgres | Dialect::Sqlite => quoted(String::new(), '\'', text, quotes),
        Dialect::Mysql | Dialect::Mariadb => {
            quoted(String::new(), '\'', text, |c| backslashes(c).or_else(|| quotes(c)))
        }
        // Spark joins `'a''b'` into `ab`.
        Dialect::Delta => quoted(String::new(), '\'', text, |c| matches!(c, '\\' | '\'').then_some('\\')),
    }
}

/// A text between quotes, behind what stands before them; `before` is what comes before a character, to escape it.
fn quoted(mut out: String, quote: char, text: &str, before: impl Fn(char) -> Option<char>) -> String {
    out.reserve(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        out.extend(before(c));
        out.push(if c == '\0' { char::REPLACEMENT_CHARACTER } else { c });
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{Kind, lex};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_backslashes_are_safe() {
        assert_eq!(ident(Dialect::Postgres, "a\"b"), "\"a\"\"b\"");
        assert_eq!(ident(Dialect::Mysql, "a`b"), "`a``b`");
        assert_eq!(literal(Dialect::Sqlite, "c:\\ it's"), "'c:\\ it''s'");
        assert_eq!(literal(Dialect::Postgres, "c:\\ it's"), "E'c:\\\\ it''s'");
        assert_eq!(literal(Dialect::Mysql, "\\'"), "'\\\\'''");
        assert_eq!(literal(Dialect::Delta, "it's"), "'it\\'s'");
        assert_eq!(literal(Dialect::Postgres, "a\0b"), "'a\u{fffd}b'");
    }

    proptest! {
        #[test]
        fn each_is_one_token(text in r#"([a-z '"`;\\$\n\x00-]|é){0,20}"#) {
            for dialect in Dialect::ALL {
                for (quoted, kind) in [(ident(*dialect, &text), Kind::Name), (literal(*dialect, &text), Kind::Text)] {
                    let lexed = lex(*dialect, &quoted);
                    prop_assert_eq!(lexed.fault, None);
                    prop_assert_eq!(lexed.tokens.iter().map(|t| t.kind).collect::<Vec<_>>(), vec![kind]);
                }
            }
        }
    }
}
