//! Producing: the rows of some of a table's files, with other values or in another shape, as new files of a staging folder. This is the
//! producer that is always there: DataFusion, within the bounds of `memory`. Whoever else produces gives back the same, files of the folder.

use super::{
    super::{folder, memory, trouble::Trouble},
    Run,
    beside::Beside,
    checks,
    files::Source,
    shape::Shape,
};
use crate::{model::Dialect, ops::TableState, sql};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, ObjectStore,
    arrow::array::RecordBatch,
    datafile::writer::{DeltaWriter, WriterConfig},
    datafusion::{
        common::Column,
        execution::SendableRecordBatchStream,
        logical_expr::{Expr, cast},
    },
    kernel::Add,
    parquet::{basic::Compression, file::properties::WriterProperties},
    table::config::TablePropertiesExt as _,
};
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many rows are encoded at a time; between, it is looked whether the file has its size.
const CHUNK: usize = 8192;

/// What is to be produced.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The table, at the version that is read.
    pub table: &'a DeltaTable,
    /// Which of its files.
    pub files: &'a [Source],
    /// The table as it is now, and as it will be.
    pub states: (&'a TableState, &'a TableState),
    /// By the name that it will have: what a column holds, over the row as it is. One that is not named keeps its value.
    pub columns: &'a IndexMap<String, String>,
    /// Where values come from that the table has not.
    pub beside: Option<&'a Beside>,
}

impl Order<'_> {
    /// Whether rows go to other partitions than they are in.
    pub fn sorts(&self) -> bool {
        self.states.0.partition_by != self.states.1.partition_by
    }

    /// The query whose rows are written, over the table as `t` or what it is joined to, the columns by their physical names.
    pub fn query(&self, from: &str) -> String {
        let (state, next) = self.states;
        let ident = |name: &str| sql::ident(Dialect::Delta, name);
        let value = |name: &str| match self.columns.get(name) {
            Some(expression) => expression.clone(),
            None if state.field(name).is_some() => ident(name),
            None => "NULL".to_owned(),
        };
        let columns: Vec<String> = next
            .fields
            .iter()
            .map(|field| format!("({}) AS {}", value(&field.name), ident(field.physical())))
            .collect();
        format!("SELECT {} FROM {from}", columns.join(", "))
    }
}

/// Produces: files of the store, by their paths in it.
///
/// # Errors
/// Where an expression fails on a row, or the store does.
pub async fn produce(run: &Run<'_>, order: Order<'_>, store: Arc<dyn ObjectStore>) -> Result<Vec<Add>, Trouble> {
    let next = order.states.1;
    let shape = Shape::of(next)?;
    let context = memory::session();
    let files = order.files.iter().map(|file| file.path.clone()).collect();
    checks::register(&context, order.table, Some(&files)).await?;
    let from = match order.beside {
        Some(beside) => beside.register(&context, order.table).await?,
        None => "t".to_owned(),
    };
    let casts = shape.asked.fields().iter().map(|field| {
        let column = Expr::Column(Column::new_unqualified(field.name()));
        cast(column, field.data_type().clone()).alias(field.name())
    });
    let mut frame = context.sql(&order.query(&from)).await?.select(casts.collect::<Vec<_>>())?;
    let by: Vec<String> =
        next.partition_by.iter().filter_map(|name| next.field(name)).map(|field| field.physical().to_owned()).collect();
    if order.sorts() && !by.is_empty() {
        let columns = by.iter().map(|name| Expr::Column(Column::new_unqualified(name)).sort(true, false));
        frame = frame.sort(columns.collect())?;
    }
    let config = config(&order, &shape, &by)?;
    let named = if order.table.table_url().scheme() == "file" { by.clone() } else { vec![] };
    let sink = Sink { store, config, shape, partitioned: !by.is_empty(), named };
    let mut tasks = JoinSet::new();
    for stream in frame.execute_stream_partitioned().await? {
        let (sink, meter, stop) = (sink.clone(), run.lake.meter.clone(), run.stop.clone());
        tasks.spawn(async move {
            sink.write(stream, |rows| {
                meter.rows(rows);
                stop.signal().is_none()
            })
            .await
        });
    }
    let mut adds = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        // The other tasks end with the set.
        adds.extend(ended.map_err(|error| Trouble::Refused(anyhow!("writing files was cut short: {error}")))??);
    }
    run.lake.meter.files(order.files.len() as u64);
    Ok(adds)
}

/// How files are written: compressed as the library does, of the size and with the statistics that the table's properties say.
fn config(order: &Order<'_>, shape: &Shape, by: &[String]) -> Result<WriterConfig, Trouble> {
    let next = order.states.1;
    let known = order.table.snapshot()?.table_config();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_bytes(Some(memory::ROW_GROUP))
        .build();
    let named = next.properties.get("delta.dataSkippingStatsColumns").map(|names| {
        let physical = |name: &str| next.field(name).map_or(name, |field| field.physical()).to_owned();
        names.split(',').map(|name| physical(name.trim().trim_matches('`'))).collect()
    });
    Ok(WriterConfig::new(
        Arc::clone(&shape.file),
        by.to_vec(),
        Some(properties),
        Some(known.target_file_size()),
        Some(CHUNK),
        known.num_indexed_cols(),
        named,
    ))
}

/// Where rows are written.
#[derive(Clone)]
struct Sink {
    store: Arc<dyn ObjectStore>,
    config: WriterConfig,
    shape: Shape,
    partitioned: bool,
    /// The columns whose values name folders.
    named: Vec<String>,
}

impl Sink {
    /// Writes all rows of a stream. `goes_on` is told how many rows came, and may stop it.
    async fn write(
        self,
        mut rows: SendableRecordBatchStream,
        goes_on: impl Fn(u64) -> bool,
    ) -> Result<Vec<Add>, Trouble> {
        let (mut adds, mut open) = (Vec::new(), 0);
        let mut writer = self.writer();
        while let Some(batch) = rows.next().await {
            let written = async {
                // The columns are those of the files; what the query says of them besides is not.
                let batch: RecordBatch = self.shape.batch(&batch?)?;
                folder::fit(&batch, &self.named)?;
                writer.write(&batch).await?;
                Ok::<_, Trouble>(batch)
            };
            let batch = match written.await {
                Ok(batch) => batch,
                Err(trouble) => return Err(aborted(writer, trouble).await),
            };
            if !goes_on(batch.num_rows() as u64) {
                let why = anyhow!("interrupted while the files were written anew; nothing is changed");
                return Err(aborted(writer, Trouble::Refused(why)).await);
            }
            open += batch.get_array_memory_size();
            // Of each partition that it has met a file is open, with a row group in memory.
            if self.partitioned && open >= memory::OPEN {
                adds.extend(std::mem::replace(&mut writer, self.writer()).close().await?);
                open = 0;
            }
        }
        adds.extend(writer.close().await?);
        Ok(adds)
    }

    fn writer(&self) -> DeltaWriter {
        DeltaWriter::new(Arc::clone(&self.store), self.config.clone())
    }
}

async fn aborted(writer: DeltaWriter, why: Trouble) -> Trouble {
    if let Err(error) = writer.abort().await {
        tracing::info!(%error, "an upload that is not needed any more could not be ended");
    }
    why
}
