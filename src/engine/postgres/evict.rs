//! `unlock`: ends who holds the lock.

use super::{
    super::{Failure, Me, holder, rows::table},
    lock,
    pooler::Mode,
    session::Pg,
    text::literal,
};
use crate::model::{Class, Finding};

/// Ends the holder's sessions, or its lease. A live one needs `force`.
pub(super) async fn evict(pg: &Pg, me: &Me, force: bool) -> Result<String, Failure> {
    let mut wire = pg.lock.lock().await;
    let last = lock::last(&mut wire, &pg.rows).await?;
    let query = format!(
        "SELECT l.pid::text, coalesce(a.usename::text, ''), coalesce(a.client_addr::text, 'a local socket') \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE {}",
        pg.key.held()
    );
    let found = wire.all(query).await.map_err(|b| b.access("cannot read who holds the lock"))?;
    let session = found.first().filter(|f| f.count > 0).map(|f| {
        let column = |i| f.column(i).unwrap_or_default().to_owned();
        (column(0), format!("session {} of user {} from {}", column(0), column(1), column(2)))
    });
    let leased = last.as_ref().filter(|l| l.live);
    let who = match (&session, leased) {
        (None, None) => return Ok(format!("nothing to do: no one holds the lock of {}", pg.shown())),
        (Some((pid, shown)), _) => match last.as_ref().filter(|l| l.holder == *pid) {
            Some(l) => format!("{} ({shown})", holder(&l.run)),
            None => shown.clone(),
        },
        (None, Some(l)) => format!("{} (a lease)", holder(&l.run)),
    };
    if !force {
        return Err(Failure::Refused(Box::new(
            Finding::new(Class::Guard, "X3", format!("the lock's holder is alive: {who}"))
                .way_out("wait for it, or end it: triphase unlock --force"),
        )));
    }
    tracing::warn!(by = me.who, who, "ending the lock's holder");
    let mut done = Vec::new();
    if let Some((pid, shown)) = &session {
        let text = format!(
            "SELECT pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE l.pid = {} AND {}",
            pid,
            pg.key.held()
        );
        wire.all(text).await.map_err(|b| b.access("cannot end the holder's session"))?;
        done.push(format!("ended {shown}"));
    }
    let run = last.filter(|l| leased_or_held(l, session.as_ref().map(|(pid, _)| pid.as_str())));
    if let Some(last) = run {
        let mode = if last.live { Mode::Lease } else { Mode::Session };
        if let Some(left) = lock::end(&mut wire, &last.run.run, "", mode).await? {
            return Err(Failure::Busy(left));
        }
        if last.live {
            let text = format!(
                "UPDATE {} SET epoch = epoch + 1, lease_until = NULL, run_id = '' WHERE id = 1 AND run_id = {} AND epoch = {}",
                pg.rows.table(table::RUN),
                literal(&last.run.run),
                last.epoch
            );
            wire.all(text).await.map_err(|b| b.access("cannot end the lease"))?;
            done.push(format!("ended the lease of {}", holder(&last.run)));
        } else {
            done.push(format!("ended {}", holder(&last.run)));
        }
    }
    Ok(done.join("; "))
}

fn leased_or_held(last: &lock::Last, pid: Option<&str>) -> bool {
    last.live || pid == Some(last.holder.as_str())
}
