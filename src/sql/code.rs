//! A statement as its reader sees it: tokens without blanks and comments, and a cursor that reads along them.

use super::tokens::{Kind, Token, lex};
use crate::model::Dialect;
use std::ops::Range;

/// A token that means something.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub span: Range<usize>,
}

impl Item<'_> {
    /// Whether it is this keyword. A quoted name never is.
    pub fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these keywords.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is this operator or bracket.
    pub fn symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }
}

/// The token as code, if the dialect takes it as such: only MySQL and MariaDB run what stands in `/*! */`.
pub(super) fn item<'a>(dialect: Dialect, text: &'a str, token: &Token) -> Option<Item<'a>> {
    let source = &text[token.span.clone()];
    let means = match token.kind {
        Kind::Blank | Kind::LineComment | Kind::BlockComment => false,
        Kind::Hint => match dialect {
            Dialect::Mysql | Dialect::Mariadb => !source.starts_with("/*+"),
            Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => false,
        },
        Kind::Word
        | Kind::Name
        | Kind::Text
        | Kind::Continuation
        | Kind::Dollar
        | Kind::Number
        | Kind::Parameter
        | Kind::Symbol => true,
    };
    means.then(|| Item { kind: token.kind, text: source, span: token.span.clone() })
}

/// The code of a text. None where something in it is unterminated.
pub(super) fn read(dialect: Dialect, text: &str) -> Option<Vec<Item<'_>>> {
    let lexed = lex(dialect, text);
    if lexed.fault.is_some() {
        return None;
    }
    Some(lexed.tokens.iter().filter_map(|token| item(dialect, text, token)).collect())
}

/// Reads along a statement.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'s, 'a> {
    rest: &'s [Item<'a>],
}

impl<'s, 'a> Cursor<'s, 'a> {
    pub fn new(items: &'s [Item<'a>]) -> Self {
        Self { rest: items }
    }

    /// The next item.
    pub fn peek(&self) -> Option<&'s Item<'a>> {
        self.rest.first()
    }

    /// What was not read.
    pub fn rest(&self) -> &'s [Item<'a>] {
        self.rest
    }

    /// Takes the next item.
    pub fn take(&mut self) -> Option<&'s Item<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes these keywords, if all of them come next.
    pub fn eat(&mut self, words: &[&str]) -> bool {
        let here = self.rest.len() >= words.len() && words.iter().zip(self.rest).all(|(word, item)| item.is(word));
        if here {
            self.rest = &self.rest[words.len()..];
        }
        here
    }

    /// Takes one of these keywords, if it comes next.
    pub fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(&[word]))
    }

    /// Takes this operator or bracket, if it comes next.
    pub fn symbol(&mut self, symbol: &str) -> bool {
        let here = self.rest.first().is_some_and(|item| item.symbol(symbol));
        if here {
            self.rest = &self.rest[1..];
        }
        here
    }

    /// Takes a name and its qualifiers.
    pub fn name(&mut self) -> Option<Vec<&'s Item<'a>>> {
        let mut parts = vec![];
        loop {
            let part = self.peek().filter(|item| matches!(item.kind, Kind::Word | Kind::Name))?;
            self.take();
            parts.push(part);
            if !self.symbol(".") {
                return Some(parts);
            }
        }
    }

    /// Takes what stands in parentheses, if they come next.
    pub fn parentheses(&mut self) -> Option<&'s [Item<'a>]> {
        let end = (self.peek()?.symbol("(")).then(|| matching(self.rest)).flatten()?;
        let inner = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        Some(inner)
    }
}

/// Where the parenthesis that the slice starts with is closed; none where it starts with no open one.
pub(super) fn matching(items: &[Item<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, item) in items.iter().enumerate() {
        if item.symbol("(") {
            depth += 1;
        } else if item.symbol(")") {
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 {
            return item.symbol(")").then_some(at);
        }
    }
    None
}

/// The items outside all parentheses.
pub(super) fn outer<'s, 'a>(items: &'s [Item<'a>]) -> impl Iterator<Item = &'s Item<'a>> {
    let mut depth = 0_usize;
    items.iter().filter(move |item| {
        if item.symbol("(") {
            depth += 1;
            return false;
        }
        if item.symbol(")") {
            depth = depth.saturating_sub(1);
            return false;
        }
        depth == 0
    })
}
