//! Rollbacks. They go by the ledger alone: an older checkout, a broken one or none plans the same (L2, G8).

use super::{
    Request, Task,
    forward::nothing,
    guards,
    machine::{Next, next},
    played::Played,
    resume,
};
use crate::{
    action::{Action, Handler, Handlers},
    ledger::{PhaseRow, Row, Verdict, after, of},
    model::{Finding, Label, Phase, PhaseState, StepId, Verb, Version, Way},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// What a rollback comes to.
#[derive(Default)]
pub(super) struct Back {
    pub tasks: Vec<Task>,
    pub findings: Vec<Finding>,
    pub warnings: Vec<String>,
}

/// Plans `rollback_add` or `rollback_simdrop` of a release, or of one step of it.
pub(super) fn back(
    played: &Played<'_>,
    release: &Version,
    verb: Verb,
    only: Option<&StepId>,
    request: &Request,
) -> Back {
    let mut back = Back::default();
    let mut rows: Vec<(&StepId, &Row)> = of(&played.steps, release)
        .filter(|(id, _)| only.is_none_or(|only| only == *id))
        .filter(|(_, row)| takes(row.phase(verb.phase())))
        .collect();
    if rows.is_empty() {
        return back;
    }
    // The release's own hooks stand around the steps; those go back in reverse of the order they really ran.
    rows.sort_by_key(|(id, row)| (rank(id), Reverse(row.phase(verb.phase()).seq), Reverse(id.step.as_str())));
    let of_release = || of(&played.steps, release);
    if let Some((id, _)) = of_release().find(|(_, row)| row.phase(Phase::Drop).really()) {
        // No way out that another guard could name leads past this one.
        back.findings.push(guards::not_dropped(verb, id));
        return back;
    }
    if verb == Verb::RollbackAdd {
        // A hook has no step of its own to go by: what it hid, it hid for every step of the release.
        let mut hidden: Vec<_> = of_release()
            .filter(|(id, row)| {
                (only.is_none_or(|only| only == *id) || id.is_hook()) && row.phase(Phase::Simdrop).really()
            })
            .map(|(id, _)| id)
            .collect();
        if !hidden.is_empty() && request.cascade {
            let first = self::back(played, release, Verb::RollbackSimdrop, only, request);
            hidden.retain(|id| only.is_some_and(|only| only != *id));
            back.findings.extend(first.findings);
            back.warnings.extend(first.warnings);
            back.tasks.extend(first.tasks);
        }
        back.findings.extend(hidden.into_iter().map(guards::not_simdropped));
    }
    later(played, release, verb, &mut back);
    if let Some(only) = only {
        let seq = played.row(only).map_or(0, |row| row.phase(verb.phase()).seq);
        if let Some((after, _)) = of_release().find(|(id, row)| {
            *id != only && !id.is_hook() && row.phase(verb.phase()).really() && row.phase(verb.phase()).seq > seq
        }) {
            back.findings.push(
                Finding::new(
                    crate::model::Class::Guard,
                    "G3",
                    format!("cannot {verb} step `{only}`: step `{after}` ran after it and is not rolled back"),
                )
                .way_out(format!("roll that one back first: triphase {verb} {after}")),
            );
        }
    }
    if only.is_some_and(|only| !only.is_hook()) {
        let hooks: Vec<_> = of_release()
            .filter(|(id, row)| id.is_hook() && takes(row.phase(verb.phase())) && row.stored.contains(&verb))
            .map(|(id, _)| format!("`{id}`"))
            .collect();
        if !hooks.is_empty() {
            back.warnings.push(format!(
                "the release's own {verb} is left out where a step is named: {}; it runs with: triphase {verb} {release}",
                hooks.join(", ")
            ));
        }
    }
    for (id, row) in rows {
        match task(played, id, row, verb, request, &mut back.warnings) {
            Ok(mut task) => {
                task.marks = begun_in_vain(played, id, row, verb.phase());
                // What this very plan takes back is rolled back, and stays that.
                task.marks.retain(|(phase, _)| {
                    !back.tasks.iter().any(|other| other.id == *id && other.verb.phase() == *phase)
                });
                back.tasks.push(task);
            }
            Err(finding) => back.findings.push(finding),
        }
    }
    back
}

/// Whether a statement of the phase has committed, or may have: one that stands open and was not applied has not.
fn committed(played: &Played<'_>, id: &StepId, phase: Phase, row: &PhaseRow) -> bool {
    row.upto > 0 || row.partly || (row.trying.is_some() && played.facts.verdict(id, phase) != Verdict::Not)
}

/// The later phases that failed with nothing committed, as they are once what they built on is taken back: never begun. One that has
/// left something in the target is kept: it must be cleared.
fn begun_in_vain(played: &Played<'_>, id: &StepId, row: &Row, phase: Phase) -> Vec<(Phase, PhaseRow)> {
    let vain = |at: &PhaseRow| matches!(at.state, PhaseState::Running | PhaseState::Failed) && !at.committed();
    Phase::ALL
        .iter()
        .filter(|later| **later > phase && vain(row.phase(**later)) && !played.facts.left.contains_key(id))
        .map(|later| (*later, PhaseRow { empty: row.phase(*later).empty, ..PhaseRow::pending() }))
        .collect()
}

/// Whether a rollback of the phase has anything to do.
pub(super) fn takes(phase: &PhaseRow) -> bool {
    next(phase.state, Way::Back, phase.committed()) != Next::Nothing
}

fn rank(id: &StepId) -> u8 {
    match id.step.as_str() {
        StepId::BEFORE => 0,
        StepId::AFTER => 2,
        _ => 1,
    }
}

/// G5's second half: what later releases build on.
fn later(played: &Played<'_>, release: &Version, verb: Verb, back: &mut Back) {
    let after = || after(&played.steps, release);
    let dropped = |id: &StepId| of(&played.steps, &id.release).any(|(_, row)| row.phase(Phase::Drop).really());
    let past = |row: &Row| Phase::ALL.iter().rev().find(|p| row.phase(**p).really()).map_or("begun", |p| p.past());
    if verb == Verb::RollbackAdd {
        if let Some((id, row)) = after().find(|(_, row)| row.has_progress()) {
            back.findings.push(guards::later_builds(verb, release, id, past(row), dropped(id)));
        }
        return;
    }
    if let Some((id, row)) =
        after().find(|(_, row)| row.phase(Phase::Simdrop).really() || row.phase(Phase::Drop).really())
    {
        back.findings.push(guards::later_builds(verb, release, id, past(row), dropped(id)));
    } else if let Some((id, _)) = after().find(|(_, row)| row.phase(Phase::Add).really()) {
        back.warnings.push(format!(
            "later release `{}` is added already: see that it does without what `{release}` hid",
            id.release
        ));
    }
}

fn task(
    played: &Played<'_>,
    id: &StepId,
    row: &Row,
    verb: Verb,
    request: &Request,
    warnings: &mut Vec<String>,
) -> Result<Task, Finding> {
    let phase = row.phase(verb.phase());
    let stored = played.facts.stored.get(id).and_then(|handlers| handlers.get(&verb));
    // An operation is derived once (O4): its file has no handlers of its own to be taken.
    let filed =
        played.project.step(id).filter(|step| step.operation.is_none()).and_then(|step| step.handlers.get(&verb));
    let derived = played.facts.stored.get(id).is_some_and(is_operation);
    if let (Some(stored), Some(filed)) = (stored, filed)
        && stored.checksum != filed.checksum
    {
        let which = if request.from_files { "the file's" } else { "the ledger's" };
        warnings.push(format!(
            "the {verb} handler of step `{id}` in the file differs from the one stored; {which} is used"
        ));
    }
    let handler = if request.from_files { filed } else { stored };
    let whole = |ask_each| -> Result<(Handler, u32, bool), Finding> {
        match handler {
            Some(handler) => Ok((handler.clone(), 0, ask_each)),
            None if request.from_files && stored.is_some() => Err(guards::not_in_files(verb, id)),
            None if id.is_hook() => Ok((nothing(), 0, false)),
            None if derived => Err(guards::no_way_back(verb, id)),
            None => Err(guards::no_handler(verb, id)),
        }
    };
    let left = played.facts.left.get(id).filter(|_| matches!(phase.state, PhaseState::Running | PhaseState::Failed));
    let applies = left.is_some_and(|left| left.applies);
    let step = next(phase.state, Way::Back, committed(played, id, verb.phase(), phase) || applies);
    // Of a step that is applied in part, the handler takes back what is half done too, but not what is half taken away.
    let clears = match left {
        Some(left) if left.applies || step == Next::MarkRolledBack => left.clear.clone(),
        Some(_) | None => Vec::new(),
    };
    if !clears.is_empty() {
        warnings.push(format!("a statement of step `{id}` was cut short; what it left is cleared first"));
    }
    let (handler, from, ask_each) = match step {
        // A hook may have a rollback of its own where its phase had nothing to run (F6).
        Next::Run if phase.empty && !(id.is_hook() && handler.is_some()) => (nothing(), 0, false),
        Next::Run => whole(false)?,
        Next::RunAsking => whole(true)?,
        Next::MarkRolledBack => (nothing(), 0, false),
        Next::Resume => {
            let (handler, _, _) = whole(false)?;
            let from = resume::resume(played, id, verb, phase, Some(&handler))?;
            // Begun on a step that was applied only in part, it may meet what was never there: it goes on asking.
            (handler, from, phase.partly)
        }
        Next::Nothing | Next::OnlyIfNamed | Next::FinishRollback => {
            unreachable!("`takes` lets only rows through that a rollback has something to do for")
        }
    };
    // What runs nothing of the step's takes nothing away.
    let label = if handler.actions.is_empty() { Label::Lossless } else { handler.label };
    if derived && verb == Verb::RollbackSimdrop && label == Label::Lossy && !request.accept_loss {
        return Err(guards::loses(id));
    }
    let keep =
        if request.from_files && handler.actions.is_empty() { Default::default() } else { kept(verb, filed, request) };
    Ok(Task {
        id: id.clone(),
        name: row.name.clone(),
        verb,
        handler,
        from,
        keep,
        label,
        ask_each,
        asked: BTreeMap::new(),
        marks: Vec::new(),
        clears,
    })
}

/// Whether the ledger keeps a step as acts of an operation.
fn is_operation(kept: &Handlers) -> bool {
    let operation = |action: &Action| match action {
        Action::Operation { .. } => true,
        Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => false,
    };
    kept.values().flat_map(|handler| &handler.actions).any(operation)
}

/// With `--from-files`, the file's handler is what the ledger keeps from now on: a resume must find what ran.
fn kept(verb: Verb, filed: Option<&Handler>, request: &Request) -> crate::action::Handlers {
    filed.filter(|_| request.from_files).map(|handler| (verb, handler.clone())).into_iter().collect()
}
