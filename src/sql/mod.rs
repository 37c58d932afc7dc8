//! SQL text, as far as triphase must understand it: tokens, statements, canonical form, what stands alone, quoting.
//! A file for each of those; what differs by dialect is a `match` on [`crate::model::Dialect`] in one of them. Pure.

mod alone;
mod canonical;
mod code;
mod concurrent;
mod expression;
mod label;
#[cfg(feature = "delta")]
pub mod lake;
mod quote;
mod split;
mod tokens;
mod transaction;

pub use alone::foreign_keys;
pub use canonical::canonical;
pub use concurrent::{Concurrent, index_concurrently};
pub use expression::{expression, names_in, rename_in, replace_in, spell_in};
pub use label::label;
pub use quote::{ident, literal};
pub use split::split;

use std::ops::Range;

/// One statement of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The statement without outer blanks, outer comments and final `;`; comments inside it stay.
    pub text: String,
    /// Its byte range in the source.
    pub span: Range<usize>,
    /// It can't run inside a transaction on this engine, and so runs by itself.
    pub alone: bool,
}

/// Why a text can't be a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The contract's rule, as `F9`, or empty.
    pub rule: &'static str,
    /// What is wrong. No final full stop.
    pub message: String,
    /// What to do about it.
    pub way_out: String,
    /// Byte range in the source.
    pub span: Range<usize>,
}

/// Why an engine can't run a statement, and what to write instead, as far as the text alone tells; `None`: the target itself decides.
pub fn refused(dialect: crate::model::Dialect, text: &str) -> Option<(String, String)> {
    use crate::model::Dialect;
    match dialect {
        Dialect::Delta => refused_by_a_lake(text),
        Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb | Dialect::Sqlite => None,
    }
}

#[cfg(feature = "delta")]
fn refused_by_a_lake(text: &str) -> Option<(String, String)> {
    lake::read(text).err().map(|refused| (refused.message, refused.way_out))
}

/// Without the engine there is no target that would run it.
#[cfg(not(feature = "delta"))]
const fn refused_by_a_lake(_text: &str) -> Option<(String, String)> {
    None
}

/// Whether a statement may commit by itself in the middle of its work: a procedure or an anonymous block run outside a transaction.
pub fn commits_inside(dialect: crate::model::Dialect, text: &str) -> bool {
    let canonical = canonical(dialect, text);
    let word = canonical.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    word.eq_ignore_ascii_case("CALL") || word.eq_ignore_ascii_case("DO")
}
