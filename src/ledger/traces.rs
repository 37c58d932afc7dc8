//! What the tables of a lake say by themselves: the commits of steps (rule D7), and what of triphase's lies there (rule O9).

use crate::{
    action::Checksum,
    model::{StepId, Time, Verb},
    ops::{TableState, Writer},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the tables say of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// The tables that were read, by name.
    pub tables: BTreeSet<String>,
    /// Tables that can't be read, and why.
    pub unread: BTreeMap<String, String>,
    /// Commits of steps, in the order in which they were attempted.
    pub commits: Vec<Trace>,
    /// By step whose first commit since it was last taken back is still in its table's log: the table before that commit; `None`: there
    /// was none.
    pub before: BTreeMap<StepId, Option<TableState>>,
    /// Who else writes the tables, where the target says so.
    pub writers: Option<BTreeSet<Writer>>,
    /// The ledger is there and can't be read: why.
    pub damaged: Option<String>,
}

/// One commit of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Whose.
    pub id: StepId,
    /// Which handler's.
    pub verb: Verb,
    /// Which statement, from 1; `None`: the table's log has lost the commit, and only its number is kept.
    pub statement: Option<u32>,
    /// The number of the attempt: grows over the whole ledger.
    pub attempt: i64,
    /// The handler ends with it.
    pub ends: bool,
    /// The statement is applied; else this is one of several commits of which the last is missing.
    pub proof: bool,
    /// The ledger's trail has the attempt, or one that was rebuilt since.
    pub known: bool,
    /// The table.
    pub table: String,
    /// When, by the clock of who committed.
    pub at: Option<Time>,
    /// The run's id; empty where it is lost.
    pub run: String,
    /// Which handlers the ledger had then, where the commit says so.
    pub by: Option<By>,
}

/// The handlers by which a commit was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The checksum of the handler that ran.
    pub ran: Checksum,
    /// Of the one that was kept to take it back; `None`: there was none.
    pub back: Option<Checksum>,
}

/// Something that triphase made in a lake's table, or beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The table; empty for what lies beside the ledger.
    pub table: String,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The hash of the step that it belongs to, where its name says so.
    pub hash: Option<String>,
    /// What uses it in the table.
    pub used: Option<String>,
    /// How large it is, in bytes, where that is cheap to tell.
    pub bytes: Option<u64>,
}

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A hidden column of a table with column mapping.
    Column,
    /// A hidden column of a table without: taken out of the schema, its values would come back with the next column of the name.
    PlainColumn,
    /// A constraint, or another property, that hides a whole table.
    Closed,
    /// The text of a constraint that was put away.
    Stash,
    /// Files of a rewrite that no version of the table has.
    Files,
    /// A damaged ledger that a rebuild has put aside.
    Aside,
}

impl Kind {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Column | Self::PlainColumn => "column",
            Self::Closed | Self::Stash => "property",
            Self::Files => "files",
            Self::Aside => "folder",
        }
    }
}
