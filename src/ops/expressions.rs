//! What is wrong with an operation's expressions, from their text alone (O1, O12): they are over one row, and both engines read them alike.

use super::{
    Refusal,
    table::{FieldSpec, Shape},
    vet::Wrong,
    vocabulary::{CreateTable, Operation},
};
use crate::{model::Class, sql};
use serde_json::Value;

/// Looks at all expressions of an operation.
pub(super) fn vet(operation: &Operation, wrong: &mut Vec<Wrong>) {
    let fields = operation.fields();
    for spec in operation.spec().fields {
        each(spec, &fields, &mut |key, text| {
            if let Some((why, way_out)) = sql::lake_expression(text, steady(operation, key)) {
                let refusal = Refusal::new(Class::Usage, "O1", format!("`{key}`: {text}: {why}")).way_out(way_out);
                wrong.push((Some(spec.name), refusal));
            }
        });
    }
    if let Operation::CreateTable(op) = operation {
        columns(op, wrong);
    }
}

/// Whether an expression must give the same value each time: writers are held to it, or rows that differ from it are filled.
fn steady(operation: &Operation, key: &str) -> bool {
    match operation {
        Operation::AddColumn(_) => matches!(key, "up" | "generated"),
        Operation::ChangeType(_) => matches!(key, "up" | "down"),
        Operation::CreateTable(_) | Operation::AddConstraint(_) => true,
        // Without a condition of its own it fills what differs, and would find that for ever.
        Operation::Backfill(op) => key == "set" && op.r#where.is_none(),
        _ => false,
    }
}

fn each(spec: &FieldSpec, fields: &Value, see: &mut dyn FnMut(&'static str, &str)) {
    let Some(value) = fields.get(spec.name) else { return };
    match (spec.shape, value) {
        (Shape::Expression, Value::String(text)) => see(spec.name, text),
        (Shape::Set, Value::Object(set)) => {
            set.values().filter_map(Value::as_str).for_each(|text| see(spec.name, text));
        }
        (Shape::Map(specs), Value::Object(_)) => specs.iter().for_each(|spec| each(spec, value, see)),
        (Shape::List(specs), Value::Array(items)) => {
            for item in items {
                specs.iter().for_each(|spec| each(spec, item, see));
            }
        }
        _ => {}
    }
}

/// A table that is made has no columns but its own.
fn columns(op: &CreateTable, wrong: &mut Vec<Wrong>) {
    let known = || op.columns.iter().map(|column| column.name.as_str());
    let generated = op
        .columns
        .iter()
        .filter_map(|column| Some(("columns", format!("column `{}`", column.name), column.generated.as_deref()?)));
    let checks = op.constraints.iter().filter_map(|constraint| {
        Some(("constraints", format!("constraint `{}`", constraint.name), constraint.check.as_deref()?))
    });
    for (field, what, text) in generated.chain(checks) {
        if let Some(name) = sql::unknown_column(text, known()) {
            let refusal = Refusal::new(Class::Usage, "O1", format!("{what}: {text}: there is no column `{name}`"));
            wrong.push((Some(field), refusal.way_out("name columns of the table")));
        }
    }
}
