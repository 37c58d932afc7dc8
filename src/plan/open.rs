//! Statements at which a phase stopped: those of which it is not known whether they were applied (rule L4), and those that may have left
//! something (rule L3).

use super::resume::{self, UNDECIDED};
use crate::{
    action::Action,
    ledger::{Facts, Verdict},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb},
};

/// An action that stands open in the ledger, with the step it belongs to (L4).
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Whose.
    pub id: StepId,
    /// Which handler.
    pub verb: Verb,
    /// The action's index.
    pub index: u32,
    /// The action, as stored.
    pub action: Action,
}

/// The statements that stand open in a ledger, as far as their texts are stored (L4).
pub fn open(facts: &Facts) -> Vec<Open> {
    let mut open = Vec::new();
    for (id, row) in &facts.ledger.steps {
        for phase in Phase::ALL {
            let at = row.phase(*phase);
            let back = matches!(at.state, PhaseState::RollingBack | PhaseState::RollbackFailed);
            let verb = if back { phase.rollback().unwrap_or(phase.verb()) } else { phase.verb() };
            let handler = facts.stored.get(id).and_then(|handlers| handlers.get(&verb));
            if let Some(index) = at.trying
                && !resume::ended_badly(at, index, handler)
                && let Some(action) = handler.and_then(|handler| handler.actions.get(index as usize))
            {
                open.push(Open { id: id.clone(), verb, index, action: action.clone() });
            }
        }
    }
    open
}

/// What stands open and is not decided by what is there: its text may be at work, or may have been cut short.
pub fn unclear(facts: &Facts) -> Vec<Open> {
    let mut open = open(facts);
    open.retain(|open| {
        facts.verdict(&open.id, open.verb.phase()) == Verdict::Unknown || facts.left.contains_key(&open.id)
    });
    open
}

/// Puts off what only a person could decide, and what would be cleared away, to the end of the run that has the lock: what stands open is
/// what it is at (X1).
pub fn leave_to_who_is_at_work(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(who) = &facts.at_work else { return };
    findings.retain(|finding| !(finding.class == Class::Decision && finding.rule == UNDECIDED));
    for Open { id, verb, index, .. } in unclear(facts) {
        let message = format!("statement {} of {verb} of step `{id}` is at work, or was: {who}", index + 1);
        findings.push(
            Finding::new(Class::Busy, "X1", message).way_out("wait for its end, then run the same command again"),
        );
    }
}

/// The statements by themselves at which a phase stopped, as far as their texts are stored: each may have left something.
pub fn cut_short(facts: &Facts) -> Vec<Open> {
    let mut stopped = Vec::new();
    for (id, row) in &facts.ledger.steps {
        for phase in Phase::ALL {
            let (at, verb) = (row.phase(*phase), phase.verb());
            let index = at.trying.unwrap_or(at.upto);
            if matches!(at.state, PhaseState::Running | PhaseState::Failed)
                && let Some(handler) = facts.stored.get(id).and_then(|handlers| handlers.get(&verb))
                && let Some(action) = handler.actions.get(index as usize).filter(|action| action.alone())
            {
                stopped.push(Open { id: id.clone(), verb, index, action: action.clone() });
            }
        }
    }
    stopped
}
