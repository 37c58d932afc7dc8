//! One phase of one release, forward.

use super::{
    Task, guards,
    machine::{Next, next},
    played::Played,
    resume,
};
use crate::{
    action::{Checksum, Handler, Handlers},
    ledger::{PhaseRow, Row},
    model::{Finding, Label, Phase, PhaseState, Time, Verb, Way},
    release::{Release, Step},
};
use std::collections::BTreeMap;

/// What one phase of a release comes to.
#[derive(Default)]
pub(super) struct Advance {
    pub tasks: Vec<Task>,
    /// What refuses whatever the command: drift, open decisions.
    pub findings: Vec<Finding>,
    /// What guards refuse; `ff` waits there.
    pub refused: Vec<Finding>,
    /// The earliest time, where that is all that refuses.
    pub until: Option<Time>,
}

/// Plans a phase. `only`: that step alone. `named`: what was rolled back is applied again (G7).
pub(super) fn advance(
    played: &Played<'_>,
    release: &Release,
    phase: Phase,
    only: Option<&Step>,
    named: bool,
    out_of_order: bool,
) -> Advance {
    let mut advance = Advance::default();
    let todo = taken_up(played, release, phase, only, named, &mut advance);
    // What was rolled back is not passed by its neighbours' empty phases either.
    if todo.is_empty() {
        return advance;
    }
    advance.refused.extend(todo.iter().filter_map(|step| played.refused.get(&step.id)).cloned());
    let works = todo.iter().any(|step| step.has(phase.verb()));
    if phase == Phase::Add || !guards::begun(played, &release.version) {
        advance.refused.extend(guards::earlier_unfinished(played, release, phase));
    }
    let open = advance.refused.len();
    advance.refused.extend(guards::rollbacks_open(played, &release.version, phase));
    // What is half taken back can't be added first.
    if advance.refused.len() == open {
        advance.refused.extend(guards::phases_before(played, release, phase));
    }
    if !out_of_order {
        advance.refused.extend(guards::in_order(played, release, phase, &todo));
    }
    if works && phase != Phase::Add {
        advance.refused.extend(guards::rolled_out(played, release, phase));
    }
    if works
        && phase == Phase::Drop
        && let Some(refusal) = guards::soaked(played, release)
    {
        advance.until = refusal.until;
        advance.refused.push(refusal.finding);
    }
    if advance.refused.len() > 1 {
        advance.until = None;
    }
    advance.tasks = todo.into_iter().map(|step| task(played, step, phase)).collect();
    advance
}

/// The steps that have something to do in a phase, by their own state alone; what that state refuses goes to `advance`.
fn taken_up<'a>(
    played: &Played<'_>,
    release: &'a Release,
    phase: Phase,
    only: Option<&Step>,
    named: bool,
    advance: &mut Advance,
) -> Vec<&'a Step> {
    let mut todo = Vec::new();
    for step in guards::counted(release).filter(|step| only.is_none_or(|only| only.id == step.id)) {
        let at = played.phase_of(step, phase);
        match next(at.state, Way::Forward, at.committed()) {
            Next::Nothing => {}
            Next::Run => todo.push(step),
            Next::Resume => {
                match resume::resume(played, &step.id, phase.verb(), at, step.handlers.get(&phase.verb())) {
                    Ok(_) => todo.push(step),
                    Err(finding) => advance.findings.push(finding),
                }
            }
            Next::OnlyIfNamed if named || !step.has(phase.verb()) => todo.push(step),
            Next::OnlyIfNamed => advance.refused.push(guards::only_if_named(phase, &step.id, &at.who, at.at)),
            // A rollback that is open refuses the whole release, below.
            Next::FinishRollback => todo.push(step),
            Next::MarkRolledBack | Next::RunAsking => unreachable!("the forward half of the table has no such answer"),
        }
    }
    todo
}

/// The steps that an add of a release would run.
pub(super) fn todo<'a>(played: &Played<'_>, release: &'a Release) -> Vec<&'a Step> {
    let waits = |step: &&Step| !guards::through(played, step, Phase::Add);
    guards::counted(release).filter(waits).collect()
}

/// The handler that a step which has begun goes on with: an operation's is the one that the ledger keeps (O4).
fn at_work<'a>(played: &'a Played<'_>, step: &'a Step, verb: Verb) -> Option<&'a Handler> {
    let handlers = match &step.operation {
        Some(_) => played.facts.stored.get(&step.id)?,
        None => &step.handlers,
    };
    handlers.get(&verb)
}

/// What refuses a phase whatever the command: drift behind a resume, open decisions. No guard is asked.
pub(super) fn unsound(played: &Played<'_>, release: &Release, phase: Phase) -> Vec<Finding> {
    let unsound = |step: &Step| {
        let at = played.row(&step.id)?.phase(phase);
        match next(at.state, Way::Forward, at.committed()) {
            Next::Resume => {
                resume::resume(played, &step.id, phase.verb(), at, at_work(played, step, phase.verb())).err()
            }
            Next::Run | Next::Nothing | Next::OnlyIfNamed | Next::FinishRollback => None,
            Next::MarkRolledBack | Next::RunAsking => None,
        }
    };
    guards::counted(release).filter_map(unsound).collect()
}

fn task(played: &Played<'_>, step: &Step, phase: Phase) -> Task {
    let verb = phase.verb();
    let at = played.phase_of(step, phase);
    let handler = step.handlers.get(&verb).cloned().unwrap_or_else(nothing);
    let from = resume::resume(played, &step.id, verb, at, Some(&handler)).unwrap_or(0);
    let mut keep: Handlers = phase
        .rollback()
        // What was stored when the phase really began stays what takes it back (L2).
        .filter(|back| !(at.committed() && played.row(&step.id).is_some_and(|row| row.stored.contains(back))))
        .and_then(|back| step.handlers.get_key_value(&back))
        .map(|(back, handler)| (*back, handler.clone()))
        .into_iter()
        .collect();
    let back = phase.rollback().and_then(|back| step.handlers.get(&back));
    // An operation is derived once: all of it is kept when its first phase begins (O4).
    if step.operation.is_some() && !played.row(&step.id).is_some_and(Row::has_progress) {
        keep.clone_from(&step.handlers);
    }
    let kept = phase.rollback().and_then(|back| played.facts.stored.get(&step.id)?.get(&back));
    let label = match back
        .filter(|_| !handler.actions.is_empty())
        .or(keep.values().next().filter(|_| step.operation.is_none()))
        .or(kept.filter(|_| at.committed()))
    {
        Some(back) => back.label,
        None if handler.actions.is_empty() => Label::Lossless,
        None => Label::None,
    };
    let marks = match played.row(&step.id) {
        Some(row) => marks(row, step, phase),
        None => marks(&Row::pending(&step.name), step, phase),
    };
    Task {
        id: played.facts.ledger.spelt_step(&step.id),
        name: step.name.clone(),
        verb,
        handler,
        from,
        keep,
        label,
        ask_each: false,
        asked: BTreeMap::new(),
        marks,
        clears: Vec::new(),
    }
}

/// The pending phases other than `but` of which the ledger does not know yet whether they are empty, as it will know them (L1).
pub(super) fn marks(row: &Row, step: &Step, but: Phase) -> Vec<(Phase, PhaseRow)> {
    Phase::ALL
        .iter()
        .map(|phase| (*phase, row.phase(*phase), !step.has(phase.verb())))
        .filter(|(phase, at, empty)| *phase != but && at.state == PhaseState::Pending && at.empty != *empty)
        .map(|(phase, at, empty)| (phase, PhaseRow { empty, ..at.clone() }))
        .collect()
}

/// The handler of an empty phase.
pub(super) fn nothing() -> Handler {
    Handler { checksum: Checksum::of([]), label: Label::None, actions: Vec::new() }
}

/// Whether a forward verb has a handler to run for any step of a release.
pub(super) fn pending(played: &Played<'_>, release: &Release, verb: Verb) -> bool {
    guards::counted(release).any(|step| {
        let at = played.phase_of(step, verb.phase());
        next(at.state, Way::Forward, at.committed()) != Next::Nothing && step.has(verb)
    })
}
