//! Traffic: a session of the engine's own client that has locked something, until dropped.

use super::Db;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

/// The session. Its lock is had once this exists, and gone with it.
pub struct Holder(Child);

impl Holder {
    /// Locks rows of a table on a server.
    pub fn row(db: &Db, table: &str, condition: &str) -> Self {
        let (mut command, held) = match db {
            Db::Sqlite { .. } => panic!("SQLite locks no rows"),
            Db::Postgres { url } => {
                let mut command = Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-d", &url.with_password()]);
                (command, "CASE WHEN count(*) > 0 THEN 'held' END")
            }
            Db::Mariadb { url } => {
                let mut command = super::db::bare(url);
                command.args(["--batch", "--raw", "--skip-column-names", "--unbuffered"]);
                (command, "if(count(*) > 0, 'held', '')")
            }
        };
        let rows = format!("SELECT 1 FROM {table} WHERE {condition} FOR UPDATE");
        let script = format!("START TRANSACTION; SELECT {held} FROM ({rows}) AS locked;\n");
        Self::begin(&mut command, &script)
    }

    /// Locks a table (PostgreSQL), its definition (MariaDB), or the file against writers (SQLite).
    pub fn new(db: &Db, table: &str) -> Self {
        let (mut command, script) = match db {
            Db::Sqlite { .. } => {
                let mut command = Command::new("sqlite3");
                command.arg("-batch").arg(db.file());
                (command, "BEGIN IMMEDIATE;\n.shell echo held\n".to_owned())
            }
            Db::Postgres { url } => {
                let mut command = Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-d", &url.with_password()]);
                (command, format!("BEGIN; LOCK TABLE {table};\n\\echo held\n"))
            }
            Db::Mariadb { url } => {
                let mut command = super::db::bare(url);
                command.args(["--batch", "--raw", "--skip-column-names", "--unbuffered"]);
                // Whoever has used a table in a transaction keeps its rows and its definition until the end of that.
                let table = table.trim_end_matches(" IN SHARE MODE");
                (command, format!("START TRANSACTION; SELECT if(count(*) >= 0, 'held', '') FROM {table} FOR UPDATE;\n"))
            }
        };
        Self::begin(&mut command, &script)
    }

    /// Starts the client with a script that ends by saying `held`.
    fn begin(command: &mut Command, script: &str) -> Self {
        let mut session = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        session.0.stdin.as_mut().unwrap().write_all(script.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(session.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        session
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Ends the client by itself, so that the server has its lock back when this returns.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
