//! `create_table`: the table is there from add on, with all its constraints: it has no old writers (O7).

use super::{
    Derived,
    columns::{self, ntz},
};
use crate::{
    model::Verb,
    ops::{
        Refusal,
        act::{Act, Check, Does},
        apply::map_columns,
        edit::Edit,
        expr, names,
        state::{COMMENT, CONSTRAINT, Field, GENERATION, Protocol, TableState},
        types::DataType,
        vocabulary::CreateTable,
    },
};

pub(super) fn derive(op: &CreateTable, derived: &mut Derived) -> Result<(), Refusal> {
    let state = state(op)?;
    let expressions =
        op.columns.iter().filter_map(|column| Some((column.generated.as_deref()?, column.r#type.as_str())));
    for (text, data_type) in expressions {
        let used = expr::uses(text, &state);
        if used.iter().any(|name| state.field(name).is_some_and(|field| field.generation().is_some())) {
            return Err(columns::wrong(format!(
                "a generated column of type {data_type} is generated from a generated one: {text}"
            )));
        }
    }
    let act = |does| Act::new(&op.table, does);
    derived.handlers.insert(Verb::Add, vec![act(Does::Create { state: Box::new(state) })]);
    let alone = Check::NoForeignCommits {
        since: Verb::Add,
        refusal: format!("others have committed to table `{}` since it was made", op.table),
    };
    derived.handlers.insert(
        Verb::RollbackAdd,
        vec![act(Does::Commit { checks: vec![alone], edits: vec![Edit::Tombstone] }), act(Does::Delete)],
    );
    Ok(())
}

fn state(op: &CreateTable) -> Result<TableState, Refusal> {
    let mut state = TableState {
        protocol: Protocol::legacy(1, 2),
        comment: op.comment.clone(),
        rows: Some(0),
        ..TableState::default()
    };
    for column in &op.columns {
        let data_type = DataType::parse(&column.r#type).map_err(columns::wrong)?;
        if ntz(&data_type) {
            state.protocol = state.protocol.with("timestampNtz");
        }
        let mut field = Field { nullable: column.nullable.unwrap_or(true), ..Field::new(&column.name, data_type) };
        if let Some(comment) = &column.comment {
            field.metadata.insert(COMMENT.to_owned(), comment.as_str().into());
        }
        state.fields.push(field);
    }
    let spelt = state.clone();
    for (field, column) in state.fields.iter_mut().zip(&op.columns) {
        if let Some(generated) = &column.generated {
            if !names::generates(&column.name) {
                return Err(columns::wrong(format!(
                    "column `{}` is generated, and delta-rs can't write a table with a generated column whose name has upper case letters \
                     or a dot",
                    column.name
                ))
                .way_out("name it in lower case"));
            }
            field.metadata.insert(GENERATION.to_owned(), expr::spell(generated, &spelt).into());
            state.protocol = state.protocol.with("generatedColumns");
        }
    }
    state.partition_by.clone_from(&op.partition_by);
    columns::partitioned(&op.table, &state, &op.partition_by)?;
    for (key, value) in &op.properties {
        if let Some(value) = value {
            state.properties.insert(key.clone(), value.clone());
        }
    }
    for constraint in &op.constraints {
        if let Some(check) = &constraint.check {
            state.properties.insert(format!("{CONSTRAINT}{}", constraint.name), expr::spell(check, &spelt));
            state.protocol = state.protocol.with("checkConstraints");
        }
    }
    if op.column_mapping.as_deref() != Some("none") {
        map_columns(&mut state);
    }
    Ok(state)
}
