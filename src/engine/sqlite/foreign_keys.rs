//! `PRAGMA foreign_keys = …` in a handler. SQLite ignores it inside a transaction, so it is taken out and run before (the procedure of
//! sqlite.org/lang_altertable.html, section 7), and the keys are checked before the commit where they were off. What was without a parent
//! before the handler is no fault of it.

use super::connect::texts;
use crate::{action::Action, model::Dialect, sql};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// What an action wants foreign keys to be, if that is what it is about.
pub fn wish(action: &Action) -> Option<bool> {
    match action {
        Action::Sql { text, .. } => sql::foreign_keys(Dialect::Sqlite, text),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
    }
}

/// What foreign keys are to be while a unit runs: off where they are off for any of its actions, as the handler has set them before it
/// (`setup`) or in it; else as the first wish has them.
pub fn of_unit(setup: &[String], actions: &[Action]) -> Option<bool> {
    let before = setup.iter().filter_map(|text| sql::foreign_keys(Dialect::Sqlite, text)).next_back();
    let mut now = before;
    for action in actions {
        match wish(action) {
            Some(on) => now = Some(on),
            None if now == Some(false) => return now,
            None => {}
        }
    }
    before.or_else(|| actions.iter().find_map(wish))
}

/// A row whose parent is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its table.
    table: String,
    /// Its number there; a table WITHOUT ROWID has none to show.
    rowid: Option<String>,
    /// The table that its parent is missing in.
    parent: String,
    /// What it refers to, as SQLite quotes it: that stays where a table is made anew and its rows get other numbers.
    refers: Option<String>,
}

/// Rows whose parent is missing; the inner error is SQLite's where a key can't be checked at all.
pub type Orphans = Result<Vec<Orphan>, String>;

/// Looks for rows whose parent is missing.
///
/// # Errors
/// SQLite's, where the file can't be read.
pub async fn orphans(connection: &mut SqliteConnection) -> Result<Orphans, sqlx::Error> {
    let found = match texts(connection, "SELECT \"table\", rowid, parent, fkid FROM pragma_foreign_key_check").await {
        Ok(found) => found,
        // "foreign key mismatch": the parent's columns are no key (sqlite.org/foreignkeys.html, section 3).
        Err(error) => match error.as_database_error() {
            Some(said) if said.message().starts_with("foreign key mismatch") => {
                return Ok(Err(said.message().to_owned()));
            }
            Some(_) | None => return Err(error),
        },
    };
    let mut refers: BTreeMap<(String, String), BTreeMap<String, String>> = BTreeMap::new();
    let mut orphans = Vec::with_capacity(found.len());
    for row in found {
        let [table, rowid, parent, key] = <[Option<String>; 4]>::try_from(row).unwrap_or_default();
        let (table, parent, key) = (table.unwrap_or_default(), parent.unwrap_or_default(), key.unwrap_or_default());
        let of = (table.clone(), key);
        if rowid.is_some() && !refers.contains_key(&of) {
            let values = references(connection, &of.0, &of.1).await?;
            refers.insert(of.clone(), values);
        }
        let refers = rowid.as_ref().and_then(|rowid| refers.get(&of)?.get(rowid).cloned());
        orphans.push(Orphan { table, rowid, parent, refers });
    }
    Ok(Ok(orphans))
}

/// What the rows without a parent refer to by a table's key of that number, by their own.
async fn references(
    connection: &mut SqliteConnection,
    table: &str,
    key: &str,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let (name, text) = (sql::ident(Dialect::Sqlite, table), sql::literal(Dialect::Sqlite, table));
    let listed = format!("SELECT \"from\" FROM pragma_foreign_key_list({text}) WHERE id = {key} ORDER BY seq");
    let columns: Vec<String> = texts(connection, &listed)
        .await?
        .into_iter()
        .flatten()
        .flatten()
        .map(|column| format!("quote({})", sql::ident(Dialect::Sqlite, &column)))
        .collect();
    let query = format!(
        "SELECT rowid, {} FROM main.{name} WHERE rowid IN (SELECT rowid FROM pragma_foreign_key_check({text}) WHERE fkid = {key})",
        columns.join(" || ', ' || ")
    );
    Ok(texts(connection, &query)
        .await?
        .into_iter()
        .filter_map(|row| match <[Option<String>; 2]>::try_from(row) {
            Ok([Some(rowid), Some(refers)]) => Some((rowid, refers)),
            Ok(_) | Err(_) => None,
        })
        .collect())
}

/// Refuses what a handler brought. What was so before is a warning.
///
/// # Errors
/// What it brought, in words.
pub fn judge(before: Orphans, after: Orphans) -> Result<(), String> {
    let old = match (before, after) {
        (_, Ok(after)) if after.is_empty() => return Ok(()),
        (Err(before), Err(after)) if before == after => after,
        (_, Err(after)) => return Err(format!("foreign keys can't be checked after the handler: {after}")),
        (before, Ok(after)) => {
            let brought = brought(&before.unwrap_or_default(), after.clone());
            if !brought.is_empty() {
                return Err(format!("foreign keys are violated after the handler: {}", words(&brought)));
            }
            words(&after)
        }
    };
    tracing::warn!("foreign keys were violated before the handler, and are still: {old}");
    Ok(())
}

/// Those that were not there before: by their number, or where that is another one now by what they refer to.
pub fn brought(before: &[Orphan], after: Vec<Orphan>) -> Vec<Orphan> {
    let by_number = |one: &Orphan| (one.table.clone(), one.parent.clone(), one.rowid.clone(), one.refers.clone());
    let by_reference = |one: &Orphan| (one.table.clone(), one.parent.clone(), one.refers.clone());
    let (mut old, mut kept) = (counted(before, by_number), Vec::new());
    let rest: Vec<Orphan> = after
        .into_iter()
        .filter(|one| {
            let was = taken(&mut old, &by_number(one));
            if was {
                kept.push(one.clone());
            }
            !was
        })
        .collect();
    let mut old = counted(before, by_reference);
    for one in &kept {
        taken(&mut old, &by_reference(one));
    }
    rest.into_iter().filter(|one| !taken(&mut old, &by_reference(one))).collect()
}

fn counted<K: Ord>(orphans: &[Orphan], key: impl Fn(&Orphan) -> K) -> BTreeMap<K, usize> {
    orphans.iter().fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(key(one)).or_default() += 1;
        counts
    })
}

/// Takes one of that key away, if there is one.
fn taken<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key).filter(|count| **count > 0) else { return false };
    *count -= 1;
    true
}

/// In words.
pub fn words(orphans: &[Orphan]) -> String {
    /// More are counted, not named.
    const SHOWN: usize = 5;
    let mut named: Vec<String> = orphans
        .iter()
        .take(SHOWN)
        .map(|Orphan { table, rowid, parent, .. }| match rowid {
            None => format!("a row of `{table}` has no parent in `{parent}`"),
            Some(rowid) => format!("`{table}` rowid {rowid} has no parent in `{parent}`"),
        })
        .collect();
    if orphans.len() > SHOWN {
        named.push(format!("{} more", orphans.len() - SHOWN));
    }
    named.join("; ")
}
