//! A lake, to read; and the way to its lock.

use super::{
    acts, aside,
    change::Change,
    commit::{self, Put},
    dml,
    evidence::{FENCE, Whose},
    head::Told as _,
    hold::LakeHold,
    journal::{Appended, Journal, Row},
    lake::{Lake, host_clock},
    lease::{self, Keeper, Lease, State},
    leavings, objects, probe, query, same, traces,
    trouble::Trouble,
};
use crate::{
    action::{Action, Handlers},
    engine::{Access, Answer, Attempt, Before, Failure, Held, Hold, Me, Object, Session, Where, holder},
    ledger::{HistoryRow, Ledger, Left, Traces, Verdict},
    model::{Class, Dialect, Finding, Phase, StepId, Verb},
    ops::{self, Detail, TableState},
    target::Target,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The session.
pub struct LakeSession {
    pub(super) lake: Lake,
    pub(super) journal: Mutex<Journal>,
    /// How long a commit that others overtake is tried again (rule X5).
    pub(super) patience: Duration,
    /// Who else writes the tables (rule D1).
    writers: Option<BTreeSet<ops::Writer>>,
    /// What the store's clock is ahead of the host's, in microseconds; known once the store was probed (D6).
    ahead: OnceCell<i64>,
    /// The epoch that the tables were fenced with last, where they were asked (D7): the lease's must be above it.
    fenced: AtomicI64,
    /// A table that knows of a step, and which, where that was asked: there is no ledger.
    known: OnceCell<Option<(String, StepId)>>,
    /// A lock or ledger that can't be read is put aside (`repair rebuild`).
    damaged: bool,
}

impl LakeSession {
    /// Opens a target.
    ///
    /// # Errors
    /// [`Failure::Access`]; [`Failure::Refused`] for a ledger that this binary can't work on.
    pub async fn open(target: &Target, access: Access) -> Result<Self, Failure> {
        let lake = Lake::of(target)?;
        if access == Access::Write {
            lake.may_write()?;
        }
        let journal = Journal::read(&lake).await?;
        Ok(Self::with(target, lake, journal, false))
    }

    /// The same for `repair rebuild`: a ledger that can't be read is taken for none.
    ///
    /// # Errors
    /// As [`LakeSession::open`].
    pub async fn open_damaged(target: &Target) -> Result<Self, Failure> {
        let lake = Lake::of(target)?;
        lake.may_write()?;
        let journal = Journal::read_damaged(&lake).await?;
        Ok(Self::with(target, lake, journal, true))
    }

    fn with(target: &Target, lake: Lake, journal: Journal, damaged: bool) -> Self {
        let writers =
            target.writers.as_ref().map(|names| names.iter().filter_map(|name| ops::Writer::parse(name)).collect());
        Self {
            lake,
            journal: Mutex::new(journal),
            patience: target.lock_retry_for.length(),
            writers,
            ahead: OnceCell::new(),
            fenced: AtomicI64::new(0),
            known: OnceCell::new(),
            damaged,
        }
    }

    /// The ledger as it is now.
    ///
    /// # Errors
    /// [`Failure::Refused`] where there is none, and a table says that there was one: whatever is asked of it would be answered wrongly
    /// (D7).
    async fn journal(&self) -> Result<MutexGuard<'_, Journal>, Failure> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.lake).await?;
        if journal.format.is_none() && !self.damaged {
            let known = self.known.get_or_init(|| traces::known(&self.lake)).await;
            if let Some((table, id)) = known {
                // A first run may have made it meanwhile, and committed.
                journal.refresh(&self.lake).await?;
                if journal.format.is_none() {
                    return Err(traces::lost(table, id));
                }
            }
        }
        Ok(journal)
    }

    async fn read_ledger(&self) -> Result<Ledger, Failure> {
        let journal = self.journal().await?;
        let revision = u64::try_from(journal.last()).unwrap_or_default();
        Ok(Ledger { now: journal.clock(), format: journal.format, revision, ..journal.fold.ledger.clone() })
    }

    /// Probes the store once.
    async fn ahead(&self, me: &Me) -> Result<i64, Failure> {
        let ahead = self.ahead.get_or_try_init(|| async {
            let before = host_clock();
            let stored = self.lake.probe(&me.run).await?;
            Ok::<_, Failure>(stored.0.saturating_sub(before.0))
        });
        ahead.await.copied()
    }

    async fn lock<'a>(&'a self, me: &'a Me) -> Result<Result<LakeHold<'a>, Held>, Failure> {
        self.lake.may_write()?;
        let ahead = self.ahead(me).await?;
        if self.damaged && Lease::is_damaged(&self.lake).await? {
            // Who may still have it can't renew it, and gives up before this has passed.
            tokio::time::sleep(lease::LASTS).await;
            aside::put(&self.lake, lease::NAME, &me.run).await.map_err(|trouble| trouble.access("the lock"))?;
        }
        let lease = Lease::read(&self.lake).await?;
        if let Some(lease) = &lease
            && lease.is_live(ahead)
            && let Some(by) = lease.state.run.as_ref().filter(|by| by.run != me.run)
        {
            return Ok(Err(Held { by: Some(by.clone()), what: "the lock (a lease)".to_owned() }));
        }
        // A lease that was lost is not one that was given back; and what was written under its epochs is there.
        let written = self.journal.lock().await.fold.epoch;
        let none = || State { clean: written == 0, ..State::default() };
        let found = lease.as_ref().map_or_else(none, |lease| lease.state.clone());
        let epoch = found.epoch.max(written).max(self.fenced.load(Ordering::Relaxed)) + 1;
        let state = State { run: Some(lease::run_row(me)), epoch, clean: false };
        let taken = match &lease {
            Some(lease) => lease.set(&state, "TRIPHASE LOCK").await,
            None => lease::create(&self.lake, &state).await,
        };
        match taken {
            Ok(()) => {}
            Err(Trouble::Moved) => {
                return Ok(Err(Held { by: None, what: "the lock, which another run took just now".to_owned() }));
            }
            Err(Trouble::Refused(why) | Trouble::Lost(why)) => {
                return Err(Failure::Access(why.context("the lock can't be taken")));
            }
        }
        let keeper = Keeper::keep(&self.lake, &state);
        let hold = LakeHold::new(self, me, state, keeper);
        if !found.clean
            && let Err(failure) = self.take_over(&hold).await
        {
            // Whoever is next must do it, and needs not wait for the lease to run out.
            if let Err(kept) = hold.give_back(false).await {
                tracing::warn!("the lease was not given back: {kept}");
            }
            return Err(failure);
        }
        Ok(Ok(hold))
    }

    /// Sees to it that nothing a dead run may still be doing can come after this: its ledger writes by this run's row in the ledger, its
    /// commits by a commit of ours in each table that it was working on (rule D5).
    async fn take_over(&self, hold: &LakeHold<'_>) -> Result<(), Failure> {
        {
            let mut journal = self.journal.lock().await;
            journal.refresh(&self.lake).await?;
            // Where there is no ledger yet, the dead run may still be about to make it: it must find this run's row there.
            journal.create(&self.lake, hold.me()).await?;
        }
        let begin = Change::Begin { pid: hold.me().pid, guards: None };
        hold.record_first(vec![Journal::row(hold.me(), hold.epoch(), Some(&begin))]).await?;
        let journal = self.journal.lock().await;
        for (id, verb, index) in open(&journal) {
            let Some(action) = stored(&journal, &id, verb, index)? else { continue };
            let Some(name) = probe::table(&action) else { continue };
            let Ok(place) = self.lake.place(&name) else { continue };
            self.fence(&place, &name, hold.epoch(), &hold.me().run).await?;
        }
        Ok(())
    }

    async fn fence(&self, place: &url::Url, name: &str, epoch: i64, run: &str) -> Result<(), Failure> {
        let put = Put { txns: vec![(FENCE.to_owned(), epoch)], ..Put::own("TRIPHASE FENCE", run) };
        loop {
            let fenced = async {
                let Some(table) = self.lake.head(place).await? else { return Ok(()) };
                if table.txn(FENCE).await?.is_some_and(|newest| newest >= epoch) {
                    return Ok(());
                }
                // Nor can the dead run: a tombstone is a fence, and so is a feature that somebody has turned on since.
                if !acts::state(&table)?.protocol.foreign().is_empty() {
                    return Ok(());
                }
                commit::put_metadata(&table, vec![], &put).await
            };
            match fenced.await {
                Ok(()) => return Ok(()),
                Err(Trouble::Moved) => {}
                Err(Trouble::Refused(why) | Trouble::Lost(why)) => {
                    let why =
                        why.context(format!("table `{name}`, on which a dead run was at work, can't be fenced off"));
                    return Err(Failure::Access(why));
                }
            }
        }
    }

    async fn unlock(&self, me: &Me, force: bool) -> Result<String, Failure> {
        let ahead = self.ahead(me).await?;
        let nobody = || Ok(format!("nothing to do: no one holds the lock of {}", self.lake.shown));
        let Some(lease) = Lease::read(&self.lake).await? else { return nobody() };
        let Some(run) = lease.state.run.clone() else { return nobody() };
        let live = lease.is_live(ahead);
        if live && !force {
            return Err(Failure::Refused(Box::new(
                Finding::new(Class::Guard, "X3", format!("the lock's holder may be alive: {} (a lease)", holder(&run)))
                    .way_out("wait for it (a dead one's lease is free after 15s), or end it: triphase unlock --force"),
            )));
        }
        let state = State { run: None, epoch: lease.state.epoch + 1, clean: false };
        match lease.set(&state, "TRIPHASE UNLOCK").await {
            Ok(()) => {}
            Err(Trouble::Moved) => {
                return Err(Failure::Busy("the lock changed hands, or was renewed, just now: try again".to_owned()));
            }
            Err(Trouble::Refused(why) | Trouble::Lost(why)) => return Err(Failure::Access(why)),
        }
        let mut journal = self.journal.lock().await;
        loop {
            journal.refresh(&self.lake).await?;
            if journal.format.is_none() {
                break;
            }
            let row = Row {
                verb: "unlock".to_owned(),
                outcome: crate::ledger::Outcome::Recorded.name().to_owned(),
                detail: Some(format!("ended the lease of {}", holder(&run))),
                ..Journal::row(me, state.epoch, Some(&Change::Evict))
            };
            match journal.append(vec![row], None).await? {
                Appended::Yes(_) => break,
                Appended::Moved(_) => {}
            }
        }
        Ok(format!("ended the lease of {}", holder(&run)))
    }

    async fn attempted_of(&self, attempt: &Attempt<'_>) -> Result<Verdict, Failure> {
        let txn = {
            let mut journal = self.journal.lock().await;
            journal.refresh(&self.lake).await?;
            let statement = i32::try_from(attempt.index + 1).ok();
            let of = |row: &&Row| {
                row.release == attempt.id.release.as_str()
                    && row.step == attempt.id.step
                    && row.verb == attempt.verb.name()
                    && row.statement == statement
                    && row.outcome == crate::ledger::Outcome::Attempting.name()
            };
            journal.rows.iter().rev().find(of).and_then(|row| row.txn)
        };
        let (Some(txn), Some(name)) = (txn, probe::table(attempt.action)) else {
            return self.asked(attempt.action).await;
        };
        let Ok(place) = self.lake.place(&name) else { return Ok(Verdict::Not) };
        let access = |trouble: Trouble| trouble.access(&format!("table `{name}`"));
        let Some(table) = self.lake.head(&place).await.map_err(access)? else { return Ok(Verdict::Not) };
        let newest = table.txn(&probe::app(attempt.action, attempt.id)).await.map_err(access)?;
        Ok(if newest.is_some_and(|newest| newest >= txn) { Verdict::Applied } else { Verdict::Not })
    }

    /// What operations are derived from. Of several names of one table the first counts, and the most that is asked by any.
    async fn tables(&self, asked: &[(String, Detail)]) -> Result<ops::Lake, Failure> {
        let mut lake = ops::Lake { writers: self.writers.clone(), ..ops::Lake::default() };
        let mut places: BTreeMap<url::Url, (&String, Detail)> = BTreeMap::new();
        for (name, detail) in asked {
            let Ok(place) = self.lake.place(name) else { continue };
            let (first, most) = places.entry(place).or_insert((name, *detail));
            if *first != name {
                lake.same.insert(name.clone(), String::clone(first));
                *most = (*most).max(*detail);
            }
        }
        for (place, (name, detail)) in places {
            let changed = same::changed(&self.lake, &*self.journal.lock().await, &place)?;
            match same::strangers(&self.lake, &place, changed).await {
                Ok(strangers) => lake.meets(name, strangers),
                Err(trouble) => tracing::info!(name, ?trouble, "a table can't be asked whether a step has changed it"),
            }
            match self.table(&place, name, detail).await {
                Ok(Some(state)) => drop(lake.tables.insert(name.clone(), state)),
                Ok(None) => {}
                Err(Failure::Access(why)) if detail == Detail::Glance => {
                    lake.unread.insert(name.clone(), format!("{why:#}"));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(lake)
    }

    async fn table(&self, place: &url::Url, name: &str, detail: Detail) -> Result<Option<TableState>, Failure> {
        let access = |trouble: Trouble| trouble.access(&format!("table `{name}`"));
        let Some(table) = self.lake.head(place).await.map_err(access)? else { return Ok(None) };
        // What would be derived is what was derived once already.
        if self.journal.lock().await.format.is_none()
            && let Some(id) = traces::lately(&table.log, table.version()).await.map_err(access)?
        {
            return Err(traces::lost(name, &id));
        }
        let mut state = acts::state(&table).map_err(access)?;
        let sized = match detail {
            Detail::Glance | Detail::Shape | Detail::Rows => false,
            Detail::SizeUnlessMapped => !state.mapped(),
            Detail::Size => true,
        };
        if sized {
            state = acts::sized(&table.whole(table.version()).await.map_err(access)?).map_err(access)?;
        } else if detail > Detail::Shape && !table.has_files().await.map_err(access)? {
            state.rows = Some(0);
        }
        Ok(Some(state))
    }

    /// Reads what the tables say, and holds the next ledger and lease to it.
    async fn read_traces(&self, steps: &[StepId], actions: &[Action]) -> Result<Traces, Failure> {
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.lake).await?;
        let found = traces::read(&self.lake, &journal, steps, actions).await?;
        journal.floor = found.attempt;
        self.fenced.fetch_max(found.epoch, Ordering::Relaxed);
        Ok(Traces { writers: self.writers.clone(), ..found.traces })
    }

    async fn asked(&self, action: &Action) -> Result<Verdict, Failure> {
        probe::ask(&self.lake, action).await
    }
}

/// The statements that stand open in the ledger.
fn open(journal: &Journal) -> Vec<(StepId, Verb, u32)> {
    let steps = journal.fold.ledger.steps.iter();
    let rows = steps.flat_map(|(id, row)| Phase::ALL.iter().map(move |phase| (id, *phase, row.phase(*phase))));
    rows.filter_map(|(id, phase, row)| {
        let index = row.trying?;
        let verbs = [Some(phase.verb()), phase.rollback()];
        Some(verbs.into_iter().flatten().map(move |verb| (id.clone(), verb, index)))
    })
    .flatten()
    .collect()
}

fn stored(journal: &Journal, id: &StepId, verb: Verb, index: u32) -> Result<Option<Action>, Failure> {
    let handlers = journal.fold.stored(std::slice::from_ref(id))?;
    let handler = handlers.get(id).and_then(|handlers| handlers.get(&verb));
    Ok(handler.and_then(|handler| handler.actions.get(index as usize)).cloned())
}

impl Session for LakeSession {
    fn place(&self) -> Where {
        Where {
            engine: format!("Delta Lake (delta-rs {})", deltalake::crate_version()),
            host: String::new(),
            database: self.lake.shown.clone(),
            schema: String::new(),
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::Delta
    }

    fn atomic(&self) -> bool {
        false
    }

    fn ledger(&self) -> Answer<'_, Ledger> {
        Box::pin(self.read_ledger())
    }

    fn stored<'a>(&'a self, of: &'a [StepId]) -> Answer<'a, BTreeMap<StepId, Handlers>> {
        Box::pin(async move { self.journal.lock().await.fold.stored(of) })
    }

    fn ask<'a>(&'a self, action: &'a Action) -> Answer<'a, Verdict> {
        Box::pin(self.asked(action))
    }

    fn attempted<'a>(&'a self, attempt: Attempt<'a>) -> Answer<'a, Verdict> {
        Box::pin(async move { self.attempted_of(&attempt).await })
    }

    fn lake<'a>(&'a self, tables: &'a [(String, Detail)]) -> Answer<'a, ops::Lake> {
        Box::pin(self.tables(tables))
    }

    fn refuses<'a>(&'a self, action: &'a Action) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            match action {
                Action::Operation { act, .. } => acts::refuses(&self.lake, act).await,
                Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => Ok(None),
            }
        })
    }

    fn forbids<'a>(&'a self, action: &'a Action, before: &'a Before) -> Answer<'a, Option<ops::Refusal>> {
        Box::pin(async move {
            match action {
                Action::Operation { act, step, .. } => {
                    let mut undone = self.journal.lock().await.fold.undone();
                    let back = before.handlers.iter().filter(|(_, verb)| *verb == Verb::RollbackAdd);
                    undone.extend(back.map(|(id, _)| id.clone()));
                    acts::forbids(&self.lake, act, &Whose { id: step.clone(), undone }, &before.handlers).await
                }
                Action::Sql { text, .. } => dml::forbids(&self.lake, text, before).await,
                Action::Expect { .. } | Action::Shell { .. } => Ok(None),
            }
        })
    }

    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>> {
        Box::pin(async move { Ok(self.journal().await?.history(limit)) })
    }

    fn traces<'a>(&'a self, steps: &'a [StepId], actions: &'a [Action]) -> Answer<'a, Traces> {
        Box::pin(self.read_traces(steps, actions))
    }

    fn leavings(&self) -> Answer<'_, Vec<Left>> {
        Box::pin(leavings::all(&self.lake))
    }

    fn held(&self) -> Answer<'_, Option<Held>> {
        Box::pin(async move {
            // By this host's clock: to ask the store for its own, something would have to be written.
            let lease = Lease::read(&self.lake).await?.filter(|lease| lease.is_live(0));
            Ok(lease.map(|lease| Held { by: lease.state.run, what: "the lock (a lease)".to_owned() }))
        })
    }

    fn objects(&self) -> Answer<'_, Vec<Object>> {
        Box::pin(async {
            let mut journal = self.journal.lock().await;
            journal.refresh(&self.lake).await?;
            objects::all(&self.lake, &journal).await
        })
    }

    fn rows<'a>(&'a self, query: &'a str) -> Answer<'a, Option<Vec<crate::engine::rows::TextRow>>> {
        Box::pin(async move { query::texts(&self.lake, query).await.map_err(|trouble| trouble.access("the table")) })
    }

    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>> {
        Box::pin(async move {
            Ok(match self.lock(me).await? {
                Ok(hold) => Ok(Box::new(hold) as Box<dyn Hold + 'a>),
                Err(held) => Err(held),
            })
        })
    }

    fn evict<'a>(&'a self, me: &'a Me, force: bool) -> Answer<'a, String> {
        Box::pin(self.unlock(me, force))
    }
}
