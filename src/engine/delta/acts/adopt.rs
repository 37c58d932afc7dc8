//! Adopting: what was produced and validated takes the place of the files that it was made of, in one commit that is a compare-and-swap.

use super::{
    super::{commit::Put, trouble::Trouble},
    files,
    stage::{Group, Stage},
    table,
};
use crate::ops::TableState;
use anyhow::anyhow;
use deltalake::{
    DeltaTable,
    kernel::{Action, Add},
};
use std::collections::BTreeSet;

/// Commits groups, and what becomes of the table's metadata. `data_change`: rows have other values than before.
///
/// # Errors
/// [`Trouble::Moved`] where somebody else was first, or a file that a group was made of is not live any more.
pub async fn adopt(
    at: &DeltaTable,
    stage: &Stage,
    groups: &[&Group],
    (state, next): (&TableState, &TableState),
    data_change: bool,
    put: &Put,
) -> Result<(), Trouble> {
    let sources: BTreeSet<&str> = groups.iter().flat_map(|group| &group.sources).map(String::as_str).collect();
    let snapshot = at.snapshot()?;
    let mut actions = table::changes(at, state, next)?;
    let before = actions.len();
    let live = snapshot.log_data();
    let replaced = live.iter().filter(|file| sources.contains(files::key(file).as_str()));
    actions.extend(replaced.map(|file| Action::Remove(file.remove_action(data_change))));
    if actions.len() - before != sources.len() {
        return Err(Trouble::Moved);
    }
    let adds = groups.iter().flat_map(|group| &group.adds);
    actions.extend(adds.map(|add| Action::Add(Add { data_change, ..stage.adopted(add) })));
    super::put(at, actions, put).await
}

/// Refuses a table whose rows may not be changed, before anything is produced. `data_change`: rows get other values.
///
/// # Errors
/// [`Trouble::Refused`].
pub fn may_replace(state: &TableState, data_change: bool) -> Result<(), Trouble> {
    if data_change && state.properties.get("delta.appendOnly").is_some_and(|only| only == "true") {
        return Err(Trouble::Refused(anyhow!(
            "the table is append-only (`delta.appendOnly`): its rows can't be given other values"
        )));
    }
    Ok(())
}
