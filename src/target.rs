//! One target as a value: where it is, how to get in, what it guards. Nothing here prints a secret.

use crate::model::{Guards, Span};
use indexmap::IndexMap;
use std::{fmt, path::PathBuf};

/// A text that neither prints nor compares by accident.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How to get to a database: a connection URL in its parts (rules T1, T3).
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// `sqlite`, `postgres`, …: the scheme after aliases and a `+driver` were taken off.
    pub scheme: String,
    /// Who connects.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<Secret>,
    /// Host name, address, or a folder of Unix sockets; none for SQLite.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Database name; for SQLite the file's absolute path, or `:memory:`, which is refused; for a lake its folder's absolute path, or its
    /// object store's URL.
    pub database: String,
    /// The URL's `?key=value` options, in order. A value is nobody's business but the engine's: nothing prints one, `Debug` neither.
    pub query: IndexMap<String, Secret>,
}

impl fmt::Display for Connection {
    /// The URL without password and options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A lake in an object store is named by its own URL.
        if self.database.contains("://") {
            return f.write_str(&self.database);
        }
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.username {
            write!(f, "{user}@")?;
        }
        if let Some(host) = &self.host {
            f.write_str(host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if self.host.is_some() || self.username.is_some() {
            f.write_str("/")?;
        }
        f.write_str(&self.database)
    }
}

/// One database (and schema): a file of `conf.d`, or `--conn`, or `DATABASE_URL`.
#[derive(Clone, Debug)]
pub struct Target {
    /// The environment's name; none with `--conn` and `DATABASE_URL`.
    pub env: Option<String>,
    /// Where the target is.
    pub connection: Connection,
    /// A way around a pooler for the runner (rule X3).
    pub admin_connection: Option<Connection>,
    /// The schema of ledger and handlers, if named (rule L9).
    pub schema: Option<String>,
    /// The guards this file names (rule G10).
    pub guards: Guards,
    /// How long one statement may queue behind traffic (rule X5).
    pub lock_timeout: Span,
    /// How long such a statement is retried (rule X5).
    pub lock_retry_for: Span,
    /// The client for `shell` actions (rule F4).
    pub binary: Option<String>,
    /// Its arguments.
    pub binary_args: Vec<String>,
    /// What templates may use (rule F7).
    pub vars: IndexMap<String, serde_json::Value>,
    /// Options of a lake's object store, credentials among them.
    pub storage_options: IndexMap<String, Secret>,
    /// Who else writes a lake's tables (rule D1): `spark`, `delta-rs`; none where the file does not say.
    pub writers: Option<Vec<String>>,
    /// Where rewrites of a lake's tables run, by the engine's name; its URL may hold a token.
    pub rewriters: IndexMap<String, Secret>,
    /// The project folder: what relative paths are relative to.
    pub project: PathBuf,
}

impl Target {
    /// The name that G9 asks for: the environment's, with `--conn` the database's.
    pub fn name(&self) -> &str {
        self.env.as_deref().unwrap_or(&self.connection.database)
    }

    /// The connection the runner uses.
    pub fn runner(&self) -> &Connection {
        self.admin_connection.as_ref().unwrap_or(&self.connection)
    }
}

/// A target of no engine's, for tests.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn fixture(guards: Guards) -> Target {
    Target {
        env: Some("dev".into()),
        connection: Connection { scheme: "fake".into(), database: "fake".into(), ..Connection::default() },
        admin_connection: None,
        schema: None,
        guards,
        lock_timeout: Span::parse("2s").unwrap(),
        lock_retry_for: Span::parse("0s").unwrap(),
        binary: None,
        binary_args: Vec::new(),
        vars: Default::default(),
        storage_options: Default::default(),
        writers: None,
        rewriters: Default::default(),
        project: "/".into(),
    }
}
