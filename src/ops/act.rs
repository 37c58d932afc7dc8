//! What a derived handler is made of, as values: the engine carries out one act at a time, each as one commit of one table, or as several
//! that go on where they stopped ([`Does::Backfill`]).

use super::{Refusal, apply, edit::Edit, state::TableState};
use crate::model::Verb;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// One act of a derived handler, on one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// The table, as the release file names it.
    pub table: String,
    /// What is done.
    pub does: Does,
    /// Whom it keeps from working, and from what; `None`: nobody (O3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
}

/// What is done. Every expression is SQL that DataFusion and Spark both understand, over the table's columns by their logical names at
/// the moment of the act, names in backticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Does {
    /// The checks are made; nothing is changed.
    Check {
        /// In order.
        checks: Vec<Check>,
    },
    /// One metadata commit. The checks hold at the very version that it follows: a commit that is overtaken checks again (of rows: those of
    /// the files added since).
    Commit {
        /// What must hold.
        checks: Vec<Check>,
        /// In order, all in one commit. None: an empty commit with its `txn`.
        edits: Vec<Edit>,
    },
    /// One metadata commit, one of two by what rows there are at the version that it follows.
    Choose {
        /// What must hold in either case.
        checks: Vec<Check>,
        /// The condition that is counted.
        rows: String,
        /// The edits where no row meets it.
        none: Vec<Edit>,
        /// The edits where some do.
        some: Vec<Edit>,
        /// What is said where some do; the number of rows and examples follow.
        told: String,
    },
    /// Values are filled in, in ranges that file statistics can prune (partition, else key), each its own commit. Goes on where it
    /// stopped by its own condition; done when no row meets that.
    Backfill {
        /// Column and expression, over the values before.
        set: IndexMap<String, String>,
        /// The rows that want it: no row that was filled meets it.
        rows: String,
        /// How many rows a commit takes at most; `None`: as the engine likes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<u64>,
        /// The column whose ranges are taken; `None`: the engine chooses by the statistics.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The condition does not end by itself (it is the author's): each row is taken once, by the ranges that are done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        once: bool,
    },
    /// All files are written anew: produced into a staging folder, validated, adopted in one commit with the edits; what was committed
    /// meanwhile is caught up before.
    Rewrite {
        /// What must hold.
        checks: Vec<Check>,
        /// In order, in the commit that adopts.
        edits: Vec<Edit>,
        /// By the name after the edits: the expression over the row before them. A column that is not named keeps its value.
        columns: IndexMap<String, String>,
    },
    /// The table is made; that it is there already, with another id, refuses.
    Create {
        /// Its first version.
        state: Box<TableState>,
    },
    /// The tombstoned table's files go: those that the log names up to the tombstone, the log last.
    Delete,
    /// A column's values come back from the version before this step's `since`, for the rows of the same key that have NULL.
    Recover {
        /// Which column.
        column: String,
        /// The columns that tell rows apart.
        key: Vec<String>,
        /// The handler of this step before whose first commit the values were there.
        since: Verb,
    },
    /// Nothing, and why.
    Nothing {
        /// In words.
        why: String,
    },
    /// What it is can only be said once the table is there: no engine runs this.
    Underived {
        /// The operation, as the file has it.
        operation: String,
    },
}

/// What must hold before anything is changed. Counted and shown with examples where it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// No row meets the condition.
    NoRows {
        /// The condition.
        rows: String,
        /// What is said where some do; their number and examples follow.
        refusal: String,
    },
    /// The expression can be parsed and evaluated on a row of NULLs and on a sample of real rows, and gives the type (O1).
    Evaluates {
        /// The expression.
        expression: String,
        /// Delta's word for the type; `boolean` for conditions.
        data_type: String,
        /// The file's key that it stands under.
        field: String,
    },
    /// No row meets the condition; the few that do, written since they were filled, are filled first, as a [`Does::Backfill`] does.
    Filled {
        /// Column and expression.
        set: IndexMap<String, String>,
        /// The condition.
        rows: String,
    },
    /// No two rows are alike in these columns, and none has NULL in one: they tell rows apart.
    Unique {
        /// The columns.
        columns: Vec<String>,
        /// What is said where it is not so; the rows' number and examples follow.
        refusal: String,
    },
    /// Nobody else has committed data or metadata to the table since a handler of this step ended (maintenance that keeps every row,
    /// `dataChange: false`, does not count).
    NoForeignCommits {
        /// The handler.
        since: Verb,
        /// What is said where somebody has; the commits follow.
        refusal: String,
    },
}

/// How an act goes with those who use the table (O3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Metadata only.
    Instant,
    /// Long, but readers and writers go on.
    Online,
    /// Somebody can't work: whom, and from what.
    Blocking(String),
}

impl Cost {
    /// As shown: `instant`, `online`, `blocking: …`.
    pub fn text(&self) -> String {
        match self {
            Self::Instant => "instant".to_owned(),
            Self::Online => "online".to_owned(),
            Self::Blocking(whom) => format!("blocking: {whom}"),
        }
    }
}

impl Act {
    /// An act that keeps nobody from working.
    pub fn new(table: &str, does: Does) -> Self {
        Self { table: table.to_owned(), does, blocks: None }
    }

    /// How it goes with those who use the table.
    pub fn cost(&self) -> Cost {
        if let Some(whom) = &self.blocks {
            return Cost::Blocking(whom.clone());
        }
        let reads = |checks: &[Check]| {
            checks.iter().any(|check| match check {
                Check::NoRows { .. } | Check::Filled { .. } | Check::Unique { .. } => true,
                Check::Evaluates { .. } | Check::NoForeignCommits { .. } => false,
            })
        };
        match &self.does {
            Does::Check { checks } | Does::Commit { checks, .. } if reads(checks) => Cost::Online,
            Does::Check { .. } | Does::Commit { .. } | Does::Create { .. } => Cost::Instant,
            Does::Nothing { .. } | Does::Underived { .. } => Cost::Instant,
            Does::Choose { .. } | Does::Backfill { .. } | Does::Rewrite { .. } => Cost::Online,
            Does::Delete | Does::Recover { .. } => Cost::Online,
        }
    }

    /// The edits that it commits; of two, those where no row speaks against them.
    pub fn edits(&self) -> &[Edit] {
        match &self.does {
            Does::Commit { edits, .. } | Does::Rewrite { edits, .. } | Does::Choose { none: edits, .. } => edits,
            Does::Check { .. } | Does::Backfill { .. } | Does::Create { .. } | Does::Delete => &[],
            Does::Recover { .. } | Does::Nothing { .. } | Does::Underived { .. } => &[],
        }
    }

    /// What must hold before it.
    pub fn checks(&self) -> &[Check] {
        match &self.does {
            Does::Check { checks } | Does::Commit { checks, .. } => checks,
            Does::Choose { checks, .. } | Does::Rewrite { checks, .. } => checks,
            Does::Backfill { .. } | Does::Create { .. } | Does::Delete => &[],
            Does::Recover { .. } | Does::Nothing { .. } | Does::Underived { .. } => &[],
        }
    }

    /// Whether it leaves its table as it is, whatever it finds.
    pub fn only_looks(&self) -> bool {
        matches!(self.does, Does::Check { .. } | Does::Nothing { .. })
    }

    /// What its edits make of a table that is there, and stays.
    ///
    /// # Errors
    /// Where the table is not as they need it.
    pub fn edited(&self, state: &TableState) -> Result<TableState, Refusal> {
        match &self.does {
            Does::Rewrite { edits, .. } => apply::apply_all(edits, state),
            _ => apply::apply_in_place(self.edits(), state),
        }
    }

    /// What it makes of its table; `None`: there is none.
    ///
    /// # Errors
    /// Where the table is not as the act needs it.
    pub fn apply(&self, state: Option<&TableState>) -> Result<Option<TableState>, Refusal> {
        match (&self.does, state) {
            (Does::Create { state }, None) => Ok(Some((**state).clone())),
            (Does::Create { .. }, Some(_)) => Err(Refusal::there(&self.table)),
            (Does::Delete, _) => Ok(None),
            (_, None) => Err(Refusal::missing(&self.table)),
            (_, Some(state)) => self.edited(state).map(Some),
        }
    }

    /// Whether an act of a rollback finds nothing of what it takes back: its step was applied only in part (the columns that it is about are
    /// not there), or it would leave the table as it is.
    pub fn finds_nothing(&self, state: Option<&TableState>) -> bool {
        let Some(state) = state else { return true };
        let lacks = |set: &IndexMap<String, String>| set.keys().any(|column| state.field(column).is_none());
        let unfilled = |checks: &[Check]| {
            checks.iter().any(|check| match check {
                Check::Filled { set, .. } => lacks(set),
                Check::NoRows { .. } | Check::Evaluates { .. } => false,
                Check::Unique { .. } | Check::NoForeignCommits { .. } => false,
            })
        };
        match &self.does {
            Does::Commit { checks, .. } | Does::Choose { checks, .. } | Does::Rewrite { checks, .. } => {
                unfilled(checks) || apply::apply_all(self.edits(), state).map_or(true, |next| next == *state)
            }
            Does::Backfill { set, .. } => lacks(set),
            Does::Check { .. } | Does::Nothing { .. } => true,
            Does::Create { .. } | Does::Delete | Does::Recover { .. } | Does::Underived { .. } => false,
        }
    }

    /// Whether a person must say yes to it on every target (D8): those who read the table now may not be able to afterwards.
    pub fn asks(&self) -> bool {
        self.edits().contains(&Edit::UpgradeColumnMapping)
    }
}
