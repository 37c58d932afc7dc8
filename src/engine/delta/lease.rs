//! The lock of a lake (rule D5): a lease in a small Delta table of its own, `_triphase/lease`. Its state is a property of the table, so a
//! renewal is one commit without files; who has it renews every 5 s, and 15 s without a renewal it is free. That it can be taken from a
//! holder that still lives, by a clock that is wrong, is harmless: every later commit of that holder loses its compare-and-swap.

use super::{
    commit::{self, Put},
    journal,
    lake::{Lake, OWN, host_clock},
    trouble::Trouble,
};
use crate::{
    engine::{Failure, Me},
    ledger::RunRow,
    model::{Class, Finding, Time},
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable, ObjectMeta, ObjectStoreError,
    kernel::{Action, DataType, MetadataExt as _, PrimitiveType, StructField, StructType},
    logstore::{commit_uri_from_version, object_store::ObjectStoreExt as _},
};
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// The table's folder.
pub const NAME: &str = "lease";
const KEY: &str = "triphase.lease";
/// How often a lease is renewed.
const EVERY: Duration = Duration::from_secs(5);
/// How long after its last renewal it is free.
pub const LASTS: Duration = Duration::from_secs(15);

/// What the table says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Who has it.
    pub run: Option<RunRow>,
    /// Grows whenever it changes hands.
    pub epoch: i64,
    /// It was given back by its holder; else who takes it must fence off whatever that one may still be doing.
    pub clean: bool,
}

/// The lease as read.
pub struct Lease {
    table: DeltaTable,
    pub state: State,
    /// When it was last renewed, by the store's clock.
    renewed: Time,
}

impl Lease {
    /// Reads it; `None`: no run has ever had it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn read(lake: &Lake) -> Result<Option<Self>, Failure> {
        if !lake.is_there() {
            return Ok(None);
        }
        let Some(table) = lake.open_own(NAME).await.map_err(unreadable)? else { return Ok(None) };
        let state = table.snapshot().map_err(|error| unreadable(error.into()))?;
        let text = state.metadata().configuration().get(KEY).cloned().unwrap_or_default();
        let kept: State = serde_json::from_str(&text).map_err(|error| unreadable(Trouble::Refused(error.into())))?;
        let newest = commit_uri_from_version(Some(state.version()));
        let renewed = at(table.log_store().object_store(None).head(&newest).await)?;
        Ok(Some(Self { table, state: kept, renewed }))
    }

    /// Whether it is there and can't be read.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn is_damaged(lake: &Lake) -> Result<bool, Failure> {
        if !lake.is_there() {
            return Ok(false);
        }
        match lake.open_own(NAME).await {
            Ok(Some(table)) => {
                let state = table.snapshot().map(|state| state.metadata().configuration().get(KEY).cloned());
                let kept = state.ok().flatten().and_then(|text| serde_json::from_str::<State>(&text).ok());
                Ok(kept.is_none())
            }
            Ok(None) => Ok(false),
            Err(Trouble::Refused(_)) => Ok(true),
            Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => Err(trouble.access("the lock")),
        }
    }

    /// Whether somebody has it and renews it. `ahead`: what the store's clock is ahead of the host's, in microseconds.
    pub fn is_live(&self, ahead: i64) -> bool {
        let now = Time(host_clock().0.saturating_add(ahead));
        self.state.run.is_some() && now.since(self.renewed) < LASTS
    }

    /// Writes another state, if this one still stands.
    ///
    /// # Errors
    /// [`Trouble::Moved`] where it does not.
    pub async fn set(&self, state: &State, operation: &str) -> Result<(), Trouble> {
        let put = Put::own(operation, state.run.as_ref().map_or("", |run| run.run.as_str()));
        let metadata = self.table.snapshot()?.metadata().clone().add_config_key(KEY.to_owned(), json(state))?;
        commit::put_and_clean(&self.table, vec![Action::Metadata(metadata)], &put).await
    }
}

/// The store has answered, and what it has is no lock.
fn unreadable(trouble: Trouble) -> Failure {
    let why = match trouble {
        Trouble::Refused(why) => why,
        trouble @ (Trouble::Moved | Trouble::Lost(_)) => return trouble.access("the lock"),
    };
    let finding = Finding::new(Class::Access, "X3", format!("the lock can't be read: {why:#}"));
    Failure::Refused(Box::new(finding.way_out(format!(
        "see that the store is whole and that no run is at work; then move the folder {OWN}/{NAME} away, and run the same command again: it \
         is made anew"
    ))))
}

/// When the newest version was written. That the store does not say so is no sign of an old one: a live lease must not look free.
fn at(met: Result<ObjectMeta, ObjectStoreError>) -> Result<Time, Failure> {
    match met {
        Ok(met) => Ok(Time(met.last_modified.timestamp_micros())),
        Err(error) => {
            let words = super::trouble::store_words(&error);
            Err(Failure::Access(anyhow!("the lock can't be read: {words}")))
        }
    }
}

/// Makes the table, with its first holder.
///
/// # Errors
/// [`Trouble::Moved`] where another run was first.
pub async fn create(lake: &Lake, state: &State) -> Result<(), Trouble> {
    let schema =
        StructType::new_unchecked([StructField::nullable("nothing", DataType::Primitive(PrimitiveType::String))]);
    let run = state.run.as_ref().map_or("", |run| run.run.as_str());
    // Its past is of no use: every 20th commit is a checkpoint, and what lies an hour before one goes.
    let properties = [
        (KEY, json(state)),
        ("delta.checkpointInterval", "20".to_owned()),
        ("delta.logRetentionDuration", "interval 1 hours".to_owned()),
        ("delta.enableExpiredLogCleanup", "true".to_owned()),
    ];
    journal::create_table(lake, NAME, schema, &properties, &Put::own("TRIPHASE LOCK", run)).await
}

/// Our own types have string keys and no failing `Serialize`, so this gives JSON always.
fn json(state: &State) -> String {
    serde_json::to_value(state).unwrap_or_default().to_string()
}

/// A run, as the lease says it.
pub fn run_row(me: &Me) -> RunRow {
    RunRow {
        run: me.run.clone(),
        who: me.who.clone(),
        host: me.host.clone(),
        pid: me.pid,
        since: host_clock(),
        command: me.command.clone(),
        at: None,
    }
}

/// Renews as long as this lives.
pub struct Keeper {
    renewer: JoinHandle<()>,
    watch: Watch,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.renewer.abort();
    }
}

/// A look at a lease that somebody else renews.
#[derive(Clone, Debug)]
pub struct Watch {
    state: State,
    lost: Arc<AtomicBool>,
    /// When it was last known to be held.
    known: Arc<Mutex<Instant>>,
}

impl Watch {
    fn new(state: &State) -> Self {
        Self { state: state.clone(), lost: Arc::default(), known: Arc::new(Mutex::new(Instant::now())) }
    }

    fn knows(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn age(&self) -> Duration {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Whether it is held, for what a process that was stopped for a while must not do once it goes on: where the last renewal is too
    /// long ago, the lease itself is asked. What can't be told is no.
    pub async fn is_held(&self, lake: &Lake) -> bool {
        if self.lost.load(Ordering::SeqCst) {
            return false;
        }
        if self.age() < 2 * EVERY {
            return true;
        }
        let held = Lease::read(lake).await.is_ok_and(|lease| lease.is_some_and(|lease| lease.state == self.state));
        if held {
            self.knows();
        }
        held
    }
}

impl Keeper {
    /// Begins to renew.
    pub fn keep(lake: &Lake, state: &State) -> Self {
        let watch = Watch::new(state);
        let (lake, state, kept) = (lake.clone(), state.clone(), watch.clone());
        let renewer = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                match renew(&lake, &state).await {
                    Ok(true) => kept.knows(),
                    Ok(false) => {
                        kept.lost.store(true, Ordering::SeqCst);
                        return;
                    }
                    Err(why) => {
                        tracing::warn!(why, "the lease was not renewed");
                        if kept.age() >= LASTS {
                            kept.lost.store(true, Ordering::SeqCst);
                            return;
                        }
                    }
                }
            }
        });
        Self { renewer, watch }
    }

    /// Whether somebody took it, or may have.
    pub fn lost(&self) -> bool {
        self.watch.lost.load(Ordering::SeqCst)
    }

    /// A look at it for others.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

/// Renews once; `false` where it is somebody else's.
async fn renew(lake: &Lake, state: &State) -> Result<bool, String> {
    let lease = Lease::read(lake).await.map_err(|failure| failure.to_string())?;
    let Some(lease) = lease.filter(|lease| lease.state == *state) else { return Ok(false) };
    match lease.set(state, "TRIPHASE LOCK").await {
        Ok(()) => Ok(true),
        // Whoever was first has taken it: nobody else writes here.
        Err(Trouble::Moved) => Ok(false),
        Err(Trouble::Refused(why) | Trouble::Lost(why)) => Err(format!("{why:#}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// X3: an error is no sign that nobody renews it.
    #[test]
    fn a_store_that_does_not_answer_makes_no_lease_old() {
        let error = ObjectStoreError::Generic { store: "S3", source: "503 Slow Down".into() };
        let failure = at(Err(error)).unwrap_err();
        assert!(matches!(&failure, Failure::Access(why) if why.to_string().contains("503 Slow Down")), "{failure:?}");
    }
}
