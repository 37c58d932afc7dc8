//! A SQLite file, to read; and the way to its lock. A file that is not there is a target without a ledger, and stays away until a run's
//! first write (rules L10, T3).

use super::{
    connect::{Link, Mode, Settings, folder, texts},
    failure,
    hold::FileHold,
    lock::{self, FileLock},
    probe,
};
use crate::{
    action::{Action, Handlers},
    engine::{
        Access, Answer, Failure, Held, Hold, Me, Object, Session, Where, holder,
        rows::{Rows, TextRow, There, WIDTH},
    },
    ledger::{HistoryRow, Ledger, RunRow, Verdict},
    model::{Dialect, StepId, Time},
    target::Target,
};
use anyhow::anyhow;
use sqlx::{Connection as _, SqliteConnection};
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    path::Path,
    sync::{Arc, PoisonError, atomic::AtomicBool},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// The session.
pub struct FileSession {
    pub(super) settings: Settings,
    pub(super) target: Target,
    pub(super) rows: Rows,
    access: Access,
    version: String,
    /// None as long as there is no file.
    link: Mutex<Option<Link>>,
    /// A condition that holds as long as the ledger is as it was read last; none before that.
    pub(super) seen: std::sync::Mutex<Option<String>>,
    /// A statement waits for another connection's lock.
    pub(super) waits: Arc<AtomicBool>,
}

impl FileSession {
    /// Opens a target.
    ///
    /// # Errors
    /// [`Failure::Access`].
    pub async fn open(target: &Target, access: Access) -> Result<Self, Failure> {
        let settings = Settings::of(target)?;
        let file = &settings.file;
        if file.is_dir() {
            return Err(Failure::Access(anyhow!("{} is a folder, not a SQLite file", file.display())));
        }
        if file.exists() && !file.is_file() {
            return Err(Failure::Access(anyhow!("{} is no file that a database could be in", file.display())));
        }
        if access == Access::Write {
            may_write(&settings, target)?;
        }
        let mut session = Self {
            version: String::new(),
            rows: Rows::sqlite(),
            access,
            link: Mutex::new(None),
            seen: std::sync::Mutex::default(),
            waits: Arc::default(),
            settings,
            target: target.clone(),
        };
        let asked = match session.link().await {
            Ok(Some(mut link)) => Some(version(&mut link.connection).await),
            Ok(None) => None,
            // A run's handler may keep everybody out: who writes waits for the lock, which knows whose it is (rule X1).
            Err(Failure::Busy(_)) if access == Access::Write => None,
            Err(failure) => return Err(failure),
        };
        let version = match asked {
            Some(version) => version,
            None => match SqliteConnection::connect("sqlite::memory:").await {
                Ok(mut connection) => version(&mut connection).await,
                Err(error) => Err(error),
            },
        };
        session.version = version.map_err(|error| Failure::Access(failure::words(error)))?;
        Ok(session)
    }

    /// The connection, if there is a file by now. A transaction that a dropped future left open is ended first.
    pub(super) async fn link(&self) -> Result<Option<MappedMutexGuard<'_, Link>>, Failure> {
        let mode = match self.access {
            Access::Read => Mode::Read,
            Access::Write => Mode::Write,
        };
        let missing = !self.settings.file.exists();
        self.linked(if missing { None } else { Some(mode) }).await
    }

    /// The connection; the file is created where it is missing.
    pub(super) async fn link_or_create(&self) -> Result<MappedMutexGuard<'_, Link>, Failure> {
        self.linked(Some(Mode::Create))
            .await?
            .ok_or_else(|| Failure::Access(anyhow!("{} is gone", self.settings.file.display())))
    }

    async fn linked(&self, mode: Option<Mode>) -> Result<Option<MappedMutexGuard<'_, Link>>, Failure> {
        let mut guard = self.link.lock().await;
        // What was read of a file taken as unchanging may have changed since.
        if mode == Some(Mode::Read) && (self.settings.quiet_log() || self.settings.log_file().exists()) {
            *guard = None;
        }
        if guard.is_none()
            && let Some(mode) = mode
        {
            let connection = self.settings.connect(mode).await.map_err(|error| self.failed(error))?;
            *guard = Some(Link::new(connection, Arc::clone(&self.waits)).await.map_err(|error| self.failed(error))?);
        }
        if let Some(link) = guard.as_mut() {
            link.rollback().await;
        }
        Ok(MutexGuard::try_map(guard, Option::as_mut).ok())
    }

    /// What may have been meant, where the file is not there.
    pub(super) fn hint(&self) -> Option<String> {
        let file = &self.settings.file;
        relative(file, &self.target).filter(|_| !file.exists())
    }

    /// A read failed. Where the file is busy, it is said which run is at work there, if one is.
    pub(super) fn failed(&self, error: sqlx::Error) -> Failure {
        match failure::access(&self.settings.file, error) {
            Failure::Busy(text) => Failure::Busy(match FileLock::holder(&self.settings.file) {
                Ok(Some(Some(run))) if run.pid != std::process::id() => {
                    format!("{text}; at work there: {}", holder(&run))
                }
                Ok(_) | Err(_) => text,
            }),
            other => other,
        }
    }

    async fn read_ledger(&self) -> Result<Ledger, Failure> {
        let ledger = self.ledger_now().await?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(unchanged(&self.rows, &ledger));
        Ok(ledger)
    }

    async fn ledger_now(&self) -> Result<Ledger, Failure> {
        let Some(mut link) = self.link().await? else { return Ok(Ledger { now: host_clock(), ..Ledger::default() }) };
        let connection = &mut link.connection;
        let mut again = false;
        loop {
            let error = match self.read_tables(connection).await? {
                Ok(ledger) => return Ok(ledger),
                Err(error) => error,
            };
            match self.there(connection).await? {
                There::None => return Ok(Ledger { now: host_clock(), ..Ledger::default() }),
                There::Without(missing) => return Err(self.rows.not_whole(&missing)),
                // Another run has made them just now.
                There::All if !again => again = true,
                There::All => return Err(self.failed(error)),
            }
        }
    }

    /// Reads the ledger; the inner error is a table of it that is not there.
    async fn read_tables(&self, connection: &mut SqliteConnection) -> Result<Result<Ledger, sqlx::Error>, Failure> {
        let format = match texts(connection, &self.rows.format_query()).await {
            Ok(answer) => self.rows.format(&answer)?,
            Err(error) if failure::no_such_table(&error) => return Ok(Err(error)),
            Err(error) => return Err(self.failed(error)),
        };
        let query = self.rows.older_ledger_query(format).unwrap_or_else(|| self.rows.ledger_query());
        match packed(connection, &query, WIDTH).await {
            Ok(answer) => self.rows.ledger(format, &answer).map(Ok),
            Err(error) if failure::no_such_table(&error) => Ok(Err(error)),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn there(&self, connection: &mut SqliteConnection) -> Result<There, Failure> {
        let query = self.rows.there_in_sqlite();
        Ok(Rows::there(&texts(connection, &query).await.map_err(|error| self.failed(error))?))
    }

    /// Asks the ledger; no file and no table of it give no rows.
    async fn rows_of(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let Some(mut link) = self.link().await? else { return Ok(Vec::new()) };
        match texts(&mut link.connection, query).await {
            Ok(answer) => Ok(answer),
            Err(error) if failure::no_such_table(&error) => match self.there(&mut link.connection).await? {
                // Where they are there now, another run has made them just now, and there was nothing in them.
                There::None | There::All => Ok(Vec::new()),
                There::Without(missing) => Err(self.rows.not_whole(&missing)),
            },
            Err(error) => Err(self.failed(error)),
        }
    }
}

impl Session for FileSession {
    fn place(&self) -> Where {
        let file = &self.settings.file;
        Where {
            engine: format!("SQLite {}", self.version),
            host: folder(file).display().to_string(),
            database: file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            schema: String::new(),
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn atomic(&self) -> bool {
        true
    }

    fn ledger(&self) -> Answer<'_, Ledger> {
        Box::pin(self.read_ledger())
    }

    fn stored<'a>(&'a self, of: &'a [StepId]) -> Answer<'a, BTreeMap<StepId, Handlers>> {
        Box::pin(async move { self.rows.stored(&self.rows_of(&self.rows.stored_query(of)).await?) })
    }

    fn ask<'a>(&'a self, action: &'a Action) -> Answer<'a, Verdict> {
        Box::pin(async move {
            match self.link().await? {
                Some(mut link) => {
                    let reader = self.access == Access::Read;
                    probe::ask(&mut link.connection, action, reader).await
                }
                None => Ok(Verdict::Not),
            }
        })
    }

    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>> {
        Box::pin(async move { self.rows.history_rows(&self.rows_of(&self.rows.history_query(limit)).await?) })
    }

    fn objects(&self) -> Answer<'_, Vec<Object>> {
        Box::pin(async move {
            let mut objects = self.rows.objects(&self.rows_of(&self.rows.objects_query()).await?);
            let file = lock::path(&self.settings.file);
            // It is there from the first run on, and empty while nobody holds it.
            if let Ok(about) = file.metadata() {
                objects.push(Object {
                    kind: "file",
                    name: file.display().to_string(),
                    what: "the lock".into(),
                    rows: None,
                    bytes: Some(about.len()),
                });
            }
            Ok(objects)
        })
    }

    fn rows<'a>(&'a self, query: &'a str) -> Answer<'a, Option<Vec<TextRow>>> {
        Box::pin(async move {
            let Some(mut link) = self.link().await? else { return Ok(None) };
            match texts(&mut link.connection, query).await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) if failure::no_such_table(&error) => Ok(None),
                Err(error) => Err(self.failed(error)),
            }
        })
    }

    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>> {
        Box::pin(async move {
            let run = RunRow {
                run: me.run.clone(),
                who: me.who.clone(),
                host: me.host.clone(),
                pid: me.pid,
                since: host_clock(),
                command: me.command.clone(),
                at: None,
            };
            let file = &self.settings.file;
            let taken = FileLock::take(file, &run).map_err(|failure| match (failure, self.hint()) {
                (Failure::Access(why), Some(hint)) => Failure::Access(anyhow!("{why:#}{hint}")),
                (failure, _) => failure,
            });
            match taken? {
                Ok(lock) => Ok(Ok(Box::new(FileHold::new(self, me, lock)) as Box<dyn Hold + 'a>)),
                Err(by) => {
                    let what = if by.is_some() { "the lock" } else { "the lock, whose holder left no name" };
                    Ok(Err(Held { by, what: what.to_owned() }))
                }
            }
        })
    }

    fn held(&self) -> Answer<'_, Option<Held>> {
        Box::pin(async move {
            let held = FileLock::holder(&self.settings.file)?;
            Ok(held.map(|by| Held { by, what: "the lock".to_owned() }))
        })
    }

    fn evict<'a>(&'a self, _me: &'a Me, _force: bool) -> Answer<'a, String> {
        Box::pin(async move {
            Ok(match FileLock::holder(&self.settings.file)? {
                None => "nobody holds the lock; nothing to do".to_owned(),
                Some(None) => "a run that does not say its name holds the lock; nothing was changed".to_owned(),
                Some(Some(run)) => format!(
                    "{} holds the lock; nothing was changed: the lock goes when process {} on {} ends",
                    holder(&run),
                    run.pid,
                    run.host
                ),
            })
        })
    }
}

/// A condition that holds as long as the ledger is the one that was `seen`.
pub(super) fn unchanged(rows: &Rows, seen: &Ledger) -> String {
    match seen.format {
        Some(format) => rows.stands(&format.to_string(), seen),
        None => "NOT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name IN ('triphase_meta', 'triphase_ledger'))"
            .to_owned(),
    }
}

/// Asks, every column as text, the whole answer as one value: a row by itself costs more on its way here than it costs to read. `query`
/// gives so many columns of text.
async fn packed(connection: &mut SqliteConnection, query: &str, columns: usize) -> Result<Vec<TextRow>, sqlx::Error> {
    let names = (0..columns).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ");
    let packed = format!("WITH answer ({names}) AS ({query}) SELECT json_group_array(json_array({names})) FROM answer");
    let answer = texts(connection, &packed).await?;
    let text = answer.first().and_then(|row| row.first()?.as_deref()).unwrap_or("[]");
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// What to write for a file of the project, where this one lies elsewhere: SQLAlchemy has three slashes for a relative path (rule T3).
pub(super) fn relative(file: &Path, target: &Target) -> Option<String> {
    let relative = file.strip_prefix("/").unwrap_or(file).display();
    let elsewhere = !file.starts_with(&target.project);
    elsewhere.then(|| format!("; for a file relative to the project folder write sqlite://{relative}"))
}

/// Refuses before anything runs where the file can't be written or created (rules L9, T3).
fn may_write(settings: &Settings, target: &Target) -> Result<(), Failure> {
    let file = &settings.file;
    if settings.read_only {
        return Err(Failure::Access(anyhow!("{} is read-only: its connection says mode=ro", file.display())));
    }
    if file.exists() {
        return match OpenOptions::new().append(true).open(file) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Access(anyhow!("{} can't be written: {error}", file.display()))),
        };
    }
    let hint = relative(file, target).unwrap_or_default();
    let folder = folder(file);
    if !folder.is_dir() {
        return Err(Failure::Access(anyhow!(
            "{} can't be created: the folder {} does not exist{hint}",
            file.display(),
            folder.display()
        )));
    }
    if settings.must_exist {
        return Err(Failure::Access(anyhow!(
            "{} does not exist, and its connection says mode=rw{hint}",
            file.display()
        )));
    }
    let writable = folder.metadata().is_ok_and(|m| !m.permissions().readonly());
    if writable {
        Ok(())
    } else {
        Err(Failure::Access(anyhow!(
            "{} can't be created: the folder {} can't be written{hint}",
            file.display(),
            folder.display()
        )))
    }
}

/// SQLite's version, of the library in this binary.
async fn version(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let answer = texts(connection, "SELECT sqlite_version()").await?;
    Ok(answer.into_iter().flatten().flatten().next().unwrap_or_default())
}

/// SQLite's clock is the host's (rule G6), to the millisecond.
pub(super) fn host_clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}
