//! SQL text, as far as triphase must understand it: tokens, statements, canonical form, what stands alone, quoting.
//! A file for each of those; what differs by dialect is a `match` on [`Dialect`] in one of them. Pure.

use crate::model::{Dialect, Label};
use std::ops::Range;

/// One statement of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The statement without outer blanks and final `;`; comments inside it stay.
    pub text: String,
    /// Its byte range in the source.
    pub span: Range<usize>,
    /// It can't run inside a transaction on this engine, and so runs by itself.
    pub alone: bool,
}

/// Why a text can't be a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The contract's rule, `F9` or empty.
    pub rule: &'static str,
    /// What is wrong. No final full stop.
    pub message: String,
    /// What to do about it.
    pub way_out: String,
    /// Byte range in the source.
    pub span: Range<usize>,
}

/// Splits a handler's text into statements. A text of blanks and comments gives none.
///
/// # Errors
/// All that a handler may not hold: an unterminated string, quoted name, comment or body; a statement that opens or ends a transaction
/// (F9); `COPY … FROM stdin`; a client's own commands (`\i`, `.read`), each by name.
pub fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement>, Vec<SqlError>> {
    let _ = (dialect, text);
    Ok(vec![])
}

/// The canonical form (rule L7): one space between tokens, comments and the last `;` ignored, LF, no BOM; `/*! */` and `/*+ */` are code.
/// A text that can't be read as tokens is its own canonical form.
pub fn canonical(dialect: Dialect, text: &str) -> String {
    let _ = dialect;
    text.to_owned()
}

/// What a rollback made of these statements gives back, as far as their text tells; unsure is lossy.
pub fn label(dialect: Dialect, statements: &[&str]) -> Label {
    let _ = (dialect, statements);
    Label::Lossy
}

/// A name as an identifier, always quoted.
pub fn ident(dialect: Dialect, name: &str) -> String {
    let _ = dialect;
    name.to_owned()
}

/// A text as a literal.
pub fn literal(dialect: Dialect, text: &str) -> String {
    let _ = dialect;
    text.to_owned()
}
