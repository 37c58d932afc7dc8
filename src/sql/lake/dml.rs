//! The four statements, taken apart; a part that the library can't carry out is refused.

use super::{
    Dml, Merged, Named, Refused,
    columns::{assigned, last, named, named_with_joins, no_subquery, path_of},
    refused,
};
use deltalake::datafusion::sql::sqlparser::ast::{
    Delete, FromTable, Insert, Merge, MergeAction, MergeClauseKind, MergeInsertKind, TableFactor, TableObject, Update,
};

/// `UPDATE`.
pub(super) fn update(update: Update) -> Result<Dml, Refused> {
    if update.from.is_some() {
        return Err(refused("UPDATE … FROM is not run on Delta tables", "use MERGE"));
    }
    if update.returning.is_some() || update.output.is_some() || update.or.is_some() || update.limit.is_some() {
        return Err(refused("this UPDATE has a part that Delta tables do not know", "write UPDATE t SET … WHERE …"));
    }
    let table = named_with_joins(&update.table)?;
    let predicate = update.selection;
    no_subquery(&predicate, "UPDATE")?;
    no_subquery(&update.assignments, "UPDATE")?;
    Ok(Dml::Update { set: assigned(&update.assignments, &table)?, predicate: predicate.map(|e| e.to_string()), table })
}

/// `DELETE`.
pub(super) fn delete(delete: Delete) -> Result<Dml, Refused> {
    if delete.using.is_some() {
        return Err(refused("DELETE … USING is not run on Delta tables", "use MERGE … WHEN MATCHED THEN DELETE"));
    }
    let plain = delete.tables.is_empty()
        && delete.returning.is_none()
        && delete.output.is_none()
        && delete.order_by.is_empty()
        && delete.limit.is_none();
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let ([table], true) = (from.as_slice(), plain) else {
        return Err(refused("this DELETE has a part that Delta tables do not know", "write DELETE FROM t WHERE …"));
    };
    let table = named_with_joins(table)?;
    no_subquery(&delete.selection, "DELETE")?;
    Ok(Dml::Delete { table, predicate: delete.selection.map(|e| e.to_string()) })
}

/// `INSERT`.
pub(super) fn insert(insert: Insert) -> Result<Dml, Refused> {
    if insert.overwrite {
        return Err(refused(
            "INSERT OVERWRITE is not run on Delta tables: it would also drop what others wrote meanwhile",
            "use MERGE, or DELETE and INSERT",
        ));
    }
    let plain = insert.or.is_none()
        && !insert.ignore
        && insert.assignments.is_empty()
        && insert.partitioned.is_none()
        && insert.after_columns.is_empty()
        && insert.on.is_none()
        && insert.returning.is_none()
        && insert.output.is_none()
        && !insert.replace_into;
    let (TableObject::TableName(name), Some(query), true) = (&insert.table, insert.source, plain) else {
        return Err(refused(
            "this INSERT has a part that Delta tables do not know",
            "write INSERT INTO t (…) SELECT …, or VALUES …",
        ));
    };
    let columns = insert.columns.iter().map(|column| last(column, None)).collect::<Result<_, _>>()?;
    let alias = insert.table_alias.map(|alias| alias.alias.value);
    Ok(Dml::Insert { table: Named { path: path_of(name)?, alias }, columns, query: query.to_string() })
}

/// `MERGE`.
pub(super) fn merge(merge: Merge) -> Result<Dml, Refused> {
    if merge.output.is_some() {
        return Err(refused("MERGE … OUTPUT is not run on Delta tables", "leave OUTPUT away"));
    }
    let table = named(&merge.table)?;
    let (source, source_alias) = match &merge.source {
        TableFactor::Table { name, alias, .. } => {
            let plain = path_of(name)?;
            let alias = alias.as_ref().map_or_else(
                || plain.rsplit('/').next().unwrap_or_default().to_owned(),
                |alias| alias.name.value.clone(),
            );
            (format!("SELECT * FROM {name}"), alias)
        }
        TableFactor::Derived { subquery, alias: Some(alias), lateral: false, .. } => {
            let columns: Vec<String> = alias.columns.iter().map(|column| column.name.to_string()).collect();
            let query = if columns.is_empty() {
                subquery.to_string()
            } else {
                format!("SELECT * FROM ({subquery}) AS {} ({})", alias.name, columns.join(", "))
            };
            (query, alias.name.value.clone())
        }
        TableFactor::Derived { alias: None, .. } => {
            return Err(refused("the MERGE's source has no name", "write USING (SELECT …) AS s"));
        }
        _ => {
            return Err(refused("this source of a MERGE is not known", "write USING t AS s, or USING (SELECT …) AS s"));
        }
    };
    no_subquery(&merge.on, "MERGE")?;
    let mut clauses = Vec::new();
    for clause in &merge.clauses {
        no_subquery(&clause.predicate, "MERGE")?;
        no_subquery(&clause.action, "MERGE")?;
        let merged = match (&clause.clause_kind, &clause.action) {
            (MergeClauseKind::Matched, MergeAction::Update(update)) => {
                Merged::Update(assigned(&update.assignments, &table)?)
            }
            (MergeClauseKind::Matched, MergeAction::Delete { .. }) => Merged::Delete,
            (MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget, MergeAction::Insert(insert)) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(refused("INSERT ROW is not run on Delta tables", "write INSERT (…) VALUES (…)"));
                };
                let [row] = values.rows.as_slice() else {
                    return Err(refused("INSERT of a MERGE has more than one row", "write one row of values"));
                };
                let row: Vec<String> = row.iter().map(ToString::to_string).collect();
                if insert.columns.len() != row.len() {
                    return Err(refused(
                        format!("INSERT of the MERGE names {} columns and {} values", insert.columns.len(), row.len()),
                        "name each column, and give each its value",
                    ));
                }
                let columns = insert.columns.iter().map(|column| last(column, None)).collect::<Result<Vec<_>, _>>()?;
                Merged::Insert(columns.into_iter().zip(row).collect())
            }
            (MergeClauseKind::NotMatchedBySource, MergeAction::Update(update)) => {
                Merged::UpdateOrphan(assigned(&update.assignments, &table)?)
            }
            (MergeClauseKind::NotMatchedBySource, MergeAction::Delete { .. }) => Merged::DeleteOrphan,
            (kind, _) => {
                return Err(refused(
                    format!("WHEN {kind} can't do this"),
                    "matched rows are updated or deleted, others of the source inserted, others of the table updated or deleted",
                ));
            }
        };
        clauses.push((clause.predicate.as_ref().map(ToString::to_string), merged));
    }
    Ok(Dml::Merge { table, source, source_alias, on: merge.on.to_string(), clauses })
}
