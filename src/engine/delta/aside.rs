//! A damaged table of triphase's own is put aside, whole, before another takes its place: what is still in it stays for a person to read.

use super::{
    lake::{Lake, OWN},
    trouble::Trouble,
};
use crate::failpoint;
use deltalake::{DeltaTableError, Path, logstore::object_store::ObjectStoreExt as _};
use futures_util::TryStreamExt as _;

/// What such folders begin with, beside the ledger; the run that made it follows.
pub const ASIDE: &str = "damaged-";

/// Copies a table's files to a folder of this run, then deletes them: the data first, then the log. Cut short in between it is as
/// damaged as before.
///
/// # Errors
/// Where the store does not do it.
pub async fn put(lake: &Lake, name: &str, run: &str) -> Result<(), Trouble> {
    let store = lake.handle(&lake.own_folder())?.log_store().object_store(None);
    let from = Path::from(name);
    let listed = store.list(Some(&from)).map_ok(|met| met.location).try_collect::<Vec<Path>>().await;
    let mut files = listed.map_err(DeltaTableError::from)?;
    failpoint::point("before putting aside");
    for file in &files {
        let to = Path::from(format!("{ASIDE}{run}/{file}"));
        store.copy(file, &to).await.map_err(DeltaTableError::from)?;
    }
    failpoint::point("after putting aside");
    files.sort_by_key(|file| file.as_ref().contains("/_delta_log/"));
    for file in &files {
        store.delete(file).await.map_err(DeltaTableError::from)?;
    }
    Ok(())
}

/// The folders that were put aside, as the lake knows them, with their size in bytes.
///
/// # Errors
/// Where the store can't be listed.
pub async fn all(lake: &Lake) -> Result<Vec<(String, u64)>, Trouble> {
    if lake.own_folder().to_file_path().is_ok_and(|folder| !folder.is_dir()) {
        return Ok(Vec::new());
    }
    let store = lake.handle(&lake.own_folder())?.log_store().object_store(None);
    let listed = store.list_with_delimiter(None).await.map_err(DeltaTableError::from)?;
    let mut found = Vec::new();
    for folder in listed.common_prefixes {
        let Some(name) = folder.filename().filter(|name| name.starts_with(ASIDE)) else { continue };
        let files = store.list(Some(&folder)).map_ok(|met| met.size).try_collect::<Vec<u64>>().await;
        let files = files.map_err(DeltaTableError::from)?;
        // An object store has no empty folders, and on disk they are nothing.
        if !files.is_empty() {
            found.push((format!("{OWN}/{name}"), files.iter().sum()));
        }
    }
    Ok(found)
}

/// Deletes one of [`all`].
///
/// # Errors
/// Where the store does not do it.
pub async fn delete(lake: &Lake, name: &str) -> Result<(), Trouble> {
    let store = lake.handle(&lake.own_folder())?.log_store().object_store(None);
    let Some(folder) = name.strip_prefix(OWN).and_then(|rest| rest.strip_prefix('/')) else { return Ok(()) };
    if !folder.starts_with(ASIDE) {
        return Ok(());
    }
    let listed = store.list(Some(&Path::from(folder))).map_ok(|met| met.location).try_collect::<Vec<Path>>().await;
    for file in listed.map_err(DeltaTableError::from)? {
        failpoint::point("before a file is purged");
        store.delete(&file).await.map_err(DeltaTableError::from)?;
    }
    Ok(())
}
