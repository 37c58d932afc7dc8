//! Steps that change one column, and others that change the table between a step's phases: a table never becomes one that nobody can write.

use super::Shore;
use serde_json::json;

/// A lake with the mapped table `sales`, and a release `v2` of steps, each `name: {operation: fields}` without its table.
fn lake(steps: &[(&str, &str, &str)]) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let columns = json!([["id", "long"], ["kind", "string"], ["amount", "string"]]);
    shore.python.call("create", json!([shore.table("sales"), columns, [[1, "a", "10"], [2, "b", "20"]]])).unwrap();
    shore.release("v1", "steps:\n  map:\n    upgrade_column_mapping: {table: sales}\n");
    shore.ok("ff --yes");
    release(&shore, "v2", steps);
    shore
}

fn release(shore: &Shore, version: &str, steps: &[(&str, &str, &str)]) {
    let step = |(name, operation, fields): &(&str, &str, &str)| {
        format!("  {name}: {{{operation}: {{table: sales, {fields}}}}}\n")
    };
    shore.release(version, &format!("steps:\n{}", steps.iter().map(step).collect::<String>()));
}

/// Somebody else can write the table.
fn writable(shore: &Shore, what: &str) {
    let written = shore.python.call("update", json!([shore.table("sales"), {"id": "id + 0"}, "id = 1"]));
    assert!(written.is_ok(), "{what}: {written:?}");
}

const CHECK: (&str, &str, &str) = ("a", "add_constraint", "name: c, check: amount <> 'x'");
const NEVER: (&str, &str, &str) = ("a", "set_not_null", "column: amount");
const BY: (&str, &str, &str) = ("a", "repartition", "partition_by: [amount]");
const INSTANT: (&str, &str, &str) = ("a", "rename_column", "column: amount, to: price, strategy: instant");
const RENAME: (&str, &str, &str) = ("b", "rename_column", "column: amount, to: price");
const LONG: (&str, &str, &str) = ("b", "change_type", "column: amount, type: long, down: CAST(amount AS string)");
const GONE: (&str, &str, &str) = ("b", "drop_column", "column: amount");

#[test]
fn two_steps_of_a_release_that_do_not_go_together_are_refused_while_planning() {
    let shore = lake(&[]);
    for (steps, says) in [
        ([CHECK, RENAME], "constraint `c`"),
        ([CHECK, ("b", INSTANT.1, INSTANT.2)], "constraint `c`"),
        ([CHECK, GONE], "constraint `c`"),
        ([CHECK, LONG], "constraint `c`"),
        ([NEVER, RENAME], "`amount` is never NULL"),
        ([NEVER, LONG], "`amount` is never NULL"),
        ([NEVER, GONE], "`amount` is never NULL"),
        ([BY, GONE], "partitioned by column `amount`"),
        ([BY, LONG], "partitioned by column `amount`"),
        ([INSTANT, ("b", CHECK.1, CHECK.2)], "constraint `c`"),
        ([INSTANT, ("b", NEVER.1, NEVER.2)], "no column `amount`"),
        ([INSTANT, GONE], "no column `amount`"),
        ([INSTANT, ("b", "add_column", "column: n, type: string, generated: upper(amount)")], "`n` is generated from"),
        ([("a", GONE.1, GONE.2), ("b", CHECK.1, CHECK.2)], "constraint `c`"),
    ] {
        release(&shore, "v2", &steps);
        let before = shore.version("sales");
        for line in ["plan add v2", "add v2"] {
            shore.ends(7, line).says(says).says("in a release after");
        }
        assert_eq!(shore.version("sales"), before, "{steps:?}");
    }
}

#[test]
fn two_steps_of_a_release_on_one_column_that_go_together_run() {
    for steps in [
        [("a", RENAME.1, RENAME.2), ("b", "add_constraint", "name: c, check: price <> 'x'")],
        [("a", GONE.1, GONE.2), ("b", "set_comment", "column: amount, comment: old")],
    ] {
        let shore = lake(&steps);
        for line in ["add v2", "simdrop v2", "rollback_simdrop v2", "rollback_add v2", "ff v2"] {
            shore.ok(line);
            writable(&shore, line);
        }
    }
}

/// What others did to the table between add and simdrop is seen before anything is changed.
#[test]
fn what_others_did_since_add_refuses_a_simdrop_that_would_spoil_the_table() {
    for step in [GONE, RENAME, LONG] {
        for (call, args, says) in [
            ("constrain", json!({"late": "amount != ''"}), "constraint `late`"),
            ("never_null", json!("amount"), "`amount` is never NULL"),
        ] {
            let shore = lake(&[step]);
            shore.ok("add v2");
            shore.python.call(call, json!([shore.table("sales"), args])).unwrap();
            let before = shore.version("sales");
            for line in ["plan simdrop v2", "simdrop v2"] {
                shore.ends(7, line).says(says);
            }
            assert_eq!(shore.version("sales"), before, "{step:?} {call}");
            writable(&shore, "after the refusal");
            shore.ok("rollback_add v2");
        }
    }
}

/// A release generates a column from one that an earlier release is yet to rename: the rename is refused while planning, and goes on once
/// that column is taken back.
#[test]
fn a_rename_beside_a_column_that_a_later_release_generates_is_refused_while_planning() {
    for generated in ["generated: upper(amount)", "up: upper(amount)"] {
        let shore = lake(&[INSTANT]);
        shore.ok("add v2");
        release(&shore, "v3", &[("b", "add_column", &format!("column: n, type: string, {generated}"))]);
        shore.ok("add v3");
        let everything = shore.everything();
        for line in ["plan simdrop v2", "simdrop v2"] {
            shore.ends(7, line).says("`n` is generated from").says("or take it back");
        }
        assert!(everything == shore.everything(), "{generated}");
        writable(&shore, generated);
        shore.ok("rollback_add v3");
        shore.ok("simdrop v2");
        assert_eq!(shore.columns("sales"), ["id", "kind", "price"]);
        writable(&shore, generated);
    }
}

/// A later release builds on what an earlier one made: the earlier one can't be taken back under it.
#[test]
fn a_way_back_that_would_spoil_the_table_is_refused() {
    for (first, later, says) in [
        (INSTANT, ("b", "add_column", "column: n, type: string, generated: upper(price)"), "`n` is generated from"),
        (("a", RENAME.1, RENAME.2), ("b", "change_type", "column: price, type: long"), "generated"),
    ] {
        let shore = lake(&[first]);
        shore.ok("add v2");
        shore.ok("simdrop v2");
        release(&shore, "v3", &[later]);
        shore.ok("add v3");
        let before = shore.version("sales");
        for line in ["plan rollback_simdrop v2 --accept-loss", "rollback_simdrop v2 --yes --accept-loss"] {
            shore.ends(7, line).says(says).says("take it back first: triphase rollback_add v3");
        }
        assert_eq!(shore.version("sales"), before);
        writable(&shore, "after the refusal");
        shore.ok("rollback_add v3");
        shore.ok("rollback_simdrop v2");
        writable(&shore, "after the way back");
    }
}

/// A later release takes away what an earlier one still needs: the earlier one goes first, on or back.
#[test]
fn releases_that_overlap_on_one_column_go_in_an_order_that_has_an_end() {
    let price = ("b", "drop_column", "column: price");
    for (first, then, refused) in [
        (
            ("a", RENAME.1, RENAME.2),
            price,
            vec![("simdrop v3", "`_tp_"), ("rollback_simdrop v2", ""), ("simdrop v3", "no way on")],
        ),
        (("a", LONG.1, LONG.2), ("b", GONE.1, GONE.2), vec![("simdrop v3", "`_tp_"), ("rollback_simdrop v2", "")]),
        (
            ("a", GONE.1, GONE.2),
            ("b", "add_column", "column: amount, type: long"),
            vec![("rollback_simdrop v2", "`amount`")],
        ),
    ] {
        let shore = lake(&[first]);
        shore.ok("add v2");
        shore.ok("simdrop v2");
        release(&shore, "v3", &[then]);
        shore.ok("add v3");
        for (line, says) in refused {
            if says.is_empty() {
                shore.ok(line);
            } else {
                let before = shore.version("sales");
                for line in [format!("plan {line}"), line.to_owned()] {
                    shore.ends(7, &line).says(says).says("first: triphase ");
                }
                assert_eq!(shore.version("sales"), before, "{first:?} {line}");
            }
            writable(&shore, line);
        }
        for line in ["simdrop v2", "drop v2", "simdrop v3", "drop v3"] {
            shore.ok(line);
            writable(&shore, line);
        }
        assert_eq!(shore.query("sales", "SELECT id, kind FROM t ORDER BY id"), ["1 a", "2 b"]);
    }
}

/// O1: a table's own expressions are looked at before it is made.
#[test]
fn a_table_whose_expressions_do_not_work_is_not_made() {
    let two = "[{name: id, type: long}, {name: b, type: string}]";
    for (code, fields, says) in [
        (2, format!("columns: {two}, constraints: [{{name: c, check: zz > 1}}]"), "no column `zz`"),
        (2, "columns: [{name: a, type: long, generated: zz + 1}, {name: q, type: long}]".to_owned(), "no column `zz`"),
        (2, format!("columns: {two}, constraints: [{{name: c, check: id > (SELECT 1)}}]"), "a query inside"),
        (2, format!("columns: {two}, constraints: [{{name: c, check: sum(id) > 1}}]"), "`sum` is an aggregate"),
        (2, format!("columns: {two}, constraints: [{{name: c, check: id > > 1}}]"), "can't be read"),
        (2, format!("columns: {two}, partition_by: [b, b]"), "stands here twice"),
        (2, "columns: []".to_owned(), "without columns"),
        (7, format!("columns: {two}, constraints: [{{name: c, check: id + 1}}]"), "constraint `c`"),
        (7, "columns: [{name: a, type: date, generated: q + 1}, {name: q, type: long}]".to_owned(), "column `a`"),
    ] {
        let shore = Shore::new();
        shore.release("v1", &format!("steps:\n  make:\n    create_table: {{table: t, {fields}}}\n"));
        shore.ends(code, "plan add v1").says(says);
        // What a plan finds at a target, the run finds by itself.
        shore.ends(if code == 7 { 1 } else { code }, "add v1").says(says);
        assert!(!shore.path("lake/t").exists(), "{fields}");
    }
}

/// W4 of table names: what a URL would change names no table, wherever it stands.
#[test]
fn names_that_a_url_would_change_are_refused_from_the_file() {
    let shore = Shore::with_sales();
    shore.release("v1", "steps:\n  a: {set_comment: {table: sales, comment: x}}\n");
    shore.ok("ff");
    let before = shore.version("_triphase/ledger");
    for name in ["_tri\\nphase/ledger", "_tri\\tphase/ledger", "we%20ird", "raw\\\\win", "C:\\\\x"] {
        for step in [
            format!("create_table: {{table: \"{name}\", columns: [{{name: id, type: long}}]}}"),
            format!("drop_table: {{table: \"{name}\"}}"),
            format!("add: \"DELETE FROM delta.`{name}`\""),
            format!("add: \"INSERT INTO sales SELECT id, kind, amount FROM delta.`{name}`\""),
        ] {
            shore.release("v2", &format!("steps:\n  t:\n    {step}\n"));
            shore.ends(2, "add v2").says("names no table");
        }
    }
    assert_eq!(shore.version("_triphase/ledger"), before);
}
