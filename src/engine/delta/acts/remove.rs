//! What is taken away for good, and what comes back from an older version: the files of a tombstoned table, the values of a column that
//! was detached.

use super::{
    super::{context, lake::Lake, trouble::Trouble},
    Run, checks,
};
use crate::{
    engine::Failure,
    failpoint,
    model::{Dialect, Verb},
    ops::TableState,
    sql,
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, ObjectStoreError, Path,
    datafusion::common::Column,
    kernel::Action,
    logstore::{commit_uri_from_version, get_actions, object_store::ObjectStoreExt as _},
};
use futures_util::TryStreamExt as _;
use std::collections::BTreeSet;
use url::Url;

/// The writer feature that a tombstone puts into a table's protocol.
const TOMBSTONE: &str = "triphaseTombstone";

/// Deletes a tombstoned table: the data files that its log names, then the log, the tombstone itself last. What was deleted already is
/// no error, so a deletion that was cut short goes on.
///
/// # Errors
/// [`Failure::Handler`] where the table's newest version is no tombstone.
pub async fn delete(lake: &Lake, place: &Url, name: &str) -> Result<(), Failure> {
    deleted(lake, place, name).await.map_err(|trouble| trouble.action(0))
}

async fn deleted(lake: &Lake, place: &Url, name: &str) -> Result<(), Trouble> {
    let handle = lake.handle(place)?;
    let (log_store, store) = (handle.log_store(), handle.log_store().object_store(None));
    let lost = |error: ObjectStoreError| Trouble::from(deltalake::DeltaTableError::from(error));
    let mut log: Vec<Path> =
        store.list(Some(&Path::from("_delta_log"))).map_ok(|met| met.location).try_collect().await.map_err(lost)?;
    let versions = log.iter().filter_map(|path| path.filename()?.strip_suffix(".json")?.parse::<u64>().ok());
    let Some(newest) = versions.max() else { return Ok(()) };
    let bytes = log_store.read_commit_entry(newest).await?.unwrap_or_default();
    let tombstone = get_actions(newest, &bytes)?.iter().any(|action| match action {
        Action::Protocol(protocol) => serde_json::to_string(protocol).is_ok_and(|text| text.contains(TOMBSTONE)),
        Action::CommitInfo(_) | Action::Metadata(_) | Action::Add(_) | Action::Remove(_) => false,
        Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => false,
    });
    if !tombstone {
        return Err(Trouble::Refused(anyhow!(
            "the newest version of table `{name}` is no tombstone: nothing is deleted"
        )));
    }
    let mut files = BTreeSet::new();
    let mut table = handle;
    if table.load().await.is_ok() {
        let state = table.snapshot()?;
        files.extend(state.log_data().iter().map(|file| file.object_store_path().to_string()));
        let tombstones: Vec<_> = state.all_tombstones(log_store.as_ref()).try_collect().await?;
        files.extend(tombstones.iter().map(|gone| gone.path().into_owned()));
    }
    for file in &files {
        // Only what lies below the table is its own; a clone's files are another's.
        if file.contains("://") {
            continue;
        }
        failpoint::point("before a file is deleted");
        gone(store.delete(&Path::from(file.as_str())).await).map_err(lost)?;
    }
    let last = commit_uri_from_version(Some(newest));
    log.retain(|path| *path != last);
    for path in log.iter().chain([&last]) {
        failpoint::point("before a file is deleted");
        gone(store.delete(path).await).map_err(lost)?;
    }
    Ok(())
}

fn gone(deleted: Result<(), ObjectStoreError>) -> Result<(), ObjectStoreError> {
    match deleted {
        Err(ObjectStoreError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// Brings a column's values back from the version before the first commit of a handler of this step, for the rows of the same key that
/// have NULL.
///
/// # Errors
/// Where that version can no longer be read.
pub async fn recover(
    run: &Run<'_>,
    table: &DeltaTable,
    column: &str,
    key: &[String],
    since: Verb,
) -> Result<(), Trouble> {
    let before = before(run, table, since).await?;
    let mut old = run.lake.handle(table.table_url())?;
    old.load_version(before).await?;
    let state: TableState = super::table::state(table)?;
    if state.field(column).is_none() {
        return Err(Trouble::Refused(anyhow!("the table has no column `{column}`")));
    }
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
        if checks::of_step(run.evidence, &get_actions(version, &bytes)?).is_some_and(|verb| verb == since.name()) {
            first = Some(version);
        } else if first.is_some() {
            break;
        }
    }
    first.and_then(|first| first.checked_sub(1)).ok_or_else(|| {
        Trouble::Refused(anyhow!("the version before {since} of this step is no longer in the table's log"))
    })
}
