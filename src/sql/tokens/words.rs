//! What stands without marks: numbers, words, parameters, operators.

use super::{Kind, Lexer, Unterminated};
use crate::model::Dialect;

impl Lexer<'_> {
    pub(super) fn number(&self, at: usize) -> usize {
        let digit = |b: u8| b.is_ascii_digit() || b == b'_';
        let byte = |i: usize| self.bytes.get(i).copied();
        let postgres = self.dialect == Dialect::Postgres;
        if byte(at) == Some(b'0')
            && byte(at + 1).is_some_and(|b| b"xXoObB".contains(&b))
            && byte(at + 2).is_some_and(|b| b.is_ascii_hexdigit() || b == b'_')
        {
            return self.run(at + 2, |b| b.is_ascii_alphanumeric() || b == b'_');
        }
        let mut end = self.run(at, digit);
        // PL/pgSQL's `1..10` is a range, not two numbers.
        if byte(end) == Some(b'.') && !(postgres && byte(end + 1) == Some(b'.')) {
            end = self.run(end + 1, digit);
        }
        if byte(end).is_some_and(|b| b == b'e' || b == b'E') {
            let sign = usize::from(byte(end + 1).is_some_and(|b| b == b'+' || b == b'-'));
            if byte(end + 1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                end = self.run(end + 1 + sign, digit);
            }
        }
        // Letters after a number: PostgreSQL starts a new word there, the others take them with it.
        if postgres { end } else { self.word_end(end) }
    }

    pub(super) fn word_end(&self, at: usize) -> usize {
        let dollar = self.dialect != Dialect::Delta;
        self.run(at, |b| word_start(b) || b.is_ascii_digit() || (dollar && b == b'$'))
    }

    /// A parameter, a variable, or a string in dollars.
    pub(super) fn parameter(&self, at: usize) -> Result<Option<(Kind, usize)>, Unterminated> {
        let rest = &self.bytes[at..];
        let digits = self.run(at + 1, |b| b.is_ascii_digit());
        match (self.dialect, rest[0]) {
            (Dialect::Postgres, b'$') if digits > at + 1 => Ok(Some((Kind::Parameter, digits))),
            (Dialect::Postgres, b'$') => self.dollar(at),
            (Dialect::Sqlite, b'?') => Ok(Some((Kind::Parameter, digits))),
            (Dialect::Sqlite, b'$' | b'@' | b':' | b'#') => {
                let end = self.sqlite_variable(at);
                Ok((end > at + 1).then_some((Kind::Parameter, end)))
            }
            (Dialect::Mysql | Dialect::Mariadb, b'$') => Ok(Some((Kind::Word, self.word_end(at)))),
            (Dialect::Mysql | Dialect::Mariadb, b'@') => {
                let name = self.run(at, |b| b == b'@');
                let end = self.run(name, |b| word_start(b) || b.is_ascii_digit() || b == b'$' || b == b'.');
                Ok(Some((Kind::Parameter, end)))
            }
            // `\N` is NULL there; any other backslash is the client's.
            (Dialect::Mysql | Dialect::Mariadb, b'\\') if rest.get(1) == Some(&b'N') => Ok(Some((Kind::Word, at + 2))),
            (Dialect::Delta, b':') if rest.get(1).copied().is_some_and(word_start) => {
                Ok(Some((Kind::Parameter, self.word_end(at + 1))))
            }
            _ => Ok(None),
        }
    }

    /// `:name`, `$name::part(suffix)`: the suffix may hold anything but a blank, a semicolon too.
    fn sqlite_variable(&self, at: usize) -> usize {
        let (mut i, mut letters) = (at + 1, 0);
        while let Some(b) = self.bytes.get(i).copied() {
            if word_start(b) || b.is_ascii_digit() || b == b'$' {
                (i, letters) = (i + 1, letters + 1);
            } else if b == b'(' && letters > 0 {
                let end = self.run(i + 1, |b| !self.blank(b) && b != b')' && b != 0);
                return if self.bytes.get(end) == Some(&b')') { end + 1 } else { end };
            } else if self.bytes[i..].starts_with(b"::") {
                i += 2;
            } else {
                break;
            }
        }
        if letters == 0 { at } else { i }
    }

    pub(super) fn symbol(&self, at: usize) -> usize {
        let rest = &self.bytes[at..];
        let known: &[&str] = match self.dialect {
            Dialect::Postgres => &["::", ":=", ".."],
            Dialect::Sqlite => &["->>", "->", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>"],
            Dialect::Mysql | Dialect::Mariadb => {
                &["->>", "<=>", "->", "||", "&&", "<=", ">=", "<>", "!=", "<<", ">>", ":="]
            }
            Dialect::Delta => &["<=>", ">>>", "->", "=>", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "::"],
        };
        if let Some(found) = known.iter().find(|known| rest.starts_with(known.as_bytes())) {
            return at + found.len();
        }
        if self.dialect == Dialect::Postgres && operator(rest[0]) {
            return at + postgres_operator(rest);
        }
        at + 1
    }
}

/// Whether a word may begin with this byte.
pub(super) fn word_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn operator(b: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&b)
}

/// The length of the operator that PostgreSQL reads: the longest run, up to a comment; it ends in `+` or `-` only if it has one of
/// the characters that standard SQL's operators don't have (so `=-` is two).
fn postgres_operator(rest: &[u8]) -> usize {
    let mut length = (0..rest.len())
        .find(|i| !operator(rest[*i]) || (*i > 0 && (rest[*i..].starts_with(b"--") || rest[*i..].starts_with(b"/*"))))
        .unwrap_or(rest.len());
    while length > 1
        && matches!(rest[length - 1], b'+' | b'-')
        && !rest[..length - 1].iter().any(|b| b"~!@#^&|`?%".contains(b))
    {
        length -= 1;
    }
    length
}
