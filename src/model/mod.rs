//! The contract's words: phases, verbs, states, names, guards, findings. No input, no output, no clock; imports nothing of ours.

mod finding;
mod guards;
mod time;
mod version;

pub use finding::{Class, Finding, Place};
pub use guards::{Guards, Reach, Rollout, Span};
pub use time::{Time, spell};
pub use version::Version;

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a character is seen by what it does and not by itself: a control character, or one that turns the direction of the text around
/// it (Unicode Standard Annex 9, section 2), behind which another text can be hidden.
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Declares an enum whose variants have one name each, used for files, flags, ledger rows and messages alike.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The one spelling of this value.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            /// The value of that name, `None` where no value has it.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// One of the three phases of a step, in the order they run.
    Phase {
        /// Expand: what the new application needs is there, the old one works on.
        Add = "add",
        /// Hide the old, reversibly.
        Simdrop = "simdrop",
        /// Remove the old for good.
        Drop = "drop",
    }
}

impl Phase {
    /// Position in `[_; 3]`.
    pub const fn index(self) -> usize {
        match self {
            Self::Add => 0,
            Self::Simdrop => 1,
            Self::Drop => 2,
        }
    }

    /// The phase that must be done before this one.
    pub const fn before(self) -> Option<Self> {
        match self {
            Self::Add => None,
            Self::Simdrop => Some(Self::Add),
            Self::Drop => Some(Self::Simdrop),
        }
    }

    /// The verb that runs this phase.
    pub const fn verb(self) -> Verb {
        match self {
            Self::Add => Verb::Add,
            Self::Simdrop => Verb::Simdrop,
            Self::Drop => Verb::Drop,
        }
    }

    /// The verb that takes this phase back; a drop has none.
    pub const fn rollback(self) -> Option<Verb> {
        match self {
            Self::Add => Some(Verb::RollbackAdd),
            Self::Simdrop => Some(Verb::RollbackSimdrop),
            Self::Drop => None,
        }
    }

    /// What a step that has been through this phase is called in messages.
    pub const fn past(self) -> &'static str {
        match self {
            Self::Add => "added",
            Self::Simdrop => "simdropped",
            Self::Drop => "dropped",
        }
    }
}

named! {
    /// What a handler is for: the three phases and the two rollbacks.
    Verb {
        /// Runs the add phase.
        Add = "add",
        /// Runs the simdrop phase.
        Simdrop = "simdrop",
        /// Runs the drop phase.
        Drop = "drop",
        /// Takes a simdrop back.
        RollbackSimdrop = "rollback_simdrop",
        /// Takes an add back.
        RollbackAdd = "rollback_add",
    }
}

impl Verb {
    /// The phase this verb runs or takes back.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Add | Self::RollbackAdd => Phase::Add,
            Self::Simdrop | Self::RollbackSimdrop => Phase::Simdrop,
            Self::Drop => Phase::Drop,
        }
    }

    /// Forward through a phase, or back out of it.
    pub const fn way(self) -> Way {
        match self {
            Self::Add | Self::Simdrop | Self::Drop => Way::Forward,
            Self::RollbackSimdrop | Self::RollbackAdd => Way::Back,
        }
    }
}

/// The direction of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Runs a phase.
    Forward,
    /// Takes a phase back.
    Back,
}

named! {
    /// How far one phase of one step has come (rule L1).
    PhaseState {
        /// Never run.
        Pending = "pending",
        /// Begun; its end is not recorded.
        Running = "running",
        /// Done, or empty and passed.
        Done = "done",
        /// A statement of it failed.
        Failed = "failed",
        /// Its rollback has begun.
        RollingBack = "rolling_back",
        /// Its rollback is done.
        RolledBack = "rolled_back",
        /// A statement of its rollback failed.
        RollbackFailed = "rollback_failed",
    }
}

named! {
    /// Whose SQL a handler is written in. The name is the key of a handler's engine map (rule F2).
    Dialect {
        /// PostgreSQL 12 and later.
        Postgres = "postgres",
        /// MySQL 8.
        Mysql = "mysql",
        /// MariaDB 10.6 and later.
        Mariadb = "mariadb",
        /// SQLite 3.35 and later.
        Sqlite = "sqlite",
        /// Delta Lake.
        Delta = "delta",
    }
}

named! {
    /// What the way back costs, shown before a step runs.
    Label {
        /// The rollback brings back all there was, and loses nothing written since.
        Lossless = "lossless",
        /// The rollback loses, or may lose, something.
        Lossy = "lossy",
        /// There is no way back.
        None = "none",
    }
}

/// A step's identity: its release and its persistent id (rule F5). `@before` and `@after` are the release's own hooks (F6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId {
    /// The release's version, as its file is named.
    pub release: Version,
    /// The step's `id`, by default its name.
    pub step: String,
}

impl StepId {
    /// The step id under which a release's `before` actions are recorded.
    pub const BEFORE: &'static str = "@before";
    /// The step id under which a release's `after` actions are recorded.
    pub const AFTER: &'static str = "@after";

    /// Joins a version and a step id.
    pub fn new(release: Version, step: impl Into<String>) -> Self {
        Self { release, step: step.into() }
    }

    /// Whether this is a release's `before` or `after`, which has no rollback of its own to demand (F6).
    pub fn is_hook(&self) -> bool {
        self.step == Self::BEFORE || self.step == Self::AFTER
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.release, self.step)
    }
}
