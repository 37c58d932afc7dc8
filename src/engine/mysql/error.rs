//! What the server's refusals mean. The numbers are those of both manuals' error references; MariaDB's own begin at 1900.

pub(super) use super::super::wire::Trouble;

use super::super::{Failure, rows::RESTORE};
use crate::sql;
use anyhow::anyhow;
use sqlx::mysql::MySqlDatabaseError;

/// A table that is not there.
pub(super) const NO_TABLE: u16 = 1146;
/// A user who is not let in.
pub(super) const ACCESS_DENIED: u16 = 1045;
/// Another user's session, and no right to end it.
const NO_RIGHT_TO_KILL: [u16; 2] = [1095, 1227];
/// A session that is gone already.
const NO_SESSION: u16 = 1094;

/// Statements that stopped at one of them, and why.
#[derive(Debug)]
pub(super) struct Broken(pub sqlx::Error);

impl Broken {
    /// The server's error number, if the server said anything.
    pub fn number(&self) -> Option<u16> {
        Self::number_of(&self.0)
    }

    /// The same of an error by itself.
    pub fn number_of(error: &sqlx::Error) -> Option<u16> {
        server(error).map(MySqlDatabaseError::number)
    }

    /// Whether the statement was cancelled (`KILL QUERY`).
    pub fn cancelled(&self) -> bool {
        self.number() == Some(1317)
    }

    /// Whether the server refused the statement before it did anything: it can't be read, or names what is not there or not allowed.
    pub fn before_anything(&self) -> bool {
        matches!(
            self.number(),
            Some(
                1044 | 1045
                    | 1046
                    | 1049
                    | 1051
                    | 1054
                    | 1064
                    | 1136
                    | 1142
                    | 1143
                    | 1146
                    | 1227
                    | 1290
                    | 1305
                    | 1370
                    | 1792
                    | 1836
            )
        )
    }

    /// Whether the server refused a statement that commits on its way before it began. A procedure's own statements may fail with the same
    /// numbers, so of a call it is told by the routine's name: one that runs can't be missing, or be refused to who runs it. `database`:
    /// the one that a name without one is of.
    pub fn refuses(&self, database: &str, text: &str) -> bool {
        match (self.number(), sql::called(text)) {
            (Some(1305 | 1370), Some(called)) => {
                let own = called.schema.as_deref().unwrap_or(database);
                let name = format!("{own}.{}", called.name).to_lowercase();
                let mut said = self.words().to_lowercase();
                said.retain(|c| c != '\'' && c != '`');
                said.split_whitespace().any(|word| word == name)
            }
            // Read and checked before the first of several objects is touched. That one is missing (1051) is not.
            (Some(1044 | 1064 | 1142), None) => sql::drops(text),
            (_, _) => false,
        }
    }

    /// Whether ending a session was refused for want of a right.
    pub fn may_not_kill(&self) -> bool {
        self.number().is_some_and(|number| NO_RIGHT_TO_KILL.contains(&number))
    }

    /// Whether the session to end was gone already.
    pub fn no_session(&self) -> bool {
        self.number() == Some(NO_SESSION)
    }

    /// For what is done with the ledger's own tables, once there is one.
    pub fn of_ledger(&self, doing: &str) -> Failure {
        if self.number() == Some(NO_TABLE) {
            return Failure::Access(anyhow!("{doing}: {}; the ledger is not whole: {RESTORE}", self.words()));
        }
        self.access(doing)
    }
}

impl Trouble for Broken {
    fn gone(&self) -> bool {
        match self.number() {
            // Shutdown (1053, 1080), aborted (1152, 1158 to 1161, 1184), killed (1927 MariaDB, 3169 MySQL), idle for too long (4031 MySQL).
            Some(number) => {
                matches!(number, 1053 | 1077..=1080 | 1152 | 1158..=1161 | 1184 | 1927 | 3169 | 4031)
            }
            None => true,
        }
    }

    // Lock not had in time, deadlock, a row or a definition that changed meanwhile, or a cancel that was
    // meant for the statement before.
    fn busy(&self) -> bool {
        matches!(self.number(), Some(1020 | 1205 | 1213 | 1412 | 3572)) || self.cancelled()
    }

    fn words(&self) -> String {
        words(&self.0)
    }
}

fn server(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    error.as_database_error().and_then(|e| e.try_downcast_ref())
}

/// The server's message and number; else the client's own words. Never a secret: neither side repeats a password.
pub(super) fn words(error: &sqlx::Error) -> String {
    match server(error) {
        Some(said) => format!("{} (error {})", said.message(), said.number()),
        None => error.to_string(),
    }
}
