//! What is refused of a table as a whole, and of texts that a table would keep.

use super::{super::*, column, derived, mapped, operation, plain};
use crate::model::Class;
use crate::ops::{apply::map_columns, state::GENERATION};
use serde_json::{Value, json};

fn refusal(name: &str, fields: Value, state: &TableState) -> Option<Refusal> {
    let mut fields = fields;
    fields["table"] = "sales".into();
    derived(&operation(name, fields), Some(state)).err()
}

#[test]
fn a_table_partitioned_by_bytes_is_not_rewritten() {
    let mut state = plain();
    state.fields.push(column("digest", "binary", true));
    map_columns(&mut state);
    let by = json!({"partition_by": ["digest"]});
    let refused = refusal("repartition", by.clone(), &state).unwrap();
    assert!(refused.class == Class::Guard && refused.message.contains("binary"), "{}", refused.message);
    let table = json!({"table": "t", "columns": [{"name": "a", "type": "binary"}, {"name": "b", "type": "long"}], "partition_by": ["a"]});
    assert!(derived(&operation("create_table", table), None).unwrap_err().message.contains("binary"));
    state.partition_by = vec!["digest".into()];
    for (name, fields) in [
        ("add_column", json!({"column": "c", "type": "string", "default": "'x'"})),
        ("add_column", json!({"column": "c", "type": "string", "up": "upper(note)"})),
        ("rename_column", json!({"column": "note", "to": "remark"})),
        ("change_type", json!({"column": "amount", "type": "long"})),
        ("drop_column", json!({"column": "note", "purge": true})),
        ("set_not_null", json!({"column": "note", "up": "''"})),
        ("backfill", json!({"set": {"note": "'x'"}})),
        ("repartition", json!({"partition_by": ["region"]})),
    ] {
        let refused = refusal(name, fields, &state).unwrap();
        assert!(
            refused.class == Class::Guard && refused.message.contains("`digest`, which is binary"),
            "{name}: {}",
            refused.message
        );
    }
    for (name, fields) in [
        ("add_column", json!({"column": "c", "type": "string"})),
        ("drop_column", json!({"column": "note"})),
        ("rename_column", json!({"column": "note", "to": "remark", "strategy": "instant"})),
        ("add_constraint", json!({"name": "c", "check": "id > 0"})),
    ] {
        assert_eq!(refusal(name, fields, &state), None, "{name}: metadata alone");
    }
}

#[test]
fn a_text_that_a_partition_reads_as_null_is_looked_for() {
    let state = mapped();
    let checks = |name: &str, fields: Value, state: &TableState| {
        let mut fields = fields;
        fields["table"] = "sales".into();
        let found = derived(&operation(name, fields), Some(state)).unwrap();
        found.handlers.values().flatten().flat_map(|act| act.checks().to_vec()).collect::<Vec<_>>()
    };
    let looks = |checks: &[Check], text: &str| {
        checks.iter().any(|check| matches!(check, Check::NoRows { rows, .. } if rows.contains(text)))
    };
    let null = "= '__HIVE_DEFAULT_PARTITION__'";
    assert!(looks(
        &checks("repartition", json!({"partition_by": ["region", "id"]}), &state),
        &format!("(`region`) {null}")
    ));
    assert!(!looks(&checks("repartition", json!({"partition_by": ["id"]}), &state), null));
    let state = TableState { partition_by: vec!["region".into()], ..state };
    assert!(looks(
        &checks("backfill", json!({"set": {"region": "upper(note)"}}), &state),
        &format!("(upper(note)) {null}")
    ));
}

#[test]
fn a_table_with_a_change_feed_gets_no_generated_column() {
    let mut state = mapped();
    state.properties.insert("delta.enableChangeDataFeed".into(), "true".into());
    for (name, fields) in [
        ("add_column", json!({"column": "c", "type": "string", "up": "upper(note)"})),
        ("add_column", json!({"column": "c", "type": "string", "generated": "upper(note)"})),
        ("rename_column", json!({"column": "note", "to": "remark"})),
        ("change_type", json!({"column": "amount", "type": "long"})),
    ] {
        let refused = refusal(name, fields.clone(), &state).unwrap();
        assert_eq!(refused.class, Class::Guard);
        assert!(
            refused.message.contains("change data feed") && refused.way_out.contains("turn the feed off"),
            "{refused:?}"
        );
        assert_eq!(refusal(name, fields, &mapped()), None);
    }
    let fill = json!({"set": {"note": "'x'"}});
    for (name, fields) in [
        ("add_column", json!({"column": "c", "type": "string", "default": "'x'"})),
        ("rename_column", json!({"column": "note", "to": "remark", "strategy": "instant"})),
        ("backfill", fill.clone()),
    ] {
        assert_eq!(refusal(name, fields, &state), None, "{name}");
    }
    state.fields[3].metadata.insert(GENERATION.into(), "upper(region)".into());
    let fill = json!({"set": {"amount": "'x'"}});
    assert!(refusal("backfill", fill, &state).unwrap().message.contains("has column `note`, which is generated"));
}

#[test]
fn what_the_file_alone_shows_is_refused() {
    let says = |name: &str, fields: Value| {
        let found = vet(&operation(name, fields));
        found
            .into_iter()
            .map(|(_, refusal)| {
                assert_eq!(refusal.class, Class::Usage);
                format!("{} | {}", refusal.message, refusal.way_out)
            })
            .collect::<Vec<_>>()
            .join("; ")
    };
    for name in ["_tri\nphase/ledger", "tab\tx", "we%20ird", "raw\\win", "C:\\x", "\u{7f}"] {
        for operation in [
            says("create_table", json!({"table": name, "columns": [{"name": "id", "type": "long"}]})),
            says("drop_table", json!({"table": name})),
        ] {
            assert!(operation.contains("names no table"), "{name:?}: {operation}");
            assert!(!operation.chars().any(char::is_control), "{operation:?}");
        }
    }
    assert_eq!(says("drop_table", json!({"table": "A?b#c/sp ace"})), "");
    assert!(says("repartition", json!({"table": "t", "partition_by": ["kind", "KIND"]})).contains("stands here twice"));
    assert!(says("create_table", json!({"table": "t", "columns": []})).contains("without columns"));
    let property = json!({"table": "t", "properties": {"delta.logRetentionDuration": "nonsense"}});
    assert!(says("set_properties", property).contains("can't be `nonsense` | write a time"));
}

#[cfg(feature = "delta")]
#[test]
fn expressions_are_over_one_row_and_read_alike_by_both_engines() {
    let says = |name: &str, fields: Value| {
        let mut fields = fields;
        fields["table"] = "sales".into();
        vet(&operation(name, fields)).into_iter().map(|(_, refusal)| refusal.message).collect::<Vec<_>>().join("; ")
    };
    for (text, said) in [
        ("max(id)", "aggregate"),
        ("row_number() OVER (ORDER BY id)", "other rows"),
        ("(SELECT max(id) FROM sales)", "a query inside"),
        ("random()", "another value each time"),
        ("now()", "another value each time"),
        ("uuid()", "another value each time"),
        ("\"note\"", "a text for Spark"),
        ("concat(note, 'a\\nb')", "a backslash"),
        ("arrow_cast(id, 'Utf8')", "DataFusion alone"),
        ("note ~ 'k'", "no operator `~`"),
    ] {
        for (name, fields) in [
            ("add_column", json!({"column": "c", "type": "string", "up": text})),
            ("add_column", json!({"column": "c", "type": "string", "generated": text})),
            ("change_type", json!({"column": "note", "type": "long", "up": text})),
            ("change_type", json!({"column": "note", "type": "long", "down": text})),
            ("add_constraint", json!({"name": "c", "check": text})),
            ("backfill", json!({"set": {"note": text}})),
            (
                "create_table",
                json!({"columns": [{"name": "id", "type": "long"}, {"name": "note", "type": "string"}],
                "constraints": [{"name": "c", "check": text}]}),
            ),
        ] {
            let found = says(name, fields);
            assert!(found.contains(said), "{name} {text}: {found}");
        }
    }
    // Where each row gets its value once, and keeps it.
    assert_eq!(says("add_column", json!({"column": "c", "type": "string", "default": "uuid()"})), "");
    assert_eq!(says("backfill", json!({"set": {"note": "uuid()"}, "where": "note IS NULL"})), "");
}

/// Others' constraints, texts and partitions are seen in whatever an act makes of a table.
#[test]
fn an_act_leaves_a_table_that_can_be_written() {
    let mut before = mapped();
    before.properties.insert(format!("{}late", state::CONSTRAINT), "note <> ''".into());
    before.fields[1].metadata.insert(GENERATION.into(), "upper(note)".into());
    let hide = [Edit::HideField { name: "note".into(), hidden: "_tp_0a_note".into() }];
    let after = apply_all(&hide, &before).unwrap();
    let refused = coherent(&before, &after).unwrap_err();
    assert!(
        refused.message.contains("constraint `late`") && refused.message.contains("would be `_tp_0a_note`"),
        "{refused:?}"
    );
    assert!(refused.way_out.contains("drop_constraint"), "{refused:?}");
    // What was so before is no reason to refuse, least of all a way back.
    assert_eq!(
        coherent(&after, &apply_all(&[Edit::SetComment { column: None, comment: None }], &after).unwrap()),
        Ok(())
    );
    assert_eq!(coherent(&after, &before), Ok(()));
    before.properties.clear();
    map_columns(&mut before);
    let after = apply_all(&hide, &before).unwrap();
    assert!(coherent(&before, &after).unwrap_err().message.contains("`region` is generated from upper(note)"));
    let renamed = [
        Edit::RenameField { from: "note".into(), to: "remark".into() },
        Edit::RenameInGenerated { name: "region".into(), from: "note".into(), to: "remark".into() },
    ];
    assert_eq!(coherent(&before, &apply_all(&renamed, &before).unwrap()), Ok(()));
    // Another column in its place, of another type.
    let mut other = mapped();
    other.properties.insert(format!("{}late", state::CONSTRAINT), "length(note) > 0".into());
    let swap =
        [hide[0].clone(), Edit::AddField { field: column("note", "long", true), physical: "col".into(), at: None }];
    let refused = coherent(&other, &apply_all(&swap, &other).unwrap()).unwrap_err();
    assert!(refused.message.contains("would be long and not string"), "{}", refused.message);
    // Hidden columns are never NULL for nobody, and partition nothing.
    let hide_id = [Edit::HideField { name: "id".into(), hidden: "_tp_0a_id".into() }];
    let refused = coherent(&mapped(), &apply_all(&hide_id, &mapped()).unwrap()).unwrap_err();
    assert!(refused.message.contains("column `id` is never NULL"), "{}", refused.message);
    let by = TableState { partition_by: vec!["note".into()], ..mapped() };
    let refused = coherent(&by, &apply_all(&hide, &by).unwrap()).unwrap_err();
    assert!(refused.message.contains("partitioned by column `note`"), "{}", refused.message);
}

/// Where files stay, a column's values are where its physical name says: a table that has lost its column mapping since would lose them.
#[test]
fn no_column_is_renamed_beside_files_that_know_it_by_its_name() {
    let column = |name: &str| mapped().field(name).unwrap().clone();
    let at = Position { index: 0, after: None };
    let renames = [
        Edit::RenameField { from: "note".into(), to: "remark".into() },
        Edit::HideField { name: "note".into(), hidden: "_tp_0a_note".into() },
    ];
    for edit in renames {
        assert!(apply_in_place(std::slice::from_ref(&edit), &mapped()).is_ok());
        let refused = apply_in_place(std::slice::from_ref(&edit), &plain()).unwrap_err();
        assert!(refused.message.contains("no column mapping any more"), "{refused:?}");
        // Files that are written anew know it by its new name, and what maps the columns first keeps the old one.
        assert!(apply_all(std::slice::from_ref(&edit), &plain()).is_ok());
        assert!(apply_in_place(&[Edit::UpgradeColumnMapping, edit], &plain()).is_ok());
    }
    let mut lost = plain();
    lost.fields.retain(|field| field.name != "note");
    let back = Edit::ReattachField { field: column("note"), at };
    assert!(apply_in_place(&[back], &lost).unwrap_err().message.contains("`note`"));
}
