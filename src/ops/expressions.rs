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
        // Each row that is NULL gets its value once.
        Operation::SetNotNull(_) => false,
        Operation::DropTable(_) | Operation::RenameTable(_) | Operation::DropColumn(_) => false,
        Operation::RenameColumn(_) | Operation::DropNotNull(_) | Operation::SetDefault(_) => false,
        Operation::DropDefault(_) | Operation::DropConstraint(_) | Operation::RenameConstraint(_) => false,
        Operation::CreateIndex(_) | Operation::DropIndex(_) | Operation::RenameIndex(_) => false,
        Operation::CreateEnum(_) | Operation::AddEnumValue(_) | Operation::RenameEnumValue(_) => false,
        Operation::DropEnum(_) | Operation::SetComment(_) | Operation::SetProperties(_) => false,
        Operation::UpgradeColumnMapping(_) | Operation::Repartition(_) => false,
    }
}

fn each(spec: &FieldSpec, fields: &Value, see: &mut dyn FnMut(&'static str, &str)) {
    let Some(value) = fields.get(spec.name) else { return };
    // What has another form was refused when it was read.
    match spec.shape {
        Shape::Expression => value.as_str().into_iter().for_each(|text| see(spec.name, text)),
        Shape::Set => {
            let set = value.as_object().into_iter().flat_map(|set| set.values());
            set.filter_map(Value::as_str).for_each(|text| see(spec.name, text));
        }
        Shape::Map(specs) => specs.iter().for_each(|spec| each(spec, value, see)),
        Shape::List(specs) => {
            for item in value.as_array().into_iter().flatten() {
                specs.iter().for_each(|spec| each(spec, item, see));
            }
        }
        Shape::Name | Shape::Names | Shape::Type | Shape::Text => {}
        Shape::Flag | Shape::Count | Shape::OneOf(_) | Shape::Properties => {}
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
