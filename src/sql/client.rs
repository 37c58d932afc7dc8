//! A statement written such that the database's own client sends it as it stands. What a client reads in it that its server does not is
//! said so that only the server's meaning is left. Strings, quoted names and comments are nobody's business: clients know them too.

use super::tokens::{Kind, Token, lex};
use crate::model::Dialect;

/// For `psql`, which puts the value of a variable (`:name`, `:'name'`, `:"name"`, `:{?name}`) wherever one of that name is set, as `PORT`,
/// `HOST` and `USER` always are: in `a[1:PORT]` too. A colon with a backslash before it is sent as a plain one.
pub fn for_psql(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for token in lex(Dialect::Postgres, text).tokens {
        let names = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b"_'\"{".contains(&b);
        let begins = text.as_bytes().get(token.span.end).copied().is_some_and(names);
        let word = &text[token.span];
        if word == ":" && begins {
            written.push('\\');
        }
        written.push_str(word);
    }
    written
}

/// For `sqlite3`, to which a line of only `/` or `go` is the end of a statement, with comments behind it too. A comment before it makes it a
/// line as any other.
pub fn for_sqlite3(text: &str) -> String {
    let tokens = lex(Dialect::Sqlite, text).tokens;
    let mut written = String::with_capacity(text.len());
    for (at, token) in tokens.iter().enumerate() {
        let word = &text[token.span.clone()];
        let ends = match token.kind {
            Kind::Word => word.eq_ignore_ascii_case("go"),
            Kind::Symbol => word == "/",
            _ => false,
        };
        if ends && begins_line(text, token) && ends_line(text, &tokens[at + 1..]) {
            written.push_str("/**/");
        }
        written.push_str(word);
    }
    written
}

/// Whether nothing but blanks comes before it on its line.
fn begins_line(text: &str, token: &Token) -> bool {
    text[..token.span.start].rsplit('\n').next().is_none_or(|before| before.chars().all(char::is_whitespace))
}

/// Whether nothing but blanks and comments comes next on this line.
fn ends_line(text: &str, next: &[Token]) -> bool {
    for token in next {
        match token.kind {
            Kind::LineComment => return true,
            Kind::Blank | Kind::BlockComment | Kind::Hint if text[token.span.clone()].contains('\n') => return true,
            Kind::Blank | Kind::BlockComment | Kind::Hint => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psql_finds_no_variable() {
        for (text, written) in [
            (
                "SELECT a[1:PORT], a[:x], b[1:'x'], b[1:\"PORT\"]",
                r#"SELECT a[1\:PORT], a[\:x], b[1\:'x'], b[1\:"PORT"]"#,
            ),
            ("SELECT a[lo:é], a[1:{?x}]", "SELECT a[lo\\:é], a[1\\:{?x}]"),
            // A cast with a slice behind it.
            ("SELECT x:::PORT", "SELECT x::\\:PORT"),
        ] {
            assert_eq!(for_psql(text), written);
        }
        for plain in [
            "SELECT x::PORT, a[1: PORT], a[1:], a[ : ], f(a := PORT), ':PORT', E'\\':PORT', \":PORT\"",
            "SELECT $$ :PORT $$, $a$ :'PORT' $a$ /* :PORT */ -- :PORT",
        ] {
            assert_eq!(for_psql(plain), plain);
        }
    }

    #[test]
    fn sqlite3_finds_no_end_of_a_statement() {
        for (text, written) in [
            ("SELECT 6\n/\n2", "SELECT 6\n/**//\n2"),
            ("SELECT 1 AS\r\n \tGO \r\nFROM t", "SELECT 1 AS\r\n \t/**/GO \r\nFROM t"),
            ("SELECT 1\nAS -- what\ngo -- it\n", "SELECT 1\nAS -- what\n/**/go -- it\n"),
            ("SELECT 6\n/ /* by */ /*\n*/ 2", "SELECT 6\n/**// /* by */ /*\n*/ 2"),
            ("SELECT 1 AS\ngo", "SELECT 1 AS\n/**/go"),
        ] {
            assert_eq!(for_sqlite3(text), written);
        }
        for plain in [
            "SELECT 6 /\n2",
            "SELECT 6\n/ 2",
            "SELECT go\n, gone\n",
            "SELECT '\ngo\n', \"\n/\n\", [\ngo\n], `\n/\n` /*\ngo\n*/ -- x\n",
        ] {
            assert_eq!(for_sqlite3(plain), plain);
        }
    }
}
