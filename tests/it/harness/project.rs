//! A project folder, and the binary run in it.

use super::{Command, Run};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A project folder.
pub struct Project(TempDir);

impl Project {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir().join(path)
    }

    /// Writes a release file.
    pub fn release(&self, version: &str, text: &str) {
        self.write(&format!("releases/{version}.yaml"), text);
    }

    /// Removes a release file.
    pub fn without(&self, version: &str) {
        std::fs::remove_file(self.path(&format!("releases/{version}.yaml"))).unwrap();
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A command line, split at blanks.
    pub fn command(&self, line: &str) -> Command {
        Command::new(self.dir(), line.split_whitespace())
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
}
