//! Declarative operations, before anything is planned: each step that is one gets the handlers that the ledger keeps of it (O4), or those
//! derived from its table as it will be by then (O12). The rest of the plan knows no operation.

use super::{
    Ask, FfTo, Plan, Request, Scope,
    together::{self, Known},
};
use crate::{
    action::{Action, Handler, Handlers},
    ledger::{Facts, Ledger, Row},
    model::{Class, Finding, Label, Phase, PhaseState, StepId, Verb, Way},
    ops::{Act, Derived, Detail, Setting, TableState, derive},
    release::{Declared, Project, Release, Step},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A project whose operations have their handlers, and what is to be said about them.
pub(super) struct Resolved<'a> {
    pub project: Cow<'a, Project>,
    /// By step: why it can't be derived.
    pub refused: BTreeMap<StepId, Finding>,
    /// By step: what the plan says once its first phase is planned.
    pub warnings: BTreeMap<StepId, Vec<String>>,
}

impl<'a> Resolved<'a> {
    /// A project whose operations stay as they are: rollbacks go by the ledger alone.
    pub fn untouched(project: &'a Project) -> Self {
        Self { project: Cow::Borrowed(project), refused: BTreeMap::new(), warnings: BTreeMap::new() }
    }

    /// Says in the plan what is to be said of the operations that it runs.
    pub fn say(&self, plan: &mut Plan) {
        // A phase without a handler is one too: it may be the only one before the next binds somebody.
        let forward = plan.tasks.iter().filter(|task| task.verb.way() == Way::Forward);
        for warning in forward.flat_map(|task| self.warnings.get(&task.id).into_iter().flatten()) {
            if !plan.warnings.contains(warning) {
                plan.warnings.push(warning.clone());
            }
        }
    }
}

/// A release's steps that are operations and not finished, with what the ledger knows of each.
pub(super) fn unfinished<'a>(
    release: &'a Release,
    ledger: &'a Ledger,
) -> impl Iterator<Item = (&'a Step, &'a Declared, Option<&'a Row>)> {
    release.steps.iter().filter_map(|step| {
        let declared = step.operation.as_ref().filter(|_| !step.deleted)?;
        let row = ledger.steps.get(&step.id);
        let done = row.is_some_and(|row| row.phases.iter().all(|phase| phase.state == PhaseState::Done));
        (!done).then_some((step, declared, row))
    })
}

/// What a request forward wants of its operations: the handlers of those that have begun, the tables of all.
pub(super) fn wants(
    project: &Project,
    ledger: &Ledger,
    request: &Request,
    stored: &mut BTreeSet<StepId>,
    tables: &mut BTreeMap<String, Detail>,
) {
    let last = match &request.ask {
        Ask::Verb { scope: Scope::Release(version) | Scope::Step(version, _), .. }
        | Ask::Ff { to: FfTo::Release(version), .. } => Some(version),
        Ask::Verb { scope: Scope::Auto, .. } | Ask::Ff { to: FfTo::All | FfTo::Next, .. } => None,
    };
    let releases = project.releases.iter().filter(|release| last.is_none_or(|last| release.version <= *last));
    for (step, declared, row) in releases.flat_map(|release| unfinished(release, ledger)) {
        let begun = row.is_some_and(begun);
        stored.extend(begun.then(|| ledger.spelt_step(&step.id)));
        // What has begun was derived already.
        let detail = if begun { Detail::Shape } else { Detail::of(&declared.operation) };
        if let Some(table) = declared.operation.table() {
            let asked = tables.entry(table.to_owned()).or_insert(detail);
            *asked = detail.max(*asked);
        }
    }
}

/// Whether the step has begun, so that what the ledger keeps of it counts.
fn begun(row: &Row) -> bool {
    let add = row.phase(Phase::Add);
    match add.state {
        PhaseState::RolledBack => false,
        PhaseState::Pending => row.has_progress(),
        PhaseState::Running | PhaseState::Failed => add.committed() || row.phase(Phase::Simdrop).really(),
        PhaseState::Done | PhaseState::RollingBack | PhaseState::RollbackFailed => true,
    }
}

/// Whether each phase of a step stands at its beginning or end, so that its table is what the handlers make of it.
fn whole(row: &Row) -> bool {
    let still = |phase: &Phase| match row.phase(*phase).state {
        PhaseState::Pending | PhaseState::Done | PhaseState::RolledBack => true,
        PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => false,
    };
    Phase::ALL.iter().all(still) && (!begun(row) || row.phase(Phase::Add).state == PhaseState::Done)
}

/// What comes next of a step that is added.
fn next(row: &Row) -> Option<Verb> {
    let is = |phase: Phase, state: PhaseState| row.phase(phase).state == state;
    let phase = [Phase::Simdrop, Phase::Drop].into_iter().find(|phase| !is(*phase, PhaseState::Done));
    phase.filter(|_| is(Phase::Add, PhaseState::Done)).map(Phase::verb)
}

/// Gives every operation its handlers.
pub(super) fn resolve<'a>(project: &'a Project, facts: &Facts) -> Resolved<'a> {
    let mut resolved = Resolved::untouched(project);
    let mut tables = facts.lake.tables.clone();
    let mut handlers: BTreeMap<StepId, Handlers> = BTreeMap::new();
    let mut sure = true;
    for release in &project.releases {
        let mut known = Known::of(&tables);
        let mut later: Vec<(&Step, Option<&Row>)> = vec![];
        for (step, declared, row) in unfinished(release, &facts.ledger) {
            let kept = facts.stored.get(&step.id).filter(|_| row.is_some_and(begun));
            // An edit of what has run nothing yet is free.
            let kept = kept.filter(|kept| {
                row.is_some_and(Row::has_progress) || kept.values().all(|handler| handler.checksum == declared.checksum)
            });
            match (kept, row.filter(|row| row.has_progress())) {
                (Some(kept), _) => {
                    handlers.insert(step.id.clone(), kept.clone());
                }
                (None, Some(_)) => {
                    resolved.refused.insert(step.id.clone(), not_kept(&step.id));
                    continue;
                }
                (None, None) => match derived(step, declared, &tables, facts) {
                    Ok(derived) => {
                        play(derived.handlers.get(&Verb::Add), facts, &mut tables);
                        let warnings = derived.warnings.iter().map(|text| format!("step `{}`: {text}", step.id));
                        resolved.warnings.insert(step.id.clone(), warnings.collect());
                        handlers.insert(step.id.clone(), of_derived(&derived, declared, &step.id));
                    }
                    Err(finding) => {
                        resolved.refused.insert(step.id.clone(), finding);
                        continue;
                    }
                },
            }
            later.push((step, row));
        }
        // Where a phase stands half-way, its table is not what the play makes of it.
        sure &= later.iter().all(|(_, row)| row.is_none_or(whole));
        sure &= release.steps.iter().all(|step| !resolved.refused.contains_key(&step.id));
        // Nor where what comes next does not fit the table as it stands.
        sure &= later.iter().all(|(step, row)| {
            let next = row.and_then(next);
            let kept = next.and_then(|verb| handlers.get(&step.id)?.get(&verb));
            kept.is_none_or(|handler| together::fits(&acts(handler), facts))
        });
        known.add(&tables);
        // What the next release will meet, once this one is finished.
        for verb in [Verb::Simdrop, Verb::Drop] {
            for (step, row) in &later {
                if row.is_none_or(|row| row.phase(verb.phase()).state != PhaseState::Done) {
                    let acts = handlers.get(&step.id).and_then(|kept| kept.get(&verb)).map(acts);
                    let acts = acts.unwrap_or_default();
                    if sure && let Some(refusal) = together::refusal(&acts, facts, &tables, &known) {
                        sure = false;
                        resolved.refused.insert(step.id.clone(), together::finding(refusal, verb, &step.id));
                    }
                    play(Some(&acts), facts, &mut tables);
                }
            }
        }
    }
    if !handlers.is_empty() {
        let steps = resolved.project.to_mut().releases.iter_mut().flat_map(|release: &mut Release| &mut release.steps);
        for step in steps {
            if let Some(own) = handlers.remove(&step.id) {
                step.handlers = own;
            }
        }
    }
    resolved
}

fn derived(
    step: &Step,
    declared: &Declared,
    tables: &BTreeMap<String, TableState>,
    facts: &Facts,
) -> Result<Derived, Finding> {
    let setting =
        Setting { step: &step.id, writers: facts.lake.writers.as_ref(), allow_blocking: declared.allow_blocking };
    let state = declared.operation.table().and_then(|table| tables.get(facts.lake.name(table)));
    derive(&declared.operation, state, &setting).map_err(|refusal| refusal.finding(&step.id))
}

/// The handlers as the ledger keeps them: one checksum for all (O4).
pub(super) fn of_derived(derived: &Derived, declared: &Declared, step: &StepId) -> Handlers {
    let handler = |verb: Verb, acts: &Vec<Act>| Handler {
        checksum: declared.checksum.clone(),
        label: derived.labels.get(&verb).copied().unwrap_or(Label::None),
        actions: (1..)
            .zip(acts)
            .map(|(number, act)| Action::Operation {
                by: derived.by.clone(),
                step: step.clone(),
                verb,
                number,
                act: Box::new(act.clone()),
            })
            .collect(),
    };
    derived.handlers.iter().map(|(verb, acts)| (*verb, handler(*verb, acts))).collect()
}

pub(super) fn acts(handler: &Handler) -> Vec<Act> {
    let act = |action: &Action| match action {
        Action::Operation { act, .. } => Some((**act).clone()),
        Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => None,
    };
    handler.actions.iter().filter_map(act).collect()
}

/// The tables as acts leave them. One that does not fit will say so when it runs; what is derived behind it goes by what is known.
fn play(acts: Option<&Vec<Act>>, facts: &Facts, tables: &mut BTreeMap<String, TableState>) {
    for act in acts.into_iter().flatten() {
        let name = facts.lake.name(&act.table);
        match act.apply(tables.get(name)) {
            Ok(Some(state)) => {
                tables.insert(name.to_owned(), state);
            }
            Ok(None) => {
                tables.remove(name);
            }
            Err(refusal) => tracing::debug!(table = act.table, "{}", refusal.message),
        }
    }
}

pub(super) fn not_kept(step: &StepId) -> Finding {
    Finding::new(
        Class::Decision,
        "O4",
        format!("the ledger does not keep the handlers of step `{step}`, which has begun"),
    )
    .way_out("rebuild the ledger from the tables: triphase repair rebuild --reason …")
}
