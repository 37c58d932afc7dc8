//! Rules of operations and lakes that are promises about others, or questions to a person: kept by the real binary, seen by the other library.

use super::{
    Shore,
    cases::{Kind, same},
    tables::lake,
};
use serde_json::{Value, json};

const COLUMNS: &[(&str, &str)] =
    &[("id", "long"), ("region", "string"), ("amount", "string"), ("note", "string"), ("size", "long")];

/// A lake with the mapped table `sales`, these writers, and a release `v2` of one operation.
fn sales(operation: &'static str, settings: &str, allow_blocking: bool) -> Shore {
    let case = same("sales", &[], "", operation);
    let shore = lake(Kind::Mapped, std::slice::from_ref(&case));
    shore.target(settings);
    if allow_blocking {
        let step = case.step();
        let (key, fields) = step.as_object().unwrap().iter().next().unwrap();
        shore.release("v2", &format!("steps:\n  sales:\n    allow_blocking: true\n    {key}: {fields}\n"));
    }
    shore
}

/// A plain append of delta-rs that knows these columns.
fn appends(shore: &Shore, columns: &[(&str, &str)]) -> Result<Value, String> {
    let of = |name: &str| if name == "id" || name == "size" { json!(77) } else { json!("7") };
    shore.append("sales", columns, json!([columns.iter().map(|(name, _)| of(name)).collect::<Vec<_>>()]))
}

/// D1: what is said to block delta-rs does, and what is said not to does not.
#[test]
fn delta_rs_appends_fail_where_it_was_said_and_nowhere_else() {
    let plain = "add_column: {table: T, column: colour, type: string}";
    let shore = sales(plain, "writers: [spark, delta-rs]\n", false);
    let before = shore.version("sales");
    shore
        .ends(7, "add v2")
        .says("error[D1]")
        .says("appends of delta-rs that omit `colour`")
        .says("allow_blocking: true");
    assert_eq!(shore.version("sales"), before);
    let shore = sales(plain, "writers: [spark, delta-rs]\n", true);
    shore.ok("plan add v2").says("blocking: appends of delta-rs that omit `colour`");
    appends(&shore, COLUMNS).unwrap();
    shore.ok("add v2");
    appends(&shore, COLUMNS).unwrap_err();
    let shore = sales(plain, "", false);
    shore.ok("plan add v2").says("writers: [spark]");

    // The ways round that are named.
    let up = "add_column: {table: T, column: loud, type: string, up: upper(note)}";
    let shore = sales(up, "writers: [delta-rs]\n", false);
    shore.ok("add v2");
    appends(&shore, COLUMNS).unwrap();
    assert_eq!(shore.query("sales", "SELECT loud FROM t WHERE id = 77"), ["7"]);

    let without: Vec<_> = COLUMNS.iter().copied().filter(|(name, _)| *name != "amount").collect();
    let hide = sales("drop_column: {table: T, column: amount}", "writers: [delta-rs]\n", false);
    hide.ends(7, "add v2").says("error[D1]").says("hide: detach");
    let hide = sales("drop_column: {table: T, column: amount}", "writers: [delta-rs]\n", true);
    hide.ok("add v2");
    hide.ok("simdrop v2");
    appends(&hide, &without).unwrap_err();
    let detach = "drop_column: {table: T, column: amount, hide: detach, key: [id]}";
    let shore = sales(detach, "writers: [delta-rs]\n", false);
    shore.ok("add v2");
    shore.ok("simdrop v2");
    appends(&shore, &without).unwrap();
    shore.ok("rollback_simdrop v2");
    assert_eq!(shore.query("sales", "SELECT amount FROM t ORDER BY id"), ["10", "20", "null", "null"]);
}

/// O10: a way back that loses values is not taken by `--yes` alone.
#[test]
fn what_would_be_lost_is_asked_for_by_its_own_name() {
    let shore = sales("change_type: {table: T, column: amount, type: long}", "writers: [spark]\n", false);
    shore.ok("plan add v2").says("without `down`");
    shore.ok("add v2");
    shore.ok("plan simdrop v2").says("way back: lossy");
    shore.ok("simdrop v2");
    let before = shore.version("sales");
    shore.ends(7, "rollback_simdrop v2 --yes").says("--accept-loss");
    assert_eq!(shore.version("sales"), before);
    shore.ok("rollback_simdrop v2 --yes --accept-loss");
    assert_eq!(shore.query("sales", "SELECT amount FROM t ORDER BY id"), ["10", "20", "null"]);
}

/// D8: the upgrade of column mapping is asked about on a target that is not protected, too.
#[test]
fn the_upgrade_of_column_mapping_is_asked_about() {
    let shore = lake(Kind::Plain, &[same("sales", &[], "", "set_comment: {table: T, comment: sold}")]);
    let before = shore.version("sales");
    shore.release("v2", "steps:\n  map:\n    upgrade_column_mapping: {table: sales}\n");
    shore.ends(7, "add v2").says("--yes");
    assert_eq!(shore.version("sales"), before);
    shore.ok("add v2 --yes");
    let mode = shore.python.call("configuration", json!([shore.table("sales")])).unwrap();
    assert_eq!(mode["delta.columnMapping.mode"], "name");
    shore.ends(7, "rollback_add v2 --yes").says("no way back");
}

/// O5, O11: whom an operation binds, and from when on, stands in its plan.
#[test]
fn the_plan_says_who_must_do_what() {
    for (operation, says) in [
        (
            "change_type: {table: T, column: amount, type: long, down: CAST(amount AS string)}",
            &["must take both types", "an old writer whose values cast goes on unnoticed", "only `amount` is written"]
                [..],
        ),
        (
            "change_type: {table: T, column: amount, type: long, as: cents, down: CAST(cents AS string)}",
            &["only `amount` is written and the new column read"][..],
        ),
        ("rename_column: {table: T, column: amount, to: price}", &["only `amount` is written and `price` read"][..]),
        (
            "rename_column: {table: T, column: amount, to: price, strategy: instant}",
            &["the new application must take both names"][..],
        ),
        ("drop_table: {table: T}", &["who reads it by its path goes on until drop"][..]),
    ] {
        let shore = sales(operation, "writers: [spark]\n", false);
        let run = shore.ok("plan add v2");
        for text in says {
            assert!(run.said().contains(text), "{operation} does not say {text:?}: {run:?}");
        }
        let takes_both = operation.starts_with("change_type") && !operation.contains(" as:");
        assert_eq!(run.said().contains("must take both types"), takes_both, "{operation}: {run:?}");
    }
}

/// A constraint that delta-rs made has its names as DataFusion writes them; it goes with its column all the same, and comes back with it.
#[test]
fn constraints_as_delta_rs_writes_them_go_with_their_columns() {
    let names = [("weird name", "it's"), ("select", "from"), ("Mixed", "mixed2")];
    for (column, to) in names {
        for operation in [
            json!({"drop_column": {"table": "t", "column": column}}),
            json!({"rename_column": {"table": "t", "column": column, "to": to}}),
            json!({"rename_column": {"table": "t", "column": column, "to": "A. B", "strategy": "instant"}}),
        ] {
            let shore = Shore::new();
            shore.target("writers: [spark]\n");
            let table = shore.table("t");
            let columns = json!([["id", "long"], [column, "string"]]);
            shore.python.call("create", json!([table, columns, [[1, "a"]]])).unwrap();
            shore.python.call("constrain", json!([table, {"kept": format!("`{column}` <> ''")}])).unwrap();
            let step = |name: &str, operation: &Value| {
                let (key, fields) = operation.as_object().unwrap().iter().next().unwrap();
                format!("steps:\n  {name}:\n    {key}: {fields}\n")
            };
            shore.release("v1", &step("map", &json!({"upgrade_column_mapping": {"table": "t"}})));
            shore.release("v2", &step("op", &operation));
            shore.ok("ff v1 --yes");
            shore.ok("add v2");
            shore.ok("simdrop v2");
            shore
                .python
                .call("update", json!([table, {"id": "id + 1"}]))
                .unwrap_or_else(|e| panic!("{operation}: {e}"));
            shore.ok("rollback_simdrop v2");
            let empty = shore.python.call("put", json!([table, [[{"id": 9, column: ""}]]]));
            assert!(empty.is_err(), "{operation}: the constraint is not back");
            shore.python.call("put", json!([table, [[{"id": 9, column: "b"}]]])).unwrap();
            shore.ok("ff v2");
            shore
                .python
                .call("update", json!([table, {"id": "id + 1"}]))
                .unwrap_or_else(|e| panic!("{operation}: {e}"));
        }
    }
}
