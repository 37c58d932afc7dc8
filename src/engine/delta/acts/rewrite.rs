//! All files of a table are written anew: produced beside the old ones, where nobody sees them, and adopted by one commit that removes the
//! old ones. What others append meanwhile is written anew as well, before the commit; where they remove anything, all is produced again.

use super::{
    super::{commit, trouble::Trouble},
    Run,
    checks::{self, Looked},
};
use crate::{
    model::Dialect,
    ops::{Check, Edit, Field, TableState},
    sql,
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable,
    arrow::{
        array::RecordBatch,
        datatypes::{DataType as ArrowType, Schema, SchemaRef},
    },
    datafusion::{
        common::Column,
        logical_expr::{Expr, cast},
    },
    kernel::{Action, Add, StructType, engine::arrow_conversion::TryIntoArrow as _},
    logstore::object_store::ObjectStoreExt as _,
    writer::{DeltaWriter as _, RecordBatchWriter},
};
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What was produced so far.
#[derive(Debug)]
pub struct Produced {
    /// The table as it was then, but for its files.
    of: TableState,
    /// The files it was made of, by path and deletion vector.
    sources: BTreeSet<String>,
    adds: Vec<Add>,
}

/// Produces what is missing, checks, and commits.
///
/// # Errors
/// [`Trouble::Moved`] where others were first: what was produced is kept for the next try.
pub async fn run(
    run: &Run<'_>,
    table: &DeltaTable,
    checks: &[Check],
    edits: &[Edit],
    columns: &IndexMap<String, String>,
    looked: &mut Looked,
) -> Result<(), Trouble> {
    let state = super::table::state(table)?;
    super::writable(&state)?;
    let next = crate::ops::apply_all(edits, &state).map_err(super::words)?;
    checks::all(run.evidence, table, checks, looked).await?;
    let bare = TableState { files: 0, bytes: 0, rows: None, ..state.clone() };
    let now = sources(table)?;
    let kept = looked.produced.take();
    let mut produced = match kept {
        Some(kept) if kept.of == bare && kept.sources.iter().all(|source| now.contains_key(source)) => kept,
        Some(stale) => {
            forget(table, &stale.adds).await;
            Produced { of: bare, sources: BTreeSet::new(), adds: vec![] }
        }
        None => Produced { of: bare, sources: BTreeSet::new(), adds: vec![] },
    };
    let fresh: BTreeSet<String> =
        now.iter().filter(|(source, _)| !produced.sources.contains(*source)).map(|(_, path)| path.clone()).collect();
    if !fresh.is_empty() {
        let only = (fresh.len() < now.len()).then_some(&fresh);
        produced.adds.extend(produce(run, table, &state, &next, columns, only).await?);
        produced.sources = now.keys().cloned().collect();
    }
    // Rows that are as they were are no change for those who follow the table.
    let data_change = !columns.is_empty();
    let snapshot = table.snapshot()?;
    let mut actions = super::table::changes(table, &state, &next)?;
    actions.extend(snapshot.log_data().iter().map(|file| Action::Remove(file.remove_action(data_change))));
    actions.extend(produced.adds.iter().map(|add| Action::Add(Add { data_change, ..add.clone() })));
    let committed = commit::put(table, actions, &run.evidence.put("REWRITE")).await;
    if let Err(Trouble::Moved) = &committed {
        looked.produced = Some(produced);
    }
    committed
}

/// The files that are live, by path and deletion vector: one that gets another vector has lost rows.
fn sources(table: &DeltaTable) -> Result<BTreeMap<String, String>, Trouble> {
    let state = table.snapshot()?;
    let named = |file: deltalake::kernel::LogicalFileView| {
        let path = file.path().into_owned();
        (format!("{path} {:?}", file.deletion_vector_descriptor()), path)
    };
    Ok(state.log_data().iter().map(named).collect())
}

/// What was produced and is of no use goes; what can't be deleted is left to VACUUM.
async fn forget(table: &DeltaTable, adds: &[Add]) {
    let store = table.log_store().object_store(None);
    for add in adds {
        if let Err(error) = store.delete(&super::remove::at(&add.path)).await {
            tracing::info!(path = add.path, %error, "a file that is no longer needed was left behind");
        }
    }
}

async fn produce(
    run: &Run<'_>,
    table: &DeltaTable,
    state: &TableState,
    next: &TableState,
    columns: &IndexMap<String, String>,
    only: Option<&BTreeSet<String>>,
) -> Result<Vec<Add>, Trouble> {
    let schema = physical(next)?;
    let ident = |name: &str| sql::ident(Dialect::Delta, name);
    let mut select = Vec::new();
    for field in &next.fields {
        let value = match columns.get(&field.name) {
            Some(expression) => expression.clone(),
            None if state.field(&field.name).is_some() => ident(&field.name),
            None => "NULL".to_owned(),
        };
        select.push(format!("({value}) AS {}", ident(field.physical())));
    }
    let frame = checks::over(table, only, &format!("SELECT {} FROM t", select.join(", "))).await?;
    let casts: Vec<Expr> = schema
        .fields()
        .iter()
        .map(|field| {
            let column = Expr::Column(Column::new_unqualified(field.name()));
            cast(column, field.data_type().clone()).alias(field.name())
        })
        .collect();
    let mut rows = frame.select(casts)?.execute_stream().await?;
    let by: Vec<String> =
        next.partition_by.iter().filter_map(|name| next.field(name)).map(|field| field.physical().to_owned()).collect();
    let by = (!by.is_empty()).then_some(by);
    let mut writer = RecordBatchWriter::try_new(table.table_url(), Arc::clone(&schema), by, Some(run.lake.options()))?;
    while let Some(batch) = rows.next().await {
        // The columns are those of the files; what the query says of them besides is not.
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch?.columns().to_vec());
        writer.write(batch.map_err(|error| Trouble::Refused(error.into()))?).await?;
        if run.stop.signal().is_some() {
            return Err(Trouble::Refused(anyhow!("interrupted while the files were written anew; nothing is changed")));
        }
    }
    Ok(writer.flush().await?)
}

/// The columns as the files have them.
fn physical(state: &TableState) -> Result<SchemaRef, Trouble> {
    let fields: Vec<Field> = state
        .fields
        .iter()
        .map(|field| {
            let mut plain = field.clone();
            let name = field.physical().to_owned();
            let mut mapped = None;
            plain.data_type.inner_mut(&mut |inner: &mut Field| {
                if inner.physical() != inner.name {
                    mapped = Some(inner.name.clone());
                }
                inner.metadata.clear();
            });
            if let Some(inner) = mapped {
                return Err(Trouble::Refused(anyhow!(
                    "column `{}` has a part, `{inner}`, that has another name in the files: such a table is not written anew",
                    field.name
                )));
            }
            plain.name = name;
            plain.metadata.clear();
            Ok(plain)
        })
        .collect::<Result<_, Trouble>>()?;
    let text = TableState { fields, ..TableState::default() }.schema_string();
    let kernel: StructType = serde_json::from_str(&text).map_err(|error| Trouble::Refused(error.into()))?;
    let schema: Schema = (&kernel)
        .try_into_arrow()
        .map_err(|error: deltalake::arrow::error::ArrowError| Trouble::Refused(error.into()))?;
    // The library's words for texts in memory are not those of files.
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            ArrowType::Utf8View => field.as_ref().clone().with_data_type(ArrowType::Utf8),
            ArrowType::BinaryView => field.as_ref().clone().with_data_type(ArrowType::Binary),
            _ => field.as_ref().clone(),
        })
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}
