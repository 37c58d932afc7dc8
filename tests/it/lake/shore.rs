//! A project folder with a lake in it.

use super::python::Python;
use crate::harness::Project;
use serde_json::{Value, json};
use std::{
    ops::Deref,
    path::{Path, PathBuf},
};
#[cfg(feature = "failpoints")]
use tempfile::TempDir;

/// A project with one target, `test`, and an empty lake behind it.
pub struct Shore {
    project: Project,
    /// The other library.
    pub python: Python,
}

impl Deref for Shore {
    type Target = Project;
    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Shore {
    /// An empty lake.
    pub fn new() -> Self {
        let shore = Self { project: Project::new(), python: Python::start() };
        std::fs::create_dir(shore.path("lake")).unwrap();
        shore.target("");
        shore
    }

    /// One with the table `sales`: ids 1 to 3, kinds `a` to `c`, amounts 10 to 30.
    pub fn with_sales() -> Self {
        let shore = Self::new();
        shore.create("sales", SALES, json!([[1, "a", 10], [2, "b", 20], [3, "c", 30]]));
        shore
    }

    /// A table's folder.
    pub fn table(&self, name: &str) -> String {
        self.path("lake").join(name).display().to_string()
    }

    /// Writes the target file: the connection, and these lines.
    pub fn target(&self, settings: &str) {
        self.write("conf.d/test.yaml", &format!("connection: delta://lake\nrequire_previous: added\n{settings}"));
    }

    /// Makes a table with the other library.
    pub fn create(&self, name: &str, columns: &[(&str, &str)], rows: Value) {
        self.python.call("create", json!([self.table(name), columns, rows])).unwrap();
    }

    /// Appends rows with the other library.
    pub fn append(&self, name: &str, columns: &[(&str, &str)], rows: Value) -> Result<Value, String> {
        self.python.call("append", json!([self.table(name), columns, rows]))
    }

    /// Asks a table, which the query calls `t`, with the other library: a row is its values joined by blanks.
    #[track_caller]
    pub fn query(&self, name: &str, sql: &str) -> Vec<String> {
        let rows = self.python.call("query", json!([self.table(name), sql])).unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// A table's columns, in order.
    #[track_caller]
    pub fn columns(&self, name: &str) -> Vec<String> {
        let fields = self.python.call("schema", json!([self.table(name)])).unwrap();
        fields.as_array().unwrap().iter().map(|field| field[0].as_str().unwrap().to_owned()).collect()
    }

    /// A table's newest version.
    #[track_caller]
    pub fn version(&self, name: &str) -> i64 {
        self.python.call("version", json!([self.table(name)])).unwrap().as_i64().unwrap()
    }

    /// A table's commits, newest first.
    #[track_caller]
    pub fn history(&self, name: &str) -> Vec<Value> {
        self.python.call("history", json!([self.table(name)])).unwrap().as_array().unwrap().clone()
    }

    /// The three states of a step, as `done pending pending`, by `show --json`.
    #[track_caller]
    pub fn states(&self, release: &str, step: &str) -> String {
        let shown: Value = serde_json::from_str(&self.ok("show --json").stdout).unwrap();
        let steps = shown["steps"].as_array().unwrap();
        let found = steps.iter().find(|one| one["release"] == release && one["step"] == step).unwrap();
        ["add", "simdrop", "drop"].map(|phase| found[phase]["state"].as_str().unwrap().to_owned()).join(" ")
    }

    /// A copy of the lake as it is, to come back to.
    #[cfg(feature = "failpoints")]
    pub fn keep(&self) -> TempDir {
        let kept = TempDir::new().unwrap();
        copy(&self.path("lake"), &kept.path().join("lake"));
        kept
    }

    /// The lake as it was kept.
    #[cfg(feature = "failpoints")]
    pub fn restore(&self, kept: &TempDir) {
        std::fs::remove_dir_all(self.path("lake")).unwrap();
        copy(&kept.path().join("lake"), &self.path("lake"));
    }

    /// Every file of the lake and its size, but for the lock's: it is renewed meanwhile.
    #[cfg(feature = "failpoints")]
    pub fn names(&self) -> Vec<(PathBuf, usize)> {
        let lock = self.path("lake/_triphase/lease");
        let all = self.everything().into_iter().filter(|(path, _)| !path.starts_with(&lock));
        all.map(|(path, bytes)| (path, bytes.len())).collect()
    }

    /// Every file of the lake with its bytes, to see that nothing has changed.
    pub fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = vec![];
        files(&self.path("lake"), &mut all);
        all.sort();
        all
    }
}

/// The columns of `sales`.
pub const SALES: &[(&str, &str)] = &[("id", "long"), ("kind", "string"), ("amount", "long")];

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn files(folder: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push((path.clone(), vec![]));
            files(&path, all);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
}
