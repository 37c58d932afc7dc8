//! The lock (rule X1): the operating system's, on `<file>.triphase-lock`. It goes with its process, however that ends. The file stays,
//! since deleting it would let two runs lock two files of one name; while locked it says who holds it.

use super::connect::folder;
use crate::{engine::Failure, ledger::RunRow};
use anyhow::anyhow;
use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long who only looks whether the lock is held may have it, at most.
const GLANCE: Duration = Duration::from_millis(2);

/// The lock, held.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    /// Who holds it, and how long the text is that says so.
    says: Mutex<(RunRow, usize)>,
}

impl FileLock {
    /// Tries once. `Err` of the inner: another has it, and who, if it says so.
    ///
    /// # Errors
    /// [`Failure::Access`] where the lock file can't be made or written.
    pub fn take(database: &Path, run: &RunRow) -> Result<Result<Self, Option<RunRow>>, Failure> {
        let path = path(database);
        let access =
            |error: std::io::Error| Failure::Access(anyhow!("the lock file {} can't be used: {error}", path.display()));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(access)?;
        match at_last(&file, || std::thread::sleep(GLANCE)) {
            Ok(()) => {
                // Unlocked again on every error: the file is closed.
                let text = serde_json::to_vec(run).map_err(|error| Failure::Access(error.into()))?;
                file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(access)?;
                file.write_all(&text).map_err(access)?;
                Ok(Ok(Self { file, says: Mutex::new((run.clone(), text.len())) }))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(read(&mut file))),
            Err(TryLockError::Error(error)) => Err(access(error)),
        }
    }

    /// Who holds the lock now; `None`: nobody. Makes no file.
    ///
    /// # Errors
    /// [`Failure::Access`] where the lock file can't be read.
    pub fn holder(database: &Path) -> Result<Option<Option<RunRow>>, Failure> {
        let path = path(database);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::Access(anyhow!("{} can't be read: {error}", path.display()))),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read(&mut file))),
            Err(TryLockError::Error(error)) => {
                Err(Failure::Access(anyhow!("{} can't be locked: {error}", path.display())))
            }
        }
    }
}

impl FileLock {
    /// The lock for another process to hold as well: it lasts until the last one that has it open ends.
    ///
    /// # Errors
    /// Where the process has no file handle left.
    pub fn share(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Says in the lock file what the run is at, for who waits. One write, as long as what stood there: a reader never sees half of it. That
    /// it can't be said is no reason to stop.
    pub fn at(&self, at: Option<String>) {
        let mut says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
        let (run, length) = &mut *says;
        if at.is_none() || run.at == at {
            return;
        }
        run.at = at;
        let Ok(mut text) = serde_json::to_vec(run) else { return };
        text.resize(text.len().max(*length), b' ');
        *length = text.len();
        if let Err(error) = self.file.write_all_at(&text, 0) {
            tracing::debug!("the lock file does not say what this run is at: {error}");
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing unlocks. A name left behind would only be read while somebody else holds the lock, who writes their own first.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Tries for the lock, and once more after a pause: who only looks whether it is held has it for an instant.
fn at_last(file: &File, pause: impl FnOnce()) -> Result<(), TryLockError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            pause();
            file.try_lock()
        }
        tried => tried,
    }
}

fn read(file: &mut File) -> Option<RunRow> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The lock file of a database. Links are followed, so that two names of one file are one lock.
pub fn path(database: &Path) -> PathBuf {
    let real = database.canonicalize().ok().or_else(|| {
        let folder = folder(database).canonicalize().ok()?;
        Some(folder.join(database.file_name()?))
    });
    let mut name: OsString = real.unwrap_or_else(|| database.to_owned()).into_os_string();
    name.push(".triphase-lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_only_looks_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let [looks, takes] = [(); 2].map(|()| File::create(folder.path().join("lock")).unwrap());
        looks.try_lock_shared().unwrap();
        at_last(&takes, || looks.unlock().unwrap()).unwrap();
        takes.unlock().unwrap();
        looks.lock().unwrap();
        assert!(matches!(at_last(&takes, || ()), Err(TryLockError::WouldBlock)));
    }
}
