//! A lake: a folder, or a prefix of an object store, with Delta tables below it. Which table a name means, and how it is opened.

use super::{head::Head, tombstone::Log, trouble::Trouble};
use crate::{
    engine::{Failure, Meter},
    model::Time,
    ops::{shown, unfit},
    target::Target,
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, DeltaTableBuilder, ObjectStoreError, Path,
    logstore::object_store::{ObjectStoreExt as _, PutMode, PutOptions},
};
use percent_encoding::percent_decode_str;
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};
use url::Url;

/// The folder of triphase's own tables below the root.
pub const OWN: &str = crate::ops::OWN_FOLDER;

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

    /// Where a table lies: `sales`, `raw/events`, or a full URL. One place has one URL, however it is spelt.
    ///
    /// # Errors
    /// The words that say why it is no table's name.
    pub fn place(&self, name: &str) -> Result<Url, anyhow::Error> {
        if let Some((why, way_out)) = unfit(name) {
            return Err(anyhow!("`{}` names no table: it {why}; {way_out}", shown(name)));
        }
        let url = self.named(name)?;
        // Whatever else a URL makes of a name: what is opened is what was written.
        if parsed(url.as_str())?.1 == self.written(name)? {
            return Ok(url);
        }
        Err(anyhow!(
            "`{name}` names no table: as a URL it would be another place; write its path below the lake's root"
        ))
    }

    /// The folders that a name says, none dropped or resolved.
    fn written(&self, name: &str) -> Result<Vec<String>, anyhow::Error> {
        match name.split_once("://") {
            Some((_, rest)) => {
                let path = rest.split_once('/').map_or("", |(_, path)| path);
                let path = percent_decode_str(path).decode_utf8()?;
                Ok(path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            None => {
                let (_, mut folders) = parsed(self.root.as_str())?;
                folders.extend(name.split('/').map(str::to_owned));
                Ok(folders)
            }
        }
    }

    fn named(&self, name: &str) -> Result<Url, anyhow::Error> {
        let own = || anyhow!("`{name}` is triphase's own: a handler can't change or read it");
        if name.contains("://") {
            let (url, folders) = parsed(name)?;
            let below = self.below_root(&url, &folders);
            if below.unwrap_or(&folders).iter().any(|folder| names_own(folder)) {
                return Err(own());
            }
            return Ok(match below {
                Some(below) if !below.is_empty() => self.below(below),
                Some(_) | None => extended(url, &folders),
            });
        }
        let parts: Vec<&str> = name.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
            return Err(anyhow!("`{name}` is no table's name: write its path below the lake's root, as raw/events"));
        }
        if parts.first().is_some_and(|part| names_own(part)) {
            return Err(own());
        }
        Ok(self.below(&parts))
    }

    /// The folders below the root; `None`: the URL lies elsewhere.
    fn below_root<'a>(&self, url: &Url, folders: &'a [String]) -> Option<&'a [String]> {
        let (root, above) = parsed(self.root.as_str()).ok()?;
        // One store under two names of its scheme.
        let store = |url: &Url| (url.scheme().replace("s3a", "s3"), url.host_str().map(str::to_owned), url.port());
        (store(url) == store(&root)).then(|| folders.strip_prefix(above.as_slice())).flatten()
    }

    /// One of triphase's own tables.
    pub fn own(&self, name: &str) -> Url {
        self.below(&[OWN, name])
    }

    /// The folder of triphase's own tables.
    pub fn own_folder(&self) -> Url {
        self.below(&[OWN])
    }

    /// The tables below the root, by name, in order. Folders whose names begin with `_` or `.` hold none, nor does a table hold others; and
    /// those of a folder with a ledger of its own are another target's.
    ///
    /// # Errors
    /// Where the store can't be listed.
    pub async fn tables(&self) -> Result<Vec<String>, Trouble> {
        self.tables_in(usize::MAX).await
    }

    /// The same of so many folders at most: a store lists one after the other.
    ///
    /// # Errors
    /// As [`Lake::tables`].
    pub async fn tables_in(&self, most: usize) -> Result<Vec<String>, Trouble> {
        let mut found = Vec::new();
        if !self.is_there() {
            return Ok(found);
        }
        let store = self.handle(&self.root)?.log_store().object_store(None);
        let mut folders = VecDeque::from([None::<Path>]);
        let mut listed_so_far = 0;
        while let Some(folder) = folders.pop_front().filter(|_| listed_so_far < most) {
            listed_so_far += 1;
            let listed = store.list_with_delimiter(folder.as_ref()).await.map_err(deltalake::DeltaTableError::from)?;
            if let Some(folder) = &folder
                && listed.common_prefixes.iter().any(|below| below.filename() == Some("_delta_log"))
            {
                found.push(folder.to_string());
                continue;
            }
            if folder.is_some() && listed.common_prefixes.iter().any(|below| below.filename() == Some(OWN)) {
                continue;
            }
            let visible = |below: &Path| below.filename().is_some_and(|name| !name.starts_with(['_', '.']));
            folders.extend(listed.common_prefixes.into_iter().filter(visible).map(Some));
        }
        found.sort();
        Ok(found)
    }

    fn below(&self, parts: &[impl AsRef<str>]) -> Url {
        extended(self.root.clone(), parts)
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

    /// The newest version of a table; `None` where there is none, or only what is left of one that is being deleted.
    ///
    /// # Errors
    /// Where that can't be told, or the table can't be read.
    pub async fn open(&self, place: &Url) -> Result<Option<DeltaTable>, Trouble> {
        let Some(mut table) = self.there(place).await? else { return Ok(None) };
        let loaded = table.load().await.map_err(Trouble::from);
        Ok(unless_deleted(&table, loaded).await?.map(|()| table))
    }

    /// One of triphase's own tables, whole: its newest version is there as a commit. One of which only a checkpoint is left can be read, as it
    /// was by then, and never be written again.
    ///
    /// # Errors
    /// As [`Lake::open`]; [`Trouble::Refused`] where it is not whole.
    pub async fn open_own(&self, name: &str) -> Result<Option<DeltaTable>, Trouble> {
        let Some(table) = self.open(&self.own(name)).await? else { return Ok(None) };
        let newest = table.snapshot()?.version();
        match table.log_store().read_commit_entry(newest).await? {
            Some(_) => Ok(Some(table)),
            None => Err(Trouble::Refused(anyhow!(
                "the commits of the table {OWN}/{name} from version {newest} on are gone, of which only a checkpoint is left"
            ))),
        }
    }

    /// The same without the list of the table's files: it takes no longer for many.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub async fn head(&self, place: &Url) -> Result<Option<Head>, Trouble> {
        let Some(table) = self.there(place).await? else { return Ok(None) };
        unless_deleted(&table, Head::read(&table).await).await
    }

    async fn there(&self, place: &Url) -> Result<Option<DeltaTable>, Trouble> {
        let table = self.handle(place)?;
        if place.scheme() == "file" && place.to_file_path().is_ok_and(|path| !path.join("_delta_log").is_dir()) {
            return Ok(None);
        }
        Ok(table.verify_deltatable_existence().await?.then_some(table))
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

/// What was read of a table; `None` where its log is only what a deletion that was cut short has left: there is no table any more.
async fn unless_deleted<T>(handle: &DeltaTable, read: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(trouble) => match Log::read(handle).await.and_then(|log| log.is_tombstone()) {
            Ok(true) => Ok(None),
            Ok(false) | Err(_) => Err(trouble),
        },
    }
}

/// A URL that has no path yet, and the folders of its path as the store names them: without escapes, without empty ones.
fn parsed(name: &str) -> Result<(Url, Vec<String>), anyhow::Error> {
    let wrong = |why: &dyn std::fmt::Display| anyhow!("`{name}` is no URL of a table: {why}");
    let mut url = Url::parse(name).map_err(|error| wrong(&error))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(&"`?` and `#` have no meaning there; write %3F and %23 for them"));
    }
    if url.scheme() == "file" && url.host_str() == Some("localhost") {
        url.set_host(None).map_err(|error| wrong(&error))?;
    }
    let decoded: Result<Vec<String>, anyhow::Error> = url
        .path()
        .split('/')
        .map(|part| Ok(percent_decode_str(part).decode_utf8().map_err(|error| wrong(&error))?.into_owned()))
        .collect();
    // What was escaped parts folders all the same: a store knows no other slash.
    let folders: Vec<String> =
        decoded?.iter().flat_map(|part| part.split('/')).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if folders.iter().any(|folder| folder == "." || folder == "..") {
        return Err(wrong(&"`.` and `..` are no folders"));
    }
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear();
    }
    Ok((url, folders))
}

/// A URL and folders below it; it ends with a slash, as a table's does.
fn extended(mut url: Url, folders: &[impl AsRef<str>]) -> Url {
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(folders).push("");
    }
    url
}

/// Whether a folder is triphase's own, in whatever case a store takes for the same.
fn names_own(folder: &str) -> bool {
    folder.eq_ignore_ascii_case(OWN)
}

/// The host's clock.
pub fn host_clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
