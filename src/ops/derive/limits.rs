//! What a table as a whole keeps an operation from, whichever it is: what this version would write wrongly, or the library could not write
//! any more.

use super::{Derived, on::refuse};
use crate::ops::{
    Refusal,
    act::{Act, Check, Does},
    edit::Edit,
    state::TableState,
};

/// The configuration key that says whether the changes of rows are kept for those who follow the table.
const FEED: &str = "delta.enableChangeDataFeed";

/// Refuses what the table does not allow.
pub(super) fn vet(table: &str, state: &TableState, derived: &Derived) -> Result<(), Refusal> {
    let acts = || derived.handlers.values().flatten();
    binary(table, state, acts())?;
    fed(table, state, acts())
}

fn binary<'a>(table: &str, state: &TableState, mut acts: impl Iterator<Item = &'a Act>) -> Result<(), Refusal> {
    let Some(name) = state.binary_partition() else { return Ok(()) };
    let Some(act) = acts.find(|act| writes(&act.does)) else { return Ok(()) };
    Err(refuse(
        format!(
            "table `{table}` is partitioned by column `{name}`, which is binary: the library reads its values wrongly, and this would write \
             them back so: {}",
            act.text()
        ),
        "change the table's rows with another engine, or partition it there by a column of another type",
    ))
}

/// The library's update, by which a table with a change data feed is filled, fails where the table has a generated column.
fn fed<'a>(table: &str, state: &TableState, acts: impl Iterator<Item = &'a Act> + Clone) -> Result<(), Refusal> {
    if state.properties.get(FEED).is_none_or(|on| on.to_lowercase() != "true") {
        return Ok(());
    }
    let edits = || acts.clone().flat_map(Act::edits);
    let made = edits().find_map(|edit| match edit {
        Edit::AddField { field, .. } if field.generation().is_some() => Some(field.name.as_str()),
        Edit::SetGenerated { name, .. } => Some(name.as_str()),
        // One that was taken off and comes back is generated before as after.
        Edit::AddField { .. } | Edit::RemoveField { .. } | Edit::ReattachField { .. } => None,
        Edit::RenameField { .. } | Edit::HideField { .. } | Edit::ShowField { .. } | Edit::MoveField { .. } => None,
        Edit::SetNullable { .. } | Edit::UnsetGenerated { .. } | Edit::RenameInGenerated { .. } => None,
        Edit::SetProperty { .. } | Edit::UnsetProperty { .. } | Edit::RestoreProperty { .. } => None,
        Edit::AddConstraint { .. } | Edit::RemoveConstraint { .. } | Edit::StashConstraint { .. } => None,
        Edit::UnstashConstraint { .. } | Edit::ForgetConstraint { .. } | Edit::RenameInConstraint { .. } => None,
        Edit::SetPartitioning { .. } | Edit::UpgradeColumnMapping | Edit::SetComment { .. } => None,
        Edit::RestoreComment { .. } | Edit::HideTable { .. } | Edit::ShowTable { .. } | Edit::Tombstone => None,
    });
    let there = || state.fields.iter().find(|field| field.generation().is_some()).map(|field| field.name.as_str());
    let Some(name) = made.or_else(there) else { return Ok(()) };
    if made.is_none() && !acts.clone().any(|act| fills(&act.does)) {
        return Ok(());
    }
    Err(refuse(
        format!(
            "table `{table}` has a change data feed ({FEED}) and {} column `{name}`, which is generated: delta-rs can't update the rows of \
             such a table",
            if made.is_some() { "would get" } else { "has" }
        ),
        "turn the feed off with the engine that owns the table for as long as the step lasts, or do without a generated column: \
         `rename_column` with `strategy: instant`, `add_column` with `default`",
    ))
}

/// Whether an act writes files of rows.
fn writes(does: &Does) -> bool {
    fills(does) || matches!(does, Does::Rewrite { .. })
}

/// Whether an act gives rows other values.
fn fills(does: &Does) -> bool {
    match does {
        Does::Backfill { .. } | Does::Recover { .. } => true,
        Does::Check { checks }
        | Does::Commit { checks, .. }
        | Does::Choose { checks, .. }
        | Does::Rewrite { checks, .. } => checks.iter().any(|check| matches!(check, Check::Filled { .. })),
        Does::Create { .. } | Does::Delete | Does::Nothing { .. } | Does::Underived { .. } => false,
    }
}
