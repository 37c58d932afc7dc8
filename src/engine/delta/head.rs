//! A table's newest version without the list of its files: all that a commit of metadata and the questions about evidence take, however many
//! files there are. The library's own handle always loads that list (deltalake-core 1.1.3, `kernel/snapshot/mod.rs`:
//! `EagerSnapshot::try_new_with_snapshot`; its `CommitBuilder` takes no other), so this goes by the kernel that the library is built on.

use super::trouble::Trouble;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};
use deltalake::{
    DeltaTable, DeltaTableError,
    kernel::{Metadata, Protocol},
    logstore::LogStoreRef,
    table::config::TablePropertiesExt as _,
};
use std::{future::Future, sync::Arc};

/// A version of a table, as far as it tells of itself.
pub trait Told: Sync {
    /// Its metadata.
    ///
    /// # Errors
    /// Where nothing is loaded.
    fn metadata(&self) -> Result<&Metadata, Trouble>;
    /// Its protocol.
    ///
    /// # Errors
    /// Where nothing is loaded.
    fn protocol(&self) -> Result<&Protocol, Trouble>;
    /// Its newest `txn` under an appId.
    ///
    /// # Errors
    /// Where the table's log can't be read.
    fn txn(&self, app: &str) -> impl Future<Output = Result<Option<i64>, Trouble>> + Send;
}

impl Told for DeltaTable {
    fn metadata(&self) -> Result<&Metadata, Trouble> {
        Ok(self.snapshot()?.metadata())
    }

    fn protocol(&self) -> Result<&Protocol, Trouble> {
        Ok(self.snapshot()?.protocol())
    }

    async fn txn(&self, app: &str) -> Result<Option<i64>, Trouble> {
        Ok(self.snapshot()?.transaction_version(self.log_store().as_ref(), app).await?)
    }
}

/// The newest version of a table.
pub struct Head {
    /// Its log.
    pub log: LogStoreRef,
    handle: DeltaTable,
    snapshot: SnapshotRef,
}

impl Head {
    /// Reads it.
    ///
    /// # Errors
    /// Where there is none, or it can't be read.
    pub async fn read(handle: &DeltaTable) -> Result<Self, Trouble> {
        let log = handle.log_store();
        log.refresh().await?;
        let engine = log.engine(None);
        let mut root = handle.table_url().clone();
        // The kernel joins paths to it: without its slash the last folder would be replaced.
        if !root.path().ends_with('/') {
            root.set_path(&format!("{}/", root.path()));
        }
        let snapshot = blocking(move || Snapshot::builder_for(root).build(engine.as_ref())).await?;
        Ok(Self { log, handle: handle.clone(), snapshot })
    }

    /// A version with the list of its files.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn whole(&self, version: u64) -> Result<DeltaTable, Trouble> {
        let mut table = self.handle.clone();
        table.load_version(version).await?;
        Ok(table)
    }

    /// Which version it is.
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// Whether there is any file. No more of the list is read than it takes to find one.
    ///
    /// # Errors
    /// Where the table's log can't be read.
    pub async fn has_files(&self) -> Result<bool, Trouble> {
        let (snapshot, engine) = (Arc::clone(&self.snapshot), self.log.engine(None));
        blocking(move || {
            for found in snapshot.scan_builder().build()?.scan_metadata(engine.as_ref())? {
                let files = found?.scan_files;
                let chosen = files.selection_vector();
                // Rows behind the end of the selection are in it.
                if chosen.len() < files.data().len() || chosen.contains(&true) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    /// Whether the table's properties ask for a checkpoint at a version.
    pub fn checkpoints(&self, version: u64) -> bool {
        (version + 1).is_multiple_of(self.snapshot.table_properties().checkpoint_interval().get())
    }
}

impl Told for Head {
    fn metadata(&self) -> Result<&Metadata, Trouble> {
        Ok(self.snapshot.table_configuration().metadata())
    }

    fn protocol(&self) -> Result<&Protocol, Trouble> {
        Ok(self.snapshot.table_configuration().protocol())
    }

    async fn txn(&self, app: &str) -> Result<Option<i64>, Trouble> {
        let (snapshot, engine, app) = (Arc::clone(&self.snapshot), self.log.engine(None), app.to_owned());
        blocking(move || snapshot.get_app_id_version(&app, engine.as_ref())).await
    }
}

/// The kernel waits for the store where it stands.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> delta_kernel::DeltaResult<T> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|error| Trouble::Lost(anyhow::Error::new(error).context("reading the table's log broke off")))?;
    Ok(done.map_err(DeltaTableError::from)?)
}
