//! Handlers that fail: nothing of them stays, the ledger says so, and the next run goes on from there.

use super::releases::V1;
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    a_failing_handler_leaves_nothing_and_resumes,
    a_failing_expect_says_what_it_found,
    an_edited_handler_that_failed_runs_as_it_is_now,
    statements_that_stand_alone_stay,
    a_failing_rollback_goes_on_only_back,
    history_only_grows,
    an_expect_is_asked_again_where_nothing_behind_it_is_done,
);

fn a_failing_handler_leaves_nothing_and_resumes(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release(
        "v2",
        "
steps:
  good:
    add: CREATE TABLE good (id integer)
  bad:
    add: |
      CREATE TABLE half (id integer);
      INSERT INTO helper VALUES (1);
",
    );
    bench.ends(1, "ff").says("v2/bad").says("helper");
    // DDL that commits by itself stays, and is not run again.
    assert!(bench.db.has_table("good") && bench.db.has_table("half") != engine.atomic());
    assert_eq!(bench.states("v2", "good"), "done pending pending");
    assert_eq!(bench.states("v2", "bad"), "failed pending pending");
    bench.ok("show").says("failed");
    bench.db.query("CREATE TABLE helper (id integer)");
    bench.ok("ff");
    assert!(bench.db.has_table("half"));
    assert_eq!(bench.db.value("SELECT count(*) FROM helper"), "1");
    assert_eq!(bench.states("v2", "bad"), "done done done");
}

fn a_failing_expect_says_what_it_found(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release(
        "v2",
        "
steps:
  guarded:
    add:
      - CREATE TABLE guarded (id integer)
      - expect: SELECT count(*) = 41 FROM customer
      - INSERT INTO guarded VALUES (1)
  found:
    add:
      - expect: SELECT name FROM customer
",
    );
    bench.ends(1, "ff").says("SELECT count(*) = 41 FROM customer");
    assert!(bench.db.has_table("guarded") != engine.atomic());
    bench.ok("ff v1");
    if !engine.atomic() {
        bench.release("v2", "steps:\n  guarded:\n    add:\n      - expect: SELECT 0\n");
        bench.ends(6, "ff").says("L6");
        bench.ok("repair undone v2/guarded add --reason dropped");
    }
    bench.release("v2", "steps:\n  guarded:\n    add:\n      - expect: SELECT 0\n");
    bench.ends(1, "ff");
    bench.release("v2", "steps:\n  guarded:\n    add:\n      - expect: SELECT 2\n");
    bench.ok("ff");
}

/// L4: a row of the ledger that can't be written is no failure of the statement that it announces.
#[test]
fn a_row_that_is_refused_is_not_the_statements_failure() {
    let bench = Bench::new(Engine::Sqlite);
    bench.release("v1", V1);
    bench.ok("ff");
    bench.db.query(
        "CREATE TRIGGER full BEFORE INSERT ON triphase_history WHEN NEW.outcome = 'attempting' \
         BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    bench.release("v2", "steps:\n  pack:\n    add: VACUUM\n");
    bench.ends(8, "add v2").says("the ledger can't be written").says("no room");
    bench.db.query("DROP TRIGGER full");
    bench.ok("add v2");
}

/// L3: an answer that can't be read is the query's fault, and no connection is lost.
#[test]
fn an_answer_that_is_no_text_fails_at_once() {
    let bench = Bench::new(Engine::Sqlite);
    bench.release("v1", "steps:\n  odd:\n    add:\n      - expect: SELECT CAST(x'ff' AS text)\n");
    bench.ends(1, "add v1").hides("lost");
}

/// As PostgreSQL's script has it (`sql`): what is no number or truth value by its type is not true.
#[test]
fn a_text_that_looks_like_a_number_is_not_true() {
    let bench = Bench::new(Engine::Postgres);
    for (query, holds) in [
        ("SELECT '1'::varchar", false),
        ("SELECT '1'::char(3)", false),
        ("SELECT '1'::name", false),
        ("SELECT 'NaN'::float8", false),
        ("SELECT 0.000", false),
        ("SELECT -1e-200::float8", true),
        ("SELECT 10::numeric ^ 400", true),
        ("SELECT 1::smallint", true),
    ] {
        bench.release("v1", &format!("steps:\n  guarded:\n    add:\n      - expect: {query}\n"));
        bench.ends(if holds { 0 } else { 1 }, "add v1");
        bench.db.query("DROP TABLE IF EXISTS triphase_ledger, triphase_history, triphase_run, triphase_meta");
    }
}

fn an_edited_handler_that_failed_runs_as_it_is_now(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add: CREATE TABEL one (id integer)\n");
    bench.ends(1, "ff");
    bench.release("v1", "steps:\n  one:\n    add: CREATE TABLE one (id integer)\n");
    bench.ok("ff");
    assert!(bench.db.has_table("one"));
}

fn statements_that_stand_alone_stay(engine: Engine) {
    let bench = Bench::new(engine);
    let release = |first: &str| {
        format!(
            "
steps:
  one:
    add:
      - sql: {first}
        transaction: false
      - sql: INSERT INTO helper SELECT id FROM log
        transaction: false
    rollback_add: DROP TABLE helper
"
        )
    };
    bench.db.query("CREATE TABLE log (id integer)");
    bench.release("v1", &release("INSERT INTO log VALUES (1)"));
    bench.ends(1, "ff");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    assert_eq!(bench.states("v1", "one"), "failed pending pending");
    bench.db.query("CREATE TABLE helper (id integer)");
    // What is done can't be edited any more.
    bench.release("v1", &release("INSERT INTO log VALUES (2)"));
    let run = bench.run("ff");
    assert!(run.code != 0, "an edited statement that is done already was taken: {run:?}");
    bench.release("v1", &release("INSERT INTO log VALUES (1)"));
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT id FROM log"), ["1"]);
    assert_eq!(bench.db.query("SELECT id FROM helper"), ["1"]);
}

fn a_failing_rollback_goes_on_only_back(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  one:\n    add: CREATE TABLE one (id integer)\n    rollback_add: |\n      INSERT INTO helper VALUES (1);\n      DROP TABLE one;\n",
    );
    bench.ok("add v1");
    bench.ends(1, "rollback_add v1");
    assert!(bench.db.has_table("one"));
    assert_eq!(bench.states("v1", "one"), "rollback_failed pending pending");
    bench.ends(7, "add v1");
    bench.ends(7, "ff v1");
    bench.db.query("CREATE TABLE helper (id integer)");
    bench.ok("rollback_add v1");
    assert!(!bench.db.has_table("one"));
    assert_eq!(bench.states("v1", "one"), "rolled_back pending pending");
}

fn history_only_grows(engine: Engine) {
    let bench = Bench::new(engine);
    super::releases::sample(&bench);
    let rows = || bench.db.query("SELECT * FROM triphase_history ORDER BY id");
    bench.ok("ff v1");
    let mut before = rows();
    assert!(!before.is_empty());
    for (code, line) in [
        (0, "add v2"),
        (0, "simdrop v2"),
        (0, "rollback_simdrop v2"),
        (0, "rollback_add v2"),
        (7, "add v3"),
        (0, "ff v2"),
        (0, "ff"),
    ] {
        bench.ends(code, line);
        let after = rows();
        assert_eq!(after[..before.len()], before, "`{line}` has touched older rows");
        assert_eq!(after.len() > before.len(), code == 0, "rows of `{line}`");
        before = after;
    }
    bench.ok("history --limit 3").says("v3");
}

/// A block that commits on its way may have done part of its work: of one that failed, a person has to say.
#[test]
fn a_failing_block_outside_a_transaction_is_an_open_question() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE log (id integer)");
    bench.db.query("CREATE PROCEDURE half() LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); COMMIT; RAISE EXCEPTION ''enough''; END'");
    for (version, text) in [
        ("v1", "CALL half()"),
        ("v2", "DO 'BEGIN INSERT INTO log VALUES (1); COMMIT; RAISE EXCEPTION ''enough''; END'"),
    ] {
        bench.db.query("DELETE FROM log");
        bench.release(
            version,
            &format!(
                "steps:\n  half_{version}:\n    add:\n      - sql: {}\n        transaction: false\n",
                serde_json::json!(text)
            ),
        );
        bench.ends(1, "ff").says("enough");
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1", "what it committed stays");
        for line in ["ff", "check"] {
            bench.ends(5, line).says(&format!("triphase repair done {version}/half_{version} add 1"));
        }
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1", "it was sent again");
        bench
            .command(&format!("repair done {version}/half_{version} add 1 --reason"))
            .arg("looked into log")
            .run()
            .exits(0);
        bench.ok("ff");
        assert_eq!(bench.states(version, &format!("half_{version}")), "done done done");
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    }
}

/// F3: it guards what comes after it. What it asked before a statement that is done was right then, and that statement may have changed it.
fn an_expect_is_asked_again_where_nothing_behind_it_is_done(engine: Engine) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    let lone = |text: &str| format!("      - sql: {text}\n        transaction: false\n");
    let expect = "      - expect: SELECT count(*) = 0 FROM log\n";
    let handler = |last: &str| {
        let steps = [expect, &lone("INSERT INTO log VALUES (1)"), &lone(last)].concat();
        bench.release("v1", &format!("steps:\n  one:\n    add:\n{steps}"));
    };
    handler("SELECT nonsense");
    bench.ends(1, "add v1");
    handler("INSERT INTO log VALUES (2)");
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT n FROM log ORDER BY n"), ["1", "2"]);

    bench.db.query("DELETE FROM log");
    bench.ok("ff v1");
    let steps =
        [&lone("CREATE TABLE made (n integer)"), expect, &lone("INSERT INTO made SELECT 1 FROM later")].concat();
    bench.release("v2", &format!("steps:\n  two:\n    add:\n{steps}"));
    bench.ends(1, "add v2").says("later");
    bench.db.query("CREATE TABLE later (n integer)");
    bench.db.query("INSERT INTO log VALUES (3)");
    bench.ends(1, "add v2").says("expected one row with one value");
    bench.db.query("DELETE FROM log");
    bench.ok("add v2");
}
