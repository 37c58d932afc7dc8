//! What a lake's tables say of steps, whatever the ledger says (rule D7): each commit of a step names it, and its `txn` is kept for good.

use super::{
    acts,
    evidence::{self, FENCE},
    head::{Head, Told as _},
    journal::Journal,
    lake::Lake,
    probe,
    trouble::Trouble,
};
use crate::{
    action::{Action, Checksum},
    engine::Failure,
    ledger::{By, Trace, Traces},
    model::{Class, Finding, StepId, Time, Verb, Version},
};
use deltalake::logstore::LogStoreRef;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    pin::pin,
};

/// What was read.
pub struct Found {
    pub traces: Traces,
    /// The newest attempt: the next ledger counts on from it.
    pub attempt: i64,
    /// The newest epoch that a table was fenced with: the next lease must be above it.
    pub epoch: i64,
}

/// Reads the tables that lie below the root, and those that actions name.
///
/// # Errors
/// [`Failure::Access`] where the lake can't be listed. A table that can't be read is no error: it is named in what was found.
pub async fn read(lake: &Lake, journal: &Journal, steps: &[StepId], actions: &[Action]) -> Result<Found, Failure> {
    let mut names: BTreeSet<String> =
        lake.tables().await.map_err(|trouble| trouble.access("the lake"))?.into_iter().collect();
    names.extend(actions.iter().filter_map(probe::table));
    let mut found = Found { traces: Traces::default(), attempt: 0, epoch: 0 };
    let mut seen: BTreeSet<url::Url> = BTreeSet::new();
    for name in names {
        // One table, named by its path and by its address.
        let Some(place) = lake.place(&name).ok().filter(|place| seen.insert(place.clone())) else { continue };
        match table(lake, journal, (&place, &name), steps, &mut found).await {
            Ok(()) => {}
            Err(Trouble::Lost(why)) => {
                return Err(Failure::Access(why.context(format!("table `{name}` can't be read"))));
            }
            Err(Trouble::Refused(why)) => {
                found.traces.unread.insert(name, format!("{why:#}"));
            }
            Err(Trouble::Moved) => {
                found.traces.unread.insert(name, "it is being written by others".to_owned());
            }
        }
    }
    // A commit that is one of several stands behind those that are proven.
    found.traces.commits.sort_by_key(|trace| (trace.attempt, !trace.proof, trace.at));
    found.attempt = found.traces.commits.iter().map(|trace| trace.attempt).max().unwrap_or(0);
    found.traces.damaged = journal.damaged.clone();
    Ok(found)
}

/// A commit of a table's log, as far as it is of interest.
struct Commit {
    version: u64,
    at: Option<Time>,
    /// The object `triphase` of its commitInfo.
    info: Option<Value>,
    txns: Vec<(String, i64)>,
}

impl Commit {
    fn read(version: u64, bytes: &[u8]) -> Self {
        let mut commit = Self { version, at: None, info: None, txns: vec![] };
        // Most lines are files, and of no interest.
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        for line in lines.filter(|line| line.contains("\"commitInfo\"") || line.contains("\"txn\"")) {
            let Ok(action) = serde_json::from_str::<Value>(line) else { continue };
            let info = &action["commitInfo"];
            if info.is_object() {
                commit.at = info["timestamp"].as_i64().map(|millis| Time(millis * 1000));
                commit.info = info.get("triphase").cloned();
            }
            let txn = &action["txn"];
            if let (Some(app), Some(version)) = (txn["appId"].as_str(), txn["version"].as_i64()) {
                commit.txns.push((app.to_owned(), version));
            }
        }
        commit
    }

    /// Whose it is: step, verb, statement, run.
    fn of(&self) -> Option<(StepId, Verb, u32, &str)> {
        let info = self.info.as_ref()?;
        let id = StepId::new(Version::parse(info["release"].as_str()?).ok()?, info["step"].as_str()?.to_owned());
        let statement = u32::try_from(info["statement"].as_u64()?).ok()?;
        Some((id, Verb::parse(info["phase"].as_str()?)?, statement, info["run"].as_str().unwrap_or_default()))
    }

    /// By which handlers it was made.
    fn by(&self) -> Option<By> {
        let info = self.info.as_ref()?;
        let checksum = |key: &str| info[key].as_str().map(Checksum::stored);
        Some(By { ran: checksum("ran")?, back: checksum("back") })
    }
}

async fn table(
    lake: &Lake,
    journal: &Journal,
    (place, name): (&url::Url, &str),
    steps: &[StepId],
    found: &mut Found,
) -> Result<(), Trouble> {
    let Some(table) = lake.head(place).await? else { return Ok(()) };
    let (commits, whole) = log(&table).await?;
    found.traces.tables.insert(name.to_owned());
    let fences =
        commits.iter().flat_map(|commit| &commit.txns).filter(|(app, _)| app == FENCE).map(|(_, epoch)| *epoch);
    found.epoch = fences.fold(found.epoch, i64::max);
    if !whole {
        found.epoch = found.epoch.max(table.txn(FENCE).await?.unwrap_or(0));
    }
    let mut proven: BTreeSet<StepId> = BTreeSet::new();
    let mut parts: BTreeMap<StepId, Trace> = BTreeMap::new();
    // The first commit of each step since it was last taken back.
    let mut firsts: BTreeMap<StepId, (u64, bool)> = BTreeMap::new();
    let mut attempt = 0;
    for commit in &commits {
        let Some((id, verb, statement, run)) = commit.of() else { continue };
        let app = evidence::app(&id);
        let number = commit.txns.iter().find(|(of, _)| *of == app).map(|(_, number)| *number);
        let (its_attempt, ends) = match number {
            Some(number) => (evidence::attempt(number), evidence::ends(number)),
            None => (attempt, false),
        };
        attempt = attempt.max(its_attempt);
        let trace = Trace {
            id: id.clone(),
            verb,
            statement: Some(statement),
            attempt: its_attempt,
            ends,
            proof: number.is_some(),
            known: number.is_none_or(|number| journal.knows(number)),
            table: name.to_owned(),
            at: commit.at,
            run: run.to_owned(),
            by: commit.by(),
        };
        match (verb, ends) {
            (Verb::RollbackAdd | Verb::Drop, true) => {
                firsts.remove(&id);
            }
            (Verb::Add | Verb::Simdrop | Verb::Drop | Verb::RollbackSimdrop | Verb::RollbackAdd, _) => {
                let certain = whole || (verb == Verb::Add && statement == 1);
                firsts.entry(id.clone()).or_insert((commit.version, certain));
            }
        }
        if trace.proof {
            parts.remove(&id);
            proven.insert(id);
            found.traces.commits.push(trace);
        } else {
            parts.insert(id, trace);
        }
    }
    if !whole {
        for id in steps.iter().filter(|id| !proven.contains(id)) {
            if let Some(trace) = newest(&table, journal, name, id).await? {
                found.traces.commits.push(trace);
            }
        }
    }
    found.traces.commits.extend(parts.into_values());
    for (id, (version, _)) in firsts.into_iter().filter(|(_, (_, certain))| *certain) {
        let Some(before) = version.checked_sub(1) else {
            found.traces.before.insert(id, None);
            continue;
        };
        let mut old = lake.handle(place)?;
        match old.load_version(before).await {
            Ok(()) => {
                found.traces.before.insert(id, Some(acts::state(&old)?));
            }
            Err(error) => tracing::info!(table = name, before, %error, "a version can't be read any more"),
        }
    }
    Ok(())
}

/// How many of a table's newest commits are looked at for a step's.
const NEWEST: u64 = 20;

/// The step of one of a table's newest commits: where there is no ledger, there was one.
///
/// # Errors
/// Where the table's log can't be read.
pub async fn lately(log: &LogStoreRef, newest: u64) -> Result<Option<StepId>, Trouble> {
    for version in (newest.saturating_sub(NEWEST)..=newest).rev() {
        let Some(bytes) = log.read_commit_entry(version).await? else { break };
        if let Some((id, ..)) = Commit::read(version, &bytes).of() {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// How many tables are looked at at the same time: a store answers slowly, and many at once.
const TOGETHER: usize = 32;

/// How many folders are listed for them: a lake may have many that hold no table, and each is a question to the store.
const FOLDERS: usize = 1000;

/// A table below the root that knows of a step, and which. One that can't be read says nothing, nor does a lake that may not be listed.
pub async fn known(lake: &Lake) -> Option<(String, StepId)> {
    let names = lake.tables_in(FOLDERS).await.unwrap_or_else(|trouble| {
        let why = trouble.access("the lake");
        tracing::info!(%why, "the lake can't be listed, and not be asked for steps");
        Vec::new()
    });
    let look = async |name: String| {
        let looked = async {
            let Ok(place) = lake.place(&name) else { return Ok(None) };
            let Some(table) = lake.head(&place).await? else { return Ok(None) };
            lately(&table.log, table.version()).await
        };
        match looked.await {
            Ok(id) => id.map(|id| (name, id)),
            Err(Trouble::Moved) => None,
            Err(Trouble::Refused(error) | Trouble::Lost(error)) => {
                tracing::info!(table = name, %error, "a table can't be asked for steps");
                None
            }
        }
    };
    let looks = stream::iter(names).map(look).buffer_unordered(TOGETHER).filter_map(future::ready);
    pin!(looks).next().await
}

/// The refusal of a ledger that knows less than a table.
pub fn lost(table: &str, id: &StepId) -> Failure {
    let message = format!(
        "table `{table}` has commits of step `{id}` that the ledger knows nothing of: it was lost, or is an older one"
    );
    Failure::Refused(Box::new(
        Finding::new(Class::Decision, "D7", message)
            .way_out("rebuild the ledger from the tables: triphase repair rebuild --reason …"),
    ))
}

/// The commits that are still in a table's log, oldest first, and whether they are all.
async fn log(table: &Head) -> Result<(Vec<Commit>, bool), Trouble> {
    let newest = table.version();
    let mut commits = Vec::new();
    for version in (0..=newest).rev() {
        let Some(bytes) = table.log.read_commit_entry(version).await? else { break };
        commits.push(Commit::read(version, &bytes));
    }
    let whole = commits.last().is_some_and(|commit| commit.version == 0);
    commits.reverse();
    Ok((commits, whole))
}

/// The newest statement of a step, of which the table's log has no more than the number.
async fn newest(table: &Head, journal: &Journal, name: &str, id: &StepId) -> Result<Option<Trace>, Trouble> {
    let number = table.txn(&evidence::app(id)).await?;
    Ok(number.and_then(|number| {
        Some(Trace {
            id: id.clone(),
            verb: evidence::verb(number)?,
            statement: None,
            attempt: evidence::attempt(number),
            ends: evidence::ends(number),
            proof: true,
            known: journal.knows(number),
            table: name.to_owned(),
            at: None,
            run: String::new(),
            by: None,
        })
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_commit_is_read_by_its_own_lines_alone() {
        let text = concat!(
            r#"{"commitInfo":{"timestamp":5,"operation":"TRIPHASE X","triphase":{"release":"v1","step":"a","phase":"add","statement":2,"run":"r"}}}"#,
            "\n",
            r#"{"txn":{"appId":"triphase/v1/a","version":711}}"#,
            "\n",
            r#"{"add":{"path":"commitInfo"}}"#,
        );
        let commit = Commit::read(3, text.as_bytes());
        let (id, verb, statement, run) = commit.of().unwrap();
        assert_eq!((id.to_string().as_str(), verb, statement, run), ("v1/a", Verb::Add, 2, "r"));
        assert_eq!(
            (commit.at, commit.txns.as_slice()),
            (Some(Time(5000)), [("triphase/v1/a".to_owned(), 711)].as_slice())
        );
        assert!(Commit::read(0, b"{}\nnothing").of().is_none());
    }
}
