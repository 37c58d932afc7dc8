//! A table's log as it lies there, for what can't be opened any more: a tombstoned table whose deletion was cut short has a log that tells
//! of no table.

use super::trouble::Trouble;
use crate::ops::{Protocol, TOMBSTONE};
use deltalake::{
    DeltaTable, DeltaTableError, Path,
    kernel::Action,
    logstore::{get_actions, object_store::ObjectStoreExt as _},
};
use futures_util::TryStreamExt as _;

/// The log.
pub struct Log {
    /// Its files.
    pub files: Vec<Path>,
    /// The newest version that has a commit, and that commit's text.
    pub newest: Option<(u64, Vec<u8>)>,
}

impl Log {
    /// Lists it, and reads its newest commit.
    ///
    /// # Errors
    /// Where the store can't be listed or read.
    pub async fn read(handle: &DeltaTable) -> Result<Self, Trouble> {
        let store = handle.log_store().object_store(None);
        let listed = store.list(Some(&Path::from("_delta_log"))).map_ok(|met| met.location).try_collect().await;
        let files: Vec<Path> = listed.map_err(DeltaTableError::from)?;
        let versions = files.iter().filter_map(|path| {
            let version = path.filename()?.strip_suffix(".json")?.parse::<u64>().ok()?;
            Some((version, path))
        });
        let newest = match versions.max() {
            None => None,
            Some((version, path)) => {
                let bytes = store.get(path).await.map_err(DeltaTableError::from)?.bytes().await;
                Some((version, bytes.map_err(DeltaTableError::from)?.to_vec()))
            }
        };
        Ok(Self { files, newest })
    }

    /// Whether its newest version is a tombstone (rule D4).
    ///
    /// # Errors
    /// Where that version can't be read.
    pub fn is_tombstone(&self) -> Result<bool, Trouble> {
        let Some((version, text)) = &self.newest else { return Ok(false) };
        Ok(get_actions(*version, &text.clone().into())?.iter().any(|action| match action {
            Action::Protocol(protocol) => {
                let value = serde_json::to_value(protocol).and_then(serde_json::from_value::<Protocol>);
                value.is_ok_and(|protocol| protocol.features().contains(TOMBSTONE))
            }
            Action::CommitInfo(_) | Action::Metadata(_) | Action::Add(_) | Action::Remove(_) => false,
            Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => false,
        }))
    }
}
