//! Values are filled in, range by range: each range is a commit of its own that file statistics can prune, so that an append elsewhere
//! in the table is not in its way. A range that is filled has no row left that wants it; that is how a run that was cut short goes on.

use super::{
    super::{
        context,
        dml::{Moved, Patience},
        evidence::Standing,
        trouble::Trouble,
    },
    Run, checks,
};
use crate::{engine::Failure, failpoint, model::Dialect, sql};
use deltalake::{
    DeltaTable,
    arrow::{array::Array as _, util::display},
    datafusion::common::{Column, ScalarValue},
    delta_datafusion::DataFusionMixins as _,
};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use url::Url;

/// How many rows a range has, where the step does not say.
const ROWS: u64 = 1_000_000;
/// How many ranges there are at most.
const RANGES: u64 = 1000;

/// What is filled in.
pub struct Fill<'a> {
    pub set: &'a IndexMap<String, String>,
    /// The rows that want it.
    pub rows: &'a str,
    pub batch: Option<u64>,
    pub key: Option<&'a str>,
    /// The rows that were filled may want it still: all are taken in one commit, which can't be half done.
    pub once: bool,
}

impl Fill<'_> {
    /// Fills all ranges, and then commits the evidence.
    ///
    /// # Errors
    /// The action's.
    pub async fn run(&self, run: &Run<'_>, place: &Url, table: DeltaTable) -> Result<Result<(), Moved>, Failure> {
        if self.once {
            let tried = self.update(run, table, self.rows, true).await.map(drop);
            return super::decided(run.lake, place, run.evidence, tried).await;
        }
        for round in 1_u64.. {
            if run.stop.signal().is_some() {
                return Err(Failure::Stopped);
            }
            let current = self.current(run, place).await?;
            let wanting = checks::count(&current, self.rows).await.map_err(|trouble| trouble.action(0))?;
            if wanting == 0 {
                let tried = super::put(&current, vec![], &run.evidence.put("BACKFILL DONE")).await;
                match super::decided(run.lake, place, run.evidence, tried).await? {
                    // Rows may have come with that commit: look again.
                    Err(Moved) => continue,
                    Ok(()) => return Ok(Ok(())),
                }
            }
            let mut ranges = self.ranges(&current, wanting).await.map_err(|trouble| trouble.action(0))?;
            if round > 1 && self.outside(&current, &ranges).await.map_err(|trouble| trouble.action(0))? {
                ranges = vec!["true".to_owned()];
            }
            let of = ranges.len();
            for (at, range) in ranges.into_iter().enumerate() {
                tracing::info!("backfill: range {} of {of}, {wanting} rows wanted it at first", at + 1);
                let rows = format!("({}) AND ({range})", self.rows);
                self.range(run, place, &rows, round > 1).await?;
            }
        }
        Ok(Err(Moved))
    }

    /// Whether rows that want it are in none of the ranges: a value was not written as it compares.
    async fn outside(&self, table: &DeltaTable, ranges: &[String]) -> Result<bool, Trouble> {
        let within: Vec<String> = ranges.iter().map(|range| format!("({range})")).collect();
        let rows = format!("({}) AND ({}) IS NOT TRUE", self.rows, within.join(" OR "));
        Ok(checks::count(table, &rows).await? > 0)
    }

    async fn current(&self, run: &Run<'_>, place: &Url) -> Result<DeltaTable, Failure> {
        let gone = || Failure::Handler { at: 0, why: anyhow::anyhow!("the table is gone") };
        let table = run.lake.open(place).await.map_err(|trouble| trouble.action(0))?.ok_or_else(gone)?;
        // Fenced off by a later run, this one fills in nothing more.
        match run.evidence.standing(&table).await? {
            Standing::Open | Standing::Applied => Ok(table),
        }
    }

    async fn range(&self, run: &Run<'_>, place: &Url, rows: &str, settled: bool) -> Result<(), Failure> {
        let mut patience = Patience::new(run.patience);
        loop {
            if run.stop.signal().is_some() {
                return Err(Failure::Stopped);
            }
            let table = self.current(run, place).await?;
            match self.update(run, table, rows, false).await {
                Ok(after) if settled => return self.settled(&after, rows).await.map_err(|trouble| trouble.action(0)),
                Ok(_) => return Ok(()),
                Err(Trouble::Moved) => patience.wait(run.stop).await?,
                Err(trouble) => return Err(trouble.action(0)),
            }
        }
    }

    async fn update(&self, run: &Run<'_>, table: DeltaTable, rows: &str, whole: bool) -> Result<DeltaTable, Trouble> {
        let put = if whole { run.evidence.put("BACKFILL") } else { run.evidence.part("BACKFILL") };
        let (before, unchanged) = (table.version(), table.clone());
        let mut update = table
            .update()
            .with_session_state(context::state())
            .with_predicate(rows)
            .with_commit_properties(put.properties());
        for (column, value) in self.set {
            update = update.with_update(Column::new_unqualified(column.as_str()), value.as_str());
        }
        failpoint::point("before a table commit");
        let (after, _) = update.await?;
        failpoint::point("after a table commit");
        if whole && after.version() == before {
            super::put(&unchanged, vec![], &put).await?;
        }
        Ok(after)
    }

    /// Sees that rows that were just filled want it no more: else they would be filled for ever.
    async fn settled(&self, after: &DeltaTable, rows: &str) -> Result<(), Trouble> {
        match checks::count(after, rows).await? {
            0 => Ok(()),
            count => {
                let set: Vec<&str> = self.set.values().map(String::as_str).collect();
                Err(Trouble::Refused(anyhow::anyhow!(
                    "{count} rows that were just filled do not hold what {} gives: it gives another value each time, or one that \
                     the column does not hold to the letter",
                    set.join(", ")
                )))
            }
        }
    }

    /// Conditions that together hold for every row, each of about as many rows.
    async fn ranges(&self, table: &DeltaTable, wanting: u64) -> Result<Vec<String>, Trouble> {
        let batch = self.batch.unwrap_or(ROWS).max(1);
        let count = wanting.div_ceil(batch).min(RANGES);
        let state = super::table::state(table)?;
        if self.batch.is_none() && !state.partition_by.is_empty() {
            return self.partitions(table, &state.partition_by).await;
        }
        let set: BTreeSet<&str> = self.set.keys().map(String::as_str).collect();
        let key = match self.key {
            Some(key) => Some(key.to_owned()),
            None => key_of(table, &set)?,
        };
        let (Some(key), true) = (key, count > 1) else { return Ok(vec!["true".to_owned()]) };
        let name = sql::ident(Dialect::Delta, &key);
        let query = format!(
            "SELECT min(k) FROM (SELECT {name} AS k, ntile({count}) OVER (ORDER BY {name}) AS n FROM t \
             WHERE ({}) AND {name} IS NOT NULL) AS s GROUP BY n ORDER BY 1",
            self.rows
        );
        let bounds = literals(table, &query).await?;
        let mut ranges = vec![format!("{name} IS NULL")];
        for (at, low) in bounds.iter().enumerate() {
            let range = match (at, bounds.get(at + 1)) {
                (0, Some(high)) => format!("{name} < {high}"),
                (0, None) => format!("{name} IS NOT NULL"),
                (_, Some(high)) => format!("{name} >= {low} AND {name} < {high}"),
                (_, None) => format!("{name} >= {low}"),
            };
            ranges.push(range);
        }
        Ok(ranges)
    }

    /// One range for each partition that has rows that want it.
    async fn partitions(&self, table: &DeltaTable, columns: &[String]) -> Result<Vec<String>, Trouble> {
        let Some(first) = columns.first() else { return Ok(vec!["true".to_owned()]) };
        let name = sql::ident(Dialect::Delta, first);
        let query = format!("SELECT DISTINCT {name} FROM t WHERE ({}) AND {name} IS NOT NULL ORDER BY 1", self.rows);
        let mut ranges = vec![format!("{name} IS NULL")];
        ranges.extend(literals(table, &query).await?.into_iter().map(|value| format!("{name} = {value}")));
        Ok(ranges)
    }
}

/// The values of a query's one column, as SQL.
async fn literals(table: &DeltaTable, query: &str) -> Result<Vec<String>, Trouble> {
    let batches = checks::over(table, None, query).await?.collect().await?;
    let mut values = Vec::new();
    for batch in &batches {
        let column = batch.column(0);
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            let value = ScalarValue::try_from_array(column, row)?;
            let text = display::array_value_to_string(column, row).unwrap_or_default();
            values.push(if value.data_type().is_numeric() || matches!(value, ScalarValue::Boolean(_)) {
                text
            } else {
                format!("'{}'", text.replace('\'', "''"))
            });
        }
    }
    values.dedup();
    Ok(values)
}

/// The first column by which files can be told apart: statistics are kept of it, its order is the values' own, and nothing is filled
/// into it.
fn key_of(table: &DeltaTable, set: &BTreeSet<&str>) -> Result<Option<String>, Trouble> {
    use deltalake::arrow::datatypes::DataType;
    let schema = table.snapshot()?.snapshot().read_schema();
    let ordered = |of: &DataType| of.is_integer() || matches!(of, DataType::Date32);
    let known = schema.fields().iter().take(32).filter(|field| !set.contains(field.name().as_str()));
    Ok(known.into_iter().find(|field| ordered(field.data_type())).map(|field| field.name().clone()))
}
