//! Lossless tokens: every byte of a text is in exactly one of them, in order. The rules are the servers' own lexers', for what the
//! author's text can do: where a string ends decides where a statement ends, and a statement cut wrong is a lost write.
//!
//! `standard_conforming_strings` is taken as on, and MySQL's `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` as off: the runner sets them so.

use crate::model::Dialect;
use std::ops::Range;

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

    /// A string or a quoted name, its prefix with it.
    fn quoted(&mut self, at: usize) -> Option<Found> {
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

    fn number(&self, at: usize) -> usize {
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

    fn word_end(&self, at: usize) -> usize {
        let dollar = self.dialect != Dialect::Delta;
        self.run(at, |b| word_start(b) || b.is_ascii_digit() || (dollar && b == b'$'))
    }

    /// A parameter, a variable, or a string in dollars.
    fn parameter(&self, at: usize) -> Result<Option<(Kind, usize)>, Unterminated> {
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

    fn dollar(&self, at: usize) -> Result<Option<(Kind, usize)>, Unterminated> {
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

    fn symbol(&self, at: usize) -> usize {
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

fn solid(token: &Token) -> bool {
    !matches!(token.kind, Kind::Blank | Kind::LineComment | Kind::BlockComment)
}

fn word_start(b: u8) -> bool {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    fn code(dialect: Dialect, text: &str) -> Vec<&str> {
        let lexed = lex(dialect, text);
        assert_eq!(lexed.fault, None, "{text}");
        lexed.tokens.iter().filter(|t| solid(t)).map(|t| &text[t.span.clone()]).collect()
    }

    #[test]
    fn postgres_tokens() {
        for (text, expected) in [
            ("$$a;b$$ $x$ $$ ;$x$", vec!["$$a;b$$", "$x$ $$ ;$x$"]),
            ("a$1 a$b$ $1", vec!["a$1", "a$b$", "$1"]),
            ("$1$$;$$", vec!["$1", "$$;$$"]),
            ("/* a /* b; */ c; */ d", vec!["d"]),
            (r"'c:\' ; 'x'", vec![r"'c:\'", ";", "'x'"]),
            (r"E'it\'s;' e'\\'", vec![r"E'it\'s;'", r"e'\\'"]),
            ("E'a'\n'b\\'c;'", vec!["E'a'", "'b\\'c;'"]),
            ("E'a' -- x\n  -- y\n 'b\\';'", vec!["E'a'", "'b\\';'"]),
            (r"E'a' 'b\'", vec!["E'a'", r"'b\'"]),
            ("E'a' /* \n */ 'b\\'", vec!["E'a'", "'b\\'"]),
            (r#"U&'\0041;' U&"a;b" "quoted""names;""#, vec![r"U&'\0041;'", r#"U&"a;b""#, r#""quoted""names;""#]),
            (r"nameE'\'", vec!["nameE", r"'\'"]),
            ("?::jsonb ?| @> ->> #>>", vec!["?", "::", "jsonb", "?|", "@>", "->>", "#>>"]),
            ("a=-1 a@-1 a<--x\n1", vec!["a", "=", "-", "1", "a", "@-", "1", "a", "<", "1"]),
            ("a*/*;*/b", vec!["a", "*", "b"]),
            (
                "1e5 1E-5 0x1F 1. .5 1..10 1e 1_000",
                vec!["1e5", "1E-5", "0x1F", "1.", ".5", "1", "..", "10", "1", "e", "1_000"],
            ),
            ("1E'\\';'", vec!["1", "E'\\';'"]),
            ("x[1:n] é.ü", vec!["x", "[", "1", ":", "n", "]", "é", ".", "ü"]),
            ("-- a\r1", vec!["1"]),
            ("\u{feff}a", vec!["a"]),
            ("/*+ Seq */ a /*! b */", vec!["/*+ Seq */", "a", "/*! b */"]),
        ] {
            assert_eq!(code(Dialect::Postgres, text), expected, "{text}");
        }
    }

    #[test]
    fn sqlite_tokens() {
        for (text, expected) in [
            ("/* a /* b */ c", vec!["c"]),
            (r"'c:\' ; 'it''s'", vec![r"'c:\'", ";", "'it''s'"]),
            ("[a;'b] `c;``d` \"e;\"\"f\"", vec!["[a;'b]", "`c;``d`", "\"e;\"\"f\""]),
            ("x'0a' X'' xx''", vec!["x'0a'", "X''", "xx", "''"]),
            (":name @v $t::u(x;y) ?1 ? #1", vec![":name", "@v", "$t::u(x;y)", "?1", "?", "#1"]),
            ("a->>'$.x'||b==c", vec!["a", "->>", "'$.x'", "||", "b", "==", "c"]),
            ("1e5 0x1F .5 1.5e+3", vec!["1e5", "0x1F", ".5", "1.5e+3"]),
            ("-- a\rb\nc", vec!["c"]),
            ("a$b $$", vec!["a$b", "$$"]),
        ] {
            assert_eq!(code(Dialect::Sqlite, text), expected, "{text}");
        }
    }

    #[test]
    fn mysql_and_delta_tokens() {
        for (text, expected) in [
            (r#"'a\'b;' "c\";" `d;``e`"#, vec![r"'a\'b;'", r#""c\";""#, "`d;``e`"]),
            ("a--1 -- c\nb # d\ne", vec!["a", "-", "-", "1", "b", "e"]),
            ("/*!50001 x; */ @@a.b @c \\N", vec!["/*!50001 x; */", "@@a.b", "@c", "\\N"]),
            ("$$a", vec!["$$a"]),
        ] {
            assert_eq!(code(Dialect::Mysql, text), expected, "{text}");
        }
        assert_eq!(code(Dialect::Delta, r#"r'\' "a\";" `b;` /* /* */ */ x"#), [r"r'\'", r#""a\";""#, "`b;`", "x"]);
    }

    #[test]
    fn what_is_open_is_named() {
        for (dialect, text, what, span) in [
            (Dialect::Postgres, "a 'b", "string", 2..3),
            (Dialect::Postgres, "E'b\\'", "string", 0..2),
            (Dialect::Postgres, "a $x$ $$", "string", 2..5),
            (Dialect::Postgres, "/* /* */", "comment", 0..2),
            (Dialect::Postgres, "\"a\"\"", "quoted name", 0..1),
            (Dialect::Sqlite, "[a", "quoted name", 0..1),
            (Dialect::Sqlite, "a /* b", "comment", 2..4),
            (Dialect::Mysql, "`a", "quoted name", 0..1),
        ] {
            let fault = lex(dialect, text).fault.unwrap();
            assert_eq!((fault.what, fault.span), (what, span), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_lossless(text in r#"([ \n\ra-eExX0-9$'"`;:/*\\#@.,()?&+=<>\[\]\-]|é|\x{feff}|\$\$){0,40}"#) {
            for dialect in Dialect::ALL {
                let lexed = lex(*dialect, &text);
                let mut at = 0;
                for token in &lexed.tokens {
                    prop_assert_eq!(token.span.start, at);
                    prop_assert!(token.span.end > at);
                    prop_assert!(text.is_char_boundary(token.span.end));
                    at = token.span.end;
                }
                prop_assert!(lexed.fault.is_some() || at == text.len());
            }
        }
    }
}
