//! Whether something between us and the server changes the server's process under us: a pooler in transaction mode. Found by
//! behaviour, because a pooler need not say what it is.

use super::{super::wire::Given, error::Broken, session::Pg, text::NO_LIMIT, wire::Wire};
use crate::{
    action::Action,
    ledger::Unit,
    model::{Class, Finding},
};

/// How the lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By the session: a connection is one server process.
    Session,
    /// By a row that is renewed: a connection is a server process only as long as a transaction lasts.
    Lease,
}

/// Tells by two connections. One of them holds a process in a transaction meanwhile, so that a pooler has to show its hand: it gives
/// the process that `first` seemed to have to `second`, or another one to `first`.
pub(super) async fn mode(first: &mut Wire, second: &mut Wire) -> Result<Mode, Broken> {
    const PID: &str = "SELECT pg_backend_pid()::text";
    let ours = pid(first.all(PID.to_owned()).await?);
    let theirs = pid(second.all(format!("BEGIN; {NO_LIMIT}; {PID}")).await?);
    let again = pid(first.all(PID.to_owned()).await?);
    second.all("ROLLBACK".to_owned()).await?;
    let held = pid(first.all(format!("BEGIN; {NO_LIMIT}; {PID}")).await?);
    let other = pid(second.all(PID.to_owned()).await?);
    first.all("ROLLBACK".to_owned()).await?;
    let steady = ours == again && again == held && theirs == other && ours != theirs;
    let mode = if steady { Mode::Session } else { Mode::Lease };
    tracing::debug!(?mode, ?ours, ?again, ?held, ?theirs, ?other, "how the server's processes are given out");
    Ok(mode)
}

/// Refuses what runs by itself and would go to another schema behind a pooler in transaction mode, or without what its handler has set:
/// each statement may go to another server session there.
pub(super) fn diverts(pg: &Pg, units: &[Unit]) -> Option<Finding> {
    let lost = units.iter().find_map(|unit| match (unit.actions.as_slice(), unit.setup.last()) {
        ([Action::Sql { alone: true, .. } | Action::Shell { .. }], _) if !pg.about.heads => {
            Some(format!("would not see schema {}", pg.schema))
        }
        ([Action::Sql { alone: true, .. }], Some(text)) => {
            Some(format!("would not have what its handler has set (`{text}`)"))
        }
        _ => None,
    })?;
    let message = format!(
        "a transaction-mode pooler stands before {}: a statement that can't run in a transaction {lost} there",
        pg.shown()
    );
    Some(Finding::new(Class::Access, "X3", message).way_out("name an `admin_connection` that goes around it"))
}

fn pid(results: Vec<Given>) -> Option<String> {
    results.last().and_then(|r| r.first().map(str::to_owned))
}
