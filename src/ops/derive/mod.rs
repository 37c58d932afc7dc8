//! From an operation and a table to five handlers. A file an operation or family; what they share is here and in `on`.

mod add_column;
mod change_type;
mod columns;
mod constraints;
mod create_table;
mod drop_column;
mod drop_table;
mod layout;
mod limits;
mod nulls;
mod on;
mod properties;
mod rename_column;

use super::{
    Refusal, Writer,
    act::{Act, Check, Does},
    names,
    state::{APPEND_ONLY, HIDDEN, TOMBSTONE, TableState},
    table::Support,
    vocabulary::Operation,
};
use crate::model::{Class, Label, StepId, Verb, Way};
use on::On;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use properties::reserved;

/// The version of triphase that derives.
pub const BY: &str = env!("CARGO_PKG_VERSION");

/// All that an operation comes to on one table: what the ledger keeps from the moment that `add` starts (O4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The version of triphase that derived it.
    pub by: String,
    /// By verb, in order. A verb that is not there has no handler: a phase is empty, a rollback impossible. An empty list: a rollback
    /// that has nothing to do.
    pub handlers: BTreeMap<Verb, Vec<Act>>,
    /// What each way back costs.
    pub labels: BTreeMap<Verb, Label>,
    /// What the plan says about it.
    pub warnings: Vec<String>,
}

/// What an operation is derived for.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The step that it is.
    pub step: &'a StepId,
    /// Who else writes the tables, where the target says so (D1).
    pub writers: Option<&'a BTreeSet<Writer>>,
    /// The step has `allow_blocking: true` (O3).
    pub allow_blocking: bool,
}

/// Derives all handlers. `state`: the table as it will be when the step's `add` runs; `None`: it is not there.
///
/// # Errors
/// Why the operation can't be done on this table, or not so.
pub fn derive(operation: &Operation, state: Option<&TableState>, setting: &Setting<'_>) -> Result<Derived, Refusal> {
    if let Some((_, refusal)) = super::vet::vet(operation).into_iter().next() {
        return Err(refusal);
    }
    let Some(table) = operation.table() else { return Err(unsupported(operation)) };
    let mut derived =
        Derived { by: BY.to_owned(), handlers: BTreeMap::new(), labels: BTreeMap::new(), warnings: Vec::new() };
    let hash = names::hash(setting.step);
    if let Operation::CreateTable(op) = operation {
        if state.is_some() {
            return Err(Refusal::there(table));
        }
        create_table::derive(op, &mut derived)?;
    } else {
        let Some(state) = state else { return Err(Refusal::missing(table)) };
        open(table, state)?;
        let mut on = On { table, state, setting, hash, derived: &mut derived };
        match operation {
            Operation::CreateTable(_) => {}
            Operation::DropTable(_) => drop_table::derive(&mut on),
            Operation::AddColumn(op) => add_column::derive(op, &mut on)?,
            Operation::DropColumn(op) => drop_column::derive(op, &mut on)?,
            Operation::RenameColumn(op) => rename_column::derive(op, &mut on)?,
            Operation::ChangeType(op) => change_type::derive(op, &mut on)?,
            Operation::SetNotNull(op) => nulls::set(op, &mut on)?,
            Operation::DropNotNull(op) => nulls::drop(op, &mut on)?,
            Operation::AddConstraint(op) => constraints::add(op, &mut on)?,
            Operation::DropConstraint(op) => constraints::drop(op, &mut on)?,
            Operation::SetComment(op) => properties::comment(op, &mut on)?,
            Operation::SetProperties(op) => properties::set(op, &mut on)?,
            Operation::UpgradeColumnMapping(_) => properties::upgrade(&mut on),
            Operation::Repartition(op) => layout::repartition(op, &mut on)?,
            Operation::Backfill(op) => layout::backfill(op, &mut on)?,
            Operation::RenameTable(_)
            | Operation::SetDefault(_)
            | Operation::DropDefault(_)
            | Operation::RenameConstraint(_)
            | Operation::CreateIndex(_)
            | Operation::DropIndex(_)
            | Operation::RenameIndex(_)
            | Operation::CreateEnum(_)
            | Operation::AddEnumValue(_)
            | Operation::RenameEnumValue(_)
            | Operation::DropEnum(_) => return Err(unsupported(operation)),
        }
        on.leftovers();
    }
    finish(&mut derived);
    if let Some(state) = state {
        append_only(table, state, &derived)?;
        limits::vet(table, state, &derived)?;
        raised(operation, state, &mut derived)?;
    }
    Ok(derived)
}

/// Says what the table's protocol becomes: no way back lowers it, and it is what older writers go by.
fn raised(operation: &Operation, state: &TableState, derived: &mut Derived) -> Result<(), Refusal> {
    let acts = [Verb::Add, Verb::Simdrop].iter().flat_map(|verb| derived.handlers.get(verb).into_iter().flatten());
    let after = acts.flat_map(Act::edits).try_fold(state.clone(), |state, edit| super::apply::apply(edit, &state))?;
    let (before, after) = (state.protocol.features(), after.protocol.features());
    let new: Vec<&str> = after.difference(&before).map(String::as_str).collect();
    // The upgrade of column mapping says more than that itself.
    if !new.is_empty() && !matches!(operation, Operation::UpgradeColumnMapping(_)) {
        derived.warnings.push(format!(
            "the table's protocol is raised by {}, and is not lowered on the way back: writers older than that can't write it any more",
            new.join(", ")
        ));
    }
    Ok(())
}

/// Refuses what changes or moves rows of a table whose rows may not be changed.
fn append_only(table: &str, state: &TableState, derived: &Derived) -> Result<(), Refusal> {
    if state.properties.get(APPEND_ONLY).is_none_or(|value| value.to_lowercase() != "true") {
        return Ok(());
    }
    let changes = |act: &&Act| match &act.does {
        Does::Backfill { .. } | Does::Recover { .. } => true,
        // Rows that only move to other files are no change of theirs.
        Does::Rewrite { columns, .. } => !columns.is_empty(),
        Does::Check { checks } | Does::Commit { checks, .. } | Does::Choose { checks, .. } => {
            checks.iter().any(|check| matches!(check, Check::Filled { .. }))
        }
        Does::Create { .. } | Does::Delete | Does::Nothing { .. } | Does::Underived { .. } => false,
    };
    match derived.handlers.values().flatten().find(changes) {
        None => Ok(()),
        Some(act) => Err(Refusal::new(
            Class::Guard,
            "O12",
            format!("table `{table}` has {APPEND_ONLY}: its rows can't be changed, and this would: {}", act.text()),
        )
        .way_out("write a step with `set_properties` before this one: delta.appendOnly: false")),
    }
}

/// Why Delta has no such operation.
pub(super) fn unsupported(operation: &Operation) -> Refusal {
    let name = operation.name();
    let (why, way_out) = match operation.spec().delta {
        Support::No(why, way_out) => (why, way_out),
        Support::Yes | Support::Later => ("this version has no such operation", "write the step's handlers"),
    };
    Refusal::new(Class::Usage, "O3", format!("delta has no `{name}`: {why}")).way_out(way_out)
}

/// Whether the table can be changed at all.
fn open(table: &str, state: &TableState) -> Result<(), Refusal> {
    if state.protocol.features().contains(TOMBSTONE) {
        return Err(Refusal::missing(table));
    }
    if state.properties.contains_key(HIDDEN) {
        return Err(Refusal::new(Class::Guard, "D4", format!("table `{table}` is hidden by a `drop_table`"))
            .way_out("roll that back, or let it be dropped"));
    }
    let foreign = state.protocol.foreign();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Refusal::unwritable(table, &foreign))
}

/// Labels for all ways back that have none, and no handlers for phases that do nothing.
fn finish(derived: &mut Derived) {
    let forward: Vec<Verb> = derived.handlers.keys().copied().filter(|verb| verb.way() == Way::Forward).collect();
    for verb in forward {
        if derived.handlers.get(&verb).is_some_and(Vec::is_empty) {
            derived.handlers.remove(&verb);
            if let Some(back) = verb.phase().rollback() {
                derived.handlers.remove(&back);
            }
        }
    }
    for verb in derived.handlers.keys().filter(|verb| verb.way() == Way::Back) {
        derived.labels.entry(*verb).or_insert(Label::Lossless);
    }
}
