//! The ledger as read, and all else a target says before anything is decided.

use super::Format;
use crate::{
    action::{Action, Checksum, Handlers},
    model::{Guards, Phase, PhaseState, Rollout, StepId, Time, Verb, Version},
    ops::Lake,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One phase of one step. As JSON it is without what is a column of its own, and without what a reader takes for granted: most of a ledger
/// is phases that ran once or had nothing to run, and it is read as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// How far it has come.
    #[serde(skip_serializing, default = "pending")]
    pub state: PhaseState,
    /// It has no handler, as far as the last run that touched the step knew (rule L1): said of a pending phase too, whichever phase
    /// was run, so that a release with only empty phases left is known to be finished once its file is gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub empty: bool,
    /// When it last changed, by the target's clock.
    #[serde(skip_serializing, default)]
    pub at: Option<Time>,
    /// Who changed it: `user@host`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub who: String,
    /// The place in the order in which phases really began, over the whole ledger; 0 for never. Rollbacks go by it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: u64,
    /// The handler's checksum when it began.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum: Option<Checksum>,
    /// How many actions of the handler at work (of the rollback, while rolling back) are known to have committed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upto: u32,
    /// The action that was being attempted by itself when last heard of: whether it committed is an open question (rule L4).
    #[serde(default, skip_serializing_if = "is_default")]
    pub trying: Option<u32>,
    /// It was applied only in part when its rollback began: what is left of the rollback asks each action first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub partly: bool,
    /// How far it had come when that rollback began: what there is again, should the rollback be said to be undone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub halfway: Option<Halfway>,
    /// How often the handler at work was begun.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempt: u32,
    /// The resume hashes of the handler at work, an action each (rule L6).
    #[serde(default, skip_serializing_if = "is_default")]
    pub hashes: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Option<String>,
}

/// How far a handler had come that was applied only in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halfway {
    /// How many of its actions are known to have committed.
    pub upto: u32,
    /// The action that stood open.
    #[serde(default)]
    pub trying: Option<u32>,
    /// The resume hashes of its actions.
    #[serde(default)]
    pub hashes: Vec<String>,
}

const fn pending() -> PhaseState {
    PhaseState::Pending
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PhaseRow {
    /// A phase that never ran.
    pub const fn pending() -> Self {
        Self {
            state: PhaseState::Pending,
            empty: false,
            at: None,
            who: String::new(),
            seq: 0,
            checksum: None,
            upto: 0,
            trying: None,
            partly: false,
            halfway: None,
            attempt: 0,
            hashes: Vec::new(),
            error: None,
        }
    }

    /// Whether a statement of it committed, or may have: what has begun here and can't be waved away. So it is with what was applied in
    /// part when its rollback began: that was said to be undone, and how far it had come may not be known any more.
    pub const fn committed(&self) -> bool {
        let begun = matches!(self.state, PhaseState::Running | PhaseState::Failed);
        self.upto > 0 || self.trying.is_some() || (begun && self.partly)
    }

    /// A handler of this phase ran to its end ("simdropped" and "dropped" in G3–G6), or stopped with something committed,
    /// or is being taken back.
    pub const fn really(&self) -> bool {
        match self.state {
            PhaseState::Done => !self.empty,
            PhaseState::Running | PhaseState::Failed => self.committed(),
            PhaseState::RollingBack | PhaseState::RollbackFailed => true,
            PhaseState::Pending | PhaseState::RolledBack => false,
        }
    }

    /// Whether it stands at its beginning or its end: nothing of it is done in part, or undone.
    pub const fn stands(&self) -> bool {
        match self.state {
            PhaseState::Pending | PhaseState::Done | PhaseState::RolledBack => true,
            PhaseState::Running | PhaseState::Failed => !self.committed(),
            PhaseState::RollingBack | PhaseState::RollbackFailed => self.upto == 0 && self.trying.is_none(),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The step's name when it was last touched; its id is the key.
    pub name: String,
    /// By [`Phase::index`].
    pub phases: [PhaseRow; 3],
    /// The verbs whose handlers the ledger keeps (rule L2); the texts are read when a plan wants them.
    pub stored: BTreeSet<Verb>,
}

impl Row {
    /// A step that nothing is known of.
    pub fn pending(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            phases: [PhaseRow::pending(), PhaseRow::pending(), PhaseRow::pending()],
            stored: BTreeSet::new(),
        }
    }

    /// One phase.
    pub const fn phase(&self, phase: Phase) -> &PhaseRow {
        &self.phases[phase.index()]
    }

    /// Whether a handler of it has left anything behind: an empty phase that was passed, or one that failed before its first commit,
    /// is nothing that an earlier release's rollback could break, and nothing that a rollback of this step would take away.
    pub fn has_progress(&self) -> bool {
        self.phases.iter().any(PhaseRow::really)
    }

    /// Whether it has begun and is not dropped: what it has hidden may still be brought back, or is yet to be removed by its own drop.
    pub fn is_open(&self) -> bool {
        self.has_progress() && self.phase(Phase::Drop).state != PhaseState::Done
    }

    /// Whether all its phases are done.
    pub fn is_finished(&self) -> bool {
        self.phases.iter().all(|phase| phase.state == PhaseState::Done)
    }

    /// Whether each of its phases stands at its beginning or its end, so that its table is what the handlers make of it.
    pub fn stands(&self) -> bool {
        self.phases.iter().all(PhaseRow::stands)
    }

    /// The first phase that is not done.
    pub fn next(&self) -> Option<Phase> {
        Phase::ALL.iter().copied().find(|phase| self.phase(*phase).state != PhaseState::Done)
    }

    /// The rollbacks that have begun and are not done.
    pub fn open_rollbacks(&self) -> impl Iterator<Item = Verb> + '_ {
        let open = |state| matches!(state, PhaseState::RollingBack | PhaseState::RollbackFailed);
        Phase::ALL.iter().filter(move |phase| open(self.phase(**phase).state)).filter_map(|phase| phase.rollback())
    }
}

/// Who holds, or last held, the right to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run's id.
    pub run: String,
    /// `user@host`.
    pub who: String,
    /// The host's name.
    pub host: String,
    /// The process's id there.
    pub pid: u32,
    /// Since when, by the target's clock.
    pub since: Time,
    /// The command it was given.
    pub command: String,
    /// What it is at, as `add v2/customers`, as far as it can be seen by who waits for it (rule X1). The ledger has it only where what runs
    /// commits by itself, so each engine shows it in its own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A release's rows. They lie together: the key begins with the release.
pub fn of<'a>(steps: &'a BTreeMap<StepId, Row>, release: &Version) -> impl Iterator<Item = (&'a StepId, &'a Row)> {
    let release = release.clone();
    steps.range(StepId::new(release.clone(), "")..).take_while(move |(id, _)| id.release == release)
}

/// The rows of the releases that come after one.
pub fn after<'a>(steps: &'a BTreeMap<StepId, Row>, release: &Version) -> impl Iterator<Item = (&'a StepId, &'a Row)> {
    let release = release.clone();
    steps.range(StepId::new(release.clone(), "")..).skip_while(move |(id, _)| id.release == release)
}

/// The ledger of one target, without handler texts. One read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// The target's clock when this was read.
    pub now: Time,
    /// The ledger's format; `None`: there is no ledger yet.
    pub format: Option<Format>,
    /// The guards it keeps (rule G10).
    pub guards: Guards,
    /// A row for every step that was ever touched.
    pub steps: BTreeMap<StepId, Row>,
    /// Who wrote last.
    pub run: Option<RunRow>,
    /// Rollouts said and not voided (rule G6).
    pub rollouts: BTreeMap<Version, Rollout>,
    /// Moves with every change of the ledger: what a script checks to see that the ledger stood still.
    pub revision: u64,
}

impl Ledger {
    /// The releases it knows, in order.
    pub fn releases(&self) -> BTreeSet<&Version> {
        self.steps.keys().map(|id| &id.release).collect()
    }

    /// A release's steps.
    pub fn of<'a>(&'a self, release: &'a Version) -> impl Iterator<Item = (&'a StepId, &'a Row)> {
        of(&self.steps, release)
    }

    /// The guards in force: its own, but for those that the target file names (rule G10).
    pub fn in_force(&self, file: &Guards) -> Guards {
        self.guards.replaced_by(file)
    }

    /// A version as this ledger spells it: whatever was respelt in the files stays the release that it was.
    #[must_use]
    pub fn spelt(&self, version: &Version) -> Version {
        let first = StepId::new(version.clone(), "");
        let kept = self.steps.range(first..).next().map(|(id, _)| &id.release).filter(|kept| *kept == version);
        kept.or_else(|| self.rollouts.get_key_value(version).map(|(kept, _)| kept)).unwrap_or(version).clone()
    }

    /// A step's identity as this ledger spells it.
    #[must_use]
    pub fn spelt_step(&self, id: &StepId) -> StepId {
        StepId::new(self.spelt(&id.release), id.step.clone())
    }

    /// The next place in the order of phases.
    pub fn next_seq(&self) -> u64 {
        self.steps.values().flat_map(|r| &r.phases).map(|p| p.seq).max().unwrap_or(0) + 1
    }
}

/// Whether an attempted statement has been applied (rule L4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Applied,
    /// It has not, or may be run again without harm.
    Not,
    /// Nothing decides.
    Unknown,
}

/// All that a target said before anything is decided.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The ledger.
    pub ledger: Ledger,
    /// The stored handlers that the plan wanted.
    pub stored: BTreeMap<StepId, Handlers>,
    /// For the open statements (`trying`) of the steps that the plan wanted. By phase too: a simdrop that stands open while the step's
    /// `rollback_add` goes on can leave two of them.
    pub verdicts: BTreeMap<(StepId, Phase), Verdict>,
    /// The tables that operations name, as they are.
    pub lake: Lake,
    /// For the steps whose phase stopped at a statement that was cut short and left something.
    pub left: BTreeMap<StepId, Leftover>,
    /// The run that has the lock, or a dead one's statement at work, where something stands open that its end decides: nobody else's word is
    /// wanted before.
    pub at_work: Option<String>,
}

impl Facts {
    /// What became of the statement that stands open in a phase; nothing decides it, unless something was found to.
    pub fn verdict(&self, id: &StepId, phase: Phase) -> Verdict {
        self.verdicts.get(&(id.clone(), phase)).copied().unwrap_or(Verdict::Unknown)
    }
}

/// What a statement that commits by itself left on the target where it was cut short: an index half built, a partition half detached.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// The statements that clear it. Each runs by itself, and again without harm.
    pub clear: Vec<Action>,
    /// Once cleared, the statement is applied in full; else it is as if it had never run.
    pub applies: bool,
}

/// One row of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Grows with every event.
    pub id: i64,
    /// When, by the target's clock.
    pub at: Time,
    /// The run's id.
    pub run: String,
    /// The command it was given.
    pub command: String,
    /// `user@host`.
    pub who: String,
    /// The binary's version.
    pub tool: String,
    /// Release; empty for what concerns the whole ledger.
    pub release: String,
    /// Step id; empty for what concerns a release.
    pub step: String,
    /// Verb, or the `repair` made.
    pub verb: String,
    /// Statement index from 1, where one statement is meant.
    pub statement: Option<u32>,
    /// That statement's hash.
    pub hash: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// Error, reason, or setting as written.
    pub detail: Option<String>,
}
