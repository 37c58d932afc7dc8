//! What stands between marks: strings, quoted names, strings in dollars.

use super::{Found, Kind, Lexer, Unterminated, words::word_start};
use crate::model::Dialect;

impl Lexer<'_> {
    /// A string or a quoted name, its prefix with it.
    pub(super) fn quoted(&mut self, at: usize) -> Option<Found> {
        let lower = |i: usize| self.bytes.get(at + i).map(u8::to_ascii_lowercase);
        let (first, second, third) = (lower(0)?, lower(1), lower(2));
        let quote = |b: Option<u8>| b.filter(|b| matches!(b, b'\'' | b'"'));
        // How many bytes stand before the quote, the quote, whether a backslash escapes, whether it is a name.
        let (prefix, mark, escapes, name) = match self.dialect {
            Dialect::Postgres => match (first, second, third) {
                (b'\'', ..) => (0, b'\'', false, false),
                (b'"', ..) => (0, b'"', false, true),
                (b'e', Some(b'\''), _) => (1, b'\'', true, false),
                (b'b' | b'x' | b'n', Some(b'\''), _) => (1, b'\'', false, false),
                (b'u', Some(b'&'), Some(b'\'')) => (2, b'\'', false, false),
                (b'u', Some(b'&'), Some(b'"')) => (2, b'"', false, true),
                _ => return None,
            },
            Dialect::Sqlite => match (first, second) {
                (b'\'', _) => (0, b'\'', false, false),
                (b'x', Some(b'\'')) => (1, b'\'', false, false),
                (b'"' | b'`', _) => (0, first, false, true),
                (b'[', _) => (0, b']', false, true),
                _ => return None,
            },
            Dialect::Mysql | Dialect::Mariadb => match (first, second) {
                (b'\'' | b'"', _) => (0, first, true, false),
                (b'x' | b'b' | b'n', Some(b'\'')) => (1, b'\'', true, false),
                (b'`', _) => (0, b'`', false, true),
                _ => return None,
            },
            Dialect::Delta => match (first, quote(second)) {
                (b'\'' | b'"', _) => (0, first, true, false),
                (b'x', Some(mark)) => (1, mark, true, false),
                (b'r', Some(mark)) => (1, mark, false, false),
                (b'`', _) => (0, b'`', false, true),
                _ => return None,
            },
        };
        let continues = self.dialect == Dialect::Postgres && prefix == 0 && !name && self.continues();
        let escapes = if continues { self.escapes } else { escapes };
        let open = at..at + prefix + 1;
        let Some(end) = self.closing(open.end, mark, escapes) else {
            let what = if name { "quoted name" } else { "string" };
            return Some(Err(Unterminated { what, close: char::from(mark).to_string(), span: open }));
        };
        if !name {
            self.escapes = escapes;
        }
        let kind = match (name, continues) {
            (true, _) => Kind::Name,
            (false, true) => Kind::Continuation,
            (false, false) => Kind::Text,
        };
        Some(Ok((kind, end)))
    }

    /// The end of what was opened: after a `mark` that is neither doubled nor escaped. A `]` can't be doubled.
    fn closing(&self, from: usize, mark: u8, escapes: bool) -> Option<usize> {
        let mut i = from;
        while let Some(b) = self.bytes.get(i) {
            i += match b {
                b'\\' if escapes => 2,
                b if *b == mark => {
                    if mark == b']' || self.bytes.get(i + 1) != Some(&mark) {
                        return Some(i + 1);
                    }
                    2
                }
                _ => 1,
            };
        }
        None
    }

    /// Whether a string here goes on with the one before: only blanks and line comments between them, a line end among these.
    fn continues(&self) -> bool {
        let mut newline = false;
        for token in self.tokens.iter().rev() {
            match token.kind {
                Kind::Blank => newline |= self.text[token.span.clone()].contains(['\n', '\r']),
                Kind::LineComment => {}
                Kind::Text | Kind::Continuation => return newline,
                Kind::BlockComment
                | Kind::Hint
                | Kind::Word
                | Kind::Name
                | Kind::Dollar
                | Kind::Number
                | Kind::Parameter
                | Kind::Symbol => return false,
            }
        }
        false
    }

    /// A string in `$$` or `$tag$`, if one begins here.
    pub(super) fn dollar(&self, at: usize) -> Result<Option<(Kind, usize)>, Unterminated> {
        let tag = self.run(at + 1, |b| word_start(b) || b.is_ascii_digit());
        if self.bytes.get(tag) != Some(&b'$') {
            return Ok(None);
        }
        let mark = &self.text[at..=tag];
        match self.text[tag + 1..].find(mark) {
            Some(n) => Ok(Some((Kind::Dollar, tag + 1 + n + mark.len()))),
            None => Err(Unterminated { what: "string", close: mark.to_owned(), span: at..tag + 1 }),
        }
    }
}
