//! What can be refused of an operation from the file alone (O12), each with the field that it is about.

use super::{
    Refusal, derive, expressions, names, path,
    table::Support,
    types::DataType,
    values,
    vocabulary::{AddColumn, AddConstraint, Constraint, CreateTable, DropColumn, Operation},
};
use crate::model::Class;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// A field of the operation, or none, and what is wrong.
pub type Wrong = (Option<&'static str>, Refusal);

/// All that is wrong with an operation for a lake.
pub fn vet(operation: &Operation) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if let Support::No(..) | Support::Later = operation.spec().delta {
        return vec![(None, derive::unsupported(operation))];
    }
    if let Some(table) = operation.table() {
        table_name(table, &mut wrong);
    }
    expressions::vet(operation, &mut wrong);
    match operation {
        Operation::CreateTable(op) => create_table(op, &mut wrong),
        Operation::AddColumn(op) => add_column(op, &mut wrong),
        Operation::DropColumn(op) => drop_column(op, &mut wrong),
        Operation::RenameColumn(op) => {
            new_name("to", &op.to, &mut wrong);
            if op.column == op.to {
                say(&mut wrong, "to", "the new name is the old one", "take the step away");
            }
            if op.strategy.as_deref() == Some("view") {
                say(
                    &mut wrong,
                    "strategy",
                    "delta has no views that would keep the old name",
                    "say `sync` or `instant`",
                );
            }
        }
        Operation::ChangeType(op) => {
            type_of("type", &op.r#type, &mut wrong);
            if let Some(name) = &op.r#as {
                new_name("as", name, &mut wrong);
            }
        }
        Operation::AddConstraint(op) => add_constraint(op, &mut wrong),
        Operation::SetProperties(op) => properties(&op.properties, &mut wrong),
        Operation::Repartition(op) => partition_by(&op.partition_by, &mut wrong),
        Operation::DropTable(_)
        | Operation::RenameTable(_)
        | Operation::SetNotNull(_)
        | Operation::DropNotNull(_)
        | Operation::SetDefault(_)
        | Operation::DropDefault(_)
        | Operation::DropConstraint(_)
        | Operation::RenameConstraint(_)
        | Operation::CreateIndex(_)
        | Operation::DropIndex(_)
        | Operation::RenameIndex(_)
        | Operation::CreateEnum(_)
        | Operation::AddEnumValue(_)
        | Operation::RenameEnumValue(_)
        | Operation::DropEnum(_)
        | Operation::SetComment(_)
        | Operation::UpgradeColumnMapping(_)
        | Operation::Backfill(_) => {}
    }
    wrong
}

fn say(wrong: &mut Vec<Wrong>, field: &'static str, message: impl Into<String>, way_out: impl Into<String>) {
    wrong.push((Some(field), Refusal::new(Class::Usage, "O12", message).way_out(way_out)));
}

fn table_name(table: &str, wrong: &mut Vec<Wrong>) {
    if let Some((why, way_out)) = path::unfit(table) {
        say(wrong, "table", format!("`{}` names no table: it {why}", path::shown(table)), way_out);
        return;
    }
    let url = table.split_once("://").map(|(_, rest)| rest.strip_prefix('/').unwrap_or(rest));
    let inside = url.unwrap_or(table);
    let parts = || inside.split('/');
    let own = |part: &str| part.eq_ignore_ascii_case(names::OWN_FOLDER);
    let own = if url.is_some() { parts().any(own) } else { parts().next().is_some_and(own) };
    if url.is_none() && inside.starts_with('/') || parts().any(|part| part == ".." || part == ".") {
        say(
            wrong,
            "table",
            format!("`{table}` leads out of the lake's root"),
            "name the table by its path under the root",
        );
    } else if parts().any(|part| part == "_delta_log" || part.is_empty()) {
        say(wrong, "table", format!("`{table}` is no table's path"), "name the folder that its `_delta_log` lies in");
    } else if own {
        say(wrong, "table", format!("`{table}` is triphase's own"), "name a table of yours");
    }
}

/// A name that the step makes.
fn new_name(field: &'static str, name: &str, wrong: &mut Vec<Wrong>) {
    if names::ours(name) {
        say(
            wrong,
            field,
            format!("`{name}` begins with `{}`, as triphase's own names do", names::OURS),
            "choose another name",
        );
    }
}

fn type_of(field: &'static str, text: &str, wrong: &mut Vec<Wrong>) {
    if let Err(why) = DataType::parse(text) {
        say(wrong, field, why, "types are Spark's: long, string, decimal(10,2), array<int>, …");
    }
}

fn add_column(op: &AddColumn, wrong: &mut Vec<Wrong>) {
    new_name("column", &op.column, wrong);
    type_of("type", &op.r#type, wrong);
    let given: Vec<&'static str> =
        [("default", op.default.is_some()), ("up", op.up.is_some()), ("generated", op.generated.is_some())]
            .into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect();
    if let [first, second, ..] = given.as_slice() {
        say(wrong, second, format!("the column has both `{first}` and `{second}`"), "give it one of them");
    }
    if op.down.is_some() {
        say(
            wrong,
            "down",
            "delta has nothing that could write an old column for new writers",
            "take `down` away; `change_type` and `rename_column` keep both columns",
        );
    }
    if op.nullable == Some(false) && given.is_empty() {
        say(
            wrong,
            "nullable",
            "rows that are there would have NULL in a column that is never NULL",
            "say what they get: `default`, `up` or `generated`",
        );
    }
}

fn drop_column(op: &DropColumn, wrong: &mut Vec<Wrong>) {
    let detach = op.hide.as_deref() == Some("detach");
    if detach && op.key.is_empty() {
        say(
            wrong,
            "hide",
            "`hide: detach` finds values again by a key",
            "name the columns that tell rows apart: `key: [id]`",
        );
    }
    if !detach && !op.key.is_empty() {
        say(wrong, "key", "`key` is for `hide: detach`", "take it away, or say `hide: detach`");
    }
    if detach && op.rewrite {
        say(wrong, "rewrite", "`hide: detach` rewrites nothing", "take `rewrite` or `hide` away");
    }
}

/// A table's files can't be laid out twice by one column.
fn partition_by(columns: &[String], wrong: &mut Vec<Wrong>) {
    let mut seen = BTreeSet::new();
    for name in columns.iter().filter(|name| !seen.insert(name.to_lowercase())) {
        say(wrong, "partition_by", format!("column `{name}` stands here twice"), "name each column once");
    }
}

fn create_table(op: &CreateTable, wrong: &mut Vec<Wrong>) {
    if op.columns.is_empty() {
        say(wrong, "columns", "a table without columns can't be read", "name its columns");
    }
    partition_by(&op.partition_by, wrong);
    let mut seen = BTreeSet::new();
    for column in &op.columns {
        let name = &column.name;
        new_name("columns", name, wrong);
        if !seen.insert(name.to_lowercase()) {
            say(
                wrong,
                "columns",
                format!("column `{name}` stands here twice"),
                "names that differ in case alone are one",
            );
        }
        if let Err(why) = DataType::parse(&column.r#type) {
            say(
                wrong,
                "columns",
                format!("column `{name}`: {why}"),
                "types are Spark's: long, string, decimal(10,2), array<int>, …",
            );
        }
        if column.default.is_some() {
            say(
                wrong,
                "columns",
                format!(
                    "column `{name}`: a default needs the table feature `allowColumnDefaults`, and delta-rs can't write tables that have it"
                ),
                "let the writers fill it, or say `generated`",
            );
        }
        if column.identity {
            say(
                wrong,
                "columns",
                format!(
                    "column `{name}`: numbering needs the table feature `identityColumns`, and delta-rs can't write tables that have it"
                ),
                "let the writers number the rows",
            );
        }
    }
    if !op.primary_key.is_empty() {
        say(wrong, "primary_key", "delta keeps no keys", "take it away");
    }
    let mut seen = BTreeSet::new();
    for constraint in &op.constraints {
        if !seen.insert(constraint.name.to_lowercase()) {
            say(wrong, "constraints", format!("constraint `{}` stands here twice", constraint.name), "keep one");
        }
        one_constraint("constraints", constraint, wrong);
    }
    let names: BTreeSet<&str> = op.columns.iter().map(|column| column.name.as_str()).collect();
    for name in op.partition_by.iter().filter(|name| !names.contains(name.as_str())) {
        say(wrong, "partition_by", format!("there is no column `{name}`"), "name columns of the table");
    }
    properties(&op.properties, wrong);
}

fn add_constraint(op: &AddConstraint, wrong: &mut Vec<Wrong>) {
    let constraint = Constraint {
        name: op.name.clone(),
        check: op.check.clone(),
        unique: op.unique.clone(),
        foreign_key: op.foreign_key.clone(),
        exclude: op.exclude.clone(),
    };
    one_constraint("name", &constraint, wrong);
}

/// A constraint is one of four kinds; a lake has the first.
fn one_constraint(field: &'static str, constraint: &Constraint, wrong: &mut Vec<Wrong>) {
    let name = &constraint.name;
    new_name(field, name, wrong);
    let given: Vec<&str> = [
        ("check", constraint.check.is_some()),
        ("unique", !constraint.unique.is_empty()),
        ("foreign_key", constraint.foreign_key.is_some()),
        ("exclude", constraint.exclude.is_some()),
    ]
    .into_iter()
    .filter_map(|(kind, given)| given.then_some(kind))
    .collect();
    match given.as_slice() {
        ["check"] => {}
        [] => {
            say(wrong, field, format!("constraint `{name}` has no `check`"), "write the condition that each row meets")
        }
        [kind] => say(
            wrong,
            field,
            format!("constraint `{name}`: delta has no `{kind}` constraints, only `check`"),
            "let the writers see to it, or look for violations with an `expect`",
        ),
        [first, second, ..] => {
            say(
                wrong,
                field,
                format!("constraint `{name}` is both `{first}` and `{second}`"),
                "make them two constraints",
            );
        }
    }
}

fn properties(properties: &IndexMap<String, Option<String>>, wrong: &mut Vec<Wrong>) {
    for (key, value) in properties {
        if let Some(way_out) = derive::reserved(key) {
            say(wrong, "properties", format!("property `{key}` is not set by hand"), way_out);
        } else if let Some(wanted) = value.as_deref().and_then(|value| values::wanted(key, value)) {
            let value = value.as_deref().unwrap_or_default();
            say(wrong, "properties", format!("property `{key}` can't be `{value}`"), format!("write {wanted}"));
        }
    }
}
