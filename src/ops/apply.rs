//! What an edit makes of a table: all that is known of it, and the only place where it is.

use super::{
    Refusal,
    edit::{Edit, Position},
    expr,
    state::{
        APPEND_ONLY, COLUMN_ID, COMMENT, CONSTRAINT, Field, GENERATION, HIDDEN, MAPPING_MODE, MAX_COLUMN_ID,
        PHYSICAL_NAME, STASH, TOMBSTONE, TableState,
    },
};
use crate::model::Class;
use serde_json::Value;

/// What an edit makes of a table.
///
/// # Errors
/// Where the table is not as the edit needs it.
pub fn apply(edit: &Edit, state: &TableState) -> Result<TableState, Refusal> {
    let mut next = state.clone();
    match edit {
        Edit::AddField { field, physical, at } => {
            free(&next, &field.name)?;
            let mut field = field.clone();
            if next.mapped() {
                let mut id = next.max_column_id();
                assign(&mut field, &mut id, |id, _| format!("{physical}_{id}"));
                next.properties.insert(MAX_COLUMN_ID.to_owned(), id.to_string());
            }
            if field.generation().is_some() {
                next.protocol = next.protocol.with("generatedColumns");
            }
            if !field.nullable {
                next.protocol = next.protocol.with("invariants");
            }
            insert(&mut next, field, at.as_ref());
        }
        Edit::RemoveField { name } => {
            if next.partition_by.contains(name) {
                return Err(changed(format!("column `{name}` is one that the table is partitioned by")));
            }
            take(&mut next, name)?;
        }
        Edit::ReattachField { field, at } => {
            free(&next, &field.name)?;
            insert(&mut next, field.clone(), Some(at));
        }
        Edit::RenameField { from, to } => rename(&mut next, from, to)?,
        Edit::HideField { name, hidden } => {
            rename(&mut next, name, hidden)?;
            let field = take(&mut next, hidden)?;
            insert(&mut next, field, None);
        }
        Edit::ShowField { hidden, name, at } => {
            rename(&mut next, hidden, name)?;
            let field = take(&mut next, name)?;
            insert(&mut next, field, Some(at));
        }
        Edit::MoveField { name, to } => {
            let field = take(&mut next, name)?;
            insert(&mut next, field, to.as_ref());
        }
        Edit::SetNullable { name, nullable } => {
            field_mut(&mut next, name)?.nullable = *nullable;
            if !nullable {
                next.protocol = next.protocol.with("invariants");
            }
        }
        Edit::SetGenerated { name, generated } => {
            field_mut(&mut next, name)?.metadata.insert(GENERATION.to_owned(), Value::from(generated.as_str()));
            next.protocol = next.protocol.with("generatedColumns");
        }
        Edit::UnsetGenerated { name } => {
            field_mut(&mut next, name)?.metadata.remove(GENERATION);
        }
        Edit::RenameInGenerated { name, from, to } => {
            let field = field_mut(&mut next, name)?;
            if let Some(text) = field.generation() {
                let text = expr::rename(text, from, to);
                field.metadata.insert(GENERATION.to_owned(), Value::from(text));
            }
        }
        Edit::SetProperty { key, value } => {
            next.properties.insert(key.clone(), value.clone());
        }
        Edit::UnsetProperty { key } => {
            next.properties.remove(key);
        }
        Edit::RestoreProperty { key, ours, before } => {
            if next.properties.get(key) == ours.as_ref() {
                put(&mut next, key, before.as_deref());
            }
        }
        Edit::AddConstraint { name, check } => {
            no_constraint(&next, name)?;
            next.properties.insert(format!("{CONSTRAINT}{name}"), check.clone());
            next.protocol = next.protocol.with("checkConstraints");
        }
        Edit::RemoveConstraint { name } => {
            let key = constraint(&next, name)?;
            next.properties.remove(&key);
        }
        // A way back that met rows which violate it has left it where it was put.
        Edit::StashConstraint { name, by } if next.properties.contains_key(&stash(by, name)) => {
            no_constraint(&next, name)?;
        }
        Edit::StashConstraint { name, by } => {
            let key = constraint(&next, name)?;
            if let Some(text) = next.properties.remove(&key) {
                next.properties.insert(stash(by, name), text);
            }
        }
        Edit::UnstashConstraint { name, by } => {
            no_constraint(&next, name)?;
            let text = next.properties.remove(&stash(by, name)).ok_or_else(|| {
                changed(format!(
                    "the text of constraint `{name}`, which the step put away, is no longer in the table's properties"
                ))
            })?;
            next.properties.insert(format!("{CONSTRAINT}{name}"), text);
        }
        Edit::ForgetConstraint { name, by } => {
            next.properties.remove(&stash(by, name));
        }
        Edit::RenameInConstraint { name, from, to } => {
            let key = constraint(&next, name)?;
            if let Some(text) = next.properties.get_mut(&key) {
                *text = expr::rename(text, from, to);
            }
        }
        Edit::SetPartitioning { columns } => {
            for name in columns {
                field_mut(&mut next, name)?;
            }
            next.partition_by.clone_from(columns);
        }
        Edit::UpgradeColumnMapping => map_columns(&mut next),
        Edit::SetComment { column, comment } => set_comment(&mut next, column.as_deref(), comment.as_deref())?,
        Edit::RestoreComment { column, ours, before } => {
            if get_comment(&next, column.as_deref())? == *ours {
                set_comment(&mut next, column.as_deref(), before.as_deref())?;
            }
        }
        Edit::HideTable { by, .. } => {
            next.properties.insert(HIDDEN.to_owned(), by.clone());
            next.properties.insert(APPEND_ONLY.to_owned(), "true".to_owned());
            next.properties.insert(format!("{CONSTRAINT}{}", closed(by)), "1 = 0".to_owned());
            next.protocol = next.protocol.with("checkConstraints").with("appendOnly");
        }
        Edit::ShowTable { by, append_only } => {
            next.properties.remove(HIDDEN);
            put(&mut next, APPEND_ONLY, append_only.as_deref());
            next.properties.remove(&format!("{CONSTRAINT}{}", closed(by)));
        }
        Edit::Tombstone => next.protocol = next.protocol.with(TOMBSTONE),
    }
    Ok(next)
}

/// What a list of edits makes of a table.
///
/// # Errors
/// As [`apply`], of the first that does not fit.
pub fn apply_all(edits: &[Edit], state: &TableState) -> Result<TableState, Refusal> {
    edits.iter().try_fold(state.clone(), |state, edit| apply(edit, &state))
}

/// The same where the table's files stay as they are. They have a column's values under its physical name, which without column mapping
/// is the name that the column has: under another one they would be read as NULL.
///
/// # Errors
/// As [`apply_all`], and where a column would lose its values.
pub fn apply_in_place(edits: &[Edit], state: &TableState) -> Result<TableState, Refusal> {
    edits.iter().try_fold(state.clone(), |state, edit| {
        let renamed = match edit {
            Edit::RenameField { from: name, .. } | Edit::HideField { name, .. } => Some(name),
            Edit::ShowField { hidden: name, .. } => Some(name),
            Edit::ReattachField { field, .. } => field.id().is_some().then_some(&field.name),
            Edit::AddField { .. } | Edit::RemoveField { .. } | Edit::MoveField { .. } => None,
            Edit::SetNullable { .. } | Edit::SetGenerated { .. } | Edit::UnsetGenerated { .. } => None,
            Edit::RenameInGenerated { .. } | Edit::RenameInConstraint { .. } => None,
            Edit::SetProperty { .. } | Edit::UnsetProperty { .. } | Edit::RestoreProperty { .. } => None,
            Edit::AddConstraint { .. } | Edit::RemoveConstraint { .. } | Edit::StashConstraint { .. } => None,
            Edit::UnstashConstraint { .. } | Edit::ForgetConstraint { .. } | Edit::SetPartitioning { .. } => None,
            Edit::UpgradeColumnMapping | Edit::SetComment { .. } | Edit::RestoreComment { .. } => None,
            Edit::HideTable { .. } | Edit::ShowTable { .. } | Edit::Tombstone => None,
        };
        match renamed.filter(|_| !state.mapped()) {
            Some(name) => Err(changed(format!(
                "the table has no column mapping any more: the values of column `{name}` would be lost with its name"
            ))),
            None => apply(edit, &state),
        }
    })
}

/// Gives a column of a mapped table its id and its physical name, made from the id. Columns inside it get the next ids, and keep their own
/// names: below a name that is new, nothing can come back.
fn assign(field: &mut Field, id: &mut u64, physical: impl Fn(u64, &str) -> String) {
    let name = physical(*id + 1, &field.name);
    let mut mark = |field: &mut Field, name: String| {
        *id += 1;
        field.metadata.insert(COLUMN_ID.to_owned(), Value::from(*id));
        field.metadata.insert(PHYSICAL_NAME.to_owned(), Value::from(name));
    };
    mark(field, name);
    field.data_type.inner_mut(&mut |inner| mark(inner, inner.name.clone()));
}

/// Maps a table's columns by name, each under the name that it has.
pub(super) fn map_columns(state: &mut TableState) {
    if state.mapped() {
        return;
    }
    let mut id = state.max_column_id();
    for field in &mut state.fields {
        assign(field, &mut id, |_, name| name.to_owned());
    }
    state.properties.insert(MAPPING_MODE.to_owned(), "name".to_owned());
    state.properties.insert(MAX_COLUMN_ID.to_owned(), id.to_string());
    state.protocol = state.protocol.with("columnMapping");
}

/// The table is not what it was when the step was derived: someone else changed it.
fn changed(what: String) -> Refusal {
    Refusal::new(Class::Guard, "O4", what)
        .way_out("someone changed the table since the step was planned; put it back as it was, or roll the step back")
}

fn free(state: &TableState, name: &str) -> Result<(), Refusal> {
    match state.field_like(name) {
        None => Ok(()),
        Some(field) => Err(changed(format!("the table has a column `{}` already", field.name))),
    }
}

fn field_mut<'s>(state: &'s mut TableState, name: &str) -> Result<&'s mut Field, Refusal> {
    state
        .fields
        .iter_mut()
        .find(|field| field.name == name)
        .ok_or_else(|| changed(format!("the table has no column `{name}`")))
}

fn take(state: &mut TableState, name: &str) -> Result<Field, Refusal> {
    match state.fields.iter().position(|field| field.name == name) {
        Some(at) => Ok(state.fields.remove(at)),
        None => Err(changed(format!("the table has no column `{name}`"))),
    }
}

fn insert(state: &mut TableState, field: Field, at: Option<&Position>) {
    let index = at.map_or(state.fields.len(), |at| at.index(&state.fields));
    state.fields.insert(index, field);
}

fn rename(state: &mut TableState, from: &str, to: &str) -> Result<(), Refusal> {
    if from.to_lowercase() != to.to_lowercase() {
        free(state, to)?;
    }
    to.clone_into(&mut field_mut(state, from)?.name);
    for column in state.partition_by.iter_mut().filter(|column| *column == from) {
        to.clone_into(column);
    }
    Ok(())
}

fn put(state: &mut TableState, key: &str, value: Option<&str>) {
    match value {
        Some(value) => state.properties.insert(key.to_owned(), value.to_owned()),
        None => state.properties.remove(key),
    };
}

/// The key of a constraint, whose name Spark writes in lower case.
fn constraint(state: &TableState, name: &str) -> Result<String, Refusal> {
    let like = |own: &str| own.to_lowercase() == name.to_lowercase();
    state
        .constraints()
        .find(|(own, _)| like(own))
        .map(|(own, _)| format!("{CONSTRAINT}{own}"))
        .ok_or_else(|| changed(format!("the table has no constraint `{name}`")))
}

fn no_constraint(state: &TableState, name: &str) -> Result<(), Refusal> {
    match constraint(state, name) {
        Err(_) => Ok(()),
        Ok(_) => Err(changed(format!("the table has a constraint `{name}` already"))),
    }
}

fn stash(by: &str, name: &str) -> String {
    format!("{STASH}{by}.{name}")
}

/// The name of the constraint that closes a table.
fn closed(by: &str) -> String {
    format!("_tp_{by}_hidden")
}

fn get_comment(state: &TableState, column: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(name) = column else { return Ok(state.comment.clone()) };
    let field = state.field(name).ok_or_else(|| changed(format!("the table has no column `{name}`")))?;
    Ok(field.text(COMMENT).map(str::to_owned))
}

fn set_comment(state: &mut TableState, column: Option<&str>, comment: Option<&str>) -> Result<(), Refusal> {
    match (column, comment) {
        (None, comment) => state.comment = comment.map(str::to_owned),
        (Some(name), Some(text)) => {
            field_mut(state, name)?.metadata.insert(COMMENT.to_owned(), Value::from(text));
        }
        (Some(name), None) => {
            field_mut(state, name)?.metadata.remove(COMMENT);
        }
    }
    Ok(())
}
