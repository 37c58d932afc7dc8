//! One phase of one step: where it goes from each state. The whole table; the compiler sees that nothing is missing.

use crate::model::{PhaseState, Way};

/// What comes next for a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The handler runs from its start.
    Run,
    /// The handler goes on at its first action that is not done.
    Resume,
    /// There is nothing to do.
    Nothing,
    /// It was rolled back: it runs again only when named (G7).
    OnlyIfNamed,
    /// A rollback of it has begun: only that rollback, or `repair`, goes on.
    FinishRollback,
    /// Nothing of it had committed: it becomes `rolled_back` with nothing run.
    MarkRolledBack,
    /// It is partly applied: the whole rollback handler runs, each statement asked first.
    RunAsking,
}

/// Seven states, two ways; `committed`: a statement of the phase has committed, or may have.
pub const fn next(state: PhaseState, way: Way, committed: bool) -> Next {
    match (state, way, committed) {
        (PhaseState::Pending, Way::Forward, _) => Next::Run,
        (PhaseState::Running | PhaseState::Failed, Way::Forward, _) => Next::Resume,
        (PhaseState::Done, Way::Forward, _) => Next::Nothing,
        (PhaseState::RolledBack, Way::Forward, _) => Next::OnlyIfNamed,
        (PhaseState::RollingBack | PhaseState::RollbackFailed, Way::Forward, _) => Next::FinishRollback,
        (PhaseState::Pending | PhaseState::RolledBack, Way::Back, _) => Next::Nothing,
        (PhaseState::Done, Way::Back, _) => Next::Run,
        (PhaseState::Running | PhaseState::Failed, Way::Back, false) => Next::MarkRolledBack,
        (PhaseState::Running | PhaseState::Failed, Way::Back, true) => Next::RunAsking,
        (PhaseState::RollingBack | PhaseState::RollbackFailed, Way::Back, _) => Next::Resume,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table, row by row: state, forward, back with nothing committed, back with something committed.
    #[test]
    fn the_state_table_is_total_and_this() {
        use Next::{FinishRollback, MarkRolledBack, Nothing, OnlyIfNamed, Resume, Run, RunAsking};
        let table = [
            (PhaseState::Pending, Run, Nothing, Nothing),
            (PhaseState::Running, Resume, MarkRolledBack, RunAsking),
            (PhaseState::Done, Nothing, Run, Run),
            (PhaseState::Failed, Resume, MarkRolledBack, RunAsking),
            (PhaseState::RollingBack, FinishRollback, Resume, Resume),
            (PhaseState::RolledBack, OnlyIfNamed, Nothing, Nothing),
            (PhaseState::RollbackFailed, FinishRollback, Resume, Resume),
        ];
        assert_eq!(table.map(|row| row.0).as_slice(), PhaseState::ALL);
        for (state, forward, clean, partly) in table {
            assert_eq!(next(state, Way::Forward, false), forward);
            assert_eq!(next(state, Way::Forward, true), forward);
            assert_eq!(next(state, Way::Back, false), clean);
            assert_eq!(next(state, Way::Back, true), partly);
        }
    }
}
