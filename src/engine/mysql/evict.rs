//! `unlock`: ends who holds the lock.

use super::{
    super::{
        Failure, Me, holder,
        wire::{alive, nobody, taken_away, unlocked},
    },
    error::{Broken, Trouble as _},
    lock,
    session::Open,
    settings::{BEGIN, COMMIT, ROLLBACK},
    wire::Wire,
};
use anyhow::anyhow;
use std::time::Duration;

/// Ends the holder's sessions. A live one needs `force`.
pub(super) async fn evict(open: &Open, me: &Me, force: bool) -> Result<String, Failure> {
    let mut wire = open.lock.lock().await;
    let reading = |b: Broken| b.access("cannot read who holds the lock");
    let last = lock::last(&mut wire, &open.rows).await?;
    let Some(id) = lock::holder(&mut wire, &open.lock_name).await.map_err(reading)? else {
        let left = lock::had(&mut wire, open).await?;
        return Ok(nobody(&open.shown(), left.as_ref()));
    };
    let listed = wire
        .one(&format!("SELECT USER, HOST FROM information_schema.processlist WHERE id = {id}"))
        .await
        .map_err(reading)?;
    let session = match (listed.column(0), listed.column(1)) {
        (Some(user), Some(host)) => format!("connection {id} of user {user} from {host}"),
        _ => format!("connection {id}"),
    };
    let known = last.is_some();
    let run = last.filter(|last| last.holder == id).map(|last| last.run);
    let who = run.as_ref().map_or_else(|| session.clone(), |run| format!("{} ({session})", holder(run)));
    if !force {
        return Err(alive(&who));
    }
    tracing::info!(by = me.who, who, "ending the lock's holder");
    match lock::kill(&mut wire, &id).await {
        Ok(()) => {}
        Err(broken) if broken.may_not_kill() => {
            return Err(Failure::Access(anyhow!(
                "{session} can't be ended by {}: {}; ask its own user or an administrator",
                open.shown(),
                broken.words()
            )));
        }
        Err(broken) => return Err(broken.access("cannot end the holder's session")),
    }
    // Its transaction keeps the lock's row.
    let mut left = match &run {
        Some(run) => lock::end_work(&mut wire, &run.run).await?,
        None => None,
    };
    let mut record = Vec::new();
    let done = match &run {
        Some(run) => {
            // It may come back by itself: it then finds that the lock is not its own any more (rule X2).
            record.push(taken_away(&open.rows, &run.run));
            format!("ended {session}; ended {}", holder(run))
        }
        None => format!("ended {session}"),
    };
    if known {
        record.push(unlocked(&open.rows, me, &done));
        // Before its client is ended, or anything waited for: a run that comes back must find it so.
        write(&mut wire, record).await.map_err(|b| b.of_ledger(&format!("{done}, which could not be recorded")))?;
    }
    if let Some(run) = &run {
        left = lock::end_client(&mut wire, &run.run).await?.or(left);
    }
    if let Some(left) = left {
        return Err(Failure::Busy(left));
    }
    // Another run may have it by now.
    for _ in 0..100 {
        if lock::holder(&mut wire, &open.lock_name).await.map_err(reading)?.as_ref() != Some(&id) {
            return Ok(done);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::Busy(format!("{session} was killed, and has not given its lock back yet")))
}

/// Writes what happened, in one transaction.
async fn write(wire: &mut Wire, mut statements: Vec<String>) -> Result<(), Broken> {
    statements.insert(0, BEGIN.to_owned());
    statements.push(COMMIT.to_owned());
    let written = wire.all(&statements).await;
    if written.is_err() {
        // What went wrong is told by the error; the transaction ends here or with the session.
        let _ = wire.one(ROLLBACK).await;
    }
    written.map(drop)
}
