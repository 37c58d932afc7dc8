//! A lake: a folder, or a prefix of an object store, with Delta tables below it. Which table a name means, and how it is opened.

use super::trouble::Trouble;
use crate::{
    engine::{Failure, Meter},
    model::Time,
    target::Target,
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, DeltaTableBuilder, ObjectStoreError, Path,
    logstore::object_store::{ObjectStoreExt as _, PutMode, PutOptions},
};
use std::{
    collections::HashMap,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};
use url::Url;

/// The folder of triphase's own tables below the root.
pub const OWN: &str = "_triphase";

/// A lake.
#[derive(Clone)]
pub struct Lake {
    root: Url,
    /// The root as a person names it.
    pub shown: String,
    options: HashMap<String, String>,
    /// How far the act at work has come.
    pub meter: Meter,
    /// The root's folder, where it is one.
    folder: Option<PathBuf>,
}

impl Lake {
    /// Reads it off a target.
    ///
    /// # Errors
    /// [`Failure::Access`] where the root is no folder and no URL.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let shown = target.connection.database.clone();
        let unreadable = || Failure::Access(anyhow!("{shown} is no folder and no URL of an object store"));
        let (root, folder) = if shown.contains("://") {
            let with_slash = if shown.ends_with('/') { shown.clone() } else { format!("{shown}/") };
            (Url::parse(&with_slash).map_err(|_| unreadable())?, None)
        } else {
            let folder = PathBuf::from(&shown);
            (Url::from_directory_path(&folder).map_err(|()| unreadable())?, Some(folder))
        };
        let options =
            target.storage_options.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned())).collect();
        Ok(Self { root, shown, options, meter: Meter::default(), folder })
    }

    /// Whether there is anything at the root. What lies in an object store is only known by asking for it.
    pub fn is_there(&self) -> bool {
        self.folder.as_ref().is_none_or(|folder| folder.is_dir())
    }

    /// Refuses where a changing command could not even begin.
    ///
    /// # Errors
    /// [`Failure::Access`] where the root's folder is missing, or is none.
    pub fn may_write(&self) -> Result<(), Failure> {
        match &self.folder {
            Some(folder) if folder.is_file() => {
                Err(Failure::Access(anyhow!("{} is a file, not a lake's folder", folder.display())))
            }
            Some(folder) if !folder.is_dir() => Err(Failure::Access(anyhow!(
                "the lake's folder {} does not exist; make it: mkdir {}",
                folder.display(),
                folder.display()
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Where a table lies: `sales`, `raw/events`, or a full URL.
    ///
    /// # Errors
    /// The words that say why it is no table's name.
    pub fn place(&self, name: &str) -> Result<Url, anyhow::Error> {
        if name.contains("://") {
            let with_slash = if name.ends_with('/') { name.to_owned() } else { format!("{name}/") };
            return Url::parse(&with_slash).map_err(|error| anyhow!("`{name}` is no URL: {error}"));
        }
        let parts: Vec<&str> = name.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
            return Err(anyhow!("`{name}` is no table's name: write its path below the lake's root, as raw/events"));
        }
        if parts.first().is_some_and(|part| *part == OWN) {
            return Err(anyhow!("`{name}` is triphase's own: a handler can't change or read it"));
        }
        Ok(self.below(&parts))
    }

    /// One of triphase's own tables.
    pub fn own(&self, name: &str) -> Url {
        self.below(&[OWN, name])
    }

    /// The folder of triphase's own tables.
    pub fn own_folder(&self) -> Url {
        self.below(&[OWN])
    }

    /// The tables below the root, by name, in order. Folders whose names begin with `_` or `.` hold none, nor does a table hold others.
    ///
    /// # Errors
    /// Where the store can't be listed.
    pub async fn tables(&self) -> Result<Vec<String>, Trouble> {
        let mut found = Vec::new();
        if !self.is_there() {
            return Ok(found);
        }
        let store = self.handle(&self.root)?.log_store().object_store(None);
        let mut folders: Vec<Option<Path>> = vec![None];
        while let Some(folder) = folders.pop() {
            let listed = store.list_with_delimiter(folder.as_ref()).await.map_err(deltalake::DeltaTableError::from)?;
            if let Some(folder) = &folder
                && listed.common_prefixes.iter().any(|below| below.filename() == Some("_delta_log"))
            {
                found.push(folder.to_string());
                continue;
            }
            let visible = |below: &Path| below.filename().is_some_and(|name| !name.starts_with(['_', '.']));
            folders.extend(listed.common_prefixes.into_iter().filter(visible).map(Some));
        }
        found.sort();
        Ok(found)
    }

    fn below(&self, parts: &[&str]) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts).push("");
        }
        url
    }

    /// A handle on a place, with nothing read yet.
    ///
    /// # Errors
    /// Where no store serves the place: a missing feature, or options that it can't use.
    pub fn handle(&self, place: &Url) -> Result<DeltaTable, Trouble> {
        let builder = DeltaTableBuilder::from_url(place.clone())?;
        let builder =
            if self.options.is_empty() { builder } else { builder.with_storage_options(self.options.clone()) };
        Ok(builder.build()?)
    }

    /// The newest version of a table; `None` where there is none.
    ///
    /// # Errors
    /// Where that can't be told, or the table can't be read.
    pub async fn open(&self, place: &Url) -> Result<Option<DeltaTable>, Trouble> {
        let mut table = self.handle(place)?;
        if place.scheme() == "file" && place.to_file_path().is_ok_and(|path| !path.join("_delta_log").is_dir()) {
            return Ok(None);
        }
        if !table.verify_deltatable_existence().await? {
            return Ok(None);
        }
        table.load().await?;
        Ok(Some(table))
    }

    /// Puts a file where there is none, sees that it can't be put twice, and takes it away (rule D6): without that no commit could be told
    /// to have won. Gives the store's own clock.
    ///
    /// # Errors
    /// [`Failure::Access`] where the store lets a second writer win, or can't be written.
    pub async fn probe(&self, run: &str) -> Result<Time, Failure> {
        let handle = self.handle(&self.own(super::lease::NAME)).map_err(|trouble| trouble.access("the lake"))?;
        let store = handle.log_store().object_store(None);
        let path = Path::from(format!("_probe-{run}"));
        let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let cannot = |error: ObjectStoreError| {
            Failure::Access(anyhow!("{} can't be written: {}", self.shown, super::trouble::store_words(&error)))
        };
        match store.put_opts(&path, "probe".into(), create()).await {
            Ok(_) | Err(ObjectStoreError::AlreadyExists { .. }) => {}
            Err(ObjectStoreError::NotImplemented { .. }) => return Err(self.no_cas()),
            Err(error) => return Err(cannot(error)),
        }
        let second = store.put_opts(&path, "probe".into(), create()).await;
        let met = store.head(&path).await;
        store.delete(&path).await.map_err(cannot)?;
        match second {
            Err(ObjectStoreError::AlreadyExists { .. }) => {}
            Ok(_) | Err(ObjectStoreError::NotImplemented { .. }) => return Err(self.no_cas()),
            Err(error) => return Err(cannot(error)),
        }
        met.map(|met| Time(met.last_modified.timestamp_micros())).map_err(cannot)
    }

    fn no_cas(&self) -> Failure {
        Failure::Access(anyhow!(
            "{} lets two writers commit the same version: it has no put-if-absent; on S3 set the storage option \
             aws_conditional_put=etag, or a DynamoDB lock (AWS_S3_LOCKING_PROVIDER=dynamodb)",
            self.shown
        ))
    }
}

/// The host's clock.
pub fn host_clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
