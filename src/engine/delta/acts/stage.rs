//! The staging folder of one act: a Delta table of its own below the table, in which nobody looks. Each commit has the files of one group
//! and names the table's files that they were made of, so that a run that was cut short is taken up by the next one, whoever produced. What
//! can't be taken up is deleted. The folder's name has no underscore: VACUUM would never look into it, and what is adopted lies there for good.

use super::{
    super::{
        commit::{self, Put},
        trouble::Trouble,
    },
    Run,
    files::{self, Source},
    table,
};
use crate::ops::TableState;
use deltalake::{
    DeltaTable, ObjectStore, ObjectStoreError, Path,
    kernel::{Action, Add},
    logstore::{get_actions, object_store::ObjectStoreExt as _},
};
use futures_util::TryStreamExt as _;
use indexmap::IndexMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The folder of all staging folders of a table.
pub const FOLDER: &str = "triphase-stage";

/// What is being made, apart from the files that it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Making {
    /// The table as it was, but for its files.
    pub of: TableState,
    /// The table as it will be.
    pub next: TableState,
    /// What columns hold.
    pub columns: IndexMap<String, String>,
}

impl Making {
    /// Of a table.
    pub fn new(state: &TableState, next: &TableState, columns: &IndexMap<String, String>) -> Self {
        Self { of: bare(state), next: bare(next), columns: columns.clone() }
    }

    /// Whether a table is as it was when this was begun.
    pub fn fits(&self, state: &TableState) -> bool {
        self.of == bare(state)
    }

    /// What two that make the same have alike.
    fn digest(&self) -> String {
        let columns: Vec<_> = self.columns.iter().collect();
        let text = json!({ "of": self.of, "next": self.next, "columns": columns }).to_string();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn bare(state: &TableState) -> TableState {
    TableState { files: 0, bytes: 0, rows: None, ..state.clone() }
}

/// What was made of some of the table's files.
#[derive(Clone, Debug)]
pub struct Group {
    /// The files that it was made of, by their keys.
    pub sources: BTreeSet<String>,
    /// By their paths in the folder.
    pub adds: Vec<Add>,
}

/// A staging folder.
#[derive(Debug)]
pub struct Stage {
    /// Its path in the table.
    path: String,
    /// As a Delta table; it has the files of all groups.
    pub table: DeltaTable,
    /// What is there, in order.
    pub groups: Vec<Group>,
}

impl Stage {
    /// Takes up what an earlier run has left, where it made the same of files that are there still; else begins anew.
    ///
    /// # Errors
    /// Where the store fails; [`Trouble::Moved`] where another run has begun the same just now.
    pub async fn open(run: &Run<'_>, table: &DeltaTable, making: &Making) -> Result<Self, Trouble> {
        let path = format!("{FOLDER}/{}", run.evidence.handler());
        let mut place = table.table_url().clone();
        if let Ok(mut parts) = place.path_segments_mut() {
            parts.pop_if_empty().extend(path.split('/')).push("");
        }
        let digest = making.digest();
        if let Some(found) = run.lake.open(&place).await?
            && let Some(groups) = read(&found, &digest).await?
        {
            let mut stage = Self { path, table: found, groups };
            stage.keep_whole(table).await?;
            return Ok(stage);
        }
        clear(table, &path).await?;
        let handle = run.lake.handle(&place)?;
        let mut put = run.evidence.part("STAGE");
        put.info["making"] = digest.into();
        commit::create(&handle, table::first(&making.next)?, &put).await?;
        let opened = run.lake.open(&place).await?.ok_or(Trouble::Moved)?;
        Ok(Self { path, table: opened, groups: vec![] })
    }

    /// Where files are put.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.table.log_store().object_store(None)
    }

    /// Keeps what was made of a group.
    ///
    /// # Errors
    /// Where the store fails; [`Trouble::Moved`] where another run is at work here.
    pub async fn keep(&mut self, run: &Run<'_>, sources: &[Source], adds: Vec<Add>) -> Result<(), Trouble> {
        let keys: BTreeSet<String> = sources.iter().map(|file| file.key.clone()).collect();
        let mut put: Put = run.evidence.part("STAGE");
        put.info["sources"] = json!(keys);
        commit::put(&self.table, adds.iter().cloned().map(Action::Add).collect(), &put).await?;
        self.table.update_state().await?;
        self.groups.push(Group { sources: keys, adds });
        Ok(())
    }

    /// Groups that together were made of live files only, of each once.
    pub fn usable(&self, live: &[Source]) -> Vec<&Group> {
        let live: BTreeSet<&str> = live.iter().map(|file| file.key.as_str()).collect();
        let mut seen = BTreeSet::new();
        let mut usable = Vec::new();
        for group in &self.groups {
            let all = group.sources.iter().all(|key| live.contains(key.as_str()));
            if all && group.sources.iter().all(|key| !seen.contains(key)) {
                seen.extend(group.sources.iter());
                usable.push(group);
            }
        }
        usable
    }

    /// A file of the folder as one of the table.
    pub fn adopted(&self, add: &Add) -> Add {
        Add { path: format!("{}/{}", self.path, add.path), ..add.clone() }
    }

    /// Deletes what nobody needs any more: all but the files that the table has, or had. What can't be deleted is left to the next run.
    pub async fn close(self, table: &DeltaTable) {
        if let Err(trouble) = clear(table, &self.path).await {
            tracing::info!(folder = self.path, ?trouble, "files that are no longer needed were left behind");
        }
    }

    /// Leaves out groups of which a file is missing.
    async fn keep_whole(&mut self, table: &DeltaTable) -> Result<(), Trouble> {
        let there: BTreeMap<String, u64> =
            list(table, &self.path).await?.into_iter().map(|(path, size)| (path.to_string(), size)).collect();
        let whole = |add: &Add| {
            let path = self.adopted(add).path;
            there.get(&path).is_some_and(|size| i64::try_from(*size).is_ok_and(|size| size == add.size))
        };
        let groups = self.groups.iter().filter(|group| group.adds.iter().all(whole)).cloned().collect();
        self.groups = groups;
        Ok(())
    }
}

/// The groups of a folder; `None` where it was begun for something else.
async fn read(found: &DeltaTable, digest: &str) -> Result<Option<Vec<Group>>, Trouble> {
    let mut groups = Vec::new();
    for version in 0..=found.snapshot()?.version() {
        let Some(bytes) = found.log_store().read_commit_entry(version).await? else { return Ok(None) };
        let actions = get_actions(version, &bytes)?;
        let info = actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => info.info.get("triphase"),
            Action::Metadata(_) | Action::Protocol(_) | Action::Add(_) | Action::Remove(_) => None,
            Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
        });
        let Some(info) = info else { return Ok(None) };
        if version == 0 {
            if info["making"] != digest {
                return Ok(None);
            }
            continue;
        }
        let sources: Vec<Value> = info["sources"].as_array().cloned().unwrap_or_default();
        let sources = sources.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let adds = actions.into_iter().filter_map(|action| match action {
            Action::Add(add) => Some(add),
            Action::Metadata(_) | Action::Protocol(_) | Action::CommitInfo(_) | Action::Remove(_) => None,
            Action::Cdc(_) | Action::Txn(_) | Action::DomainMetadata(_) => None,
        });
        groups.push(Group { sources, adds: adds.collect() });
    }
    Ok(Some(groups))
}

async fn list(table: &DeltaTable, path: &str) -> Result<Vec<(Path, u64)>, Trouble> {
    let store = table.log_store().object_store(None);
    let met = store.list(Some(&Path::from(path))).map_ok(|met| (met.location, met.size)).try_collect().await;
    met.map_err(lost)
}

/// Deletes a folder's files, its log first, so that what is left of it is never taken up; the table's own files stay, and those of its
/// versions that can be read still.
async fn clear(table: &DeltaTable, path: &str) -> Result<(), Trouble> {
    let met = list(table, path).await?;
    if met.is_empty() {
        return Ok(());
    }
    let state = table.snapshot()?;
    let log_store = table.log_store();
    let mut named: BTreeSet<String> =
        state.log_data().iter().map(|file| file.object_store_path().to_string()).collect();
    let gone: Vec<_> = state.all_tombstones(log_store.as_ref()).try_collect().await?;
    named.extend(gone.iter().map(|file| file.path().into_owned()));
    let store = log_store.object_store(None);
    let (log, data): (Vec<_>, Vec<_>) = met.into_iter().partition(|(path, _)| path.as_ref().contains("/_delta_log/"));
    for (path, _) in log.iter().chain(data.iter().filter(|(path, _)| !named.contains(path.as_ref()))) {
        match store.delete(path).await {
            Ok(()) | Err(ObjectStoreError::NotFound { .. }) => {}
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(())
}

fn lost(error: ObjectStoreError) -> Trouble {
    Trouble::from(deltalake::DeltaTableError::from(error))
}

/// The keys of a table's files.
///
/// # Errors
/// Where nothing is known of the table.
pub fn keys(table: &DeltaTable) -> Result<BTreeSet<String>, Trouble> {
    Ok(table.snapshot()?.log_data().iter().map(|file| files::key(&file)).collect())
}
