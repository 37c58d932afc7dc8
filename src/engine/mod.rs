//! What every engine gives: a way in, reads, and a lock that is the only way to write.
//!
//! An engine reads and commits what it is given. It knows no rule of phases: no `plan`, no `release`.

#[cfg(feature = "delta")]
pub mod delta;
#[cfg(test)]
pub mod fake;
mod meter;
pub mod mysql;
pub mod postgres;
pub mod rows;
mod sent;
mod silent;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod wire;

pub use meter::{Doing, Meter, Progress};

use crate::{
    action::{Action, Handlers},
    ledger::{Begin, HistoryRow, Ledger, Left, Leftover, RunRow, Traces, Unit, Verdict},
    model::{Dialect, Finding, StepId, Time, Verb},
    ops::{Detail, Does, Lake, Refusal},
    shell,
    target::Target,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
};
use tokio::sync::watch;

/// What an engine's calls return.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Why an engine's call did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The target refused an action (index into the unit's actions; one past the last means "at commit"). Nothing of the unit's
    /// transaction is applied. Of one that commits on its way nothing is applied either where `why` is a [`NothingRan`].
    #[error("{why:#}")]
    Handler {
        /// Which.
        at: usize,
        /// The server's words.
        why: anyhow::Error,
    },
    /// Traffic is in the way: lock timeout, deadlock, serialization, `SQLITE_BUSY`. Nothing of the unit's transaction is applied; it may be
    /// sent again. So may a statement that runs alone, but for one that commits on its way ([`crate::sql::commits_inside`]): of that, part
    /// may be applied. A concurrent one may have left something, which the next attempt clears ([`Session::left`]).
    #[error("{0}")]
    Busy(String),
    /// No answer came: whether the unit committed is not known. Go round again from [`Driver::open`].
    #[error("{0:#}")]
    Lost(anyhow::Error),
    /// The lock is another run's, or was taken away by `unlock`; nothing of this unit is applied.
    #[error("{}", .0.as_ref().map_or_else(|| "the lock is this run's no more".to_owned(), |r| format!("the lock is another run's now: {}", holder(r))))]
    Fenced(Option<Box<RunRow>>),
    /// Told to stop; nothing of this unit is applied.
    #[error("interrupted")]
    Stopped,
    /// The target or its ledger can't be reached, read or written. The text holds no secret.
    #[error("{0:#}")]
    Access(anyhow::Error),
    /// The engine refuses, for a reason of its own class: a ledger in another schema (5), a stored handler of an unknown kind (5), …
    #[error("{}", .0.message)]
    Refused(Box<Finding>),
}

/// The server's words where it refused a statement before it began: a name that it does not know, no right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NothingRan(pub String);

/// Why an action failed, in triphase's own words: what serves the target said nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OwnWords(pub String);

impl From<shell::Ended> for Failure {
    /// A file is a unit's only action.
    fn from(ended: shell::Ended) -> Self {
        match ended {
            shell::Ended::Failed(why) => Self::Handler { at: 0, why },
            shell::Ended::Stopped => Self::Stopped,
        }
    }
}

/// How a run is named to others.
pub fn holder(run: &RunRow) -> String {
    let at = run.at.as_ref().map_or_else(String::new, |at| format!(", at {at}"));
    format!("run {} of {} (pid {}), `{}` since {}{at}", run.run, run.who, run.pid, run.command, run.since)
}

/// Told to stop, and by which signal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<i32>>);

impl Stop {
    /// A stop and the sender that pulls it.
    pub fn new() -> (watch::Sender<Option<i32>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// One that nobody pulls.
    pub fn never() -> Self {
        Self::new().1
    }

    /// The signal's number, once told to stop.
    pub fn signal(&self) -> Option<i32> {
        *self.0.borrow()
    }

    /// Ends once told to stop; never, where nobody is left to tell.
    pub async fn pulled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Who runs: what the lock, the run's row and the audit trail say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The run's id: 26 characters, letters and digits.
    pub run: String,
    /// `user@host`.
    pub who: String,
    /// The host's name.
    pub host: String,
    /// This process's id.
    pub pid: u32,
    /// The command as typed, without secrets.
    pub command: String,
}

/// Where a session has got to: the line that every changing command prints first.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Where {
    /// `SQLite 3.50.2`, `PostgreSQL 15.18`.
    pub engine: String,
    /// Host and port, or the file's folder.
    pub host: String,
    /// Database, or the file.
    pub database: String,
    /// Schema of ledger and handlers; empty where the engine has none.
    pub schema: String,
}

/// Something that triphase keeps in a target, or beside it (`show --objects`).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Object {
    /// `table`, `file`; in a lake also `column`, `property`, `files`, `folder`.
    pub kind: &'static str,
    /// Its qualified name, or a file's path.
    pub name: String,
    /// What it is for.
    pub what: Cow<'static, str>,
    /// How many rows; none where it has no rows.
    pub rows: Option<u64>,
    /// How much room it takes, in bytes; none where that is not cheap to tell.
    pub bytes: Option<u64>,
}

/// How a session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing, not even a file that is missing (L10).
    Read,
    /// May lock and write; a missing SQLite file is created with the first write (T3).
    Write,
}

/// An option of a connection URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlOption {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub values: Values,
}

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Anything: a name, a path.
    Any,
    /// A whole number of seconds.
    Seconds,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
}

/// An engine.
pub trait Driver: Sync {
    /// Its names in connection URLs; the first is the usual one. Aliases (`postgresql`) are among them.
    fn schemes(&self) -> &'static [&'static str];
    /// Its SQL's dialect, as far as known before connecting.
    fn dialect(&self) -> Dialect;
    /// The options that its connection URLs may have.
    fn options(&self) -> &'static [UrlOption];
    /// What a person who finds nothing at the target may have meant instead. Looks without connecting.
    fn hint(&self, _target: &Target) -> Option<String> {
        None
    }
    /// Its SQL's dialect, as the server says: MariaDB may stand where a URL says `mysql://`, and the other way round.
    ///
    /// # Errors
    /// As [`Driver::open`].
    fn found<'a>(&'a self, _target: &'a Target) -> Answer<'a, Dialect> {
        Box::pin(async { Ok(self.dialect()) })
    }
    /// The units as a script for the engine's own client, ledger entries included; it first checks that the ledger is as `seen`, and
    /// stops by itself otherwise (`sql`). `me` is who the script says it is.
    ///
    /// # Errors
    /// Where an action can't be scripted.
    fn script(&self, target: &Target, seen: &Ledger, begin: &Begin, units: &[Unit], me: &Me)
    -> Result<String, Finding>;
    /// Connects.
    ///
    /// # Errors
    /// [`Failure::Access`], with a reason that names host, database and user, and no secret.
    fn open<'a>(&'a self, target: &'a Target, access: Access) -> Answer<'a, Box<dyn Session>>;
    /// Connects for `repair rebuild` (rule D7): a ledger that is there and can't be read is taken for none, and put aside before another is
    /// made. Only an engine whose tables can tell what the ledger said gives anything but [`Driver::open`].
    ///
    /// # Errors
    /// As [`Driver::open`].
    fn open_damaged<'a>(&'a self, target: &'a Target) -> Answer<'a, Box<dyn Session>> {
        self.open(target, Access::Write)
    }
}

/// A target, to read.
pub trait Session: Send + Sync {
    /// Where this is.
    fn place(&self) -> Where;
    /// The dialect found.
    fn dialect(&self) -> Dialect;
    /// Whether the engine applies a statement and its ledger row in one transaction, DDL included.
    fn atomic(&self) -> bool;
    /// The whole ledger, without handler texts. Changes nothing; no ledger is `format: None`.
    fn ledger(&self) -> Answer<'_, Ledger>;
    /// The stored handlers of these steps. A step without any is left out.
    fn stored<'a>(&'a self, of: &'a [StepId]) -> Answer<'a, BTreeMap<StepId, Handlers>>;
    /// Whether an action has been applied: its `done_when`, else a built-in probe, else [`Verdict::Unknown`].
    fn ask<'a>(&'a self, action: &'a Action) -> Answer<'a, Verdict>;
    /// Whether [`Session::ask`] could ever tell of an action, if not now then once what comes before it has run. Asks nothing.
    fn could_tell(&self, action: &Action) -> bool {
        matches!(action, Action::Sql { done_when: Some(_), .. } | Action::Operation { .. })
    }
    /// Whether an action that was being attempted when last heard of has been applied; an engine whose commits say whose they are knows
    /// by those.
    fn attempted<'a>(&'a self, attempt: Attempt<'a>) -> Answer<'a, Verdict> {
        self.ask(attempt.action)
    }
    /// What an action that stands alone left where it was cut short; `None`: nothing, or not known.
    fn left<'a>(&'a self, _action: &'a Action) -> Answer<'a, Option<Leftover>> {
        Box::pin(async { Ok(None) })
    }
    /// What stands where this action's work would be, and is not as the action has it; `None`: nothing, or not known. A rollback must not
    /// take it for the action's own.
    fn foreign<'a>(&'a self, _action: &'a Action) -> Answer<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }
    /// For each action, whether it commits by itself although its text does not tell: it works on a table without transactions (rule
    /// L4).
    fn alone<'a>(&'a self, actions: &'a [Action]) -> Answer<'a, Vec<bool>> {
        Box::pin(async { Ok(vec![false; actions.len()]) })
    }
    /// What is known of the tables that operations name; a table that is not there is left out, and one that is only glanced at and can't be
    /// read is no failure. Only engines that run operations say
    /// anything.
    fn lake<'a>(&'a self, _tables: &'a [(String, Detail)]) -> Answer<'a, Lake> {
        Box::pin(async { Ok(Lake::default()) })
    }
    /// What keeps an action from being run as the target stands now, where that can be seen without changing anything; `None`: nothing, or
    /// not known.
    fn refuses<'a>(&'a self, _action: &'a Action) -> Answer<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }
    /// What keeps an action from being run whatever its plan does before it, where that is seen without reading rows: a name that is no
    /// table's, a table that is not there or can't be written, commits of others on one that would be deleted. `None`: nothing, or not known.
    fn forbids<'a>(&'a self, _action: &'a Action, _before: &'a Before) -> Answer<'a, Option<Refusal>> {
        Box::pin(async { Ok(None) })
    }
    /// What keeps units from being sent over this connection: something on the way gives parts of one to different sessions of the server
    /// (rule X3).
    fn diverts<'a>(&'a self, _units: &'a [Unit]) -> Answer<'a, Option<Finding>> {
        Box::pin(async { Ok(None) })
    }
    /// What the target's own tables say of steps, whatever the ledger says (rule D7): of these, where a table has kept no more than the
    /// newest number of each, and of the tables of these actions besides those that are found. Only engines whose commits say whose they
    /// are have anything to say.
    fn traces<'a>(&'a self, _steps: &'a [StepId], _actions: &'a [Action]) -> Answer<'a, Traces> {
        Box::pin(async { Ok(Traces::default()) })
    }
    /// What triphase made in the target's tables, and left there (rule O9).
    fn leavings(&self) -> Answer<'_, Vec<Left>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// The audit trail's newest rows, newest first.
    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>>;
    /// What triphase keeps here; nothing where there is no ledger and no lock file. Changes nothing.
    fn objects(&self) -> Answer<'_, Vec<Object>>;
    /// Asks for rows that are not the ledger's: another tool's, or the schema's. Every column as text; `None`: no such table. Changes
    /// nothing, whatever the query.
    fn rows<'a>(&'a self, query: &'a str) -> Answer<'a, Option<Vec<rows::TextRow>>>;
    /// Tries for the lock once. Once had, no statement of an earlier run is still at work: a dead run's session was ended, or is gone
    /// (rule X2). `Err`: who has it, or whose session is still at work. The caller polls.
    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>>;
    /// Who has the lock now, or which dead run's statement is still at work; `None`: nobody and nothing, as far as can be told. Takes nothing,
    /// and changes nothing.
    fn held(&self) -> Answer<'_, Option<Held>> {
        Box::pin(async { Ok(None) })
    }
    /// `unlock`: ends the holder's session or lease. A live holder needs `force`. Says what it did.
    fn evict<'a>(&'a self, me: &'a Me, force: bool) -> Answer<'a, String>;
}

/// An action that was announced in the ledger, and not said to be done.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Whose.
    pub id: &'a StepId,
    /// Which handler.
    pub verb: Verb,
    /// The action's index, from 0.
    pub index: u32,
    /// The action, as stored.
    pub action: &'a Action,
}

/// What a plan runs before an action.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The handlers.
    pub handlers: BTreeSet<(StepId, Verb)>,
    /// The tables that they make.
    pub made: BTreeSet<String>,
    /// Files for a client are among it, which may make anything.
    pub shell: bool,
}

impl Before {
    /// An action is run too.
    pub fn runs(&mut self, action: &Action) {
        match action {
            Action::Operation { act, .. } if matches!(act.does, Does::Create { .. }) => {
                self.made.insert(act.table.clone());
            }
            Action::Shell { .. } => self.shell = true,
            Action::Operation { .. } | Action::Sql { .. } | Action::Expect { .. } => {}
        }
    }
}

/// Why the lock was not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who holds it, if it says so.
    pub by: Option<RunRow>,
    /// What is waited for: `the lock`, or a dead run's session that is still at work.
    pub what: String,
}

impl Held {
    /// Who has what, or what is known of it.
    pub fn shown(&self) -> String {
        self.by.as_ref().map_or_else(|| self.what.clone(), |by| format!("{} has {}", holder(by), self.what))
    }
}

/// The lock, and with it the only way to write: nothing commits once it is lost.
pub trait Hold: Send + Sync {
    /// Creates the ledger's tables where `begin` says so, writes the run's row and the kept guards. Once, before the first `commit`.
    fn begin<'a>(&'a self, begin: &'a Begin) -> Answer<'a, Time>;
    /// Commits one unit: opens in a transaction of their own, then actions and closes. Returns the target's clock.
    ///
    /// On `Err` other than [`Failure::Lost`], none of `closes` is applied, and none of `actions` where they share a transaction. `opens` may
    /// be. An action that stands alone has failed then too, but what that means is the statement's own: a procedure keeps what it
    /// committed, a concurrent index may be there and invalid where it could not be dropped.
    fn commit<'a>(&'a self, unit: &'a Unit, stop: &'a Stop) -> Answer<'a, Time>;
    /// Removes for good what was left (`repair purge`), and records why. What is gone already is no error. Engines that leave nothing have
    /// nothing to remove.
    fn purge<'a>(&'a self, _what: &'a [Left], _reason: &'a str) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
    /// Who blocks the statement at work: pid, query, age, a line each. May be called while `commit` waits.
    fn blockers(&self) -> Answer<'_, Vec<String>>;
    /// How far the statement at work has come; `None`: its engine does not say. May be called while `commit` waits.
    fn progress(&self) -> Option<Progress> {
        None
    }
    /// Gives the lock back.
    fn release<'a>(self: Box<Self>) -> Answer<'a, ()>
    where
        Self: 'a;
}

/// Why an engine whose tables are SQL's runs no act of a declarative operation; only a ledger that was written by hand can hold one.
pub fn no_operation(engine: Dialect, action: &Action) -> Finding {
    Finding::new(
        crate::model::Class::Usage,
        "O3",
        format!("{engine} runs no declarative operations: {}", action.text()),
    )
    .way_out("replace the stored handler by SQL: triphase repair handler vN/step VERB --file F --reason …")
}

/// Why an `expect` failed. `found`: what its query gave instead.
fn unexpected(found: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("expected one row with one value, true or not zero; found {found}")
}

/// Why a client's file is no part of a script.
fn no_file_in_scripts(file: &std::path::Path) -> Finding {
    let message = format!("`shell: {}` can't be part of a script", file.display());
    Finding::new(crate::model::Class::Usage, "F4", message)
        .way_out("run it by triphase, or write its statements as `sql` or `sql_file`")
}

/// The engines of this binary.
pub static DRIVERS: &[&dyn Driver] = &[
    &sqlite::Sqlite,
    &postgres::Postgres,
    &mysql::Mysql::MYSQL,
    &mysql::Mysql::MARIADB,
    #[cfg(feature = "delta")]
    &delta::Delta,
];

/// Settles what the libraries below would each settle their own way. To be called once, before any target is opened.
pub fn settle() {
    tls::settle();
}

/// The engine for a scheme, after aliases and a `+driver`.
pub fn driver(scheme: &str) -> Option<&'static dyn Driver> {
    DRIVERS.iter().copied().find(|d| d.schemes().contains(&scheme))
}
