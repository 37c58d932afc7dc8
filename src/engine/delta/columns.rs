//! The ledger's files: its columns, rows as record batches and back, many files as one. Columns go by their names: a ledger of a newer
//! minor format has more of them, which are left empty in new rows and kept in old ones (rule L8).

use super::{journal::Row, lake::host_clock, trouble::Trouble};
use crate::model::Time;
use anyhow::anyhow;
use deltalake::{
    DeltaTable, ObjectStore,
    arrow::{
        array::{
            Array as _, ArrayRef, AsArray as _, Int32Array, Int64Array, RecordBatch, StringArray,
            TimestampMicrosecondArray, new_null_array,
        },
        compute::cast,
        datatypes::{FieldRef, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType},
        error::ArrowError,
    },
    kernel::{Action, DataType, PrimitiveType, StructField, StructType},
    logstore::object_store::ObjectStoreExt as _,
    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    writer::{DeltaWriter as _, RecordBatchWriter},
};
use futures_util::TryStreamExt as _;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long a file that is written into another stays for those who are reading it.
const KEPT: Duration = Duration::from_secs(3600);

/// The columns of this binary's format.
pub fn schema() -> StructType {
    let field = |name: &str, of: PrimitiveType| StructField::nullable(name, DataType::Primitive(of));
    StructType::new_unchecked([
        field("id", PrimitiveType::Long),
        field("at", PrimitiveType::Timestamp),
        field("run", PrimitiveType::String),
        field("command", PrimitiveType::String),
        field("who", PrimitiveType::String),
        field("host", PrimitiveType::String),
        field("tool", PrimitiveType::String),
        field("release", PrimitiveType::String),
        field("step", PrimitiveType::String),
        field("verb", PrimitiveType::String),
        field("statement", PrimitiveType::Integer),
        field("hash", PrimitiveType::String),
        field("outcome", PrimitiveType::String),
        field("detail", PrimitiveType::String),
        field("epoch", PrimitiveType::Long),
        field("txn", PrimitiveType::Long),
        field("change", PrimitiveType::String),
    ])
}

/// Writes rows to a file of the table, which nobody sees before the commit.
///
/// # Errors
/// Where they can't be written.
pub async fn add(table: &DeltaTable, rows: &[Row]) -> Result<Vec<Action>, Trouble> {
    let columns = columns(rows);
    let known = |name: &str| columns.iter().find(|(column, _)| *column == name).map(|(_, values)| Arc::clone(values));
    let mut writer = RecordBatchWriter::for_table(table)?;
    let batch = fitted(&writer.arrow_schema(), rows.len(), known).map_err(|error| Trouble::Refused(error.into()))?;
    writer.write(batch).await?;
    Ok(writer.flush().await?.into_iter().map(Action::Add).collect())
}

/// Writes all rows of the table into one file, as they are: columns that this binary does not know go along (L8).
///
/// # Errors
/// Where they can't be read or written.
pub async fn together(table: &DeltaTable) -> Result<Vec<Action>, Trouble> {
    let store = table.log_store().object_store(None);
    let mut writer = RecordBatchWriter::for_table(table)?;
    let schema = writer.arrow_schema();
    let files: Vec<_> = table.snapshot()?.log_data().iter().map(|file| file.object_store_path()).collect();
    for path in &files {
        for batch in batches(store.as_ref(), path).await? {
            let fitted = fitted(&schema, batch.num_rows(), |name| batch.column_by_name(name).cloned());
            writer.write(fitted.map_err(|error| Trouble::Refused(error.into()))?).await?;
        }
    }
    Ok(writer.flush().await?.into_iter().map(Action::Add).collect())
}

/// Reads a file.
///
/// # Errors
/// Where it is none of Parquet's, or the store does not give it.
pub async fn batches(store: &dyn ObjectStore, path: &deltalake::Path) -> Result<Vec<RecordBatch>, Trouble> {
    let bytes = store.get(path).await.map_err(deltalake::DeltaTableError::from)?;
    let bytes = bytes.bytes().await.map_err(deltalake::DeltaTableError::from)?;
    let batches = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(deltalake::DeltaTableError::from)?;
    batches.collect::<Result<_, _>>().map_err(|error| Trouble::Refused(error.into()))
}

/// Columns as the table has them, by their names: one that is not known holds NULL. A ledger of a newer minor format has more of them.
fn fitted(
    schema: &SchemaRef,
    rows: usize,
    known: impl Fn(&str) -> Option<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| match known(field.name()) {
        Some(values) if values.data_type() == field.data_type() => Ok(values),
        Some(values) => cast(&values, field.data_type()),
        None => Ok(new_null_array(field.data_type(), rows)),
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect::<Result<_, _>>()?)
}

/// Deletes what no reader can still be at: files that were written into one, or whose commit lost, long enough ago.
///
/// # Errors
/// Where the store does not do so: what is left goes another time.
pub async fn tidy(table: &DeltaTable) -> Result<(), Trouble> {
    let (log_store, state) = (table.log_store(), table.snapshot()?);
    let long_ago = host_clock().0 - i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
    let mut needed: BTreeSet<deltalake::Path> = state.log_data().iter().map(|file| file.object_store_path()).collect();
    let removed: Vec<_> = state.all_tombstones(log_store.as_ref()).try_collect().await?;
    for file in removed.iter().filter(|file| file.deletion_timestamp().is_some_and(|at| at * 1000 > long_ago)) {
        needed.insert(deltalake::Path::from(file.path().as_ref()));
    }
    let store = log_store.object_store(None);
    let listed: Vec<_> = store.list(None).try_collect().await.map_err(deltalake::DeltaTableError::from)?;
    let old = listed.into_iter().filter(|met| {
        let data = met.location.parts_count() == 1 && met.location.extension() == Some("parquet");
        data && met.last_modified.timestamp_micros() < long_ago && !needed.contains(&met.location)
    });
    for met in old {
        store.delete(&met.location).await.map_err(deltalake::DeltaTableError::from)?;
    }
    Ok(())
}

/// The columns of this binary's format, by name.
fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef)> {
    let text = |of: fn(&Row) -> &String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row).as_str())).collect::<StringArray>())
    };
    let option = |of: fn(&Row) -> Option<&String>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row).map(String::as_str)).collect::<StringArray>())
    };
    let long = |of: fn(&Row) -> Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let at = rows.iter().map(|row| Some(row.at.0)).collect::<TimestampMicrosecondArray>().with_timezone("UTC");
    vec![
        ("id", long(|row| Some(row.id))),
        ("at", Arc::new(at)),
        ("run", text(|row| &row.run)),
        ("command", text(|row| &row.command)),
        ("who", text(|row| &row.who)),
        ("host", text(|row| &row.host)),
        ("tool", text(|row| &row.tool)),
        ("release", text(|row| &row.release)),
        ("step", text(|row| &row.step)),
        ("verb", text(|row| &row.verb)),
        ("statement", Arc::new(rows.iter().map(|row| row.statement).collect::<Int32Array>())),
        ("hash", option(|row| row.hash.as_ref())),
        ("outcome", text(|row| &row.outcome)),
        ("detail", option(|row| row.detail.as_ref())),
        ("epoch", long(|row| Some(row.epoch))),
        ("txn", long(|row| row.txn)),
        ("change", option(|row| row.change.as_ref())),
    ]
}

/// Reads a file's rows. Columns that this binary does not know are passed over (L8).
///
/// # Errors
/// Where a column of this binary's format is missing, or of another type.
pub fn rows_of(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), anyhow::Error> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| anyhow!("the ledger's table has no column `{name}`"));
    let texts = |name: &str| {
        let column = cast(column(name)?, &deltalake::arrow::datatypes::DataType::Utf8)?;
        Ok::<_, anyhow::Error>(column.as_string::<i32>().clone())
    };
    let longs = |name: &str| {
        let wrong = || anyhow!("the ledger's column `{name}` is no long");
        Ok::<_, anyhow::Error>(column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.clone())
    };
    let at = column("at")?
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(|| anyhow!("the ledger's column `at` is no timestamp"))?;
    let statement = column("statement")?
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(|| anyhow!("the ledger's column `statement` is no integer"))?;
    let (id, epoch, txn) = (longs("id")?, longs("epoch")?, longs("txn")?);
    let names =
        ["run", "command", "who", "host", "tool", "release", "step", "verb", "hash", "outcome", "detail", "change"];
    let [run, command, who, host, tool, release, step, verb, hash, outcome, detail, change] = names.map(texts);
    let (run, command, who, host, tool, release) = (run?, command?, who?, host?, tool?, release?);
    let (step, verb, hash, outcome, detail, change) = (step?, verb?, hash?, outcome?, detail?, change?);
    let option = |of: &StringArray, at: usize| of.is_valid(at).then(|| of.value(at).to_owned());
    let text = |of: &StringArray, at: usize| option(of, at).unwrap_or_default();
    for n in 0..batch.num_rows() {
        rows.push(Row {
            id: id.value(n),
            at: Time(at.value(n)),
            run: text(&run, n),
            command: text(&command, n),
            who: text(&who, n),
            host: text(&host, n),
            tool: text(&tool, n),
            release: text(&release, n),
            step: text(&step, n),
            verb: text(&verb, n),
            statement: statement.is_valid(n).then(|| statement.value(n)),
            hash: option(&hash, n),
            outcome: text(&outcome, n),
            detail: option(&detail, n),
            epoch: epoch.value(n),
            txn: txn.is_valid(n).then(|| txn.value(n)),
            change: option(&change, n),
        });
    }
    Ok(())
}
