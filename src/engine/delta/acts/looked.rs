//! What an act has found out and made, file by file. Who is overtaken looks only at the files that have come since: a file never changes,
//! and what was seen in one that is gone does not count.

use super::{
    super::trouble::Trouble,
    beside::Beside,
    checks::{self, among, counted, over},
    files::{self, Source},
    rewrite::Staged,
};
use crate::ops::{Field, TableState};
use deltalake::DeltaTable;
use std::collections::{BTreeMap, BTreeSet};

/// From which size on a file is looked at by itself, in bytes.
const LARGE: u64 = 8 << 20;

/// What was found and made on a version that others have overtaken, and still is of use.
#[derive(Debug, Default)]
pub struct Looked {
    /// The columns and the partitioning that conditions are over: under others they would say something else.
    of: Option<(Vec<Field>, Vec<String>)>,
    /// By condition, then by file: how many of its rows meet it.
    met: BTreeMap<String, BTreeMap<String, u64>>,
    /// By the condition of rows that are to be filled, then by file: whether it has some. A row that was filled may meet it still, where its
    /// value is NULL again: that says nothing of what holds.
    wants: BTreeMap<String, BTreeMap<String, bool>>,
    /// The files among which no two rows are alike, by the columns that tell them apart.
    apart: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// The expressions that were tried: text, type, field.
    tried: BTreeSet<[String; 3]>,
    /// What a rewrite has produced.
    pub staged: Option<Staged>,
    /// The files of staging folders that were validated.
    pub valid: BTreeSet<String>,
    /// At how many files this try looked.
    now: u64,
    /// At how many files all tries before it looked.
    before: u64,
}

/// The live files that were not looked at yet.
struct Fresh {
    /// By key: their paths.
    files: BTreeMap<String, String>,
    /// They are all that there are.
    all: bool,
}

impl Fresh {
    fn of(table: &DeltaTable, seen: impl Fn(&str) -> bool) -> Result<Self, Trouble> {
        let live = live(table)?;
        let count = live.len();
        let files: BTreeMap<_, _> = live.into_iter().filter(|(key, _)| !seen(key)).collect();
        Ok(Self { all: files.len() == count, files })
    }

    fn paths(&self) -> BTreeSet<String> {
        self.files.values().cloned().collect()
    }

    /// What a query over them is limited to; `None`: nothing.
    fn only(&self) -> Option<BTreeSet<String>> {
        (!self.all).then(|| self.paths())
    }
}

/// A table's files: by key, their paths.
fn live(table: &DeltaTable) -> Result<BTreeMap<String, String>, Trouble> {
    Ok(table.snapshot()?.log_data().iter().map(|file| (files::key(&file), file.path().into_owned())).collect())
}

impl Looked {
    /// Another try begins, on this version.
    pub fn at(&mut self, state: &TableState) {
        self.before += std::mem::take(&mut self.now);
        let of = (&state.fields, &state.partition_by);
        if self.of.as_ref().is_none_or(|(fields, by)| (fields, by) != of) {
            *self = Self { of: Some((of.0.clone(), of.1.clone())), before: self.before, ..Self::default() };
        }
    }

    /// At how many files this try had to look, or has to: what is left to do.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// At how many files all tries have looked.
    #[cfg(test)]
    pub const fn ever(&self) -> u64 {
        self.before + self.now
    }

    /// So many files are looked at, or made.
    pub fn works(&mut self, files: usize) {
        self.now += files as u64;
    }

    /// These files are filled.
    pub fn fill(&mut self, rows: &str, files: impl IntoIterator<Item = String>) {
        self.wants.entry(rows.to_owned()).or_default().extend(files.into_iter().map(|file| (file, false)));
    }

    /// Whether an expression was tried before; it is taken for tried from now on.
    pub fn tries(&mut self, expression: &str, data_type: &str, field: &str) -> bool {
        self.tried.insert([expression, data_type, field].map(str::to_owned))
    }

    /// How many rows meet a condition, and in which files that was looked for now; `None`: in all. Where some do, nothing is remembered.
    ///
    /// # Errors
    /// Where the condition does not fit the table.
    pub async fn met(&mut self, table: &DeltaTable, rows: &str) -> Result<(u64, Option<BTreeSet<String>>), Trouble> {
        let seen = self.met.entry(rows.to_owned()).or_default();
        let fresh = Fresh::of(table, |key| seen.get(key) == Some(&0))?;
        let only = fresh.only();
        if fresh.files.is_empty() {
            return Ok((0, only));
        }
        self.now += fresh.files.len() as u64;
        let count = counted(over(table, only.as_ref(), &format!("SELECT count(*) FROM t WHERE {rows}")).await?).await?;
        if count == 0 {
            seen.extend(fresh.files.into_keys().map(|key| (key, 0)));
        }
        Ok((count, only))
    }

    /// How many rows meet a condition, some of which may.
    ///
    /// # Errors
    /// As [`Looked::met`].
    pub async fn count(&mut self, table: &DeltaTable, rows: &str) -> Result<u64, Trouble> {
        let seen = self.met.entry(rows.to_owned()).or_default();
        let fresh = Fresh::of(table, |key| seen.contains_key(key))?;
        if !fresh.files.is_empty() {
            self.now += fresh.files.len() as u64;
            let found = among(table, rows, &fresh.paths(), None).await?;
            seen.extend(fresh.files.into_iter().map(|(key, path)| (key, found.get(&path).copied().unwrap_or(0))));
        }
        let live = live(table)?;
        Ok(seen.iter().filter(|(key, _)| live.contains_key(*key)).map(|(_, count)| count).sum())
    }

    /// The files that have rows that meet a condition, by their paths. A large file is read up to its first such row, small ones together,
    /// and so are all where the condition is over another table beside.
    ///
    /// # Errors
    /// As [`Looked::met`].
    pub async fn wanting(
        &mut self,
        table: &DeltaTable,
        rows: &str,
        beside: Option<&Beside>,
    ) -> Result<BTreeSet<String>, Trouble> {
        let seen = self.wants.entry(rows.to_owned()).or_default();
        let live = files::live(table, None)?;
        let (large, small): (Vec<&Source>, Vec<&Source>) = live
            .iter()
            .filter(|file| !seen.contains_key(&file.key))
            .partition(|file| beside.is_none() && file.bytes >= LARGE);
        self.now += (large.len() + small.len()) as u64;
        let mut found = BTreeSet::new();
        if !small.is_empty() {
            let paths = small.iter().map(|file| file.path.clone()).collect();
            found.extend(among(table, rows, &paths, beside).await?.into_keys());
        }
        for file in &large {
            let query = format!("SELECT 1 FROM t WHERE {rows} LIMIT 1");
            let met = over(table, Some(&BTreeSet::from([file.path.clone()])), &query).await?.collect().await?;
            if met.iter().any(|batch| batch.num_rows() > 0) {
                found.insert(file.path.clone());
            }
        }
        seen.extend(large.iter().chain(&small).map(|file| (file.key.clone(), found.contains(&file.path))));
        let wanting = live.into_iter().filter(|file| seen.get(&file.key) == Some(&true));
        Ok(wanting.map(|file| file.path).collect())
    }

    /// How many rows have NULL in one of these columns, or are like another one in all of them. Files among which none are alike were looked at
    /// before: of those only rows that lie between the least and the greatest of the others are compared with them.
    ///
    /// # Errors
    /// As [`Looked::met`].
    pub async fn alike(&mut self, table: &DeltaTable, columns: &[String]) -> Result<u64, Trouble> {
        let seen = self.apart.entry(columns.to_vec()).or_default();
        let fresh = Fresh::of(table, |key| seen.contains(key))?;
        if fresh.files.is_empty() {
            return Ok(0);
        }
        self.now += fresh.files.len() as u64;
        let count = checks::alike(table, columns, fresh.only().as_ref()).await?;
        if count == 0 {
            seen.extend(fresh.files.into_keys());
        }
        Ok(count)
    }
}
