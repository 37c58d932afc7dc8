//! The lock, and with it the way to write.

use super::{
    super::{
        Answer, Failure, Hold, Me, NothingRan, Stop, no_operation,
        rows::table,
        silent, unexpected,
        wire::{Given, Trouble as _, cancelled_by, clock, fenced, next_epoch, note, unrecorded},
    },
    blockers,
    error::Broken,
    lock, probe,
    session::Open,
    settings::{BEGIN, COMMIT, ROLLBACK, Settings, literal, take},
    tables,
    wire::{Wire, truth},
};
use crate::{
    action::Action,
    failpoint,
    ledger::{Begin, Entry, Unit},
    model::Time,
    shell, sql,
};
use anyhow::anyhow;
use std::{path::Path, sync::Arc};
use tokio::sync::Mutex;

/// The connection that does the work.
pub(super) struct Work {
    wire: Wire,
    /// Its id on the server.
    id: String,
    /// The statements of the handler at work that have set the session since it was last set to triphase's own settings. `None`: not
    /// known.
    setup: Option<Vec<String>>,
}

impl Work {
    pub(super) fn new(wire: Wire, id: String) -> Self {
        Self { wire: wire.at_work(), id, setup: None }
    }
}

/// The lock, while it is had.
pub(super) struct Holding<'a> {
    open: &'a Open,
    me: &'a Me,
    /// The work connection's id.
    id: String,
    work: Mutex<Work>,
}

impl<'a> Holding<'a> {
    pub(super) fn new(open: &'a Open, me: &'a Me, work: Work) -> Self {
        Self { open, me, id: work.id.clone(), work: Mutex::new(work) }
    }

    async fn write_begin(&self, begin: &Begin) -> Result<Time, Failure> {
        self.watched(self.begun(begin)).await
    }

    async fn begun(&self, begin: &Begin) -> Result<Time, Failure> {
        let rows = &self.open.rows;
        let writing = |b: Broken| self.ledger_failure(&b);
        let mut work = self.work.lock().await;
        failpoint::point("before begin");
        if begin.create {
            if !self.still_held(false).await? {
                return Err(self.fenced().await);
            }
            // DDL commits by itself: a run that is killed here leaves tables that the next one finds empty, and completes.
            for statement in rows.create() {
                work.wire.one(&statement).await.map_err(writing)?;
                failpoint::point("after a table of the ledger");
            }
        }
        let result = async {
            let mut statements = vec![BEGIN.to_owned()];
            statements.extend(take(rows));
            work.wire.all(&statements).await.map_err(writing)?;
            // Seen after the wait: a run that lost its lock meanwhile must not take the row from the one that has it.
            if lock::holder(&mut work.wire, &self.open.lock_name).await.map_err(writing)? != Some(self.open.id.clone())
            {
                return Err(self.fenced().await);
            }
            let again = Begin { create: false, guards: begin.guards.clone() };
            let mut statements = rows.begin(&again, self.me, &format!("{} {}", self.open.id, self.id));
            statements.extend([next_epoch(rows), rows.clock_query(), COMMIT.to_owned()]);
            clock(&work.wire.all(&statements).await.map_err(writing)?)
        }
        .await;
        if result.is_err() {
            roll_back(&mut work.wire).await;
        }
        failpoint::point("after begin");
        result
    }

    async fn write_unit(&self, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        // Rows without an action record what has happened, a stop included.
        if !unit.actions.is_empty() && stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        let mut work = self.work.lock().await;
        if unit.actions.is_empty() {
            return self.together(&mut work, unit, &Stop::never()).await;
        }
        if let [Action::Shell { file, text }] = unit.actions.as_slice() {
            return self.shell(&mut work, file, text, unit, stop).await;
        }
        self.watched(self.set_up(&mut work, unit)).await?;
        let done = match unit.actions.as_slice() {
            [Action::Sql { text, alone: true, .. }] => self.alone(&mut work, text, unit, stop).await,
            _ => self.together(&mut work, unit, stop).await,
        };
        match (&done, &mut work.setup) {
            (Ok(_), Some(setup)) => {
                let texts = unit.actions.iter().filter_map(session_text);
                setup.extend(texts.map(str::to_owned));
            }
            (Ok(_), None) => {}
            (Err(_), setup) => *setup = None,
        }
        done
    }

    /// A handler starts from triphase's settings (rule L9), and goes on with what its earlier statements have set, in whatever session.
    async fn set_up(&self, work: &mut Work, unit: &Unit) -> Result<(), Failure> {
        if !unit.setup.is_empty() && work.setup.as_ref() == Some(&unit.setup) {
            return Ok(());
        }
        work.setup = None;
        let setting = |b: Broken| b.access("cannot set the session up");
        work.wire.all(&self.open.settings.statements()).await.map_err(setting)?;
        for text in &unit.setup {
            if let Err(broken) = work.wire.run(text).await {
                return Err(match broken.gone() || broken.busy() {
                    true => setting(broken),
                    false => Failure::Handler {
                        at: 0,
                        why: anyhow!("{}", broken.words())
                            .context(format!("an earlier statement sets the session, and failed: {text}")),
                    },
                });
            }
        }
        work.setup = Some(unit.setup.clone());
        Ok(())
    }

    /// All of the unit in one transaction.
    async fn together(&self, work: &mut Work, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        self.watched(self.committed(work, unit, stop)).await
    }

    async fn committed(&self, work: &mut Work, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        if !unit.actions.is_empty() {
            let alone = tables::alone(&mut work.wire, &self.open.about.database, &unit.actions).await?;
            if let Some(at) = alone.iter().position(|alone| *alone) {
                // The table came after the plan. Planned again, the statement is announced as one that commits by itself.
                return Err(Failure::Lost(anyhow!(
                    "a table of this statement is not transactional, so it commits by itself: {}",
                    unit.actions[at].text()
                )));
            }
        }
        failpoint::point("before a transaction");
        let result = self.transaction(work, unit, stop).await;
        if result.is_err() {
            roll_back(&mut work.wire).await;
        }
        failpoint::point("after a transaction");
        result
    }

    async fn transaction(&self, work: &mut Work, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let ledger = |b: Broken| self.ledger_failure(&b);
        let fence = self.open.rows.fence_query(&self.me.run);
        let given = work.wire.all(&[BEGIN, fence.as_str()]).await.map_err(ledger)?;
        if given.get(1).is_none_or(|rows| rows.count == 0) {
            return Err(self.fenced().await);
        }
        if !unit.opens.is_empty()
            && lock::holder(&mut work.wire, &self.open.lock_name).await.map_err(ledger)? != Some(self.open.id.clone())
        {
            return Err(self.fenced().await);
        }
        self.entries(work, &unit.opens, &[]).await.map_err(ledger)?;
        let note = note(unit.at().as_deref());
        for (at, action) in unit.actions.iter().enumerate() {
            match action {
                Action::Sql { text, .. } => {
                    let text = format!("{note}{text}");
                    self.send(&mut work.wire, &text, stop).await.map_err(|b| self.failure(&b, at, stop))?;
                }
                Action::Expect { query } => {
                    let given =
                        work.wire.query(&format!("{note}{query}")).await.map_err(|b| self.failure(&b, at, stop))?;
                    if let Err(found) = truth(&given) {
                        return Err(Failure::Handler { at, why: unexpected(found) });
                    }
                }
                Action::Shell { .. } => {}
                Action::Operation { .. } => {
                    return Err(Failure::Refused(Box::new(no_operation(self.open.about.dialect, action))));
                }
            }
            // A cancelled SLEEP() ends well on MySQL.
            if stop.signal().is_some() {
                return Err(Failure::Stopped);
            }
        }
        let ends = [COMMIT];
        let given = self.entries(work, &unit.closes, &ends).await.map_err(ledger)?;
        clock(&given)
    }

    /// Writes the ledger as triphase's own settings have it, whatever the handler has set; then the clock, then `ends`.
    async fn entries(&self, work: &mut Work, entries: &[Entry], ends: &[&str]) -> Result<Vec<Given>, Broken> {
        if entries.is_empty() && ends.is_empty() {
            return Ok(Vec::new());
        }
        let mut statements = self.open.settings.enter();
        statements.extend(self.open.rows.entries(entries, self.me));
        statements.push(Settings::leave());
        statements.push(self.open.rows.clock_query());
        statements.extend(ends.iter().map(|&end| end.to_owned()));
        work.wire.all(&statements).await
    }

    /// One statement by itself, between its opens and its closes (rule L4).
    async fn alone(&self, work: &mut Work, text: &str, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        if !unit.opens.is_empty()
            && let Some(made) = probe::made_already(self.open, text).await?
        {
            // Announced, it would be taken for the statement's own once that is cut short.
            return Err(Failure::Handler { at: 0, why: anyhow!("{made} already exists, and is not this statement's") });
        }
        self.announce(work, unit, stop).await?;
        failpoint::point("before a lone statement");
        let noted = format!("{}{text}", note(unit.at().as_deref()));
        let sent = silent::watched(self.open.patience, self.send(&mut work.wire, &noted, stop), || self.rests()).await;
        if let Err(broken) = sent.unwrap_or_else(|silence| Err(Broken(silence))) {
            return Err(self.lone_failure(work, text, &broken, stop).await);
        }
        failpoint::point("after a lone statement");
        self.close_alone(work, &unit.closes, &format!("`{text}` was applied")).await
    }

    /// Writes the opens of what commits by itself, if the lock is still ours (rule X2). Both are one transaction: what is announced is sent
    /// next, so that a statement which was never sent is no open question. It may begin then, unless somebody has said to stop.
    async fn announce(&self, work: &mut Work, unit: &Unit, stop: &Stop) -> Result<(), Failure> {
        if unit.opens.is_empty() {
            if !self.still_held(true).await? {
                return Err(self.fenced().await);
            }
        } else {
            failpoint::point("before opens");
            match self.together(work, &Unit { opens: unit.opens.clone(), ..Unit::default() }, stop).await {
                Ok(_) => {}
                Err(Failure::Fenced(None)) => return Err(self.fenced_or_lost().await),
                Err(failure) => return Err(failure),
            }
        }
        failpoint::point("after opens");
        if stop.signal().is_some() { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// Why the lock or its row is not this run's any more: another's doing, or only the connection that had it is gone, and then the lock can
    /// be had again.
    async fn fenced_or_lost(&self) -> Failure {
        self.still_held(true).await.err().unwrap_or(Failure::Fenced(None))
    }

    /// A file for the client (rule F4), between its opens and its closes. The client's session has a lock by the run's name, so that who
    /// takes over ends it too (rule X2).
    async fn shell(&self, work: &mut Work, file: &Path, text: &str, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let client = shell::client(&self.open.target, file).map_err(|finding| Failure::Refused(Box::new(finding)))?;
        let client =
            client.presets(vec![self.open.settings.of_client(&self.me.run, &self.open.lock_name, &self.open.id)]);
        self.announce(work, unit, stop).await?;
        failpoint::point("before a lone statement");
        shell::run(&client, text, None, stop.pulled()).await?;
        failpoint::point("after a lone statement");
        self.close_alone(work, &unit.closes, &format!("`{}` was run", file.display())).await
    }

    /// What was done outside of a transaction is recorded. `done`: what it was.
    async fn close_alone(&self, work: &mut Work, closes: &[Entry], done: &str) -> Result<Time, Failure> {
        let closes = Unit { closes: closes.to_vec(), ..Unit::default() };
        let closed = self.together(work, &closes, &Stop::never()).await;
        failpoint::point("after closes");
        if let Err(Failure::Access(why)) = &closed
            && !self.open.has_ledger().await
        {
            return Err(Failure::Access(anyhow!("{done} and could not be recorded: {why:#}")));
        }
        closed.map_err(|why| unrecorded(done, why))
    }

    /// A statement by itself that failed has left nothing behind, unless a table of it has no transactions, or it is a procedure.
    async fn lone_failure(&self, work: &mut Work, text: &str, broken: &Broken, stop: &Stop) -> Failure {
        let failure = match self.failure(broken, 0, stop) {
            Failure::Handler { at, .. } if broken.refuses(&self.open.about.database, text) => {
                return Failure::Handler { at, why: NothingRan(broken.words()).into() };
            }
            failure => failure,
        };
        if matches!(failure, Failure::Lost(_)) || broken.before_anything() || !probe::is_dml(text) {
            return failure;
        }
        let action = [Action::Sql { text: text.to_owned(), alone: false, done_when: None }];
        match tables::alone(&mut work.wire, &self.open.about.database, &action).await.as_deref() {
            Ok([false]) => failure,
            _ => Failure::Lost(anyhow!(
                "a statement on a table without transactions failed, perhaps half-way: {failure}"
            )),
        }
    }

    /// Sends an author's statement, which a stop cancels.
    async fn send(&self, wire: &mut Wire, text: &str, stop: &Stop) -> Result<(), Broken> {
        let (open, kill) = (self.open, format!("KILL QUERY {}", self.id));
        let kill = kill.as_str();
        cancelled_by(stop, wire.run(text), || async move { open.ask_one(kill).await.map(|_| ()) }).await
    }

    /// Waits for the work connection, as long as there is something to wait for.
    async fn watched<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let answer = silent::watched(self.open.patience, work, || self.rests()).await;
        answer.unwrap_or_else(|silence| Err(Failure::Lost(anyhow!("{silence}"))))
    }

    /// Whether the work session is gone, or has had nothing to do for a while.
    async fn rests(&self) -> Result<bool, Broken> {
        let query = format!(
            "SELECT count(*) = 0 OR max(COMMAND = 'Sleep' AND TIME >= {}) FROM information_schema.processlist WHERE id = {}",
            self.open.patience.as_secs().max(1),
            self.id
        );
        let lock = Arc::clone(&self.open.lock);
        // Whoever asks may stop listening half-way, and the answer must not be left in the connection for the next query to find.
        let asked = tokio::spawn(async move { lock.lock().await.one(&query).await });
        match asked.await {
            Ok(given) => Ok(given?.first() == Some("1")),
            // The runtime is about to end, and everything with it.
            Err(_) => Ok(false),
        }
    }

    /// What a handler's failure means.
    fn failure(&self, broken: &Broken, at: usize, stop: &Stop) -> Failure {
        if broken.gone() {
            Failure::Lost(anyhow!("{}", broken.words()))
        } else if broken.cancelled() && stop.signal().is_some() {
            Failure::Stopped
        } else if broken.busy() {
            Failure::Busy(broken.words())
        } else {
            Failure::Handler { at, why: anyhow!("{}", broken.words()) }
        }
    }

    /// What a failure means that is the ledger's own.
    fn ledger_failure(&self, broken: &Broken) -> Failure {
        broken.of_ledger(&format!("cannot write the ledger of {}", self.open.shown()))
    }

    /// Who has the lock now, if that can be read.
    async fn fenced(&self) -> Failure {
        let mut wire = self.open.lock.lock().await;
        let last = lock::last(&mut wire, &self.open.rows).await.ok().flatten();
        fenced(self.me, last.map(|last| last.run))
    }

    /// Whether the lock is still ours, and the ledger's row with it: asked before each statement that commits by itself (rule X2).
    async fn still_held(&self, row: bool) -> Result<bool, Failure> {
        let checking = |b: Broken| b.access("cannot check the lock");
        let mut wire = self.open.lock.lock().await;
        if !lock::holds(&mut wire, self.open).await.map_err(checking)? {
            return Ok(false);
        }
        let ours = format!(
            "SELECT 1 FROM {} WHERE id = 1 AND run_id = {}",
            self.open.rows.table(table::RUN),
            literal(&self.me.run)
        );
        Ok(!row || wire.one(&ours).await.map_err(checking)?.count > 0)
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
        Box::pin(async move {
            let (lock, version, id) = (Arc::clone(&self.open.lock), self.open.version().clone(), self.id.clone());
            // Whoever asks may stop listening half-way, and the answer must not be left in the connection for the next query to find.
            let asked = tokio::spawn(async move { blockers::of(&mut *lock.lock().await, &version, &id).await });
            Ok(asked.await.unwrap_or_default())
        })
    }
    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { open, work, .. } = *self;
            failpoint::point("before release");
            work.into_inner().wire.close().await;
            let mut wire = open.lock.lock().await;
            let given = lock::give_back(&mut wire, open).await;
            failpoint::point("after release");
            given
        })
    }
}

/// The text of a statement that sets the session.
fn session_text(action: &Action) -> Option<&str> {
    match action {
        Action::Sql { text, .. } => sql::sets_session(text).then_some(text.as_str()),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
    }
}

async fn roll_back(wire: &mut Wire) {
    if let Err(broken) = wire.one(ROLLBACK).await {
        tracing::debug!(why = broken.words(), "rolling back");
    }
}
