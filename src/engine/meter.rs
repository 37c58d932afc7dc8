//! How far a statement has come that goes through many rows: counted where the work is done, read where it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is done to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// Values are filled in, and committed as they come.
    Backfill,
    /// Files are written anew, and committed at once at the end.
    Rewrite,
}

/// How far a statement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// What is done.
    pub doing: Doing,
    /// Files that are done.
    pub files: u64,
    /// Files in all.
    pub of_files: u64,
    /// Rows that were written; some of a file that is not done yet.
    pub rows: u64,
    /// Rows in all; `None`: the table's statistics do not say.
    pub of_rows: Option<u64>,
}

/// Counts, from several tasks. Cheap to clone: clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Option<Progress>>>);

impl Meter {
    /// Nothing is known of the statement that comes next.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// Counts from the beginning.
    pub fn begin(&self, doing: Doing, of_files: u64, of_rows: Option<u64>) {
        *self.lock() = Some(Progress { doing, files: 0, of_files, rows: 0, of_rows });
    }

    /// So many rows more were written.
    pub fn rows(&self, more: u64) {
        if let Some(progress) = self.lock().as_mut() {
            progress.rows += more;
        }
    }

    /// So many files more are done.
    pub fn files(&self, more: u64) {
        if let Some(progress) = self.lock().as_mut() {
            progress.files += more;
        }
    }

    /// How far it has come.
    pub fn read(&self) -> Option<Progress> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Progress>> {
        // Nothing that counts can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together() {
        let meter = Meter::default();
        meter.rows(5);
        assert_eq!(meter.read(), None, "nothing was begun");
        meter.begin(Doing::Rewrite, 2, Some(10));
        let other = meter.clone();
        other.rows(4);
        other.files(1);
        let expected = Progress { doing: Doing::Rewrite, files: 1, of_files: 2, rows: 4, of_rows: Some(10) };
        assert_eq!(meter.read(), Some(expected));
        other.clear();
        assert_eq!(meter.read(), None);
    }
}
