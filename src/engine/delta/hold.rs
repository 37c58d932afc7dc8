//! The lease, held, and the writes that it allows. A statement is announced in the ledger, committed to its table with its evidence, and
//! then said to be done; a crash between any two of these is decided by the table's own `txn`.

use super::{
    acts,
    change::Change,
    dml,
    evidence::{self, Evidence},
    head::Told as _,
    journal::{Appended, FILES, Journal, MANY_FILES, Row},
    lease::{Keeper, Lease, State},
    leavings, query,
    session::LakeSession,
    traces, unit,
};
use crate::{
    action::Action,
    engine::{Answer, Failure, Hold, Me, Progress, Stop},
    failpoint,
    ledger::{Begin, By, Entry, Format, Left, Outcome, Unit},
    model::{StepId, Time, Verb, Way},
    ops::Act,
    sql,
};
use anyhow::anyhow;

/// The lock of a lake.
pub struct LakeHold<'a> {
    session: &'a LakeSession,
    me: &'a Me,
    lease: State,
    keeper: Keeper,
}

impl<'a> LakeHold<'a> {
    /// A run that has the lease.
    pub const fn new(session: &'a LakeSession, me: &'a Me, lease: State, keeper: Keeper) -> Self {
        Self { session, me, lease, keeper }
    }

    /// Who.
    pub const fn me(&self) -> &Me {
        self.me
    }

    /// The lease's epoch.
    pub const fn epoch(&self) -> i64 {
        self.lease.epoch
    }

    /// Writes what makes this run the ledger's own.
    ///
    /// # Errors
    /// [`Failure::Fenced`] where a later run has written.
    pub async fn record_first(&self, rows: Vec<Row>) -> Result<Vec<Row>, Failure> {
        self.write(Writes::TakingOver, None, |_| rows.clone()).await
    }

    /// Gives the lease back. `clean`: nothing that was done under it, or before it, is still on its way.
    ///
    /// # Errors
    /// [`Failure::Access`] where it can't be: it runs out by itself then.
    pub async fn give_back(self, clean: bool) -> Result<(), Failure> {
        let Self { session, lease, keeper, .. } = self;
        drop(keeper);
        // A renewal that was under way may be first, once.
        for _ in 0..5 {
            let Some(found) = Lease::read(&session.lake).await?.filter(|found| found.state == lease) else {
                return Ok(());
            };
            let state = State { run: None, epoch: lease.epoch, clean };
            match found.set(&state, "TRIPHASE UNLOCK").await {
                Ok(()) => return Ok(()),
                Err(super::trouble::Trouble::Moved) => {}
                Err(trouble) => return Err(trouble.access("the lock")),
            }
        }
        Ok(())
    }

    /// Writes rows, if this run still may (rule X2). They are made of the ledger as it is at that moment.
    async fn write(
        &self,
        as_who: Writes,
        format: Option<Format>,
        rows: impl Fn(&Journal) -> Vec<Row>,
    ) -> Result<Vec<Row>, Failure> {
        let mut journal = self.session.journal.lock().await;
        loop {
            let fold = &journal.fold;
            let mine = fold.ledger.run.as_ref().is_some_and(|run| run.run == self.me.run);
            if self.keeper.lost() || fold.epoch > self.lease.epoch || (as_who == Writes::Begun && !mine) {
                return Err(Failure::Fenced(
                    fold.ledger.run.clone().filter(|run| run.run != self.me.run).map(Box::new),
                ));
            }
            let rows = rows(&journal);
            if rows.is_empty() {
                return Ok(rows);
            }
            failpoint::point("before a ledger commit");
            let appended = journal.append(rows, format).await?;
            failpoint::point("after a ledger commit");
            journal.refresh(&self.session.lake).await.map_err(lost)?;
            match appended {
                Appended::Yes(rows) => {
                    journal.compact(&self.session.lake, self.me, MANY_FILES).await.map_err(lost)?;
                    return Ok(rows);
                }
                // An answer was lost, and the client of the store has sent it again: they are in.
                Appended::Moved(rows) if journal.ends_with(&rows) => return Ok(rows),
                Appended::Moved(_) => match as_who {
                    Writes::TakingOver | Writes::Begun => {}
                    Writes::Beginning => return Err(elsewhere()),
                },
            }
        }
    }

    async fn write_begin(&self, begin: &Begin) -> Result<Time, Failure> {
        failpoint::point("before begin");
        {
            let mut journal = self.session.journal.lock().await;
            if begin.create {
                let planned = journal.rows.len();
                journal.create(&self.session.lake, self.me).await?;
                failpoint::point("after create");
                if journal.rows.len() != planned {
                    return Err(elsewhere());
                }
            }
            journal.compact(&self.session.lake, self.me, FILES).await?;
        }
        let change = Change::Begin { pid: self.me.pid, guards: begin.guards.clone() };
        let mut row = Journal::row(self.me, self.lease.epoch, Some(&change));
        if let Some(guards) = &begin.guards {
            row.verb = "guards".to_owned();
            row.outcome = Outcome::Recorded.name().to_owned();
            row.detail = Some(crate::engine::rows::as_written(guards));
        }
        let rows = self.write(Writes::Beginning, None, |_| vec![row.clone()]).await?;
        failpoint::point("after begin");
        Ok(clock(&rows))
    }

    async fn write_unit(&self, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        if !unit.actions.is_empty() && stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        match unit.actions.as_slice() {
            [action] if action.alone() => self.alone(action, unit, stop).await,
            actions => {
                self.entries(&unit.opens).await?;
                for (at, action) in actions.iter().enumerate() {
                    self.expect(at, action).await?;
                }
                self.entries(&unit.closes).await
            }
        }
    }

    async fn expect(&self, at: usize, action: &Action) -> Result<(), Failure> {
        let refuse = |why: String| Failure::Handler { at, why: anyhow!(why) };
        match action {
            Action::Expect { query } => match query::truth(&self.session.lake, query).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(found)) => {
                    Err(refuse(format!("expected one row with one value, true or not zero; found {found}")))
                }
                Err(trouble) => Err(trouble.action(at)),
            },
            Action::Sql { .. } | Action::Operation { .. } | Action::Shell { .. } => {
                Err(Failure::Handler { at, why: not_run(action) })
            }
        }
    }

    /// A statement or an act: announced, committed with its evidence, said to be done.
    async fn alone(&self, action: &Action, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let refuse = |why: anyhow::Error| Failure::Handler { at: 0, why };
        let Some((id, verb, statement)) = unit::attempted(&unit.opens) else {
            return Err(Failure::Access(anyhow!("an action of no step was to be run: {}", action.text())));
        };
        let work = match action {
            Action::Sql { text, .. } => Work::Statement(
                sql::lake::read(text).map_err(|refused| refuse(anyhow!("{}; {}", refused.message, refused.way_out)))?,
            ),
            Action::Operation { act, .. } => Work::Act(act),
            Action::Expect { .. } | Action::Shell { .. } => return Err(refuse(not_run(action))),
        };
        let kept = id;
        // An operation's evidence is its step's as it was called when it was derived.
        let id = match action {
            Action::Operation { step, .. } => step,
            Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => id,
        };
        let newest = self.newest(work.table(), id).await?;
        let last = unit::ends(&unit.closes);
        self.knows(work.table(), id, newest).await?;
        let written = self
            .write(Writes::Begun, None, |journal| {
                let mut rows = self.rows(&unit.opens);
                let attempt = (journal.last() + 1).max(evidence::next_attempt(newest));
                if let Some(row) = rows.last_mut() {
                    row.txn = Some(evidence::number(attempt, verb, last));
                }
                rows
            })
            .await?;
        let txn = written.last().and_then(|row| row.txn).unwrap_or_default();
        if stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        if self.keeper.lost() {
            return Err(Failure::Fenced(None));
        }
        let (lake, patience) = (&self.session.lake, self.session.patience);
        let evidence = Evidence::new(id, verb, statement, txn, self.me, self.lease.epoch)
            .under(self.keeper.watch())
            .by(self.by(kept, verb).await?)
            .beside(self.session.journal.lock().await.fold.undone());
        failpoint::point("before a statement");
        lake.meter.clear();
        match &work {
            Work::Statement(dml) => dml::run(lake, dml, &evidence, patience, stop).await?,
            Work::Act(act) => acts::Run { lake, evidence: &evidence, patience, stop }.act(act).await?,
        }
        failpoint::point("after a statement");
        // It is applied. What fails from here on must not have it sent again unasked.
        self.entries(&unit.closes).await.map_err(lost)
    }

    /// The handlers of a step that is at work, as the ledger has them.
    async fn by(&self, id: &StepId, verb: Verb) -> Result<Option<By>, Failure> {
        let stored = self.session.journal.lock().await.fold.stored(std::slice::from_ref(id))?;
        let checksum = |verb: Verb| Some(stored.get(id)?.get(&verb)?.checksum.clone());
        let back = verb.phase().rollback().filter(|_| verb.way() == Way::Forward).and_then(checksum);
        Ok(checksum(verb).map(|ran| By { ran, back }))
    }

    /// A table's newest `txn` of a step; `None` where there is no such table yet.
    async fn newest(&self, table: &str, id: &StepId) -> Result<Option<i64>, Failure> {
        let access = |trouble: super::trouble::Trouble| trouble.access(&format!("table `{table}`"));
        let place = self.session.lake.place(table).map_err(|why| Failure::Handler { at: 0, why })?;
        match self.session.lake.head(&place).await.map_err(access)? {
            Some(table) => table.txn(&evidence::app(id)).await.map_err(access),
            None => Ok(None),
        }
    }

    /// Refuses where the table knows of an attempt that the ledger never made: it is not the ledger that this step was run by (D7).
    async fn knows(&self, table: &str, id: &StepId, newest: Option<i64>) -> Result<(), Failure> {
        let journal = self.session.journal.lock().await;
        if newest.is_none_or(|newest| journal.knows(newest)) {
            return Ok(());
        }
        Err(traces::lost(table, id))
    }

    async fn remove(&self, what: &[Left], reason: &str) -> Result<(), Failure> {
        for left in what {
            if self.keeper.lost() {
                return Err(Failure::Fenced(None));
            }
            // Said before and after: what is gone when this is cut short in between is found by nobody any more.
            self.purged(left, Outcome::Attempting, reason).await?;
            leavings::remove(&self.session.lake, left, &self.me.run, self.session.patience).await?;
            self.purged(left, Outcome::Recorded, reason).await?;
        }
        Ok(())
    }

    async fn purged(&self, left: &Left, outcome: Outcome, reason: &str) -> Result<(), Failure> {
        let table = if left.table.is_empty() { String::new() } else { format!(" of table {}", left.table) };
        let row = Row {
            verb: "repair purge".to_owned(),
            outcome: outcome.name().to_owned(),
            detail: Some(format!("{} {}{table}: {reason}", left.kind.name(), left.name)),
            ..Journal::row(self.me, self.lease.epoch, None)
        };
        self.write(Writes::Begun, None, |_| vec![row.clone()]).await.map(drop)
    }

    fn rows(&self, entries: &[Entry]) -> Vec<Row> {
        entries.iter().map(|entry| self.row(entry)).collect()
    }

    fn row(&self, entry: &Entry) -> Row {
        let event = entry.event();
        Row {
            release: event.release.as_ref().map_or_else(String::new, |release| release.as_str().to_owned()),
            step: event.step.clone().unwrap_or_default(),
            verb: event.verb.clone(),
            statement: event.statement.and_then(|statement| i32::try_from(statement + 1).ok()),
            hash: event.hash.clone(),
            outcome: event.outcome.name().to_owned(),
            detail: event.detail.clone(),
            ..Journal::row(self.me, self.lease.epoch, Some(&Change::of(entry)))
        }
    }

    async fn entries(&self, entries: &[Entry]) -> Result<Time, Failure> {
        let upgrade = entries.iter().any(|entry| matches!(entry, Entry::Upgrade { .. }));
        let rows = self.write(Writes::Begun, upgrade.then_some(Format::CURRENT), |_| self.rows(entries)).await?;
        Ok(clock(&rows))
    }
}

fn clock(rows: &[Row]) -> Time {
    rows.last().map_or_else(super::lake::host_clock, |row| row.at)
}

/// As who a run writes to the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// It takes over from a dead run, whatever that one may still write.
    TakingOver,
    /// It begins what was planned on the ledger as read: another writer since makes the plan void.
    Beginning,
    /// The ledger says that it is its run.
    Begun,
}

/// The ledger is not the one that the plan was made on: the run goes round again.
fn elsewhere() -> Failure {
    Failure::Lost(anyhow!("another run has written to the ledger since it was read"))
}

/// What is done to a table.
enum Work<'a> {
    Statement(sql::lake::Dml),
    Act(&'a Act),
}

impl Work<'_> {
    fn table(&self) -> &str {
        match self {
            Self::Statement(dml) => &dml.table().path,
            Self::Act(act) => &act.table,
        }
    }
}

fn not_run(action: &Action) -> anyhow::Error {
    anyhow!("a lake runs statements and operations, each by itself, and not this: {}", action.text())
}

/// After something was committed: what fails must be decided by looking, not by trying again.
fn lost(failed: Failure) -> Failure {
    match failed {
        Failure::Handler { why, .. } | Failure::Access(why) => Failure::Lost(why),
        Failure::Busy(text) => Failure::Lost(anyhow!(text)),
        other @ (Failure::Lost(_) | Failure::Fenced(_) | Failure::Stopped | Failure::Refused(_)) => other,
    }
}

impl Hold for LakeHold<'_> {
    fn begin<'a>(&'a self, begin: &'a Begin) -> Answer<'a, Time> {
        Box::pin(self.write_begin(begin))
    }

    fn commit<'a>(&'a self, unit: &'a Unit, stop: &'a Stop) -> Answer<'a, Time> {
        Box::pin(self.write_unit(unit, stop))
    }

    fn purge<'a>(&'a self, what: &'a [Left], reason: &'a str) -> Answer<'a, ()> {
        Box::pin(self.remove(what, reason))
    }

    fn blockers(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn progress(&self) -> Option<Progress> {
        self.session.lake.meter.read()
    }

    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin((*self).give_back(true))
    }
}
