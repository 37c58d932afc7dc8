//! What SQLite's result codes mean to a run.

use crate::engine::Failure;
use std::path::Path;

/// Primary result codes (sqlite.org/rescode.html) that are told apart.
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

fn extended(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary(error: &sqlx::Error) -> Option<i32> {
    extended(error).map(|code| code & 0xff)
}

/// The server's words, without the code that sqlx puts before them.
pub fn words(error: sqlx::Error) -> anyhow::Error {
    match error.as_database_error() {
        Some(database) => anyhow::anyhow!("{}", database.message().to_owned()),
        None => anyhow::Error::new(error),
    }
}

/// Whether the table that was asked for does not exist (rule L9).
pub fn no_such_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.message().starts_with("no such table"))
}

/// Whether a read-only connection met what a killed writer left (a journal to roll back, a log to recover): only one that may write to
/// the file can read it.
pub fn needs_recovery(error: &sqlx::Error) -> bool {
    primary(error) == Some(READONLY)
}

/// A read, or anything else outside a unit, failed.
pub fn access(file: &Path, error: sqlx::Error) -> Failure {
    let file = file.display();
    match primary(&error) {
        Some(BUSY | LOCKED) => Failure::Busy(format!("{file}: {:#}", words(error))),
        Some(INTERRUPT) => Failure::Stopped,
        Some(NOTADB) => Failure::Access(anyhow::anyhow!("{file} is no SQLite database (or an encrypted one)")),
        Some(READONLY) => Failure::Access(anyhow::anyhow!("{file} can't be written: {:#}", words(error))),
        Some(PERM | CANTOPEN) => Failure::Access(anyhow::anyhow!(
            "{file} can't be opened: {:#}; check the rights of this user on the file and on its folder",
            words(error)
        )),
        _ => Failure::Access(words(error).context(format!("{file} can't be read or written"))),
    }
}

/// An action failed.
pub fn action(at: usize, error: sqlx::Error) -> Failure {
    match primary(&error) {
        Some(BUSY | LOCKED) => Failure::Busy(format!("{:#}", words(error))),
        Some(INTERRUPT) => Failure::Stopped,
        Some(_) => Failure::Handler { at, why: words(error) },
        None => match error {
            // What became of it is not known. Anything else is about the answer, as a text that is none.
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Failure::Lost(words(error)),
            error => Failure::Handler { at, why: words(error) },
        },
    }
}

/// A COMMIT failed; `at` is one past the last action.
pub fn commit(at: usize, error: sqlx::Error) -> Failure {
    match primary(&error) {
        // Whether the journal was closed before the disk gave up, the file itself must tell.
        Some(IOERR) => Failure::Lost(words(error)),
        _ => action(at, error),
    }
}
