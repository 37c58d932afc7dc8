//! A project folder and a database to work it on.

use super::{Command, Db, Engine, Run};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A project with one target, `test`, and a fresh database behind it.
pub struct Bench {
    dir: TempDir,
    /// The database.
    pub db: Db,
}

impl Bench {
    /// An empty project.
    pub fn new(engine: Engine) -> Self {
        Self::on(Db::new(engine))
    }

    /// An empty project for a database.
    pub fn on(db: Db) -> Self {
        let bench = Self { dir: TempDir::new().unwrap(), db };
        bench.target("");
        bench
    }

    /// The project folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the target file: the connection, and these lines.
    pub fn target(&self, settings: &str) {
        self.write("conf.d/test.yaml", &format!("connection: '{}'\n{settings}", self.db.url()));
    }

    /// Writes a release file.
    pub fn release(&self, version: &str, text: &str) {
        self.write(&format!("releases/{version}.yaml"), text);
    }

    /// Removes a release file.
    pub fn without(&self, version: &str) {
        std::fs::remove_file(self.path(&format!("releases/{version}.yaml"))).unwrap();
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A command line, split at blanks.
    pub fn command(&self, line: &str) -> Command {
        Command::new(self.dir.path(), line.split_whitespace())
    }

    /// Runs a command line.
    pub fn run(&self, line: &str) -> Run {
        self.command(line).run()
    }

    /// Runs a command line that must succeed.
    #[track_caller]
    pub fn ok(&self, line: &str) -> Run {
        self.run(line).exits(0)
    }

    /// Runs a command line that must end with this code.
    #[track_caller]
    pub fn ends(&self, code: i32, line: &str) -> Run {
        self.run(line).exits(code)
    }

    /// The three states of a step, as `done pending pending`, by the ledger's own table.
    #[track_caller]
    pub fn states(&self, release: &str, step: &str) -> String {
        states(&self.db, release, step)
    }
}

/// What the ledger's table says of a step.
#[track_caller]
fn states(db: &Db, release: &str, step: &str) -> String {
    db.value(&format!("SELECT add_state, simdrop_state, drop_state FROM triphase_ledger WHERE \"release\" = '{release}' AND step = '{step}'"))
        .replace('|', " ")
}
