//! A target, to read; and the way to the lock.

use super::{
    super::{
        Answer, Failure, Held, Hold, Me, Object, Session, Where,
        rows::{Rows, TextRow, There, table},
        silent::patience,
        wire::{Given, Trouble as _, to_end},
    },
    connect,
    differ::Version,
    error::{Broken, NO_TABLE},
    evict,
    hold::{Holding, Work},
    lock, probe,
    settings::{READ, ROLLBACK, Settings, differs, lock_name, mode, seconds},
    tables,
    wire::{Wire, truth},
};
use crate::{
    action::{Action, Handlers},
    ledger::{HistoryRow, Ledger, Verdict},
    model::{Class, Dialect, Finding, StepId},
    target::Target,
};
use anyhow::anyhow;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// An open session. Its connection is the one that holds the lock later.
pub(super) struct Open {
    pub target: Target,
    pub rows: Rows,
    pub about: About,
    pub settings: Settings,
    /// The name of the database's lock.
    pub lock_name: String,
    /// This connection's id on the server.
    pub id: String,
    pub lock: Arc<Mutex<Wire>>,
    /// How long an answer may take that takes no work.
    pub patience: Duration,
    /// The work connection of a try in vain, and whose run's name it has.
    spare: Mutex<Option<(String, Wire)>>,
}

/// What the server said of itself and of us.
pub(super) struct About {
    /// Which of the two it is.
    pub dialect: Dialect,
    version: Version,
    /// How its own SQL mode is not ours, in words.
    mode: String,
    /// The database that ledger and handlers are in.
    pub database: String,
    user: String,
    /// Why nothing can be written, if so.
    refuses: Option<String>,
}

impl Open {
    pub(super) async fn new(target: &Target) -> Result<Self, Failure> {
        let database = connect::database(target).to_owned();
        if database.is_empty() {
            return Err(Failure::Refused(Box::new(
                Finding::new(Class::Usage, "T1", format!("{} names no database", connect::place(target)))
                    .way_out("write it behind the host: mysql://user@host/database"),
            )));
        }
        let mut wire = connect::connect(target).await?;
        let asking =
            |b: Broken| Failure::Access(anyhow!("cannot connect to {}: {}", connect::place(target), b.words()));
        let given = wire
            .one(
                // The session's own mode has what the driver asks for, which no other client does.
                "SELECT VERSION(), @@GLOBAL.sql_mode, CURRENT_USER(), CONNECTION_ID(), @@GLOBAL.read_only, \
                 @@GLOBAL.innodb_read_only, @@GLOBAL.lower_case_table_names, CURRENT_ROLE()",
            )
            .await
            .map_err(asking)?;
        let isolation = wire
            .one("SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')")
            .await
            .map_err(asking)?;
        let text = |index: usize| given.column(index).unwrap_or_default().to_owned();
        let version = Version::read(&text(0));
        if let Some(why) = version.too_old() {
            return Err(Failure::Access(anyhow!("cannot use {}: {why}", connect::place(target))));
        }
        let is_off = |index: usize| matches!(text(index).to_ascii_uppercase().as_str(), "0" | "OFF");
        let refuses = (!is_off(4) || !is_off(5)).then(|| {
            "the server is read-only (read_only or innodb_read_only is on); connect to the primary".to_owned()
        });
        let settings = Settings {
            database: database.clone(),
            mode: mode(&text(1)),
            isolation: isolation.column(1).unwrap_or("REPEATABLE-READ").replace('-', " "),
            role: given.column(7).filter(|role| *role != "NONE").map(str::to_owned),
            lock_wait: seconds(&target.lock_timeout),
            version: version.clone(),
        };
        wire.all(&settings.statements()).await.map_err(asking)?;
        // Where names are folded, two spellings are one database, and have one lock.
        let folded = if text(6) == "0" { database.clone() } else { database.to_lowercase() };
        Ok(Self {
            target: target.clone(),
            rows: Rows::mysql(&database),
            about: About {
                dialect: version.dialect,
                mode: differs(&text(1)),
                user: text(2),
                database,
                refuses,
                version,
            },
            settings,
            lock_name: lock_name(&folded),
            id: text(3),
            lock: Arc::new(Mutex::new(wire)),
            patience: patience(target.runner()).map_err(|why| Failure::Access(anyhow!("{why}")))?,
            spare: Mutex::default(),
        })
    }

    /// Asks one query of ours.
    pub(super) async fn ask_one(&self, query: &str) -> Result<Given, Broken> {
        self.lock.lock().await.one(query).await
    }

    async fn read_ledger(&self) -> Result<Ledger, Failure> {
        let reading = |b: Broken| b.of_ledger("cannot read the ledger");
        let mut wire = self.lock.lock().await;
        let now = wire.one(&self.rows.clock_query()).await.map_err(reading)?.time()?;
        let none = Ledger { now, ..Ledger::default() };
        let format = match wire.one(&self.rows.format_query()).await {
            Err(broken) if broken.number() == Some(NO_TABLE) => {
                return self.without(&mut wire, broken).await.map(|()| none);
            }
            other => other.map_err(reading)?,
        };
        if format.count == 0 && !self.found(&mut wire).await.map_err(reading)?.1 {
            return Ok(none);
        }
        let format = self.rows.format(&format.rows)?;
        let query = self.rows.older_ledger_query(format).unwrap_or_else(|| self.rows.ledger_query());
        match wire.one(&query).await {
            Ok(given) => self.rows.ledger(format, &given.rows),
            Err(broken) if broken.number() == Some(NO_TABLE) => self.without(&mut wire, broken).await.map(|()| none),
            Err(broken) => Err(reading(broken)),
        }
    }

    /// Whether every table of the ledger is there, as far as that can be asked.
    pub(super) async fn has_ledger(&self) -> bool {
        let mut wire = self.lock.lock().await;
        !matches!(self.found(&mut wire).await, Ok((There::None | There::Without(_), _)))
    }

    /// Which of the ledger's tables are there, and whether anything was ever recorded in them. A first run that was killed while it made
    /// them has recorded nothing: it writes its own row only once they are all there.
    async fn found(&self, wire: &mut Wire) -> Result<(There, bool), Broken> {
        let (mut there, mut recorded) = (BTreeSet::new(), false);
        for name in table::ALL {
            match wire.one(&format!("SELECT 1 FROM {} LIMIT 1", self.rows.table(name))).await {
                Ok(given) => {
                    there.insert(name);
                    recorded |= given.count > 0;
                }
                Err(broken) if broken.number() == Some(NO_TABLE) => {}
                Err(broken) => return Err(broken),
            }
        }
        Ok((There::of(|name| there.contains(name)), recorded))
    }

    /// What it means that a table of the ledger is missing (rule L9): no ledger only where nothing of it is there, or a first run was
    /// killed while it made the tables.
    async fn without(&self, wire: &mut Wire, broken: Broken) -> Result<(), Failure> {
        let reading = |b: Broken| b.access("cannot read the ledger");
        match self.found(wire).await.map_err(reading)? {
            (There::None, _) | (_, false) => Ok(()),
            (There::Without(missing), true) => Err(self.rows.not_whole(&missing)),
            (There::All, true) => Err(reading(broken)),
        }
    }

    /// One query over the ledger; no rows where there is no ledger.
    async fn read_rows(&self, query: &str) -> Result<Vec<TextRow>, Failure> {
        let mut wire = self.lock.lock().await;
        match wire.one(query).await {
            Ok(given) => Ok(given.rows),
            Err(broken) if broken.number() == Some(NO_TABLE) => {
                self.without(&mut wire, broken).await.map(|()| Vec::new())
            }
            Err(broken) => Err(broken.access("cannot read the ledger")),
        }
    }

    /// Whether an author's query gives one true value; it can't change anything.
    pub(super) async fn truth(&self, query: &str) -> Result<bool, Broken> {
        let mut wire = self.lock.lock().await;
        wire.one(READ).await?;
        let given = wire.query(query).await;
        // Nothing to save: what matters is what the query gave.
        let _ = wire.one(ROLLBACK).await;
        Ok(truth(&given?).is_ok())
    }

    async fn try_for_lock<'a>(&'a self, me: &'a Me) -> Result<Result<Box<dyn Hold + 'a>, Held>, Failure> {
        if let Some(why) = &self.about.refuses {
            return Err(Failure::Access(anyhow!("{}: {why}", self.shown())));
        }
        let mut wire = self.lock.lock().await;
        let before = match lock::take(&mut wire, self, me).await? {
            Ok(before) => before,
            Err(held) => return Ok(Err(held)),
        };
        let mut spare = self.spare.lock().await;
        let had = self.settle(&mut wire, me, before, spare.take()).await;
        match had {
            Ok(Ok(work)) => Ok(Ok(Box::new(Holding::new(self, me, work)))),
            Ok(Err((held, work))) => {
                *spare = work.map(|work| (me.run.clone(), work));
                lock::give_back(&mut wire, self).await?;
                Ok(Err(held))
            }
            Err(failure) => {
                // What matters is why; a lock that can't be given back ends with its session.
                let _ = lock::give_back(&mut wire, self).await;
                Err(failure)
            }
        }
    }

    /// With the lock had: it is really ours, no earlier run is still at work, and our own work session has its name.
    async fn settle(
        &self,
        wire: &mut Wire,
        me: &Me,
        before: Option<lock::Last>,
        spare: Option<(String, Wire)>,
    ) -> Result<Result<Work, (Held, Option<Wire>)>, Failure> {
        if !lock::holds(wire, self).await.map_err(|b| b.access("cannot check the lock"))? {
            return Err(Failure::Access(anyhow!(
                "{}: a lock taken by one statement is not there in the next, as behind a proxy that shares connections; name an \
                 `admin_connection` that goes around it",
                self.shown()
            )));
        }
        let spare = spare.filter(|(run, _)| *run == me.run).map(|(_, wire)| wire);
        let by = before.as_ref().map(|last| last.run.clone()).filter(|run| !run.run.is_empty());
        for run in to_end(me, before.as_ref().and_then(|last| last.before.as_deref())) {
            if let Some(what) = lock::end(wire, run).await? {
                return Ok(Err((Held { by, what }, spare)));
            }
        }
        let mut work = match spare {
            Some(wire) => wire,
            None => connect::connect(&self.target).await?,
        };
        let setting = |b: Broken| b.access("cannot set the session up");
        work.all(&self.settings.statements()).await.map_err(setting)?;
        match lock::take_name(&mut work, &me.run).await? {
            Some(id) => Ok(Ok(Work::new(work, id))),
            None => {
                let what = "this run's own earlier session, which is still at work".to_owned();
                Ok(Err((Held { by, what }, Some(work))))
            }
        }
    }

    /// Where this is, for messages.
    pub(super) fn shown(&self) -> String {
        let to = self.target.runner();
        format!("{}://{}/{} as {}", to.scheme, connect::host(to), self.about.database, self.about.user)
    }

    /// The server's version, for what differs by it.
    pub(super) fn version(&self) -> &Version {
        &self.about.version
    }
}

impl Session for Open {
    fn place(&self) -> Where {
        Where {
            engine: format!("{}{}", self.about.version.shown(), self.about.mode),
            host: connect::host(self.target.runner()),
            database: self.about.database.clone(),
            schema: String::new(),
        }
    }
    fn dialect(&self) -> Dialect {
        self.about.dialect
    }
    fn atomic(&self) -> bool {
        false
    }
    fn ledger(&self) -> Answer<'_, Ledger> {
        Box::pin(self.read_ledger())
    }
    fn stored<'a>(&'a self, of: &'a [StepId]) -> Answer<'a, BTreeMap<StepId, Handlers>> {
        Box::pin(async move {
            if of.is_empty() {
                return Ok(BTreeMap::new());
            }
            self.rows.stored(&self.read_rows(&self.rows.stored_query(of)).await?)
        })
    }
    fn could_tell(&self, action: &Action) -> bool {
        probe::could_tell(action)
    }
    fn ask<'a>(&'a self, action: &'a Action) -> Answer<'a, Verdict> {
        Box::pin(probe::ask(self, action))
    }
    fn alone<'a>(&'a self, actions: &'a [Action]) -> Answer<'a, Vec<bool>> {
        Box::pin(async move {
            let mut wire = self.lock.lock().await;
            tables::alone(&mut wire, &self.about.database, actions).await
        })
    }
    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>> {
        Box::pin(async move { self.rows.history_rows(&self.read_rows(&self.rows.history_query(limit)).await?) })
    }
    fn objects(&self) -> Answer<'_, Vec<Object>> {
        Box::pin(async move { Ok(self.rows.objects(&self.read_rows(&self.rows.objects_query()).await?)) })
    }
    fn rows<'a>(&'a self, query: &'a str) -> Answer<'a, Option<Vec<TextRow>>> {
        Box::pin(async move {
            let mut wire = self.lock.lock().await;
            let reading = |b: Broken| b.access("cannot read");
            wire.one(READ).await.map_err(reading)?;
            let given = wire.one(query).await;
            // Nothing to save: what matters is what the query gave.
            let _ = wire.one(ROLLBACK).await;
            match given {
                Ok(given) => Ok(Some(given.rows)),
                Err(broken) if broken.number() == Some(NO_TABLE) => Ok(None),
                Err(broken) => Err(reading(broken)),
            }
        })
    }
    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>> {
        Box::pin(self.try_for_lock(me))
    }
    fn held(&self) -> Answer<'_, Option<Held>> {
        Box::pin(async move { lock::had(&mut *self.lock.lock().await, self).await })
    }

    fn evict<'a>(&'a self, me: &'a Me, force: bool) -> Answer<'a, String> {
        Box::pin(evict::evict(self, me, force))
    }
}
