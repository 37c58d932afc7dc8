//! Expressions over a Delta table's columns, as Spark and DataFusion both read them.

use crate::{model::Dialect, ops::state::TableState, sql};
use std::collections::BTreeSet;

/// A column's name as it stands in an expression.
pub fn ident(name: &str) -> String {
    sql::ident(Dialect::Delta, name)
}

/// The columns of a table that an expression uses.
pub fn uses<'s>(expression: &str, state: &'s TableState) -> BTreeSet<&'s str> {
    sql::names_in(Dialect::Delta, expression, state.fields.iter().map(|field| field.name.as_str()))
}

/// Whether an expression uses a column.
pub fn uses_one(expression: &str, column: &str) -> bool {
    !sql::names_in(Dialect::Delta, expression, [column]).is_empty()
}

/// The expression with a column by another name.
pub fn rename(expression: &str, from: &str, to: &str) -> String {
    sql::rename_in(Dialect::Delta, expression, from, to)
}

/// The expression with a column replaced by an expression.
pub fn replace(expression: &str, column: &str, by: &str) -> String {
    sql::replace_in(Dialect::Delta, expression, column, by)
}

/// The expression with mixed-case columns quoted: unquoted, DataFusion folds their case and Spark does not.
pub fn spell(expression: &str, state: &TableState) -> String {
    sql::spell_in(Dialect::Delta, expression, state.fields.iter().map(|field| field.name.as_str()))
}

/// The rows whose column is not what the expression says. In parentheses: DataFusion's parser reads an AND that follows as a part of what
/// is compared with.
pub fn differs(column: &str, expression: &str) -> String {
    format!("({} IS DISTINCT FROM ({expression}))", ident(column))
}

/// The rows whose column is NULL.
pub fn is_null(column: &str) -> String {
    format!("{} IS NULL", ident(column))
}

/// The rows whose column is not NULL.
pub fn is_not_null(column: &str) -> String {
    format!("{} IS NOT NULL", ident(column))
}

/// The rows that violate a constraint: NULL is no yes (delta-rs and Sail count it as a violation).
pub fn violates(check: &str) -> String {
    format!("({check}) IS NOT TRUE")
}
