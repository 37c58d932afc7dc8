//! Where a handler that was begun goes on (rules L4, L6).

use super::played::Played;
use crate::{
    action::{Action, Handler},
    ledger::{PhaseRow, Verdict},
    model::{Class, Finding, PhaseState, StepId, Verb, Way},
};

/// The index of the first action that is not done.
///
/// # Errors
/// Where the open statement is undecided (5), or what is done was edited since (6).
pub(super) fn resume(
    played: &Played<'_>,
    id: &StepId,
    verb: Verb,
    row: &PhaseRow,
    handler: Option<&Handler>,
) -> Result<u32, Finding> {
    let from = match row.trying {
        None => row.upto,
        Some(index) if ended_badly(row, index, handler) => index,
        Some(index) => match played.facts.verdict(id, verb.phase()) {
            Verdict::Applied => index + 1,
            Verdict::Not => index,
            Verdict::Unknown => return Err(undecided(played, id, verb, index)),
        },
    };
    let now: Vec<_> = handler.map(|h| h.actions.iter().map(Action::hash).collect()).unwrap_or_default();
    let same = row.hashes.iter().zip(&now).take(from as usize).take_while(|(then, now)| then == now).count();
    if same < row.hashes.len().min(from as usize) || from as usize > now.len() {
        let source = verb.way() == Way::Forward && handler.map(|handler| &handler.checksum) == row.checksum.as_ref();
        let found = otherwise(id, verb, same + 1, same < now.len(), source);
        // A rollback runs from the ledger, whatever the file says.
        let step = played.project.step(id).filter(|_| verb.way() == Way::Forward);
        return Err(found.at(step.and_then(|step| played.project.place(step, Some(verb)))));
    }
    // An `expect` guards what comes after it, and that is not done: it is asked again (F3).
    let expects = handler.into_iter().flat_map(|h| h.actions[..from as usize].iter().rev());
    let again = expects.take_while(|action| matches!(action, Action::Expect { .. })).count();
    Ok(from - u32::try_from(again).unwrap_or(from))
}

/// L6: a statement that is done reads otherwise now. `there`: it is still there; `source`: the file's text is the one that ran.
fn otherwise(id: &StepId, verb: Verb, k: usize, there: bool, source: bool) -> Finding {
    let (what, way_out) = match (there, source) {
        (_, true) => (
            "reads otherwise since the target's `vars` were changed",
            "give the `vars` the values that it ran with, until the step is done",
        ),
        (true, false) => ("was edited since", "put it back as it ran, and edit only what comes after what is done"),
        (false, false) => ("was taken out since", "put it back as it ran, and edit only what comes after what is done"),
    };
    let message = format!("cannot resume {verb} of step `{id}`: statement {k}, which is done, {what}");
    Finding::new(Class::Drift, "L6", message).way_out(way_out)
}

/// Whether the open action is a client's file that is known to have ended, and badly: it is run again (F4).
pub(super) fn ended_badly(row: &PhaseRow, index: u32, handler: Option<&Handler>) -> bool {
    let failed = matches!(row.state, PhaseState::Failed | PhaseState::RollbackFailed);
    failed && matches!(handler.and_then(|h| h.actions.get(index as usize)), Some(Action::Shell { .. }))
}

/// The rule of a question that only a person can answer.
pub(super) const UNDECIDED: &str = "L4";

/// The question that only a person can answer, and the two commands that do.
pub(super) fn undecided(played: &Played<'_>, id: &StepId, verb: Verb, index: u32) -> Finding {
    let text = played
        .facts
        .stored
        .get(id)
        .and_then(|handlers| handlers.get(&verb))
        .and_then(|handler| handler.actions.get(index as usize))
        .map_or_else(String::new, |action| format!(":\n    {}", action.text().replace('\n', "\n    ")));
    let (k, phase) = (index + 1, verb.phase());
    Finding::new(
        Class::Decision,
        UNDECIDED,
        format!("it is not known whether statement {k} of {verb} of step `{id}` was applied{text}"),
    )
    .way_out(format!(
        "look, then say: triphase repair done {id} {phase} {k} --reason …   or   triphase repair undone {id} {phase} {k} --reason …"
    ))
}
