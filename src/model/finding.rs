//! What is wrong, or refused, and where. Findings are collected, never thrown: a reader wants all of them at once.

use std::{ops::Range, sync::Arc};

/// What kind of refusal a finding is. The order is the contract's: the exit code of a run is that of its first class (C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Usage, configuration, files.
    Usage,
    /// The target or its ledger can't be reached, read or written.
    Access,
    /// Another run holds the lock, or traffic does.
    Busy,
    /// The ledger needs a person's decision.
    Decision,
    /// Files and ledger differ.
    Drift,
    /// A guard refuses.
    Guard,
    /// Work is pending (`check`).
    Pending,
}

impl Class {
    /// The process's exit code (C1).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Access => 8,
            Self::Busy => 4,
            Self::Decision => 5,
            Self::Drift => 6,
            Self::Guard => 7,
            Self::Pending => 3,
        }
    }

    /// The name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Access => "access",
            Self::Busy => "busy",
            Self::Decision => "decision",
            Self::Drift => "drift",
            Self::Guard => "guard",
            Self::Pending => "pending",
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the project folder.
    pub file: Arc<str>,
    /// The file's text.
    pub source: Arc<str>,
    /// Byte range in `source`.
    pub span: Range<usize>,
    /// The path inside the file, as `steps.customer_names.add[1].sql`; empty at the top.
    pub path: String,
}

impl Place {
    /// Line, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> usize {
        self.before().rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1
    }

    fn before(&self) -> &str {
        self.source.get(..self.span.start).unwrap_or(&self.source)
    }
}

/// One thing that is wrong or refused, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of refusal.
    pub class: Class,
    /// The contract's rule, as `G4`; empty where none has a number.
    pub rule: &'static str,
    /// What is wrong, naming the thing. No final full stop.
    pub message: String,
    /// What to do about it; empty where the message says it.
    pub way_out: String,
    /// Where, if it is in a file. Boxed: most findings have none.
    pub place: Option<Box<Place>>,
}

impl Finding {
    /// A finding without place or way out.
    pub fn new(class: Class, rule: &'static str, message: impl Into<String>) -> Self {
        Self { class, rule, message: message.into(), way_out: String::new(), place: None }
    }

    /// The same with its way out.
    #[must_use]
    pub fn way_out(mut self, text: impl Into<String>) -> Self {
        self.way_out = text.into();
        self
    }

    /// The same at a place, where there is one.
    #[must_use]
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.place = place.into().map(Box::new);
        self
    }
}
