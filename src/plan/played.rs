//! The ledger as it will be after the tasks planned so far: each is played forward on a copy.

use super::{Plan, Task};
use crate::{
    ledger::{Facts, PhaseRow, Row},
    model::{Finding, Guards, Phase, PhaseState, StepId, Time, Verb, Version, Way},
    release::{Project, Step},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// What a plan is made on.
pub(super) struct Played<'a> {
    pub project: &'a Project,
    pub facts: &'a Facts,
    /// Those in force: the ledger's, each that the target file names replaced (G10).
    pub guards: Guards,
    pub now: Time,
    /// The ledger's own rows, until something is played on them.
    pub steps: Cow<'a, BTreeMap<StepId, Row>>,
    /// Releases of which a simdrop handler runs in this very plan: their soak begins only then (G6).
    pub fresh: BTreeSet<Version>,
    pub rollouts: BTreeSet<Version>,
    /// Operations that can't be derived, and why.
    pub refused: BTreeMap<StepId, Finding>,
    pub plan: Plan,
}

impl<'a> Played<'a> {
    pub fn new(project: &'a Project, facts: &'a Facts, file: &Guards) -> Self {
        let ledger = &facts.ledger;
        let guards = ledger.in_force(file);
        let mut plan = Plan::default();
        plan.begin.create = ledger.format.is_none();
        plan.begin.guards = (guards != ledger.guards).then(|| guards.clone());
        Self {
            project,
            facts,
            guards,
            now: ledger.now,
            steps: Cow::Borrowed(&ledger.steps),
            fresh: BTreeSet::new(),
            rollouts: ledger.rollouts.keys().cloned().collect(),
            refused: BTreeMap::new(),
            plan,
        }
    }

    pub fn row(&self, id: &StepId) -> Option<&Row> {
        self.steps.get(id)
    }

    /// A step's phase; one that never ran is pending.
    pub fn phase_of(&self, step: &Step, phase: Phase) -> &PhaseRow {
        static PENDING: PhaseRow = PhaseRow::pending();
        self.row(&step.id).map_or(&PENDING, |row| row.phase(phase))
    }

    /// Adds tasks, and what they leave behind.
    pub fn play(&mut self, tasks: Vec<Task>) {
        for task in tasks {
            let row = self.steps.to_mut().entry(task.id.clone()).or_insert_with(|| Row::pending(&task.name));
            row.stored.extend(task.keep.keys().copied());
            let empty = task.handler.actions.is_empty();
            let phase: &mut PhaseRow = &mut row.phases[task.verb.phase().index()];
            phase.at = Some(self.now);
            phase.upto = 0;
            phase.trying = None;
            match task.verb.way() {
                Way::Forward => {
                    phase.state = PhaseState::Done;
                    phase.empty = empty;
                    phase.checksum = (!empty).then(|| task.handler.checksum.clone());
                    if task.verb == Verb::Simdrop && !empty {
                        self.fresh.insert(task.id.release.clone());
                    }
                }
                Way::Back => {
                    phase.state = PhaseState::RolledBack;
                    self.rollouts.remove(&task.id.release);
                }
            }
            for (other, mark) in &task.marks {
                row.phases[other.index()] = mark.clone();
            }
            self.plan.tasks.push(task);
        }
    }
}
