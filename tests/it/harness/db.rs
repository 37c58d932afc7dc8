//! A fresh database, and a way past triphase to ask it: the engine's own client.

use super::{Url, mariadb, postgres};
use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};
use tempfile::TempDir;

/// The engines that every scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
    /// A server whose DDL commits by itself.
    Mariadb,
}

impl Engine {
    /// Whether a handler is applied as a whole or not at all, its DDL included.
    pub fn atomic(self) -> bool {
        match self {
            Self::Sqlite | Self::Postgres => true,
            Self::Mariadb => false,
        }
    }
}

/// One database, there for one test.
pub enum Db {
    /// The file lies in a folder of its own; it is not there until someone writes it.
    Sqlite {
        /// Removed with it.
        dir: TempDir,
    },
    /// Dropped with it.
    Postgres {
        /// Where.
        url: Url,
    },
    /// Dropped with it.
    Mariadb {
        /// Where.
        url: Url,
    },
}

/// A name that no other test has.
fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Db {
    /// A fresh, empty one.
    pub fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite { dir: TempDir::new().unwrap() },
            Engine::Postgres => {
                let (server, name) = (postgres(), fresh());
                psql(&server, &format!("CREATE DATABASE {name}"));
                Self::Postgres { url: server.to_database(&name) }
            }
            Engine::Mariadb => {
                let (server, name) = (mariadb(), fresh());
                mariadb_client(&server, &format!("CREATE DATABASE {name}"));
                Self::Mariadb { url: server.to_database(&name) }
            }
        }
    }

    /// Which engine.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres { .. } => Engine::Postgres,
            Self::Mariadb { .. } => Engine::Mariadb,
        }
    }

    /// Its URL, with whatever password it has.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite://{}", self.file().display()),
            Self::Postgres { url } | Self::Mariadb { url } => url.with_password(),
        }
    }

    /// The server's URL.
    pub fn server(&self) -> &Url {
        match self {
            Self::Sqlite { .. } => panic!("SQLite has no server"),
            Self::Postgres { url } | Self::Mariadb { url } => url,
        }
    }

    /// SQLite's file.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite { dir } => dir.path().join("app.db"),
            Self::Postgres { .. } | Self::Mariadb { .. } => panic!("a server has no file"),
        }
    }

    /// Runs a script in the engine's own client, as bare as a DBA would.
    pub fn client(&self, script: &str) -> Output {
        match self {
            Self::Sqlite { .. } => {
                let mut command = Command::new("sqlite3");
                command.arg("-batch").arg(self.file());
                piped(command, script)
            }
            Self::Postgres { url } => {
                let mut command = Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-d", &url.with_password()]);
                piped(command, script)
            }
            Self::Mariadb { url } => piped(bare(url), script),
        }
    }

    /// Runs SQL that must succeed, and gives its rows, columns split by `|`.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite { .. } => {
                let output = Command::new("sqlite3")
                    .args(["-bail", "-batch", "-cmd", ".timeout 10000"])
                    .arg(self.file())
                    .arg(sql)
                    .output()
                    .unwrap();
                lines(&output, sql)
            }
            Self::Postgres { url } => psql(url, sql),
            Self::Mariadb { url } => mariadb_client(url, sql),
        }
    }

    /// One value.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        self.query(sql).join("\n")
    }

    /// Whether a table is there.
    pub fn has_table(&self, name: &str) -> bool {
        self.tables().iter().any(|t| t == name)
    }

    /// The names of all tables, triphase's among them.
    pub fn tables(&self) -> Vec<String> {
        match self {
            Self::Sqlite { .. } if !self.file().exists() => vec![],
            Self::Sqlite { .. } => self
                .query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"),
            Self::Postgres { .. } => self.query(
                "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' \
                 AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1",
            ),
            Self::Mariadb { .. } => self.query(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY BINARY table_name",
            ),
        }
    }

    /// The schema as the engine's own dump tells it: everything, or all but triphase's own tables.
    pub fn schema(&self, whole: bool) -> String {
        match self {
            Self::Sqlite { .. } if !self.file().exists() => String::new(),
            Self::Sqlite { .. } => {
                let own = if whole { "" } else { "AND tbl_name NOT LIKE 'triphase\\_%' ESCAPE '\\'" };
                self.query(&format!(
                    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE true {own} ORDER BY 1, 2"
                ))
                .join("\n")
            }
            Self::Postgres { url } => {
                let mut command = Command::new("pg_dump");
                command.args(["-s", "--no-owner", "--no-privileges", "-d", &url.with_password()]);
                if !whole {
                    command.args(["-T", "triphase_*", "-T", "triphase_*_seq"]);
                }
                // Newer dumps open with a random key of their own.
                lines(&command.output().unwrap(), "pg_dump")
                    .into_iter()
                    .filter(|l| !l.starts_with('\\'))
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Self::Mariadb { url } => {
                let mut dump = dump(url);
                dump.args(["--no-data", "--routines", "--events"]);
                if !whole {
                    let own = ["triphase_meta", "triphase_run", "triphase_ledger", "triphase_history"];
                    dump.args(own.map(|table| format!("--ignore-table={}.{table}", url.database())));
                }
                // A table's counter moves with its rows.
                lines(&dump.output().unwrap(), "mariadb-dump")
                    .into_iter()
                    .map(|line| match line.split_once(" AUTO_INCREMENT=") {
                        Some((head, tail)) if head.starts_with(") ENGINE=") && !head.contains('\'') => {
                            format!("{head}{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
                        }
                        Some(_) | None => line,
                    })
                    .collect::<Vec<_>>()
                    .join("\n")
                    // A sequence is named with its database.
                    .replace(&format!("`{}`.", url.database()), "")
            }
        }
    }

    /// Everything that is there, to see that nothing has changed: SQLite's bytes and folder, PostgreSQL's dump with data.
    pub fn everything(&self) -> Vec<u8> {
        match self {
            Self::Sqlite { dir } => {
                let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
                names.sort();
                names
                    .iter()
                    .flat_map(|p| [p.as_os_str().as_encoded_bytes().to_vec(), std::fs::read(p).unwrap()].concat())
                    .collect()
            }
            Self::Postgres { url } => {
                let output = Command::new("pg_dump").args(["-d", &url.with_password()]).output().unwrap();
                lines(&output, "pg_dump")
                    .into_iter()
                    .filter(|l| !l.starts_with('\\'))
                    .collect::<Vec<_>>()
                    .join("\n")
                    .into_bytes()
            }
            Self::Mariadb { url } => {
                let output = dump(url).args(["--routines", "--events", "--order-by-primary"]).output().unwrap();
                lines(&output, "mariadb-dump").join("\n").into_bytes()
            }
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if let Self::Postgres { url } = self {
            // The server is thrown away with everything in it; this only keeps it small, also where a test has failed.
            let _ = Command::new("psql")
                .args([
                    "-X",
                    "-q",
                    "-d",
                    &postgres().with_password(),
                    "-c",
                    &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", url.database()),
                ])
                .output();
        }
        if let Self::Mariadb { url } = self {
            // A session that a failed test has left at work keeps its tables.
            let drop = format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {}", url.database());
            let _ = bare(&mariadb()).args(["-e", &drop]).output();
        }
    }
}

/// Runs SQL on a MariaDB server, and gives its rows, columns split by `|`. Values of the tests have no tab and no line end in them.
#[track_caller]
pub fn mariadb_client(url: &Url, sql: &str) -> Vec<String> {
    let output = bare(url)
        // Names in double quotes, as the tests write them for every engine.
        .args(["--init-command=SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"])
        .args(["--batch", "--raw", "--skip-column-names", "-e", sql])
        .output()
        .expect(MARIADB_MISSING);
    lines(&output, sql).into_iter().map(|line| line.replace('\t', "|")).collect()
}

const MARIADB_MISSING: &str = "mariadb is missing: install the Debian package `mariadb-client`";

/// The client as a DBA has it.
pub fn bare(url: &Url) -> Command {
    at_server("mariadb", url, &url.database())
}

fn dump(url: &Url) -> Command {
    let mut command = at_server("mariadb-dump", url, &url.database());
    command.args(["--skip-comments", "--skip-dump-date", "--default-character-set=utf8mb4"]);
    command
}

fn at_server(program: &str, url: &Url, database: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--default-character-set=utf8mb4"]).args([
        "--protocol=tcp",
        "-h",
        &url.host(),
        "-P",
        &url.port().to_string(),
        "-u",
        &url.user(),
    ]);
    command.arg(database).env("MYSQL_PWD", url.password());
    command
}

/// Runs SQL on a server, and gives its rows.
#[track_caller]
pub fn psql(url: &Url, sql: &str) -> Vec<String> {
    let output = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url.with_password(), "-c", sql])
        .output()
        .expect("psql is missing: install the Debian package `postgresql-client`");
    lines(&output, sql)
}

fn piped(mut command: Command, script: &str) -> Output {
    use std::{io::Write as _, process::Stdio};
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A client that stops at an error leaves the rest unread.
    let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn lines(output: &Output, what: &str) -> Vec<String> {
    assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}
