//! The lock, and with it the way to write: a unit is one transaction, and mostly one round trip.

use super::{
    super::{
        Answer, Failure, Hold, Me, Stop, no_operation,
        rows::table,
        silent, unexpected,
        wire::{Given, Trouble as _, cancelled_by, clock, fenced, next_epoch, note, unrecorded},
    },
    batch::{Batch, Part},
    blockers,
    error::{Broken, CANCELLED, FENCED},
    lease::{self, Lease},
    left::{self, Leaves},
    lock, pooler, probe,
    session::{Pg, truth},
    text::{BEGIN, CLOCK, Settings, fence, literal, millis, take},
    wire::Wire,
};
use crate::{
    action::Action,
    failpoint,
    ledger::{Begin, Unit},
    model::{Dialect, Time},
    shell,
};
use anyhow::anyhow;
use std::path::Path;
use tokio::sync::Mutex;

/// The lock, while it is had.
pub(super) struct Holding<'a> {
    pg: &'a Pg,
    me: &'a Me,
    work: Mutex<Wire>,
    /// The process that holds the lock, and the one at work; empty with a lease, where they change.
    holder: String,
    pid: String,
    lease: Option<Lease>,
    /// How the work session is called.
    name: String,
}

impl<'a> Holding<'a> {
    pub(super) fn new(pg: &'a Pg, me: &'a Me, work: Wire, holder: String, pid: String, lease: Option<Lease>) -> Self {
        Self { pg, me, work: Mutex::new(work), holder, pid, lease, name: lock::name(&me.run) }
    }

    /// A transaction's first statements.
    fn frame(&self, batch: &mut Batch, timeout: &str) {
        batch.push(Part::Frame, BEGIN);
        batch.extend(Part::Frame, self.settings(timeout).statements(true));
    }

    fn settings<'b>(&'b self, lock_timeout: &'b str) -> Settings<'b> {
        Settings { path: &self.pg.about.path, lock_timeout, name: &self.name, version: self.pg.about.number }
    }

    async fn write_begin(&self, begin: &Begin) -> Result<Time, Failure> {
        let rows = &self.pg.rows;
        let timeout = millis(&self.pg.target.lock_timeout);
        let mut batch = Batch::default();
        self.frame(&mut batch, &timeout);
        let again = Begin { create: false, guards: begin.guards.clone() };
        if self.lease.is_some() {
            // The tables are there since the lease was taken, and the row is ours.
            batch.push(Part::Ledger, &fence(rows, &self.me.run));
            batch.extend(Part::Ledger, rows.begin(&again, self.me, "lease"));
        } else {
            if begin.create {
                batch.extend(Part::Ledger, rows.create());
            }
            batch.extend(Part::Ledger, take(rows));
            // Seen after the wait: a run that lost its lock meanwhile must not take the row from the one that has it.
            batch.push(Part::Ledger, &self.pg.key.demand(&self.holder));
            batch.extend(Part::Ledger, rows.begin(&again, self.me, &format!("{} {}", self.holder, self.pid)));
            batch.push(Part::Ledger, &next_epoch(rows));
        }
        batch.push(Part::Ledger, CLOCK);
        batch.push(Part::Commit, "COMMIT");
        failpoint::point("before begin");
        let mut work = self.work.lock().await;
        let given = self.transaction(&mut work, &batch, &Stop::never(), 0).await?;
        failpoint::point("after begin");
        clock(&given)
    }

    async fn write_unit(&self, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        // Rows without an action record what has happened, a stop included.
        if !unit.actions.is_empty() && stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        if self.lease.as_ref().is_some_and(Lease::lost) {
            return Err(self.fenced().await);
        }
        let mut work = self.work.lock().await;
        match unit.actions.as_slice() {
            [Action::Sql { text, alone: true, .. }] => self.alone(&mut work, text, unit, stop).await,
            [Action::Shell { file, text }] => self.shell(&mut work, file, text, unit, stop).await,
            [action @ Action::Operation { .. }] => {
                Err(Failure::Refused(Box::new(no_operation(Dialect::Postgres, action))))
            }
            _ => self.together(&mut work, unit, stop).await,
        }
    }

    /// All of the unit in one transaction; only the answer to an `expect` has to be waited for on the way.
    async fn together(&self, work: &mut Wire, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let timeout = millis(&self.pg.target.lock_timeout);
        let count = unit.actions.len();
        // What has happened is recorded, told to stop or not.
        let never = Stop::never();
        let stop = if count == 0 { &never } else { stop };
        let mut batch = Batch::default();
        let note = note(unit.at().as_deref());
        batch.note(&note);
        self.frame(&mut batch, &timeout);
        batch.push(Part::Frame, &fence(&self.pg.rows, &self.me.run));
        batch.extend(Part::Ledger, self.pg.rows.entries(&unit.opens, self.me));
        batch.extend(Part::Setup, &unit.setup);
        failpoint::point("before a transaction");
        for (at, action) in unit.actions.iter().enumerate() {
            match action {
                Action::Sql { text, .. } => batch.push(Part::Action(at), text),
                Action::Expect { query } => {
                    batch.push(Part::Action(at), query);
                    let given = self.transaction(work, &std::mem::take(&mut batch), stop, count).await?;
                    batch.note(&note);
                    if let Some(Err(found)) = given.last().map(truth) {
                        self.roll_back(work).await;
                        return Err(Failure::Handler { at, why: unexpected(found) });
                    }
                }
                Action::Shell { .. } | Action::Operation { .. } => {}
            }
        }
        // The handler may have changed who writes and where.
        if count > 0 {
            batch.extend(Part::After, self.settings(&timeout).statements(true));
        }
        batch.extend(Part::After, self.pg.rows.entries(&unit.closes, self.me));
        batch.push(Part::After, CLOCK);
        batch.push(Part::Commit, "COMMIT");
        let given = self.transaction(work, &batch, stop, count).await?;
        failpoint::point("after a transaction");
        clock(&given)
    }

    /// One statement by itself, between its opens and its closes.
    async fn alone(&self, work: &mut Wire, text: &str, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        self.arrives(unit)?;
        let leaves = left::leaves(text);
        let mut tried = true;
        if let Some(leaves) = &leaves {
            tried = match self.pg.rows.tried_query(&unit.opens) {
                Some(query) => self.pg.truth(&query).await.map_err(|b| b.access("cannot read the audit trail"))?,
                None => true,
            };
            leaves.refuse_taken(self.pg, tried).await?;
        }
        self.announce(work, unit, stop).await?;
        if self.lease.is_none() {
            // With a timeout it would leave something half done behind, and it blocks nobody while it waits.
            let timeout = if probe::patient(text) { "0".to_owned() } else { millis(&self.pg.target.lock_timeout) };
            self.set(work, &timeout, &unit.setup).await?;
        }
        // Before the first attempt nothing can be left of one: what is invalid then is at work, or another's.
        let own = leaves.as_ref().filter(|leaves| tried || !matches!(leaves, Leaves::Index { .. }));
        let finish = match own {
            Some(leaves) => self.make_room(work, leaves, stop).await?,
            None => None,
        };
        let text = finish.as_deref().unwrap_or(text);
        let mut batch = Batch::default();
        batch.note(&note(unit.at().as_deref()));
        batch.push(Part::Action(0), text);
        failpoint::point("before a lone statement");
        if let Err(failure) = self.statement(work, &batch, stop).await {
            if let Some(leaves) = &leaves {
                self.tidy(work, leaves, &failure, stop).await;
            }
            return Err(failure);
        }
        failpoint::point("after a lone statement");
        let closed = async {
            if self.lease.is_none() {
                // It may have set what texts are read by, and the next one has the ledger's words in it.
                self.set(work, &millis(&self.pg.target.lock_timeout), &[]).await?;
            }
            if let Some(leaves) = &leaves {
                leaves.refuse_invalid(self.pg).await?;
            }
            let closes = Unit { closes: unit.closes.clone(), ..Unit::default() };
            self.together(work, &closes, stop).await
        }
        .await;
        failpoint::point("after closes");
        match closed {
            other @ (Ok(_) | Err(Failure::Handler { .. })) => other,
            Err(why) => Err(unrecorded("a statement was applied", why)),
        }
    }

    /// Clears what an earlier attempt of a statement left. `Some`: what finishes that attempt, and is sent in the statement's place.
    async fn make_room(&self, work: &mut Wire, leaves: &Leaves, stop: &Stop) -> Result<Option<String>, Failure> {
        let mut clear = leaves.clear(self.pg).await?;
        let finish = clear.pop_if(|_| leaves.finishes());
        if finish.is_none() {
            self.clear(work, clear, stop).await?;
        }
        Ok(finish)
    }

    /// Clears what a statement left that the server has refused: an index that could not be built is there all the same, invalid, and a
    /// unique one refuses rows.
    async fn tidy(&self, work: &mut Wire, leaves: &Leaves, failure: &Failure, stop: &Stop) {
        let taken = matches!(failure, Failure::Handler { why, .. } if why.to_string().ends_with("(SQLSTATE 42P07)"));
        let answered = matches!(failure, Failure::Handler { .. } | Failure::Busy(_) | Failure::Stopped) && !taken;
        if answered
            && !leaves.finishes()
            && let Err(why) = self.clear_left(work, leaves, stop).await
        {
            tracing::info!(%why, "what the failed attempt left could not be dropped");
        }
    }

    /// Writes the opens of what commits by itself, if the lock is still ours (rule X2). Both are one transaction: what is announced is sent
    /// next, so that a statement which was never sent is no open question. It may begin then, unless somebody has said to stop.
    async fn announce(&self, work: &mut Wire, unit: &Unit, stop: &Stop) -> Result<(), Failure> {
        // A lease is looked at by its own connection, before: renewed inside that transaction, it would wait for it.
        if (self.lease.is_some() || unit.opens.is_empty()) && !self.still_held().await? {
            return Err(self.fenced().await);
        }
        if !unit.opens.is_empty() {
            failpoint::point("before opens");
            self.open(work, unit).await?;
        }
        failpoint::point("after opens");
        if stop.signal().is_some() { Err(Failure::Stopped) } else { Ok(()) }
    }

    async fn open(&self, work: &mut Wire, unit: &Unit) -> Result<(), Failure> {
        let mut batch = Batch::default();
        batch.note(&note(unit.at().as_deref()));
        self.frame(&mut batch, &millis(&self.pg.target.lock_timeout));
        batch.push(Part::Frame, &fence(&self.pg.rows, &self.me.run));
        if self.lease.is_none() {
            batch.push(Part::Frame, &self.pg.key.demand(&self.holder));
        }
        batch.extend(Part::Ledger, self.pg.rows.entries(&unit.opens, self.me));
        batch.push(Part::Commit, "COMMIT");
        match self.transaction(work, &batch, &Stop::never(), 0).await {
            Ok(_) => Ok(()),
            Err(Failure::Fenced(None)) => Err(self.fenced_or_lost().await),
            Err(failure) => Err(failure),
        }
    }

    /// Why the lock's row or the lock itself is not this run's any more: another's doing, or only the session that had it is gone, and then
    /// the lock can be had again.
    async fn fenced_or_lost(&self) -> Failure {
        self.still_held().await.err().unwrap_or(Failure::Fenced(None))
    }

    /// A file for the client (rule F4), between its opens and its closes. The client's session has the run's name, so that who takes over
    /// ends it too (rule X2).
    async fn shell(&self, work: &mut Wire, file: &Path, text: &str, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let client = shell::client(&self.pg.target, file).map_err(|finding| Failure::Refused(Box::new(finding)))?;
        let client = client.var("PGAPPNAME", lock::name(&self.me.run));
        // Behind a transaction-mode pooler a setting would stay with a server session that is others' too.
        self.arrives(unit)?;
        let client = if self.lease.is_some() {
            client
        } else {
            let timeout = millis(&self.pg.target.lock_timeout);
            let mut presets = vec![self.pg.key.fence_of_client(&self.holder)];
            presets.extend(self.settings(&timeout).statements(false));
            client.presets(presets)
        };
        self.announce(work, unit, stop).await?;
        failpoint::point("before a lone statement");
        shell::run(&client, text, None, stop.pulled()).await?;
        failpoint::point("after a lone statement");
        let closes = Unit { closes: unit.closes.clone(), ..Unit::default() };
        let closed = self.together(work, &closes, &Stop::never()).await;
        failpoint::point("after closes");
        closed.map_err(|why| unrecorded("a file was run", why))
    }

    /// What was known before the run's first statement is known here still, whoever has planned it.
    fn arrives(&self, unit: &Unit) -> Result<(), Failure> {
        let refusal = self.lease.as_ref().and_then(|_| pooler::diverts(self.pg, std::slice::from_ref(unit)));
        refusal.map_or(Ok(()), |finding| Err(Failure::Refused(Box::new(finding))))
    }

    /// Clears what an attempt that failed just now left.
    async fn clear_left(&self, work: &mut Wire, leaves: &Leaves, stop: &Stop) -> Result<(), Failure> {
        let clear = leaves.clear(self.pg).await?;
        // Who was told to stop does not wait for traffic to end. The next attempt, or a rollback, clears it then.
        if stop.signal().is_some() && self.lease.is_none() {
            self.set(work, &millis(&self.pg.target.lock_timeout), &[]).await?;
        }
        self.clear(work, clear, &Stop::never()).await
    }

    /// Runs the statements that clear what an attempt left.
    async fn clear(&self, work: &mut Wire, statements: Vec<String>, stop: &Stop) -> Result<(), Failure> {
        for text in statements {
            tracing::info!(text, "clearing what an attempt left");
            let mut batch = Batch::default();
            batch.push(Part::Action(0), &text);
            self.statement(work, &batch, stop).await?;
            failpoint::point("after clearing what an attempt left");
        }
        Ok(())
    }

    /// Sets for the session what statements by themselves rely on, and what their handler has set.
    async fn set(&self, work: &mut Wire, lock_timeout: &str, setup: &[String]) -> Result<(), Failure> {
        let mut batch = Batch::default();
        batch.extend(Part::Frame, self.settings(lock_timeout).statements(false));
        batch.extend(Part::Setup, setup);
        self.statement(work, &batch, &Stop::never()).await.map(|_| ())
    }

    /// Sends statements outside any transaction.
    async fn statement(&self, work: &mut Wire, batch: &Batch, stop: &Stop) -> Result<Vec<Given>, Failure> {
        match self.send(work, batch, stop).await {
            Ok(given) => Ok(given),
            Err(broken) => Err(self.failure(&broken, batch.failed(&broken), stop, 1).await),
        }
    }

    /// Sends a part of a transaction, and rolls it back where it breaks.
    async fn transaction(
        &self,
        work: &mut Wire,
        batch: &Batch,
        stop: &Stop,
        count: usize,
    ) -> Result<Vec<Given>, Failure> {
        match self.send(work, batch, stop).await {
            Ok(given) => Ok(given),
            Err(broken) => {
                if !broken.gone() {
                    self.roll_back(work).await;
                }
                Err(self.failure(&broken, batch.failed(&broken), stop, count).await)
            }
        }
    }

    async fn roll_back(&self, work: &mut Wire) {
        if let Err(broken) = work.all("ROLLBACK".to_owned()).await {
            tracing::debug!(why = broken.words(), "rolling back");
        }
    }

    /// Sends one text, which a stop cancels.
    async fn send(&self, work: &mut Wire, batch: &Batch, stop: &Stop) -> Result<Vec<Given>, Broken> {
        let sent = work.few(batch.text(), 2);
        let wire = &self.pg.lock;
        let answer = if self.lease.is_some() {
            // Whose process that is, only the pooler knows: the statement is waited for, as long as the pooler is there.
            let there = || async move { wire.lock().await.all("SELECT 1".to_owned()).await.map(|_| false) };
            silent::watched(self.pg.patience, sent, there).await
        } else {
            let (cancel, rests) = (format!("SELECT pg_cancel_backend({})", self.pid), self.rests());
            let (cancel, rests) = (cancel.as_str(), rests.as_str());
            let sent =
                cancelled_by(stop, sent, || async move { wire.lock().await.all(cancel.to_owned()).await.map(|_| ()) });
            let rests = || async move {
                let given = wire.lock().await.all(rests.to_owned()).await?;
                Ok::<_, Broken>(given.first().and_then(Given::first) == Some("true"))
            };
            silent::watched(self.pg.patience, sent, rests).await
        };
        answer.unwrap_or_else(|cause| Err(Broken { results: Vec::new(), cause }))
    }

    /// Asks whether the work session is gone, or has had nothing to do for a while. What another role may not see counts as work.
    fn rests(&self) -> String {
        format!(
            "SELECT (count(*) = 0 OR bool_and(coalesce(state LIKE 'idle%' \
             AND clock_timestamp() - state_change > interval '{} milliseconds', false)))::text \
             FROM pg_catalog.pg_stat_activity WHERE pid = {}",
            self.pg.patience.as_millis(),
            self.pid
        )
    }

    async fn failure(&self, broken: &Broken, part: Part, stop: &Stop, count: usize) -> Failure {
        if broken.gone() {
            return Failure::Lost(anyhow!("{}", broken.words()));
        }
        if broken.state() == Some(FENCED) {
            return self.fenced().await;
        }
        if broken.busy() {
            return Failure::Busy(broken.words());
        }
        if broken.state() == Some(CANCELLED) && stop.signal().is_some() {
            return Failure::Stopped;
        }
        let why = broken.why();
        match part {
            Part::Action(at) => Failure::Handler { at, why },
            Part::Setup => {
                Failure::Handler { at: 0, why: why.context("what the handler has set before can't be set again") }
            }
            Part::Commit if count > 0 => Failure::Handler { at: count, why },
            // It could be written before, so the handler has changed what that needs; but a server has its own troubles too: resources,
            // operators, files, itself (manual, appendix A).
            Part::After
                if count > 0
                    && broken.state().is_some_and(|s| !["53", "57", "58", "XX"].iter().any(|c| s.starts_with(c))) =>
            {
                Failure::Handler { at: count, why: why.context("after the handler its ledger row can't be written") }
            }
            Part::Commit | Part::Ledger | Part::After | Part::Frame => {
                Failure::Access(why.context(format!("cannot write the ledger of {}", self.pg.shown())))
            }
        }
    }

    /// Who has the lock now, if that can be read.
    async fn fenced(&self) -> Failure {
        let mut wire = self.pg.lock.lock().await;
        let last = lock::last(&mut wire, &self.pg.rows, &millis(&self.pg.target.lock_timeout)).await.ok().flatten();
        fenced(self.me, last.map(|last| last.run))
    }

    /// Whether the lock is still ours: asked before each statement that commits by itself (rule X2).
    async fn still_held(&self) -> Result<bool, Failure> {
        let mut wire = self.pg.lock.lock().await;
        let held = match self.lease {
            Some(_) => lease::renew(&mut wire, &self.pg.rows, &self.me.run).await,
            None => {
                let ours = format!(
                    "SELECT 1 FROM {} WHERE id = 1 AND run_id = {}",
                    self.pg.rows.table(table::RUN),
                    literal(&self.me.run)
                );
                match lock::holds(&mut wire, self.pg.key).await {
                    Ok(true) => wire.all(ours).await.map(|given| given.iter().any(|g| g.count > 0)),
                    other => other,
                }
            }
        };
        held.map_err(|b| b.access("cannot check the lock"))
    }
}

impl Hold for Holding<'_> {
    fn begin<'a>(&'a self, begin: &'a Begin) -> Answer<'a, Time> {
        Box::pin(self.write_begin(begin))
    }
    fn commit<'a>(&'a self, unit: &'a Unit, stop: &'a Stop) -> Answer<'a, Time> {
        Box::pin(self.write_unit(unit, stop))
    }
    fn blockers(&self) -> Answer<'_, Vec<String>> {
        Box::pin(blockers::of(self.pg, &self.pid, &self.me.run))
    }
    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { pg, me, work, lease, holder: _, pid: _, name: _ } = *self;
            failpoint::point("before release");
            let leased = lease.is_some();
            drop(lease);
            work.into_inner().close().await;
            let mut wire = pg.lock.lock().await;
            let given = if leased {
                lease::give_back(&mut wire, &pg.rows, &me.run).await
            } else {
                lock::give_back(&mut wire, pg.key).await
            };
            failpoint::point("after release");
            given
        })
    }
}
