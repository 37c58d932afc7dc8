//! What the library's errors mean to a run.

use crate::engine::Failure;
use anyhow::anyhow;
use deltalake::{DeltaTableError, ObjectStoreError, kernel::transaction::TransactionError};

/// Why a read or a commit did not go through.
#[derive(Debug)]
pub enum Trouble {
    /// Somebody committed first: nothing of ours is in the table. Plan again on its newest version.
    Moved,
    /// The table or the statement is refused; nothing is in the table.
    Refused(anyhow::Error),
    /// The store did not answer, or not as it should: a commit may be in, or not.
    Lost(anyhow::Error),
}

impl From<DeltaTableError> for Trouble {
    fn from(error: DeltaTableError) -> Self {
        match error {
            DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source:
                    TransactionError::VersionAlreadyExists(_)
                    | TransactionError::MaxCommitAttempts(_)
                    | TransactionError::CommitConflict(_),
            } => Self::Moved,
            DeltaTableError::Transaction { source: TransactionError::UnsupportedTableFeatures(features) } => {
                let names: Vec<String> = features.iter().map(|feature| format!("`{feature}`")).collect();
                Self::Refused(anyhow!(
                    "the table has features that this library can't write: {}; change it with the engine that turned them on",
                    names.join(", ")
                ))
            }
            DeltaTableError::ObjectStore { source: source @ ObjectStoreError::NotFound { .. } } => {
                Self::Refused(anyhow!("a file of the table is missing (was it vacuumed?): {}", store_words(&source)))
            }
            DeltaTableError::ObjectStore { source } => Self::Lost(anyhow!("{}", store_words(&source))),
            DeltaTableError::Transaction { source: TransactionError::ObjectStore { source } } => {
                Self::Lost(anyhow!("{}", store_words(&source)))
            }
            DeltaTableError::Transaction { source: TransactionError::LogStoreError { msg, .. } } => {
                Self::Lost(anyhow!("{msg}"))
            }
            DeltaTableError::Io { source } => Self::Lost(anyhow!("{source}")),
            other => Self::Refused(anyhow!("{}", words(&other))),
        }
    }
}

impl From<deltalake::datafusion::error::DataFusionError> for Trouble {
    fn from(error: deltalake::datafusion::error::DataFusionError) -> Self {
        let words = error.strip_backtrace();
        Self::Refused(anyhow!("{}", short(&words)))
    }
}

impl From<deltalake::kernel::Error> for Trouble {
    fn from(error: deltalake::kernel::Error) -> Self {
        Self::from(DeltaTableError::from(error))
    }
}

impl Trouble {
    /// As the failure of a read: nothing can have been changed by it.
    pub fn access(self, what: &str) -> Failure {
        match self {
            Self::Moved => Failure::Busy(format!("{what} is being written by others")),
            Self::Refused(why) | Self::Lost(why) => Failure::Access(why.context(format!("{what} can't be read"))),
        }
    }

    /// As the failure of an action.
    pub fn action(self, at: usize) -> Failure {
        match self {
            Self::Moved => Failure::Busy("others commit to the table without a pause".to_owned()),
            Self::Refused(why) => Failure::Handler { at, why },
            Self::Lost(why) => Failure::Lost(why),
        }
    }
}

/// The library's words, on one line, its own advice left out.
fn words(error: &DeltaTableError) -> String {
    short(&error.to_string())
}

fn short(text: &str) -> String {
    let text = text.split("\nThis issue was likely caused by a bug").next().unwrap_or_default();
    let text = text.split("\n\nbacktrace:").next().unwrap_or_default();
    text.trim().trim_start_matches("Generic DeltaTable error: ").to_owned()
}

/// A store's words. They name paths and addresses; the keys to them are never among them.
pub fn store_words(error: &ObjectStoreError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(next) = source {
        let more = next.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = next.source();
    }
    words
}
