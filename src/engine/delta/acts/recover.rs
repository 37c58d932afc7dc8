//! What comes back from an older version: the values of a column that was detached, for the rows of the same key that have NULL.

use super::{
    super::{context, dml::Moved, trouble::Trouble},
    Run,
    backfill::{Fill, fed},
    beside::Beside,
    checks,
    looked::Looked,
};
use crate::{
    engine::Failure,
    failpoint,
    model::{Dialect, Verb},
    ops::TableState,
    sql,
};
use anyhow::anyhow;
use deltalake::{DeltaTable, datafusion::common::Column, logstore::get_actions};
use url::Url;

/// Brings a column's values back from the version before the first commit of a handler of this step, for the rows of the same key that
/// have NULL. Files are filled as a backfill fills them; one that was there then has its own values still, and stays as it is.
///
/// # Errors
/// Where that version can no longer be read.
pub async fn recover(
    run: &Run<'_>,
    place: &Url,
    (name, table): (&str, &DeltaTable),
    (column, key, since): (&str, &[String], Verb),
    looked: &mut Looked,
) -> Result<Result<(), Moved>, Failure> {
    let old = older(run, table, column, since).await.map_err(|trouble| trouble.action(0))?;
    if fed(table) {
        let tried = merge(run, table, old, column, key).await;
        return super::decided(run.lake, place, run.evidence, tried).await;
    }
    let beside = Beside::new(old, column, key);
    let set = [(column.to_owned(), beside.value())].into();
    let rows = format!("{} IS NULL AND {} IS NOT NULL", sql::ident(Dialect::Delta, column), beside.value());
    let fill = Fill { name, set: &set, rows: &rows, batch: None, key: None, once: false, beside: Some(&beside) };
    fill.run(run, place, table.clone(), looked).await
}

/// The version that still has the column's values, opened.
async fn older(run: &Run<'_>, table: &DeltaTable, column: &str, since: Verb) -> Result<DeltaTable, Trouble> {
    let before = before(run, table, since).await?;
    let mut old = run.lake.handle(table.table_url())?;
    old.load_version(before).await?;
    let state: TableState = super::table::state(table)?;
    if state.field(column).is_none() {
        return Err(Trouble::Refused(anyhow!("the table has no column `{column}`")));
    }
    Ok(old)
}

/// The same by the library's own merge, for a table whose changes others follow row by row.
async fn merge(
    run: &Run<'_>,
    table: &DeltaTable,
    old: DeltaTable,
    column: &str,
    key: &[String],
) -> Result<(), Trouble> {
    let quoted = |name: &str| sql::ident(Dialect::Delta, name);
    let columns: Vec<String> = key.iter().map(String::as_str).chain([column]).map(quoted).collect();
    let context = context::session();
    let provider = old.table_provider().await?;
    old.update_datafusion_session(&context.state())?;
    context.register_table("t", provider)?;
    let source =
        context.sql(&format!("SELECT {} FROM t WHERE {} IS NOT NULL", columns.join(", "), quoted(column))).await?;
    let matches: Vec<String> = key.iter().map(|name| format!("now.{0} = old.{0}", quoted(name))).collect();
    let put = run.evidence.put("RECOVER COLUMN");
    let (previous, unchanged) = (table.version(), table.clone());
    failpoint::point("before a table commit");
    let (after, _) = table
        .clone()
        .merge(source, matches.join(" AND "))
        .with_session_state(context::state())
        .with_source_alias("old")
        .with_target_alias("now")
        .with_commit_properties(put.properties())
        .when_matched_update(|update| {
            update
                .predicate(format!("now.{} IS NULL", quoted(column)))
                .update(Column::new_unqualified(column), format!("old.{}", quoted(column)))
        })?
        .await?;
    failpoint::point("after a table commit");
    if after.version() == previous {
        super::put(&unchanged, vec![], &put).await?;
    }
    Ok(())
}

/// The version before the first commit of a handler of this step.
async fn before(run: &Run<'_>, table: &DeltaTable, since: Verb) -> Result<u64, Trouble> {
    let newest = table.snapshot()?.version();
    let mut first = None;
    for version in (0..=newest).rev() {
        let Some(bytes) = table.log_store().read_commit_entry(version).await? else { break };
        if checks::of_step(&run.evidence.whose, &get_actions(version, &bytes)?).is_some_and(|verb| verb == since.name())
        {
            first = Some(version);
        } else if first.is_some() {
            break;
        }
    }
    first.and_then(|first| first.checked_sub(1)).ok_or_else(|| {
        Trouble::Refused(anyhow!("the version before {since} of this step is no longer in the table's log"))
    })
}
