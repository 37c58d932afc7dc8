//! What is to be done, from what is written and what has been done. Pure; a plan can't fail: what refuses is a finding in it, what must
//! wait is a wait.

mod repair;

pub use repair::{About, Repair, RepairPlan, repair};

use crate::{
    action::{Action, Handler, Handlers},
    ledger::{Begin, Unit},
    model::{Finding, Label, Phase, StepId, Time, Verb, Version},
};

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command.
    pub ask: Ask,
    /// `--out-of-order` (G3).
    pub out_of_order: bool,
    /// `--cascade` (G4).
    pub cascade: bool,
    /// `--contract` (G9): `ff` goes on after `add` on a protected target.
    pub contract: bool,
    /// `--from-files` (L2): rollbacks take the files' handlers.
    pub from_files: bool,
}

impl Request {
    /// A request without flags.
    pub const fn new(ask: Ask) -> Self {
        Self { ask, out_of_order: false, cascade: false, contract: false, from_files: false }
    }
}

/// The command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One phase, or its rollback, of a release or step.
    Verb {
        /// Which.
        verb: Verb,
        /// Of what.
        scope: Scope,
    },
    /// Everything up to somewhere, as far as the guards allow.
    Ff {
        /// Where to.
        to: FfTo,
        /// Stop after that phase (`--phase`).
        phase: Option<Phase>,
    },
}

/// What a single-phase command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Left out: the one release that is eligible.
    Auto,
    /// A release.
    Release(Version),
    /// One step, by name or id.
    Step(Version, String),
}

/// How far `ff` goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FfTo {
    /// Everything.
    All,
    /// `+1`: the first release with work left.
    Next,
    /// A release, and all before it; what was rolled back in that one is applied again (G7).
    Release(Version),
}

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
    /// What commits.
    pub unit: Unit,
}

/// An action that stands open in the ledger, with the step it belongs to (L4).
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Whose.
    pub id: StepId,
    /// Which handler.
    pub verb: Verb,
    /// The action's index.
    pub index: u32,
    /// The action, as stored.
    pub action: Action,
}

/// What a request wants to know besides the ledger.
pub fn wants(project: &crate::release::Project, ledger: &crate::ledger::Ledger, request: &Request) -> Wants {
    let _ = (project, ledger, request);
    Wants::default()
}

/// Plans a request. Never fails: what refuses is in [`Plan::findings`].
pub fn plan(
    project: &crate::release::Project,
    facts: &crate::ledger::Facts,
    guards: &crate::model::Guards,
    request: &Request,
) -> Plan {
    let _ = (project, facts, guards, request);
    Plan::default()
}

/// Cuts a plan into what commits together.
pub fn cut(plan: &Plan, ledger: &crate::ledger::Ledger) -> Vec<Cut> {
    let _ = (plan, ledger);
    vec![]
}

/// All that `check` finds: files, drift, open decisions, pending work (class pending).
pub fn check(project: &crate::release::Project, facts: &crate::ledger::Facts) -> Vec<Finding> {
    let _ = (project, facts);
    vec![]
}
