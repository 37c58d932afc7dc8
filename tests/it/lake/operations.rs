//! Every operation through every handler, on plain, partitioned and mapped tables, with rows written by the other library at each point.

use super::Shore;
use serde_json::{Value, json};

/// How the table is made.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Partitioned,
    Mapped,
}

/// A lake with `sales` (id, kind, amount as text), and a release `v2` of one operation.
fn lake(kind: Kind, operation: &str) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let partition_by = if kind == Kind::Partitioned { json!(["kind"]) } else { Value::Null };
    let columns = json!([["id", "long"], ["kind", "string"], ["amount", "string"]]);
    let rows = json!([[1, "a", "10"], [2, "b", "20"], [3, "c", null]]);
    shore.python.call("create", json!([shore.table("sales"), columns, rows, partition_by])).unwrap();
    if kind == Kind::Mapped {
        shore.release("v1", "steps:\n  map:\n    upgrade_column_mapping: {table: sales}\n");
        shore.ok("ff --yes");
    }
    shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
    shore
}

/// The columns and types as they stand, `name type` each; what triphase hides is left out.
fn shape(shore: &Shore) -> Vec<String> {
    let fields = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
    let of = |field: &Value| format!("{} {}", field[0].as_str().unwrap(), field[1].as_str().unwrap());
    fields.as_array().unwrap().iter().map(of).filter(|text| !text.starts_with("_tp_")).collect()
}

/// Writes one more row, every column of the table named, as a writer does that looks at the table first; generated columns get what
/// their expression says only where the row can say it, so they are left to be `NULL`-free text of the amount.
fn write(shore: &Shore, id: i64) {
    let fields = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
    let names: Vec<String> =
        fields.as_array().unwrap().iter().map(|field| field[0].as_str().unwrap().to_owned()).collect();
    // Whoever may leave a column out does: MERGE fills it.
    let known = |name: &str| matches!(name, "id" | "kind" | "amount" | "price");
    let given: Vec<&String> = names.iter().filter(|name| known(name)).collect();
    shore.python.call("merge_insert", json!([shore.table("sales"), given, id])).unwrap();
}

/// add → rollback_add → add → simdrop → rollback_simdrop → simdrop → drop, a row written after each.
fn cycle(kind: Kind, operation: &str) -> Shore {
    let shore = lake(kind, operation);
    let before = shape(&shore);
    let mut written = 100;
    let mut row = || {
        written += 1;
        write(&shore, written);
    };
    let ids = |shore: &Shore| shore.query("sales", "SELECT count(*), count(DISTINCT id) FROM t")[0].clone();
    shore.ok("add v2 --yes");
    row();
    shore.ok("rollback_add v2 --yes");
    assert_eq!(shape(&shore), before, "{operation}: rollback_add gives the schema back (O6)");
    row();
    shore.ok("add v2 --yes");
    row();
    let added = shape(&shore);
    shore.ok("simdrop v2 --yes");
    row();
    shore.ok("rollback_simdrop v2 --yes --accept-loss");
    assert_eq!(shape(&shore), added, "{operation}: rollback_simdrop gives back what add made");
    row();
    shore.ok("simdrop v2 --yes");
    row();
    shore.ok("drop v2 --yes");
    row();
    assert_eq!(ids(&shore), "10 10", "{operation}: a row was lost, or came twice");
    let left: Vec<String> = shore.columns("sales").into_iter().filter(|name| name.starts_with("_tp_")).collect();
    assert!(left.is_empty(), "{operation}: {left:?} is left after drop (O9)");
    shore.ok("check");
    shore
}

fn amounts(shore: &Shore, column: &str) -> Vec<String> {
    shore.query("sales", &format!("SELECT id, {column} FROM t WHERE id < 100 ORDER BY id"))
}

#[test]
fn add_column_with_a_default() {
    for kind in [Kind::Plain, Kind::Partitioned, Kind::Mapped] {
        let shore = cycle(kind, "add_column: {table: sales, column: colour, type: string, default: \"'red'\"}");
        assert_eq!(amounts(&shore, "colour"), ["1 red", "2 red", "3 red"]);
    }
}

#[test]
fn drop_column_hides_and_keeps_the_values() {
    let shore = cycle(Kind::Mapped, "drop_column: {table: sales, column: amount}");
    assert_eq!(shape(&shore), ["id long", "kind string"]);
    let shore = cycle(Kind::Plain, "drop_column: {table: sales, column: amount, rewrite: true}");
    assert_eq!(shape(&shore), ["id long", "kind string"]);
}

#[test]
fn rename_column_both_ways() {
    let shore = cycle(Kind::Mapped, "rename_column: {table: sales, column: amount, to: price, strategy: instant}");
    assert_eq!(amounts(&shore, "price"), ["1 10", "2 20", "3 null"]);
}

#[test]
fn change_type_on_a_mapped_table() {
    let operation =
        "change_type: {table: sales, column: kind, type: long, up: CAST(ascii(kind) AS bigint), down: chr(kind)}";
    let shore = lake(Kind::Mapped, operation);
    for line in ["add v2", "simdrop v2", "rollback_simdrop v2 --accept-loss"] {
        shore.ok(line);
    }
    assert_eq!(amounts(&shore, "kind"), ["1 a", "2 b", "3 c"]);
    shore.ok("ff v2");
    assert_eq!(shape(&shore), ["id long", "kind long", "amount string"]);
    assert_eq!(amounts(&shore, "kind"), ["1 97", "2 98", "3 99"]);
}

#[test]
fn repartition_writes_the_files_anew() {
    for kind in [Kind::Plain, Kind::Mapped] {
        let shore = cycle(kind, "repartition: {table: sales, partition_by: [kind]}");
        assert_eq!(shore.python.call("partitions", json!([shore.table("sales")])).unwrap(), json!(["kind"]));
        assert_eq!(amounts(&shore, "amount"), ["1 10", "2 20", "3 null"]);
    }
}

#[test]
fn constraints_comments_properties() {
    for operation in [
        "add_constraint: {table: sales, name: pos, check: id > 0}",
        "set_not_null: {table: sales, column: id}",
        "set_comment: {table: sales, column: kind, comment: what it is}",
        "set_properties: {table: sales, properties: {my.key: v}}",
    ] {
        cycle(Kind::Plain, operation);
    }
}

#[test]
fn tables_are_made_and_dropped() {
    let shore = lake(
        Kind::Plain,
        "create_table: {table: raw/new, columns: [{name: id, type: long}, {name: weird name, type: string}]}",
    );
    shore.ok("add v2");
    assert_eq!(shore.columns("raw/new"), ["id", "weird name"]);
    shore.ok("rollback_add v2");
    assert!(!shore.path("lake/raw/new/_delta_log/00000000000000000000.json").exists());
    shore.ok("ff v2");
    shore.append("raw/new", &[("id", "long"), ("weird name", "string")], json!([[1, "x"]])).unwrap();
    shore.release("v3", "steps:\n  gone:\n    drop_table: {table: sales}\n");
    shore.ok("add v3");
    shore.ok("simdrop v3");
    let refused =
        shore.append("sales", &[("id", "long"), ("kind", "string"), ("amount", "string")], json!([[9, "x", "1"]]));
    assert!(refused.is_err(), "a hidden table was written");
    shore.ok("rollback_simdrop v3");
    write(&shore, 9);
    shore.ok("ff v3");
    assert!(!shore.path("lake/sales/_delta_log/00000000000000000000.json").exists());
}

#[test]
fn rows_in_the_way_are_counted_and_shown() {
    for (operation, says) in [
        ("add_constraint: {table: sales, name: pos, check: id > 2}", "2 rows, for example: {id: 1"),
        ("change_type: {table: sales, column: kind, type: long}", "values of `kind` are no long: 3 rows"),
        ("set_not_null: {table: sales, column: amount}", "1 row"),
    ] {
        let shore = lake(Kind::Mapped, operation);
        let (version, before) = (shore.version("sales"), shape(&shore));
        let run = shore.run("add v2").says(says);
        assert!([1, 7].contains(&run.code), "{run:?}");
        assert_eq!((shore.version("sales"), shape(&shore)), (version, before), "{operation}");
    }
}

#[test]
fn what_the_lake_holds_refuses_before_anything_runs() {
    for (operation, says) in [
        ("add_column: {table: nowhere, column: c, type: long}", "there is no table `nowhere`"),
        ("add_column: {table: sales, column: kind, type: long}", "kind"),
        ("drop_column: {table: sales, column: amount}", "upgrade_column_mapping"),
        ("create_index: {table: sales, name: i, columns: [id]}", "create_index"),
    ] {
        let shore = lake(Kind::Plain, operation);
        let run = shore.run("add v2").says(says);
        assert!([2, 7].contains(&run.code), "{run:?}");
        assert_eq!(shore.version("sales"), 0, "{operation}");
        assert!(!shore.path("lake/_triphase/ledger").exists(), "{operation}");
    }
}

/// H1: a constraint is validated at the version that its commit follows, whoever appends meanwhile.
#[test]
fn a_constraint_is_never_over_a_row_that_violates_it() {
    let shore = lake(Kind::Plain, "add_constraint: {table: sales, name: pos, check: id > 0}");
    shore.ok("add v2");
    let columns = [("id", "long"), ("kind", "string"), ("amount", "string")];
    let (run, appended) = std::thread::scope(|scope| {
        let command = shore.command("simdrop v2");
        let run = scope.spawn(move || command.run());
        let mut appended = 0;
        while !run.is_finished() && appended < 300 {
            let id = if appended == 3 { -5 } else { 1000 + appended };
            if shore.append("sales", &columns, json!([[id, "w", "1"]])).is_ok() {
                appended += 1;
            } else {
                break;
            }
        }
        (run.join().unwrap(), appended)
    });
    let violating = shore.query("sales", "SELECT count(*) FROM t WHERE id <= 0")[0].clone();
    let configuration = shore.python.call("configuration", json!([shore.table("sales")])).unwrap();
    let constrained = configuration.get("delta.constraints.pos").is_some();
    assert_eq!(constrained, run.code == 0, "{run:?}");
    assert!(!(constrained && violating != "0"), "{violating} rows violate the constraint after {appended} appends");
}

/// H2: files written anew take what others append meanwhile along.
#[test]
fn a_rewrite_takes_along_what_is_appended_meanwhile() {
    let shore = lake(Kind::Plain, "repartition: {table: sales, partition_by: [kind]}");
    shore.ok("add v2");
    let columns = [("id", "long"), ("kind", "string"), ("amount", "string")];
    let (run, appended) = std::thread::scope(|scope| {
        let command = shore.command("simdrop v2");
        let run = scope.spawn(move || command.run());
        let mut appended = 0;
        while !run.is_finished() && appended < 300 {
            if shore.append("sales", &columns, json!([[1000 + appended, "w", "1"]])).is_ok() {
                appended += 1;
            }
        }
        (run.join().unwrap(), appended)
    });
    assert_eq!(run.code, 0, "{run:?}");
    let count = shore.query("sales", "SELECT count(*), count(DISTINCT id) FROM t")[0].clone();
    assert_eq!(count, format!("{0} {0}", appended + 3));
}

/// Writers are held to a generated column's expression: what the column can't hold would never be equal to it.
#[test]
fn what_a_column_does_not_hold_to_the_letter_is_not_generated() {
    let price =
        |up: &str| format!("add_column: {{table: sales, column: price, type: \"decimal(10,2)\", up: \"{up}\"}}");
    let shore = lake(Kind::Mapped, &price("CAST(amount AS double) * 1.0755"));
    let version = shore.version("sales");
    let run = shore.run("add v2").says("write CAST(… AS decimal(10,2))");
    assert!([1, 7].contains(&run.code), "{run:?}");
    assert_eq!(shore.version("sales"), version);
    let shore = lake(Kind::Mapped, &price("CAST(CAST(amount AS double) * 1.0755 AS decimal(10,2))"));
    shore.ok("add v2");
    assert_eq!(amounts(&shore, "CAST(price AS varchar)"), ["1 10.76", "2 21.51", "3 null"]);
}

/// Another tool takes the table back to before its columns were mapped: a name is where the values are then, and keeps them.
#[test]
fn a_table_whose_mapping_is_gone_loses_no_values() {
    for operation in [
        "rename_column: {table: sales, column: amount, to: price, strategy: instant}",
        "drop_column: {table: sales, column: amount}",
    ] {
        let shore = lake(Kind::Mapped, operation);
        shore.ok("add v2");
        shore.python.call("restore", json!([shore.table("sales"), 0])).unwrap();
        let everything = shore.everything();
        for line in ["plan simdrop v2", "simdrop v2"] {
            shore.ends(7, line).says("[O4]").says("no column mapping any more");
        }
        assert!(everything == shore.everything(), "{operation}: neither table nor ledger is changed");
        assert_eq!(shore.states("v2", "op"), "done pending pending");
        shore.ok("rollback_simdrop v2").says("nothing to do");
        shore.ok("rollback_add v2");
        assert_eq!(shore.states("v2", "op"), "rolled_back pending pending");
        assert_eq!(shore.query("sales", "SELECT amount FROM t ORDER BY id"), ["10", "20", "null"]);
    }
}

/// What comes next of a step has nothing to go on from in another table than the one that it has changed: that is said before anything.
#[test]
fn a_table_that_is_gone_or_another_than_the_step_has_changed_is_refused_beforehand() {
    let add = "add_column: {table: sales, column: price, type: string, up: amount}";
    let retype = "change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}";
    let constrain = "add_constraint: {table: sales, name: pos, check: id > 0}";
    let detach = "drop_column: {table: sales, column: kind, hide: detach, key: [id]}";
    for (operation, forth, next, back) in [
        (add, &["add v2"][..], "simdrop v2", "rollback_add v2"),
        (retype, &["add v2"], "simdrop v2", "rollback_add v2"),
        (constrain, &["add v2", "simdrop v2"], "drop v2", "rollback_simdrop v2"),
        (detach, &["add v2", "simdrop v2"], "drop v2", "rollback_simdrop v2"),
    ] {
        for again in [false, true] {
            let shore = lake(Kind::Mapped, operation);
            for line in forth {
                shore.ok(line);
            }
            std::fs::rename(shore.path("lake/sales"), shore.path("sales")).unwrap();
            if again {
                let columns = json!([["id", "long"], ["kind", "string"], ["amount", "string"]]);
                shore.python.call("create", json!([shore.table("sales"), columns, [[7, "a", "70"]]])).unwrap();
            }
            let said = if again { "table `sales` is another one than its" } else { "table `sales`, which its" };
            let everything = shore.everything();
            // What has nothing to run touches no table.
            let runs = |line: &str| !shore.run(&format!("plan {line}")).stdout.contains("(empty)");
            for line in [next, back].into_iter().filter(|line| runs(line)) {
                for line in [format!("plan {line}"), format!("{line} --yes")] {
                    let run = shore.ends(7, &line);
                    run.says("[O12]").says(said).says("triphase repair");
                }
            }
            assert!(everything == shore.everything(), "{operation}");
        }
    }
}

/// So is what a killed run has left half done of it; what takes an add back finds nothing to do.
#[cfg(feature = "failpoints")]
#[test]
fn a_table_that_is_gone_is_refused_where_a_step_is_half_done() {
    let retype = "change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}";
    for (forth, killed, back) in
        [(&[][..], "add v2", "rollback_add v2"), (&["add v2"], "simdrop v2", "rollback_simdrop v2")]
    {
        let half = |point: &str| {
            let shore = lake(Kind::Mapped, retype);
            for line in forth {
                shore.ok(line);
            }
            let log = shore.path("points");
            let command = shore.command(killed);
            let run = command.var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).var("TRIPHASE_FAILPOINT", point);
            let code = run.run().code;
            (shore, code, std::fs::read_to_string(log).unwrap_or_default())
        };
        let (_, _, points) = half("none");
        let mut statements = points.lines().filter(|point| point.ends_with("before a statement"));
        let (number, _) = statements.nth(1).unwrap().split_once(' ').unwrap();
        let (shore, code, _) = half(number);
        assert_eq!(code, -9);
        shore.run("unlock --force");
        std::fs::rename(shore.path("lake/sales"), shore.path("sales")).unwrap();
        let refused = |line: &str| {
            for line in [format!("plan {line}"), format!("{line} --yes")] {
                shore.ends(7, &line).says("table `sales`, which its").says("is gone").says("triphase repair");
            }
        };
        refused(killed);
        if back == "rollback_add v2" {
            shore.ok(back);
            assert_eq!(shore.states("v2", "op"), "rolled_back pending pending");
        } else {
            refused(back);
            shore.ok("repair undone v2/op simdrop --reason so");
            shore.ok("repair undone v2/op add --reason so");
        }
    }
}

/// The words that such a refusal names are the way out.
#[test]
fn a_step_whose_table_is_gone_is_said_to_be_done_or_undone() {
    for (line, word, then) in [
        ("simdrop v2", "repair done v2/op simdrop --reason so", "done done pending"),
        ("rollback_add v2", "repair undone v2/op add --reason so", "pending pending pending"),
    ] {
        let shore = lake(Kind::Plain, "add_column: {table: sales, column: price, type: string, up: amount}");
        shore.ok("add v2");
        std::fs::rename(shore.path("lake/sales"), shore.path("sales")).unwrap();
        shore.ends(7, line).says(&word.replace(" so", " …"));
        shore.ok(word);
        assert_eq!(shore.states("v2", "op"), then);
        if then.starts_with("pending") {
            // On a table that is made anew the step begins anew.
            let columns = json!([["id", "long"], ["kind", "string"], ["amount", "string"]]);
            shore.python.call("create", json!([shore.table("sales"), columns, [[7, "a", "70"]]])).unwrap();
            shore.ok("add v2");
            assert_eq!(shore.query("sales", "SELECT price FROM t"), ["70"]);
        }
    }
}

/// A table whose rows may not be changed refuses what would change them, before anything is committed.
#[test]
fn a_table_that_is_append_only_refuses_what_changes_rows() {
    for (operation, refused) in [
        ("add_column: {table: sales, column: colour, type: string, default: \"'red'\"}", true),
        ("backfill: {table: sales, set: {kind: \"'x'\"}}", true),
        ("drop_column: {table: sales, column: kind, rewrite: true}", true),
        ("set_not_null: {table: sales, column: kind, up: \"'x'\"}", true),
        ("add_column: {table: sales, column: colour, type: string}", false),
        ("repartition: {table: sales, partition_by: [kind]}", false),
        ("add_constraint: {table: sales, name: pos, check: id > 0}", false),
    ] {
        let shore = Shore::new();
        shore.target("writers: [spark]\n");
        let columns = json!([["id", "long"], ["kind", "string"]]);
        let properties = json!({"delta.appendOnly": "true"});
        shore
            .python
            .call("create", json!([shore.table("sales"), columns, [[1, "a"]], Value::Null, properties]))
            .unwrap();
        shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
        if refused {
            shore.ends(7, "add v2").says("delta.appendOnly: false");
            assert_eq!(shore.version("sales"), 0, "{operation}");
        } else {
            shore.ok("ff v2");
        }
    }
}

/// A column is detached only where its key finds every value again.
#[test]
fn a_key_that_does_not_tell_rows_apart_detaches_nothing() {
    for (key, says) in [("kind", "2 rows, for example: {id: "), ("amount", "1 row: {id: 3, ")] {
        let operation = format!("drop_column: {{table: sales, column: id, hide: detach, key: [{key}]}}");
        let shore = lake(Kind::Mapped, &operation);
        shore.python.call("merge_insert", json!([shore.table("sales"), ["id", "kind", "amount"], 4])).unwrap();
        shore.python.call("update", json!([shore.table("sales"), {"kind": "'a'"}, "id = 4"])).unwrap();
        shore.ok("add v2");
        let version = shore.version("sales");
        let run = shore.run("simdrop v2").says("does not tell all rows apart").says(says);
        assert!([1, 7].contains(&run.code), "{run:?}");
        assert_eq!((shore.version("sales"), shape(&shore).len()), (version, 3));
    }
}

/// A value whose partition's folder no file system can name is refused by name, before the library meets it.
#[test]
fn a_partition_that_no_folder_can_be_named_for_is_refused_by_its_value() {
    let columns = json!([["id", "long"], ["size", "double"], ["kind", "string"]]);
    let long = "x".repeat(300);
    let rows = |size: f64, kind: &str| json!([[1, 1.5, "a"], [2, size, kind]]);
    let refused = |shore: &Shore, line: &str, says: &str| {
        let run = shore.ends(1, line);
        run.says(says).says("by which the table is partitioned").hides("panicked");
    };
    for (column, rows, says) in
        [("size", rows(1e300, "b"), "1e300"), ("size", rows(1e-300, "b"), "1e-300"), ("kind", rows(2.5, &long), "xxx…")]
    {
        let shore = Shore::new();
        shore.python.call("create", json!([shore.table("sales"), columns, rows])).unwrap();
        shore.release("v1", &format!("steps:\n  op:\n    repartition: {{table: sales, partition_by: [{column}]}}\n"));
        shore.ok("add v1");
        let version = shore.version("sales");
        refused(&shore, "simdrop v1", says);
        assert_eq!((shore.version("sales"), shore.columns("sales").len()), (version, 3));
    }
    for (by, statement, says) in [
        ("size", "INSERT INTO sales VALUES (9, 1e300, 'x')", "1e300"),
        ("size", "UPDATE sales SET size = size * 1e300 WHERE id = 2", "2.5e300"),
        (
            "size",
            "MERGE INTO sales AS t USING (SELECT 9 AS n) AS s ON t.id = s.n WHEN NOT MATCHED THEN INSERT (id, size) VALUES (s.n, -1e300)",
            "-1e300",
        ),
        ("kind", "UPDATE sales SET kind = repeat('x', 300)", "xxx…"),
    ] {
        let shore = Shore::new();
        shore.python.call("create", json!([shore.table("sales"), columns, rows(2.5, "b"), [by]])).unwrap();
        shore.release("v1", &format!("steps:\n  op:\n    add: \"{statement}\"\n  fits:\n    add: UPDATE sales SET size = 1e30, kind = 'it''s' WHERE id = 2\n"));
        refused(&shore, "add v1", says);
        assert_eq!(shore.version("sales"), 0);
        shore.ok("add v1/fits --out-of-order");
        assert_eq!(shore.query("sales", "SELECT id FROM t WHERE size = 1e30 AND kind = 'it''s'"), ["2"]);
    }
}
