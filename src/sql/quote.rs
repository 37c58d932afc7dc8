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
    format!("{quote}{}{quote}", without_nul(name).replace(quote, &format!("{quote}{quote}")))
}

/// A text as a literal. A NUL becomes U+FFFD. On PostgreSQL right whatever `standard_conforming_strings` is; on MySQL and MariaDB not
/// under `NO_BACKSLASH_ESCAPES`, which the runner's `sql_mode` leaves out.
pub fn literal(dialect: Dialect, text: &str) -> String {
    let text = without_nul(text);
    match dialect {
        Dialect::Postgres if text.contains('\\') => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        Dialect::Postgres | Dialect::Sqlite => format!("'{}'", text.replace('\'', "''")),
        Dialect::Mysql | Dialect::Mariadb => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        // Spark joins `'a''b'` into `ab`.
        Dialect::Delta => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
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
