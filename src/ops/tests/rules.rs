//! Rules that a golden text does not show by itself.

use super::{super::*, derived, mapped, operation, plain, step};
use crate::model::{Class, Verb};
use crate::ops::state::{HIDDEN, TOMBSTONE};
use serde_json::json;
use std::collections::BTreeSet;

fn with(writers: Option<&[Writer]>, allow_blocking: bool, operation: &Operation) -> Result<Derived, Refusal> {
    let writers: Option<BTreeSet<Writer>> = writers.map(|writers| writers.iter().copied().collect());
    derive(operation, Some(&mapped()), &Setting { step: &step(), writers: writers.as_ref(), allow_blocking })
}

#[test]
fn delta_rs_appends_decide_who_is_blocked() {
    let add = operation("add_column", json!({"table": "sales", "column": "email", "type": "string"}));
    let drop = operation("drop_column", json!({"table": "sales", "column": "note"}));
    for (operation, verb) in [(&add, Verb::Add), (&drop, Verb::Simdrop)] {
        let both = [Writer::Spark, Writer::DeltaRs];
        let refused = with(Some(&both), false, operation).unwrap_err();
        assert_eq!((refused.class, refused.rule), (Class::Guard, "D1"));
        assert!(refused.way_out.contains("allow_blocking: true"), "{}", refused.way_out);
        let allowed = with(Some(&both), true, operation).unwrap();
        assert!(matches!(allowed.handlers[&verb][0].cost(), Cost::Blocking(_)));
        let spark = with(Some(&[Writer::Spark]), false, operation).unwrap();
        assert_eq!(spark.handlers[&verb][0].cost(), Cost::Instant);
        assert!(spark.warnings.iter().all(|text| !text.contains("delta-rs")));
        let unknown = with(None, false, operation).unwrap();
        assert_eq!(unknown.handlers[&verb][0].cost(), Cost::Instant);
        assert!(unknown.warnings.iter().any(|text| text.contains("writers: [spark]")), "{:?}", unknown.warnings);
    }
    let up =
        operation("add_column", json!({"table": "sales", "column": "loud", "type": "string", "up": "upper(note)"}));
    with(Some(&[Writer::DeltaRs]), false, &up).unwrap();
    let detach = json!({"table": "sales", "column": "note", "hide": "detach", "key": ["id"]});
    with(Some(&[Writer::DeltaRs]), false, &operation("drop_column", detach)).unwrap();
}

/// D1: what is generated from the first commit on, and filled in the next, keeps delta-rs from updating rows between the two.
#[test]
fn who_can_not_update_rows_until_they_are_filled_is_said() {
    let said = |derived: &Derived| derived.warnings.iter().any(|text| text.contains("until all rows are filled"));
    let up = json!({"table": "sales", "column": "loud", "type": "string", "up": "upper(note)"});
    let generated = json!({"table": "sales", "column": "loud", "type": "string", "generated": "upper(note)"});
    for (name, fields) in [
        ("change_type", json!({"table": "sales", "column": "amount", "type": "long"})),
        ("rename_column", json!({"table": "sales", "column": "note", "to": "remark"})),
        ("add_column", up),
        ("add_column", generated),
    ] {
        let operation = operation(name, fields);
        for (writers, expected) in [
            (None, true),
            (Some([Writer::Spark, Writer::DeltaRs].as_slice()), true),
            (Some([Writer::Spark].as_slice()), false),
        ] {
            assert_eq!(said(&with(writers, true, &operation).unwrap()), expected, "{name} {writers:?}");
        }
        let empty = TableState { rows: Some(0), ..mapped() };
        assert!(!said(&derived(&operation, Some(&empty)).unwrap()), "{name}: no row is there");
    }
    for (name, fields) in [
        ("rename_column", json!({"table": "sales", "column": "note", "to": "remark", "strategy": "instant"})),
        ("add_column", json!({"table": "sales", "column": "tax", "type": "long", "default": "0"})),
    ] {
        assert!(!said(&with(None, true, &operation(name, fields)).unwrap()), "{name}: nothing is generated");
    }
}

#[test]
fn foreign_features_are_named() {
    let add = operation("add_column", json!({"table": "sales", "column": "email", "type": "string"}));
    for (protocol, said) in [
        (Protocol::legacy(1, 6), "identityColumns"),
        (plain().protocol.with("rowTracking").with("typeWidening"), "rowTracking, typeWidening"),
    ] {
        let refused = derived(&add, Some(&TableState { protocol, ..plain() })).unwrap_err();
        assert_eq!(refused.message, format!("table `sales` has table features that this triphase can't write: {said}"));
    }
    let dead = TableState { protocol: plain().protocol.with(TOMBSTONE), ..plain() };
    assert_eq!(derived(&add, Some(&dead)).unwrap_err(), Refusal::missing("sales"));
    let mut closed = plain();
    closed.properties.insert(HIDDEN.into(), "0a".into());
    assert_eq!(derived(&add, Some(&closed)).unwrap_err().rule, "D4");
    assert_eq!(derived(&add, None).unwrap_err(), Refusal::missing("sales"));
}

#[test]
fn old_protocols_are_raised_by_as_little_as_the_feature_takes() {
    let writer = |feature: &str| plain().protocol.with(feature);
    assert_eq!(writer("checkConstraints"), Protocol::legacy(1, 3));
    assert_eq!(writer("generatedColumns"), Protocol::legacy(1, 4));
    assert_eq!(writer("columnMapping"), Protocol::legacy(2, 5));
    assert_eq!(writer("invariants"), Protocol::legacy(1, 2));
    let named = writer("timestampNtz");
    assert_eq!((named.min_reader_version, named.min_writer_version), (3, 7));
    let features: Vec<_> = named.features().into_iter().collect();
    assert_eq!(features, ["appendOnly", "invariants", "timestampNtz"]);
    assert!(named.with("columnMapping").reader_features.unwrap().contains("columnMapping"));
}

#[test]
fn a_hidden_column_goes_on_being_written_where_that_is_exact() {
    let change = json!({"table": "sales", "column": "amount", "type": "long", "down": "CAST(amount AS string)"});
    let derived = derived(&operation("change_type", change), Some(&mapped())).unwrap();
    let Does::Choose { rows, none, some, .. } = &derived.handlers[&Verb::Simdrop][1].does else { panic!("no choice") };
    assert!(rows.starts_with("(`amount` IS DISTINCT FROM (CAST(`_tp_"), "{rows}");
    assert!(matches!(none.last(), Some(Edit::SetGenerated { .. })));
    assert!(!some.iter().any(|edit| matches!(edit, Edit::SetGenerated { .. })));
}

#[test]
fn a_type_that_changes_without_a_way_back_is_lossy() {
    let label = |fields| {
        let found = derived(&operation("change_type", fields), Some(&mapped())).unwrap();
        found.labels[&Verb::RollbackSimdrop]
    };
    use crate::model::Label;
    assert_eq!(label(json!({"table": "sales", "column": "amount", "type": "long"})), Label::Lossy);
    let both = json!({"table": "sales", "column": "amount", "type": "long", "down": "CAST(amount AS string)"});
    assert_eq!(label(both), Label::Lossless);
    let dropped =
        derived(&operation("drop_column", json!({"table": "sales", "column": "note"})), Some(&mapped())).unwrap();
    assert_eq!(dropped.labels[&Verb::RollbackSimdrop], Label::Lossless);
}

#[test]
fn only_the_upgrade_of_column_mapping_asks() {
    let upgrade = operation("upgrade_column_mapping", json!({"table": "sales"}));
    let found = derived(&upgrade, Some(&plain())).unwrap();
    assert!(found.handlers[&Verb::Add][0].asks() && !found.handlers.contains_key(&Verb::RollbackAdd));
    let already = derived(&upgrade, Some(&mapped())).unwrap();
    assert!(!already.handlers[&Verb::Add][0].asks());
}

#[test]
fn an_edit_that_does_not_fit_says_what_changed() {
    let refused = apply(&Edit::RemoveField { name: "gone".into() }, &plain()).unwrap_err();
    assert_eq!((refused.class, refused.message.as_str()), (Class::Guard, "the table has no column `gone`"));
    let clash = apply(&Edit::RenameField { from: "id".into(), to: "NOTE".into() }, &plain()).unwrap_err();
    assert_eq!(clash.message, "the table has a column `note` already");
}

/// O7: what old writers might break is looked at from add on, and enforced from simdrop on; `enforce: add` says otherwise.
#[test]
fn constraints_are_enforced_from_simdrop_on() {
    let handlers = |name, fields| derived(&operation(name, fields), Some(&mapped())).unwrap().handlers;
    for (name, fields) in [
        ("add_constraint", json!({"table": "sales", "name": "c", "check": "id > 0"})),
        ("set_not_null", json!({"table": "sales", "column": "note"})),
    ] {
        let found = handlers(name, fields);
        let Does::Check { checks } = &found[&Verb::Add][0].does else { panic!("{name} changes something at add") };
        assert!(matches!(checks.last(), Some(Check::NoRows { .. })));
        assert!(found[&Verb::Simdrop].last().is_some_and(|act| act.edits().len() == 1));
    }
    let at_once =
        handlers("add_constraint", json!({"table": "sales", "name": "c", "check": "id > 0", "enforce": "add"}));
    assert_eq!(at_once[&Verb::Add][0].edits().len(), 1);
    assert!(!at_once.contains_key(&Verb::Simdrop));
}

/// O11: who reads the column must take both types, unless `as` gives the new one a name of its own.
#[test]
fn a_type_that_changes_under_its_name_is_said() {
    let warned = |fields| {
        let found = derived(&operation("change_type", fields), Some(&mapped())).unwrap();
        found.warnings.iter().any(|text| text.contains("must take both types"))
    };
    assert!(warned(json!({"table": "sales", "column": "amount", "type": "long"})));
    assert!(!warned(json!({"table": "sales", "column": "amount", "type": "long", "as": "amount_n"})));
}

/// D3: on an unmapped table a column's values would come back with the next column of its name.
#[test]
fn values_of_others_refuse_the_way_back_on_an_unmapped_table() {
    let add = operation("add_column", json!({"table": "sales", "column": "email", "type": "string"}));
    let found = derived(&add, Some(&plain())).unwrap();
    let Does::Commit { checks, edits } = &found.handlers[&Verb::RollbackAdd][0].does else { panic!("no commit") };
    assert!(matches!(&checks[..], [Check::NoRows { rows, .. }] if rows == "`email` IS NOT NULL"));
    assert_eq!(edits, &[Edit::RemoveField { name: "email".into() }]);
}

/// D4: a tombstone before any file goes, and only where nobody else has committed since.
#[test]
fn a_table_is_tombstoned_before_its_files_go() {
    let create = operation("create_table", json!({"table": "t", "columns": [{"name": "a", "type": "long"}]}));
    let drop = operation("drop_table", json!({"table": "sales"}));
    for (found, verb, since) in [
        (derived(&create, None).unwrap(), Verb::RollbackAdd, Verb::Add),
        (derived(&drop, Some(&mapped())).unwrap(), Verb::Drop, Verb::Simdrop),
    ] {
        let [tombstone, delete] = &found.handlers[&verb][..] else { panic!("not two acts") };
        let Does::Commit { checks, edits } = &tombstone.does else { panic!("no commit") };
        assert!(matches!(&checks[..], [Check::NoForeignCommits { since: from, .. }] if *from == since));
        assert_eq!((edits.as_slice(), &delete.does), (&[Edit::Tombstone][..], &Does::Delete));
    }
}

/// D1 in `change_type`: the hidden column must be one that delta-rs appends may leave out, or somebody says that they may fail.
#[test]
fn a_hidden_column_that_is_not_generated_blocks_delta_rs() {
    let lossy = operation("change_type", json!({"table": "sales", "column": "amount", "type": "long"}));
    assert_eq!(with(Some(&[Writer::DeltaRs]), false, &lossy).unwrap_err().rule, "D1");
    let allowed = with(Some(&[Writer::DeltaRs]), true, &lossy).unwrap();
    assert!(matches!(allowed.handlers[&Verb::Simdrop][1].cost(), Cost::Blocking(_)));
    let down = json!({"table": "sales", "column": "amount", "type": "long", "down": "CAST(amount AS string)"});
    let exact = with(Some(&[Writer::DeltaRs]), false, &operation("change_type", down)).unwrap();
    let Does::Commit { checks, edits } = &exact.handlers[&Verb::Simdrop][1].does else { panic!("a choice") };
    assert!(matches!(checks.last(), Some(Check::NoRows { .. })));
    assert!(matches!(edits.last(), Some(Edit::SetGenerated { .. })));
}

/// What came between the backfill and the commit that needs it is filled by that commit: a handler that is resumed does not go back.
#[test]
fn a_commit_that_needs_all_rows_filled_fills_the_last_ones() {
    let rename = operation("rename_column", json!({"table": "sales", "column": "note", "to": "remark"}));
    let up = operation("set_not_null", json!({"table": "sales", "column": "note", "up": "''"}));
    for operation in [&rename, &up] {
        let found = derived(operation, Some(&mapped())).unwrap();
        let [fill, commit] = &found.handlers[&Verb::Simdrop][..] else { panic!("not two acts") };
        let (Does::Backfill { set, rows, .. }, Does::Commit { checks, .. }) = (&fill.does, &commit.does) else {
            panic!()
        };
        assert_eq!(checks[0], Check::Filled { set: set.clone(), rows: rows.clone() });
    }
}

/// A column inside a new one keeps its own name in the files: nothing can come back below a name that is new.
#[test]
fn columns_inside_a_new_one_get_ids_of_their_own() {
    let add = operation(
        "add_column",
        json!({"table": "sales", "column": "who", "type": "struct<id:long,names:array<struct<a:int>>>"}),
    );
    let found = derived(&add, Some(&mapped())).unwrap();
    let state = apply_all(found.handlers[&Verb::Add][0].edits(), &mapped()).unwrap();
    let field = state.fields.last().unwrap();
    assert!(field.physical().starts_with("col_") && field.physical().ends_with("_8"), "{}", field.physical());
    let mut inner = vec![];
    field.data_type.clone().inner_mut(&mut |f| inner.push((f.id().unwrap(), f.physical().to_owned())));
    assert_eq!(inner, [(9, "id".to_owned()), (10, "names".to_owned()), (11, "a".to_owned())]);
    assert_eq!(state.properties["delta.columnMapping.maxColumnId"], "11");
}

#[test]
fn delta_rs_reads_generated_names_as_sql() {
    let named = |column: &str| operation("rename_column", json!({"table": "sales", "column": "note", "to": column}));
    for name in ["Remark", "a.b"] {
        let refused = with(Some(&[Writer::Spark]), false, &named(name)).unwrap_err();
        assert_eq!((refused.class, refused.rule), (Class::Guard, "O12"));
        assert!(refused.way_out.contains("strategy: instant"), "{}", refused.way_out);
    }
    // Another column of such a name keeps delta-rs from appending.
    let mut state = plain();
    state.fields[1].name = "Region".into();
    crate::ops::apply::map_columns(&mut state);
    let ask = |writers: &[Writer], allow_blocking| {
        let writers: BTreeSet<Writer> = writers.iter().copied().collect();
        derive(&named("remark"), Some(&state), &Setting { step: &step(), writers: Some(&writers), allow_blocking })
    };
    ask(&[Writer::Spark], false).unwrap();
    ask(&[Writer::DeltaRs], true).unwrap();
    let refused = ask(&[Writer::DeltaRs], false).unwrap_err();
    assert_eq!(refused.rule, "D1");
    assert!(refused.message.contains("`Region`"), "{}", refused.message);
}

#[test]
fn a_table_that_is_append_only_keeps_its_rows() {
    let mut state = mapped();
    state.properties.insert(crate::ops::state::APPEND_ONLY.into(), "true".into());
    let ask = |name: &str, fields| derived(&operation(name, fields), Some(&state));
    let refused = ask("backfill", json!({"table": "sales", "set": {"note": "'x'"}})).unwrap_err();
    assert!(refused.way_out.contains("set_properties"), "{}", refused.way_out);
    ask("repartition", json!({"table": "sales", "partition_by": ["region"]})).unwrap();
    ask("add_column", json!({"table": "sales", "column": "email", "type": "string"})).unwrap();
}

#[test]
fn what_a_table_keeps_longer_is_not_shortened() {
    let detach = json!({"table": "sales", "column": "note", "hide": "detach", "key": ["id"]});
    let key = "delta.deletedFileRetentionDuration";
    for (kept, set, said) in [
        ("interval 9600 hours", false, false),
        ("interval 53 weeks", false, false),
        ("interval 30 days", true, false),
        ("interval 12 months", false, true),
    ] {
        let mut state = mapped();
        state.properties.insert(key.into(), kept.into());
        let derived = derived(&operation("drop_column", detach.clone()), Some(&state)).unwrap();
        let edits = derived.handlers[&Verb::Simdrop].iter().flat_map(Act::edits);
        let sets = edits.filter(|edit| matches!(edit, Edit::SetProperty { key: found, .. } if found == key)).count();
        assert_eq!(sets == 1, set, "{kept}");
        assert_eq!(
            derived.warnings.iter().any(|text| text.contains("can't count")),
            said,
            "{kept}: {:?}",
            derived.warnings
        );
    }
}
