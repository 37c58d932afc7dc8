//! What a plan is made of: tasks, waits, and the units that its tasks are cut into.

use crate::{
    action::{Action, Handler, Handlers},
    ledger::{Begin, PhaseRow, Unit, Verdict},
    model::{Finding, Label, Phase, StepId, Time, Verb, Version, Way},
    ops::Detail,
};
use std::collections::BTreeMap;

/// One handler to run, or one empty phase to pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Whose.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// What for.
    pub verb: Verb,
    /// What runs; no actions: an empty phase, or a rollback with nothing to run.
    pub handler: Handler,
    /// How many of its actions are done already (L6).
    pub from: u32,
    /// Handlers to store when it starts (L2).
    pub keep: Handlers,
    /// The way back from it, as shown.
    pub label: Label,
    /// Each action is asked first, and skipped where it is so already: a partly applied step is rolled back.
    pub ask_each: bool,
    /// Where each action is asked: what is known of it, by index. What the ledger alone tells is known at once, and a run obeys it: what is
    /// `Applied` is left out, what is `Unknown` is a question unless the target says that it is so already. What the target says is added
    /// where the plan is made to be shown or scripted; a run asks in its own time.
    pub asked: BTreeMap<u32, Verdict>,
    /// The step's other phases that are pending, where the ledger learns now whether they are empty (L1).
    pub marks: Vec<(Phase, PhaseRow)>,
    /// Run before the handler, each by itself, and not recorded: they clear what a statement that was cut short left.
    pub clears: Vec<Action>,
}

impl Task {
    /// Whether an action is not run: it is done already, or was found to be so.
    pub fn skips(&self, index: u32) -> bool {
        index < self.from || self.asked.get(&index) == Some(&Verdict::Applied)
    }

    /// Whether a person must say yes to it on every target (D8).
    pub fn asks(&self) -> bool {
        (0..).zip(&self.handler.actions).any(|(index, action)| !self.skips(index) && action.asks())
    }

    /// Its way back is there and runs nothing: its author says that there is nothing to take back.
    pub fn nothing_back(&self) -> bool {
        let back = self.verb.phase().rollback().filter(|_| self.verb.way() == Way::Forward);
        back.and_then(|back| self.keep.get(&back)).is_some_and(|handler| handler.actions.is_empty())
    }

    /// It runs nothing.
    pub fn is_empty(&self) -> bool {
        self.handler.actions.is_empty() && self.clears.is_empty()
    }
}

/// What must wait, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Whose.
    pub release: Version,
    /// Which phase.
    pub phase: Phase,
    /// The guard, as `G6`.
    pub rule: &'static str,
    /// Its setting as written, and what to do.
    pub why: String,
    /// The earliest time, where time is what it waits for.
    pub until: Option<Time>,
    /// It could not run at all: an `add` in range that a guard stops makes `ff` exit 7.
    pub blocks_add: bool,
}

/// What a command would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order they run.
    pub tasks: Vec<Task>,
    /// What `ff` left.
    pub waits: Vec<Wait>,
    /// What refuses. Where there is any, nothing runs.
    pub findings: Vec<Finding>,
    /// One line each.
    pub warnings: Vec<String>,
    /// "Nothing to do", "the target is ahead": said on success.
    pub notes: Vec<String>,
    /// Written once before the first task.
    pub begin: Begin,
}

/// What the plan wants to know besides the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// Steps whose stored handlers are needed.
    pub stored: Vec<StepId>,
    /// The tables that operations are derived from.
    pub tables: Vec<(String, Detail)>,
}

/// A unit and what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Index into [`Plan::tasks`] of the task whose actions these are; the neighbours' empty rows ride along.
    pub task: usize,
    /// Index of the unit's first action in the task's handler.
    pub first: u32,
    /// It ends the task.
    pub last: bool,
    /// Tasks without actions that are recorded with it, by index.
    pub empties: Vec<usize>,
    /// The step's phase as the ledger has it before this unit.
    pub before: PhaseRow,
    /// What commits.
    pub unit: Unit,
    /// Its action is one of [`Task::clears`], not the handler's: where it fails, the ledger says what it said.
    pub clears: bool,
}
