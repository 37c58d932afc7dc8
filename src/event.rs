//! What a run tells while it goes on, its outcome last.

pub use crate::engine::{Progress, Where};

use crate::{
    ledger::RunRow,
    model::{Finding, StepId, Verb},
    plan::{Plan, Wait},
};
use std::time::Duration;

/// How long a run tries to reach a target again that was there when it began: the time of a failover.
pub const RECONNECT_FOR: Duration = Duration::from_secs(30);

/// What to do where a target can't be reached, read or written.
pub const OUT_OF_REACH: &str = "see that the target is up, and that its connection (target file, --conn or DATABASE_URL) and its user's \
                                rights are right; then run the same command again";

/// The advice where a person said no, or broke a question off: nothing was done that could be recorded.
pub const UNCHANGED: &str = "nothing was changed: run the same command again";

/// One thing a run tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// Where it is going to write: before anything else of a changing command.
    Host(Where),
    /// One line that a person should see.
    Warning(String),
    /// The lock is another's; told once when waiting begins, and again whenever the holder changes.
    Waiting {
        /// Who holds it.
        by: Option<RunRow>,
        /// What is waited for.
        what: String,
    },
    /// The plan under the lock: what will run now.
    Planned(Box<Plan>),
    /// A step's handler begins (or is passed, where empty).
    Started {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// Place in the plan, from 0.
        task: usize,
        /// How many tasks.
        of: usize,
    },
    /// Some of a handler's actions are about to be sent.
    Statement {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// First action's index, from 0.
        index: u32,
        /// How many actions the handler has.
        of: u32,
        /// The first action's text.
        text: String,
    },
    /// Traffic is in the way.
    Blocked {
        /// Whose.
        id: StepId,
        /// How long by now.
        waited: Duration,
        /// Pid, query, age, a line each.
        by: Vec<String>,
        /// It was given up and will be sent again.
        retry: bool,
    },
    /// A statement is still at work: every now and then.
    Heartbeat {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// How long by now.
        elapsed: Duration,
        /// How far it has come, where that is known.
        progress: Option<Progress>,
    },
    /// A statement that goes through many rows has come further; once more when it is done.
    Progress {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// How far.
        progress: Progress,
        /// How long by now.
        elapsed: Duration,
    },
    /// A step's verb is done and recorded.
    Finished {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// It had nothing to run.
        empty: bool,
        /// How long it took.
        took: Duration,
    },
    /// A handler failed; recorded where that was possible.
    Failed {
        /// Whose.
        id: StepId,
        /// What for.
        verb: Verb,
        /// Which action, from 0.
        index: u32,
        /// Its text.
        text: String,
        /// How many of the handler's actions are committed and stay.
        committed: u32,
        /// It may have committed a part of its own work, and nobody knows how much: a client's file, a procedure.
        partly: bool,
        /// All actions had passed: it failed as they were to be committed.
        at_commit: bool,
        /// Why.
        error: String,
        /// Those are the server's words, and not triphase's own.
        server: bool,
        /// The ledger says so.
        recorded: bool,
    },
    /// What was done is not known, or not as it was planned; the run goes round again, and tries to connect for up to [`RECONNECT_FOR`].
    Reconnecting {
        /// Why.
        why: String,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// The verbs that were done, in order.
    pub done: Vec<(StepId, Verb)>,
    /// What `ff` left.
    pub waits: Vec<Wait>,
    /// "Nothing to do", "the target is ahead".
    pub notes: Vec<String>,
    /// The command to run next, with a reason: `roll out v2, then: triphase simdrop v2`; after `--noop` the same without it. Empty only where it
    /// was refused, and the refusal's own words say what to do.
    pub next: String,
}

/// The ways a run ends; each has its exit code (C1).
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Done, or nothing to do: 0. With waits that block an `add`: 7.
    Done,
    /// Refused before anything ran; the findings' first class gives the code.
    Refused(Vec<Finding>),
    /// A handler failed: 1.
    Failed,
    /// The lock, or traffic: 4.
    Busy(String),
    /// The lock was lost: 4.
    Fenced(String),
    /// Undecided: 5.
    Undecided(Vec<Finding>),
    /// Connection or ledger: 8.
    Access(String),
    /// A signal: 130 or 143.
    Interrupted(i32),
    /// The person said no: 7.
    Declined,
}

impl End {
    /// What to do next, where how it ended says that by itself; else nothing.
    pub fn next(&self) -> &str {
        match self {
            Self::Refused(findings) | Self::Undecided(findings) => {
                findings.iter().map(|finding| finding.way_out.as_str()).find(|way| !way.is_empty()).unwrap_or_default()
            }
            Self::Busy(_) | Self::Interrupted(_) => "run the same command again",
            Self::Fenced(_) => "see how far it came: triphase show; then run the same command again",
            Self::Access(_) => OUT_OF_REACH,
            Self::Declined => UNCHANGED,
            Self::Done | Self::Failed => "",
        }
    }
}

/// What ended so, and had done nothing by then.
impl From<End> for Outcome {
    fn from(end: End) -> Self {
        let next = end.next().to_owned();
        Self { end, done: vec![], waits: vec![], notes: vec![], next }
    }
}

impl Outcome {
    /// The process's exit code (C1).
    pub fn exit_code(&self) -> u8 {
        match &self.end {
            End::Done if self.waits.iter().any(|w| w.blocks_add) => 7,
            End::Done => 0,
            End::Refused(findings) | End::Undecided(findings) => {
                findings.iter().map(|f| f.class).min().map_or(7, |class| class.exit_code())
            }
            End::Failed => 1,
            End::Busy(_) | End::Fenced(_) => 4,
            End::Access(_) => 8,
            End::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
            End::Declined => 7,
        }
    }
}
