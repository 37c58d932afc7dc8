//! Operations that are stamped: their handlers are derived from the table as it stands, as `add` would have derived them from the table before.
//! Where the table shows that the operation was not done as triphase does it, the stamp is refused: what runs later would not fit. Pure.

use super::{Scope, Wants, operations};
use crate::{
    action::Handlers,
    ledger::{Ledger, Row},
    model::{Class, Finding, Phase, PhaseState, StepId, Verb, Version},
    ops::{Act, COMMENT, CONSTRAINT, Detail, Lake, MAX_COLUMN_ID, Operation, Refusal, Setting, TableState, derive},
    release::{Declared, Project, Step},
};
use std::collections::BTreeMap;

/// What is known of operations that are stamped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Their tables as they stand.
    pub lake: Lake,
    /// The handlers that the ledger keeps of those that have begun.
    pub stored: BTreeMap<StepId, Handlers>,
}

/// What a stamp wants to know besides the ledger. After `drop` nothing of a step runs any more: then nothing.
pub fn stamp_wants(project: &Project, ledger: &Ledger, scope: &Scope, phase: Phase) -> Wants {
    let mut wants = Wants::default();
    for (step, declared) in stamped(project, ledger, scope, phase) {
        wants.stored.extend(ledger.steps.get(&step.id).map(|_| ledger.spelt_step(&step.id)));
        wants.tables.extend(declared.operation.table().map(|table| (table.to_owned(), Detail::Shape)));
    }
    wants.tables.sort();
    wants.tables.dedup();
    wants
}

/// The operations of which a phase is stamped and another may still run, in order.
fn stamped<'a>(project: &'a Project, ledger: &Ledger, scope: &Scope, phase: Phase) -> Vec<(&'a Step, &'a Declared)> {
    let (version, only): (&Version, Option<&str>) = match scope {
        Scope::Auto => return vec![],
        Scope::Release(version) => (version, None),
        Scope::Step(version, step) => (version, Some(step)),
    };
    if phase == Phase::Drop {
        return vec![];
    }
    let steps = project.release(version).into_iter().flat_map(|release| &release.steps);
    let named = steps.filter(|step| !step.deleted && only.is_none_or(|only| step.id.step == only || step.name == only));
    let marked = named.filter(|step| !new_phases(ledger.steps.get(&step.id), phase).is_empty());
    marked.filter_map(|step| Some((step, step.operation.as_ref()?))).collect()
}

/// The phases up to this one that the ledger does not have as done.
fn new_phases(row: Option<&Row>, upto: Phase) -> Vec<Phase> {
    let done = |phase: &Phase| row.is_some_and(|row| row.phase(*phase).state == PhaseState::Done);
    Phase::ALL.iter().copied().filter(|phase| *phase <= upto && !done(phase)).collect()
}

/// What operations that are stamped come to.
#[derive(Default)]
pub(super) struct Adopted {
    /// By step: what the ledger keeps of it.
    pub handlers: BTreeMap<StepId, Handlers>,
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
}

/// Derives them, the last first: each is undone in what is known of its table before the one that came before it is looked at.
pub(super) fn adopt(project: &Project, ledger: &Ledger, known: &Known, scope: &Scope, phase: Phase) -> Adopted {
    let mut adopted = Adopted::default();
    let mut tables = known.lake.tables.clone();
    for (step, declared) in stamped(project, ledger, scope, phase).into_iter().rev() {
        let id = &step.id;
        let Some(table) = declared.operation.table().map(|table| known.lake.name(table)) else { continue };
        let found = match ledger.steps.get(id).filter(|row| row.has_progress()) {
            Some(row) => goes_back(known, ledger, id, &new_phases(Some(row), phase), tables.get(table)),
            None => derived(step, declared, known, tables.get(table), phase).map(|(handlers, before)| {
                adopted.handlers.insert(id.clone(), handlers);
                if let Operation::SetProperties(_) | Operation::SetComment(_) = &declared.operation {
                    let note = "what was there before is not known, so rollback_add leaves what is there now";
                    adopted.notes.push(format!("step `{id}`: {note}"));
                }
                match before {
                    Some(before) => tables.insert(table.to_owned(), before),
                    None => tables.remove(table),
                };
            }),
        };
        if let Err(refusal) = found {
            adopted.findings.push(cannot(id, phase, table, refusal));
        }
    }
    adopted.findings.reverse();
    adopted.notes.reverse();
    adopted
}

fn cannot(id: &StepId, phase: Phase, table: &str, refusal: Refusal) -> Finding {
    let message = format!(
        "cannot stamp {phase} of step `{id}`: what would run later can't be derived from table `{table}` as it stands: {}",
        refusal.message
    );
    let mut way_out = format!(
        "if it is not applied, run it: triphase add {}; if it is applied for good: triphase stamp {id} --phase drop",
        id.release
    );
    if !refusal.way_out.is_empty() {
        way_out = format!("{}; {way_out}", refusal.way_out);
    }
    Finding::new(Class::Guard, "O4", message).way_out(way_out)
}

/// A step that triphase has begun keeps its handlers (O4): those that take the stamped phases back must fit the table.
fn goes_back(
    known: &Known,
    ledger: &Ledger,
    id: &StepId,
    phases: &[Phase],
    state: Option<&TableState>,
) -> Result<(), Refusal> {
    let Some(kept) = known.stored.get(&ledger.spelt_step(id)) else {
        let lost = operations::not_kept(id);
        return Err(Refusal::new(lost.class, "O4", lost.message).way_out(lost.way_out));
    };
    for handler in phases.iter().filter_map(|phase| kept.get(&phase.rollback()?)) {
        play(&operations::acts(handler), state.cloned())?;
    }
    Ok(())
}

/// The handlers, and the table as it was before the step.
fn derived(
    step: &Step,
    declared: &Declared,
    known: &Known,
    now: Option<&TableState>,
    phase: Phase,
) -> Result<(Handlers, Option<TableState>), Refusal> {
    let operation = &declared.operation;
    let Some(now) = now else { return Err(Refusal::missing(operation.table().unwrap_or_default())) };
    let before = before(operation, now, phase);
    let setting =
        Setting { step: &step.id, writers: known.lake.writers.as_ref(), allow_blocking: declared.allow_blocking };
    let derived = derive(operation, before.as_ref(), &setting)?;
    let mut after = before.clone();
    for verb in [Verb::Add, Verb::Simdrop].into_iter().filter(|verb| verb.phase() <= phase) {
        if let Some(acts) = derived.handlers.get(&verb) {
            after = play(acts, after)?;
        }
    }
    let told = |told: String| Refusal::new(Class::Guard, "O4", told);
    let after = after.ok_or_else(|| told("the operation leaves no table".to_owned()))?;
    match differs(operation, before.is_some(), &after, now) {
        None => Ok((operations::of_derived(&derived, declared, &step.id), before)),
        Some(what) => Err(told(what)),
    }
}

fn play(acts: &[Act], state: Option<TableState>) -> Result<Option<TableState>, Refusal> {
    acts.iter().try_fold(state, |state, act| act.apply(state.as_ref()))
}

/// A table without what an operation makes of it by the end of a phase, as far as the table can tell; `None`: there was none.
fn before(operation: &Operation, now: &TableState, phase: Phase) -> Option<TableState> {
    let mut state = now.clone();
    let mut nullable = |column: &str, nullable| {
        for field in state.fields.iter_mut().filter(|field| field.name == column) {
            field.nullable = nullable;
        }
    };
    match operation {
        Operation::CreateTable(_) => return None,
        Operation::AddColumn(op) => state.fields.retain(|field| field.name != op.column),
        Operation::RenameColumn(op) => {
            if op.strategy.as_deref() != Some("instant") {
                state.fields.retain(|field| field.name != op.to);
            }
        }
        Operation::ChangeType(op) => state.fields.retain(|field| Some(&field.name) != op.r#as.as_ref()),
        Operation::SetNotNull(op) if phase >= Phase::Simdrop => nullable(&op.column, true),
        Operation::DropNotNull(op) => nullable(&op.column, false),
        Operation::AddConstraint(op) if phase >= Phase::Simdrop || op.enforce.as_deref() == Some("add") => {
            let key = format!("{CONSTRAINT}{}", op.name).to_lowercase();
            state.properties.retain(|name, _| name.to_lowercase() != key);
        }
        Operation::SetNotNull(_) | Operation::AddConstraint(_) => {}
        Operation::DropTable(_) | Operation::RenameTable(_) | Operation::DropColumn(_) => {}
        Operation::SetDefault(_) | Operation::DropDefault(_) | Operation::DropConstraint(_) => {}
        Operation::RenameConstraint(_) | Operation::CreateIndex(_) | Operation::DropIndex(_) => {}
        Operation::RenameIndex(_) | Operation::CreateEnum(_) | Operation::AddEnumValue(_) => {}
        Operation::RenameEnumValue(_) | Operation::DropEnum(_) | Operation::SetComment(_) => {}
        Operation::SetProperties(_) | Operation::UpgradeColumnMapping(_) => {}
        Operation::Repartition(_) | Operation::Backfill(_) => {}
    }
    Some(state)
}

/// What of a table is not as the operation leaves it; `None`: nothing. `whole`: the table was there before, and all else in it.
fn differs(operation: &Operation, whole: bool, after: &TableState, now: &TableState) -> Option<String> {
    let name = operation.name();
    for field in &after.fields {
        let column = &field.name;
        let Some(found) = now.field(column) else { return Some(format!("it has no column `{column}`")) };
        if found.data_type.to_string() != field.data_type.to_string() {
            let (is, made) = (&found.data_type, &field.data_type);
            return Some(format!("column `{column}` is {is}, and {name} makes it {made}"));
        }
        if found.nullable != field.nullable {
            let may = |nullable| if nullable { "may be NULL" } else { "is never NULL" };
            return Some(format!(
                "column `{column}` {}, and after {name} it {}",
                may(found.nullable),
                may(field.nullable)
            ));
        }
        if found.generation() != field.generation() {
            let from = |text: Option<&str>| text.map_or("no column".to_owned(), |text| format!("`{text}`"));
            let (is, made) = (from(found.generation()), from(field.generation()));
            return Some(format!("column `{column}` is generated from {is}, and by {name} from {made}"));
        }
    }
    if let Some(field) = now.fields.iter().find(|field| after.field(&field.name).is_none()) {
        return Some(format!("it has column `{}`, and after {name} it has none", field.name));
    }
    if after.partition_by != now.partition_by {
        let by = |columns: &[String]| if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") };
        let (is, made) = (by(&now.partition_by), by(&after.partition_by));
        return Some(format!("it is partitioned by {is}, and after {name} by {made}"));
    }
    if let Operation::SetComment(_) = operation {
        let comments = |state: &TableState| {
            let of_columns = state.fields.iter().map(|field| field.text(COMMENT).map(str::to_owned));
            of_columns.chain([state.comment.clone()]).collect::<Vec<_>>()
        };
        if comments(after) != comments(now) {
            return Some("it has another comment".to_owned());
        }
    }
    properties(name, whole, after, now)
}

fn properties(name: &str, whole: bool, after: &TableState, now: &TableState) -> Option<String> {
    let is_check = |key: &str| key.starts_with(CONSTRAINT);
    for (key, value) in after.properties.iter().filter(|(key, _)| *key != MAX_COLUMN_ID) {
        match now.properties.get(key) {
            // Whoever wrote a constraint may have spelt it otherwise.
            Some(found) if found == value || is_check(key) => {}
            Some(found) => return Some(format!("its property `{key}` is `{found}`, and after {name} `{value}`")),
            None if is_check(key) => return Some(format!("it has no constraint `{}`", &key[CONSTRAINT.len()..])),
            None => return Some(format!("it has no property `{key}`, and after {name} it has `{value}` there")),
        }
    }
    let more = now.properties.keys().find(|key| whole && *key != MAX_COLUMN_ID && !after.properties.contains_key(*key));
    more.map(|key| format!("it has property `{key}`, and after {name} it has none"))
}
