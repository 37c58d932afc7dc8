//! SQL text, as far as triphase must understand it: tokens, statements, canonical form, what stands alone, quoting.
//! A file for each of those; what differs by dialect is a `match` on [`crate::model::Dialect`] in one of them. Pure.

mod alone;
mod canonical;
mod client;
mod code;
mod compound;
mod concurrent;
mod ddl;
mod delimiter;
mod expression;
mod label;
#[cfg(feature = "delta")]
pub mod lake;
mod names;
mod needed;
mod query;
mod quote;
mod session;
mod split;
mod tokens;
mod transaction;

pub use alone::foreign_keys;
pub use canonical::canonical;
pub use client::{for_psql, for_sqlite3};
pub use concurrent::{Concurrent, Shape, index_concurrently};
pub use ddl::{Change, Ddl, Named, Object, ddl, ddl_in};
pub use expression::{expression, names_in, rename_in, replace_in, spell_in};
pub use label::label;
pub use names::{called, drops, names};
pub use needed::harmless_if_needless;
pub use query::writes;
pub use quote::{ident, literal};
pub use session::{is_setting, moves_path, sets_session};
pub use split::split;

use crate::model::Dialect;
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
pub fn refused(dialect: Dialect, text: &str) -> Option<(String, String)> {
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

/// Why a lake can't keep an expression, or fill a column by it, and what to write instead, as far as the text alone tells. `steady`: it
/// must give the same value each time.
#[cfg(feature = "delta")]
pub fn lake_expression(text: &str, steady: bool) -> Option<(String, String)> {
    lake::expression::vet(text, steady).err().map(|refused| (refused.message, refused.way_out))
}

/// Without the engine there is no target that would run it.
#[cfg(not(feature = "delta"))]
pub const fn lake_expression(_text: &str, _steady: bool) -> Option<(String, String)> {
    None
}

/// The first name in an expression over a lake's table that is none of its columns.
#[cfg(feature = "delta")]
pub fn unknown_column<'k>(text: &str, columns: impl IntoIterator<Item = &'k str>) -> Option<String> {
    lake::expression::unknown(text, columns)
}

/// Without the engine there is no target that would run it.
#[cfg(not(feature = "delta"))]
pub fn unknown_column<'k>(_text: &str, _columns: impl IntoIterator<Item = &'k str>) -> Option<String> {
    None
}

/// Whether a statement may commit by itself in the middle of its work, or leave a part of it behind where it fails: a procedure or an
/// anonymous block run outside a transaction; on MySQL and MariaDB also what takes several objects one by one.
pub fn commits_inside(dialect: Dialect, text: &str) -> bool {
    let Some(items) = code::read(dialect, text) else { return true };
    let Some(first) = items.first() else { return false };
    match dialect {
        Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => first.is_any(&["CALL", "DO"]),
        Dialect::Mysql | Dialect::Mariadb => {
            let block = ["CALL", "EXECUTE", "LOAD", "BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];
            let several = first.is("DROP") && code::outer(&items).any(|item| item.symbol(","));
            let word = |at: usize, word: &str| items.get(at).is_some_and(|item| item.is(word));
            let replaces = first.is("CREATE") && word(1, "OR") && (word(3, "TABLE") || word(3, "SEQUENCE"));
            first.is_any(&block) || several || replaces
        }
    }
}
