//! The lock, held, and the writes it allows. Every transaction first looks whether this run is still the one that may write (rule X2).

use super::{
    connect::{Cell, Halt, Link, cells, execute, texts},
    failure, foreign_keys,
    lock::FileLock,
    session::{FileSession, host_clock},
    watch::Reached,
    whole::{self, sets},
};
use crate::{
    action::Action,
    engine::{Answer, Failure, Hold, Me, OwnWords, Stop, no_operation, rows::TextRow},
    failpoint,
    ledger::{Begin, Entry, Unit},
    model::{Dialect, Time},
    shell,
};
use anyhow::anyhow;
use std::{ops::DerefMut, path::Path, sync::PoisonError};

/// The lock on a file.
pub struct FileHold<'a> {
    session: &'a FileSession,
    me: &'a Me,
    lock: FileLock,
}

impl<'a> FileHold<'a> {
    /// A run that has the lock.
    pub const fn new(session: &'a FileSession, me: &'a Me, lock: FileLock) -> Self {
        Self { session, me, lock }
    }

    fn access(&self, error: sqlx::Error) -> Failure {
        failure::access(&self.session.settings.file, error)
    }

    async fn link(&self) -> Result<impl DerefMut<Target = Link> + '_, Failure> {
        self.session
            .link()
            .await?
            .ok_or_else(|| Failure::Access(anyhow!("{} is gone", self.session.settings.file.display())))
    }

    async fn write_begin(&self, begin: &Begin) -> Result<Time, Failure> {
        let made = self.session.hint();
        let mut link = self.session.link_or_create().await?;
        if let Some(hint) = made {
            tracing::warn!("{} was not there, and is made now{hint}", self.session.settings.file.display());
        }
        let link = &mut *link;
        let written = async {
            link.settle(&self.session.settings).await?;
            failpoint::point("before begin");
            // The session at work is this process: the lock file tells whether it lives.
            let session = format!("pid {}", self.me.pid);
            let mut statements = self.session.rows.begin(begin, self.me, &session);
            statements.push(self.session.rows.clock_query());
            // A script holds no lock of the file's, and may have worked between what was read and here.
            let seen = self.session.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let seen = seen.unwrap_or_else(|| "1".to_owned());
            if !holds(&link.begin(&format!("SELECT {seen}")).await?) {
                return Ok(Err(Failure::Busy("the ledger has moved on since it was read".to_owned())));
            }
            let now = clock(&texts(&mut link.connection, &statements.join(";")).await?);
            link.commit().await?;
            failpoint::point("after begin");
            Ok(Ok(now))
        }
        .await;
        link.rollback().await;
        written.map_err(|error| self.access(error))?
    }

    async fn write_unit(&self, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        self.lock.at(unit.at());
        let mut link = self.link().await?;
        let link = &mut *link;
        link.settle(&self.session.settings).await.map_err(|e| self.access(e))?;
        if stop.signal().is_some() {
            return Err(Failure::Stopped);
        }
        if !unit.opens.is_empty() {
            failpoint::point("before opens");
            self.entries(link, &unit.opens, 0).await?;
            failpoint::point("after opens");
        }
        if unit.actions.iter().any(sets) || !unit.setup.is_empty() {
            link.unsettle();
        }
        // What the handler has set before holds on, and outside a transaction all of it can be set.
        for text in &unit.setup {
            execute(&mut link.connection, text).await.map_err(|e| failure::action(0, e))?;
        }
        let done = match unit.actions.as_slice() {
            [action] if action.alone() => self.alone(link, action, &unit.closes, stop).await,
            _ => self.together(link, unit, stop).await,
        };
        link.rollback().await;
        // The handler's own settings end with it, whatever became of it.
        let restored = link.settle(&self.session.settings).await;
        if let (Ok(_), Err(error)) = (&done, restored) {
            tracing::warn!("settings could not be restored after a handler: {error}");
        }
        done
    }

    /// A statement that commits by itself, then the entries that say so.
    async fn alone(&self, link: &mut Link, action: &Action, closes: &[Entry], stop: &Stop) -> Result<Time, Failure> {
        // Whether this run may write, the moment before: the statement can't ask by itself.
        self.fence(link).await?;
        failpoint::point("before statement alone");
        match action {
            Action::Shell { file, text } => self.shell(file, text, stop).await?,
            Action::Sql { .. } | Action::Expect { .. } | Action::Operation { .. } => {
                link.waits(true);
                let done = watched(link, stop, 0, action).await;
                link.waits(false);
                done?;
            }
        }
        failpoint::point("after statement alone");
        // It is applied. What fails from here on must not have it sent again unasked.
        self.entries(link, closes, 1).await.map_err(|failed| match failed {
            Failure::Handler { why, .. } => Failure::Lost(why),
            Failure::Busy(text) => Failure::Lost(anyhow!(text)),
            Failure::Access(why) => Failure::Lost(why),
            other @ (Failure::Lost(_) | Failure::Fenced(_) | Failure::Stopped | Failure::Refused(_)) => other,
        })
    }

    /// A file for the client (rule F4). No transaction is open here, so the client is not kept waiting. It holds the lock file open:
    /// should this process be killed, the next run waits for the client's end.
    async fn shell(&self, file: &Path, text: &str, stop: &Stop) -> Result<(), Failure> {
        let client =
            shell::client(&self.session.target, file).map_err(|finding| Failure::Refused(Box::new(finding)))?;
        let keys = format!("PRAGMA foreign_keys = {}", if self.session.settings.foreign_keys { "ON" } else { "OFF" });
        let client = client.presets(vec![keys]);
        let keep = self.lock.share().map_err(|error| Failure::Access(anyhow!("the lock file: {error}")))?;
        shell::run(&client, text, Some(keep), stop.pulled()).await?;
        Ok(())
    }

    /// Actions and entries in one transaction.
    async fn together(&self, link: &mut Link, unit: &Unit, stop: &Stop) -> Result<Time, Failure> {
        let Unit { setup, actions, closes, .. } = unit;
        let wish = foreign_keys::of_unit(setup, actions);
        if wish.is_none()
            && let Some(done) = self.whole(link, actions, closes, actions.len(), stop).await
        {
            return done;
        }
        if let Some(on) = wish {
            let pragma = format!("PRAGMA foreign_keys = {}", if on { "ON" } else { "OFF" });
            execute(&mut link.connection, &pragma).await.map_err(|e| self.access(e))?;
        }
        self.begin_fenced(link).await?;
        let off = wish == Some(false);
        let before = match off {
            true => Some(foreign_keys::orphans(&mut link.connection).await.map_err(|e| self.access(e))?),
            false => None,
        };
        for (at, action) in actions.iter().enumerate() {
            if stop.signal().is_some() {
                return Err(Failure::Stopped);
            }
            if foreign_keys::wish(action).is_some() {
                continue;
            }
            failpoint::point("before statement");
            watched(link, stop, at, action).await?;
        }
        let end = actions.len();
        if let Some(before) = before {
            // What can't be looked at now could be before the handler.
            let after = foreign_keys::orphans(&mut link.connection).await.map_err(|e| failure::action(end, e))?;
            foreign_keys::judge(before, after)
                .map_err(|why| Failure::Handler { at: end, why: OwnWords(why).into() })?;
        }
        self.close(link, closes, end).await
    }

    /// Actions and entries as one text, in one message; none where they can't be. `at`: the action that a failure of the entries is told
    /// as.
    async fn whole(
        &self,
        link: &mut Link,
        actions: &[Action],
        entries: &[Entry],
        at: usize,
        stop: &Stop,
    ) -> Option<Result<Time, Failure>> {
        let rows = &self.session.rows;
        let text = whole::text(rows, &self.me.run, actions, &rows.entries(entries, self.me))?;
        let Err(Halt { reached, error }) = link.transact(text, stop).await else {
            failpoint::point("after commit");
            return Some(Ok(host_clock()));
        };
        // Without an error nothing is applied, and what is sent statement by statement will do.
        let failed = match (error, reached) {
            (None, _) => None,
            (Some(error), Reached::Fence) => Some(match self.access(error) {
                busy @ Failure::Busy(_) => busy,
                other => self.fence(link).await.err().unwrap_or(other),
            }),
            (Some(error), Reached::Action(at)) => Some(failure::action(at, error)),
            (Some(error), Reached::Ledger) => Some(failure::action(at, error)),
            (Some(error), Reached::Commit) => Some(failure::commit(at, error)),
        };
        link.rollback().await;
        failed.map(Err)
    }

    /// Entries in a transaction of their own. What refuses one is no action's failure.
    async fn entries(&self, link: &mut Link, entries: &[Entry], at: usize) -> Result<Time, Failure> {
        let written = match self.whole(link, &[], entries, at, &Stop::never()).await {
            Some(done) => done,
            None => {
                let written = match self.begin_fenced(link).await {
                    Ok(()) => self.close(link, entries, at).await,
                    Err(failed) => Err(failed),
                };
                link.rollback().await;
                written
            }
        };
        written.map_err(|failed| match failed {
            Failure::Handler { why, .. } => Failure::Access(why.context("the ledger can't be written")),
            other @ (Failure::Busy(_)
            | Failure::Lost(_)
            | Failure::Fenced(_)
            | Failure::Access(_)
            | Failure::Stopped
            | Failure::Refused(_)) => other,
        })
    }

    /// Entries, the clock, and the commit.
    async fn close(&self, link: &mut Link, entries: &[Entry], at: usize) -> Result<Time, Failure> {
        let mut statements = self.session.rows.entries(entries, self.me);
        statements.push(self.session.rows.clock_query());
        let answer = texts(&mut link.connection, &statements.join(";")).await.map_err(|e| failure::action(at, e))?;
        let now = clock(&answer);
        link.commit().await.map_err(|e| failure::commit(at, e))?;
        failpoint::point("after commit");
        Ok(now)
    }

    /// Begins a transaction, if this run may still write.
    async fn begin_fenced(&self, link: &mut Link) -> Result<(), Failure> {
        let mine = link.begin(&self.session.rows.fence_query(&self.me.run)).await.map_err(|e| self.access(e))?;
        self.fenced(link, &mine).await
    }

    async fn fence(&self, link: &mut Link) -> Result<(), Failure> {
        let query = self.session.rows.fence_query(&self.me.run);
        let mine = texts(&mut link.connection, &query).await.map_err(|e| self.access(e))?;
        self.fenced(link, &mine).await
    }

    /// Whether the answer to the fence's query lets this run write.
    async fn fenced(&self, link: &mut Link, mine: &[TextRow]) -> Result<(), Failure> {
        let rows = &self.session.rows;
        if !mine.is_empty() {
            return Ok(());
        }
        let other = texts(&mut link.connection, &rows.run_query()).await.map_err(|e| self.access(e))?;
        Err(Failure::Fenced(rows.run(&other)?.map(|(run, _)| Box::new(run))))
    }
}

impl Hold for FileHold<'_> {
    fn begin<'a>(&'a self, begin: &'a Begin) -> Answer<'a, Time> {
        Box::pin(self.write_begin(begin))
    }

    fn commit<'a>(&'a self, unit: &'a Unit, stop: &'a Stop) -> Answer<'a, Time> {
        Box::pin(self.write_unit(unit, stop))
    }

    fn blockers(&self) -> Answer<'_, Vec<String>> {
        let waits = self.session.waits.load(std::sync::atomic::Ordering::Relaxed);
        let file = self.session.settings.file.display();
        let by = format!("another connection to {file} is at work; SQLite does not say whose");
        Box::pin(async move { Ok(if waits { vec![by] } else { Vec::new() }) })
    }

    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(async move {
            drop(self.lock);
            Ok(())
        })
    }
}

/// Runs an action; the statement in flight is cancelled once told to stop (rule X4).
async fn watched(link: &mut Link, stop: &Stop, at: usize, action: &Action) -> Result<(), Failure> {
    link.watch(stop);
    let done = run(link, at, action).await;
    // Before any COMMIT or ROLLBACK, which must not be cancelled.
    link.unwatch();
    done
}

async fn run(link: &mut Link, at: usize, action: &Action) -> Result<(), Failure> {
    match action {
        Action::Sql { text, .. } => execute(&mut link.connection, text).await.map_err(|e| failure::action(at, e)),
        Action::Expect { query } => {
            let rows = cells(&mut link.connection, query).await.map_err(|e| failure::action(at, e))?;
            expected(&rows).map_err(|why| Failure::Handler { at, why })
        }
        Action::Operation { .. } => Err(Failure::Refused(Box::new(no_operation(Dialect::Sqlite, action)))),
        Action::Shell { file, .. } => {
            Err(Failure::Handler { at, why: anyhow!("`shell: {}` can't be in a transaction", file.display()) })
        }
    }
}

/// One row and column, true or a number that is not zero (rule F3).
fn expected(rows: &[Vec<Cell>]) -> Result<(), anyhow::Error> {
    let found = match rows {
        [row] => match row.as_slice() {
            [cell] if cell.is_true() => return Ok(()),
            [cell] => cell.shown(),
            columns => format!("{} columns", columns.len()),
        },
        [] => "no row".to_owned(),
        rows => format!("{} rows", rows.len()),
    };
    Err(anyhow!("expected one row with one value, true or not zero; found {found}"))
}

/// The answer to [`Rows::clock_query`](crate::engine::rows::Rows::clock_query), the last row there is.
/// Whether a condition that was asked holds.
fn holds(answer: &[TextRow]) -> bool {
    answer.first().and_then(|row| row.first()?.as_deref()) == Some("1")
}

fn clock(answer: &[TextRow]) -> Time {
    let micros = answer.last().and_then(|row| row.first()?.as_deref()?.parse().ok());
    Time(micros.unwrap_or_default())
}
