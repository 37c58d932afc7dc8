//! One atomic commit: actions, the `txn` that says which statement of which step they are, and a commitInfo of our own. It is a strict
//! compare-and-swap on the table's version: the library's own retries would commit what was decided on another state.

use super::{head::Head, lake::host_clock, trouble::Trouble};
use crate::engine::rows::TOOL;
use deltalake::{
    DeltaTable, DeltaTableError,
    checkpoints::create_checkpoint,
    kernel::{
        Action, CommitInfo, Transaction,
        transaction::{CommitBuilder, CommitData, CommitProperties, TableReference},
    },
    logstore::{CommitOrBytes, LogStore as _},
    protocol::DeltaOperation,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What a commit says of itself.
#[derive(Clone, Debug)]
pub struct Put {
    /// As the table's history shows it: `TRIPHASE ADD COLUMN`.
    pub operation: String,
    /// The object `triphase` in commitInfo.
    pub info: Value,
    /// Evidence (rule D2).
    pub txns: Vec<(String, i64)>,
}

impl Put {
    /// For triphase's own tables.
    pub fn own(operation: &str, run: &str) -> Self {
        Self { operation: operation.to_owned(), info: json!({ "run": run }), txns: vec![] }
    }

    /// The same for the library's own builders, which name the operation themselves.
    pub fn properties(&self) -> CommitProperties {
        CommitProperties::default()
            .with_max_retries(0)
            .with_application_transactions(self.transactions())
            .with_metadata([("triphase".to_owned(), self.info.clone())])
            .with_cleanup_expired_logs(Some(false))
    }

    // Without `lastUpdated`, so that no retention of the table ever drops them.
    fn transactions(&self) -> Vec<Transaction> {
        self.txns.iter().map(|(app, version)| Transaction::new(app, *version)).collect()
    }

    fn commit_info(&self, read: Option<u64>) -> Action {
        Action::CommitInfo(CommitInfo {
            timestamp: Some(host_clock().0 / 1000),
            operation: Some(self.operation.clone()),
            operation_parameters: Some(HashMap::new()),
            engine_info: Some(format!("triphase/{TOOL}")),
            read_version: read,
            ..CommitInfo::default()
        })
    }
}

/// Commits to a table at the version that was read.
///
/// # Errors
/// [`Trouble::Moved`] where another commit was first.
pub async fn put(table: &DeltaTable, actions: Vec<Action>, put: &Put) -> Result<(), Trouble> {
    let state = table.snapshot()?;
    let mut all = vec![put.commit_info(Some(state.version()))];
    all.extend(actions);
    commit(Some(state), table, all, put, put.properties()).await
}

/// The log store whose commits are one file that is put where there is none; others have a way of their own, which the library knows.
const PLAIN: &str = "DefaultLogStore";

/// [`put`] for actions that are about no file, on a version that was read without their list. The library's own way to commit takes that
/// list, and loads it anew afterwards; what it does beside that is done here. The caller has seen that the table can be written.
///
/// # Errors
/// As [`put`].
pub async fn put_metadata(head: &Head, actions: Vec<Action>, put: &Put) -> Result<(), Trouble> {
    let version = head.version();
    if head.log.name() != PLAIN {
        return self::put(&head.whole(version).await?, actions, put).await;
    }
    let mut all = vec![put.commit_info(Some(version))];
    all.extend(actions);
    let info = HashMap::from([("triphase".to_owned(), put.info.clone())]);
    let bytes =
        CommitData::new(all, stand_in(), info, put.transactions()).get_bytes().map_err(DeltaTableError::from)?;
    // The next version may have been cleaned up by somebody who has committed later ones.
    if head.log.get_latest_version(version).await? > version {
        return Err(Trouble::Moved);
    }
    let written = head.log.write_commit_entry(version + 1, CommitOrBytes::LogBytes(bytes), Default::default()).await;
    written.map_err(DeltaTableError::from)?;
    if head.checkpoints(version + 1) {
        let checkpoint = async { Ok::<_, Trouble>(create_checkpoint(&head.whole(version + 1).await?, None).await?) };
        if let Err(trouble) = checkpoint.await {
            tracing::warn!(operation = put.operation, ?trouble, "a checkpoint could not be written after a commit");
        }
    }
    Ok(())
}

/// [`put`] for a table whose old versions nobody needs: they are cleaned up as the table's properties say.
///
/// # Errors
/// As [`put`].
pub async fn put_and_clean(table: &DeltaTable, actions: Vec<Action>, put: &Put) -> Result<(), Trouble> {
    let state = table.snapshot()?;
    let mut all = vec![put.commit_info(Some(state.version()))];
    all.extend(actions);
    commit(Some(state), table, all, put, put.properties().with_cleanup_expired_logs(None)).await
}

/// Commits a table's first version.
///
/// # Errors
/// [`Trouble::Moved`] where there is one.
pub async fn create(handle: &DeltaTable, actions: Vec<Action>, put: &Put) -> Result<(), Trouble> {
    let mut all = vec![put.commit_info(None)];
    all.extend(actions);
    commit(None, handle, all, put, put.properties()).await
}

/// Our own commitInfo stands in for what the library would make of this.
fn stand_in() -> DeltaOperation {
    DeltaOperation::SetTableProperties { properties: HashMap::new() }
}

async fn commit(
    state: Option<&dyn TableReference>,
    table: &DeltaTable,
    actions: Vec<Action>,
    put: &Put,
    properties: CommitProperties,
) -> Result<(), Trouble> {
    let commit = CommitBuilder::from(properties).with_actions(actions).build(state, table.log_store(), stand_in());
    let committed = commit.into_prepared_commit_future().await?.await?;
    // It is in. What comes after it is housekeeping: a checkpoint, old log files.
    if let Err(error) = committed.await {
        tracing::warn!(operation = put.operation, %error, "a checkpoint could not be written after a commit");
    }
    Ok(())
}
