//! The lock as a session has it (`GET_LOCK`), and what is left of runs that had it before.
//!
//! A named lock is given back when its session ends, after the last statement and its rollback: who sees it free, sees the session gone.

use super::{
    super::{
        Failure, Held, Me,
        rows::Rows,
        wire::{had_before, noted},
    },
    error::{Broken, NO_TABLE, Trouble as _},
    session::Open,
    settings::{client_name, literal, work_name},
    wire::Wire,
};
use crate::ledger::RunRow;
use anyhow::anyhow;
use std::time::Duration;

/// The run's row.
#[derive(Clone, Debug)]
pub(super) struct Last {
    /// Who.
    pub run: RunRow,
    /// The session that held the lock then.
    pub holder: String,
    /// The run whose sessions may still be there.
    pub before: Option<String>,
    /// The session that did its work.
    pub work: String,
}

/// The last run; `None` where no ledger is there.
pub(super) async fn last(wire: &mut Wire, rows: &Rows) -> Result<Option<Last>, Failure> {
    let given = match wire.one(&rows.run_query()).await {
        Ok(given) => given,
        Err(broken) if broken.number() == Some(NO_TABLE) => return Ok(None),
        Err(broken) => return Err(broken.access("cannot read the last run")),
    };
    Ok(rows.run(&given.rows)?.map(|(run, session)| {
        let (holder, work) = session.split_once(' ').unwrap_or((&session, ""));
        Last { before: had_before(&run, &session), run, holder: holder.to_owned(), work: work.to_owned() }
    }))
}

/// Tries for the lock. `Err`: who has it. Having it twice would need giving it back twice, so it is asked for only where it is not had.
pub(super) async fn take(wire: &mut Wire, open: &Open, me: &Me) -> Result<Result<Option<Last>, Held>, Failure> {
    let asking = |b: Broken| b.access("cannot ask for the lock");
    let given = wire.one(&format!("SELECT GET_LOCK({}, 0)", literal(&open.lock_name))).await.map_err(asking)?;
    match given.first() {
        Some("1") => match last(wire, &open.rows).await {
            Ok(last) => Ok(Ok(last)),
            Err(lost @ Failure::Lost(_)) => Err(lost),
            Err(failure) => {
                // Nobody is to wait for a lock that this try does not use.
                give_back(wire, open).await?;
                Err(failure)
            }
        },
        Some(_) => Ok(Err(held(wire, open, me).await?)),
        None => Err(Failure::Access(anyhow!("{}: the server gives no named locks (GET_LOCK)", open.shown()))),
    }
}

/// Who has the lock; else the statement of a dead run that is still at work.
pub(super) async fn had(wire: &mut Wire, open: &Open) -> Result<Option<Held>, Failure> {
    let id = holder(wire, &open.lock_name).await.map_err(|b| b.access("cannot read who holds the lock"))?;
    Ok(match id {
        Some(id) => Some(told(wire, open, Some(id)).await?),
        None => match last(wire, &open.rows).await? {
            Some(Last { before: Some(run), .. }) => at_work(wire, &run).await?,
            Some(Last { before: None, .. }) | None => None,
        },
    })
}

/// The statement that a dead run's sessions are at. What another user's session does may not be shown: then it is taken to be at work.
async fn at_work(wire: &mut Wire, run: &str) -> Result<Option<Held>, Failure> {
    let reading = |b: Broken| b.access("cannot look for a dead run's sessions");
    for name in [client_name(run), work_name(run)] {
        let Some(id) = holder(wire, &name).await.map_err(reading)? else { continue };
        let idle = format!("SELECT 1 FROM information_schema.processlist WHERE id = {id} AND command = 'Sleep'");
        if wire.one(&idle).await.map_err(reading)?.count == 0 {
            return Ok(Some(Held { by: None, what: still_at_work(run, &format!("connection {id}")) }));
        }
    }
    Ok(None)
}

/// What is waited for where a dead run's statement goes on (rule X2).
fn still_at_work(run: &str, session: &str) -> String {
    format!("a statement of dead run {run} that is still at work ({session})")
}

/// Who has the lock, as far as it says so. A session by which this very run held it before its connection was lost is ended: of that the
/// server need not have heard yet.
async fn held(wire: &mut Wire, open: &Open, me: &Me) -> Result<Held, Failure> {
    let id = holder(wire, &open.lock_name).await.map_err(|b| b.access("cannot read who holds the lock"))?;
    let told = told(wire, open, id.clone()).await?;
    if let (Some(id), Some(_)) = (&id, told.by.as_ref().filter(|run| run.run == me.run)) {
        tracing::info!(run = me.run, id, "ending this run's own session that was lost");
        kill(wire, id).await.map_err(|b| b.access("cannot end this run's own session that was lost"))?;
    }
    Ok(told)
}

/// What is known of the connection that has the lock.
async fn told(wire: &mut Wire, open: &Open, id: Option<String>) -> Result<Held, Failure> {
    let last = last(wire, &open.rows).await?;
    // The row is the holder's only once it has begun.
    let by = match last.filter(|last| id.as_deref() == Some(last.holder.as_str())) {
        Some(last) => Some(RunRow { at: at(wire, &last.work).await?, ..last.run }),
        None => None,
    };
    let what = match (id, &by) {
        // It was given back this moment, or the run's row says more.
        (None, _) | (Some(_), Some(_)) => "the lock".to_owned(),
        (Some(id), None) => format!("the lock, held by connection {id}"),
    };
    Ok(Held { by, what })
}

/// What the session that does a run's work is at: its statement begins with it. `None` between two statements, and where another user's
/// are not shown (the right PROCESS).
async fn at(wire: &mut Wire, work: &str) -> Result<Option<String>, Failure> {
    let query = format!("SELECT info FROM information_schema.processlist WHERE id = {}", literal(work));
    let found = wire.one(&query).await.map_err(|b| b.access("cannot read what the holder is at"))?;
    Ok(found.first().and_then(noted))
}

/// Ends a session, the connection and not only its query; that it is gone already is as good.
pub(super) async fn kill(wire: &mut Wire, id: &str) -> Result<(), Broken> {
    match wire.one(&format!("KILL CONNECTION {id}")).await {
        Ok(_) => Ok(()),
        Err(broken) if broken.no_session() => Ok(()),
        Err(broken) => Err(broken),
    }
}

/// The id of the connection that has a named lock.
pub(super) async fn holder(wire: &mut Wire, name: &str) -> Result<Option<String>, Broken> {
    Ok(wire.one(&format!("SELECT IS_USED_LOCK({})", literal(name))).await?.first().map(str::to_owned))
}

/// Gives the lock back.
pub(super) async fn give_back(wire: &mut Wire, open: &Open) -> Result<(), Failure> {
    let text = format!("SELECT RELEASE_LOCK({})", literal(&open.lock_name));
    wire.one(&text).await.map(|_| ()).map_err(|b| b.access("cannot give the lock back"))
}

/// Whether this connection still has the lock.
pub(super) async fn holds(wire: &mut Wire, open: &Open) -> Result<bool, Broken> {
    let text = format!("SELECT IS_USED_LOCK({}) = CONNECTION_ID()", literal(&open.lock_name));
    Ok(wire.one(&text).await?.first() == Some("1"))
}

/// Names a work session after its run, and gives the connection's id; `None` where an earlier one of that name is still there.
pub(super) async fn take_name(work: &mut Wire, run: &str) -> Result<Option<String>, Failure> {
    let text = format!("SELECT GET_LOCK({}, 0), CONNECTION_ID()", literal(&work_name(run)));
    let given = work.one(&text).await.map_err(|b| b.access("cannot name the session"))?;
    Ok((given.first() == Some("1")).then(|| given.column(1).unwrap_or_default().to_owned()))
}

/// Ends the sessions of `run`: its client's, and the one that does its work. `Some`: what is still at work (rule X2).
pub(super) async fn end(wire: &mut Wire, run: &str) -> Result<Option<String>, Failure> {
    match end_client(wire, run).await? {
        None => end_work(wire, run).await,
        left => Ok(left),
    }
}

/// Ends the session of the client that a run has started.
pub(super) async fn end_client(wire: &mut Wire, run: &str) -> Result<Option<String>, Failure> {
    end_named(wire, run, &client_name(run)).await
}

/// Ends the session that does a run's work.
pub(super) async fn end_work(wire: &mut Wire, run: &str) -> Result<Option<String>, Failure> {
    end_named(wire, run, &work_name(run)).await
}

/// Ends the session that has a named lock: the connection and not only its statement, for an idle one could still be sent one. `Some`: what is
/// still at work (rule X2).
async fn end_named(wire: &mut Wire, run: &str, name: &str) -> Result<Option<String>, Failure> {
    let reading = |b: Broken| b.access("cannot look for a dead run's session");
    let mut killed: Option<String> = None;
    // A killed session needs a moment to go; one that has much to roll back needs longer, and is waited for by the caller.
    for _ in 0..20 {
        let named = holder(wire, name).await.map_err(reading)?;
        let Some(id) = named else {
            match &killed {
                // Its lock is gone; the thread itself may take a moment more.
                Some(id) if listed(wire, id).await.map_err(reading)? => {}
                Some(_) | None => return Ok(None),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if killed.as_deref() != Some(id.as_str()) {
            tracing::info!(run, id, "ending the session of a dead run");
            match kill(wire, &id).await {
                Ok(()) => {}
                Err(broken) if broken.may_not_kill() => {
                    return Ok(Some(format!(
                        "a session of dead run {run} that this user may not end (connection {id}; KILL {id} as its own user or an administrator)"
                    )));
                }
                Err(broken) => return Err(reading(broken)),
            }
            killed = Some(id);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Some(match killed {
        Some(id) => still_at_work(run, &format!("connection {id}, killed")),
        None => format!("a session of dead run {run}"),
    }))
}

/// Whether the server lists a connection. Another user's is seen with the right PROCESS only.
async fn listed(wire: &mut Wire, id: &str) -> Result<bool, Broken> {
    let text = format!("SELECT 1 FROM information_schema.processlist WHERE id = {id}");
    Ok(wire.one(&text).await?.count > 0)
}
