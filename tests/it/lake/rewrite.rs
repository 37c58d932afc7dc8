//! Backfills and rewrites by the real binary: in batches, with progress, taken up where they were killed; and what the plan sees of rows
//! that are in their way.

use super::Shore;
use serde_json::{Value, json};
use std::path::Path;

const COLUMNS: &[(&str, &str)] = &[("id", "long"), ("kind", "string"), ("amount", "string")];

/// `sales` in four files, ids 1 to 8; with column mapping where `mapped`.
fn lake(mapped: bool, configuration: &Value) -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    let rows = |first: i64| json!([[first, "a", first.to_string()], [first + 1, "b", (first + 1).to_string()]]);
    shore.python.call("create", json!([shore.table("sales"), COLUMNS, rows(1), null, configuration])).unwrap();
    for first in [3, 5, 7] {
        shore.append("sales", COLUMNS, rows(first)).unwrap();
    }
    if mapped {
        shore.release("v1", "steps:\n  map:\n    upgrade_column_mapping: {table: sales}\n");
        shore.ok("ff --yes");
    }
    shore
}

/// The progress lines of a run with `--json`.
fn progress(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "progress").collect()
}

/// The data files in a table's staging folders, and those of their logs.
fn staged(folder: &Path) -> (usize, usize) {
    let (mut data, mut log) = (0, 0);
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inner = staged(&path);
            (data, log) = (data + inner.0, log + inner.1);
        } else if path.parent().unwrap().ends_with("_delta_log") {
            log += 1;
        } else {
            data += 1;
        }
    }
    (data, log)
}

#[test]
fn how_far_it_has_come_is_told() {
    let shore = lake(true, &Value::Null);
    shore.release("v2", "steps:\n  op:\n    change_type: {table: sales, column: amount, type: long}\n");
    let told = progress(&shore.ok("add v2 --json").stdout);
    let last = told.last().unwrap();
    assert_eq!(
        (&last["doing"], &last["files"], &last["of_files"], &last["rows"], &last["of_rows"]),
        (&json!("backfill"), &json!(4), &json!(4), &json!(8), &json!(8)),
        "{told:?}"
    );
    shore.ok("ff");
    let shore = lake(false, &Value::Null);
    shore.release("v2", "steps:\n  op:\n    repartition: {table: sales, partition_by: [kind]}\n");
    shore.ok("add v2");
    let told = progress(&shore.ok("simdrop v2 --json").stdout);
    let last = told.last().unwrap();
    assert_eq!((&last["doing"], &last["files"], &last["rows"]), (&json!("rewrite"), &json!(4), &json!(8)), "{told:?}");
    assert_eq!(shore.query("sales", "SELECT kind, sum(id) FROM t GROUP BY kind ORDER BY kind"), ["a 16", "b 20"]);
}

/// The new column is generated from the start: a batch leaves no file half filled, which its table would not take.
#[test]
fn a_generated_column_is_filled_in_batches() {
    let shore = lake(true, &Value::Null);
    shore.release(
        "v2",
        "steps:\n  op:\n    change_type: {table: sales, column: amount, type: long}\n  more:\n    backfill: {table: sales, set: {kind: upper(kind)}, batch: 2}\n",
    );
    shore.ok("add v2");
    let fills = |step: &str| {
        let history = shore.history("sales");
        history.iter().filter(|commit| commit["triphase"].to_string().contains(&format!("\"{step}\""))).count()
    };
    assert!(fills("more") >= 1);
    shore.ok("simdrop v2");
    assert_eq!(shore.query("sales", "SELECT sum(amount), min(kind), max(kind) FROM t"), ["36 A B"]);
}

/// What is filled with NULL is filled, and is NULL all the same.
#[test]
fn a_column_that_is_filled_with_null_does_not_become_not_null() {
    let shore = lake(true, &Value::Null);
    let column = "{table: sales, column: c, type: string, nullable: false, default: \"NULLIF(kind, 'a')\"}";
    shore.release("v2", &format!("steps:\n  op:\n    add_column: {column}\n"));
    shore.ok("add v2");
    assert_eq!(shore.query("sales", "SELECT count(*), count(c) FROM t"), ["8 4"]);
    shore.ends(1, "simdrop v2").says("column `c` is to be never NULL, and is: 4 rows");
    let fields = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
    let nullable = fields.as_array().unwrap().iter().find(|field| field[0] == "c").unwrap()[2].clone();
    assert_eq!(nullable, json!(true));
}

#[test]
fn a_backfill_in_batches_commits_each() {
    let shore = lake(false, &Value::Null);
    shore.release("v2", "steps:\n  op:\n    backfill: {table: sales, set: {kind: \"'k'\"}, batch: 2, key: id}\n");
    let before = shore.version("sales");
    shore.ok("add v2");
    assert_eq!(shore.version("sales"), before + 6, "the check, four files, and that it is done");
    assert_eq!(shore.query("sales", "SELECT DISTINCT kind FROM t"), ["k"]);
    assert_eq!(staged(&shore.path("lake/sales/triphase-stage")), (4, 0));
}

/// Who follows the feed is told of each row that was filled, before and after.
#[test]
fn a_table_with_a_change_feed_is_filled_row_by_row() {
    let shore = lake(false, &json!({"delta.enableChangeDataFeed": "true"}));
    shore.release("v2", "steps:\n  op:\n    backfill: {table: sales, set: {kind: \"'k'\"}, where: \"id > 6\"}\n");
    shore.ok("add v2");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t WHERE kind = 'k'"), ["2"]);
    assert!(shore.path("lake/sales/_change_data").is_dir(), "the feed was not written");
}

#[test]
fn rows_in_the_way_are_said_by_the_plan() {
    for (operation, says) in [
        ("add_constraint: {table: sales, name: pos, check: id > 2}", "2 rows, for example: {id: 1"),
        ("change_type: {table: sales, column: kind, type: long}", "values of `kind` are no long: 8 rows"),
        ("add_column: {table: sales, column: c, type: long, up: CAST(kind AS bigint)}", "`up`: CAST(kind AS bigint)"),
    ] {
        let shore = lake(true, &Value::Null);
        shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
        let before = shore.everything();
        shore.ends(7, "plan add v2").says(says).says("step `v2/op`");
        let plan: Value = serde_json::from_str(&shore.ends(7, "plan add v2 --json").stdout).unwrap();
        assert_eq!((&plan["findings"][0]["rule"], &plan["findings"][0]["class"]), (&json!("O12"), &json!("guard")));
        assert!(shore.everything() == before, "{operation}: looking changed something");
    }
    // What an earlier step of the same run changes can't be seen yet.
    let shore = lake(true, &Value::Null);
    shore.release(
        "v2",
        "steps:\n  a:\n    backfill: {table: sales, set: {kind: \"'7'\"}}\n  b:\n    change_type: {table: sales, column: kind, type: long}\n",
    );
    shore.ok("plan add v2");
    shore.ok("add v2");
}

/// Killed at every point of a rewrite and of a backfill, and run again: the end is that of a run that nobody killed, and nothing is left.
#[cfg(feature = "failpoints")]
#[test]
fn killed_at_every_point_it_is_taken_up() {
    let ways = [
        (true, "change_type: {table: sales, column: amount, type: long}", vec![], "add v2"),
        (false, "change_type: {table: sales, column: amount, type: long, rewrite: true}", vec!["add v2"], "simdrop v2"),
    ];
    for (mapped, operation, before, line) in ways {
        let prepared = || {
            let shore = lake(mapped, &Value::Null);
            shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
            before.iter().for_each(|line| drop(shore.ok(line)));
            shore
        };
        let end = |shore: &Shore| {
            let columns: Vec<String> = shore.columns("sales");
            let sums: Vec<String> = columns.iter().map(|name| format!("max(CAST(\"{name}\" AS string))")).collect();
            let rows =
                shore.query("sales", &format!("SELECT count(*), count(DISTINCT id), {} FROM t", sums.join(", ")));
            (columns, rows, shore.states("v2", "op"), staged(&shore.path("lake/sales/triphase-stage")))
        };
        let whole = prepared();
        let log = whole.path("points");
        whole.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let expected = end(&whole);
        assert_eq!(expected.3.1, 0, "{line}: the staging folder's log is left");
        let points = std::fs::read_to_string(&log).unwrap();
        let of_rows = |point: &&str| ["group", "adoption", "statement"].iter().any(|word| point.contains(word));
        let mut killed = 0;
        for point in points.lines().filter(of_rows) {
            let (number, name) = point.split_once(' ').unwrap();
            let shore = prepared();
            let run = shore.command(line).var("TRIPHASE_FAILPOINT", number).run();
            assert_eq!(run.code, -9, "{line} at {point}: {run:?}");
            shore.ok("unlock --force");
            shore.ok(line);
            let found = end(&shore);
            assert_eq!((&found.0, &found.1, &found.2), (&expected.0, &expected.1, &expected.2), "{line} after {name}");
            if name != "after an adoption" {
                assert_eq!(found.3, expected.3, "{line} after a kill at {number} {name}: files are left behind");
            }
            killed += 1;
        }
        assert!(killed >= 6, "{killed}: {points}");
    }
}
