//! The lock as a session has it, and what is left of runs that had it before.

use super::{
    super::{
        Failure, Held, Me,
        rows::{Rows, table},
        wire::{had_before, noted},
    },
    error::{Broken, NO_RIGHT, NO_TABLE, Trouble as _},
    pooler::Mode,
    text::{Key, literal, waits_for},
    wire::Wire,
};
use crate::ledger::RunRow;
use std::time::Duration;

/// How a run's work session is called on the server.
pub(super) fn name(run: &str) -> String {
    format!("triphase {run}")
}

/// The run's row with all that is the lock's.
#[derive(Clone, Debug)]
pub(super) struct Last {
    /// Who.
    pub run: RunRow,
    /// The process that held the lock then.
    pub holder: String,
    /// The run whose sessions may still be there.
    pub before: Option<String>,
    /// Whether its lease still lasts.
    pub live: bool,
    /// How often the lock was taken.
    pub epoch: i64,
}

/// The last run; `None` where no ledger is there. `wait`: how long a lock on it is waited for.
pub(super) async fn last(wire: &mut Wire, rows: &Rows, wait: &str) -> Result<Option<Last>, Failure> {
    let lease = format!(
        "SELECT coalesce(lease_until > clock_timestamp(), false)::text, epoch::text FROM {} WHERE id = 1",
        rows.table(table::RUN)
    );
    // One text is one transaction.
    let results = match wire.all(format!("{};\n{};\n{lease}", waits_for(wait), rows.run_query())).await {
        Ok(results) => results,
        Err(broken) if broken.state() == Some(NO_TABLE) => return Ok(None),
        Err(broken) => return Err(broken.access("cannot read the last run")),
    };
    let [_, run, lease] = results.as_slice() else { return Ok(None) };
    Ok(rows.run(&run.rows)?.map(|(run, session)| Last {
        before: had_before(&run, &session),
        run,
        holder: session.split(' ').next().unwrap_or_default().to_owned(),
        live: lease.column(0) == Some("true"),
        epoch: lease.column(1).and_then(|e| e.parse().ok()).unwrap_or(0),
    }))
}

/// Tries for the session's lock. `Err`: who has it.
pub(super) async fn take(
    wire: &mut Wire,
    rows: &Rows,
    key: Key,
    me: &Me,
    wait: &str,
) -> Result<Result<Option<Last>, Held>, Failure> {
    let results = wire
        .all(format!("SELECT pg_try_advisory_lock({})::text", key.arguments()))
        .await
        .map_err(|b| b.access("cannot ask for the lock"))?;
    if results.first().and_then(|r| r.first()) != Some("true") {
        let held = held(wire, rows, key, wait).await?;
        if held.by.as_ref().is_some_and(|run| run.run == me.run) {
            end_own(wire, rows, key, me).await?;
        }
        return Ok(Err(held));
    }
    match last(wire, rows, wait).await {
        Ok(Some(Last { mut run, live: true, .. })) if run.run != me.run => {
            give_back(wire, key).await?;
            run.at = at(wire, &run.run).await?;
            Ok(Err(Held { by: Some(run), what: "the lock (a lease)".to_owned() }))
        }
        Ok(other) => Ok(Ok(other)),
        Err(lost @ Failure::Lost(_)) => Err(lost),
        Err(failure) => {
            // Nobody is to wait for a lock that this try does not use.
            give_back(wire, key).await?;
            Err(failure)
        }
    }
}

/// A session that has the lock.
pub(super) struct Holder {
    /// Its process.
    pub pid: String,
    /// Who it is.
    pub who: String,
    /// What it does, if anything.
    at_work: String,
}

impl Holder {
    /// Who it is and what it does, for messages.
    pub fn shown(&self) -> String {
        format!("{}{}", self.who, self.at_work)
    }
}

/// The session that has the lock, if one has it: a run, or a script in `psql`. What another user's session does is not shown to everybody.
pub(super) async fn holder(wire: &mut Wire, key: Key) -> Result<Option<Holder>, Failure> {
    let query = format!(
        "SELECT l.pid::text, format('session %s (user %s, app %s, from %s)', l.pid, coalesce(a.usename, '?'), \
         coalesce(nullif(a.application_name, ''), '-'), coalesce(a.client_addr::text, 'a local socket')), \
         coalesce(', at work for ' || floor(extract(epoch FROM clock_timestamp() - CASE WHEN a.state <> 'idle' THEN a.query_start END))::text \
         || ' s on: ' || left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80), '') \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE {} LIMIT 1",
        key.held()
    );
    let found = wire.all(query).await.map_err(|b| b.access("cannot read who holds the lock"))?;
    let row = found.first().filter(|found| found.count > 0);
    Ok(row.map(|row| {
        let column = |index| row.column(index).unwrap_or_default().to_owned();
        Holder { pid: column(0), who: column(1), at_work: column(2) }
    }))
}

/// Who has the lock, by a session or by a lease; else the statement of a dead run that is still at work.
pub(super) async fn had(wire: &mut Wire, rows: &Rows, key: Key, wait: &str) -> Result<Option<Held>, Failure> {
    if holder(wire, key).await?.is_some() {
        return held(wire, rows, key, wait).await.map(Some);
    }
    match last(wire, rows, wait).await? {
        Some(last) if last.live => Ok(Some(Held { by: Some(last.run), what: "the lock (a lease)".to_owned() })),
        Some(Last { before: Some(run), .. }) => at_work(wire, &run).await,
        Some(Last { before: None, .. }) | None => Ok(None),
    }
}

/// The statement that a dead run's sessions are at. What another user's session does may not be shown: then it is taken to be at work.
async fn at_work(wire: &mut Wire, run: &str) -> Result<Option<Held>, Failure> {
    let query = format!(
        "SELECT string_agg(pid::text, ', ') FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND application_name = {} \
         AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'",
        literal(&name(run))
    );
    let found = wire.all(query).await.map_err(|b| b.access("cannot look for a dead run's sessions"))?;
    let pids = found.first().and_then(|given| given.first());
    Ok(pids.map(|pids| Held { by: None, what: still_at_work(run, &format!("pid {pids}")) }))
}

/// What is waited for where a dead run's statement goes on (rule X2).
fn still_at_work(run: &str, session: &str) -> String {
    format!("a statement of dead run {run} that is still at work ({session})")
}

/// Who has the session's lock, as far as it says so.
pub(super) async fn held(wire: &mut Wire, rows: &Rows, key: Key, wait: &str) -> Result<Held, Failure> {
    let holder = holder(wire, key).await?;
    let last = last(wire, rows, wait).await?;
    // The row is the holder's only once it has begun.
    let mut by = last.filter(|l| holder.as_ref().is_some_and(|h| h.pid == l.holder)).map(|l| l.run);
    if let Some(run) = &mut by {
        run.at = at(wire, &run.run).await?;
    }
    let what = match (holder, &by) {
        // It was given back this moment, or the run's row says more.
        (None, _) | (Some(_), Some(_)) => "the lock".to_owned(),
        (Some(holder), None) => format!("the lock, held by {}", holder.shown()),
    };
    Ok(Held { by, what })
}

/// Ends the session by which this very run held the lock before its connection was lost: of that the server need not have heard yet.
async fn end_own(wire: &mut Wire, rows: &Rows, key: Key, me: &Me) -> Result<(), Failure> {
    tracing::info!(run = me.run, "ending this run's own session that was lost");
    let text = format!(
        "SELECT pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l JOIN {} r \
         ON r.id = 1 AND r.run_id = {} AND l.pid::text = split_part(r.session, ' ', 1) WHERE {}",
        rows.table(table::RUN),
        literal(&me.run),
        key.held()
    );
    wire.all(text).await.map(|_| ()).map_err(|b| b.access("cannot end this run's own session that was lost"))
}

/// What a run is at: its last text begins with it. `None` where another user's session does not show its texts.
pub(super) async fn at(wire: &mut Wire, run: &str) -> Result<Option<String>, Failure> {
    let query = format!(
        "SELECT query FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND application_name = {} \
         ORDER BY query_start DESC NULLS LAST",
        literal(&name(run))
    );
    let found = wire.all(query).await.map_err(|b| b.access("cannot read what the holder is at"))?;
    let texts = found.iter().flat_map(|given| &given.rows).filter_map(|row| row.first()?.as_deref());
    Ok(texts.filter_map(noted).next())
}

/// Gives the session's lock back.
pub(super) async fn give_back(wire: &mut Wire, key: Key) -> Result<(), Failure> {
    let text = format!("SELECT pg_advisory_unlock({})::text", key.arguments());
    wire.all(text).await.map(|_| ()).map_err(|b| b.access("cannot give the lock back"))
}

/// Whether this connection's process still has the lock.
pub(super) async fn holds(wire: &mut Wire, key: Key) -> Result<bool, Broken> {
    let text = format!("SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = pg_backend_pid() AND {}", key.held());
    Ok(wire.all(text).await?.first().is_some_and(|r| r.count > 0))
}

/// Ends the work sessions of `run`, but for process `spare`. `Some`: what is still at work (rule X2).
pub(super) async fn end(wire: &mut Wire, run: &str, spare: &str, mode: Mode) -> Result<Option<String>, Failure> {
    // Behind a pooler a process goes by the name of the client it served last: only one at work is that client's for sure.
    let busy = match mode {
        Mode::Session => "",
        Mode::Lease => " AND state <> 'idle'",
    };
    let of = format!(
        "FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND application_name = {} AND pid <> pg_backend_pid() \
         AND pid::text <> {}{busy}",
        literal(&name(run)),
        literal(spare)
    );
    let reading = |b: Broken| b.access("cannot look for a dead run's sessions");
    // A terminated process needs a moment to go; one that a client still reads from, or that waits for a disk, needs longer.
    for _ in 0..20 {
        let left = wire.all(format!("SELECT string_agg(pid::text, ', ') {of}")).await.map_err(reading)?;
        let Some(pids) = left.first().and_then(|r| r.first().map(str::to_owned)) else { return Ok(None) };
        tracing::info!(run, pids, "ending the sessions of a dead run");
        match wire.all(format!("SELECT pg_terminate_backend(pid) {of}")).await {
            Ok(_) => {}
            Err(broken) if broken.state() == Some(NO_RIGHT) => break,
            Err(broken) => return Err(reading(broken)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = wire.all(format!("SELECT string_agg(pid::text, ', ') {of}")).await.map_err(reading)?;
    Ok(left.first().and_then(|r| r.first()).map(|pids| still_at_work(run, &format!("pid {pids}"))))
}
