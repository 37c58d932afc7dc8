//! `unlock`: ends who holds the lock.

use super::{
    super::{
        Failure, Me, holder,
        wire::{alive, nobody, taken_away, unlocked},
    },
    error::{Broken, Trouble as _},
    lock,
    pooler::Mode,
    session::Pg,
    text::{BEGIN, millis, waits_for},
    wire::Wire,
};
use std::time::Duration;

/// How long a run's own transaction is waited for before its session is ended.
const SOON: &str = "100ms";

/// Ends the holder's sessions, or its lease. A live one needs `force`.
pub(super) async fn evict(pg: &Pg, me: &Me, force: bool) -> Result<String, Failure> {
    let mut wire = pg.lock.lock().await;
    let timeout = millis(&pg.target.lock_timeout);
    let last = lock::last(&mut wire, &pg.rows, &timeout).await?;
    let session = lock::holder(&mut wire, pg.key).await?;
    let leased = last.as_ref().filter(|l| l.live);
    let who = match (&session, leased) {
        (None, None) => {
            let left = lock::had(&mut wire, &pg.rows, pg.key, &timeout).await?;
            return Ok(nobody(&pg.shown(), left.as_ref()));
        }
        (Some(session), _) => match last.as_ref().filter(|l| l.holder == session.pid) {
            Some(l) => format!("{} ({})", holder(&l.run), session.shown()),
            None => session.shown(),
        },
        (None, Some(l)) => format!("{} (a lease)", holder(&l.run)),
    };
    if !force {
        return Err(alive(&who));
    }
    tracing::info!(by = me.who, who, "ending the lock's holder");
    let pid = session.as_ref().map(|session| session.pid.as_str());
    let (known, run) = (last.is_some(), last.filter(|last| leased_or_held(last, pid)));
    // It may come back by itself: it then finds that the lock is not its own any more (rule X2). Where a transaction of its own keeps the
    // row, that has to end first.
    let fence = run.as_ref().map(|last| [taken_away(&pg.rows, &last.run.run)]);
    let writing = |b: Broken| b.access("cannot take the lock's row away from its holder");
    let mut fenced = false;
    if let Some(fence) = &fence {
        fenced = match write(&mut wire, SOON, fence).await {
            Ok(()) => true,
            Err(broken) if broken.busy() => false,
            Err(broken) => return Err(writing(broken)),
        };
    }
    let mut done = Vec::new();
    if let Some(session) = &session {
        let text = format!(
            "SELECT pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE l.pid = {} AND {}",
            session.pid,
            pg.key.held()
        );
        wire.all(text).await.map_err(|b| b.access("cannot end the holder's session"))?;
        // What it was doing may hold what the ledger must not keep.
        done.push(format!("ended {}", session.who));
    }
    let mut left = None;
    if let Some(last) = &run {
        let (mode, what) = if last.live { (Mode::Lease, "the lease of ") } else { (Mode::Session, "") };
        left = lock::end(&mut wire, &last.run.run, "", mode).await?;
        done.push(format!("ended {what}{}", holder(&last.run)));
    }
    if let Some(fence) = fence.filter(|_| !fenced) {
        write(&mut wire, &timeout, &fence).await.map_err(writing)?;
    }
    let done = done.join("; ");
    if known {
        let record = [unlocked(&pg.rows, me, &done)];
        let written = write(&mut wire, &timeout, &record).await;
        written.map_err(|b| b.access(&format!("{done}, which could not be recorded")))?;
    }
    if let Some(left) = left {
        return Err(Failure::Busy(left));
    }
    if !given_back(&mut wire, pg, pid).await? {
        return Err(Failure::Busy(format!("{done}, and it has not given its lock back yet")));
    }
    Ok(done)
}

/// Waits a while until the lock is no more a process's; another run may have it by then.
async fn given_back(wire: &mut Wire, pg: &Pg, pid: Option<&str>) -> Result<bool, Failure> {
    for _ in 0..100 {
        let now = lock::holder(wire, pg.key).await?;
        if now.is_none_or(|now| Some(now.pid.as_str()) != pid) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// Writes in one transaction that waits for nobody for longer than `wait`.
async fn write(wire: &mut Wire, wait: &str, statements: &[String]) -> Result<(), Broken> {
    let settings = waits_for(wait);
    let written = wire.all(format!("{BEGIN};\n{settings};\n{};\nCOMMIT", statements.join(";\n"))).await;
    match written {
        Ok(_) => Ok(()),
        Err(broken) => {
            // What went wrong is told by the error; the transaction ends here or with the session.
            let _ = wire.all("ROLLBACK".to_owned()).await;
            Err(broken)
        }
    }
}

fn leased_or_held(last: &lock::Last, pid: Option<&str>) -> bool {
    last.live || pid == Some(last.holder.as_str())
}
