//! The ledger of a lake: a Delta table of events, `_triphase/ledger`. A row is an event of the audit trail and, where the event changes
//! the ledger, the change itself as JSON; nothing is ever updated. Every commit is a compare-and-swap on the table's version, so what was
//! decided on one state is never written onto another.

use super::{
    aside,
    change::{Change, Fold},
    columns,
    commit::{self, Put},
    evidence,
    lake::{Lake, host_clock},
    trouble::Trouble,
};
use crate::{
    engine::{Failure, Me, rows::TOOL},
    ledger::{Format, HistoryRow, Outcome},
    model::{Class, Finding, StepId, Time, Verb},
};
use anyhow::anyhow;
use deltalake::{
    DeltaTable,
    kernel::{Action, MetadataExt as _, StructType},
};
use std::collections::BTreeSet;

/// The table's folder.
pub const NAME: &str = "ledger";
/// The property that says the ledger's format (rule L8).
const FORMAT: &str = "triphase.format";
/// The event of a ledger that was rebuilt.
const REBUILT: &str = "repair rebuild";
/// With so many files, the next run writes them into one.
pub const FILES: usize = 20;
/// With so many, a run that is at work does.
pub const MANY_FILES: usize = 200;

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub id: i64,
    pub at: Time,
    pub run: String,
    pub command: String,
    pub who: String,
    pub host: String,
    pub tool: String,
    pub release: String,
    pub step: String,
    pub verb: String,
    /// From 1.
    pub statement: Option<i32>,
    pub hash: Option<String>,
    pub outcome: String,
    pub detail: Option<String>,
    /// The lease's epoch under which it was written.
    pub epoch: i64,
    /// The `txn` version that the attempted commit of the target's table carries.
    pub txn: Option<i64>,
    /// What it changes, as JSON.
    pub change: Option<String>,
}

/// The ledger as read, at one version.
pub struct Journal {
    table: Option<DeltaTable>,
    pub format: Option<Format>,
    pub rows: Vec<Row>,
    files: BTreeSet<String>,
    pub fold: Fold,
    /// It is there and can't be read: why. Whoever opened it so takes it for none, and puts it aside before making another.
    pub damaged: Option<String>,
    /// What it counts on from at least: the newest attempt that the tables know (rule D7).
    pub floor: i64,
}

/// What came of an append.
pub enum Appended {
    /// It is in; the rows as written.
    Yes(Vec<Row>),
    /// Somebody else wrote first; or the same rows are in already, where the answer was lost and the store's client sent them again.
    Moved(Vec<Row>),
}

impl Journal {
    /// Reads the ledger. Changes nothing; no table is an empty journal.
    ///
    /// # Errors
    /// [`Failure::Access`] where it can't be read, [`Failure::Refused`] where this binary can't work on it (L8).
    pub async fn read(lake: &Lake) -> Result<Self, Failure> {
        let mut journal = Self::none(None);
        match journal.refreshed(lake).await {
            Ok(read) => read.map(|()| journal),
            Err(Trouble::Refused(why)) => Err(unreadable(&why)),
            Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => Err(trouble.access("the ledger")),
        }
    }

    /// The same where a ledger that is damaged is taken for none.
    ///
    /// # Errors
    /// As [`Journal::read`], where the store does not answer, or another triphase has written the ledger.
    pub async fn read_damaged(lake: &Lake) -> Result<Self, Failure> {
        let mut journal = Self::none(None);
        match journal.refreshed(lake).await {
            Ok(read) => read.map(|()| journal),
            Err(Trouble::Refused(why)) => Ok(Self::none(Some(format!("{why:#}")))),
            Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => Err(trouble.access("the ledger")),
        }
    }

    fn none(damaged: Option<String>) -> Self {
        let (rows, files, fold) = (vec![], BTreeSet::new(), Fold::default());
        Self { table: None, format: None, rows, files, fold, damaged, floor: 0 }
    }

    /// Reads what has come since.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub async fn refresh(&mut self, lake: &Lake) -> Result<(), Failure> {
        self.refreshed(lake).await.map_err(|trouble| trouble.access("the ledger"))?
    }

    async fn refreshed(&mut self, lake: &Lake) -> Result<Result<(), Failure>, Trouble> {
        if !lake.is_there() || self.damaged.is_some() {
            return Ok(Ok(()));
        }
        let table = match self.table.take() {
            None => lake.open_own(NAME).await?,
            Some(mut table) => {
                table.update_state().await?;
                Some(table)
            }
        };
        let Some(table) = table else { return Ok(Ok(())) };
        self.take(table).await
    }

    /// Takes over a version of the table: its format, and the rows of files that were not read yet.
    async fn take(&mut self, table: DeltaTable) -> Result<Result<(), Failure>, Trouble> {
        let state = table.snapshot()?;
        match format(state.metadata().configuration().get(FORMAT).map(String::as_str)) {
            Ok(format) => self.format = Some(format),
            Err(failure) => return Ok(Err(failure)),
        }
        let mut files = BTreeSet::new();
        let mut fresh = Vec::new();
        for file in state.log_data().iter() {
            let path = file.object_store_path();
            if !self.files.contains(path.as_ref()) {
                fresh.push(path.clone());
            }
            files.insert(path.to_string());
        }
        // Files were written into one: what is known already comes again.
        if !self.files.is_subset(&files) {
            self.rows.clear();
            self.fold = Fold::default();
            fresh = files.iter().map(|path| deltalake::Path::from(path.as_str())).collect();
        }
        let store = table.log_store().object_store(None);
        let mut rows = Vec::new();
        for path in &fresh {
            for batch in columns::batches(store.as_ref(), path).await? {
                columns::rows_of(&batch, &mut rows).map_err(Trouble::Refused)?;
            }
        }
        rows.sort_by_key(|row| row.id);
        for row in &rows {
            if let Some(change) = &row.change
                && let Err(failure) = self.fold.apply(change, row)
            {
                return Ok(Err(failure));
            }
            self.fold.epoch = self.fold.epoch.max(row.epoch);
        }
        self.rows.append(&mut rows);
        self.files = files;
        self.table = Some(table);
        Ok(Ok(()))
    }

    /// Whether these rows, as they were written, are the newest.
    pub fn ends_with(&self, rows: &[Row]) -> bool {
        !rows.is_empty() && self.rows.ends_with(rows)
    }

    /// The newest row's id: the ledger's revision.
    pub fn last(&self) -> i64 {
        self.rows.last().map_or(0, |row| row.id)
    }

    /// Whether the attempt of a `txn` version was made on this ledger, or is older than what was rebuilt from the tables.
    pub fn knows(&self, number: i64) -> bool {
        let attempt = evidence::attempt(number);
        let rebuilt = |row: &Row| row.verb == REBUILT && row.id > attempt;
        self.rows.iter().rev().any(|row| row.txn == Some(number) || rebuilt(row))
    }

    /// Whether the trail says that a statement, from 1, was committed when it was last attempted: it is done, or another came after it.
    pub fn has_committed(&self, id: &StepId, verb: Verb, statement: i32) -> bool {
        let of = |row: &&Row| row.release == id.release.as_str() && row.step == id.step && !row.outcome.is_empty();
        let attempts = |row: &Row| row.outcome == Outcome::Attempting.name() && row.txn.is_some();
        let is = |row: &Row| attempts(row) && row.verb == verb.name() && row.statement == Some(statement);
        // From the newest row on: what came right after the last attempt.
        let mut after = None;
        for row in self.rows.iter().rev().filter(of) {
            if is(row) {
                return after
                    .is_some_and(|next: &Row| next.outcome == Outcome::Done.name() || (attempts(next) && !is(next)));
            }
            after = Some(row);
        }
        false
    }

    /// The clock for the next rows: the host's, and never before what was written last.
    pub fn clock(&self) -> Time {
        host_clock().max(self.rows.last().map_or(Time(0), |row| row.at))
    }

    /// Creates the table, empty.
    ///
    /// # Errors
    /// [`Failure::Access`] where it can't be.
    pub async fn create(&mut self, lake: &Lake, me: &Me) -> Result<(), Failure> {
        if self.table.is_some() {
            return Ok(());
        }
        if self.damaged.is_some() {
            aside::put(lake, NAME, &me.run).await.map_err(|trouble| trouble.access("the damaged ledger"))?;
            self.damaged = None;
        }
        let put = Put::own("TRIPHASE CREATE LEDGER", &me.run);
        // What lies a day before a checkpoint goes from its log.
        let properties = [
            (FORMAT, Format::CURRENT.to_string()),
            ("delta.checkpointInterval", "20".to_owned()),
            ("delta.logRetentionDuration", "interval 1 days".to_owned()),
            ("delta.enableExpiredLogCleanup", "true".to_owned()),
        ];
        let created = create_table(lake, NAME, columns::schema(), &properties, &put).await;
        match created {
            // Another run was first, and its table is as good.
            Ok(()) | Err(Trouble::Moved) => self.refresh(lake).await,
            Err(Trouble::Refused(why) | Trouble::Lost(why)) => {
                Err(Failure::Access(why.context(format!("the ledger can't be created in {}", lake.shown))))
            }
        }
    }

    /// Appends rows, numbered and dated, if the table still is at the version that was read.
    ///
    /// # Errors
    /// [`Failure::Lost`] where it is not known whether they are in; [`Failure::Access`] where they can't be written.
    pub async fn append(&mut self, rows: Vec<Row>, format: Option<Format>) -> Result<Appended, Failure> {
        let Some(table) = &self.table else { return Err(Failure::Access(anyhow!("the ledger is gone"))) };
        let (mut id, at) = (self.last().max(self.floor), self.clock());
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| {
                id += 1;
                Row { id, at, tool: TOOL.to_owned(), ..row }
            })
            .collect();
        let run = rows.first().map_or_else(String::new, |row| row.run.clone());
        let written = async {
            let mut actions = columns::add(table, &rows).await?;
            if let Some(format) = format {
                let metadata = table.snapshot()?.metadata().clone();
                actions.push(Action::Metadata(metadata.add_config_key(FORMAT.to_owned(), format.to_string())?));
            }
            commit::put(table, actions, &Put::own("TRIPHASE LEDGER", &run)).await
        };
        match written.await {
            Ok(()) => {}
            Err(Trouble::Moved) => return Ok(Appended::Moved(rows)),
            Err(Trouble::Refused(why)) => {
                return Err(Failure::Access(why.context("the ledger can't be written")));
            }
            Err(Trouble::Lost(why)) => return Err(Failure::Lost(why.context("the ledger"))),
        }
        Ok(Appended::Yes(rows))
    }

    /// Writes all rows into one file, where there are more than `from`. Whoever is in the way does it another time.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn compact(&mut self, lake: &Lake, me: &Me, from: usize) -> Result<(), Failure> {
        let Some(table) = self.table.as_ref().filter(|_| self.files.len() > from) else { return Ok(()) };
        let written = async {
            let mut actions = columns::together(table).await?;
            for action in &mut actions {
                if let Action::Add(add) = action {
                    add.data_change = false;
                }
            }
            actions.extend(table.snapshot()?.log_data().iter().map(|file| Action::Remove(file.remove_action(false))));
            commit::put_and_clean(table, actions, &Put::own("TRIPHASE COMPACT LEDGER", &me.run)).await
        };
        match written.await {
            Ok(()) => {}
            Err(Trouble::Moved) => return Ok(()),
            Err(Trouble::Refused(why)) => return Err(Failure::Access(why.context("the ledger can't be written"))),
            Err(Trouble::Lost(why)) => return Err(Failure::Lost(why.context("the ledger"))),
        }
        self.refresh(lake).await?;
        if let Some(table) = &self.table
            && let Err(trouble) = columns::tidy(table).await
        {
            tracing::info!(?trouble, "files that the ledger needs no more were left behind");
        }
        Ok(())
    }

    /// The audit trail's newest rows, newest first.
    pub fn history(&self, limit: u32) -> Vec<HistoryRow> {
        let shown = self.rows.iter().rev().filter(|row| !row.outcome.is_empty());
        shown
            .take(limit as usize)
            .map(|row| HistoryRow {
                id: row.id,
                at: row.at,
                run: row.run.clone(),
                command: row.command.clone(),
                who: row.who.clone(),
                tool: row.tool.clone(),
                release: row.release.clone(),
                step: row.step.clone(),
                verb: row.verb.clone(),
                statement: row.statement.and_then(|statement| u32::try_from(statement).ok()),
                hash: row.hash.clone(),
                outcome: row.outcome.clone(),
                detail: row.detail.clone(),
            })
            .collect()
    }

    /// The row with a change that says so of itself.
    pub fn row(me: &Me, epoch: i64, change: Option<&Change>) -> Row {
        Row {
            run: me.run.clone(),
            command: me.command.clone(),
            who: me.who.clone(),
            host: me.host.clone(),
            epoch,
            change: change.map(Change::json),
            ..Row::default()
        }
    }
}

/// Creates one of triphase's own tables.
///
/// # Errors
/// [`Trouble::Moved`] where it is there already.
pub async fn create_table(
    lake: &Lake,
    name: &str,
    schema: StructType,
    properties: &[(&str, String)],
    put: &Put,
) -> Result<(), Trouble> {
    let handle = lake.handle(&lake.own(name))?;
    let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let metadata = deltalake::kernel::new_metadata(&schema, Vec::<String>::new(), properties)?;
    let protocol = serde_json::from_value(serde_json::json!({"minReaderVersion": 1, "minWriterVersion": 2}))
        .map_err(|error| Trouble::Refused(error.into()))?;
    commit::create(&handle, vec![Action::Protocol(protocol), Action::Metadata(metadata)], put).await
}

/// The store has answered, and what it has is no ledger.
fn unreadable(why: &anyhow::Error) -> Failure {
    let finding = Finding::new(Class::Access, "D7", format!("the ledger can't be read: {why:#}"));
    let way_out = "see that the store is whole; where the ledger is damaged, rebuild it from the tables: triphase repair rebuild --reason …";
    Failure::Refused(Box::new(finding.way_out(way_out)))
}

fn format(text: Option<&str>) -> Result<Format, Failure> {
    let refused = |message: String, way_out: &str| {
        Failure::Refused(Box::new(Finding::new(Class::Decision, "L8", message).way_out(way_out)))
    };
    let Some(format) = text.and_then(Format::parse) else {
        return Err(refused(
            format!("the ledger's format can't be told: the table _triphase/{NAME} should have a property `{FORMAT}`"),
            "use the triphase that wrote it",
        ));
    };
    if format.major > Format::CURRENT.major {
        return Err(refused(
            format!(
                "the ledger has format {format}; this triphase ({TOOL}) knows formats up to {}.x",
                Format::CURRENT.major
            ),
            "use a newer triphase",
        ));
    }
    Ok(format)
}
