//! The tables and columns that a statement names.

use super::{Named, Refused, Set, path, refused};
use crate::ops::{shown, unfit};
use deltalake::datafusion::sql::sqlparser::{
    ast::{
        Assignment, AssignmentTarget, Expr, ObjectName, Query, TableAlias, TableFactor, TableWithJoins, Visit,
        VisitMut, Visitor, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
};
use std::ops::ControlFlow;

/// The one table that is changed.
pub(super) fn named_with_joins(table: &TableWithJoins) -> Result<Named, Refused> {
    if !table.joins.is_empty() {
        return Err(refused("a join can't be changed", "use MERGE"));
    }
    named(&table.relation)
}

/// A table and its alias.
pub(super) fn named(table: &TableFactor) -> Result<Named, Refused> {
    match table {
        TableFactor::Table { name, alias, .. } => {
            let alias = alias.as_ref().map(|TableAlias { name, .. }| name.value.clone());
            Ok(Named { path: path_of(name)?, alias })
        }
        _ => Err(refused(format!("`{table}` is no table"), "name one table of the lake")),
    }
}

/// A table's name as a path below the lake's root.
pub(super) fn path_of(name: &ObjectName) -> Result<String, Refused> {
    let parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.clone()));
    let parts: Option<Vec<String>> = parts.collect();
    let path = parts.map(|parts| path(&parts)).ok_or_else(|| {
        refused(format!("`{name}` is no table's name"), "write sales, raw.events or delta.`raw/events`")
    })?;
    match unfit(&path) {
        None => Ok(path),
        Some((why, way_out)) => Err(refused(format!("`{}` names no table: it {why}", shown(&path)), way_out)),
    }
}

/// The columns that are set, and their values.
pub(super) fn assigned(assignments: &[Assignment], table: &Named) -> Result<Vec<Set>, Refused> {
    assignments
        .iter()
        .map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => Ok((last(name, Some(table))?, assignment.value.to_string())),
            AssignmentTarget::Tuple(_) => {
                Err(refused("several columns are set at once", "set each column by itself: SET a = …, b = …"))
            }
        })
        .collect()
}

/// A column's name, its table's name or alias taken off.
pub(super) fn last(name: &ObjectName, table: Option<&Named>) -> Result<String, Refused> {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
    let qualifier =
        |part: &str| table.is_some_and(|t| t.alias.as_deref() == Some(part) || t.path.rsplit('/').next() == Some(part));
    match parts.as_slice() {
        [column] => Ok((*column).to_owned()),
        [of, column] if qualifier(of) => Ok((*column).to_owned()),
        _ => Err(refused(
            format!("`{name}` is a part of a column: only whole columns are set"),
            "set the whole column: SET c = named_struct(…)",
        )),
    }
}

/// The library's own parser has no tables but the one that is changed.
pub(super) fn no_subquery(node: &impl Visit, statement: &str) -> Result<(), Refused> {
    struct Finds;
    impl Visitor for Finds {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    match node.visit(&mut Finds) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let way_out = "use MERGE, with the query as its source: MERGE INTO t USING (SELECT …) AS s ON …";
            Err(refused(format!("a query inside this {statement} is not run on Delta tables"), way_out))
        }
    }
}

/// An expression whose columns are not qualified by one of these names. What can't be read is given back as it is: who runs it refuses it.
pub fn unqualified(expression: &str, names: &[&str]) -> String {
    struct Strip<'a>(&'a [&'a str]);
    impl VisitorMut for Strip<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [of, column] = parts.as_slice()
                && self.0.contains(&of.value.as_str())
            {
                *expr = Expr::Identifier(column.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(expression).and_then(|mut parser| parser.parse_expr());
    match parsed {
        Ok(mut expr) => {
            let _: ControlFlow<()> = VisitMut::visit(&mut expr, &mut Strip(names));
            expr.to_string()
        }
        Err(_) => expression.to_owned(),
    }
}
