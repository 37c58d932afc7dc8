//! Each operation on each kind of table, as text: `tests/operations/<case>.txt`. `UPDATE_GOLDEN=1` writes what is derived now.

use super::{super::*, constrained, derived, mapped, operation, partitioned, plain};
use crate::model::Verb;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Case, operation, fields.
pub(super) fn cases() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "create_table",
            "create_table",
            json!({"table": "raw/events", "columns": [
                {"name": "id", "type": "bigint", "nullable": false},
                {"name": "day", "type": "date", "generated": "CAST(at AS date)"},
                {"name": "At", "type": "timestamp", "comment": "when"},
                {"name": "what", "type": "struct<kind:string,tags:array<string>>"}],
                "constraints": [{"name": "early", "check": "day > DATE '2000-01-01'"}],
                "partition_by": ["day"], "properties": {"delta.logRetentionDuration": "interval 60 days"}, "comment": "Events"}),
        ),
        (
            "create_table_unmapped",
            "create_table",
            json!({"table": "raw/events", "column_mapping": "none", "columns": [{"name": "at", "type": "timestamp_ntz"}]}),
        ),
        ("drop_table", "drop_table", json!({"table": "sales"})),
        ("rename_table", "rename_table", json!({"table": "sales", "to": "sold"})),
        (
            "add_column",
            "add_column",
            json!({"table": "sales", "column": "email", "type": "string", "comment": "an \"address\""}),
        ),
        (
            "add_column_default",
            "add_column",
            json!({"table": "sales", "column": "tax", "type": "decimal(5,2)", "nullable": false, "default": "0"}),
        ),
        (
            "add_column_up",
            "add_column",
            json!({"table": "sales", "column": "select", "type": "string", "nullable": false, "up": "coalesce(note, '')"}),
        ),
        (
            "add_column_generated",
            "add_column",
            json!({"table": "sales", "column": "loud", "type": "string", "generated": "upper(note)"}),
        ),
        ("drop_column", "drop_column", json!({"table": "sales", "column": "note"})),
        ("drop_column_not_null", "drop_column", json!({"table": "sales", "column": "id", "down": "-1", "purge": true})),
        ("drop_column_rewrite", "drop_column", json!({"table": "sales", "column": "weird `name.", "rewrite": true})),
        (
            "drop_column_detach",
            "drop_column",
            json!({"table": "sales", "column": "note", "hide": "detach", "key": ["id"]}),
        ),
        ("rename_column", "rename_column", json!({"table": "sales", "column": "note", "to": "remark"})),
        (
            "rename_column_instant",
            "rename_column",
            json!({"table": "sales", "column": "region", "to": "area", "strategy": "instant"}),
        ),
        (
            "rename_column_rewrite",
            "rename_column",
            json!({"table": "sales", "column": "id", "to": "key", "rewrite": true}),
        ),
        (
            "change_type",
            "change_type",
            json!({"table": "sales", "column": "amount", "type": "bigint", "up": "CAST(amount AS bigint)", "down": "CAST(amount AS string)"}),
        ),
        (
            "change_type_cast",
            "change_type",
            json!({"table": "sales", "column": "amount", "type": "decimal(12,2)", "rewrite": true}),
        ),
        (
            "change_type_as",
            "change_type",
            json!({"table": "sales", "column": "id", "type": "string", "as": "code", "down": "CAST(code AS bigint)"}),
        ),
        ("set_not_null", "set_not_null", json!({"table": "sales", "column": "amount"})),
        ("set_not_null_up", "set_not_null", json!({"table": "sales", "column": "amount", "up": "'0'"})),
        ("drop_not_null", "drop_not_null", json!({"table": "sales", "column": "id", "down": "-1"})),
        ("set_default", "set_default", json!({"table": "sales", "column": "amount", "default": "'0'"})),
        ("drop_default", "drop_default", json!({"table": "sales", "column": "amount"})),
        ("add_constraint", "add_constraint", json!({"table": "sales", "name": "short", "check": "length(note) < 20"})),
        (
            "add_constraint_add",
            "add_constraint",
            json!({"table": "sales", "name": "short", "check": "length(note) < 20", "enforce": "add"}),
        ),
        ("drop_constraint", "drop_constraint", json!({"table": "sales", "name": "NOTE_is_short"})),
        ("rename_constraint", "rename_constraint", json!({"table": "sales", "name": "positive", "to": "above"})),
        ("create_index", "create_index", json!({"table": "sales", "name": "i", "columns": ["id"]})),
        ("drop_index", "drop_index", json!({"table": "sales", "name": "i"})),
        ("rename_index", "rename_index", json!({"table": "sales", "name": "i", "to": "j"})),
        ("create_enum", "create_enum", json!({"name": "colour", "values": ["red"]})),
        ("add_enum_value", "add_enum_value", json!({"name": "colour", "value": "blue"})),
        ("rename_enum_value", "rename_enum_value", json!({"name": "colour", "value": "blue", "to": "azure"})),
        ("drop_enum", "drop_enum", json!({"name": "colour"})),
        ("set_comment", "set_comment", json!({"table": "sales", "column": "note", "comment": "what was said"})),
        ("set_comment_table", "set_comment", json!({"table": "sales", "comment": "All that was sold"})),
        (
            "set_properties",
            "set_properties",
            json!({"table": "sales", "properties": {"delta.appendOnly": "true", "delta.logRetentionDuration": null}}),
        ),
        ("upgrade_column_mapping", "upgrade_column_mapping", json!({"table": "sales"})),
        ("repartition", "repartition", json!({"table": "sales", "partition_by": ["note", "region"]})),
        ("backfill", "backfill", json!({"table": "sales", "set": {"note": "upper(region)"}})),
        (
            "backfill_where",
            "backfill",
            json!({"table": "sales", "set": {"note": "upper(note)"}, "where": "note IS NOT NULL", "batch": 1000, "key": "id"}),
        ),
    ]
}

fn shown(found: Result<Derived, Refusal>) -> String {
    let derived = match found {
        Ok(derived) => derived,
        Err(refusal) => {
            let code = refusal.class.exit_code();
            return format!("refused ({code}, {}): {} — {}\n", refusal.rule, refusal.message, refusal.way_out);
        }
    };
    let mut text = String::new();
    for verb in Verb::ALL {
        let Some(acts) = derived.handlers.get(verb) else { continue };
        let label = derived.labels.get(verb).map_or_else(String::new, |label| format!(" ({label})"));
        text += &format!("{verb}{label}\n");
        for (n, act) in (1..).zip(acts) {
            text += &format!("  {n}. {}  -- {}\n", act.text().replace('\n', "\n   "), act.cost().text());
        }
    }
    for warning in &derived.warnings {
        text += &format!("note: {warning}\n");
    }
    text
}

#[test]
fn each_operation_is_derived_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations");
    let tables =
        [("plain", plain()), ("partitioned", partitioned()), ("constrained", constrained()), ("mapped", mapped())];
    let mut wrong = vec![];
    let mut names = std::collections::BTreeSet::new();
    for (case, name, fields) in cases() {
        let operation = operation(name, fields);
        names.insert(name);
        let mut text = format!("{name}: {}\n", operation.fields());
        if name == "create_table" {
            text += &format!("\n{}", shown(derived(&operation, None)));
        } else {
            for (kind, state) in &tables {
                text += &format!("\n== {kind}\n{}", shown(derived(&operation, Some(state))));
            }
        }
        let golden = folder.join(case).with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{case}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: Vec<_> = OPERATIONS.iter().map(|spec| spec.name).filter(|name| !names.contains(name)).collect();
    assert!(all.is_empty(), "operations without a case: {all:?}");
}
