//! What is taken away for good: the files of a tombstoned table.

use super::{
    super::{tombstone::Log, trouble::Trouble},
    Run,
};
use crate::{engine::Failure, failpoint};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, ObjectStore, ObjectStoreError, Path,
    logstore::{commit_uri_from_version, object_store::ObjectStoreExt as _},
};
use futures_util::TryStreamExt as _;
use std::collections::BTreeMap;
use url::Url;

/// The file beside a tombstoned table's log that says how far its deletion has come. It goes last.
const MARK: &str = "_delta_log/_triphase_deletion";

/// How far a deletion has come. Without its files' names a log is of no use, so it goes only once they are known to be gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Come {
    Nowhere,
    /// Some files may be gone.
    ToFiles,
    /// All files are gone, and some of the log may be.
    ToLog,
}

impl Come {
    const fn word(self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::ToFiles => "files",
            Self::ToLog => "log",
        }
    }
}

/// Deletes a tombstoned table: the data files that its log names, then the log, the tombstone itself last. What an earlier try has
/// deleted is no error, so a deletion that was cut short goes on. Nothing that it does is a compare-and-swap: it asks for the lease before
/// each step, and for the tombstone before the log goes.
///
/// # Errors
/// [`Failure::Handler`] where the table's newest version is no tombstone, or a file is not where its log says; [`Failure::Fenced`],
/// [`Failure::Stopped`].
pub async fn delete(run: &Run<'_>, place: &Url, name: &str) -> Result<(), Failure> {
    let action = |trouble: Trouble| trouble.action(0);
    let handle = run.lake.handle(place).map_err(action)?;
    let store = handle.log_store().object_store(None);
    let mark = Path::from(MARK);
    let log = Log::read(&handle).await.map_err(action)?;
    let Some((_, tombstone)) = &log.newest else {
        return gone(store.delete(&mark).await).map(drop).map_err(|error| lost(error).action(0));
    };
    if !log.is_tombstone().map_err(action)? {
        let why = anyhow!("the newest version of table `{name}` is no tombstone: nothing is deleted");
        return Err(Failure::Handler { at: 0, why });
    }
    let come = come(store.as_ref(), tombstone).await.map_err(action)?;
    if come != Come::ToLog {
        mark_as(store.as_ref(), Come::ToFiles, tombstone).await.map_err(action)?;
        let missing = files(run, handle.clone()).await?;
        if let (Come::Nowhere, Some(example)) = (come, missing.first()) {
            let why = anyhow!(
                "of the files that the log of table `{name}` names, {} are not there, for example {example}; what is there is deleted, \
                 and the log is not: see whether they lie elsewhere; run again to delete the log",
                missing.len()
            );
            return Err(Failure::Handler { at: 0, why });
        }
        mark_as(store.as_ref(), Come::ToLog, tombstone).await.map_err(action)?;
    }
    let now = Log::read(&handle).await.map_err(action)?;
    if now.newest != log.newest {
        let why = anyhow!("others have committed to table `{name}` while it was deleted: its log is left as it is");
        return Err(Failure::Handler { at: 0, why });
    }
    let last = now.newest.map(|(version, _)| commit_uri_from_version(Some(version)));
    let before = now.files.iter().filter(|path| Some(*path) != last.as_ref() && **path != mark);
    for path in before.chain(&last).chain([&mark]) {
        go_on(run).await?;
        failpoint::point("before a file is deleted");
        gone(store.delete(path).await).map_err(|error| lost(error).action(0))?;
    }
    Ok(())
}

/// Deletes a tombstoned table's data files. Gives those that are live and were not there.
async fn files(run: &Run<'_>, mut table: DeltaTable) -> Result<Vec<String>, Failure> {
    let action = |trouble: Trouble| trouble.action(0);
    table.load().await.map_err(|error| action(error.into()))?;
    let log_store = table.log_store();
    let store = log_store.object_store(None);
    let state = table.snapshot().map_err(|error| action(error.into()))?;
    // Only what lies below the table is its own; a clone's files are another's.
    let own = |path: &str| !path.contains("://");
    let mut named: BTreeMap<Path, bool> =
        state.log_data().iter().filter(|file| own(&file.path())).map(|file| (file.object_store_path(), true)).collect();
    let removed = state.all_tombstones(log_store.as_ref()).try_collect::<Vec<_>>().await;
    for file in removed.map_err(|error| action(error.into()))?.iter().filter(|file| own(&file.path())) {
        named.entry(at(&file.path())).or_insert(false);
    }
    let mut missing = Vec::new();
    for (path, live) in named {
        go_on(run).await?;
        failpoint::point("before a file is deleted");
        let there = gone(store.delete(&path).await).map_err(|error| lost(error).action(0))?;
        if live && !there {
            missing.push(path.to_string());
        }
    }
    Ok(missing)
}

/// A path of the log, unescaped, as the store's: what its folders are called, escapes in their names included.
pub fn at(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// Sees that nobody has told this run to stop, and that the lease is still its own.
async fn go_on(run: &Run<'_>) -> Result<(), Failure> {
    if run.stop.signal().is_some() {
        return Err(Failure::Stopped);
    }
    run.evidence.held(run.lake).await
}

/// A mark counts for the tombstone that it was made for: a table that was made anew has another.
fn marked(come: Come, tombstone: &[u8]) -> Vec<u8> {
    [come.word().as_bytes(), b"\n", tombstone].concat()
}

async fn come(store: &dyn ObjectStore, tombstone: &[u8]) -> Result<Come, Trouble> {
    let met = match store.get(&Path::from(MARK)).await {
        Ok(met) => met.bytes().await.map_err(lost)?,
        Err(ObjectStoreError::NotFound { .. }) => return Ok(Come::Nowhere),
        Err(error) => return Err(lost(error)),
    };
    let found = [Come::ToFiles, Come::ToLog].into_iter().find(|come| marked(*come, tombstone) == met);
    Ok(found.unwrap_or(Come::Nowhere))
}

async fn mark_as(store: &dyn ObjectStore, come: Come, tombstone: &[u8]) -> Result<(), Trouble> {
    store.put(&Path::from(MARK), marked(come, tombstone).into()).await.map(drop).map_err(lost)
}

fn lost(error: ObjectStoreError) -> Trouble {
    deltalake::DeltaTableError::from(error).into()
}

/// Whether there was anything to delete.
fn gone(deleted: Result<(), ObjectStoreError>) -> Result<bool, ObjectStoreError> {
    match deleted {
        Ok(()) => Ok(true),
        Err(ObjectStoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
