//! A person's word about a statement or a phase (`repair done`, `repair undone`): the answer to exit 5, or to what was done by hand.

use super::{
    Scope,
    forward::marks,
    repair::{Repair, Word, event, readable, refuse, row},
    verb::applied_step,
};
use crate::{
    ledger::{Entry, Ledger, PhaseRow, Row},
    model::{Class, Finding, Phase, PhaseState, StepId},
    release::{Project, Step},
};

/// What becomes of the phase, and of the statement where one is named (from 1).
pub(super) fn decide(
    project: &Project,
    ledger: &Ledger,
    repair: &Repair,
    step: &Scope,
    phase: Phase,
    statement: Option<u32>,
    done: bool,
) -> Word {
    let (id, before, filed) = meant(project, ledger, step)?;
    let mut row = before.clone();
    let at = &mut row.phases[phase.index()];
    match statement {
        Some(statement) => decide_statement(&id, phase, at, statement, done)?,
        None => {
            decide_phase(at, done);
            if at.state == PhaseState::Done {
                at.seq = if at.seq == 0 { ledger.next_seq() } else { at.seq };
                at.empty = filed.map_or(at.empty, |step| !step.has(phase.verb()));
                at.checksum = filed
                    .and_then(|step| step.checksum(phase).filter(|_| step.has(phase.verb())).cloned())
                    .or(at.checksum.take());
            }
        }
    }
    if matches!(at.state, PhaseState::Done | PhaseState::RolledBack | PhaseState::Pending) {
        // It is one or the other now: what it had come to on its way is over.
        (at.error, at.partly, at.halfway) = (None, false, None);
    }
    let changed = at.clone();
    let was = before.phase(phase);
    let same = (changed.state, changed.empty, &changed.checksum) == (was.state, was.empty, &was.checksum);
    if statement.is_none() && same && was.trying.is_none() {
        // Said again, it would only take the place of who did it, and when.
        return Ok((vec![], format!("{phase} of step `{id}` is {} already: nothing is recorded", changed.state)));
    }
    if statement.is_none()
        && let Some(finding) = in_order(&id, &before, filed, phase, changed.state)
    {
        return Err(finding);
    }
    let marks = filed.map_or_else(Vec::new, |step| marks(&row, step, phase));
    let keep = phase
        .rollback()
        // What an operation comes to is derived when it runs, and not known here.
        .filter(|_| filed.is_none_or(|step| step.operation.is_none()))
        .filter(|back| changed.state == PhaseState::Done && !row.stored.contains(back))
        .and_then(|back| filed.and_then(|step| step.handlers.get(&back)).map(|handler| (back, handler.clone())))
        .into_iter()
        .collect();
    let note = match statement {
        Some(k) => {
            let said = if done { "applied" } else { "not applied" };
            format!("statement {k} of {phase} of step `{id}` is recorded as {said}; the phase is {}", changed.state)
        }
        None => format!("{phase} of step `{id}` is recorded as {}", changed.state),
    };
    let event = event(
        &id,
        &format!("{} {phase}", if done { "done" } else { "undone" }),
        statement.map(|k| k - 1),
        &repair.reason,
    );
    Ok((vec![Entry::Step { id, name: row.name, phase, row: changed, marks, keep, event }], note))
}

/// The step that a decision is about: its row, or one that never ran, and what a valid file has of it.
fn meant<'p>(project: &'p Project, ledger: &Ledger, step: &Scope) -> Result<(StepId, Row, Option<&'p Step>), Finding> {
    let filed = match step {
        Scope::Step(version, name) => {
            project.release(version).and_then(|r| r.steps.iter().find(|s| s.id.step == *name || s.name == *name))
        }
        Scope::Auto | Scope::Release(_) => None,
    };
    if let Scope::Step(version, name) = step {
        applied_step(&ledger.steps, version, name)?;
    }
    if let (Scope::Step(version, _), Some(_), Err(_)) = (step, filed, row(ledger, step)) {
        readable(project, version)?;
    }
    let filed = filed.filter(|step| project.is_sound(&step.id.release));
    match (row(ledger, step), filed) {
        (Ok((id, row)), _) => Ok((id, row, filed)),
        (Err(_), Some(step)) => Ok((ledger.spelt_step(&step.id), Row::pending(&step.name), filed)),
        (Err(finding), None) => Err(finding),
    }
}

const fn goes_back(state: PhaseState) -> bool {
    matches!(state, PhaseState::RollingBack | PhaseState::RollbackFailed)
}

/// The open statement was applied, or was not: the handler goes on behind it, or at it.
fn decide_statement(id: &StepId, phase: Phase, at: &mut PhaseRow, statement: u32, done: bool) -> Result<(), Finding> {
    let Some(open) = at.trying.filter(|open| open + 1 == statement) else {
        return Err(refuse(
            Class::Usage,
            format!("statement {statement} of {phase} of step `{id}` is not an open question"),
            "see what is open: triphase check",
        ));
    };
    at.trying = None;
    at.upto = if done { open + 1 } else { open };
    let all = at.upto as usize == at.hashes.len();
    at.state = match (goes_back(at.state), all) {
        (false, true) => PhaseState::Done,
        (false, false) => PhaseState::Failed,
        (true, true) => PhaseState::RolledBack,
        (true, false) => PhaseState::RollbackFailed,
    };
    if at.state == PhaseState::RolledBack {
        at.upto = 0;
        at.hashes.clear();
    }
    Ok(())
}

/// All of the handler at work was done by hand, or was undone.
fn decide_phase(at: &mut PhaseRow, done: bool) {
    at.trying = None;
    at.error = None;
    at.upto = 0;
    at.state = match (goes_back(at.state), done) {
        // What was applied only in part before its rollback began is not done because the rollback is not: it is as far as it was.
        (true, false) if at.partly => {
            at.hashes.clear();
            if let Some(halfway) = at.halfway.take() {
                (at.upto, at.trying, at.hashes) = (halfway.upto, halfway.trying, halfway.hashes);
            }
            PhaseState::Failed
        }
        (false, true) | (true, false) => PhaseState::Done,
        (false, false) => PhaseState::Pending,
        (true, true) => PhaseState::RolledBack,
    };
}

/// What a person says of a phase must leave the step's phases in their order: one that is done has those before it behind it, one that is
/// not has none after it (G2).
fn in_order(id: &StepId, row: &Row, filed: Option<&Step>, phase: Phase, state: PhaseState) -> Option<Finding> {
    let empty = |phase: Phase| filed.map_or(row.phase(phase).empty, |step| !step.has(phase.verb()));
    let through = |phase: Phase| match row.phase(phase).state {
        PhaseState::Done => true,
        PhaseState::Pending | PhaseState::RolledBack => empty(phase),
        PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => false,
    };
    let said = |message, way_out: String| Some(Finding::new(Class::Guard, "G2", message).way_out(way_out));
    match state {
        PhaseState::Done => {
            let behind = Phase::ALL.iter().find(|before| **before < phase && !through(**before))?;
            said(
                format!(
                    "cannot record {phase} of step `{id}` as done: its {behind} is {}, and comes first",
                    row.phase(*behind).state
                ),
                format!(
                    "run it: triphase {behind} {}; or, if it was done by hand: triphase repair done {id} {behind} --reason …",
                    id.release
                ),
            )
        }
        PhaseState::Pending | PhaseState::RolledBack => {
            let ahead = Phase::ALL.iter().rev().find(|after| **after > phase && row.phase(**after).really())?;
            let back = ahead
                .rollback()
                .map_or_else(String::new, |back| format!("roll it back: triphase {back} {}; or, ", id.release));
            said(
                format!(
                    "cannot record {phase} of step `{id}` as {state}: its {ahead} is {}, and comes after it",
                    row.phase(*ahead).state
                ),
                format!("{back}if that is not so: triphase repair undone {id} {ahead} --reason …"),
            )
        }
        PhaseState::Running | PhaseState::Failed | PhaseState::RollingBack | PhaseState::RollbackFailed => None,
    }
}
