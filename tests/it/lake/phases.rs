//! Handlers in SQL on Delta tables, through every command.

use super::{SALES, Shore};
use serde_json::{Value, json};

const V1: &str = "
steps:
  fix:
    add:
      - expect: SELECT count(*) = 3 FROM sales
      - UPDATE sales SET amount = amount + 1 WHERE id >= 2
      - INSERT INTO sales (kind, id) VALUES ('d', 4)
    simdrop: DELETE FROM sales AS s WHERE s.id = 1
    drop: UPDATE sales SET amount = 0 WHERE id = 99
    rollback_simdrop: INSERT INTO sales VALUES (1, 'a', 10)
    rollback_add:
      - DELETE FROM sales WHERE id = 4
      - UPDATE sales SET amount = amount - 1 WHERE id >= 2
";

const ALL: &str = "SELECT id, kind, amount FROM t ORDER BY id";

#[test]
fn every_phase_and_back() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("add v1");
    assert_eq!(shore.query("sales", ALL), ["1 a 10", "2 b 21", "3 c 31", "4 d null"]);
    assert_eq!(shore.states("v1", "fix"), "done pending pending");
    shore.ok("simdrop v1");
    assert_eq!(shore.query("sales", ALL), ["2 b 21", "3 c 31", "4 d null"]);
    shore.ok("rollback_simdrop v1");
    shore.ok("rollback_add v1");
    assert_eq!(shore.query("sales", ALL), ["1 a 10", "2 b 20", "3 c 30"]);
    assert_eq!(shore.states("v1", "fix"), "rolled_back rolled_back pending");
    shore.ok("ff v1");
    assert_eq!(shore.states("v1", "fix"), "done done done");
    assert_eq!(shore.query("sales", ALL), ["2 b 21", "3 c 31", "4 d null"]);
    shore.ok("check");
    assert!(shore.ok("history").stdout.contains("rollback_simdrop v1/fix"));
    assert!(shore.ok("current").stdout.contains("v1"));
}

#[test]
fn each_commit_carries_its_own_evidence() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    // `drop` changes no row, and commits its evidence alone.
    let commits: Vec<Value> = shore.history("sales").into_iter().rev().skip(1).collect();
    let said: Vec<String> = commits
        .iter()
        .map(|commit| {
            let info = &commit["triphase"];
            assert!(info["run"].as_str().is_some_and(|run| run.len() == 26), "{commit}");
            format!("{}/{} {} {}", info["release"], info["step"], info["phase"], info["statement"]).replace('"', "")
        })
        .collect();
    assert_eq!(said, ["v1/fix add 2", "v1/fix add 3", "v1/fix simdrop 1", "v1/fix drop 1"]);
    let txn = shore.python.call("txn", json!([shore.table("sales"), "triphase/v1/fix"])).unwrap().as_i64().unwrap();
    assert_eq!(txn % 100, 31, "the last is `drop`, and ends it");
}

#[test]
fn merge_and_tables_in_folders() {
    let shore = Shore::with_sales();
    shore.create("raw/events", &[("id", "long"), ("kind", "string")], json!([[2, "new"], [7, "seven"]]));
    shore.release(
        "v1",
        "
steps:
  merge:
    add:
      - |
        MERGE INTO sales AS s USING raw.events AS e ON s.id = e.id
        WHEN MATCHED THEN UPDATE SET kind = e.kind
        WHEN NOT MATCHED THEN INSERT (id, kind, amount) VALUES (e.id, e.kind, 0)
        WHEN NOT MATCHED BY SOURCE AND s.id = 3 THEN DELETE
      - INSERT INTO delta.`raw/events` SELECT id + 100, upper(kind) FROM sales WHERE id = 1
      - expect: SELECT count(*) FROM delta.`raw/events` AS e JOIN sales AS s ON s.id = e.id
",
    );
    shore.ok("ff");
    assert_eq!(shore.query("sales", ALL), ["1 a 10", "2 new 20", "7 seven 0"]);
    assert_eq!(shore.query("raw/events", "SELECT id, kind FROM t ORDER BY id"), ["2 new", "7 seven", "101 A"]);
}

#[test]
fn what_only_reads_creates_and_changes_nothing() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    for round in ["without a ledger", "with one"] {
        let before = shore.everything();
        for line in ["show", "show --json", "history", "current", "plan ff", "sql ff", "ff --noop"] {
            shore.ok(line);
        }
        shore.run("check");
        assert!(before == shore.everything(), "something has changed {round}");
        shore.ok("add v1");
    }
}

#[test]
fn the_script_names_the_actions_of_each_commit() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    let script = shore.ok("sql add v1").stdout;
    for says in [
        "commit to `sales`",
        "UPDATE sales SET amount",
        "txn: appId triphase/v1/fix, version <attempt>11",
        "ledger: v1/fix add done",
    ] {
        assert!(script.contains(says), "{says} in\n{script}");
    }
    // D2: the last statement of a handler is told apart.
    let versions: Vec<&str> =
        script.lines().filter_map(|line| line.split_once("version <attempt>")).map(|(_, n)| n).collect();
    assert_eq!(versions, ["10", "11"], "{script}");
}

#[test]
fn a_failing_statement_is_recorded_and_goes_on_where_it_stopped() {
    let shore = Shore::with_sales();
    let release =
        |second: &str| format!("steps:\n  s:\n    add:\n      - UPDATE sales SET amount = 7\n      - {second}\n");
    shore.release("v1", &release("expect: SELECT count(*) = 99 FROM sales"));
    shore.ends(1, "ff").says("found false");
    assert_eq!(shore.states("v1", "s"), "failed pending pending");
    let version = shore.version("sales");
    shore.release("v1", &release("expect: SELECT count(*) = 3 FROM sales"));
    shore.ok("ff");
    assert_eq!(shore.version("sales"), version, "the first statement was run again");
}

#[test]
fn what_a_table_refuses_is_a_failed_handler() {
    let shore = Shore::with_sales();
    for (statement, says) in [
        ("UPDATE sales SET colour = 1", "has no column `colour`: it has id, kind, amount"),
        ("INSERT INTO sales SELECT 1", "names 3 columns, and its query gives 1"),
        ("UPDATE sales SET amount = CAST('x' AS bigint)", "Cannot cast string 'x'"),
    ] {
        shore.release("v1", &format!("steps:\n  s:\n    add: {statement}\n"));
        let version = shore.version("sales");
        shore.ends(1, "add v1").says(says).hides("the server says");
        assert_eq!(shore.version("sales"), version, "{statement}");
    }
}

/// A name that no table may have is as good as a mistake in the file; a table may still be made by a step before.
#[test]
fn a_statement_without_its_table_is_refused_by_the_plan() {
    let shore = Shore::with_sales();
    for (statement, code, says) in [
        ("UPDATE nowhere SET a = 1", 7, "there is no table `nowhere` in the lake"),
        ("DELETE FROM _triphase.ledger", 2, "triphase's own"),
        ("DELETE FROM delta.`../other`", 2, "is no table's name"),
    ] {
        shore.release("v1", &format!("steps:\n  s:\n    add: {statement}\n"));
        let everything = shore.everything();
        shore.ends(code, "plan add v1").says(says).says("step `v1/s`");
        shore.ends(code, "add v1").says(says);
        assert!(shore.everything() == everything, "{statement}: refused, and something is changed");
    }
    let made = "  made:\n    create_table: {table: nowhere, columns: [{name: a, type: long}]}\n";
    shore.release("v1", &format!("steps:\n{made}  s:\n    add: INSERT INTO nowhere VALUES (1)\n"));
    shore.ok("add v1");
    assert_eq!(shore.query("nowhere", "SELECT a FROM t"), ["1"]);
}

#[test]
fn what_is_not_run_is_refused_from_the_file_alone() {
    let shore = Shore::with_sales();
    for (statement, says) in [
        ("ALTER TABLE sales ADD COLUMN c int", "use the operation `add_column`"),
        ("CREATE TABLE t (a int)", "use the operation `create_table`"),
        ("UPDATE sales SET amount = (SELECT 1)", "use MERGE"),
        ("VACUUM sales", "a rollback needs"),
        (
            "MERGE INTO sales USING sales AS s ON s.id = sales.id WHEN MATCHED THEN UPDATE SET amount = 1 WHERE s.id > 2",
            "WHEN MATCHED AND … THEN UPDATE",
        ),
        ("INSERT INTO sales SELECT * FROM sales TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
    ] {
        shore.release("v1", &format!("steps:\n  s:\n    add: {statement}\n"));
        shore.ends(2, "plan ff").says(says).says("v1.yaml:3");
    }
    assert!(!shore.path("lake/_triphase").exists());
}

#[test]
fn the_ledger_is_a_table_that_others_can_read_and_is_kept_small() {
    let shore = Shore::with_sales();
    for n in 1..=30 {
        shore.release(&format!("v{n}"), &format!("steps:\n  s{n}:\n    add: UPDATE sales SET amount = {n}\n"));
    }
    shore.ok("ff v15");
    shore.ok("ff");
    let events = shore.query("_triphase/ledger", "SELECT count(*) FROM t WHERE outcome = 'attempting'");
    assert_eq!(events, ["30"]);
    let written = shore.history("_triphase/ledger");
    assert!(written.iter().any(|commit| commit["operation"] == "TRIPHASE COMPACT LEDGER"));
    assert_eq!(shore.states("v30", "s30"), "done done done");
    shore.append("sales", SALES, json!([[5, "e", 50]])).unwrap();
}

#[test]
fn words_of_people_are_kept() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.release("v2", "steps:\n  other:\n    add: UPDATE sales SET amount = 5\n");
    shore.ok("ff v1");
    shore.ok("add v2");
    shore.target("require_rollout: true\n");
    shore.ok("rollout v2");
    shore.ok("repair undone v2/other add --reason test --yes");
    assert_eq!(shore.states("v2", "other").split(' ').next(), Some("pending"));
    shore.ok("repair forget v2/other --reason test --yes");
    shore.release("v1", &V1.replace("  fix:", "  mended:"));
    shore.ok("repair rename v1/fix v1/mended --reason test --yes");
    assert!(shore.ok("history").stdout.contains("rename"));
}
