//! A Delta table as the plain value that operations are derived from, and back as the actions of a commit.

use super::super::{head::Told, trouble::Trouble};
use crate::ops::TableState;
use deltalake::{
    DeltaTable,
    kernel::{Action, Metadata, StructType, new_metadata},
};
use serde_json::{Value, json};

/// A table at the version that was opened, and how large it is.
///
/// # Errors
/// As [`state`].
pub fn sized(table: &DeltaTable) -> Result<TableState, Trouble> {
    let (mut files, mut bytes, mut rows) = (0, 0, Some(0_u64));
    for file in table.snapshot()?.log_data().iter() {
        files += 1;
        bytes += u64::try_from(file.size()).unwrap_or_default();
        let records = file.num_records().and_then(|records| u64::try_from(records).ok());
        rows = rows.zip(records).map(|(sum, records)| sum + records);
    }
    Ok(TableState { files, bytes, rows, ..state(table)? })
}

/// A table at the version that was opened, but for its files: what a commit of metadata goes by takes no longer for many.
///
/// # Errors
/// Where its metadata is none that this binary understands.
pub fn state(table: &impl Told) -> Result<TableState, Trouble> {
    let metadata = json_of(table.metadata()?)?;
    let wrong = |error: serde_json::Error| Trouble::Refused(anyhow::Error::new(error).context("the table's metadata"));
    let schema = metadata["schemaString"].as_str().unwrap_or_default();
    Ok(TableState {
        fields: TableState::fields_of(schema).map_err(wrong)?,
        partition_by: serde_json::from_value(metadata["partitionColumns"].clone()).map_err(wrong)?,
        properties: serde_json::from_value(metadata["configuration"].clone()).map_err(wrong)?,
        protocol: serde_json::from_value(json_of(table.protocol()?)?).map_err(wrong)?,
        comment: metadata["description"].as_str().map(str::to_owned),
        ..TableState::default()
    })
}

/// The actions that make one state of a table into another; none where they are alike.
///
/// # Errors
/// Where the library does not take the new state.
pub fn changes(table: &impl Told, from: &TableState, to: &TableState) -> Result<Vec<Action>, Trouble> {
    let mut actions = Vec::new();
    if from.protocol != to.protocol {
        actions.push(protocol(to)?);
    }
    if (&from.fields, &from.partition_by, &from.properties, &from.comment)
        != (&to.fields, &to.partition_by, &to.properties, &to.comment)
    {
        actions.push(Action::Metadata(metadata(table.metadata()?, to)?));
    }
    Ok(actions)
}

/// The actions of a table's first version.
///
/// # Errors
/// Where the library does not take the state.
pub fn first(state: &TableState) -> Result<Vec<Action>, Trouble> {
    let empty = new_metadata(&StructType::new_unchecked([]), Vec::<String>::new(), Vec::<(String, String)>::new())?;
    Ok(vec![protocol(state)?, Action::Metadata(metadata(&empty, state)?)])
}

fn protocol(state: &TableState) -> Result<Action, Trouble> {
    let value = serde_json::to_value(&state.protocol).map_err(|error| Trouble::Refused(error.into()))?;
    Ok(Action::Protocol(serde_json::from_value(value).map_err(|error| Trouble::Refused(error.into()))?))
}

/// The metadata of a state, with the id, name and age of another.
fn metadata(of: &Metadata, state: &TableState) -> Result<Metadata, Trouble> {
    let mut value = json_of(of)?;
    value["schemaString"] = state.schema_string().into();
    value["partitionColumns"] = json!(state.partition_by);
    value["configuration"] = json!(state.properties);
    value["description"] = state.comment.clone().map_or(Value::Null, Value::from);
    serde_json::from_value(value).map_err(|error| Trouble::Refused(error.into()))
}

fn json_of(value: &impl serde::Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(value).map_err(|error| Trouble::Refused(error.into()))
}
