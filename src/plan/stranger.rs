//! A step's table that is gone, or in whose place there is another one: what comes next of the step has nothing to go on from (O12). It is
//! refused as what does not fit, and a person says what is to be.

use super::{Task, operations};
use crate::{
    ledger::{Facts, Row},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb, Way},
    ops::{Does, Refusal, Stranger},
};

/// What speaks against a task.
pub(super) fn refusal(task: &Task, facts: &Facts) -> Option<Finding> {
    let strangers = facts.lake.strangers.get(&task.id)?;
    let row = facts.ledger.steps.get(&task.id)?;
    let acts = operations::acts(&task.handler);
    let rest = acts.iter().skip(task.from as usize);
    // A deletion sees by itself what it finds.
    let mut works = rest.filter(|act| !matches!(act.does, Does::Nothing { .. } | Does::Delete));
    let (table, stranger) = works.find_map(|act| Some((&act.table, strangers.get(facts.lake.name(&act.table))?)))?;
    // Where each action is asked whether it is needed, what is not there needs none; but values can't come back to no table.
    let needs_none = task.ask_each && (stranger.there || task.verb == Verb::RollbackAdd);
    (!needs_none).then(|| said(table, stranger, task, row).finding(&task.id))
}

fn said(table: &str, stranger: &Stranger, task: &Task, row: &Row) -> Refusal {
    let changed = stranger.changed;
    let (message, put_back) = if stranger.there {
        let again = "it was dropped and made anew, and nothing of the step is in it";
        (format!("table `{table}` is another one than its {changed} has changed: {again}"), "put that table back")
    } else {
        (format!("table `{table}`, which its {changed} has changed, is gone"), "bring the table back")
    };
    let say = say(&task.id, task.verb, row, stranger.there);
    Refusal::new(Class::Guard, "O12", message).way_out(format!("{put_back}; or, if it stays so, {say}"))
}

/// What a person says where nothing of a step's is left in a table.
fn say(id: &StepId, verb: Verb, row: &Row, there: bool) -> String {
    let phase = verb.phase();
    let undone = |phase: Phase| format!("triphase repair undone {id} {phase} --reason …");
    let begun = matches!(row.phase(phase).state, PhaseState::RollingBack | PhaseState::RollbackFailed);
    match verb.way() {
        Way::Back if begun => format!("say that it is taken back: triphase repair done {id} {phase} --reason …"),
        Way::Back => format!("say that nothing of it is left: {}", undone(phase)),
        Way::Forward if phase == Phase::Add => format!("say that nothing of it is left: {}", undone(phase)),
        Way::Forward => {
            let done = format!("say that the {phase} has nothing to do: triphase repair done {id} {phase} --reason …");
            let behind = Phase::ALL.iter().rev().filter(|behind| **behind <= phase && row.phase(**behind).really());
            let behind: Vec<String> = behind.map(|behind| undone(*behind)).collect();
            if there && !behind.is_empty() {
                format!("{done}; to have the step change this table too, say that it never was: {}", behind.join("; "))
            } else {
                done
            }
        }
    }
}
