//! Whether what a plan does to tables fits them as they stand, and leaves every other step a way on or back (O12). Releases that overlap
//! change one table in an order that nobody could know when their operations were derived, and so do others.

use super::{
    Plan, Task, operations,
    together::{self, Columns},
};
use crate::{
    action::{Handler, Handlers},
    ledger::{Facts, PhaseRow, Row},
    model::{Finding, Phase, PhaseState, StepId, Verb, Way},
    ops::{Act, Detail, Refusal, TableState},
};
use std::collections::{BTreeMap, BTreeSet};

/// The tables that a plan is looked at on: those that were asked for, and those of the steps that have begun and are not finished.
pub fn tables(facts: &Facts, asked: &[(String, Detail)]) -> Vec<(String, Detail)> {
    let mut all: BTreeMap<String, Detail> = asked.iter().cloned().collect();
    for (_, _, kept) in open(facts) {
        for act in kept.values().flat_map(operations::acts) {
            all.entry(act.table).or_insert(Detail::Shape);
        }
    }
    all.into_iter().collect()
}

/// The steps that have begun and are not finished, with the handlers that the ledger keeps of them.
fn open(facts: &Facts) -> impl Iterator<Item = (&StepId, &Row, &Handlers)> {
    let unfinished = |row: &Row| row.phases.iter().any(|phase| phase.state != PhaseState::Done);
    let rows = facts.ledger.steps.iter().filter(move |(_, row)| row.has_progress() && unfinished(row));
    rows.filter_map(|(id, row)| Some((id, row, facts.stored.get(id)?)))
}

/// The steps that have left anything behind, finished ones too: what they have made stands on what was there.
fn known(facts: &Facts) -> Vec<Other<'_>> {
    let rows = facts.ledger.steps.iter().filter(|(_, row)| row.has_progress());
    rows.filter_map(|(id, row)| Some((id, row, facts.stored.get(id)?))).collect()
}

/// Where everything stands.
struct Stand<'a> {
    facts: &'a Facts,
    tables: BTreeMap<String, TableState>,
    known: Columns,
}

/// What speaks against a plan. `columns`: those that an expression may name, there or not.
pub(super) fn refusals(plan: &Plan, facts: &Facts, columns: &Columns) -> Vec<Finding> {
    let mut stand = Stand { facts, tables: facts.lake.tables.clone(), known: columns.clone() };
    // Nobody can say what a table is made of on which a phase stands half-way.
    let mut unsure = unsure(plan, facts);
    let sure = |act: &Act, unsure: &BTreeSet<String>| !unsure.contains(facts.lake.name(&act.table));
    let others: Vec<_> = open(facts)
        .filter(|(id, row, kept)| {
            let own = plan.tasks.iter().any(|task| task.id == **id);
            !own && row.phases.iter().all(stands) && all(kept).iter().all(|act| sure(act, &unsure))
        })
        .collect();
    let ways: Vec<bool> = others.iter().map(|(_, row, kept)| stand.way(row, kept).is_ok()).collect();
    for task in &plan.tasks {
        let acts: Vec<Act> = operations::acts(&task.handler).into_iter().filter(|act| sure(act, &unsure)).collect();
        if let Err(refusal) = stand.play(&acts) {
            let other = overlapping(task, &acts, &known(facts));
            let begun = facts.ledger.steps.get(&task.id).is_some_and(Row::has_progress);
            // Where no other step is about the table, the ledger may not be its own: the table's own commits tell the run (D7).
            if begun && other.is_none() && refusal.rule == together::CHANGED {
                unsure.extend(acts.iter().map(|act| facts.lake.name(&act.table).to_owned()));
                continue;
            }
            return vec![does_not_fit(refusal, task, other, begun)];
        }
    }
    let mut stuck = others.iter().zip(&ways).filter(|(_, had)| **had).map(|(other, _)| other);
    let stuck = stuck.find_map(|other| Some((other, stand.way(other.1, other.2).err()?)));
    let last = plan.tasks.iter().rev().find(|task| !task.is_empty());
    last.zip(stuck).map(|(task, ((id, row, _), why))| leaves_no_way(&why, task, id, row)).into_iter().collect()
}

impl Stand<'_> {
    /// Carries acts out.
    fn play(&mut self, acts: &[Act]) -> Result<(), Refusal> {
        match together::refusal(acts, self.facts, &self.tables, &self.known) {
            Some(refusal) => Err(refusal),
            None => {
                operations::play(Some(&acts.to_vec()), self.facts, &mut self.tables);
                self.known.add(&self.tables);
                Ok(())
            }
        }
    }

    /// Whether a step can go on to its end, or else back.
    fn way(&self, row: &Row, kept: &Handlers) -> Result<(), Refusal> {
        let done = |phase: Phase| row.phase(phase).state == PhaseState::Done;
        let on = [Verb::Simdrop, Verb::Drop].into_iter().filter(|verb| !done(verb.phase()));
        let on = on.filter_map(|verb| kept.get(&verb));
        let forward = self.plays(on);
        let simdropped = row.phase(Phase::Simdrop).really();
        let back = [Verb::RollbackSimdrop, Verb::RollbackAdd]
            .into_iter()
            .filter(|verb| *verb == Verb::RollbackAdd || simdropped);
        let back: Option<Vec<&Handler>> = back.map(|verb| kept.get(&verb)).collect();
        match back {
            Some(back) => forward.or_else(|why| self.plays(back.into_iter()).map_err(|_| why)),
            None => forward,
        }
    }

    fn plays<'h>(&self, handlers: impl Iterator<Item = &'h Handler>) -> Result<(), Refusal> {
        let mut then = Stand { facts: self.facts, tables: self.tables.clone(), known: self.known.clone() };
        handlers.map(operations::acts).try_for_each(|acts| then.play(&acts))
    }
}

/// Whether a phase stands at its beginning or its end.
const fn stands(phase: &PhaseRow) -> bool {
    match phase.state {
        PhaseState::Pending | PhaseState::Done | PhaseState::RolledBack => true,
        PhaseState::Running | PhaseState::Failed => !phase.committed(),
        PhaseState::RollingBack | PhaseState::RollbackFailed => phase.upto == 0 && phase.trying.is_none(),
    }
}

fn all(kept: &Handlers) -> Vec<Act> {
    kept.values().flat_map(operations::acts).collect()
}

/// The tables of which it is not known how they stand.
fn unsure(plan: &Plan, facts: &Facts) -> BTreeSet<String> {
    let half = open(facts).filter(|(_, row, _)| !row.phases.iter().all(stands)).flat_map(|(_, _, kept)| all(kept));
    let resumed = plan.tasks.iter().filter(|task| task.from > 0 || task.ask_each || !task.clears.is_empty());
    let resumed = resumed.flat_map(|task| operations::acts(&task.handler));
    half.chain(resumed).map(|act| facts.lake.name(&act.table).to_owned()).collect()
}

/// A step as it stands.
type Other<'a> = (&'a StepId, &'a Row, &'a Handlers);

/// Another step that is about the same table: of a rollback one that came later, else one that came before.
fn overlapping<'a>(task: &Task, acts: &[Act], others: &[Other<'a>]) -> Option<Other<'a>> {
    let back = task.verb.way() == Way::Back;
    let of_task = (&task.id.release, &task.id.step);
    let is_own = |id: &StepId| *id == task.id;
    let about = |kept: &Handlers| all(kept).iter().any(|act| acts.iter().any(|own| own.table == act.table));
    others
        .iter()
        .find(|(id, _, kept)| !is_own(id) && about(kept) && ((&id.release, &id.step) > of_task) == back)
        .copied()
}

fn does_not_fit(refusal: Refusal, task: &Task, other: Option<Other<'_>>, begun: bool) -> Finding {
    let first = other.map(|(id, row, _)| {
        let which = format!("step `{id}` is about the same table, and is {}", past(row));
        match task.verb.way() {
            Way::Back => format!("{which}: take it back first: triphase {} {}", way_back(row), id.release),
            Way::Forward => format!("{which}: finish it first: triphase {} {}", next(row), id.release),
        }
    });
    let own = match refusal.way_out.as_str() {
        // It was derived for the table as the releases before it leave it.
        "" if !begun => "finish the releases before this one first: triphase ff".to_owned(),
        "" => "put the table back as the step has left it".to_owned(),
        own => own.to_owned(),
    };
    let way_out = first.map_or_else(|| own.clone(), |first| format!("{first}; else: {own}"));
    let message = format!("its {} does not fit the table as it stands: {}", task.verb, refusal.message);
    Refusal { message, way_out, ..refusal }.finding(&task.id)
}

fn leaves_no_way(refusal: &Refusal, task: &Task, other: &StepId, row: &Row) -> Finding {
    let message = format!(
        "its {} would leave step `{other}`, which is {}, no way on and none back: {}",
        task.verb,
        past(row),
        refusal.message
    );
    let way_out = format!(
        "finish that one first: triphase {next} {release}; or take it back: triphase {back} {release}",
        next = next(row),
        back = way_back(row),
        release = other.release
    );
    Refusal { message, way_out, ..refusal.clone() }.finding(&task.id)
}

fn past(row: &Row) -> &'static str {
    if row.phase(Phase::Simdrop).really() { Phase::Simdrop.past() } else { Phase::Add.past() }
}

fn next(row: &Row) -> Verb {
    if row.phase(Phase::Simdrop).state == PhaseState::Done { Verb::Drop } else { Verb::Simdrop }
}

fn way_back(row: &Row) -> Verb {
    if row.phase(Phase::Simdrop).really() { Verb::RollbackSimdrop } else { Verb::RollbackAdd }
}
