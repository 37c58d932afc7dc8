//! `repair rebuild` (D7): a lake's ledger from what its tables say of themselves. A step's commits say how far it has come; what leaves no
//! commit follows from the order in which phases run, or is named for a person to say. Pure.

use super::{
    RepairPlan,
    as_ran::{self, AsRan},
    guards, operations,
};
use crate::{
    action::{Action, Handlers},
    ledger::{Entry, Event, Ledger, Outcome, PhaseRow, Row, Trace, Traces},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb, Version, Way},
    ops::{Does, Setting, derive},
    release::{Declared, Project, Release, Step},
};
use std::collections::{BTreeMap, BTreeSet};

/// Plans it. What the ledger knows already stays as it is.
pub(super) fn rebuild(
    project: &Project,
    ledger: &Ledger,
    traces: &Traces,
    accept_loss: bool,
    reason: &str,
) -> RepairPlan {
    let mut plan = RepairPlan { findings: project.findings.clone(), ..RepairPlan::default() };
    if !plan.findings.is_empty() {
        return plan;
    }
    let lost = lost(traces);
    let notes = |plan: &mut RepairPlan| {
        let unread = traces.unread.iter();
        plan.notes.extend(unread.map(|(table, why)| format!("table `{table}` can't be read, and says nothing: {why}")));
    };
    let bare = bare(project, ledger, traces, &lost);
    if lost.is_empty() && bare.is_empty() {
        plan.notes.push(if traces.commits.is_empty() {
            "no table of the lake has a commit of a step: there is nothing to rebuild from".to_owned()
        } else {
            "the ledger knows all that the tables say: nothing to rebuild".to_owned()
        });
        notes(&mut plan);
        return plan;
    }
    let mut rebuilt = Rebuilt::new(project, traces, lost, bare);
    rebuilt.derive(ledger);
    rebuilt.follow(ledger);
    let others = rebuilt.others(ledger);
    if !accept_loss {
        let wanted = others.iter().filter(|(id, _)| rebuilt.may_go_back(id));
        plan.findings.extend(wanted.map(|(id, verbs)| as_ran::refusal(project, id, verbs)));
    }
    if !plan.findings.is_empty() {
        return plan;
    }
    if !others.is_empty() {
        rebuilt.without(others.into_keys().collect());
        rebuilt.follow(ledger);
    }
    plan.entries = rebuilt.entries(ledger, reason);
    plan.notes = rebuilt.told(ledger);
    notes(&mut plan);
    plan
}

/// The steps of which a table has an attempt that the ledger never made: it was lost, or is an older one. What it made and a person then said
/// otherwise of stays as that person said.
fn lost(traces: &Traces) -> BTreeSet<StepId> {
    let unknown = traces.commits.iter().filter(|trace| trace.proof && !trace.known);
    unknown.map(|trace| trace.id.clone()).collect()
}

/// The steps between add and drop that the ledger knows, and of which it lacks handlers: they were rebuilt from files that did not have them
/// as they ran, or while nobody could tell.
fn bare(project: &Project, ledger: &Ledger, traces: &Traces, lost: &BTreeSet<StepId>) -> BTreeSet<StepId> {
    let ran = AsRan::of(project, traces);
    let traced: BTreeSet<&StepId> = traces.commits.iter().map(|trace| &trace.id).collect();
    let lacks = |step: &&Step| {
        let row = ledger.steps.get(&step.id).filter(|row| row.is_open() && !lost.contains(&step.id));
        row.is_some_and(|row| match step.operation {
            Some(_) => as_ran::is_bare(row),
            None => !ran.backs(step, row).is_empty(),
        })
    };
    let steps = traced.into_iter().filter_map(|id| project.step(id)).filter(lacks);
    steps.map(|step| step.id.clone()).collect()
}

struct Rebuilt<'a> {
    project: &'a Project,
    traces: &'a Traces,
    ran: AsRan<'a>,
    lost: BTreeSet<StepId>,
    /// Steps that the ledger knows, and whose handlers it lacks.
    bare: BTreeSet<StepId>,
    /// Steps that the files do not have as they ran: they are left without handlers.
    without: BTreeSet<StepId>,
    /// The handlers of operations, derived again from their table as it was; where that is no longer known they are missing.
    derived: BTreeMap<StepId, Handlers>,
    rows: BTreeMap<StepId, Row>,
    notes: Vec<String>,
}

impl<'a> Rebuilt<'a> {
    fn new(project: &'a Project, traces: &'a Traces, lost: BTreeSet<StepId>, bare: BTreeSet<StepId>) -> Self {
        let (ran, without, derived) = (AsRan::of(project, traces), BTreeSet::new(), BTreeMap::new());
        Self { project, traces, ran, lost, bare, without, derived, rows: BTreeMap::new(), notes: vec![] }
    }

    fn step(&self, id: &StepId) -> Option<&'a Step> {
        self.project.step(id)
    }

    /// The handlers as they ran, or as the files have them.
    fn handlers(&self, id: &StepId) -> Option<&Handlers> {
        let filed = || self.step(id).filter(|_| !self.without.contains(id)).map(|step| &step.handlers);
        self.derived.get(id).or_else(filed)
    }

    /// What follows from the commits.
    fn follow(&mut self, ledger: &Ledger) {
        self.play(ledger.next_seq());
        if ledger.steps.is_empty() {
            self.infer();
        }
    }

    /// The steps that have a way back still, and that the files do not have as they ran; and which of their handlers these are.
    fn others(&self, ledger: &Ledger) -> BTreeMap<StepId, BTreeSet<Verb>> {
        // What a newer release has left behind is finished, filed or not (D7).
        let newest =
            self.rows.keys().filter(|id| self.project.release(&id.release).is_some()).map(|id| &id.release).max();
        let others = |(id, row): (&StepId, &Row)| match self.step(id) {
            Some(step) => Some(self.ran.others(step, row, ledger)).filter(|others| !others.is_empty()),
            None => newest.is_none_or(|newest| *newest <= id.release).then(BTreeSet::new),
        };
        let dropped = |row: &Row| row.phase(Phase::Drop).state == PhaseState::Done && !row.phase(Phase::Drop).empty;
        let rows = self.rows.iter().filter(|(_, row)| row.has_progress() && !dropped(row));
        rows.filter_map(|(id, row)| Some((id.clone(), others((id, row))?))).collect()
    }

    /// Whether somebody may want a step's way back: it is not finished, or is of the newest release. What was finished before may well have
    /// been edited since, and accepted.
    fn may_go_back(&self, id: &StepId) -> bool {
        let newest = self.rows.keys().map(|id| &id.release).max();
        newest == Some(&id.release) || self.rows.get(id).is_some_and(|row| !row.is_finished())
    }

    /// Whether the files have a step that the ledger knows otherwise than it ran.
    fn ran_otherwise(&self, id: &StepId, ledger: &Ledger) -> bool {
        let both = self.step(id).zip(ledger.steps.get(id));
        both.is_some_and(|(step, row)| !self.ran.others(step, row, &Ledger::default()).is_empty())
    }

    /// Leaves steps without handlers, and begins anew.
    fn without(&mut self, steps: BTreeSet<StepId>) {
        self.derived.retain(|id, _| !steps.contains(id));
        self.rows.clear();
        self.without = steps;
    }

    fn has(&self, id: &StepId, verb: Verb) -> bool {
        self.handlers(id).and_then(|all| all.get(&verb)).is_some_and(|handler| !handler.actions.is_empty())
    }

    /// An operation is derived from its table as it was before its first commit, as `add` did (O4).
    fn derive(&mut self, ledger: &Ledger) {
        let bare = self.bare.iter().filter(|id| !self.ran_otherwise(id, ledger));
        let all: Vec<StepId> = self.lost.iter().chain(bare).cloned().collect();
        for id in &all {
            let step = self.project.step(id);
            let Some((declared, before)) =
                step.and_then(|step| step.operation.as_ref()).zip(self.traces.before.get(id))
            else {
                continue;
            };
            match self.derived(id, declared, before.as_ref()) {
                Ok(handlers) => {
                    self.derived.insert(id.clone(), handlers);
                }
                Err(why) => self.notes.push(format!("the handlers of step `{id}` can't be derived again: {why}")),
            }
        }
    }

    fn derived(
        &self,
        id: &StepId,
        declared: &Declared,
        before: Option<&crate::ops::TableState>,
    ) -> Result<Handlers, String> {
        let (writers, allow_blocking) = (self.traces.writers.as_ref(), declared.allow_blocking);
        let setting = Setting { step: id, writers, allow_blocking };
        let derived = derive(&declared.operation, before, &setting).map_err(|refusal| refusal.message)?;
        Ok(operations::of_derived(&derived, declared, id))
    }

    /// The commits in the order in which they were attempted.
    fn play(&mut self, mut seq: u64) {
        for trace in self.traces.commits.iter().filter(|trace| self.lost.contains(&trace.id)) {
            let id = &trace.id;
            let name = self.step(id).map_or(id.step.as_str(), |step| step.name.as_str()).to_owned();
            let mut row = self.rows.remove(id).unwrap_or_else(|| Row::pending(name));
            match trace.verb.way() {
                Way::Forward => self.forward(&mut row, trace, &mut seq),
                Way::Back => self.back(&mut row, trace),
            }
            self.rows.insert(id.clone(), row);
        }
    }

    fn forward(&self, row: &mut Row, trace: &Trace, seq: &mut u64) {
        let phase = trace.verb.phase();
        for before in Phase::ALL.iter().filter(|before| **before < phase) {
            let at = &mut row.phases[before.index()];
            if at.state != PhaseState::Done {
                *at = self.passed(&trace.id, *before, at);
            }
        }
        let handler = self.handlers(&trace.id).and_then(|all| all.get(&trace.verb));
        let at = &mut row.phases[phase.index()];
        if at.state != PhaseState::Failed {
            *seq += 1;
            *at = PhaseRow { seq: *seq - 1, ..PhaseRow::pending() };
        }
        at.checksum = AsRan::ran(trace).or(handler.map(|handler| &handler.checksum)).cloned();
        at.hashes = handler.into_iter().flat_map(|handler| &handler.actions).map(Action::hash).collect();
        said_by(at, trace);
        at.attempt = 1;
        if trace.ends {
            at.state = PhaseState::Done;
            at.upto = u32::try_from(at.hashes.len()).unwrap_or(u32::MAX);
            at.error = None;
            return;
        }
        at.state = PhaseState::Failed;
        at.error = Some("how it stopped is not known: the ledger was lost".to_owned());
        match trace.statement {
            Some(statement) if trace.proof => at.upto = statement,
            Some(statement) => at.upto = at.upto.max(statement.saturating_sub(1)),
            // How far it came nothing says.
            None => at.trying = Some(0),
        }
        // What was done is not known by its text: it can't be taken for what a file has.
        if self.without.contains(&trace.id) {
            at.hashes = vec![String::new(); at.upto as usize];
        }
    }

    fn back(&self, row: &mut Row, trace: &Trace) {
        let phase = trace.verb.phase();
        let handler = self.handlers(&trace.id).and_then(|all| all.get(&trace.verb));
        if trace.verb == Verb::RollbackAdd {
            let at = &mut row.phases[Phase::Simdrop.index()];
            if at.empty {
                at.state = PhaseState::Pending;
            }
        }
        let at = &mut row.phases[phase.index()];
        let begun = matches!(at.state, PhaseState::RollbackFailed);
        said_by(at, trace);
        at.trying = None;
        if trace.ends {
            *at = PhaseRow {
                state: PhaseState::RolledBack,
                upto: 0,
                hashes: vec![],
                error: None,
                partly: false,
                ..at.clone()
            };
            return;
        }
        at.partly = if begun { at.partly } else { at.state == PhaseState::Failed };
        at.state = PhaseState::RollbackFailed;
        at.error = Some("how it stopped is not known: the ledger was lost".to_owned());
        at.hashes = handler.into_iter().flat_map(|handler| &handler.actions).map(Action::hash).collect();
        match trace.statement {
            Some(statement) if trace.proof => at.upto = statement,
            Some(statement) => at.upto = statement.saturating_sub(1),
            None => (at.upto, at.trying) = (0, Some(0)),
        }
    }

    /// A phase that is behind the step although no commit says so.
    fn passed(&self, id: &StepId, phase: Phase, at: &PhaseRow) -> PhaseRow {
        let empty = !self.has(id, phase.verb());
        let handler = self.handlers(id).and_then(|all| all.get(&phase.verb())).filter(|_| !empty);
        PhaseRow {
            state: PhaseState::Done,
            empty,
            checksum: handler.map(|handler| handler.checksum.clone()),
            at: at.at,
            who: at.who.clone(),
            seq: at.seq,
            ..PhaseRow::pending()
        }
    }

    /// What leaves no commit follows from what does (D7, G1, G2): releases before one with commits are finished, and so are the phases
    /// of a release before one that has begun.
    fn infer(&mut self) {
        let Some(newest) = self.rows.keys().map(|id| id.release.clone()).max() else { return };
        for release in self.project.releases.iter().filter(|release| release.version <= newest) {
            let upto = if release.version < newest { None } else { Some(self.begun(release)) };
            for (place, step) in guards::counted(release).enumerate() {
                let id = &step.id;
                let alone = !self.rows.contains_key(id);
                let mut row = self.rows.remove(id).unwrap_or_else(|| Row::pending(&step.name));
                for phase in Phase::ALL {
                    let at = row.phase(*phase);
                    let ordered = upto.map(|begun| {
                        begun.is_some_and(|(begun, upto)| *phase < begun || (*phase == begun && place < upto))
                    });
                    match (at.state, ordered) {
                        (PhaseState::Done, _) => {}
                        // Of a step that has commits, those that are missing were not made.
                        (PhaseState::Pending, None) if !alone && !self.leaves_nothing(id, phase.verb()) => break,
                        (PhaseState::Pending, None | Some(true)) => {
                            row.phases[phase.index()] = self.passed(id, *phase, at);
                        }
                        // What comes after it would have been refused.
                        (PhaseState::Failed, Some(true)) => finish(&mut row.phases[phase.index()]),
                        (PhaseState::Failed, None) if *phase == Phase::Add => finish(&mut row.phases[phase.index()]),
                        (
                            PhaseState::Pending
                            | PhaseState::Running
                            | PhaseState::Failed
                            | PhaseState::RollingBack
                            | PhaseState::RolledBack
                            | PhaseState::RollbackFailed,
                            _,
                        ) => break,
                    }
                }
                if row.phases.iter().any(|phase| phase.state != PhaseState::Pending) {
                    self.rows.insert(id.clone(), row);
                }
            }
            self.complete(release);
        }
        for (id, row) in self.rows.iter_mut().filter(|(id, _)| !self.without.contains(*id)) {
            let all = self.derived.get(id).or_else(|| self.project.step(id).map(|step| &step.handlers));
            let has = |phase: Phase| {
                all.and_then(|all| all.get(&phase.verb())).is_some_and(|handler| !handler.actions.is_empty())
            };
            for (phase, at) in Phase::ALL.iter().zip(&mut row.phases) {
                if at.state == PhaseState::Pending {
                    at.empty = !has(*phase);
                }
            }
        }
    }

    /// The phase that a release has come to, and the number of steps that are through it: those before one that has a commit of it, since
    /// steps run in order (G3); all, once each that has a handler is.
    fn begun(&self, release: &Release) -> Option<(Phase, usize)> {
        let rows = self.rows.iter().filter(|(id, _)| id.release == release.version);
        let phases = rows.flat_map(|(_, row)| Phase::ALL.iter().filter(|phase| row.phase(**phase).really()));
        let phase = *phases.max()?;
        let done = |step: &Step| self.rows.get(&step.id).is_some_and(|row| row.phase(phase).state == PhaseState::Done);
        let all = guards::counted(release).all(|step| done(step) || !self.has(&step.id, phase.verb()));
        let last = guards::counted(release).enumerate().filter(|(_, step)| done(step)).map(|(place, _)| place).last();
        Some((phase, if all { usize::MAX } else { last.unwrap_or(0) }))
    }

    /// Whether a handler leaves no commit behind, or none that is still there: it only looks, or its table is gone.
    fn leaves_nothing(&self, id: &StepId, verb: Verb) -> bool {
        let handler = self.handlers(id).and_then(|all| all.get(&verb));
        handler.into_iter().flat_map(|handler| &handler.actions).all(|action| match action {
            Action::Expect { .. } => true,
            Action::Operation { act, .. } => {
                !self.traces.tables.contains(&act.table) || matches!(act.does, Does::Nothing { .. } | Does::Delete)
            }
            Action::Sql { .. } | Action::Shell { .. } => false,
        })
    }

    /// A release with only empty phases left is finished (L1): they are recorded as passed.
    fn complete(&mut self, release: &Release) {
        let done = |step: &Step, phase: &Phase| {
            let state = self.rows.get(&step.id).map(|row| row.phase(*phase).state);
            state == Some(PhaseState::Done)
                || (state != Some(PhaseState::RolledBack) && !self.has(&step.id, phase.verb()))
        };
        if !guards::counted(release).all(|step| Phase::ALL.iter().all(|phase| done(step, phase))) {
            return;
        }
        for step in guards::counted(release) {
            let mut row = self.rows.remove(&step.id).unwrap_or_else(|| Row::pending(&step.name));
            for phase in Phase::ALL {
                if row.phase(*phase).state != PhaseState::Done {
                    row.phases[phase.index()] = self.passed(&step.id, *phase, row.phase(*phase));
                }
            }
            self.rows.insert(step.id.clone(), row);
        }
    }

    fn entries(&self, ledger: &Ledger, reason: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (id, row) in &self.rows {
            let event = |detail: String| event(id, detail);
            let detail = format!("{}: {reason}", self.by(id));
            entries.push(Entry::Replace { id: id.clone(), row: Some(row.clone()), event: event(detail) });
            // What an older ledger has kept was kept when it ran, unless it has run anew since.
            let kept = ledger.steps.get(id).map(|row| &row.stored);
            let mut keep = self.keep(id, row);
            keep.retain(|verb, _| !kept.is_some_and(|kept| kept.contains(verb) && self.ran.is_known(id, *verb, row)));
            if !keep.is_empty() {
                entries.push(Entry::Keep {
                    id: id.clone(),
                    handlers: keep,
                    event: event(format!("its handlers, {}", self.from(id))),
                });
            }
        }
        for (id, row, handlers) in self.added(ledger) {
            if ledger.steps.get(&id) != Some(&row) {
                entries.push(Entry::Replace { id: id.clone(), row: Some(row), event: event(&id, reason.to_owned()) });
            }
            let event = event(&id, format!("its handlers, {}: {reason}", self.from(&id)));
            entries.push(Entry::Keep { id, handlers, event });
        }
        entries
    }

    /// Where a step's handlers are from.
    fn from(&self, id: &StepId) -> &'static str {
        if self.derived.contains_key(id) { "derived again" } else { "as the files have them" }
    }

    /// What steps that the ledger knows have lacked: their handlers, and what their rows say of these.
    fn added(&self, ledger: &Ledger) -> Vec<(StepId, Row, Handlers)> {
        let of = |id: &StepId| {
            let (step, row) = (self.step(id)?, ledger.steps.get(id)?);
            let handlers = match &step.operation {
                Some(_) => self.derived.get(id)?.clone(),
                None => self.ran.backs(step, row),
            };
            let kept = handlers.into_iter().filter(|(verb, _)| !row.stored.contains(verb)).collect();
            Some((id.clone(), self.made_out(id, row.clone()), kept))
        };
        self.bare.iter().filter_map(of).collect()
    }

    /// A row as its handlers make it out: the phases that have none, and the text of what is done.
    fn made_out(&self, id: &StepId, mut row: Row) -> Row {
        for (phase, at) in Phase::ALL.iter().zip(&mut row.phases) {
            if at.state == PhaseState::Pending {
                at.empty = !self.has(id, phase.verb());
            }
            let handler = self.handlers(id).and_then(|all| all.get(&phase.verb()));
            if at.state == PhaseState::Failed && at.hashes.iter().all(String::is_empty) {
                at.hashes = handler.into_iter().flat_map(|handler| &handler.actions).map(Action::hash).collect();
            }
        }
        row
    }

    /// What the rest of a step's life needs: of an operation all that was derived (O4), else what takes back or resumes what has begun (L2).
    fn keep(&self, id: &StepId, row: &Row) -> Handlers {
        // Where the drop was empty there is a way back still.
        let drop = row.phase(Phase::Drop);
        if drop.state == PhaseState::Done && !drop.empty {
            return Handlers::new();
        }
        if let Some(derived) = self.derived.get(id) {
            return derived.clone();
        }
        let filed = self.step(id).filter(|step| step.operation.is_none() && !self.without.contains(id));
        let Some(step) = filed else { return Handlers::new() };
        let mut verbs = BTreeSet::new();
        for phase in Phase::ALL.iter().filter(|phase| row.phase(**phase).really()) {
            // What was not there when the step ran can't be what takes it back.
            verbs.extend(phase.rollback().filter(|rollback| !self.ran.had_none(id, *rollback)));
            if row.phase(*phase).state == PhaseState::Failed {
                verbs.insert(phase.verb());
            }
        }
        let kept = step.handlers.iter().filter(|(verb, _)| verbs.contains(verb));
        kept.map(|(verb, handler)| (*verb, handler.clone())).collect()
    }

    /// What tells how far a step has come.
    fn by(&self, id: &StepId) -> String {
        let last = self.traces.commits.iter().rev().find(|trace| trace.id == *id);
        match last {
            Some(Trace { table, verb, statement: Some(statement), .. }) => {
                format!("by table `{table}`: {verb}, statement {statement}")
            }
            Some(Trace { table, verb, statement: None, .. }) => format!("by the number of {verb} in table `{table}`"),
            None => "by the order of phases".to_owned(),
        }
    }

    /// What it comes to, and what nothing can tell.
    fn told(&self, ledger: &Ledger) -> Vec<String> {
        let tables: BTreeSet<&String> = self.traces.commits.iter().map(|trace| &trace.table).collect();
        let s = if tables.len() == 1 { "" } else { "s" };
        let mut notes = Vec::new();
        if let Some(why) = &self.traces.damaged {
            notes.push(format!("the ledger can't be read ({why}): it is put aside, and another is made"));
        }
        if !self.lost.is_empty() {
            notes.push(format!("rebuilt from {} commits in {} table{s}", self.traces.commits.len(), tables.len()));
        }
        let mut finished: BTreeMap<&Version, usize> = BTreeMap::new();
        for (id, row) in &self.rows {
            if row.phases.iter().all(|phase| phase.state == PhaseState::Done) {
                *finished.entry(&id.release).or_default() += 1;
            }
        }
        for (release, steps) in finished {
            let s = if steps == 1 { "" } else { "s" };
            notes.push(format!("release `{release}`: {steps} step{s} finished"));
        }
        for (id, row) in &self.rows {
            if row.phases.iter().any(|phase| phase.state != PhaseState::Done) {
                let states: Vec<String> =
                    Phase::ALL.iter().map(|phase| format!("{phase} {}", row.phase(*phase).state)).collect();
                notes.push(format!("step `{id}`: {}", states.join(", ")));
            }
        }
        notes.extend(self.notes.iter().cloned());
        let added: BTreeSet<StepId> = self.added(ledger).into_iter().map(|(id, ..)| id).collect();
        notes.extend(added.iter().map(|id| {
            format!("the handlers of step `{id}`, which the ledger lacks, are kept from now on, {}", self.from(id))
        }));
        let bare = self.bare.iter().filter(|id| !added.contains(*id));
        notes.extend(bare.map(|id| if self.ran_otherwise(id, ledger) { left_without(id) } else { not_known(id) }));
        notes.extend(self.without.iter().map(left_without));
        notes.extend(self.questions(ledger));
        notes
    }

    /// What is left to a person.
    fn questions(&self, ledger: &Ledger) -> Vec<String> {
        let mut notes = Vec::new();
        for (id, row) in &self.rows {
            let phases = Phase::ALL.iter().filter(|phase| row.phase(**phase).trying.is_some());
            notes.extend(phases.map(|phase| {
                format!("how far {phase} of step `{id}` came is not known: triphase repair done {id} {phase}, or repair undone")
            }));
            let operation = self.step(id).is_some_and(|step| step.operation.is_some());
            let kept = ledger.steps.get(id).is_some_and(|row| !row.stored.is_empty());
            if operation && row.is_open() && !kept && !self.derived.contains_key(id) && !self.without.contains(id) {
                notes.push(not_known(id));
            }
            if self.step(id).is_none() {
                notes.push(format!("step `{id}` is in no file: triphase repair rename {id} NEW, or put it back"));
            }
        }
        let newest = self.rows.keys().map(|id| &id.release).max();
        for release in self.project.releases.iter().filter(|release| Some(&release.version) == newest) {
            // An older ledger knows what it knows.
            let known = |id: &StepId| {
                let kept = ledger.steps.get(id);
                self.rows.contains_key(id) || kept.is_some_and(|row| row.phase(Phase::Add).state != PhaseState::Pending)
            };
            let missing = guards::counted(release).filter(|step| !known(&step.id) && self.has(&step.id, Verb::Add));
            notes.extend(missing.map(|step| {
                format!(
                    "step `{0}` left no commit, and counts as not run; if it was: triphase stamp {0} --phase add",
                    step.id
                )
            }));
        }
        if ledger.steps.is_empty() {
            notes.push("not known any more: who ran what, edits of release files since, rollouts, guards that no target file names".to_owned());
        }
        notes
    }
}

fn event(id: &StepId, detail: String) -> Event {
    Event {
        release: Some(id.release.clone()),
        step: Some(id.step.clone()),
        verb: "repair rebuild".to_owned(),
        statement: None,
        hash: None,
        outcome: Outcome::Recorded,
        detail: Some(detail),
    }
}

/// What is said of an operation that can't be derived again.
fn not_known(id: &StepId) -> String {
    format!(
        "the handlers of step `{id}` are not known: its table's log no longer has the version before it; its way back: \
         triphase repair handler {id} VERB --file F"
    )
}

/// What is said of a step whose files are not those that ran.
fn left_without(id: &StepId) -> String {
    format!(
        "step `{id}` is left without its handlers, and so without its way back: the files do not have it as it ran. With the checkout that it \
         ran from, run repair rebuild again; else, for its way back: triphase repair handler {id} VERB --file F"
    )
}

/// A handler of which only what leaves no commit is missing: what it expects at its end.
fn finish(at: &mut PhaseRow) {
    at.state = PhaseState::Done;
    at.upto = u32::try_from(at.hashes.len()).unwrap_or(u32::MAX);
    (at.trying, at.error) = (None, None);
}

fn said_by(at: &mut PhaseRow, trace: &Trace) {
    at.at = trace.at.or(at.at);
    if !trace.run.is_empty() {
        at.who = format!("run {}", trace.run);
    }
}

/// Why only a lake's ledger can be rebuilt.
pub fn no_rebuild(engine: crate::model::Dialect) -> Finding {
    let message = format!(
        "{engine} has nothing to rebuild a ledger from: there it commits together with what it records, and is its only trace"
    );
    Finding::new(Class::Usage, "D7", message)
        .way_out("restore its tables from a backup, or say what is done: triphase stamp vN --phase P")
}

/// Why only a lake is purged.
pub fn no_purge(engine: crate::model::Dialect) -> Finding {
    let message = format!("{engine} has nothing to purge: hidden columns and staged files are left in lakes alone");
    Finding::new(Class::Usage, "O9", message).way_out("see what triphase keeps: triphase show --objects")
}
