//! The parts of a statement that would be read and then left out: the parser takes several databases' own clauses, and a condition that
//! nobody looks at changes more rows than the statement says. Each is refused by name. No struct is taken apart with `..`: a part that a
//! later parser brings does not compile until somebody has said here what becomes of it.

use super::{Refused, columns::path_of, refused};
use deltalake::datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, FromTable, Insert, Merge, MergeAction, MergeClause, MergeInsertExpr,
    MergeInsertKind, MergeUpdateExpr, ObjectName, Statement, TableAlias, TableAliasColumnDef, TableFactor,
    TableWithJoins, Update, Visit, Visitor,
};
use std::{collections::BTreeSet, ops::ControlFlow};

/// Refuses a statement of which a part would not be carried out.
///
/// # Errors
/// Names the part, and what to write instead.
pub(super) fn honoured(statement: &Statement) -> Result<(), Refused> {
    match statement {
        Statement::Update(update) => self::update(update)?,
        Statement::Delete(delete) => self::delete(delete)?,
        Statement::Insert(insert) => self::insert(insert)?,
        Statement::Merge(merge) => self::merge(merge)?,
        // Whoever reads it refuses it by its first words.
        _ => return Ok(()),
    }
    sources(statement)
}

/// Refuses where one of the named parts is there.
fn absent(statement: &str, parts: &[(&str, bool)]) -> Result<(), Refused> {
    match parts.iter().find(|(_, there)| *there) {
        None => Ok(()),
        Some((part, _)) => {
            Err(refused(format!("{part} of {statement} is not run on Delta tables"), format!("leave {part} out")))
        }
    }
}

// A hint says how, and not what: it is for another optimizer, and left aside.
fn update(update: &Update) -> Result<(), Refused> {
    let Update {
        update_token: _,
        optimizer_hints: _,
        table,
        assignments,
        // Refused with MERGE as the way out.
        from: _,
        selection: _,
        returning,
        output,
        or,
        order_by,
        limit,
    } = update;
    let TableWithJoins { relation, joins: _ } = table;
    absent(
        "an UPDATE",
        &[
            ("RETURNING", returning.is_some()),
            ("OUTPUT", output.is_some()),
            ("OR", or.is_some()),
            ("ORDER BY", !order_by.is_empty()),
            ("LIMIT", limit.is_some()),
        ],
    )?;
    target(relation, "an UPDATE")?;
    once(assigned(assignments), "UPDATE")
}

fn delete(delete: &Delete) -> Result<(), Refused> {
    let Delete {
        delete_token: _,
        optimizer_hints: _,
        tables,
        from,
        using: _,
        selection: _,
        returning,
        output,
        order_by,
        limit,
    } = delete;
    absent(
        "a DELETE",
        &[
            ("a list of tables", !tables.is_empty()),
            ("RETURNING", returning.is_some()),
            ("OUTPUT", output.is_some()),
            ("ORDER BY", !order_by.is_empty()),
            ("LIMIT", limit.is_some()),
        ],
    )?;
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
    from.iter().try_for_each(|TableWithJoins { relation, joins: _ }| target(relation, "a DELETE"))
}

fn insert(insert: &Insert) -> Result<(), Refused> {
    let Insert {
        insert_token: _,
        optimizer_hints: _,
        or,
        ignore,
        into: _,
        table: _,
        table_alias: _,
        columns,
        overwrite: _,
        source: _,
        assignments,
        partitioned,
        after_columns,
        has_table_keyword: _,
        on,
        returning,
        output,
        replace_into,
        priority,
        insert_alias,
        settings,
        format_clause,
        multi_table_insert_type,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause,
    } = insert;
    let several = multi_table_insert_type.is_some()
        || !multi_table_into_clauses.is_empty()
        || !multi_table_when_clauses.is_empty()
        || multi_table_else_clause.is_some();
    absent(
        "an INSERT",
        &[
            ("OR", or.is_some()),
            ("IGNORE", *ignore),
            ("SET", !assignments.is_empty()),
            ("PARTITION", partitioned.is_some() || !after_columns.is_empty()),
            ("ON", on.is_some()),
            ("RETURNING", returning.is_some()),
            ("OUTPUT", output.is_some()),
            ("REPLACE", *replace_into),
            ("a priority", priority.is_some()),
            ("an alias of the new row", insert_alias.is_some()),
            ("SETTINGS", settings.is_some()),
            ("FORMAT", format_clause.is_some()),
            ("more than one table", several),
        ],
    )?;
    once(columns.iter(), "INSERT")
}

fn merge(merge: &Merge) -> Result<(), Refused> {
    // The source is looked at with every other table that is read.
    let Merge { merge_token: _, optimizer_hints: _, into: _, table, source: _, on: _, clauses, output } = merge;
    absent("a MERGE", &[("OUTPUT", output.is_some())])?;
    target(table, "a MERGE")?;
    for MergeClause { when_token: _, clause_kind: kind, predicate: _, action } in clauses {
        let late = |there: bool, what: &str, instead: &str| {
            if there {
                let way_out = format!("put the condition before THEN: WHEN {kind} AND … THEN {instead}");
                return Err(refused(format!("a condition behind the {what} of a MERGE is not looked at"), way_out));
            }
            Ok(())
        };
        match action {
            MergeAction::Update(update) => {
                let MergeUpdateExpr { update_token: _, assignments, update_predicate, delete_predicate } = update;
                late(update_predicate.is_some(), "UPDATE", "UPDATE")?;
                late(delete_predicate.is_some(), "UPDATE", "DELETE")?;
                once(assigned(assignments), "UPDATE of a MERGE")?;
            }
            MergeAction::Insert(insert) => {
                let MergeInsertExpr { insert_token: _, columns, kind_token: _, kind, insert_predicate } = insert;
                late(insert_predicate.is_some(), "INSERT", "INSERT")?;
                match kind {
                    MergeInsertKind::Values(_) | MergeInsertKind::Row => {}
                }
                once(columns.iter(), "INSERT of a MERGE")?;
            }
            MergeAction::Delete { delete_token: _ } => {}
        }
    }
    Ok(())
}

fn assigned(assignments: &[Assignment]) -> impl Iterator<Item = &ObjectName> {
    assignments.iter().filter_map(|Assignment { target, value: _ }| match target {
        AssignmentTarget::ColumnName(name) => Some(name),
        // Refused by who reads it.
        AssignmentTarget::Tuple(_) => None,
    })
}

/// One of two values would be dropped.
fn once<'a>(columns: impl Iterator<Item = &'a ObjectName>, statement: &str) -> Result<(), Refused> {
    let mut seen = BTreeSet::new();
    for column in columns {
        let name = column.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str());
        if let Some(name) = name
            && !seen.insert(name)
        {
            return Err(refused(format!("{statement} names column `{name}` twice"), "give it one value"));
        }
    }
    Ok(())
}

/// The table that is changed: its columns go by their own names.
fn target(table: &TableFactor, statement: &str) -> Result<(), Refused> {
    match table {
        TableFactor::Table { alias: Some(alias), args, .. } => absent(
            statement,
            &[("a list of arguments", args.is_some()), ("a list of new column names", renames(alias))],
        ),
        TableFactor::Table { alias: None, args, .. } => absent(statement, &[("a list of arguments", args.is_some())]),
        _ => Ok(()),
    }
}

/// Whether an alias does more than name.
fn renames(TableAlias { explicit: _, name: _, columns, at }: &TableAlias) -> bool {
    !columns.is_empty() || at.is_some()
}

/// Every table that is named, also in queries: `DataFusion` plans the whole of it, at its newest version, whatever else is written there.
fn sources(statement: &Statement) -> Result<(), Refused> {
    struct Plain;
    impl Visitor for Plain {
        type Break = Refused;
        fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Refused> {
            match plain(table) {
                Ok(()) => ControlFlow::Continue(()),
                Err(refused) => ControlFlow::Break(refused),
            }
        }
    }
    let found = statement.visit(&mut Plain);
    if let ControlFlow::Break(refused) = found {
        return Err(refused);
    }
    match statement {
        Statement::Merge(merge) => source(&merge.source),
        _ => Ok(()),
    }
}

fn plain(table: &TableFactor) -> Result<(), Refused> {
    match table {
        TableFactor::Table {
            name,
            alias: _,
            args: _,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => path_of(name).and(absent(
            &format!("table `{name}`"),
            &[
                ("WITH (…)", !with_hints.is_empty()),
                ("a version", version.is_some()),
                ("WITH ORDINALITY", *with_ordinality),
                ("PARTITION", !partitions.is_empty()),
                ("a path into it", json_path.is_some()),
                ("TABLESAMPLE", sample.is_some()),
                ("an index hint", !index_hints.is_empty()),
            ],
        )),
        TableFactor::Derived { lateral: _, subquery: _, alias: _, sample } => {
            absent("a query in parentheses", &[("TABLESAMPLE", sample.is_some())])
        }
        // What else may stand in FROM is planned by DataFusion as it is, or refused there.
        _ => Ok(()),
    }
}

/// The source of a `MERGE`, which becomes a query of its own.
fn source(table: &TableFactor) -> Result<(), Refused> {
    match table {
        TableFactor::Table { alias, args, .. } => {
            let renamed = alias.as_ref().is_some_and(renames);
            let way = "write USING (SELECT …) AS s";
            if args.is_some() || renamed {
                return Err(refused("the source of a MERGE is a table's name and an alias, and no more", way));
            }
            Ok(())
        }
        TableFactor::Derived { alias: Some(TableAlias { explicit: _, name: _, columns, at }), .. } => {
            let typed = columns.iter().any(|TableAliasColumnDef { name: _, data_type }| data_type.is_some());
            absent("the source of a MERGE", &[("a column's type", typed), ("AT", at.is_some())])
        }
        // Refused by who reads it.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read;

    #[test]
    fn what_would_be_left_out_is_refused() {
        let merge = "MERGE INTO t USING s ON t.id = s.id WHEN";
        for (text, says) in [
            (&*format!("{merge} MATCHED THEN UPDATE SET v = s.v WHERE s.v > t.v"), "behind the UPDATE"),
            (&format!("{merge} MATCHED THEN UPDATE SET v = s.v DELETE WHERE t.v > 1"), "THEN DELETE"),
            (&format!("{merge} NOT MATCHED THEN INSERT (id) VALUES (s.id) WHERE s.id > 1"), "behind the INSERT"),
            (&format!("{merge} NOT MATCHED THEN INSERT (id, id) VALUES (s.id, 1)"), "column `id` twice"),
            (&format!("{merge} MATCHED THEN UPDATE SET v = 1, t.v = 2"), "column `v` twice"),
            ("MERGE INTO t USING s AS x (a, b) ON t.id = x.a WHEN MATCHED THEN DELETE", "a table's name and an alias"),
            (
                "MERGE INTO t USING s AS x TABLESAMPLE (10 PERCENT) ON t.id = x.id WHEN MATCHED THEN DELETE",
                "TABLESAMPLE",
            ),
            ("MERGE INTO t AS x (a) USING s ON x.a = s.id WHEN MATCHED THEN DELETE", "new column names"),
            ("INSERT INTO t SELECT * FROM s TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
            ("INSERT INTO t (a, b, a) VALUES (1, 2, 3)", "column `a` twice"),
            ("UPDATE t SET a = 1, a = 2", "column `a` twice"),
            ("UPDATE t AS x (b) SET b = 1", "new column names"),
            ("UPDATE t SET a = 1 ORDER BY b LIMIT 1", "ORDER BY"),
            ("DELETE FROM t WHERE a = 1 LIMIT 1", "LIMIT"),
        ] {
            let refused = read(text).unwrap_err();
            let said = format!("{} | {}", refused.message, refused.way_out);
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
