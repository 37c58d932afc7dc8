//! The guards that a target sets (rules G1, G6, G9, G10), as written.

use super::{Phase, Time, named};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

named! {
    /// How far every earlier release must have come before a later one's `add` (G1).
    Reach {
        /// Its adds.
        Added = "added",
        /// Its simdrops.
        Simdropped = "simdropped",
        /// All of it.
        Dropped = "dropped",
    }
}

impl Reach {
    /// The last phase that must be done.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Added => Phase::Add,
            Self::Simdropped => Phase::Simdrop,
            Self::Dropped => Phase::Drop,
        }
    }
}

/// A duration that remembers how it was written (`500ms`, `2s`, `1h`, `30d`), since a refusal repeats the setting as written (G6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    text: String,
    length: Duration,
}

impl Span {
    /// Reads a duration.
    ///
    /// # Errors
    /// Where the text is no duration, with the shapes that are.
    pub fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(|length| Self { text: text.to_owned(), length })
            .map_err(|_| format!("`{text}` is no duration: write 500ms, 2s, 15m, 1h or 30d"))
    }

    /// How long it is.
    pub const fn length(&self) -> Duration {
        self.length
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.text
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The guards' settings; `None` is one that was not named. A target file that names a guard replaces the value the ledger keeps (G10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// G1, by default `dropped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_previous: Option<Reach>,
    /// G6, by default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_simdrop_age: Option<Span>,
    /// G6, by default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_rollout: Option<bool>,
    /// G9, by default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
}

impl Guards {
    /// These guards, each that `file` names replaced by its value there.
    #[must_use]
    pub fn replaced_by(&self, file: &Self) -> Self {
        Self {
            require_previous: file.require_previous.or(self.require_previous),
            min_simdrop_age: file.min_simdrop_age.clone().or_else(|| self.min_simdrop_age.clone()),
            require_rollout: file.require_rollout.or(self.require_rollout),
            protected: file.protected.or(self.protected),
        }
    }

    /// How far earlier releases must have come (G1).
    pub fn reach(&self) -> Reach {
        self.require_previous.unwrap_or(Reach::Dropped)
    }

    /// Whether `simdrop` and `drop` wait for `triphase rollout` (G6).
    pub fn needs_rollout(&self) -> bool {
        self.require_rollout.unwrap_or(false)
    }

    /// Whether a person must confirm what can't be taken back (G9).
    pub fn is_protected(&self) -> bool {
        self.protected.unwrap_or(false)
    }
}

/// Somebody's word that a release's application is rolled out (G6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// `user@host`.
    pub who: String,
    /// When it was said.
    pub at: Time,
}
