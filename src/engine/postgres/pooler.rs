//! Whether something between us and the server changes the server's process under us: a pooler in transaction mode. Found by
//! behaviour, because a pooler need not say what it is.

use super::{super::wire::Given, error::Broken, text::NO_LIMIT, wire::Wire};

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

fn pid(results: Vec<Given>) -> Option<String> {
    results.last().and_then(|r| r.first().map(str::to_owned))
}
