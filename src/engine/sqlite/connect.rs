//! One connection: opening it, the settings triphase relies on, and answers as cells.

use super::{
    failure,
    watch::{Reached, Watch},
};
use crate::{
    engine::{Failure, Stop, UrlOption, Values, rows::TextRow, sent::sent},
    target::Target,
};
use anyhow::anyhow;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, TypeInfo as _,
    ValueRef as _,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

/// How the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing may change.
    Read,
    /// The file is there and may be written.
    Write,
    /// The file may be written, and is created where it is missing.
    Create,
}

/// The options of connection URLs.
pub const OPTIONS: &[UrlOption] = &[
    UrlOption { name: "foreign_keys", values: Values::OneOf(&["on", "off", "true", "false", "yes", "no", "1", "0"]) },
    UrlOption { name: "mode", values: Values::OneOf(&["ro", "rw", "rwc"]) },
];

/// What the target says of the connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Whether foreign keys are enforced, as the URL says; SQLite's own default is that they are not.
    pub foreign_keys: bool,
    /// Whether the URL forbids to write (`mode=ro`).
    pub read_only: bool,
    /// Whether the URL forbids to create the file (`mode=rw`).
    pub must_exist: bool,
    /// How long a statement waits for another connection's lock, in milliseconds.
    busy_timeout: u128,
}

impl Settings {
    /// Reads them off a target.
    ///
    /// # Errors
    /// [`Failure::Access`] for an option that is not known.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let connection = target.runner();
        let mut settings = Self {
            file: PathBuf::from(&connection.database),
            foreign_keys: false,
            read_only: false,
            must_exist: false,
            busy_timeout: target.lock_timeout.length().as_millis().min(i32::MAX as u128),
        };
        if connection.database.is_empty() || connection.database == ":memory:" {
            return Err(Failure::Access(anyhow!(
                "a SQLite target is a file: a database in memory would be gone after each command; write sqlite://dev.db"
            )));
        }
        for (key, value) in &connection.query {
            match (key.as_str(), value.reveal().to_ascii_lowercase().as_str()) {
                ("foreign_keys", "on" | "true" | "yes" | "1") => settings.foreign_keys = true,
                ("foreign_keys", "off" | "false" | "no" | "0") => settings.foreign_keys = false,
                ("mode", "ro") => settings.read_only = true,
                ("mode", "rw") => settings.must_exist = true,
                ("mode", "rwc") => {}
                (key, _) => {
                    return Err(Failure::Access(anyhow!(
                        "the connection's option `{key}` is not known or its value is not: \
                         write foreign_keys=on or off, mode=ro, rw or rwc"
                    )));
                }
            }
        }
        Ok(settings)
    }

    /// Connects.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn connect(&self, mode: Mode) -> Result<SqliteConnection, sqlx::Error> {
        let options = |read_only| {
            SqliteConnectOptions::new()
                .filename(&self.file)
                .read_only(read_only)
                .immutable(read_only && self.quiet_log())
                .create_if_missing(mode == Mode::Create)
                .foreign_keys(self.foreign_keys)
                .busy_timeout(std::time::Duration::from_millis(u64::try_from(self.busy_timeout).unwrap_or(u64::MAX)))
                // Statements are shown by events; a log of them is the caller's wish, not the driver's.
                .disable_statement_logging()
        };
        // The first page is read, so that what is no database is found here.
        let probe = "PRAGMA schema_version";
        let mut connection = options(mode == Mode::Read).connect().await?;
        match execute(&mut connection, probe).await {
            Ok(()) => Ok(connection),
            Err(error) if mode == Mode::Read && failure::needs_recovery(&error) => {
                // A writer was killed. Its journal is rolled back, as by any reader that may; nothing else can be written.
                let mut connection = options(false).connect().await?;
                execute(&mut connection, probe).await?;
                execute(&mut connection, "PRAGMA query_only = ON").await?;
                Ok(connection)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the file has a write-ahead log that nobody has open. Even a read-only connection would make `-wal` and `-shm` beside such a
    /// file and leave them there (rule L10), unless it takes the file as one that does not change.
    pub fn quiet_log(&self) -> bool {
        /// The header's write and read version, which are 2 for a write-ahead log (sqlite.org/fileformat2.html, section 1.3).
        const VERSIONS: std::ops::Range<usize> = 18..20;
        let mut header = [0; 20];
        let read = std::fs::File::open(&self.file).and_then(|mut file| file.read_exact(&mut header));
        read.is_ok() && header[VERSIONS] == [2, 2] && !self.log_file().exists()
    }

    /// The write-ahead log's file.
    pub fn log_file(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push("-wal");
        PathBuf::from(name)
    }

    /// The settings triphase relies on, as statements: set again after each handler that may have changed one, so that none leaks to the
    /// next (rule L9). Each is the default of a bare `sqlite3`, but the two that the target names.
    pub fn pragmas(&self) -> Vec<String> {
        let on_off = if self.foreign_keys { "ON" } else { "OFF" };
        vec![
            format!("PRAGMA busy_timeout = {}", self.busy_timeout),
            format!("PRAGMA foreign_keys = {on_off}"),
            "PRAGMA defer_foreign_keys = OFF".to_owned(),
            "PRAGMA ignore_check_constraints = OFF".to_owned(),
            "PRAGMA legacy_alter_table = OFF".to_owned(),
            "PRAGMA locking_mode = NORMAL".to_owned(),
            "PRAGMA query_only = OFF".to_owned(),
            "PRAGMA recursive_triggers = OFF".to_owned(),
            "PRAGMA reverse_unordered_selects = OFF".to_owned(),
            "PRAGMA synchronous = FULL".to_owned(),
            "PRAGMA writable_schema = OFF".to_owned(),
        ]
    }
}

/// A connection, and what was left open on it by a future that was dropped half-way.
pub struct Link {
    pub connection: SqliteConnection,
    /// Whether a transaction of ours may be open.
    in_transaction: bool,
    /// Whether [`Settings::pragmas`] are known to be in force.
    settled: bool,
    watch: Watch,
}

/// Why a transaction that was sent as one text did not commit.
#[derive(Debug)]
pub struct Halt {
    /// How far it came.
    pub reached: Reached,
    /// SQLite's error; none where the text left its transaction open, as the last of it was taken for something else.
    pub error: Option<sqlx::Error>,
}

impl Link {
    /// `waits` is set for as long as a statement waits for another connection's lock.
    pub async fn new(mut connection: SqliteConnection, waits: Arc<AtomicBool>) -> Result<Self, sqlx::Error> {
        let watch = Watch::new(waits);
        watch.install(&mut connection).await?;
        Ok(Self { connection, in_transaction: false, settled: false, watch })
    }

    /// Puts the settings in force, unless they are known to be.
    pub async fn settle(&mut self, settings: &Settings) -> Result<(), sqlx::Error> {
        if !self.settled {
            execute(&mut self.connection, &settings.pragmas().join(";")).await?;
            self.settled = true;
        }
        Ok(())
    }

    /// What runs next may change settings.
    pub const fn unsettle(&mut self) {
        self.settled = false;
    }

    /// Until [`Link::rollback`] or [`Link::unwatch`], a statement ends early once told to stop.
    pub fn watch(&self, stop: &Stop) {
        self.watch.set(Some(stop.clone()));
    }

    /// From here on statements end by themselves alone.
    pub fn unwatch(&self) {
        self.watch.set(None);
    }

    /// Begins a transaction that may write, and asks a query in the same breath: every message to the thread that has the file costs two
    /// switches between threads.
    pub async fn begin(&mut self, query: &str) -> Result<Vec<TextRow>, sqlx::Error> {
        self.in_transaction = true;
        // The lock is had at once, or waited for.
        self.waits(true);
        let answer = texts(&mut self.connection, &format!("BEGIN IMMEDIATE; {query}")).await;
        self.waits(false);
        answer
    }

    /// What runs next takes a lock first: until it works, it waits for that.
    pub fn waits(&self, waits: bool) {
        self.watch.waits(waits);
    }

    /// Runs a text that begins a transaction, works, and commits, as one message: others are answered statement by statement, and each
    /// answer wakes this side. Where it fails, the transaction may be open still.
    ///
    /// # Errors
    /// How far it came, and why no further; none where it ended without its COMMIT.
    pub async fn transact(&mut self, text: String, stop: &Stop) -> Result<(), Halt> {
        self.in_transaction = true;
        self.watch.begins();
        self.watch(stop);
        sent(&text);
        let answer = self.connection.begin_with(AssertSqlSafe(text)).await.map(drop);
        self.unwatch();
        self.waits(false);
        match (answer, self.watch.reached()) {
            // The text ran to its end, and left no transaction open.
            (Err(sqlx::Error::BeginFailed), Reached::Commit) => {
                self.in_transaction = false;
                Ok(())
            }
            (Err(error), reached) => Err(Halt { reached, error: Some(error) }),
            (Ok(()), reached) => Err(Halt { reached, error: None }),
        }
    }

    /// Commits. After an error the transaction is rolled back, where SQLite has not done so itself.
    pub async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let committed = execute(&mut self.connection, "COMMIT").await;
        match committed {
            Ok(()) => self.in_transaction = false,
            Err(_) => self.rollback().await,
        }
        committed
    }

    /// Ends a transaction, if there is one, with nothing applied.
    pub async fn rollback(&mut self) {
        self.unwatch();
        if self.in_transaction {
            // The one error there is says that there is none, or that SQLite has rolled back by itself.
            let _ = execute(&mut self.connection, "ROLLBACK").await;
            self.in_transaction = false;
        }
    }
}

/// Runs statements; their rows are passed over.
pub async fn execute(connection: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sent(sql);
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|_| ())
}

/// Asks, every column as text.
pub async fn texts(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<TextRow>, sqlx::Error> {
    Ok(cells(connection, sql).await?.into_iter().map(|row| row.into_iter().map(Cell::text).collect()).collect())
}

/// One value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob,
}

impl Cell {
    fn text(self) -> Option<String> {
        match self {
            Self::Null | Self::Blob => None,
            Self::Integer(number) => Some(number.to_string()),
            Self::Real(number) => Some(number.to_string()),
            Self::Text(text) => Some(text),
        }
    }

    /// True, or a number that is not zero (rule F3). SQLite has numbers for truth.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Integer(number) => *number != 0,
            Self::Real(number) => *number != 0.0,
            Self::Null | Self::Text(_) | Self::Blob => false,
        }
    }

    /// As a person is shown it.
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Blob => "a blob".to_owned(),
        }
    }
}

/// Asks.
pub async fn cells(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
    sent(sql);
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await?;
    rows.iter().map(row).collect()
}

fn row(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    row.columns().iter().map(|column| cell(row, column.ordinal())).collect()
}

fn cell(row: &SqliteRow, at: usize) -> Result<Cell, sqlx::Error> {
    let kind = {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        value.type_info().name().to_owned()
    };
    Ok(match kind.as_str() {
        "INTEGER" => Cell::Integer(row.try_get_unchecked(at)?),
        "REAL" => Cell::Real(row.try_get_unchecked(at)?),
        "TEXT" => Cell::Text(row.try_get_unchecked(at)?),
        _ => Cell::Blob,
    })
}

/// The file's folder.
pub fn folder(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
