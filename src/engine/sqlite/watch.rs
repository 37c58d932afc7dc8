//! What a connection tells while the thread that has the file is at work, and how it is stopped there. Set up once: doing it anew for each
//! statement would cost two more messages to that thread.

use crate::{engine::Stop, failpoint, sql};
use sqlx::SqliteConnection;
use std::{
    cmp::Ordering as Order,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How far a transaction that was sent as one text has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It waits for the file, or looks whether this run may write.
    Fence,
    /// The action of this index, from 0.
    Action(usize),
    /// The ledger's rows.
    Ledger,
    /// COMMIT: all before it has worked.
    Commit,
}

/// The collation whose function is told how far a text has come.
const REACHED: &str = "triphase_reached";
/// What stands in a mark for [`Reached::Ledger`]; an action has its index.
const LEDGER: &str = "ledger";

impl Reached {
    /// The statement that tells so; none where SQLite tells by itself. It reads no table, and takes no lock.
    pub fn mark(self) -> Option<String> {
        let name = match self {
            Self::Fence | Self::Commit => return None,
            Self::Action(index) => index.to_string(),
            Self::Ledger => LEDGER.to_owned(),
        };
        Some(format!("SELECT {} = '' COLLATE {REACHED}", sql::literal(crate::model::Dialect::Sqlite, &name)))
    }

    /// What a mark says; none where it is not one of ours.
    fn told(mark: &str) -> Option<Self> {
        match mark {
            LEDGER => Some(Self::Ledger),
            index => index.parse().ok().map(Self::Action),
        }
    }
}

/// Shared with the thread that has the file.
#[derive(Clone)]
pub struct Watch {
    stop: Arc<Mutex<Option<Stop>>>,
    waits: Arc<AtomicBool>,
    reached: Arc<Mutex<Reached>>,
}

impl Watch {
    /// `waits` is set for as long as a statement waits for another connection's lock.
    pub fn new(waits: Arc<AtomicBool>) -> Self {
        Self { stop: Arc::default(), waits, reached: Arc::new(Mutex::new(Reached::Fence)) }
    }

    /// Has the connection call.
    pub async fn install(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        /// Virtual-machine instructions between two looks: well under a millisecond.
        const EVERY: i32 = 1000;
        let mut handle = connection.lock_handle().await?;
        let watch = self.clone();
        handle.set_progress_handler(EVERY, move || {
            // Only a statement that works comes here.
            watch.waits(false);
            !watch.told_to_stop()
        });
        let watch = self.clone();
        handle.create_collation(REACHED, move |mark, _| {
            if let Some(reached) = Reached::told(mark) {
                watch.came_to(reached);
            }
            Order::Equal
        })?;
        let watch = self.clone();
        handle.set_commit_hook(move || {
            watch.came_to(Reached::Commit);
            true
        });
        Ok(())
    }

    /// From here on a statement ends early once told to stop; with `None`, statements end by themselves alone.
    pub fn set(&self, stop: Option<Stop>) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }

    /// Whether a statement waits for another connection's lock.
    pub fn waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    /// How far the text at work, or the last one, has come.
    pub fn reached(&self) -> Reached {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text is sent: it has come nowhere.
    pub fn begins(&self) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Reached::Fence;
        // The lock is had at once, or waited for.
        self.waits(true);
    }

    /// Called by the thread that has the file.
    fn came_to(&self, reached: Reached) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = reached;
        self.waits(false);
        match reached {
            Reached::Fence => {}
            Reached::Action(_) => failpoint::point("before statement"),
            Reached::Ledger => {
                // What is done is recorded, told to stop or not.
                self.set(None);
                failpoint::point("before ledger rows");
            }
            Reached::Commit => failpoint::point("before commit"),
        }
    }

    fn told_to_stop(&self) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.as_ref().is_some_and(|stop| stop.signal().is_some())
    }
}
