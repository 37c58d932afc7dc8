//! The lock as a row that is renewed (rule X3): for a connection whose server process changes from one transaction to the next.

use super::{
    super::{
        Failure, Held, Me,
        rows::{Rows, table},
    },
    error::{Broken, Trouble as _},
    lock::{self, Last},
    pooler::Mode,
    text::{BEGIN, Key, literal, take as take_row},
    wire::Wire,
};
use crate::ledger::RunRow;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, task::JoinHandle};

/// How often a lease is renewed.
const EVERY: Duration = Duration::from_secs(5);
/// How long after its last renewal it is free.
const LASTS: &str = "interval '15 seconds'";

/// A lease that is renewed as long as this lives.
pub(super) struct Lease {
    renewer: JoinHandle<()>,
    lost: Arc<AtomicBool>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewer.abort();
    }
}

impl Lease {
    /// Begins to renew.
    pub fn keep(wire: Arc<Mutex<Wire>>, rows: &Rows, run: &str) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let text = renewal(rows, run);
        let gone = Arc::clone(&lost);
        let renewer = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                match wire.lock().await.all(text.clone()).await {
                    Ok(results) if results.iter().any(|r| r.count > 0) => {}
                    Ok(_) => {
                        gone.store(true, Ordering::SeqCst);
                        return;
                    }
                    Err(broken) => tracing::warn!(why = broken.words(), "the lease was not renewed"),
                }
            }
        });
        Self { renewer, lost }
    }

    /// Whether somebody took it.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

fn renewal(rows: &Rows, run: &str) -> String {
    format!(
        "UPDATE {} SET lease_until = clock_timestamp() + {LASTS} WHERE id = 1 AND run_id = {} AND lease_until IS NOT NULL RETURNING 1",
        rows.table(table::RUN),
        literal(run)
    )
}

/// Renews now; `false` where somebody took it.
pub(super) async fn renew(wire: &mut Wire, rows: &Rows, run: &str) -> Result<bool, Broken> {
    Ok(wire.all(renewal(rows, run)).await?.iter().any(|r| r.count > 0))
}

/// Tries for the lease, and creates the ledger's tables where there are none: there must be a row to hold. A runner that holds the
/// lock by its session is respected.
pub(super) async fn take(
    wire: &mut Wire,
    rows: &Rows,
    key: Key,
    me: &Me,
    wait: &str,
) -> Result<Result<(), Held>, Failure> {
    let last = lock::last(wire, rows, wait).await?;
    if let Some(Last { run, live: true, .. }) = &last
        && run.run != me.run
    {
        let at = lock::at(wire, &run.run).await?;
        return Ok(Err(Held { by: Some(RunRow { at, ..run.clone() }), what: "the lock (a lease)".to_owned() }));
    }
    // Before anything of an earlier run is ended: that may be the one which is alive.
    if lock::holder(wire, key).await?.is_some() {
        return Ok(Err(lock::held(wire, rows, key, wait).await?));
    }
    if let Some(Last { run, before: Some(before), .. }) = &last
        && let Some(what) = lock::end(wire, before, "", Mode::Lease).await?
    {
        return Ok(Err(Held { by: Some(run.clone()).filter(|run| !run.run.is_empty()), what }));
    }
    let taken = take_in_transaction(wire, rows, key, me, wait, last.as_ref()).await;
    if !matches!(taken, Ok(Ok(()))) {
        // What went wrong with it is told by `taken`.
        let _ = wire.all("ROLLBACK".to_owned()).await;
    }
    match taken {
        Ok(Ok(())) => Ok(Ok(())),
        Ok(Err(Some(held))) => Ok(Err(held)),
        Ok(Err(None)) => Ok(Err(lock::held(wire, rows, key, wait).await?)),
        Err(broken) if broken.busy() => Ok(Err(Held {
            by: last.map(|l| l.run),
            what: "a transaction of an earlier run that is still at work".to_owned(),
        })),
        Err(broken) => Err(broken.access("cannot take the lock")),
    }
}

/// `Err(None)`: a session has the lock.
async fn take_in_transaction(
    wire: &mut Wire,
    rows: &Rows,
    key: Key,
    me: &Me,
    wait: &str,
    last: Option<&Last>,
) -> Result<Result<(), Option<Held>>, Broken> {
    let asked = wire
        .all(format!(
            "{BEGIN};\nSELECT set_config('lock_timeout', {}, true), set_config('search_path', 'pg_catalog', true);\n\
             SELECT pg_try_advisory_xact_lock({})::text",
            literal(wait),
            key.arguments()
        ))
        .await?;
    if asked.last().and_then(|r| r.first()) != Some("true") {
        return Ok(Err(None));
    }
    let mut text: Vec<String> = if last.is_none() && !there(wire, rows).await? { rows.create() } else { Vec::new() };
    text.extend(take_row(rows));
    text.push(format!(
        "UPDATE {} SET run_id = {}, who = {}, host = {}, pid = {}, since = clock_timestamp(), command = {}, session = 'lease', \
         epoch = epoch + 1, lease_until = clock_timestamp() + {LASTS} \
         WHERE id = 1 AND (lease_until IS NULL OR lease_until <= clock_timestamp() OR run_id = {}) AND epoch = {} RETURNING 1",
        rows.table(table::RUN),
        literal(&me.run),
        literal(&me.who),
        literal(&me.host),
        me.pid,
        literal(&me.command),
        literal(&me.run),
        last.map_or(0, |l| l.epoch)
    ));
    let updated = wire.all(text.join(";\n")).await?;
    if updated.last().is_none_or(|r| r.count == 0) {
        return Ok(Err(Some(Held { by: None, what: "the lock, which another run took just now".to_owned() })));
    }
    wire.all("COMMIT".to_owned()).await?;
    Ok(Ok(()))
}

/// Whether the run's table is there, asked without an error that would end the transaction.
async fn there(wire: &mut Wire, rows: &Rows) -> Result<bool, Broken> {
    let text = format!("SELECT to_regclass({})::text", literal(&rows.table(table::RUN)));
    Ok(wire.all(text).await?.first().and_then(|r| r.first()).is_some())
}

/// Gives it back.
pub(super) async fn give_back(wire: &mut Wire, rows: &Rows, run: &str) -> Result<(), Failure> {
    let text =
        format!("UPDATE {} SET lease_until = NULL WHERE id = 1 AND run_id = {}", rows.table(table::RUN), literal(run));
    wire.all(text).await.map(|_| ()).map_err(|b| b.access("cannot give the lock back"))
}
