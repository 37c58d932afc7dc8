//! What is looked at before a table is made: its own expressions (rule O1), on a row of NULLs, for it has no others.

use super::{super::trouble::Trouble, checks, shape::Shape};
use crate::ops::TableState;
use deltalake::arrow::datatypes::Schema;

/// Sees that every expression that the table would keep can be evaluated to what is wanted of it.
///
/// # Errors
/// [`Trouble::Refused`], naming the column or constraint.
pub async fn evaluates(state: &TableState) -> Result<(), Trouble> {
    let schema: &Schema = &Shape::of(state)?.asked;
    for field in &state.fields {
        if let Some(text) = field.generation() {
            let named = |why: anyhow::Error| why.context(format!("column `{}`", field.name));
            of(schema, text, &field.data_type.to_string(), "generated", named).await?;
        }
    }
    for (name, text) in state.constraints() {
        of(schema, text, "boolean", "check", |why| why.context(format!("constraint `{name}`"))).await?;
    }
    Ok(())
}

async fn of(
    schema: &Schema,
    text: &str,
    data_type: &str,
    field: &str,
    named: impl FnOnce(anyhow::Error) -> anyhow::Error,
) -> Result<(), Trouble> {
    match checks::on_nulls(schema, text, data_type, field).await {
        Ok(_) => Ok(()),
        Err(Trouble::Refused(why)) => Err(Trouble::Refused(named(why))),
        Err(trouble @ (Trouble::Moved | Trouble::Lost(_))) => Err(trouble),
    }
}
