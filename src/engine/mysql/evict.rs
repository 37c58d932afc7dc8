//! `unlock`: ends who holds the lock.

use super::{
    super::{Failure, Me, holder},
    error::{Broken, Trouble as _},
    lock,
    session::Open,
    settings::literal,
};
use crate::model::{Class, Finding};
use anyhow::anyhow;

/// Ends the holder's sessions. A live one needs `force`.
pub(super) async fn evict(open: &Open, me: &Me, force: bool) -> Result<String, Failure> {
    let mut wire = open.lock.lock().await;
    let reading = |b: Broken| b.access("cannot read who holds the lock");
    let last = lock::last(&mut wire, &open.rows).await?;
    let Some(id) = lock::holder(&mut wire, &open.lock_name).await.map_err(reading)? else {
        return Ok(format!("nothing to do: no one holds the lock of {}", open.shown()));
    };
    let listed = wire
        .one(&format!("SELECT USER, HOST FROM information_schema.processlist WHERE id = {id}"))
        .await
        .map_err(reading)?;
    let session = match (listed.column(0), listed.column(1)) {
        (Some(user), Some(host)) => format!("connection {id} of user {user} from {host}"),
        _ => format!("connection {id}"),
    };
    let run = last.filter(|last| last.holder == id).map(|last| last.run);
    let who = run.as_ref().map_or_else(|| session.clone(), |run| format!("{} ({session})", holder(run)));
    if !force {
        return Err(Failure::Refused(Box::new(
            Finding::new(Class::Guard, "X3", format!("the lock's holder is alive: {who}"))
                .way_out("wait for it, or end it: triphase unlock --force"),
        )));
    }
    tracing::info!(by = me.who, who, "ending the lock's holder");
    match wire.one(&format!("KILL CONNECTION {id}")).await {
        Ok(_) => {}
        Err(broken) if broken.no_session() => {}
        Err(broken) if broken.may_not_kill() => {
            return Err(Failure::Access(anyhow!(
                "{session} can't be ended by {}: {}; ask its own user or an administrator",
                open.shown(),
                broken.words()
            )));
        }
        Err(broken) => return Err(broken.access("cannot end the holder's session")),
    }
    if let Some(run) = &run
        && let Some(left) = lock::end(&mut wire, &run.run).await?
    {
        return Err(Failure::Busy(left));
    }
    let free = format!("SELECT GET_LOCK({0}, 5) AND RELEASE_LOCK({0})", literal(&open.lock_name));
    if wire.one(&free).await.map_err(reading)?.first() != Some("1") {
        return Err(Failure::Busy(format!("{session} was killed, and has not given its lock back yet")));
    }
    Ok(match run {
        Some(run) => format!("ended {session}; ended {}", holder(&run)),
        None => format!("ended {session}"),
    })
}
