//! Whether what a plan does to tables fits them as they stand, and leaves every other step a way on or back (O12). Releases that overlap
//! change one table in an order that nobody could know when their operations were derived, and so do others.

use super::{
    Plan, Task, operations, stranger,
    together::{self, Columns},
};
use crate::{
    action::{Handler, Handlers},
    ledger::{Facts, Row},
    model::{Finding, Phase, PhaseState, StepId, Verb, Version, Way},
    ops::{Act, Detail, Refusal, TableState},
};
use std::collections::{BTreeMap, BTreeSet};

/// The tables that a plan is looked at on: those that were asked for, and, if they can be read, those of the steps that have begun and are
/// not finished.
pub fn tables(facts: &Facts, asked: &[(String, Detail)]) -> Vec<(String, Detail)> {
    let mut all: BTreeMap<String, Detail> = asked.iter().cloned().collect();
    for other in open(facts) {
        for act in other.acts() {
            all.entry(act.table).or_insert(Detail::Glance);
        }
    }
    all.into_iter().collect()
}

/// What is said of the tables that were only glanced at and can't be read: a rollback at night must not fail for another step's table.
pub(super) fn unread(plan: &Plan, facts: &Facts) -> Vec<String> {
    if plan.tasks.iter().all(Task::is_empty) {
        return vec![];
    }
    let say = |why: &String| {
        format!(
            "{why}; so nobody looks whether this leaves the steps on that table, which have begun, a way on or back"
        )
    };
    facts.lake.unread.values().map(say).collect()
}

/// Why a table can't be read that a plan does something to.
pub fn unreadable(plan: &Plan, facts: &Facts) -> Option<String> {
    let mut acts = plan.tasks.iter().flat_map(|task| operations::acts(&task.handler));
    acts.find_map(|act| facts.lake.unread.get(facts.lake.name(&act.table)).cloned())
}

/// A step that has left anything behind, with the handlers that the ledger keeps of it.
#[derive(Clone, Copy)]
struct Other<'a> {
    id: &'a StepId,
    row: &'a Row,
    kept: &'a Handlers,
}

impl<'a> Other<'a> {
    fn acts(&self) -> Vec<Act> {
        self.kept.values().flat_map(operations::acts).collect()
    }

    /// Its place in the order in which steps were added.
    fn place(&self) -> (&'a Version, u64) {
        (&self.id.release, self.row.phase(Phase::Add).seq)
    }

    /// What is left of its way to its end.
    fn on(&self) -> impl Iterator<Item = &'a Handler> + use<'a> {
        let (row, kept) = (self.row, self.kept);
        let left = [Verb::Simdrop, Verb::Drop].into_iter();
        left.filter(|verb| row.phase(verb.phase()).state != PhaseState::Done).filter_map(|verb| kept.get(&verb))
    }

    /// What takes it back, where all of that is kept.
    fn back(&self) -> Option<Vec<&'a Handler>> {
        let simdropped = self.row.phase(Phase::Simdrop).really();
        let back = [Verb::RollbackSimdrop, Verb::RollbackAdd].into_iter();
        back.filter(|verb| *verb == Verb::RollbackAdd || simdropped).map(|verb| self.kept.get(&verb)).collect()
    }
}

/// The steps that have left anything behind, as far as their handlers were read: of a rollback all, else those of the releases from the
/// first on that is not finished. What has changed a table since its steps were derived is among them.
fn known(facts: &Facts) -> impl Iterator<Item = Other<'_>> {
    let begun = facts.ledger.steps.iter().filter(|(_, row)| row.has_progress());
    begun.filter_map(|(id, row)| Some(Other { id, row, kept: facts.stored.get(id)? }))
}

/// Those of them that are not finished: where drop had nothing to run, simdrop may have been taken back behind it.
fn open(facts: &Facts) -> impl Iterator<Item = Other<'_>> {
    known(facts).filter(|other| !other.row.is_finished())
}

/// Where everything stands.
struct Stand<'a> {
    facts: &'a Facts,
    tables: BTreeMap<String, TableState>,
    known: Columns,
    /// The newest release that is dropped, if only in part: neither it nor one before it is ever taken back again (G5).
    dropped: Option<&'a Version>,
}

/// What speaks against a plan. `columns`: those that an expression may name, there or not.
pub(super) fn refusals(plan: &Plan, facts: &Facts, columns: &Columns) -> Vec<Finding> {
    let mut stand = Stand::of(facts, columns);
    // Nobody can say what a table is made of on which a phase stands half-way.
    let mut unsure = unsure(plan, facts);
    let sure = |act: &Act, unsure: &BTreeSet<String>| !unsure.contains(facts.lake.name(&act.table));
    let others = open(facts).filter(|other| other.row.stands() && plan.tasks.iter().all(|task| task.id != *other.id));
    let others: Vec<_> = others.map(|other| (other, stand.way(&other).ok())).collect();
    let mut findings = vec![];
    for task in &plan.tasks {
        if let Some(finding) = stranger::refusal(task, facts) {
            findings.push(finding);
            unsure.extend(operations::acts(&task.handler).iter().map(|act| facts.lake.name(&act.table).to_owned()));
            continue;
        }
        let acts: Vec<Act> = operations::acts(&task.handler).into_iter().filter(|act| sure(act, &unsure)).collect();
        if let Err(refusal) = stand.play(&acts) {
            let rivals = rivals(task, &acts, facts);
            // Where no other step is about the table, the ledger may not be its own: the table's own commits tell the run (D7).
            let lost = rivals.is_empty() && begun(task, facts) && refusal.rule == together::CHANGED;
            findings.extend((!lost).then(|| stand.does_not_fit(refusal, task, plan, &rivals)));
            unsure.extend(acts.iter().map(|act| facts.lake.name(&act.table).to_owned()));
        }
        if task.verb == Verb::Drop && !task.is_empty() {
            stand.dropped = stand.dropped.max(Some(&task.id.release));
        }
    }
    let Some(last) = plan.tasks.iter().rev().find(|task| !task.is_empty()) else { return findings };
    let others = others.into_iter().filter(|(other, _)| other.acts().iter().all(|act| sure(act, &unsure)));
    findings.extend(others.filter_map(|(other, had)| {
        let why = stand.way(&other).err()?;
        Some(leaves_no_way(&why, last, &other, had?, facts))
    }));
    findings
}

impl<'a> Stand<'a> {
    /// As a target is.
    fn of(facts: &'a Facts, columns: &Columns) -> Self {
        let dropped = facts.ledger.steps.iter().filter(|(_, row)| row.phase(Phase::Drop).really());
        let dropped = dropped.map(|(id, _)| &id.release).max();
        Self { facts, tables: facts.lake.tables.clone(), known: columns.clone(), dropped }
    }

    /// Carries acts out.
    fn play(&mut self, acts: &[Act]) -> Result<(), Refusal> {
        match together::refusal(acts, self.facts, &self.tables, &self.known) {
            Some(refusal) => Err(refusal),
            None => {
                operations::play(acts, self.facts, &mut self.tables);
                self.known.add(&self.tables);
                Ok(())
            }
        }
    }

    /// The way that a step can go: on to its end, or else back.
    fn way(&self, other: &Other<'_>) -> Result<Way, Refusal> {
        let Err(why) = self.plays(other.on()) else { return Ok(Way::Forward) };
        let back = other.back().filter(|_| self.dropped.is_none_or(|dropped| *dropped < other.id.release));
        match back.map(|back| self.plays(back.into_iter())) {
            Some(Ok(())) => Ok(Way::Back),
            Some(Err(_)) | None => Err(why),
        }
    }

    fn plays<'h>(&self, handlers: impl Iterator<Item = &'h Handler>) -> Result<(), Refusal> {
        let mut then = Stand { tables: self.tables.clone(), known: self.known.clone(), ..*self };
        handlers.map(operations::acts).try_for_each(|acts| then.play(&acts))
    }

    /// A task's acts do not fit their table. `rivals`: the other steps about it.
    fn does_not_fit(&self, refusal: Refusal, task: &Task, plan: &Plan, rivals: &[Other<'_>]) -> Finding {
        let own = match refusal.way_out.as_str() {
            "" if begun(task, self.facts) => "put the table back as the step has left it",
            // It was derived for the table as the releases before it leave it.
            "" if earlier_unfinished(task, self.facts) => "finish the releases before this one first: triphase ff",
            "" => "put the table back as it was, or write the step for the table as it is",
            own => own,
        };
        let way_out =
            self.first(task, plan, rivals).map_or_else(|| own.to_owned(), |first| format!("{first}; else: {own}"));
        let message = format!("its {} does not fit the table as it stands: {}", task.verb, refusal.message);
        Refusal { message, way_out, ..refusal }.finding(&task.id)
    }

    /// What is to be done first with one of the other steps about a table: one that was added before is finished, where the task then fits;
    /// else what was added since is taken back, the last first.
    fn first(&self, task: &Task, plan: &Plan, rivals: &[Other<'_>]) -> Option<String> {
        let place = self.facts.ledger.steps.get(&task.id).map(|row| row.phase(Phase::Add).seq);
        let place = place.filter(|place| *place > 0).unwrap_or(u64::MAX);
        let is_later = |other: &&Other<'_>| other.place() > (&task.id.release, place);
        let which =
            |other: &Other<'_>| format!("step `{}` is about the same table, and is {}", other.id, past(other.row));
        let finish = |other: &Other<'_>| {
            let next = other.row.next()?.verb();
            Some(format!("{}: finish it first: triphase {next} {}", which(other), other.id.release))
        };
        let take_back = |other: &Other<'_>| {
            format!(
                "{}: take it back first: triphase {} {}",
                which(other),
                way_back(&other.id.release, self.facts),
                other.id.release
            )
        };
        let own = |id: &StepId| plan.tasks.iter().any(|task| task.id == *id);
        let stays = |other: &Other<'_>| own(other.id) || other.row.phase(Phase::Drop).really();
        let later = rivals.iter().rev().filter(is_later).find(|other| !stays(other)).map(take_back);
        let mut earlier = rivals.iter().filter(|other| !is_later(other) && !other.row.is_finished());
        match task.verb.way() {
            Way::Back => later,
            Way::Forward => {
                let fits = |other: &&Other<'_>| self.plays(other.on().chain([&task.handler])).is_ok();
                earlier.clone().find(fits).and_then(finish).or(later).or_else(|| earlier.next().and_then(finish))
            }
        }
    }
}

/// Whether a task's step has left anything behind.
fn begun(task: &Task, facts: &Facts) -> bool {
    facts.ledger.steps.get(&task.id).is_some_and(Row::has_progress)
}

/// Whether a release before a task's has anything left to run.
fn earlier_unfinished(task: &Task, facts: &Facts) -> bool {
    let left = |row: &Row| row.phases.iter().any(|phase| phase.state != PhaseState::Done && !phase.empty);
    facts.ledger.steps.iter().any(|(id, row)| id.release < task.id.release && left(row))
}

/// The tables of which it is not known how they stand.
fn unsure(plan: &Plan, facts: &Facts) -> BTreeSet<String> {
    let half = open(facts).filter(|other| !other.row.stands()).flat_map(|other| other.acts());
    let resumed = plan.tasks.iter().filter(|task| task.from > 0 || task.ask_each || !task.clears.is_empty());
    let resumed = resumed.flat_map(|task| operations::acts(&task.handler));
    half.chain(resumed).map(|act| facts.lake.name(&act.table).to_owned()).collect()
}

/// The other steps that have left anything behind and are about the tables of these acts, in the order in which they were added.
fn rivals<'a>(task: &Task, acts: &[Act], facts: &'a Facts) -> Vec<Other<'a>> {
    let tables: BTreeSet<&str> = acts.iter().map(|act| facts.lake.name(&act.table)).collect();
    let about = |other: &Other<'_>| other.acts().iter().any(|act| tables.contains(facts.lake.name(&act.table)));
    let mut rivals: Vec<_> = known(facts).filter(|other| *other.id != task.id && about(other)).collect();
    rivals.sort_by(|a, b| a.place().cmp(&b.place()));
    rivals
}

fn leaves_no_way(refusal: &Refusal, task: &Task, other: &Other<'_>, had: Way, facts: &Facts) -> Finding {
    let Other { id, row, .. } = other;
    let message = format!(
        "its {} would leave step `{id}`, which is {}, no way on and none back: {}",
        task.verb,
        past(row),
        refusal.message
    );
    let (next, back) = (row.next().unwrap_or(Phase::Drop).verb(), way_back(&id.release, facts));
    // What has begun since is in the way of its rollback (G5).
    let newest = facts.ledger.steps.iter().rev().find(|(_, row)| row.has_progress()).map(|(newest, _)| newest);
    let way_out = match (had, newest.filter(|newest| newest.release > id.release)) {
        (Way::Forward, _) => format!(
            "finish that one first: triphase {next} {release}; or take it back: triphase {back} {release}",
            release = id.release
        ),
        (Way::Back, None) => format!("take that one back first: triphase {back} {}", id.release),
        (Way::Back, Some(newest)) => format!(
            "take `{newest}` back first: triphase {} {newest}; then finish that one: triphase {next} {}",
            way_back(&newest.release, facts),
            id.release,
            newest = newest.release,
        ),
    };
    Refusal { message, way_out, ..refusal.clone() }.finding(&task.id)
}

fn past(row: &Row) -> &'static str {
    if row.phase(Phase::Simdrop).really() { Phase::Simdrop.past() } else { Phase::Add.past() }
}

/// The rollback that a release takes first (G4).
fn way_back(release: &Version, facts: &Facts) -> Verb {
    let hidden = facts.ledger.of(release).any(|(_, row)| row.phase(Phase::Simdrop).really());
    if hidden { Verb::RollbackSimdrop } else { Verb::RollbackAdd }
}
