//! `sql`: the run as a script for a DBA.

use super::releases::{columns, sample};
use crate::harness::{Bench, Engine, LOG, on_each_engine};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
};

on_each_engine!(
    the_script_leaves_what_a_run_leaves,
    a_script_refuses_a_ledger_that_has_moved,
    the_script_is_all_that_stdout_has,
    the_script_of_a_partly_applied_step_does_what_is_needed,
    a_script_leaves_nothing_to_a_persons_guess,
);

/// The ledger without what differs from run to run: who and when.
fn ledger(bench: &Bench) -> Vec<String> {
    bench.db.query(
        "SELECT \"release\", step, name, add_state, add_detail, simdrop_state, simdrop_detail, drop_state, drop_detail, \
         h_rollback_simdrop, h_rollback_add FROM triphase_ledger ORDER BY 1, 2",
    )
}

fn the_script_leaves_what_a_run_leaves(engine: Engine) {
    let (by_run, by_script) = (Bench::new(engine), Bench::new(engine));
    for bench in [&by_run, &by_script] {
        sample(bench);
    }
    for line in ["add v1", "ff v1", "add v2", "simdrop v2", "rollback_simdrop v2", "ff v2", "ff"] {
        by_run.ok(line);
        let script = by_script.ok(&format!("sql {line}"));
        let output = by_script.db.client(&script.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "`{line}`: {output:?}\n{}", script.stdout);
        assert_eq!(ledger(&by_run), ledger(&by_script), "after `{line}`");
        assert_eq!(by_run.db.schema(true), by_script.db.schema(true), "after `{line}`");
        assert_eq!(by_run.db.query("SELECT * FROM customer"), by_script.db.query("SELECT * FROM customer"));
    }
    by_script.ok("ff");
    by_script.ok("check");
}

fn a_script_refuses_a_ledger_that_has_moved(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let first = bench.ok("sql ff v1").stdout;
    bench.ok("add v1/customer");
    let before = bench.db.everything();
    let output = bench.db.client(&first);
    assert!(!output.stderr.is_empty(), "{output:?}");
    assert!(before == bench.db.everything(), "the script has changed something");
    bench.ok("ff v1");
    let second = bench.ok("sql add v2").stdout;
    bench.ok("add v2");
    bench.ok("rollback_add v2");
    let before = bench.db.everything();
    let output = bench.db.client(&second);
    assert!(!output.stderr.is_empty(), "{output:?}");
    assert!(before == bench.db.everything(), "the script has changed something");
    assert_eq!(columns(&bench), "id name");
}

fn the_script_is_all_that_stdout_has(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let run = bench.ok("sql ff v1 -v");
    assert!(run.stdout.contains("CREATE TABLE customer") && run.stdout.contains("triphase_ledger"), "{}", run.stdout);
    bench.db.client(&run.stdout);
    assert_eq!(columns(&bench), "id name");
}

/// A step that stopped behind its first statement, and a rollback of two.
fn partly_applied(engine: Engine, done_when: bool) -> Bench {
    let bench = Bench::new(engine);
    let done = |table: &str| match (done_when, engine) {
        (false, _) => String::new(),
        (true, Engine::Sqlite) => {
            format!("        done_when: SELECT count(*) = 0 FROM sqlite_schema WHERE name = '{table}'\n")
        }
        (true, Engine::Postgres) => format!("        done_when: SELECT to_regclass('{table}') IS NULL\n"),
        // A probe knows a dropped table without being told.
        (true, Engine::Mariadb) => String::new(),
    };
    // Where a probe would know whether a table is dropped, one that can't be read is.
    let (open, close) = if engine == Engine::Mariadb && !done_when { ("EXECUTE IMMEDIATE '", "'") } else { ("", "") };
    let drop = |table: &str| {
        format!("      - sql: {open}DROP TABLE {table}{close}\n        transaction: false\n{}", done(table))
    };
    bench.release(
        "v1",
        &format!(
            "steps:\n  tables:\n    add:\n      - sql: CREATE TABLE one (id integer)\n        transaction: false\n      - sql: INSERT INTO \
             nowhere VALUES (1)\n      - sql: CREATE TABLE two (id integer)\n    rollback_add:\n{}{}",
            drop("two"),
            drop("one")
        ),
    );
    bench.ends(1, "add v1");
    assert!(bench.db.has_table("one") && !bench.db.has_table("two"));
    bench
}

fn the_script_of_a_partly_applied_step_does_what_is_needed(engine: Engine) {
    let bench = partly_applied(engine, true);
    bench.ok("plan rollback_add v1").says("1. DROP TABLE two;  -- is so already, skipped");
    let script = bench.ok("sql rollback_add v1").stdout;
    let has = |text: &str| script.lines().any(|line| line.trim_end_matches(';') == text);
    assert!(has("DROP TABLE one") && !has("DROP TABLE two"), "{script}");
    assert!(
        has("-- statement 1 of rollback_add of step v1/tables is so already, and is left out: DROP TABLE two"),
        "{script}"
    );
    let output = bench.db.client(&script);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{script}");
    assert!(!bench.db.has_table("one"));
    assert_eq!(bench.states("v1", "tables"), "rolled_back pending pending");
    bench.ok("rollback_add v1").says("nothing to do");
}

fn a_script_leaves_nothing_to_a_persons_guess(engine: Engine) {
    let bench = partly_applied(engine, false);
    let before = bench.db.everything();
    // What the step did not come to make needs no question, where that can be read.
    let (k, table) = if engine == Engine::Mariadb { (1, "two") } else { (2, "one") };
    let run = bench
        .ends(5, "sql rollback_add v1")
        .says(&format!("nothing tells whether statement {k} of rollback_add is needed"));
    assert!(run.stdout.starts_with("-- refused (exit code 5)"), "{run:?}");
    assert!(run.stdout.lines().all(|line| line.starts_with("--")), "{run:?}");
    let plan = bench.ends(5, "plan rollback_add v1");
    plan.says(&format!("DROP TABLE {table}")).says("triphase repair undone v1/tables add");
    assert!(before == bench.db.everything());
}

/// Colons that psql would take for a variable's, and lines that sqlite3 would take for a statement's end, reach the server as written.
#[test]
fn a_script_gives_psql_no_variable_to_fill_in() {
    let release = "steps:\n  slices:\n    add:\n      - CREATE TABLE s (a integer[], port integer, x integer, \"HOST\" integer)\n      - \
                   INSERT INTO s VALUES ('{1,2,3,4}', 2, 3, 4)\n      - CREATE TABLE cut AS SELECT a[1:PORT] AS p, a[1:x] AS x, \
                   a[x:\"HOST\"] AS h, ':PORT'::text AS t, $$:x$$::text AS d FROM s\n      - 'UPDATE cut SET t = t || '':x'' -- :PORT'\n      - \
                   sql: INSERT INTO cut (p) SELECT a[2:x] FROM s\n        transaction: false\n";
    let (by_run, by_script) = (Bench::new(Engine::Postgres), Bench::new(Engine::Postgres));
    for bench in [&by_run, &by_script] {
        bench.release("v1", release);
    }
    by_run.ok("add v1");
    let script = by_script.ok("sql add v1").stdout;
    by_script.write("script.sql", &script);
    let output = std::process::Command::new("psql")
        .args(["-X", "-q", "-v", "x=1", "-v", "triphase_path=gone", "-d", &by_script.db.server().with_password(), "-f"])
        .arg(by_script.path("script.sql"))
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{script}");
    assert_eq!(by_run.db.query("SELECT * FROM cut"), by_script.db.query("SELECT * FROM cut"));
    let cut = by_run.db.query("SELECT p, x, h, t, d FROM cut ORDER BY d");
    assert_eq!(cut, ["{1,2}|{1,2,3}|{3,4}|:PORT:x|:x", "{2,3}||||"]);
    assert_eq!(ledger(&by_run), ledger(&by_script));
}

/// A script holds no lock of triphase's on a file: what it does between a run's look and its first write, that run does not do again, and
/// a person's word is looked at again.
#[test]
fn a_run_beside_a_script_repeats_nothing() {
    for line in ["add v2", "rollout v1"] {
        let bench = Bench::new(Engine::Sqlite);
        bench.target("lock_timeout: 50ms\n");
        bench.release("v1", LOG);
        bench.ok("ff");
        bench.release(
            "v2",
            "steps:\n  a:\n    add: INSERT INTO log VALUES (1)\n  b:\n    add: INSERT INTO log VALUES (2)\n",
        );
        let script = bench.ok("sql add v2").stdout;
        let last = script.rfind("COMMIT;").unwrap();
        let mut shell = Command::new("sqlite3");
        let shell = shell.arg("-batch").arg(bench.db.file()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut typed = shell.stdin.take().unwrap();
        typed.write_all(format!("{}\n.shell echo held\n", &script[..last]).as_bytes()).unwrap();
        let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"));
        // It has looked, and waits for the script's last transaction.
        let mut run = bench.command(line).spawn();
        let mut lines = BufReader::new(run.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("waiting") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "nothing was waited for: {said}");
        }
        typed.write_all(&script.as_bytes()[last..]).unwrap();
        drop(typed);
        assert!(shell.wait().unwrap().success());
        lines.read_to_string(&mut said).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(0), "{said}");
        assert_eq!(bench.db.query("SELECT n FROM log ORDER BY n"), ["1", "2"], "{said}");
        let done =
            "SELECT step, count(*) FROM triphase_history WHERE release = 'v2' AND outcome = 'done' GROUP BY step";
        assert_eq!(bench.db.query(done), ["a|1", "b|1"]);
    }
}

#[test]
fn a_script_gives_sqlite3_no_end_of_a_statement_inside_one() {
    let text = "CREATE TABLE cut AS SELECT 6\n/\n2 AS\n GO -- it\n, '\ngo\n' AS [\n/\n] /*\ngo\n*/;\nINSERT INTO cut\nSELECT go\n/ /* by */\n3, \
                1 FROM cut;\nCREATE TRIGGER t AFTER INSERT ON cut BEGIN\nSELECT 1 AS\ngo\n;\nEND";
    let (by_run, by_script) = (Bench::new(Engine::Sqlite), Bench::new(Engine::Sqlite));
    for bench in [&by_run, &by_script] {
        bench.write("releases/v1/release.yaml", "steps:\n  cut:\n    add:\n      - expect: |\n          SELECT 1\n          /\n          1\n      - sql_file: cut.sql\n");
        bench.write("releases/v1/cut.sql", text);
    }
    by_run.ok("add v1");
    let script = by_script.ok("sql add v1").stdout;
    let output = by_script.db.client(&script);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{script}");
    for query in ["SELECT * FROM cut", "SELECT name FROM sqlite_schema"] {
        assert_eq!(by_run.db.query(query), by_script.db.query(query), "{query}");
    }
    assert_eq!(by_run.db.query("SELECT go FROM cut"), ["3", "1"]);
    assert_eq!(ledger(&by_run), ledger(&by_script));
}
