//! `unlock`: ends who holds the lock.

use super::{
    super::{
        Failure, Me, holder,
        wire::{taken_away, unlocked},
    },
    error::{Broken, Trouble as _},
    lock,
    pooler::Mode,
    session::Pg,
    text::{BEGIN, literal, millis, waits_for},
    wire::Wire,
};
use crate::model::{Class, Finding};

/// Ends the holder's sessions, or its lease. A live one needs `force`.
pub(super) async fn evict(pg: &Pg, me: &Me, force: bool) -> Result<String, Failure> {
    let mut wire = pg.lock.lock().await;
    let timeout = millis(&pg.target.lock_timeout);
    let last = lock::last(&mut wire, &pg.rows, &timeout).await?;
    let session = lock::holder(&mut wire, pg.key).await?;
    let leased = last.as_ref().filter(|l| l.live);
    let who = match (&session, leased) {
        (None, None) => return Ok(format!("nothing to do: no one holds the lock of {}", pg.shown())),
        (Some(session), _) => match last.as_ref().filter(|l| l.holder == session.pid) {
            Some(l) => format!("{} ({})", holder(&l.run), session.shown()),
            None => session.shown(),
        },
        (None, Some(l)) => format!("{} (a lease)", holder(&l.run)),
    };
    if !force {
        return Err(Failure::Refused(Box::new(
            Finding::new(Class::Guard, "X3", format!("the lock's holder is alive: {who}"))
                .way_out("wait for it, or end it: triphase unlock --force"),
        )));
    }
    tracing::info!(by = me.who, who, "ending the lock's holder");
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
    let known = last.is_some();
    let run = last.filter(|l| leased_or_held(l, session.as_ref().map(|session| session.pid.as_str())));
    let mut record = Vec::new();
    if let Some(last) = run {
        let (mode, what) = if last.live { (Mode::Lease, "the lease of ") } else { (Mode::Session, "") };
        if let Some(left) = lock::end(&mut wire, &last.run.run, "", mode).await? {
            return Err(Failure::Busy(left));
        }
        done.push(format!("ended {what}{}", holder(&last.run)));
        // It may come back by itself: it then finds that the lock is not its own any more (rule X2).
        record.push(taken_away(&pg.rows, &literal(&last.run.run)));
    }
    let done = done.join("; ");
    if known {
        record.push(unlocked(&pg.rows, me, &done));
        write(&mut wire, pg, &record).await.map_err(|b| b.access(&format!("{done}, which could not be recorded")))?;
    }
    Ok(done)
}

/// Writes what happened, in one transaction that waits for nobody for long.
async fn write(wire: &mut Wire, pg: &Pg, statements: &[String]) -> Result<(), Broken> {
    let settings = waits_for(&millis(&pg.target.lock_timeout));
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
