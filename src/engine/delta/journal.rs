//! The ledger of a lake: a Delta table of events, `_triphase/ledger`. A row is an event of the audit trail and, where the event changes
//! the ledger, the change itself as JSON; nothing is ever updated. Every commit is a compare-and-swap on the table's version, so what was
//! decided on one state is never written onto another.

use super::{
    change::{Change, Fold},
    commit::{self, Put},
    lake::{Lake, host_clock},
    trouble::Trouble,
};
use crate::{
    engine::{Failure, Me, rows::TOOL},
    ledger::{Format, HistoryRow},
    model::{Class, Finding, Time},
};
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
    kernel::{Action, DataType, MetadataExt as _, PrimitiveType, StructField, StructType},
    logstore::object_store::ObjectStoreExt as _,
    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    writer::{DeltaWriter as _, RecordBatchWriter},
};
use futures_util::TryStreamExt as _;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The table's folder.
pub const NAME: &str = "ledger";
/// The property that says the ledger's format (rule L8).
const FORMAT: &str = "triphase.format";
/// With so many files, the next run writes them into one.
pub const FILES: usize = 20;
/// With so many, a run that is at work does.
pub const MANY_FILES: usize = 200;
/// How long a file that is written into another stays for those who are reading it.
const KEPT: Duration = Duration::from_secs(3600);

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub id: i64,
    pub at: Time,
    pub run: String,
    pub command: String,
    pub who: String,
    pub host: String,
    pub tool: String,
    pub release: String,
    pub step: String,
    pub verb: String,
    /// From 1.
    pub statement: Option<i32>,
    pub hash: Option<String>,
    pub outcome: String,
    pub detail: Option<String>,
    /// The lease's epoch under which it was written.
    pub epoch: i64,
    /// The `txn` version that the attempted commit of the target's table carries.
    pub txn: Option<i64>,
    /// What it changes, as JSON.
    pub change: Option<String>,
}

/// The ledger as read, at one version.
pub struct Journal {
    table: Option<DeltaTable>,
    pub format: Option<Format>,
    pub rows: Vec<Row>,
    files: BTreeSet<String>,
    pub fold: Fold,
}

/// What came of an append.
pub enum Appended {
    /// It is in; the rows as written.
    Yes(Vec<Row>),
    /// Somebody else wrote first; or the same rows are in already, where the answer was lost and the store's client sent them again.
    Moved(Vec<Row>),
}

impl Journal {
    /// Reads the ledger. Changes nothing; no table is an empty journal.
    ///
    /// # Errors
    /// [`Failure::Access`] where it can't be read, [`Failure::Refused`] where this binary can't work on it (L8).
    pub async fn read(lake: &Lake) -> Result<Self, Failure> {
        let mut journal =
            Self { table: None, format: None, rows: vec![], files: BTreeSet::new(), fold: Fold::default() };
        journal.refresh(lake).await?;
        Ok(journal)
    }

    /// Reads what has come since.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub async fn refresh(&mut self, lake: &Lake) -> Result<(), Failure> {
        if !lake.is_there() {
            return Ok(());
        }
        let access = |trouble: Trouble| trouble.access("the ledger");
        let table = match self.table.take() {
            None => lake.open(&lake.own(NAME)).await.map_err(access)?,
            Some(mut table) => {
                table.update_state().await.map_err(|error| access(error.into()))?;
                Some(table)
            }
        };
        let Some(table) = table else { return Ok(()) };
        self.take(table).await.map_err(access)??;
        Ok(())
    }

    /// Takes over a version of the table: its format, and the rows of files that were not read yet.
    async fn take(&mut self, table: DeltaTable) -> Result<Result<(), Failure>, Trouble> {
        let state = table.snapshot()?;
        match format(state.metadata().configuration().get(FORMAT).map(String::as_str)) {
            Ok(format) => self.format = Some(format),
            Err(failure) => return Ok(Err(failure)),
        }
        let mut files = BTreeSet::new();
        let mut fresh = Vec::new();
        for file in state.log_data().iter() {
            let path = file.object_store_path();
            if !self.files.contains(path.as_ref()) {
                fresh.push(path.clone());
            }
            files.insert(path.to_string());
        }
        // Files were written into one: what is known already comes again.
        if !self.files.is_subset(&files) {
            self.rows.clear();
            self.fold = Fold::default();
            fresh = files.iter().map(|path| deltalake::Path::from(path.as_str())).collect();
        }
        let store = table.log_store().object_store(None);
        let mut rows = Vec::new();
        for path in &fresh {
            for batch in batches(store.as_ref(), path).await? {
                read_rows(&batch, &mut rows).map_err(Trouble::Refused)?;
            }
        }
        rows.sort_by_key(|row| row.id);
        for row in &rows {
            if let Some(change) = &row.change
                && let Err(failure) = self.fold.apply(change, row)
            {
                return Ok(Err(failure));
            }
            self.fold.epoch = self.fold.epoch.max(row.epoch);
        }
        self.rows.append(&mut rows);
        self.files = files;
        self.table = Some(table);
        Ok(Ok(()))
    }

    /// Whether these rows, as they were written, are the newest.
    pub fn ends_with(&self, rows: &[Row]) -> bool {
        !rows.is_empty() && self.rows.ends_with(rows)
    }

    /// The newest row's id: the ledger's revision.
    pub fn last(&self) -> i64 {
        self.rows.last().map_or(0, |row| row.id)
    }

    /// The clock for the next rows: the host's, and never before what was written last.
    pub fn clock(&self) -> Time {
        host_clock().max(self.rows.last().map_or(Time(0), |row| row.at))
    }

    /// Creates the table, empty.
    ///
    /// # Errors
    /// [`Failure::Access`] where it can't be.
    pub async fn create(&mut self, lake: &Lake, me: &Me) -> Result<(), Failure> {
        if self.table.is_some() {
            return Ok(());
        }
        let put = Put::own("TRIPHASE CREATE LEDGER", &me.run);
        // What lies a day before a checkpoint goes from its log.
        let properties = [
            (FORMAT, Format::CURRENT.to_string()),
            ("delta.checkpointInterval", "20".to_owned()),
            ("delta.logRetentionDuration", "interval 1 days".to_owned()),
            ("delta.enableExpiredLogCleanup", "true".to_owned()),
        ];
        let created = create_table(lake, NAME, schema(), &properties, &put).await;
        match created {
            // Another run was first, and its table is as good.
            Ok(()) | Err(Trouble::Moved) => self.refresh(lake).await,
            Err(Trouble::Refused(why) | Trouble::Lost(why)) => {
                Err(Failure::Access(why.context(format!("the ledger can't be created in {}", lake.shown))))
            }
        }
    }

    /// Appends rows, numbered and dated, if the table still is at the version that was read.
    ///
    /// # Errors
    /// [`Failure::Lost`] where it is not known whether they are in; [`Failure::Access`] where they can't be written.
    pub async fn append(&mut self, rows: Vec<Row>, format: Option<Format>) -> Result<Appended, Failure> {
        let Some(table) = &self.table else { return Err(Failure::Access(anyhow!("the ledger is gone"))) };
        let (mut id, at) = (self.last(), self.clock());
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| {
                id += 1;
                Row { id, at, tool: TOOL.to_owned(), ..row }
            })
            .collect();
        let run = rows.first().map_or_else(String::new, |row| row.run.clone());
        let written = async {
            let mut actions = add(table, &rows).await?;
            if let Some(format) = format {
                let metadata = table.snapshot()?.metadata().clone();
                actions.push(Action::Metadata(metadata.add_config_key(FORMAT.to_owned(), format.to_string())?));
            }
            commit::put(table, actions, &Put::own("TRIPHASE LEDGER", &run)).await
        };
        match written.await {
            Ok(()) => {}
            Err(Trouble::Moved) => return Ok(Appended::Moved(rows)),
            Err(Trouble::Refused(why)) => {
                return Err(Failure::Access(why.context("the ledger can't be written")));
            }
            Err(Trouble::Lost(why)) => return Err(Failure::Lost(why.context("the ledger"))),
        }
        Ok(Appended::Yes(rows))
    }

    /// Writes all rows into one file, where there are more than `from`. Whoever is in the way does it another time.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn compact(&mut self, lake: &Lake, me: &Me, from: usize) -> Result<(), Failure> {
        let Some(table) = self.table.as_ref().filter(|_| self.files.len() > from) else { return Ok(()) };
        let written = async {
            let mut actions = together(table).await?;
            for action in &mut actions {
                if let Action::Add(add) = action {
                    add.data_change = false;
                }
            }
            actions.extend(table.snapshot()?.log_data().iter().map(|file| Action::Remove(file.remove_action(false))));
            commit::put_and_clean(table, actions, &Put::own("TRIPHASE COMPACT LEDGER", &me.run)).await
        };
        match written.await {
            Ok(()) => {}
            Err(Trouble::Moved) => return Ok(()),
            Err(Trouble::Refused(why)) => return Err(Failure::Access(why.context("the ledger can't be written"))),
            Err(Trouble::Lost(why)) => return Err(Failure::Lost(why.context("the ledger"))),
        }
        self.refresh(lake).await?;
        if let Some(table) = &self.table
            && let Err(trouble) = tidy(table).await
        {
            tracing::info!(?trouble, "files that the ledger needs no more were left behind");
        }
        Ok(())
    }

    /// The audit trail's newest rows, newest first.
    pub fn history(&self, limit: u32) -> Vec<HistoryRow> {
        let shown = self.rows.iter().rev().filter(|row| !row.outcome.is_empty());
        shown
            .take(limit as usize)
            .map(|row| HistoryRow {
                id: row.id,
                at: row.at,
                run: row.run.clone(),
                command: row.command.clone(),
                who: row.who.clone(),
                tool: row.tool.clone(),
                release: row.release.clone(),
                step: row.step.clone(),
                verb: row.verb.clone(),
                statement: row.statement.and_then(|statement| u32::try_from(statement).ok()),
                hash: row.hash.clone(),
                outcome: row.outcome.clone(),
                detail: row.detail.clone(),
            })
            .collect()
    }

    /// The row with a change that says so of itself.
    pub fn row(me: &Me, epoch: i64, change: Option<&Change>) -> Row {
        Row {
            run: me.run.clone(),
            command: me.command.clone(),
            who: me.who.clone(),
            host: me.host.clone(),
            epoch,
            change: change.map(Change::json),
            ..Row::default()
        }
    }
}

/// Creates one of triphase's own tables.
///
/// # Errors
/// [`Trouble::Moved`] where it is there already.
pub async fn create_table(
    lake: &Lake,
    name: &str,
    schema: StructType,
    properties: &[(&str, String)],
    put: &Put,
) -> Result<(), Trouble> {
    let handle = lake.handle(&lake.own(name))?;
    let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let metadata = deltalake::kernel::new_metadata(&schema, Vec::<String>::new(), properties)?;
    let protocol = serde_json::from_value(serde_json::json!({"minReaderVersion": 1, "minWriterVersion": 2}))
        .map_err(|error| Trouble::Refused(error.into()))?;
    commit::create(&handle, vec![Action::Protocol(protocol), Action::Metadata(metadata)], put).await
}

fn format(text: Option<&str>) -> Result<Format, Failure> {
    let refused = |message: String, way_out: &str| {
        Failure::Refused(Box::new(Finding::new(Class::Decision, "L8", message).way_out(way_out)))
    };
    let Some(format) = text.and_then(Format::parse) else {
        return Err(refused(
            format!("the ledger's format can't be told: the table _triphase/{NAME} should have a property `{FORMAT}`"),
            "use the triphase that wrote it",
        ));
    };
    if format.major > Format::CURRENT.major {
        return Err(refused(
            format!(
                "the ledger has format {format}; this triphase ({TOOL}) knows formats up to {}.x",
                Format::CURRENT.major
            ),
            "use a newer triphase",
        ));
    }
    Ok(format)
}

fn schema() -> StructType {
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
async fn add(table: &DeltaTable, rows: &[Row]) -> Result<Vec<Action>, Trouble> {
    let columns = columns(rows);
    let known = |name: &str| columns.iter().find(|(column, _)| *column == name).map(|(_, values)| Arc::clone(values));
    let mut writer = RecordBatchWriter::for_table(table)?;
    let batch = fitted(&writer.arrow_schema(), rows.len(), known).map_err(|error| Trouble::Refused(error.into()))?;
    writer.write(batch).await?;
    Ok(writer.flush().await?.into_iter().map(Action::Add).collect())
}

/// Writes all rows of the table into one file, as they are: columns that this binary does not know go along (L8).
async fn together(table: &DeltaTable) -> Result<Vec<Action>, Trouble> {
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

async fn batches(store: &dyn ObjectStore, path: &deltalake::Path) -> Result<Vec<RecordBatch>, Trouble> {
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
async fn tidy(table: &DeltaTable) -> Result<(), Trouble> {
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
fn read_rows(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), anyhow::Error> {
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
