#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Operations on tables that are plain values.

mod docs;
mod golden;
mod laws;
mod limits;
mod rules;

use super::{
    Derived, Operation, Refusal, Setting, Writer,
    apply::map_columns,
    derive,
    state::{CONSTRAINT, Field, Protocol, TableState},
    types::DataType,
};
use crate::model::{StepId, Version};
use std::collections::BTreeSet;

fn step() -> StepId {
    StepId::new(Version::parse("v1").unwrap(), "sales")
}

fn operation(name: &str, fields: serde_json::Value) -> Operation {
    Operation::new(name, fields).unwrap()
}

fn derived(operation: &Operation, state: Option<&TableState>) -> Result<Derived, Refusal> {
    let spark: BTreeSet<Writer> = [Writer::Spark].into();
    derive(operation, state, &Setting { step: &step(), writers: Some(&spark), allow_blocking: false })
}

fn column(name: &str, data_type: &str, nullable: bool) -> Field {
    Field { nullable, ..Field::new(name, DataType::parse(data_type).unwrap()) }
}

/// `sales`: id, region, amount, note, and a column whose name takes quoting.
fn plain() -> TableState {
    TableState {
        fields: vec![
            column("id", "long", false),
            column("region", "string", true),
            column("amount", "string", true),
            column("note", "string", true),
            column("weird `name.", "struct<a:int,b:array<string>>", true),
        ],
        protocol: Protocol::legacy(1, 2),
        files: 12,
        bytes: 3_456_789,
        rows: Some(20_000),
        ..TableState::default()
    }
}

fn partitioned() -> TableState {
    TableState { partition_by: vec!["region".into()], ..plain() }
}

fn constrained() -> TableState {
    let mut state = mapped();
    state.properties.insert(format!("{CONSTRAINT}note_is_short"), "length(note) < 10".into());
    state.properties.insert(format!("{CONSTRAINT}positive"), "id > 0".into());
    state.protocol = state.protocol.with("checkConstraints");
    state
}

fn mapped() -> TableState {
    let mut state = plain();
    map_columns(&mut state);
    state
}
