//! The SQL of one target that is not the ledger's own: settings, fence, lock keys.

use super::{
    super::rows::{Rows, table},
    error::FENCED,
};
use crate::{
    model::{Dialect, Span},
    sql,
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// The target's clock, in microseconds since 1970.
pub(super) const CLOCK: &str = "SELECT CAST(CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS text)";
/// Opens a transaction whatever the session's defaults are.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// Opens one that can't change anything.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    sql::literal(Dialect::Postgres, text)
}

/// A name as an identifier.
pub(super) fn ident(name: &str) -> String {
    sql::ident(Dialect::Postgres, name)
}

/// A number of milliseconds as a setting; no less than one, for zero would be no limit at all.
pub(super) fn millis(span: &Span) -> String {
    format!("{}ms", limit(span.length()).as_millis())
}

/// A query that sets how long what follows in the transaction waits for a lock: `timeout`, as [`millis`] gives it.
pub(super) fn waits_for(timeout: &str) -> String {
    format!("SELECT set_config('lock_timeout', {}, true)", literal(timeout))
}

fn limit(length: Duration) -> Duration {
    length.clamp(Duration::from_millis(1), Duration::from_millis(i32::MAX as u64))
}

/// What is set before and after every handler (rule L9).
pub(super) struct Settings<'a> {
    /// The whole search path, the schema first.
    pub path: &'a str,
    /// `lock_timeout`.
    pub lock_timeout: &'a str,
    /// How the session is called: that is how whoever takes over finds it.
    pub name: &'a str,
    /// The server's `server_version_num`.
    pub version: u32,
}

/// The limits that a role or a database may set, and a handler must not meet: how long it runs is its own affair, and one that was cut off
/// by such a limit would only be sent again. With the first version that knows each.
const LIMITS: &[(&str, u32)] =
    &[("statement_timeout", 0), ("idle_in_transaction_session_timeout", 0), ("transaction_timeout", 170_000)];

impl Settings<'_> {
    /// The statements that set them, until the transaction's end or for the session.
    pub fn statements(&self, local: bool) -> Vec<String> {
        let limits = LIMITS.iter().filter(|(_, since)| self.version >= *since).map(|(name, _)| (*name, "0"));
        let own = [("search_path", self.path), ("lock_timeout", self.lock_timeout)];
        let mut calls: Vec<String> = own
            .into_iter()
            .chain(limits)
            .map(|(name, value)| format!("set_config({}, {}, {local})", literal(name), literal(value)))
            .collect();
        // A text is read as tokens before any of it runs, so these have to hold for the next text too.
        calls.push("set_config('standard_conforming_strings', 'on', false)".to_owned());
        calls.push("set_config('client_encoding', 'UTF8', false)".to_owned());
        calls.push(format!("set_config('application_name', {}, false)", literal(self.name)));
        vec!["RESET SESSION AUTHORIZATION".to_owned(), "RESET ROLE".to_owned(), format!("SELECT {}", calls.join(", "))]
    }
}

/// Lifts the limit on how long a session may be idle, where there is one (version 14): a session waits while a plan is made, and while a
/// person reads it; the one that holds the lock waits as long as a handler works. And has the server probe the connection while nothing
/// else passes, as it does for the whole length of a handler (manual, 20.3.1.1): what lies in between, a NAT or a balancer, forgets a
/// connection that is silent for some minutes, and then the answer never comes. On a Unix socket nothing of that is needed, or done.
pub(super) const LASTING: &str = "SELECT CASE WHEN current_setting('idle_session_timeout', true) <> '0' \
     THEN set_config('idle_session_timeout', '0', false) END, set_config('tcp_keepalives_idle', '60', false), \
     set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '6', false)";
/// Lifts the other limits until the transaction's end: what triphase reads by itself is short, and must be read whoever it works as.
pub(super) const NO_LIMIT: &str =
    "SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)";

/// A statement that fails unless `condition` holds.
pub(super) fn demand(condition: &str, message: &str, state: &str) -> String {
    let body = format!(
        "BEGIN IF NOT ({condition}) THEN RAISE EXCEPTION USING MESSAGE = {}, ERRCODE = {}; END IF; END",
        literal(message),
        literal(state)
    );
    format!("DO {}", literal(&body))
}

/// Fails with [`FENCED`] unless `run` may write, and keeps it so until the transaction ends: who takes over locks the row for
/// update, and so waits. A key share only, because the holder of a lease renews it meanwhile.
pub(super) fn fence(rows: &Rows, run: &str) -> String {
    let body = format!(
        "BEGIN PERFORM 1 FROM {} WHERE id = 1 AND run_id = {} FOR KEY SHARE; IF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = \
         'the lock is another run''s now', ERRCODE = '{FENCED}'; END IF; END",
        rows.table(table::RUN),
        literal(run)
    );
    format!("DO {}", literal(&body))
}

/// Makes sure that the run's row is there, and waits for every transaction that [`fence`] lets go on.
pub(super) fn take(rows: &Rows) -> Vec<String> {
    let run = rows.table(table::RUN);
    vec![
        format!(
            "INSERT INTO {run} (id, run_id, who, host, pid, since, command, session) VALUES (1, '', '', '', 0, clock_timestamp(), \
             '', '') ON CONFLICT (id) DO NOTHING"
        ),
        format!("SELECT 1 FROM {run} WHERE id = 1 FOR UPDATE"),
    ]
}

/// The advisory lock of one schema; PostgreSQL keeps locks apart by database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(i32, i32);

impl Key {
    /// The schema's.
    pub fn of(schema: &str) -> Self {
        let digest = Sha256::digest(schema.as_bytes());
        // "trip" in ASCII, so that a person who looks into pg_locks can find it.
        Self(0x7472_6970, i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }

    /// As the arguments of a lock function.
    pub fn arguments(self) -> String {
        format!("{}, {}", self.0, self.1)
    }

    /// As a condition on `pg_locks l`.
    pub fn held(self) -> String {
        format!(
            "l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AND \
             l.classid::bigint = {} AND l.objid::bigint = {} AND l.objsubid = 2 AND l.granted",
            self.0.cast_unsigned(),
            self.1.cast_unsigned()
        )
    }

    /// A statement that fails with [`FENCED`] unless process `holder` has the lock.
    pub fn demand(self, holder: &str) -> String {
        let held = format!("EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = {holder} AND {})", self.held());
        demand(&held, "the lock is another run's now", FENCED)
    }

    /// Fails in a client's session once process `holder` has the lock no more: who takes over has it before it looks for the client's name
    /// (rule X2), so one of the two sees the other.
    pub fn fence_of_client(self, holder: &str) -> String {
        format!(
            "DO $triphase$BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = {holder} AND {}) THEN \
             RAISE EXCEPTION 'the run that started this client has the lock no more'; END IF; END$triphase$",
            self.held()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_the_server_knows_are_set() {
        let at = |version| {
            Settings { path: "public", lock_timeout: "2s", name: "triphase x", version }.statements(true).join(";")
        };
        assert!(!at(150_004).contains("'transaction_timeout'"));
        assert!(at(170_000).contains("set_config('transaction_timeout', '0', true)"));
        for version in [120_000, 170_000] {
            for name in ["statement_timeout", "idle_in_transaction_session_timeout"] {
                assert!(at(version).contains(&format!("set_config('{name}', '0', true)")), "{name}");
            }
            assert!(at(version).contains("set_config('client_encoding', 'UTF8', false)"));
        }
    }
}
