//! A target, to read; and the way to the lock.

use super::{
    super::{
        Answer, Failure, Held, Hold, Me, Object, Session, Where,
        rows::{Rows, TextRow, There, table},
        silent::patience,
        wire::{Given, Trouble as _, to_end},
    },
    connect,
    error::{Broken, NO_TABLE},
    evict,
    hold::Holding,
    lease::{self, Lease},
    left, lock,
    pooler::{self, Mode},
    probe,
    text::{CLOCK, Key, NO_LIMIT, READ, ident, literal, millis, waits_for},
    wire::Wire,
};
use crate::{
    action::{Action, Handlers},
    ledger::{HistoryRow, Ledger, Leftover, Unit, Verdict},
    model::{Class, Dialect, Finding, StepId},
    target::Target,
};
use anyhow::anyhow;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// An open session. Its connection is the one that holds the lock later, and is never inside a transaction for longer than one text.
pub(super) struct Pg {
    pub target: Target,
    pub schema: String,
    pub rows: Rows,
    pub key: Key,
    pub about: About,
    pub lock: Arc<Mutex<Wire>>,
    /// How long an answer may take that takes no work.
    pub patience: Duration,
    tries: Mutex<Tries>,
}

/// What tries for the lock leave for the next one.
#[derive(Default)]
struct Tries {
    /// The work connection of a try in vain, and whose run's name it has.
    spare: Option<(String, Wire)>,
    /// How the server's processes are given out.
    mode: Option<Mode>,
}

/// What the server said of itself and of us.
pub(super) struct About {
    version: String,
    /// `server_version_num`, as 150004.
    pub number: u32,
    database: String,
    user: String,
    /// `search_path` for handlers: the schema, then what the server would have.
    pub path: String,
    /// Where unqualified names go without our doing.
    pub heads: bool,
    /// Why nothing can be written, if so.
    refuses: Option<String>,
}

impl Pg {
    pub(super) async fn open(target: &Target) -> Result<Self, Failure> {
        let mut wire = connect::connect(target, "triphase").await?;
        let schema = target.schema.clone().unwrap_or_else(|| "public".to_owned());
        let about = about(&mut wire, target, &schema).await?;
        Ok(Self {
            target: target.clone(),
            rows: Rows::postgres(&schema),
            key: Key::of(&schema),
            schema,
            about,
            lock: Arc::new(Mutex::new(wire)),
            patience: patience(target.runner()).map_err(|why| Failure::Access(anyhow!("{why}")))?,
            tries: Mutex::default(),
        })
    }

    /// Reads in a transaction that can't write, in one round trip: `queries`, and then what they gave.
    pub(super) async fn read(&self, queries: &[&str]) -> Result<Vec<Given>, Broken> {
        self.read_by(queries, async |wire, text| wire.all(text).await).await
    }

    /// The same with an author's query among them, which takes as long as it takes.
    async fn ask_author(&self, queries: &[&str]) -> Result<Vec<Given>, Broken> {
        self.read_by(queries, async |wire, text| wire.few(text, usize::MAX).await).await
    }

    async fn read_by(
        &self,
        queries: &[&str],
        send: impl AsyncFnOnce(&mut Wire, String) -> Result<Vec<Given>, Broken>,
    ) -> Result<Vec<Given>, Broken> {
        let mut wire = self.lock.lock().await;
        let limit = waits_for(&millis(&self.target.lock_timeout));
        let head = [READ, NO_LIMIT, limit.as_str()];
        let text = format!("{}\n;\n{}\n;\nCOMMIT", head.join(";\n"), queries.join("\n;\n"));
        match send(&mut wire, text).await {
            Ok(mut results) => Ok(results.drain(head.len()..queries.len() + head.len()).collect()),
            Err(mut broken) => {
                if !broken.gone() {
                    // Nothing to save: what matters is what broke it.
                    let _ = wire.all("ROLLBACK".to_owned()).await;
                }
                broken.results.drain(..broken.results.len().min(head.len()));
                Err(broken)
            }
        }
    }

    async fn read_ledger(&self) -> Result<Ledger, Failure> {
        let format = self.rows.format_query();
        let ledger = self.rows.ledger_query();
        // In the same message, so that it costs no round trip, and is known whatever breaks after it.
        let there = self.rows.there_in_postgres();
        match self.read(&[CLOCK, &there, &format, &ledger]).await {
            Ok(given) => {
                let format = self.rows.format(&given[2].rows)?;
                match self.rows.older_ledger_query(format) {
                    Some(query) => self.rows.ledger(format, &self.read_rows(&query).await?),
                    None => self.rows.ledger(format, &given[3].rows),
                }
            }
            Err(broken) => match broken.results.as_slice() {
                [clock, there] if broken.state() == Some(NO_TABLE) => {
                    self.without(&Rows::there(&there.rows), broken.access("cannot read the ledger"))?;
                    Ok(Ledger { now: clock.time()?, ..Ledger::default() })
                }
                // A ledger of another format: that says more than what broke.
                [_, there, format] => {
                    let format = self.rows.format(&format.rows)?;
                    match self.rows.older_ledger_query(format) {
                        Some(query) => self.rows.ledger(format, &self.read_rows(&query).await?),
                        None => Err(match Rows::there(&there.rows) {
                            There::Without(missing) if broken.state() == Some(NO_TABLE) => {
                                self.rows.not_whole(&missing)
                            }
                            There::Without(_) | There::None | There::All => broken.access("cannot read the ledger"),
                        }),
                    }
                }
                _ => Err(broken.access("cannot read the ledger")),
            },
        }
    }

    /// What it means that a table of the ledger is missing (rule L9): no ledger only where none of them is there. `failed`: what it means
    /// where all of them are.
    fn without(&self, there: &There, failed: Failure) -> Result<(), Failure> {
        match there {
            There::None => Ok(()),
            There::Without(missing) => Err(self.rows.not_whole(missing)),
            There::All => Err(failed),
        }
    }

    /// One query over the ledger; no rows where there is no ledger.
    async fn read_rows(&self, query: &str) -> Result<Vec<TextRow>, Failure> {
        match self.read(&[query]).await {
            Ok(mut given) => Ok(given.pop().map(|g| g.rows).unwrap_or_default()),
            Err(broken) if broken.state() == Some(NO_TABLE) => {
                let query = self.rows.there_in_postgres();
                let reading = |b: Broken| b.access("cannot read the ledger");
                let there = self.read(&[&query]).await.map_err(reading)?.pop().unwrap_or_default();
                self.without(&Rows::there(&there.rows), reading(broken)).map(|()| Vec::new())
            }
            Err(broken) => Err(broken.access("cannot read the ledger")),
        }
    }

    /// Whether a query gives one true value, with the handlers' search path. For `done_when` and probes.
    pub(super) async fn truth(&self, query: &str) -> Result<bool, Broken> {
        let given = self.ask_author(&[&self.alike(), query]).await?;
        Ok(given.get(1).is_some_and(|g| truth(g).is_ok()))
    }

    /// The first column of a query, with the handlers' search path.
    pub(super) async fn values(&self, query: &str) -> Result<Vec<String>, Broken> {
        let mut given = self.read(&[&self.alike(), query]).await?;
        let rows = given.pop().map(|given| given.rows).unwrap_or_default();
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// Sets what a handler would find, for the transaction.
    fn alike(&self) -> String {
        format!("SELECT set_config('search_path', {}, true)", literal(&self.about.path))
    }

    async fn try_for_lock<'a>(&'a self, me: &'a Me) -> Result<Result<Box<dyn Hold + 'a>, Held>, Failure> {
        if let Some(why) = &self.about.refuses {
            return Err(Failure::Access(anyhow!("{}: {why}", self.shown())));
        }
        let mut tries = self.tries.lock().await;
        let mut spare = tries.spare.take().filter(|(run, _)| *run == me.run).map(|(_, wire)| wire);
        if let Some(wire) = &mut spare
            && wire.all("SELECT 1".to_owned()).await.is_err()
        {
            // It was ended meanwhile, or timed out.
            spare = None;
        }
        let mut work = match spare {
            Some(wire) => wire,
            None => connect::connect(&self.target, &lock::name(&me.run)).await?,
        };
        let mut wire = self.lock.lock().await;
        let mode = self.mode(&mut tries.mode, &mut wire, &mut work).await?;
        let had = match mode {
            Mode::Session => self.by_session(&mut wire, &mut work, me).await?,
            Mode::Lease => {
                let wait = millis(&self.target.lock_timeout);
                let had = lease::take(&mut wire, &self.rows, self.key, me, &wait).await?;
                had.map(|()| (String::new(), String::new()))
            }
        };
        drop(wire);
        match had {
            Err(held) => {
                tries.spare = Some((me.run.clone(), work));
                Ok(Err(held))
            }
            Ok((holder, pid)) => {
                let lease = match mode {
                    Mode::Session => None,
                    Mode::Lease => Some(Lease::keep(Arc::clone(&self.lock), &self.rows, &me.run)),
                };
                Ok(Ok(Box::new(Holding::new(self, me, work, holder, pid, lease))))
            }
        }
    }

    /// How the server's processes are given out, which is asked once.
    async fn mode(&self, known: &mut Option<Mode>, first: &mut Wire, second: &mut Wire) -> Result<Mode, Failure> {
        if let Some(mode) = known {
            return Ok(*mode);
        }
        let mode = pooler::mode(first, second).await.map_err(|b| {
            b.access("cannot tell how connections are pooled; name an `admin_connection` that goes around the pooler")
        })?;
        tracing::info!(?mode, "how the lock will be held");
        Ok(*known.insert(mode))
    }

    /// Who never tries for the lock connects a second time for it, where it matters.
    async fn diverted(&self, units: &[Unit]) -> Result<Option<Finding>, Failure> {
        let Some(refusal) = pooler::diverts(self, units) else { return Ok(None) };
        let mut tries = self.tries.lock().await;
        let mode = match tries.mode {
            Some(mode) => mode,
            None => {
                let mut second = connect::connect(&self.target, "triphase").await?;
                let mode = self.mode(&mut tries.mode, &mut *self.lock.lock().await, &mut second).await?;
                second.close().await;
                mode
            }
        };
        Ok(match mode {
            Mode::Session => None,
            Mode::Lease => Some(refusal),
        })
    }

    /// Takes the session's lock and ends what a dead run left. Gives the processes of both connections.
    async fn by_session(
        &self,
        wire: &mut Wire,
        work: &mut Wire,
        me: &Me,
    ) -> Result<Result<(String, String), Held>, Failure> {
        let holder = process(wire).await?;
        let pid = process(work).await?;
        let last = match lock::take(wire, &self.rows, self.key, me, &millis(&self.target.lock_timeout)).await? {
            Ok(last) => last,
            Err(held) => return Ok(Err(held)),
        };
        let checked = self.settle(wire, me, &pid, last).await;
        if !matches!(checked, Ok(None)) {
            lock::give_back(wire, self.key).await?;
        }
        Ok(match checked? {
            None => Ok((holder, pid)),
            Some(held) => Err(held),
        })
    }

    /// With the lock had: it is really ours, and no earlier run is still at work.
    async fn settle(
        &self,
        wire: &mut Wire,
        me: &Me,
        pid: &str,
        last: Option<lock::Last>,
    ) -> Result<Option<Held>, Failure> {
        if !lock::holds(wire, self.key).await.map_err(|b| b.access("cannot check the lock"))? {
            return Err(Failure::Access(anyhow!(
                "{}: a lock taken by one statement is not there in the next, as behind a pooler; name an `admin_connection` that \
                 goes around it",
                self.shown()
            )));
        }
        let by = last.as_ref().map(|last| last.run.clone()).filter(|run| !run.run.is_empty());
        for run in to_end(me, last.as_ref().and_then(|last| last.before.as_deref())) {
            if let Some(what) = lock::end(wire, run, pid, Mode::Session).await? {
                return Ok(Some(Held { by, what }));
            }
        }
        Ok(None)
    }

    /// Where this is, for messages.
    pub(super) fn shown(&self) -> String {
        format!(
            "postgres://{}@{}/{}, schema {}",
            self.about.user,
            connect::host(self.target.runner()),
            self.about.database,
            self.schema
        )
    }
}

impl Session for Pg {
    fn place(&self) -> Where {
        Where {
            engine: format!("PostgreSQL {}", self.about.version),
            host: connect::host(self.target.runner()),
            database: self.about.database.clone(),
            schema: self.schema.clone(),
        }
    }
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }
    fn atomic(&self) -> bool {
        true
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
    fn left<'a>(&'a self, action: &'a Action) -> Answer<'a, Option<Leftover>> {
        Box::pin(left::left(self, action))
    }
    fn foreign<'a>(&'a self, action: &'a Action) -> Answer<'a, Option<String>> {
        Box::pin(left::foreign(self, action))
    }
    fn diverts<'a>(&'a self, units: &'a [Unit]) -> Answer<'a, Option<Finding>> {
        Box::pin(self.diverted(units))
    }
    fn history(&self, limit: u32) -> Answer<'_, Vec<HistoryRow>> {
        Box::pin(async move { self.rows.history_rows(&self.read_rows(&self.rows.history_query(limit)).await?) })
    }
    fn objects(&self) -> Answer<'_, Vec<Object>> {
        Box::pin(async move { Ok(self.rows.objects(&self.read_rows(&self.rows.objects_query()).await?)) })
    }
    fn rows<'a>(&'a self, query: &'a str) -> Answer<'a, Option<Vec<TextRow>>> {
        Box::pin(async move {
            match self.read(&[query]).await {
                Ok(mut given) => Ok(Some(given.pop().map(|g| g.rows).unwrap_or_default())),
                Err(broken) if broken.state() == Some(NO_TABLE) => Ok(None),
                Err(broken) => Err(broken.access("cannot read")),
            }
        })
    }
    fn try_lock<'a>(&'a self, me: &'a Me) -> Answer<'a, Result<Box<dyn Hold + 'a>, Held>> {
        Box::pin(self.try_for_lock(me))
    }
    fn held(&self) -> Answer<'_, Option<Held>> {
        Box::pin(async move {
            let mut wire = self.lock.lock().await;
            lock::had(&mut wire, &self.rows, self.key, &millis(&self.target.lock_timeout)).await
        })
    }
    fn evict<'a>(&'a self, me: &'a Me, force: bool) -> Answer<'a, String> {
        Box::pin(evict::evict(self, me, force))
    }
}

/// The one value that an answer must be, if it is true; else what it is.
pub(super) fn truth(given: &Given) -> Result<(), String> {
    /// The types that are numbers. A text that looks like one is none.
    const NUMBERS: &[&str] = &["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC"];
    let value = given.only()?;
    // However long it is: NaN and the infinities have no digits, and an exponent makes nothing of a zero.
    let is_not_zero = || value.bytes().take_while(|byte| *byte != b'e').any(|byte| matches!(byte, b'1'..=b'9'));
    let number = || NUMBERS.contains(&given.kind.as_str()) && is_not_zero();
    match (given.kind.as_str(), value) {
        ("BOOL", "t") => Ok(()),
        ("BOOL", "f") => Err("false".to_owned()),
        _ if number() => Ok(()),
        (_, other) => Err(other.to_owned()),
    }
}

async fn process(wire: &mut Wire) -> Result<String, Failure> {
    let given = wire
        .all("SELECT pg_backend_pid()::text".to_owned())
        .await
        .map_err(|b| b.access("cannot ask for the session"))?;
    Ok(given.first().and_then(Given::first).unwrap_or_default().to_owned())
}

/// Asks all that is to be known of the server before anything else, in one round trip.
async fn about(wire: &mut Wire, target: &Target, schema: &str) -> Result<About, Failure> {
    let to = target.runner();
    let (name, ledger) = (literal(schema), literal(table::LEDGER));
    let query = format!(
        "SELECT current_setting('server_version_num'), current_setting('server_version'), current_database()::text, \
         current_user::text, pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_setting('search_path'), \
         (SELECT has_schema_privilege(oid, 'CREATE, USAGE')::text FROM pg_catalog.pg_namespace WHERE nspname = {name}), \
         (SELECT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') \
          AND has_table_privilege(c.oid, 'UPDATE'))::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
          ON n.oid = c.relnamespace WHERE c.relname = {ledger} AND n.nspname = {name}), \
         (SELECT string_agg(n.nspname::text, ', ' ORDER BY n.nspname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
          ON n.oid = c.relnamespace WHERE c.relname = {ledger} AND c.relkind IN ('r', 'p') AND n.nspname <> {name} \
          AND n.nspname NOT LIKE 'pg\\_%'), \
         (current_schema() IS NOT DISTINCT FROM {name})::text, \
         (SELECT (has_schema_privilege(oid, 'CREATE'))::text FROM pg_catalog.pg_namespace WHERE nspname = {name})"
    );
    let text = format!("BEGIN;\n{NO_LIMIT};\n{query};\nCOMMIT");
    let given = wire.all(text).await.map_err(|b| Failure::Access(anyhow!("cannot connect to {to}: {}", b.words())))?;
    let Some(given) = given.get(2) else { return Err(Failure::Access(anyhow!("{to} gave no answer"))) };
    let text = |index: usize| given.column(index).unwrap_or_default().to_owned();
    let version = text(1).split(' ').next().unwrap_or_default().to_owned();
    let number = text(0).parse().unwrap_or(u32::MAX);
    if number < 120_000 {
        return Err(Failure::Access(anyhow!(
            "{to} is PostgreSQL {version}; triphase works with PostgreSQL 12 and later"
        )));
    }
    if let (None, Some(elsewhere), None) = (&target.schema, given.column(9), given.column(8)) {
        return Err(Failure::Refused(Box::new(
            Finding::new(
                Class::Decision,
                "L9",
                format!("the target names no schema, and database `{}` has a ledger in schema {elsewhere}", text(2)),
            )
            .way_out("write `schema:` into the target file: that schema, or `public` for a ledger of its own there"),
        )));
    }
    let refuses = if text(4) == "true" {
        Some("the server is a standby, and read-only; connect to the primary".to_owned())
    } else if text(5) == "on" {
        Some("the server is read-only (default_transaction_read_only)".to_owned())
    } else if given.column(7).is_none() {
        Some(format!("there is no schema {0}; create it first: CREATE SCHEMA {0}", ident(schema)))
    } else {
        match (given.column(8), given.column(11)) {
            (Some("true"), _) | (None, Some("true")) => None,
            (Some(_), _) => Some(format!("user `{}` may not write the ledger ({schema}.{})", text(3), table::LEDGER)),
            (None, _) => Some(format!(
                "user `{0}` may not create the ledger; GRANT CREATE, USAGE ON SCHEMA {1} TO \"{0}\"",
                text(3),
                ident(schema)
            )),
        }
    };
    let (inherited, own) = (text(6), ident(schema));
    let path = if inherited.is_empty() || inherited == "\"\"" { own } else { format!("{own}, {inherited}") };
    Ok(About { version, number, database: text(2), user: text(3), path, heads: text(10) == "true", refuses })
}
