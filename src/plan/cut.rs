//! A plan cut into what commits together (rules L1, L3, L4).

use super::{Cut, Plan, Task};
use crate::{
    action::{Action, Handler, Handlers},
    ledger::{Entry, Event, Halfway, Ledger, Outcome, PhaseRow, Unit, Verdict},
    model::{Dialect, PhaseState, Verb, Way},
};
use std::collections::BTreeSet;

/// Cuts a plan: a handler that can commit as a whole is one unit; one with statements that stand alone is cut around each of them. What
/// has nothing to run costs no unit of its own: it goes with its neighbour. `dialect`: what the handlers' statements are read as.
pub fn cut(plan: &Plan, ledger: &Ledger, dialect: Dialect) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut seq = ledger.next_seq();
    let mut waiting: Vec<(usize, Entry)> = Vec::new();
    let mut voided = BTreeSet::new();
    for (index, task) in plan.tasks.iter().enumerate() {
        let found =
            ledger.steps.get(&task.id).map_or_else(PhaseRow::pending, |row| row.phase(task.verb.phase()).clone());
        let mut row = begun(task, found, &mut seq);
        let rest = &task.handler.actions[task.from as usize..];
        for action in &task.clears {
            let unit = Unit { actions: vec![action.clone()], ..Unit::default() };
            let before = row.clone();
            cuts.push(Cut { task: index, first: task.from, last: false, empties: vec![], before, unit, clears: true });
        }
        let mut entries = Vec::new();
        if task.verb.way() == Way::Back
            && let Some((release, _)) = ledger.rollouts.get_key_value(&task.id.release)
            && voided.insert(release)
        {
            entries.push(Entry::Rollout {
                release: release.clone(),
                said: false,
                event: event(task, None, Outcome::Recorded, Some("a rollback voids the rollout")),
            });
        }
        if rest.is_empty() {
            let outcome = if task.handler.actions.is_empty() { Outcome::Nothing } else { Outcome::Done };
            entries.push(ended(task, &row, outcome));
            waiting.extend(entries.into_iter().map(|entry| (index, entry)));
            continue;
        }
        let mut groups = groups(task.from, rest).into_iter().peekable();
        let several = groups.len() > 1 || rest.iter().any(Action::alone);
        let mut keep = task.keep.clone();
        if several {
            keep.insert(task.verb, running(task));
        }
        let setting =
            if several || task.from > 0 { session_statements(dialect, &task.handler.actions) } else { Vec::new() };
        while let Some((first, actions)) = groups.next() {
            let last = groups.peek().is_none();
            let upto = first + u32::try_from(actions.len()).unwrap_or(u32::MAX);
            let before = row.clone();
            let setup = setting.iter().filter(|(index, _)| *index < first).map(|(_, text)| text.clone()).collect();
            let mut unit = Unit { setup, ..Unit::default() };
            for (index, action) in (first..).zip(actions) {
                match task.asked.get(&index) {
                    Some(Verdict::Applied) => unit.notes.push(format!(
                        "statement {} of {} of step {} is so already, and is left out: {}",
                        index + 1,
                        task.verb,
                        task.id,
                        action.text()
                    )),
                    Some(Verdict::Not | Verdict::Unknown) | None => unit.actions.push(action.clone()),
                }
            }
            let mut empties = Vec::new();
            for (index, entry) in waiting.drain(..) {
                empties.push(index);
                unit.closes.push(entry);
            }
            if actions.iter().any(Action::alone) {
                // A rollback that stops at its first statement has begun all the same: the rollout is void from there.
                unit.opens.append(&mut entries);
                row = PhaseRow { state: busy(task.verb), trying: Some(first), ..row };
                unit.opens.push(entry(
                    task,
                    &row,
                    std::mem::take(&mut keep),
                    event(task, Some(first), Outcome::Attempting, None),
                ));
            }
            unit.closes.append(&mut entries);
            row = PhaseRow { state: busy(task.verb), upto, trying: None, ..row };
            let told = (several && !last).then_some(first);
            if last {
                let Entry::Step { row: end, event, .. } = ended(task, &row, Outcome::Done) else {
                    unreachable!("`ended` makes a step's entry")
                };
                unit.closes.push(entry(task, &end, std::mem::take(&mut keep), event));
            } else {
                unit.closes.push(entry(task, &row, std::mem::take(&mut keep), event(task, told, Outcome::Done, None)));
            }
            empties.dedup();
            cuts.push(Cut { task: index, first, last, empties, before, unit, clears: false });
        }
    }
    ride_along(plan, ledger, &mut cuts, waiting);
    cuts
}

/// The statements of a handler that set the session, with their indices.
fn session_statements(dialect: Dialect, actions: &[Action]) -> Vec<(u32, String)> {
    let text = |action: &Action| match action {
        Action::Sql { text, .. } if crate::sql::is_setting(dialect, text) => Some(text.clone()),
        Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
    };
    (0..).zip(actions).filter_map(|(index, action)| Some((index, text(action)?))).collect()
}

/// What is left without a neighbour behind it goes with the one before; with none at all, it is a unit of its own.
fn ride_along(plan: &Plan, ledger: &Ledger, cuts: &mut Vec<Cut>, waiting: Vec<(usize, Entry)>) {
    let Some((first, _)) = waiting.first() else { return };
    if cuts.is_empty() {
        let task = &plan.tasks[*first];
        let before =
            ledger.steps.get(&task.id).map_or_else(PhaseRow::pending, |row| row.phase(task.verb.phase()).clone());
        cuts.push(Cut {
            task: *first,
            first: task.from,
            last: true,
            empties: Vec::new(),
            before,
            unit: Unit::default(),
            clears: false,
        });
    }
    // What only clears is not recorded, so nothing is to ride along with it.
    if cuts.last().is_some_and(|cut| cut.clears) {
        let cut = cuts[cuts.len() - 1].clone();
        cuts.push(Cut { unit: Unit::default(), clears: false, last: true, ..cut });
    }
    if let Some(cut) = cuts.last_mut() {
        for (index, entry) in waiting {
            if !cut.empties.contains(&index) {
                cut.empties.push(index);
            }
            cut.unit.closes.push(entry);
        }
    }
}

/// The row as it stands once the handler has begun.
fn begun(task: &Task, found: PhaseRow, seq: &mut u64) -> PhaseRow {
    let resumed = match task.verb.way() {
        Way::Forward => matches!(found.state, PhaseState::Running | PhaseState::Failed),
        Way::Back => matches!(found.state, PhaseState::RollingBack | PhaseState::RollbackFailed),
    };
    let hashes = task.handler.actions.iter().map(Action::hash).collect();
    let fresh = !resumed || task.from == 0;
    let (upto, attempt) = (task.from, found.attempt + 1);
    let halfway = match task.verb.way() {
        Way::Back if resumed => found.halfway.clone(),
        Way::Back if task.ask_each => {
            Some(Halfway { upto: found.upto, trying: found.trying, hashes: found.hashes.clone() })
        }
        Way::Back | Way::Forward => None,
    };
    let mut row =
        PhaseRow { upto, trying: None, partly: task.ask_each, halfway, attempt, hashes, error: None, ..found };
    if task.verb.way() == Way::Forward {
        row.empty = task.handler.actions.is_empty();
        row.checksum = (!row.empty).then(|| task.handler.checksum.clone());
        if fresh {
            row.seq = *seq;
            *seq += 1;
        }
    }
    row
}

/// The handler at work, as the ledger keeps it: enough to say what was attempted. What runs forward comes from the files, so a client's
/// file, which may be large, is named and not kept.
fn running(task: &Task) -> Handler {
    let mut handler = task.handler.clone();
    for action in &mut handler.actions {
        if let (Action::Shell { text, .. }, Way::Forward) = (action, task.verb.way()) {
            text.clear();
        }
    }
    handler
}

/// Runs of actions that share a transaction, and each that stands alone by itself, with the index of the first.
fn groups(from: u32, actions: &[Action]) -> Vec<(u32, &[Action])> {
    let mut groups = Vec::new();
    let mut at = from;
    for group in actions.chunk_by(|a, b| !a.alone() && !b.alone()) {
        groups.push((at, group));
        at += u32::try_from(group.len()).unwrap_or(u32::MAX);
    }
    groups
}

const fn busy(verb: Verb) -> PhaseState {
    match verb.way() {
        Way::Forward => PhaseState::Running,
        Way::Back => PhaseState::RollingBack,
    }
}

fn ended(task: &Task, row: &PhaseRow, outcome: Outcome) -> Entry {
    let row = match task.verb.way() {
        Way::Forward => PhaseRow {
            state: PhaseState::Done,
            upto: u32::try_from(row.hashes.len()).unwrap_or(u32::MAX),
            trying: None,
            ..row.clone()
        },
        Way::Back => PhaseRow {
            state: PhaseState::RolledBack,
            upto: 0,
            trying: None,
            partly: false,
            halfway: None,
            hashes: Vec::new(),
            ..row.clone()
        },
    };
    entry(task, &row, task.keep.clone(), event(task, None, outcome, None))
}

fn entry(task: &Task, row: &PhaseRow, keep: Handlers, event: Event) -> Entry {
    Entry::Step {
        id: task.id.clone(),
        name: task.name.clone(),
        phase: task.verb.phase(),
        row: row.clone(),
        marks: task.marks.clone(),
        keep,
        event,
    }
}

fn event(task: &Task, statement: Option<u32>, outcome: Outcome, detail: Option<&str>) -> Event {
    let hash = statement.and_then(|k| task.handler.actions.get(k as usize)).map(Action::hash);
    Event {
        release: Some(task.id.release.clone()),
        step: Some(task.id.step.clone()),
        verb: task.verb.name().to_owned(),
        statement,
        hash,
        outcome,
        detail: detail.map(str::to_owned),
    }
}

/// How a unit came to an end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The target refused an action.
    Failed,
    /// A signal.
    Interrupted,
    /// The target refused a statement that may have committed part of its work: whether it is applied is an open question (L4).
    Undecided,
}

/// The entry that records a unit of which nothing is applied: what is committed stays counted, the phase is failed.
pub fn broken(plan: &Plan, cut: &Cut, at: Option<u32>, why: &str, how: Broken) -> Entry {
    let task = &plan.tasks[cut.task];
    let state = match task.verb.way() {
        Way::Forward => PhaseState::Failed,
        Way::Back => PhaseState::RollbackFailed,
    };
    let outcome = match how {
        Broken::Failed | Broken::Undecided => Outcome::Failed,
        Broken::Interrupted => Outcome::Interrupted,
    };
    // How far a client came with its file is not known: it may be run again (F4), but it can't be taken for never begun.
    let file = matches!(task.handler.actions.get(cut.first as usize), Some(Action::Shell { .. }));
    let trying = match how {
        Broken::Failed | Broken::Interrupted if !file => None,
        Broken::Failed | Broken::Interrupted | Broken::Undecided => Some(cut.first),
    };
    let row = PhaseRow { state, upto: cut.first, trying, error: Some(why.to_owned()), ..cut.before.clone() };
    let mut keep = task.keep.clone();
    if task.handler.actions.iter().any(Action::alone) {
        keep.insert(task.verb, running(task));
    }
    entry(task, &row, keep, event(task, at, outcome, Some(why)))
}

/// By step: what a plan leaves done; for tests of the laws.
#[cfg(test)]
pub(super) fn closes(cuts: &[Cut]) -> std::collections::BTreeMap<String, PhaseState> {
    cuts.iter()
        .flat_map(|cut| &cut.unit.closes)
        .filter_map(Entry::phase)
        .map(|(id, phase, row, _)| (format!("{id} {phase}"), row.state))
        .collect()
}
