//! Events, plans and states as text or JSON, over `impl Write`. Knows no terminal: whether to colour, and how wide a table may be, is told.

pub mod current;
pub mod events;
pub mod finding;
mod frame;
pub mod history;
pub mod json;
pub mod objects;
pub mod outcome;
pub mod paint;
pub mod plan;
pub mod progress;
pub mod show;
mod table;

pub use paint::Paint;

use crate::{event::Where, model::steers};
use std::{borrow::Cow, time::Duration};

/// A length of time for people: milliseconds below ten seconds, whole seconds above.
pub fn span(length: Duration) -> String {
    let shown = if length < Duration::from_secs(10) {
        Duration::from_millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(length.as_secs())
    };
    crate::model::spell(shown)
}

/// Where a command is at work, in one line: `SQLite 3.50.2 · /srv/app · dev.db`.
pub fn place(place: &Where) -> String {
    [&place.engine, &place.host, &place.database, &place.schema]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" · ")
}

/// A text whose control characters are seen and not obeyed: what a server says, or a statement holds, must not steer a terminal or spoil a
/// log. Line feeds and tabs stay.
fn visible(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !steers(c) || c == '\n' || c == '\t';
    if text.chars().all(harmless) {
        return text.into();
    }
    let seen = |c: char| if harmless(c) { c.to_string() } else { c.escape_debug().to_string() };
    text.replace("\r\n", "\n").chars().map(seen).collect::<String>().into()
}

/// A text with every line after the first moved in by `by` blanks.
fn indent(text: &str, by: usize) -> String {
    visible(text).replace('\n', &format!("\n{}", " ".repeat(by)))
}

/// `1 step`, `2 steps`.
fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_seen_and_not_obeyed() {
        assert_eq!(visible("a\tb\nc é"), "a\tb\nc é");
        assert_eq!(visible("a\u{1b}[31m\r\nb\r\u{7}"), "a\\u{1b}[31m\nb\\r\\u{7}");
        assert_eq!(visible("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn spans_are_short() {
        assert_eq!(span(Duration::from_micros(12_345)), "12ms");
        assert_eq!(span(Duration::from_millis(61_234)), "1m 1s");
        assert_eq!(span(Duration::ZERO), "0s");
    }

    #[test]
    fn a_place_leaves_out_what_the_engine_has_not() {
        let at = Where {
            engine: "SQLite 3.50.2".into(),
            host: "/srv".into(),
            database: "dev.db".into(),
            schema: String::new(),
        };
        assert_eq!(place(&at), "SQLite 3.50.2 · /srv · dev.db");
    }
}
