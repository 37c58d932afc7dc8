//! What operations on columns have in common.

use super::on::{none, refuse};
use crate::{
    model::Class,
    ops::{Refusal, act::Check, state::TableState, types::DataType},
};

/// A refusal from the file alone.
pub(super) fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(Class::Usage, "O12", message)
}

/// Whether a type takes the table feature `timestampNtz`.
pub(super) fn ntz(data_type: &DataType) -> bool {
    data_type.has("timestamp_ntz")
}

/// A type as a column of a table gets it.
pub(super) fn typed(table: &str, text: &str, state: &TableState) -> Result<DataType, Refusal> {
    let data_type = DataType::parse(text).map_err(wrong)?;
    if ntz(&data_type) && !state.protocol.features().contains("timestampNtz") {
        return Err(refuse(
            format!(
                "`{text}` takes the table feature timestampNtz, which table `{table}` has not: older readers could not open it afterwards"
            ),
            "use `timestamp`, or turn the feature on with the engine that owns the table",
        ));
    }
    Ok(data_type)
}

/// Whether a table can be partitioned so.
pub(super) fn partitioned(table: &str, state: &TableState, by: &[String]) -> Result<(), Refusal> {
    for name in by {
        let Some(field) = state.field(name) else {
            return Err(refuse(
                format!("table `{table}` has no column `{name}` to be partitioned by"),
                "name one of its columns",
            ));
        };
        if field.data_type.is_binary() {
            return Err(refuse(
                format!(
                    "table `{table}` can't be partitioned by `{name}`, which is binary: the library reads the values of such partitions \
                     wrongly"
                ),
                "name a column of another simple type",
            ));
        }
        if !field.data_type.partitions() {
            return Err(refuse(
                format!("table `{table}` can't be partitioned by `{name}`, which is {}", field.data_type),
                "name a column of a simple type",
            ));
        }
    }
    if !by.is_empty() && by.len() == state.fields.len() {
        return Err(refuse(
            format!("table `{table}` would be partitioned by all its columns"),
            "leave one out: its files must hold something",
        ));
    }
    Ok(())
}

/// What a file's partition value stands for NULL as (Hive's word, which Delta's writers keep): a text that says the same is read as NULL.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The check that a value of a partition column stays what it is. `rows`: those that get it; none: all.
pub(super) fn not_null_partition(name: &str, value: &str, rows: Option<&str>, state: &TableState) -> Option<Check> {
    let is_text = state.field(name).is_some_and(|field| field.data_type == DataType::primitive("string"));
    let means_null = format!("({value}) = '{NULL_PARTITION}'");
    is_text.then(|| {
        none(
            rows.map_or(means_null.clone(), |rows| format!("{rows} AND {means_null}")),
            format!("partition column `{name}` would hold the text `{NULL_PARTITION}`, which is read as NULL there"),
        )
    })
}

/// The type of conditions.
pub(super) fn boolean() -> DataType {
    DataType::primitive("boolean")
}
