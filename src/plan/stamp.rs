//! Adoption (`stamp`, `import`, `init`): phases are recorded as done that were done without triphase. Nothing runs, and nothing that the
//! ledger has as done is ever taken back. Pure.

use super::{
    RepairPlan, Scope,
    adopted::{self, Adopted, Known},
    forward::marks,
    guards,
    verb::{known as of_files, known_step},
};
use crate::{
    action::{Action, Handlers},
    ledger::{Entry, Event, Ledger, Outcome, PhaseRow, Row},
    model::{Class, Finding, Phase, PhaseState, StepId, Version},
    release::{Project, Release, Step},
};
use std::{borrow::Cow, collections::BTreeMap};

/// One phase of one step, as another tool or a person says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Whose.
    pub step: StepId,
    /// Which.
    pub phase: Phase,
    /// It was done, and then rolled back: it runs again only when named (G7).
    pub rolled_back: bool,
}

/// How many releases a note names one by one.
const NAMED: usize = 8;

/// Plans `stamp`: every phase up to `phase` of what `scope` names; for a release also every phase of all earlier ones, unless `only`.
pub(super) fn stamp(
    project: &Project,
    ledger: &Ledger,
    known: &Known,
    (scope, phase, only): (&Scope, Phase, bool),
    reason: &str,
) -> RepairPlan {
    let Adopted { handlers, findings, notes } = adopted::adopt(project, ledger, known, scope, phase);
    let project = &with(project, &handlers);
    let mut stamper = match Stamper::new(project, ledger, reason) {
        Ok(stamper) => stamper,
        Err(plan) => return plan,
    };
    (stamper.derived, stamper.notes) = (handlers, notes);
    stamper.plan.findings = findings;
    let (version, step) = match scope {
        Scope::Auto => {
            let finding = Finding::new(Class::Usage, "", "stamp needs to know what: it guesses no release");
            stamper.plan.findings.push(finding.way_out("name a release or a step: triphase stamp vN --phase add"));
            return stamper.plan;
        }
        Scope::Release(version) => (version, None),
        Scope::Step(version, step) => (version, Some(step)),
    };
    let release = match of_files(project, &ledger.steps, version) {
        Ok(release) => release,
        Err(finding) => return stamper.refused(finding),
    };
    if let Some(name) = step {
        match known_step(release, name) {
            Ok(step) if step.deleted => {
                let message = format!("step `{}` is `deleted: true`: it is never pushed forward", step.id);
                return stamper.refused(Finding::new(Class::Guard, "F5", message).way_out("take `deleted` off first"));
            }
            Ok(step) => stamper.release(release, &[step], phase, true),
            Err(finding) => return stamper.refused(finding),
        }
        return stamper.end();
    }
    if !only {
        for earlier in project.releases.iter().filter(|earlier| earlier.version < release.version) {
            stamper.release(earlier, &guards::counted(earlier).collect::<Vec<_>>(), Phase::Drop, false);
        }
    }
    stamper.release(release, &guards::counted(release).collect::<Vec<_>>(), phase, true);
    stamper.end()
}

/// The project, its operations with the handlers that were derived.
fn with<'p>(project: &'p Project, handlers: &BTreeMap<StepId, Handlers>) -> Cow<'p, Project> {
    let mut project = Cow::Borrowed(project);
    if !handlers.is_empty() {
        let steps = project.to_mut().releases.iter_mut().flat_map(|release: &mut Release| &mut release.steps);
        for step in steps {
            if let Some(own) = handlers.get(&step.id) {
                step.handlers.clone_from(own);
            }
        }
    }
    project
}

/// Plans what `import` and `init` say: these marks and no others.
pub(super) fn marked(project: &Project, ledger: &Ledger, marks: &[Mark], reason: &str) -> RepairPlan {
    let mut stamper = match Stamper::new(project, ledger, reason) {
        Ok(stamper) => stamper,
        Err(plan) => return plan,
    };
    for mark in marks {
        match project.step(&mark.step) {
            Some(step) => {
                let state = if mark.rolled_back { PhaseState::RolledBack } else { PhaseState::Done };
                stamper.mark(step, mark.phase, state, true);
            }
            None => stamper.plan.findings.push(
                Finding::new(Class::Drift, "L11", format!("no file has step `{}`, which is to be stamped", mark.step))
                    .way_out("write it, by that id; `deleted: true` keeps it from running"),
            ),
        }
    }
    stamper.end()
}

struct Stamper<'a> {
    ledger: &'a Ledger,
    reason: &'a str,
    seq: u64,
    /// How many phases were marked, by release.
    marked: BTreeMap<&'a Version, usize>,
    /// What operations were derived to, where something of them may still run.
    derived: BTreeMap<StepId, Handlers>,
    /// What is said of them.
    notes: Vec<String>,
    plan: RepairPlan,
}

impl<'a> Stamper<'a> {
    /// Bad files refuse: what they mean would be stored as what takes the phases back.
    fn new(project: &'a Project, ledger: &'a Ledger, reason: &'a str) -> Result<Self, RepairPlan> {
        let plan = RepairPlan { findings: project.findings.clone(), ..RepairPlan::default() };
        if plan.findings.is_empty() {
            let (marked, derived) = (BTreeMap::new(), BTreeMap::new());
            Ok(Self { ledger, reason, seq: ledger.next_seq(), marked, derived, notes: vec![], plan })
        } else {
            Err(plan)
        }
    }

    fn refused(mut self, finding: Finding) -> RepairPlan {
        self.plan.findings.push(finding);
        self.plan
    }

    /// Phase by phase, as a run would have done it: rollbacks go by that order.
    fn release(&mut self, release: &'a Release, steps: &[&'a Step], upto: Phase, named: bool) {
        for phase in Phase::ALL.iter().filter(|phase| **phase <= upto) {
            for step in steps {
                self.mark(step, *phase, PhaseState::Done, named);
            }
        }
        self.marked.entry(&release.version).or_default();
    }

    fn mark(&mut self, step: &'a Step, phase: Phase, state: PhaseState, named: bool) {
        let at = self.ledger.steps.get(&step.id).map_or(PhaseState::Pending, |row| row.phase(phase).state);
        match at {
            PhaseState::Done => return,
            PhaseState::Pending => {}
            PhaseState::RolledBack if state == PhaseState::RolledBack => return,
            PhaseState::RolledBack if named => {}
            PhaseState::RolledBack => {
                let message =
                    format!("{phase} of step `{}` was rolled back: it is stamped only when named (G7)", step.id);
                let way_out = format!("triphase stamp {} --phase {phase} --only", step.id.release);
                self.plan.findings.push(Finding::new(Class::Guard, "G7", message).way_out(way_out));
                return;
            }
            PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => {
                let message = format!("cannot stamp {phase} of step `{}`: the ledger has it as {at}", step.id);
                let way_out = format!(
                    "let the run go on or roll it back; or say what is true: triphase repair done {} {phase} --reason …",
                    step.id
                );
                self.plan.findings.push(Finding::new(Class::Guard, "", message).way_out(way_out));
                return;
            }
        }
        let entry = self.entry(step, phase, state);
        self.plan.entries.push(entry);
        *self.marked.entry(&step.id.release).or_default() += 1;
    }

    /// The row as the run that did it would have left it (L1, L2).
    fn entry(&mut self, step: &Step, phase: Phase, state: PhaseState) -> Entry {
        let handler = step.handlers.get(&phase.verb()).filter(|handler| !handler.actions.is_empty());
        let hashes: Vec<String> = handler.into_iter().flat_map(|h| &h.actions).map(Action::hash).collect();
        let done = state == PhaseState::Done;
        let changed = PhaseRow {
            state,
            empty: handler.is_none(),
            seq: self.seq,
            checksum: handler.map(|handler| handler.checksum.clone()),
            upto: if done { u32::try_from(hashes.len()).unwrap_or(u32::MAX) } else { 0 },
            hashes: if done { hashes } else { Vec::new() },
            ..PhaseRow::pending()
        };
        self.seq += 1;
        let keep: Handlers = if step.operation.is_some() {
            // All of it at once, as when its add begins (O4); of one that has begun the ledger keeps it, and after drop nothing runs any more.
            self.derived.get(&step.id).filter(|_| phase == Phase::Add).cloned().unwrap_or_default()
        } else {
            let back = phase.rollback().and_then(|back| step.handlers.get_key_value(&back));
            back.map(|(back, handler)| (*back, handler.clone())).into_iter().collect()
        };
        let event = Event {
            release: Some(step.id.release.clone()),
            step: Some(step.id.step.clone()),
            verb: format!("stamp {phase}"),
            statement: None,
            hash: None,
            outcome: Outcome::Recorded,
            detail: Some(if done { self.reason.to_owned() } else { format!("rolled back: {}", self.reason) })
                .filter(|text| !text.is_empty()),
        };
        // Only of phases that come later: an earlier one may have been marked just now.
        let pending = Row::pending(&step.name);
        let known = self.ledger.steps.get(&step.id).unwrap_or(&pending);
        let marks = marks(known, step, phase).into_iter().filter(|(other, _)| *other > phase).collect();
        let id = self.ledger.spelt_step(&step.id);
        Entry::Step { id, name: step.name.clone(), phase, row: changed, marks, keep, event }
    }

    fn end(mut self) -> RepairPlan {
        if !self.plan.findings.is_empty() {
            self.plan.entries.clear();
            return self.plan;
        }
        let stamped: Vec<_> = self.marked.iter().filter(|(_, phases)| **phases > 0).collect();
        self.plan.notes = match stamped.as_slice() {
            [] => vec!["nothing to stamp: the ledger has all of it".to_owned()],
            [first, .., last] if stamped.len() > NAMED => {
                let phases: usize = stamped.iter().map(|(_, phases)| **phases).sum();
                vec![format!("{} releases, {} to {}, are stamped: {phases} phases", stamped.len(), first.0, last.0)]
            }
            few => few
                .iter()
                .map(|(version, phases)| {
                    let s = if **phases == 1 { "" } else { "s" };
                    format!("release `{version}` is stamped: {phases} phase{s}; nothing was run")
                })
                .collect(),
        };
        self.plan.notes.append(&mut self.notes);
        self.plan
    }
}
