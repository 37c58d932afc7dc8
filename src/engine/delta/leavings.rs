//! What triphase made in a lake's tables and what lies beside its ledger (rule O9): found for `show --objects` and `repair purge`, removed
//! for the latter.

use super::{acts, aside, commit, commit::Put, lake::Lake, patience::Patience, trouble::Trouble};
use crate::{
    engine::{Failure, Stop},
    failpoint,
    ledger::{Kind, Left},
    ops::{self, Edit, TableState},
};
use anyhow::anyhow;
use deltalake::{DeltaTable, DeltaTableError, Path, logstore::object_store::ObjectStoreExt as _};
use futures_util::TryStreamExt as _;
use std::{collections::BTreeSet, time::Duration};

/// Everything that is there.
///
/// # Errors
/// [`Failure::Access`] where the lake or a table can't be read.
pub async fn all(lake: &Lake) -> Result<Vec<Left>, Failure> {
    if !lake.is_there() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in lake.tables().await.map_err(|trouble| trouble.access("the lake"))? {
        let access = |trouble: Trouble| trouble.access(&format!("table `{name}`"));
        let Ok(place) = lake.place(&name) else { continue };
        let table = match lake.open(&place).await {
            Ok(Some(table)) => table,
            Ok(None) => continue,
            // A table that this library can't read holds nothing of ours.
            Err(Trouble::Refused(why)) => {
                tracing::info!(table = name, why = format!("{why:#}"), "a table can't be read");
                continue;
            }
            Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => return Err(access(trouble)),
        };
        found.extend(of_table(&name, &acts::state(&table).map_err(access)?));
        found.extend(staged(&name, &table).await.map_err(access)?.map(|(left, _)| left));
    }
    for (name, bytes) in aside::all(lake).await.map_err(|trouble| trouble.access("the lake"))? {
        let table = String::new();
        found.push(Left { table, kind: Kind::Aside, name, hash: None, used: None, bytes: Some(bytes) });
    }
    Ok(found)
}

fn of_table(name: &str, state: &TableState) -> Vec<Left> {
    let left = |kind, own: &str, hash: Option<&str>| Left {
        table: name.to_owned(),
        kind,
        name: own.to_owned(),
        hash: hash.map(str::to_owned),
        used: None,
        bytes: None,
    };
    let mut found: Vec<Left> = Vec::new();
    let kind = if state.mapped() { Kind::Column } else { Kind::PlainColumn };
    for field in state.fields.iter().filter(|field| ops::ours(&field.name)) {
        found.push(Left { used: state.user_of(&field.name), ..left(kind, &field.name, ops::hash_in(&field.name)) });
    }
    for (key, value) in &state.properties {
        if key == ops::HIDDEN {
            found.push(left(Kind::Closed, key, Some(value)));
        } else if let Some(rest) = key.strip_prefix(ops::STASH) {
            found.push(left(Kind::Stash, key, rest.split_once('.').map(|(hash, _)| hash)));
        } else if let Some(constraint) = key.strip_prefix(ops::CONSTRAINT).filter(|name| ops::ours(name)) {
            found.push(left(Kind::Closed, key, ops::hash_in(constraint)));
        }
    }
    found
}

/// The files that rewrites produced and that no version has which a reader could still want.
async fn staged(name: &str, table: &DeltaTable) -> Result<Option<(Left, Vec<Path>)>, Trouble> {
    let store = table.log_store().object_store(None);
    let listed = store.list(Some(&Path::from(acts::STAGE))).map_ok(|met| (met.location, met.size));
    let met = listed.try_collect::<Vec<(Path, u64)>>().await.map_err(DeltaTableError::from)?;
    if met.is_empty() {
        return Ok(None);
    }
    let state = table.snapshot()?;
    let mut wanted: BTreeSet<String> =
        state.log_data().iter().map(|file| file.object_store_path().to_string()).collect();
    let gone: Vec<_> = state.all_tombstones(table.log_store().as_ref()).try_collect().await?;
    wanted.extend(gone.iter().map(|gone| acts::at(&gone.path()).to_string()));
    let (files, sizes): (Vec<Path>, Vec<u64>) =
        met.into_iter().filter(|(path, _)| !wanted.contains(path.as_ref())).unzip();
    let left = Left {
        table: name.to_owned(),
        kind: Kind::Files,
        name: format!("{} ({} files)", acts::STAGE, files.len()),
        hash: None,
        used: None,
        bytes: Some(sizes.iter().sum()),
    };
    Ok((!files.is_empty()).then_some((left, files)))
}

/// Removes one of them for good. What is gone already is no error.
///
/// # Errors
/// [`Failure::Access`] where it can't be, [`Failure::Busy`] where others commit without a pause.
pub async fn remove(lake: &Lake, left: &Left, run: &str, patience: Duration) -> Result<(), Failure> {
    let access = |trouble: Trouble| match trouble {
        Trouble::Moved => Failure::Busy(format!("others commit to table `{}` without a pause", left.table)),
        Trouble::Refused(why) | Trouble::Lost(why) => {
            Failure::Access(why.context(format!("{} `{}` can't be removed", left.kind.name(), left.name)))
        }
    };
    if left.kind == Kind::Aside {
        return aside::delete(lake, &left.name).await.map_err(access);
    }
    let place = lake.place(&left.table).map_err(Failure::Access)?;
    let mut patience = Patience::new(patience);
    loop {
        let Some(table) = lake.open(&place).await.map_err(access)? else { return Ok(()) };
        failpoint::point("before a purge");
        let tried = one(&table, left, run).await;
        failpoint::point("after a purge");
        match tried {
            Err(Trouble::Moved) => patience.wait(0, &Stop::never()).await?,
            tried => return tried.map_err(access),
        }
    }
}

async fn one(table: &DeltaTable, left: &Left, run: &str) -> Result<(), Trouble> {
    let state = acts::state(table)?;
    let edit = match left.kind {
        Kind::Column if state.field(&left.name).is_some() => Edit::RemoveField { name: left.name.clone() },
        Kind::Stash if state.properties.contains_key(&left.name) => Edit::UnsetProperty { key: left.name.clone() },
        Kind::Files => {
            let store = table.log_store().object_store(None);
            for file in staged(&left.table, table).await?.into_iter().flat_map(|(_, files)| files) {
                failpoint::point("before a file is purged");
                store.delete(&file).await.map_err(DeltaTableError::from)?;
            }
            return Ok(());
        }
        Kind::Column | Kind::Stash | Kind::PlainColumn | Kind::Closed | Kind::Aside => return Ok(()),
    };
    if let Some(user) = state.user_of(&left.name).filter(|_| left.kind == Kind::Column) {
        return Err(Trouble::Refused(anyhow!("{user} of table `{}` uses it", left.table)));
    }
    let next = acts::edited(&state, &[edit])?;
    commit::put(table, acts::changes(table, &state, &next)?, &Put::own("TRIPHASE PURGE", run)).await
}
