//! Declarative operations, before anything is planned: each step that is one gets the handlers that the ledger keeps of it (O4), or those
//! derived from its table as it will be by then (O12). The rest of the plan knows no operation.

use super::{
    Ask, FfTo, Plan, Request, Scope,
    together::{self, Columns},
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
    /// The names that columns have, and will have once the releases are finished.
    pub columns: Columns,
}

impl<'a> Resolved<'a> {
    /// A project whose operations stay as they are: rollbacks go by the ledger alone.
    pub fn untouched(project: &'a Project, facts: &Facts) -> Self {
        Self {
            project: Cow::Borrowed(project),
            refused: BTreeMap::new(),
            warnings: BTreeMap::new(),
            columns: Columns::of(&facts.lake.tables),
        }
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
        let done = row.is_some_and(Row::is_finished);
        (!done).then_some((step, declared, row))
    })
}

/// The steps that have left anything behind, from the first release on that is not finished: what is known of all other steps when one is
/// looked at. It is the ledger that knows them: files may have left one out, or say that it is deleted.
fn others(ledger: &Ledger) -> impl Iterator<Item = &StepId> {
    let first =
        ledger.steps.iter().find(|(_, row)| row.has_progress() && !row.is_finished()).map(|(id, _)| &id.release);
    let since = ledger.steps.iter().filter(move |(id, _)| first.is_some_and(|first| *first <= id.release));
    since.filter(|(_, row)| row.has_progress()).map(|(id, _)| id)
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
    // What has begun of other releases is looked at too: no operation may take its way on and back.
    if project.releases.iter().flat_map(|release| &release.steps).any(|step| step.operation.is_some()) {
        stored.extend(others(ledger).cloned());
    }
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
        // One that is empty need not be run again before the phases behind it.
        PhaseState::RolledBack | PhaseState::Pending => row.has_progress(),
        PhaseState::Running | PhaseState::Failed => add.committed() || row.phase(Phase::Simdrop).really(),
        PhaseState::Done | PhaseState::RollingBack | PhaseState::RollbackFailed => true,
    }
}

/// Whether a step's table is what its handlers make of it.
fn whole(row: &Row) -> bool {
    row.stands() && (!begun(row) || row.phase(Phase::Add).state == PhaseState::Done)
}

/// Gives every operation its handlers.
pub(super) fn resolve<'a>(project: &'a Project, facts: &Facts) -> Resolved<'a> {
    let mut playing = Playing {
        facts,
        resolved: Resolved::untouched(project, facts),
        tables: facts.lake.tables.clone(),
        handlers: BTreeMap::new(),
        sure: true,
    };
    for release in &project.releases {
        let mut columns = Columns::of(&playing.tables);
        let later = playing.add(release);
        playing.sure &= playing.is_sure(release, &later);
        columns.add(&playing.tables);
        playing.resolved.columns.add(&playing.tables);
        playing.contract(&later, &columns);
        playing.resolved.columns.add(&playing.tables);
    }
    playing.end()
}

/// Release after release, played on what is known of the tables.
struct Playing<'a, 'f> {
    facts: &'f Facts,
    resolved: Resolved<'a>,
    /// As they are by then.
    tables: BTreeMap<String, TableState>,
    handlers: BTreeMap<StepId, Handlers>,
    /// Whether they are what the play makes of them.
    sure: bool,
}

impl<'a: 'f, 'f> Playing<'a, 'f> {
    /// Finds the handlers of a release's operations, each on its table as the adds before it leave it. Gives the steps that have some.
    fn add(&mut self, release: &'f Release) -> Vec<(&'f Step, Option<&'f Row>)> {
        let facts = self.facts;
        let mut later = vec![];
        for (step, declared, row) in unfinished(release, &facts.ledger) {
            // A way back that a person has given is not all of it.
            let all = |kept: &&Handlers| kept.keys().any(|verb| verb.way() == Way::Forward);
            let kept = facts.stored.get(&step.id).filter(|_| row.is_some_and(begun)).filter(all);
            // An edit of what has run nothing yet is free.
            let kept = kept.filter(|kept| {
                row.is_some_and(Row::has_progress) || kept.values().all(|handler| handler.checksum == declared.checksum)
            });
            let found = match (kept, row.filter(|row| row.has_progress())) {
                (Some(kept), _) => Ok(kept.clone()),
                (None, Some(_)) => Err(not_kept(&step.id)),
                (None, None) => derived(step, declared, &self.tables, facts).map(|derived| {
                    let add = derived.handlers.get(&Verb::Add).map(Vec::as_slice);
                    play(add.unwrap_or_default(), facts, &mut self.tables);
                    let warnings = derived.warnings.iter().map(|text| format!("step `{}`: {text}", step.id));
                    self.resolved.warnings.insert(step.id.clone(), warnings.collect());
                    of_derived(&derived, declared, &step.id)
                }),
            };
            match found {
                Ok(handlers) => {
                    self.handlers.insert(step.id.clone(), handlers);
                    later.push((step, row));
                }
                Err(finding) => drop(self.resolved.refused.insert(step.id.clone(), finding)),
            }
        }
        later
    }

    /// Whether the tables are now what the play makes of them.
    fn is_sure(&self, release: &Release, later: &[(&Step, Option<&Row>)]) -> bool {
        // Where a phase stands half-way they are not, nor where what comes next does not fit the table as it stands.
        let fits = |(step, row): &(&Step, Option<&Row>)| {
            let next = row.and_then(Row::next).filter(|next| *next != Phase::Add);
            let kept = next.and_then(|next| self.handlers.get(&step.id)?.get(&next.verb()));
            row.is_none_or(whole) && kept.is_none_or(|handler| together::fits(&acts(handler), self.facts))
        };
        release.steps.iter().all(|step| !self.resolved.refused.contains_key(&step.id)) && later.iter().all(fits)
    }

    /// Goes on to what the next release will meet, once this one is finished.
    fn contract(&mut self, later: &[(&Step, Option<&Row>)], columns: &Columns) {
        for verb in [Verb::Simdrop, Verb::Drop] {
            let open = |row: &Row| row.phase(verb.phase()).state != PhaseState::Done;
            for (step, _) in later.iter().filter(|(_, row)| row.is_none_or(open)) {
                let acts = self.handlers.get(&step.id).and_then(|kept| kept.get(&verb)).map(acts).unwrap_or_default();
                if self.sure
                    && let Some(refusal) = together::refusal(&acts, self.facts, &self.tables, columns)
                {
                    self.sure = false;
                    self.resolved.refused.insert(step.id.clone(), together::finding(refusal, verb, &step.id));
                }
                play(&acts, self.facts, &mut self.tables);
            }
        }
    }

    fn end(mut self) -> Resolved<'a> {
        if !self.handlers.is_empty() {
            let releases = self.resolved.project.to_mut().releases.iter_mut();
            for step in releases.flat_map(|release: &mut Release| &mut release.steps) {
                if let Some(own) = self.handlers.remove(&step.id) {
                    step.handlers = own;
                }
            }
        }
        self.resolved
    }
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
pub(super) fn play(acts: &[Act], facts: &Facts, tables: &mut BTreeMap<String, TableState>) {
    for act in acts {
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
