//! Lossless tokens: every byte of a text is in exactly one of them, in order. The rules are the servers' own lexers', for what the
//! author's text can do: where a string ends decides where a statement ends, and a statement cut wrong is a lost write.
//!
//! `standard_conforming_strings` is taken as on, and MySQL's `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` as off: the runner sets them so.

mod quoted;
#[cfg(test)]
mod tests;
mod words;

use crate::model::Dialect;
use std::ops::Range;
use words::word_start;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Blanks, line ends, a byte order mark.
    Blank,
    /// `-- …` or `# …`, without its line end.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// `/*! … */`, `/*M! … */`, `/*+ … */`: a comment that some reader takes as code.
    Hint,
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Name,
    /// A string in quotes, its prefix (`E`, `X`, `U&`, …) with it.
    Text,
    /// A PostgreSQL string that goes on with the string before it, across a line end.
    Continuation,
    /// A string in `$$` or `$tag$`.
    Dollar,
    /// A number.
    Number,
    /// A parameter or variable: `$1`, `:name`, `?2`, `@v`.
    Parameter,
    /// An operator, a bracket, a comma, a semicolon, or a character that the dialect does not know.
    Symbol,
}

/// A token and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// What was opened and never closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unterminated {
    /// In words, as `string`.
    pub what: &'static str,
    /// What would close it.
    pub close: String,
    /// Where it was opened.
    pub span: Range<usize>,
}

/// The tokens up to the end, or up to what is unterminated.
pub(super) struct Lexed {
    pub tokens: Vec<Token>,
    pub fault: Option<Unterminated>,
}

/// Cuts a text into tokens.
pub(super) fn lex(dialect: Dialect, text: &str) -> Lexed {
    let mut lexer = Lexer { dialect, text, bytes: text.as_bytes(), tokens: vec![], escapes: false };
    let mut at = 0;
    while at < text.len() {
        match lexer.token(at) {
            Ok((kind, end)) => {
                lexer.tokens.push(Token { kind, span: at..end });
                at = end;
            }
            Err(fault) => return Lexed { tokens: lexer.tokens, fault: Some(fault) },
        }
    }
    Lexed { tokens: lexer.tokens, fault: None }
}

struct Lexer<'a> {
    dialect: Dialect,
    text: &'a str,
    bytes: &'a [u8],
    tokens: Vec<Token>,
    /// Whether a backslash escapes in the last `Text`: its continuation is read in the same way.
    escapes: bool,
}

type Found = Result<(Kind, usize), Unterminated>;

const BOM: &[u8] = "\u{feff}".as_bytes();

impl Lexer<'_> {
    fn token(&mut self, at: usize) -> Found {
        let rest = &self.bytes[at..];
        let second = rest.get(1).copied();
        // Where a statement starts the mark is nobody's (files are put together); later it is a letter, except to SQLite.
        if rest.starts_with(BOM) && (self.dialect == Dialect::Sqlite || self.starts_statement()) {
            return Ok((Kind::Blank, at + BOM.len()));
        }
        if self.blank(rest[0]) {
            return Ok((Kind::Blank, self.run(at, |b| self.blank(b))));
        }
        if self.line_comment(rest) {
            return Ok((Kind::LineComment, self.run(at, |b| !self.ends_line(b))));
        }
        if rest.starts_with(b"/*") {
            return self.block_comment(at);
        }
        if let Some(found) = self.quoted(at) {
            return found;
        }
        let first = rest[0];
        if first.is_ascii_digit() || (first == b'.' && second.is_some_and(|b| b.is_ascii_digit())) {
            return Ok((Kind::Number, self.number(at)));
        }
        if word_start(first) {
            return Ok((Kind::Word, self.word_end(at)));
        }
        if let Some(found) = self.parameter(at)? {
            return Ok(found);
        }
        Ok((Kind::Symbol, self.symbol(at)))
    }

    fn starts_statement(&self) -> bool {
        self.tokens.iter().rev().find(|token| solid(token)).is_none_or(|token| &self.text[token.span.clone()] == ";")
    }

    fn run(&self, at: usize, goes_on: impl Fn(u8) -> bool) -> usize {
        self.bytes[at..].iter().position(|b| !goes_on(*b)).map_or(self.bytes.len(), |n| at + n)
    }

    fn blank(&self, b: u8) -> bool {
        match b {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => true,
            // SQLite knows no vertical tab: it is an error there, and stays one.
            0x0b => self.dialect != Dialect::Sqlite,
            _ => false,
        }
    }

    /// Only PostgreSQL and Spark end a line comment at a lone carriage return.
    fn ends_line(&self, b: u8) -> bool {
        match self.dialect {
            Dialect::Postgres | Dialect::Delta => b == b'\n' || b == b'\r',
            Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb => b == b'\n',
        }
    }

    fn line_comment(&self, rest: &[u8]) -> bool {
        match self.dialect {
            Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => rest.starts_with(b"--"),
            Dialect::Mysql | Dialect::Mariadb => {
                rest[0] == b'#'
                    || (rest.starts_with(b"--") && rest.get(2).is_none_or(|b| *b == b' ' || b.is_ascii_control()))
            }
        }
    }

    fn block_comment(&self, at: usize) -> Found {
        let nests = match self.dialect {
            Dialect::Postgres | Dialect::Delta => true,
            Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb => false,
        };
        let (mut depth, mut i) = (1, at + 2);
        while i < self.bytes.len() {
            if self.bytes[i..].starts_with(b"*/") {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    let inner = &self.bytes[at + 2..];
                    let hint = [&b"!"[..], b"M!", b"+"].iter().any(|mark| inner.starts_with(mark));
                    return Ok((if hint { Kind::Hint } else { Kind::BlockComment }, i));
                }
            } else if nests && self.bytes[i..].starts_with(b"/*") {
                (depth, i) = (depth + 1, i + 2);
            } else {
                i += 1;
            }
        }
        Err(Unterminated { what: "comment", close: "*/".to_owned(), span: at..at + 2 })
    }
}

fn solid(token: &Token) -> bool {
    !matches!(token.kind, Kind::Blank | Kind::LineComment | Kind::BlockComment)
}
