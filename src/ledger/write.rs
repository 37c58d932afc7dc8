//! What a target is asked to remember.

use super::{Format, PhaseRow, Row};
use crate::{
    action::{Action, Handlers},
    model::{Guards, Phase, StepId, Version, named},
};

named! {
    /// What a history row says came of it.
    Outcome {
        /// A statement that commits by itself is about to be sent.
        Attempting = "attempting",
        /// A statement, or all of a handler, is done.
        Done = "done",
        /// It failed.
        Failed = "failed",
        /// It was stopped by a signal.
        Interrupted = "interrupted",
        /// Rolled back without a statement: nothing had committed.
        Nothing = "nothing",
        /// A person's word: repair, stamp, rollout, settings.
        Recorded = "recorded",
    }
}

/// One row for the audit trail. Run, command, who, host, tool version and time are added by whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Release, where one is meant.
    pub release: Option<Version>,
    /// Step id, where one is meant.
    pub step: Option<String>,
    /// Verb, or the `repair` made.
    pub verb: String,
    /// Statement index, from 0, where one statement is meant.
    pub statement: Option<u32>,
    /// That statement's hash.
    pub hash: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Error, reason, or setting as written.
    pub detail: Option<String>,
}

/// One change of the ledger.
#[expect(clippy::large_enum_variant, reason = "most entries are steps, and there are a handful a unit")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A step's phase becomes `row`; its `at` is set to the target's clock and its `who` to the run's. `keep` adds or
    /// replaces stored handlers, by verb.
    Step {
        /// Whose.
        id: StepId,
        /// The name it has now.
        name: String,
        /// Which phase.
        phase: Phase,
        /// What becomes of it.
        row: PhaseRow,
        /// The step's other phases that are pending, where the ledger does not know yet whether they are empty (L1): so that a
        /// release can be told to be finished without its files.
        marks: Vec<(Phase, PhaseRow)>,
        /// Handlers to keep beside those that are there.
        keep: Handlers,
        /// For the audit trail.
        event: Event,
    },
    /// A step's whole row is replaced, `at` and `who` as given; `None` removes it (`repair`).
    Replace {
        /// Whose.
        id: StepId,
        /// What becomes of it.
        row: Option<Row>,
        /// For the audit trail.
        event: Event,
    },
    /// A step's stored handlers are added to or replaced, by verb; its phases stay as they are (`repair handler`).
    Keep {
        /// Whose.
        id: StepId,
        /// The handlers.
        handlers: Handlers,
        /// For the audit trail.
        event: Event,
    },
    /// A step is known by another id from now on (`repair rename`).
    Rename {
        /// The id it had.
        from: StepId,
        /// The id it gets.
        to: StepId,
        /// The name it gets.
        name: String,
        /// For the audit trail.
        event: Event,
    },
    /// The ledger gets the format that this binary writes (`repair upgrade-ledger`).
    Upgrade {
        /// The format it had.
        from: Format,
        /// For the audit trail.
        event: Event,
    },
    /// A release's rollout is said (`true`) or void (`false`): rule G6.
    Rollout {
        /// Whose.
        release: Version,
        /// Said, or void.
        said: bool,
        /// For the audit trail.
        event: Event,
    },
}

impl Entry {
    /// The audit trail's row.
    pub const fn event(&self) -> &Event {
        match self {
            Self::Step { event, .. }
            | Self::Replace { event, .. }
            | Self::Keep { event, .. }
            | Self::Rename { event, .. }
            | Self::Upgrade { event, .. }
            | Self::Rollout { event, .. } => event,
        }
    }

    /// The step's phase that goes on with it: whose, which, what becomes of it, and the audit trail's row. `None`: a person's word, or a
    /// release's.
    pub const fn phase(&self) -> Option<(&StepId, Phase, &PhaseRow, &Event)> {
        match self {
            Self::Step { id, phase, row, event, .. } => Some((id, *phase, row, event)),
            Self::Replace { .. }
            | Self::Keep { .. }
            | Self::Rename { .. }
            | Self::Upgrade { .. }
            | Self::Rollout { .. } => None,
        }
    }
}

/// What is written once, before a run's first change: the ledger's tables where there are none, the run's own row, and the guards
/// where the target file names others than the ledger keeps (G10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// There is no ledger yet.
    pub create: bool,
    /// The guards to keep from now on.
    pub guards: Option<Guards>,
}

/// What commits together: actions, and the entries that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Committed before an action that stands alone, in a transaction of their own; else empty.
    pub opens: Vec<Entry>,
    /// The handler's earlier statements that set the session ([`crate::sql::is_setting`]), where the handler is more than one unit: what
    /// they set must hold for the actions, in whatever session these are run (rule L9).
    pub setup: Vec<String>,
    /// In order. More than one only where all can share a transaction.
    pub actions: Vec<Action>,
    /// What was left out, and why: a script's comments.
    pub notes: Vec<String>,
    /// Committed with the actions where they share a transaction, right after the action where it stands alone.
    pub closes: Vec<Entry>,
}

impl Unit {
    /// What it is a part of, as `add v2/customers`: what who waits is told of a run that is at it (rule X1). Neighbours' empty phases, which
    /// ride along, are not meant. `None`: it is no step's.
    pub fn at(&self) -> Option<String> {
        let mut phases = self.opens.iter().chain(&self.closes).filter_map(Entry::phase);
        phases.find(|(_, _, row, _)| !row.empty).map(|(id, _, _, event)| format!("{} {id}", event.verb))
    }
}
