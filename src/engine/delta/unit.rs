//! What a unit's ledger entries say of the statement between them.

use crate::{
    ledger::Entry,
    model::{PhaseState, StepId, Verb},
};

/// What a unit with a statement attempts: whose, which handler's, which statement.
pub fn attempted(opens: &[Entry]) -> Option<(&StepId, Verb, u32)> {
    opens.iter().rev().find_map(|entry| match entry {
        Entry::Step { id, row, event, .. } => Some((id, Verb::parse(&event.verb)?, row.trying?)),
        Entry::Replace { .. }
        | Entry::Keep { .. }
        | Entry::Rename { .. }
        | Entry::Upgrade { .. }
        | Entry::Rollout { .. } => None,
    })
}

/// Whether a handler ends with these entries.
pub fn ends(closes: &[Entry]) -> bool {
    closes.iter().any(|entry| match entry {
        Entry::Step { row, .. } => matches!(row.state, PhaseState::Done | PhaseState::RolledBack) && !row.empty,
        Entry::Replace { .. }
        | Entry::Keep { .. }
        | Entry::Rename { .. }
        | Entry::Upgrade { .. }
        | Entry::Rollout { .. } => false,
    })
}
