//! `UPDATE`, `DELETE`, `INSERT` and `MERGE`, each as one commit that carries its own evidence.

use super::{
    acts, commit, context,
    evidence::{Evidence, Standing},
    folder::Folders,
    lake::Lake,
    patience::Patience,
    query,
    trouble::Trouble,
};
use crate::{
    engine::{Before, Failure, Stop},
    failpoint,
    model::Class,
    ops::{Refusal, TOMBSTONE},
    sql::{
        self,
        lake::{Dml, Merged, Named, Set},
    },
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable,
    datafusion::{
        common::Column,
        logical_expr::{Expr, cast, lit},
        scalar::ScalarValue,
    },
    delta_datafusion::DataFusionMixins as _,
    operations::merge::{DeleteBuilder, UpdateBuilder},
    protocol::SaveMode,
};
use std::{sync::Arc, time::Duration};

/// Runs a statement until it is in the table. Each time that others commit first it is planned anew on their version.
///
/// # Errors
/// [`Failure::Busy`] once `patience` is over; [`Failure::Fenced`] where a later run took over.
pub async fn run(lake: &Lake, dml: &Dml, evidence: &Evidence, patience: Duration, stop: &Stop) -> Result<(), Failure> {
    let refused = |why: anyhow::Error| Failure::Handler { at: 0, why };
    let name = &dml.table().path;
    let place = lake.place(name).map_err(refused)?;
    let mut patience = Patience::new(patience);
    loop {
        let table = lake.open(&place).await.map_err(|trouble| trouble.action(0))?;
        let table = table.ok_or_else(|| query::no_table(lake, name).action(0))?;
        if evidence.standing(&table).await? == Standing::Applied {
            return Ok(());
        }
        if let Some(column) = acts::state(&table).map_err(|trouble| trouble.action(0))?.binary_partition() {
            let why = "the library reads its values wrongly; change the table's rows with another engine";
            return Err(refused(anyhow!("table `{name}` is partitioned by column `{column}`, which is binary: {why}")));
        }
        failpoint::point("before a table commit");
        let tried = once(lake, table, dml, evidence).await;
        if tried.is_ok() {
            failpoint::point("after a table commit");
        }
        match decided(lake, &place, evidence, tried).await? {
            Ok(()) => return Ok(()),
            Err(Moved) => patience.wait(0, stop).await?,
        }
    }
}

/// What keeps a statement from its table whatever its rows are: a name that is no table's, no such table, features that can't be written.
///
/// # Errors
/// Where the table can't be read.
pub async fn forbids(lake: &Lake, text: &str, before: &Before) -> Result<Option<Refusal>, Failure> {
    let Ok(dml) = sql::lake::read(text) else { return Ok(None) };
    let name = &dml.table().path;
    let access = |trouble: Trouble| trouble.access(&format!("table `{name}`"));
    let place = match lake.place(name) {
        Ok(place) => place,
        Err(why) => {
            return Ok(Some(Refusal::new(Class::Usage, "O12", format!("{why:#}")).way_out("name another table")));
        }
    };
    let Some(table) = lake.head(&place).await.map_err(access)? else {
        let made = before.shell || before.made.iter().any(|name| lake.place(name).is_ok_and(|made| made == place));
        let missing =
            || Refusal::new(Class::Guard, "O12", format!("there is no table `{name}` in the lake {}", lake.shown));
        return Ok((!made)
            .then(|| missing().way_out("correct its name, or make it in a step before this one: `create_table`")));
    };
    let protocol = acts::state(&table).map_err(access)?.protocol;
    // One that is being deleted is none, and another may be made in its place before this.
    if protocol.features().contains(TOMBSTONE) {
        return Ok(None);
    }
    let features = protocol.foreign();
    Ok((!features.is_empty()).then(|| Refusal::unwritable(name, &features)))
}

/// Others were first.
#[derive(Clone, Copy, Debug)]
pub struct Moved;

/// What became of a try. After any error but a lost race the table itself is asked: the commit may be in all the same.
///
/// # Errors
/// The try's own.
pub async fn decided(
    lake: &Lake,
    place: &url::Url,
    evidence: &Evidence,
    tried: Result<(), Trouble>,
) -> Result<Result<(), Moved>, Failure> {
    let trouble = match tried {
        Ok(()) => return Ok(Ok(())),
        Err(Trouble::Moved) => return Ok(Err(Moved)),
        Err(trouble @ (Trouble::Refused(_) | Trouble::Lost(_))) => trouble,
    };
    if let Ok(Some(table)) = lake.head(place).await
        && evidence.standing(&table).await? == Standing::Applied
    {
        return Ok(Ok(()));
    }
    Err(trouble.action(0))
}

async fn once(lake: &Lake, table: DeltaTable, dml: &Dml, evidence: &Evidence) -> Result<(), Trouble> {
    let before = table.version();
    let unchanged = table.clone();
    let folders = Folders::of(&table)?;
    let (after, operation) = match dml {
        Dml::Update { table: named, set, predicate } => {
            let mut update = table
                .update()
                .with_session_state(context::state())
                .with_commit_properties(evidence.put("UPDATE").properties());
            for (column, value) in known(&unchanged, named, set, &folders)? {
                update = update.with_update(column, without_qualifier(&value, named));
            }
            if let Some(predicate) = predicate {
                update = update.with_predicate(without_qualifier(predicate, named));
            }
            (update.await?.0, "UPDATE")
        }
        Dml::Delete { table: named, predicate } => {
            let mut delete = table
                .delete()
                .with_session_state(context::state())
                .with_commit_properties(evidence.put("DELETE").properties());
            if let Some(predicate) = predicate {
                delete = delete.with_predicate(without_qualifier(predicate, named));
            }
            (delete.await?.0, "DELETE")
        }
        Dml::Insert { table: named, columns, query } => {
            (insert(lake, table, named, columns, query, evidence).await?, "INSERT")
        }
        Dml::Merge { table: named, source, source_alias, on, clauses } => {
            let alias = named.alias.clone().unwrap_or_else(|| last(named).to_owned());
            let source = query::frame(lake, source).await?;
            let mut merge = table
                .merge(source, on.as_str())
                .with_session_state(context::state())
                .with_source_alias(source_alias)
                .with_target_alias(&alias)
                .with_commit_properties(evidence.put("MERGE").properties());
            for (condition, merged) in clauses {
                let condition = condition.as_deref();
                merge = match merged {
                    Merged::Update(set) => {
                        merge.when_matched_update(updates(known(&unchanged, named, set, &folders)?, condition))
                    }
                    Merged::Delete => merge.when_matched_delete(deletes(condition)),
                    Merged::Insert(set) => {
                        let set = known(&unchanged, named, set, &folders)?;
                        merge.when_not_matched_insert(|mut insert| {
                            for (column, value) in set {
                                insert = insert.set(column, value);
                            }
                            condition.into_iter().fold(insert, |insert, condition| insert.predicate(condition))
                        })
                    }
                    Merged::UpdateOrphan(set) => merge.when_not_matched_by_source_update(updates(
                        known(&unchanged, named, set, &folders)?,
                        condition,
                    )),
                    Merged::DeleteOrphan => merge.when_not_matched_by_source_delete(deletes(condition)),
                }?;
            }
            (merge.await?.0, "MERGE")
        }
    };
    // A statement that changes nothing commits nothing by itself: its evidence is then all there is to commit (D2).
    if after.version() == before {
        commit::put(&unchanged, vec![], &evidence.put(operation)).await?;
    }
    Ok(())
}

/// What a `MERGE` sets in a row.
fn updates(set: Vec<(Column, String)>, condition: Option<&str>) -> impl FnOnce(UpdateBuilder) -> UpdateBuilder {
    move |update| {
        let update = set.into_iter().fold(update, |update, (column, value)| update.update(column, value));
        condition.into_iter().fold(update, |update, condition| update.predicate(condition))
    }
}

/// Which rows a `MERGE` deletes.
fn deletes(condition: Option<&str>) -> impl FnOnce(DeleteBuilder) -> DeleteBuilder {
    move |delete| condition.into_iter().fold(delete, |delete, condition| delete.predicate(condition))
}

/// The columns that are set, each there in the table, and their values.
fn known(table: &DeltaTable, named: &Named, set: &[Set], folders: &Folders) -> Result<Vec<(Column, String)>, Trouble> {
    let schema = table.snapshot()?.schema();
    set.iter()
        .map(|(column, value)| {
            if schema.field(column).is_none() {
                return Err(no_column(&named.path, column, schema.fields().map(|field| field.name().as_str())));
            }
            // Made by its parts: a name is never read as SQL.
            Ok((Column::new_unqualified(column.as_str()), folders.text(column, value)))
        })
        .collect()
}

fn no_column<'a>(table: &str, column: &str, known: impl Iterator<Item = &'a str>) -> Trouble {
    let known: Vec<&str> = known.collect();
    Trouble::Refused(anyhow!("table `{table}` has no column `{column}`: it has {}", known.join(", ")))
}

fn last(named: &Named) -> &str {
    named.path.rsplit('/').next().unwrap_or_default()
}

/// The library's updates and deletes know columns by their bare names only.
fn without_qualifier(expression: &str, named: &Named) -> String {
    crate::sql::lake::unqualified(expression, &[named.alias.as_deref().unwrap_or_default(), last(named)])
}

async fn insert(
    lake: &Lake,
    table: DeltaTable,
    named: &Named,
    columns: &[String],
    query: &str,
    evidence: &Evidence,
) -> Result<DeltaTable, Trouble> {
    let source = query::frame(lake, query).await?;
    let state = table.snapshot()?;
    let fields: Vec<_> = state.schema().fields().cloned().collect();
    let arrow = state.snapshot().read_schema();
    let folders = Folders::of(&table)?;
    let all: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let into: &[String] = if columns.is_empty() { &all } else { columns };
    if let Some(unknown) = into.iter().find(|column| !all.contains(column)) {
        return Err(no_column(&named.path, unknown, all.iter().map(String::as_str)));
    }
    let given: Vec<Expr> = source.schema().columns().into_iter().map(Expr::Column).collect();
    if given.len() != into.len() {
        return Err(Trouble::Refused(anyhow!(
            "INSERT INTO `{}` names {} columns, and its query gives {}",
            named.path,
            into.len(),
            given.len()
        )));
    }
    let mut projection = Vec::new();
    for field in &fields {
        let generated = field.metadata().contains_key("delta.generationExpression");
        let to = arrow.field_with_name(field.name()).map_err(|error| Trouble::Refused(error.into()))?.data_type();
        let value = match into.iter().position(|column| column == field.name()) {
            Some(at) => folders.expression(field.name(), cast(given[at].clone(), to.clone())),
            // The table makes its value itself.
            None if generated => continue,
            None => {
                if !field.is_nullable() {
                    return Err(Trouble::Refused(anyhow!(
                        "INSERT INTO `{}` leaves out column `{}`, which is NOT NULL",
                        named.path,
                        field.name()
                    )));
                }
                cast(lit(ScalarValue::Null), to.clone())
            }
        };
        projection.push(value.alias(field.name()));
    }
    let (session, plan) = source.select(projection)?.into_parts();
    let write = deltalake::operations::write::WriteBuilder::new(table.log_store(), Some(state.snapshot().clone()));
    Ok(write
        .with_save_mode(SaveMode::Append)
        .with_input_plan(plan)
        .with_session_state(Arc::new(session))
        .with_commit_properties(evidence.put("INSERT").properties())
        .await?)
}
