//! What a unit's ledger entries say of the statement between them.

use crate::{
    ledger::Entry,
    model::{PhaseState, StepId, Verb},
};

/// What a unit with a statement attempts: whose, which handler's, which statement.
pub fn attempted(opens: &[Entry]) -> Option<(&StepId, Verb, u32)> {
    let mut phases = opens.iter().rev().filter_map(Entry::phase);
    phases.find_map(|(id, _, row, event)| Some((id, Verb::parse(&event.verb)?, row.trying?)))
}

/// Whether a handler ends with these entries.
pub fn ends(closes: &[Entry]) -> bool {
    let ended = |state| matches!(state, PhaseState::Done | PhaseState::RolledBack);
    closes.iter().filter_map(Entry::phase).any(|(_, _, row, _)| ended(row.state) && !row.empty)
}
