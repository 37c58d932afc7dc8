//! The list of cases has every operation of a lake, with every field and every word that a field takes: the cycles, the races and the kill
//! sweep walk it. What a lake does not take is refused from the file.

#[cfg(feature = "failpoints")]
use super::tables::by_operation;
use super::{
    Shore,
    cases::{Case, cases},
};
use serde_json::Value;
use std::collections::BTreeSet;
use triphase::ops::{FieldSpec, OPERATIONS, Shape, Support};

/// What a lake refuses of the operations that it has: what it is, an operation that has it, and what is said.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "create_table.columns.default",
        "create_table: {table: t, columns: [{name: a, type: long, default: 1}]}",
        "a default",
    ),
    (
        "create_table.columns.identity",
        "create_table: {table: t, columns: [{name: a, type: long, identity: true}]}",
        "numbering",
    ),
    (
        "create_table.primary_key",
        "create_table: {table: t, columns: [{name: a, type: long}], primary_key: [a]}",
        "keeps no keys",
    ),
    (
        "create_table.constraints.unique",
        "create_table: {table: t, columns: [{name: a, type: long}], constraints: [{name: c, unique: [a]}]}",
        "no `unique`",
    ),
    (
        "create_table.constraints.foreign_key",
        "create_table: {table: t, columns: [{name: a, type: long}], constraints: [{name: c, foreign_key: {columns: [a], references: u}}]}",
        "no `foreign_key`",
    ),
    (
        "create_table.constraints.exclude",
        "create_table: {table: t, columns: [{name: a, type: long}], constraints: [{name: c, exclude: a}]}",
        "no `exclude`",
    ),
    ("add_column.down", "add_column: {table: t, column: a, type: long, down: b}", "write an old column"),
    ("rename_column.strategy=view", "rename_column: {table: t, column: a, to: b, strategy: view}", "no views"),
    ("add_constraint.unique", "add_constraint: {table: t, name: c, unique: [a]}", "no `unique`"),
    (
        "add_constraint.foreign_key",
        "add_constraint: {table: t, name: c, foreign_key: {columns: [a], references: u}}",
        "no `foreign_key`",
    ),
    ("add_constraint.exclude", "add_constraint: {table: t, name: c, exclude: a}", "no `exclude`"),
];

/// Every field of these, and every word of those that take some.
fn known(at: &str, fields: &[FieldSpec], names: &mut BTreeSet<String>) {
    for field in fields {
        let name = format!("{at}.{}", field.name);
        match field.shape {
            Shape::OneOf(words) => names.extend(words.iter().map(|word| format!("{name}={word}"))),
            Shape::Map(inner) | Shape::List(inner) => known(&name, inner, names),
            Shape::Name | Shape::Names | Shape::Type | Shape::Expression | Shape::Text => {}
            Shape::Flag | Shape::Count | Shape::Properties | Shape::Set => {}
        }
        names.insert(name);
    }
}

/// What an operation has of them.
fn has(at: &str, fields: &[FieldSpec], value: &Value, names: &mut BTreeSet<String>) {
    for field in fields {
        let (name, found) = (format!("{at}.{}", field.name), &value[field.name]);
        match field.shape {
            Shape::OneOf(_) => drop(found.as_str().map(|word| names.insert(format!("{name}={word}")))),
            Shape::Map(inner) => has(&name, inner, found, names),
            Shape::List(inner) => found.as_array().into_iter().flatten().for_each(|one| has(&name, inner, one, names)),
            Shape::Name | Shape::Names | Shape::Type | Shape::Expression | Shape::Text => {}
            Shape::Flag | Shape::Count | Shape::Properties | Shape::Set => {}
        }
        if !found.is_null() {
            names.insert(name);
        }
    }
}

#[test]
fn every_operation_field_and_word_has_a_case() {
    let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
    let cases: Vec<Case> = cases();
    for spec in OPERATIONS.iter().filter(|spec| matches!(spec.delta, Support::Yes)) {
        known(spec.name, spec.fields, &mut wanted);
        wanted.insert(spec.name.to_owned());
        for case in cases.iter().filter(|case| case.key() == spec.name) {
            found.insert(case.key());
            let operation = case.step();
            has(spec.name, spec.fields, &operation[spec.name], &mut found);
        }
    }
    let refused =
        |name: &str| REFUSED.iter().any(|(known, ..)| name == *known || name.starts_with(&format!("{known}.")));
    let missing: Vec<_> = wanted.difference(&found).filter(|name| !refused(name)).collect();
    assert!(missing.is_empty(), "no case in `cases` has {missing:?}");
    let both: Vec<_> = found.iter().filter(|name| refused(name)).collect();
    assert!(both.is_empty(), "a case has what is said to be refused: {both:?}");
    let unknown: Vec<_> = REFUSED.iter().filter(|(name, ..)| !wanted.contains(*name)).collect();
    assert!(unknown.is_empty(), "there is no such field: {unknown:?}");
    let names: BTreeSet<_> = cases.iter().map(|case| case.table).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    let idle: Vec<_> = cases.iter().filter(|case| case.on.is_empty()).map(|case| case.table).collect();
    assert!(idle.is_empty(), "cases that run on no kind of table: {idle:?}");
}

/// What the cycles walk, in the table of CONTRIBUTING.md.
#[cfg(feature = "failpoints")]
#[test]
fn what_the_cycles_walk_is_counted() {
    let counts = by_operation(cases().iter().map(|case| (case.key(), case.on.len())));
    let rows = counts
        .into_iter()
        .map(|(operation, (cases, tables))| format!("| cycle | `{operation}` | {cases} | {tables} tables | — |"));
    crate::harness::table("CONTRIBUTING.md", "cycle", &rows.collect::<Vec<_>>());
}

/// All of it at once, each with its reason, before anything is asked of the lake.
#[test]
fn what_a_lake_does_not_take_is_refused_from_the_file() {
    let shore = Shore::new();
    let none = OPERATIONS.iter().filter(|spec| matches!(spec.delta, Support::No(..))).count();
    assert_eq!(none, OTHERS.len(), "each operation that a lake has not is tried");
    let others = OTHERS.iter().map(|(operation, says)| ("", *operation, *says));
    let all: Vec<_> = REFUSED.iter().copied().chain(others).collect();
    let steps = all.iter().enumerate().map(|(n, (_, operation, _))| format!("  s{n}:\n    {operation}\n"));
    shore.release("v1", &format!("steps:\n{}", steps.collect::<String>()));
    let said = shore.ends(2, "add v1").said();
    for (n, (_, operation, says)) in all.iter().enumerate() {
        let found = said.split("error[").any(|found| found.contains(&format!("steps.s{n}.")) && found.contains(says));
        assert!(found, "{operation}: not refused by {says:?}: {said}");
    }
    assert!(shore.everything().iter().all(|(path, _)| !path.starts_with(shore.path("lake/_triphase"))));
}

/// The operations that a lake has not.
const OTHERS: &[(&str, &str)] = &[
    ("rename_table: {table: a, to: b}", "a folder can't be renamed"),
    ("set_default: {table: t, column: a, default: 1}", "allowColumnDefaults"),
    ("drop_default: {table: t, column: a}", "allowColumnDefaults"),
    ("rename_constraint: {table: t, name: a, to: b}", "not renamed in place"),
    ("create_index: {table: t, name: i, columns: [a]}", "no indexes"),
    ("drop_index: {table: t, name: i}", "no indexes"),
    ("rename_index: {table: t, name: i, to: j}", "no indexes"),
    ("create_enum: {name: e, values: [a]}", "no enums"),
    ("add_enum_value: {name: e, value: b}", "no enums"),
    ("rename_enum_value: {name: e, value: a, to: b}", "no enums"),
    ("drop_enum: {name: e}", "no enums"),
];
