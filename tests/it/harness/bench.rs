//! A project folder and a database to work it on.

use super::{Db, Engine, Project};
use std::ops::Deref;

/// A project with one target, `test`, and a fresh database behind it.
pub struct Bench {
    project: Project,
    /// The database.
    pub db: Db,
}

impl Deref for Bench {
    type Target = Project;
    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Bench {
    /// An empty project.
    pub fn new(engine: Engine) -> Self {
        Self::on(Db::new(engine))
    }

    /// An empty project for a database.
    pub fn on(db: Db) -> Self {
        let bench = Self { project: Project::new(), db };
        bench.target("");
        bench
    }

    /// Writes the target file: the connection, and these lines.
    pub fn target(&self, settings: &str) {
        self.write("conf.d/test.yaml", &format!("connection: '{}'\n{settings}", self.db.url()));
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
