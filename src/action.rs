//! What a handler is made of, as run and as the ledger keeps it.

use crate::{
    model::{Label, StepId, Verb},
    ops::Act,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::PathBuf};

/// One entry of a handler (rule F3). SQL is split: one statement an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// One statement.
    Sql {
        /// The statement, without its final `;`.
        text: String,
        /// It commits by itself: it can't run in a transaction, or was asked not to (rules L3, L4).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        alone: bool,
        /// A query that is true once the statement has been applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done_when: Option<String>,
    },
    /// A query that must give one true value, else the handler fails.
    Expect {
        /// The query.
        query: String,
    },
    /// A file for the target's own client (rule F4).
    Shell {
        /// The file, relative to the project folder.
        file: PathBuf,
    },
    /// One act of a declarative operation, derived for its table (rule O4).
    Operation {
        /// The version of triphase that derived it.
        by: String,
        /// The step whose evidence its commit carries, as it was called then: it stays when the step is renamed in the ledger.
        step: StepId,
        /// The handler that it belongs to.
        verb: Verb,
        /// Its number in that handler, from 1.
        number: u32,
        /// What is done.
        act: Box<Act>,
    },
}

impl Action {
    /// Whether the action commits by itself.
    pub const fn alone(&self) -> bool {
        match self {
            Self::Sql { alone, .. } => *alone,
            Self::Expect { .. } => false,
            Self::Shell { .. } | Self::Operation { .. } => true,
        }
    }

    /// What a person is shown of it: the statement, the query, the file.
    pub fn text(&self) -> String {
        match self {
            Self::Sql { text, .. } => text.clone(),
            Self::Expect { query } => format!("expect: {query}"),
            Self::Shell { file } => format!("shell: {}", file.display()),
            Self::Operation { act, .. } => act.text(),
        }
    }

    /// Whether a person must say yes to it on every target, protected or not (rule D8).
    pub fn asks(&self) -> bool {
        match self {
            Self::Sql { .. } | Self::Expect { .. } | Self::Shell { .. } => false,
            Self::Operation { act, .. } => act.asks(),
        }
    }

    /// The resume hash (rule L6), over what would run.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.text());
        hex(&hasher.finalize()[..8])
    }
}

/// A checksum and the name of its algorithm, as `t1:9f86d0…` (rule L7).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksum(String);

impl Checksum {
    /// The algorithm that [`Checksum::of`] uses: SHA-256, first 16 bytes in hex, over the canonical parts.
    pub const ALGORITHM: &'static str = "t1";

    /// The checksum of a handler's canonical parts (`sql::canonical` text, options), in order.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            // The length first, so that no two lists of parts give one stream of bytes.
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(format!("{}:{}", Self::ALGORITHM, hex(&hasher.finalize()[..16])))
    }

    /// The checksum as the ledger keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A checksum as the ledger kept it.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

/// What a step does for one verb on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Over its source, before templates (rule L7).
    pub checksum: Checksum,
    /// For a rollback handler: what the way back costs. Elsewhere [`Label::None`].
    pub label: Label,
    /// In order. Empty: "nothing here".
    pub actions: Vec<Action>,
}

/// A step's handlers by verb. A verb that is not there has none.
pub type Handlers = BTreeMap<Verb, Handler>;
