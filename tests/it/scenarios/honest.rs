//! What a run says is what has happened: no more is claimed than is known, nothing is waited for that is not in the way, and who did it is
//! named.

use crate::harness::{Bench, Engine, Holder, on_each_engine, signal, until};
use std::io::{BufRead as _, BufReader};

on_each_engine!(
    a_file_that_failed_half_way_is_not_called_unapplied,
    a_client_that_runs_on_to_its_end_leaves_nothing_open,
    a_log_file_holds_the_events_of_a_quiet_run,
    a_failing_expect_is_not_the_servers_word,
    a_wait_is_told_as_it_was_asked_for,
);

fn a_file_that_failed_half_way_is_not_called_unapplied(engine: Engine) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    bench.write("sql/one.sql", "INSERT INTO log VALUES (1);\nSELECT nonsense;\n");
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    bench
        .ends(1, "add v1")
        .says("how far it came is not known")
        .says("triphase repair done v1/one add 1")
        .hides("nothing of it is applied");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    // The way that is named works.
    bench.command("repair done v1/one add 1 --reason").arg("looked into log").run().exits(0);
    bench.ok("add v1");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
}

fn a_client_that_runs_on_to_its_end_leaves_nothing_open(engine: Engine) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    bench.target("binary: sh\nbinary_args: ['{filename}']\n");
    let script = "trap 'touch told' INT TERM\necho once >> ran\ntouch started\nuntil [ -e go ]; do sleep 0.02; done\n";
    bench.write("sql/one.sh", script);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n      - INSERT INTO log VALUES (2)\n");
    let command = bench.command("add v1");
    let child = command.spawn();
    until("the client is at work", || bench.dir().join("started").exists());
    signal(&child, "INT");
    until("the client is told", || bench.dir().join("told").exists());
    bench.write("go", "");
    command.end(child).exits(130);
    assert_eq!(bench.states("v1", "one"), "failed pending pending", "nobody is at work");
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["2"]);
    assert_eq!(std::fs::read_to_string(bench.dir().join("ran")).unwrap(), "once\n", "the file ran twice");
}

fn a_log_file_holds_the_events_of_a_quiet_run(engine: Engine) {
    for (flags, statement) in [("-q", false), ("", false), ("-v", true)] {
        let bench = Bench::new(engine);
        bench.release("v1", "steps:\n  one:\n    add: CREATE TABLE one (id integer)\n");
        bench.ok(&format!("{flags} --log-file run.log add v1"));
        let log = std::fs::read_to_string(bench.dir().join("run.log")).unwrap();
        assert!(log.contains("add v1/one"), "{flags}: {log}");
        assert_eq!(log.contains("CREATE TABLE one"), statement, "{flags}: {log}");
    }
}

fn a_failing_expect_is_not_the_servers_word(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - expect: SELECT 0\n");
    bench
        .ends(1, "add v1")
        .says("  = expected one row with one value, true or not zero; found 0\n")
        .hides("server says");
}

fn a_wait_is_told_as_it_was_asked_for(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("binary: sh\nbinary_args: ['{filename}']\n");
    bench.write("sql/one.sh", "touch started; until [ -e go ]; do sleep 0.02; done\n");
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n");
    let command = bench.command("add v1");
    let child = command.spawn();
    until("the client is at work", || bench.dir().join("started").exists());
    bench.ends(4, "add v1 --wait-lock 300ms").says("waited 300ms for the lock");
    bench.write("go", "");
    command.end(child).exits(0);
}

/// A procedure's failure, and the way on.
fn half_a_procedure(bench: &Bench) {
    bench.release("v1", "steps:\n  half:\n    add:\n      - sql: CALL half()\n        transaction: false\n");
    bench
        .ends(1, "add v1")
        .says("how far it came is not known")
        .says("next: look how far it came, then say: triphase repair done v1/half add 1 --reason")
        .says("triphase repair undone v1/half add 1 --reason")
        .hides("nothing of it is applied")
        .hides("mend the handler");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1", "what it committed stays");
    bench.ends(5, "add v1");
    bench.ok("show").says("how far statement 1 came is not known");
}

#[test]
fn a_procedure_that_failed_is_not_called_unapplied() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE log (id integer)");
    bench.db.query("CREATE PROCEDURE half() LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); COMMIT; RAISE EXCEPTION ''enough''; END'");
    half_a_procedure(&bench);
    let bench = Bench::new(Engine::Mariadb);
    bench.db.query("CREATE TABLE log (id integer)");
    let procedure = "CREATE PROCEDURE half() BEGIN INSERT INTO log VALUES (1); COMMIT; SIGNAL SQLSTATE '45000'; END";
    let output = bench.db.client(&format!("DELIMITER //\n{procedure}//\n"));
    assert!(output.status.success(), "{output:?}");
    half_a_procedure(&bench);
}

#[test]
fn a_handler_at_work_is_not_blocked_by_itself() {
    let bench = Bench::new(Engine::Sqlite);
    // It is looked who is in the way after half of `lock_timeout`.
    bench.target("lock_timeout: 400ms\n");
    let slow = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 2000000) SELECT count(*) FROM c";
    bench.release(
        "v1",
        &format!(
            "steps:\n  slow:\n    add:\n      - CREATE TABLE one AS {slow}\n      - sql: CREATE TABLE two AS {slow}\n        transaction: false\n"
        ),
    );
    bench.ok("add v1").hides("blocked").hides("another connection");
}

#[test]
fn who_waits_for_a_file_says_so() {
    let bench = Bench::new(Engine::Sqlite);
    bench.target("lock_timeout: 100s\nbinary: sh\nbinary_args: ['{filename}']\n");
    bench.write("sql/one.sh", "touch started; until [ -e go ]; do sleep 0.02; done\n");
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n");
    let command = bench.command("add v1");
    let mut child = command.spawn();
    until("the client is at work", || bench.dir().join("started").exists());
    let holder = Holder::new(&bench.db, "");
    bench.write("go", "");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("another connection to")), "it does not say who is in the way");
    drop(holder);
    command.end(child).exits(0);
}

/// A handler that works for long before it comes to a table that is in use.
#[test]
fn what_a_handler_works_is_not_waited_time() {
    for (engine, work, alter) in [
        (Engine::Postgres, "SELECT pg_sleep(2)", "ALTER TABLE log ADD w integer"),
        (Engine::Mariadb, "SELECT sleep(2)", "UPDATE log SET n = n + 1"),
    ] {
        let bench = Bench::new(engine);
        bench.db.query("CREATE TABLE log (n integer)");
        bench.db.query("INSERT INTO log VALUES (1)");
        // MariaDB counts a row's lock in whole seconds.
        bench.target("lock_timeout: 1s\nlock_retry_for: 1s\n");
        bench.release("v1", &format!("steps:\n  slow:\n    add:\n      - {work}\n      - {alter}\n"));
        let holder =
            Holder::new(&bench.db, if engine == Engine::Postgres { "log IN ACCESS SHARE MODE" } else { "log" });
        bench.ends(4, "add v1").says("blocked for 1s; gave way, and tries again").says("lock_retry_for: 1s");
        let command = bench.command("add v1");
        let mut child = command.spawn();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("tries again")), "it gave up at once");
        drop(holder);
        command.end(child).exits(0);
    }
}

/// The runner stands still while its lock is taken and its step is done by another.
#[test]
fn what_another_run_did_is_not_claimed() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE log (n integer)");
    bench.target("lock_timeout: 100s\n");
    bench.release("v1", "steps:\n  one:\n    add: VACUUM log\n");
    let holder = Holder::new(&bench.db, "log IN SHARE UPDATE EXCLUSIVE MODE");
    let command = bench.command("add v1");
    let child = command.spawn();
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '/* triphase % */ VACUUM log%'";
    until("the statement at work", || bench.db.value(at_work) == "1");
    signal(&child, "STOP");
    bench.ok("unlock --force").hides("WARN").hides("engine::");
    drop(holder);
    bench.ok("add v1").says("done: 1 step");
    signal(&child, "CONT");
    command.end(child).exits(4).hides("done:");
    assert_eq!(bench.states("v1", "one"), "done pending pending");
}

/// What a handler does to its own session, or to the ledger, is the handler's failure.
#[test]
fn a_handler_that_hurts_its_own_session_is_named() {
    for text in [
        "DROP TABLE triphase_ledger",
        "DROP SCHEMA public CASCADE",
        "SET TRANSACTION READ ONLY",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ] {
        let bench = Bench::new(Engine::Postgres);
        bench.release("v1", &format!("steps:\n  fine:\n    add: SELECT 1\n  bad:\n    add: {text}\n"));
        bench
            .ends(1, "add v1")
            .says("error: add v1/bad failed")
            .says("the ledger says: failed")
            .hides("can be reached");
        assert_eq!(bench.states("v1", "fine"), "done pending pending", "{text}");
        assert_eq!(bench.states("v1", "bad"), "failed pending pending", "{text}");
    }
}

#[test]
fn a_deferred_constraint_fails_at_commit() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE a (n integer PRIMARY KEY)");
    bench.db.query("CREATE TABLE b (n integer REFERENCES a DEFERRABLE INITIALLY DEFERRED)");
    bench.release("v1", "steps:\n  one:\n    add:\n      - INSERT INTO b VALUES (1)\n      - SELECT 1\n");
    bench
        .ends(1, "add v1")
        .says("error: add v1/one failed at commit, after its last statement\n")
        .says("foreign key")
        .hides("COMMIT");
}

/// DDL that commits by itself is announced, and what is found after a crash is taken for its work: so nothing of that may be there before.
#[test]
fn what_was_there_before_is_not_taken_for_ours() {
    for (text, back) in [
        ("CREATE INDEX log_n ON log (n)", "DROP INDEX log_n ON log"),
        ("CREATE TABLE log (id integer)", "DROP TABLE log"),
    ] {
        let bench = Bench::new(Engine::Mariadb);
        bench.db.query("CREATE TABLE log (n integer, m integer)");
        bench.db.query("CREATE INDEX log_n ON log (m)");
        bench.release("v1", &format!("steps:\n  one:\n    add: {text}\n    rollback_add: {back}\n"));
        bench.ends(1, "add v1").says("already exists");
        let announced = "SELECT count(*) FROM triphase_history WHERE outcome = 'attempting'";
        assert_eq!(bench.db.value(announced), "0", "{text}");
        bench.ok("rollback_add v1");
        let column = "SELECT column_name FROM information_schema.statistics WHERE index_name = 'log_n' AND table_schema = database()";
        assert_eq!(bench.db.query(column), ["m"]);
    }
}

/// `IF NOT EXISTS` takes whatever has the name for good. What another's failed build left is neither taken for the step's own nor dropped.
#[test]
fn an_invalid_index_of_another_is_neither_taken_nor_dropped() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE d (a integer)");
    bench.db.query("INSERT INTO d VALUES (1), (1)");
    bench.db.client("CREATE UNIQUE INDEX CONCURRENTLY ix ON d (a)");
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass";
    assert_eq!(bench.db.value(valid), "f");
    bench.release(
        "v1",
        "steps:\n  i:\n    add:\n      - CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix ON d (a)\n    rollback_add: []\n",
    );
    for _ in 0..2 {
        bench
            .ends(1, "ff")
            .says("index public.ix is there, is not valid, and is not what this statement built")
            .says("drop it (DROP INDEX CONCURRENTLY public.ix)")
            .hides("the server says");
        assert_eq!(bench.db.value(valid), "f", "it is still there");
    }
    bench.db.query("DELETE FROM d WHERE ctid = (SELECT min(ctid) FROM d)");
    bench.db.query("DROP INDEX CONCURRENTLY public.ix");
    bench.ok("ff");
    assert_eq!(bench.db.value(valid), "t");
}

#[test]
fn who_builds_an_index_is_named_and_left_to_it() {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE TABLE d (a integer)");
    bench.release(
        "v1",
        "steps:\n  i:\n    add:\n      - CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON d (a)\n    rollback_add: []\n",
    );
    // The build has made its index, and waits for who writes to the table.
    let writer = Holder::new(&bench.db, "d IN ROW EXCLUSIVE MODE");
    let mut builder = std::process::Command::new("psql")
        .args(["-Xqd", &bench.db.url(), "-c", "CREATE INDEX CONCURRENTLY ix ON d (a)"])
        .spawn()
        .unwrap();
    let building = "SELECT pid FROM pg_stat_progress_create_index WHERE index_relid = to_regclass('ix')";
    until("the build", || !bench.db.query(building).is_empty());
    let session = bench.db.value(building);
    bench.ends(1, "ff").says(&format!("session {session} is building it: wait for its end"));
    assert_eq!(bench.db.value(building), session, "it goes on");
    drop(writer);
    assert!(builder.wait().unwrap().success());
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass"), "t");
    assert_eq!(bench.states("v1", "i"), "done done done");
}
