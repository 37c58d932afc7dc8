//! PostgreSQL's concurrent statements, cut short by a crash of the runner or of its session: what they leave is cleared, by the next
//! attempt and by a rollback.

use crate::harness::{Bench, Engine, Holder, signal, until};

/// Kills the runner (SIGKILL) while a statement of `line` waits for traffic on `table`, and then the session that it left at work.
fn cut_short(bench: &Bench, table: &str, line: &str, begun: &str) {
    killed_at_work(bench, table, line, begun);
    assert_eq!(bench.db.value(begun), "1", "it left nothing");
}

/// The same, whatever it leaves.
fn killed_at_work(bench: &Bench, table: &str, line: &str, begun: &str) {
    let holder = Holder::new(&bench.db, table);
    let mut child = bench.command(line).spawn();
    until("the statement at work", || bench.db.value(begun) == "1");
    signal(&child, "KILL");
    child.wait().unwrap();
    let of = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'triphase %'";
    bench.db.query(&format!("SELECT pg_terminate_backend(pid) {of}"));
    until("its end", || bench.db.value(&format!("SELECT count(*) {of}")) == "0");
    drop(holder);
}

fn bench(before: &str, statement: &str, back: &str) -> Bench {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", &format!("steps:\n  before:\n    add: |\n      {before}\n"));
    bench.ok("ff");
    bench.release("v2", &format!("steps:\n  lone:\n    add:\n      - {statement}\n    rollback_add: {back}\n"));
    bench
}

fn an_index() -> Bench {
    let bench = bench(
        "CREATE TABLE log (n integer);",
        "CREATE UNIQUE INDEX CONCURRENTLY log_n ON log (n)",
        "DROP INDEX CONCURRENTLY log_n",
    );
    let begun = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('log_n') AND NOT indisvalid";
    cut_short(&bench, "log IN ROW EXCLUSIVE MODE", "ff", begun);
    assert_eq!(bench.states("v2", "lone"), "running pending pending");
    bench
}

#[test]
fn an_index_is_built_again() {
    let bench = an_index();
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'log_n'::regclass"), "t");
}

#[test]
fn an_index_is_dropped_by_a_rollback() {
    let bench = an_index();
    let plan = bench.ok("plan rollback_add v2").says("DROP INDEX CONCURRENTLY IF EXISTS public.log_n");
    plan.says("rollback_add v2/lone (way back: lossless)");
    bench.ok("sql rollback_add v2").says("DROP INDEX CONCURRENTLY IF EXISTS public.log_n");
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM pg_class WHERE relname = 'log_n'"), "0");
    assert_eq!(bench.states("v2", "lone"), "rolled_back pending pending");
    // And it can be applied again, and taken back by its own handler.
    bench.ok("add v2");
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM pg_class WHERE relname = 'log_n'"), "0");
}

#[test]
fn an_index_is_dropped_by_a_script() {
    let bench = an_index();
    let script = bench.ok("sql rollback_add v2").stdout;
    let output = bench.db.client(&script);
    assert!(output.status.success(), "{output:?}\n{script}");
    assert_eq!(bench.db.value("SELECT count(*) FROM pg_class WHERE relname = 'log_n'"), "0");
    assert_eq!(bench.states("v2", "lone"), "rolled_back pending pending");
}

#[test]
fn a_rebuilt_index_leaves_no_other_one() {
    for (line, state) in [("ff", "done done done"), ("rollback_add v2", "rolled_back pending pending")] {
        let bench = bench(
            "CREATE TABLE log (n integer); CREATE INDEX log_n ON log (n);",
            "REINDEX INDEX CONCURRENTLY log_n",
            "SELECT 1",
        );
        let begun = "SELECT count(*) FROM pg_class WHERE relname = 'log_n_ccnew'";
        cut_short(&bench, "log IN ROW EXCLUSIVE MODE", "ff", begun);
        bench.ok(line);
        let indexes = "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 'log'::regclass";
        assert_eq!(bench.db.query(indexes), ["log_n|t"], "{line}");
        assert_eq!(bench.states("v2", "lone"), state);
    }
}

const FOREIGN: &str = "SELECT indexdef FROM pg_indexes WHERE indexname = 'log_n'";

fn building() -> Bench {
    bench(
        "CREATE TABLE log (n integer, m integer);",
        "CREATE INDEX CONCURRENTLY log_n ON log (n)",
        "DROP INDEX CONCURRENTLY log_n",
    )
}

/// Kills the runner while its statement waits for the table, before anything of the index is there.
fn killed_before_it_began(bench: &Bench) {
    let begun = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                 AND query LIKE '/* triphase % */ CREATE INDEX CONCURRENTLY log_n%'";
    killed_at_work(bench, "log IN SHARE UPDATE EXCLUSIVE MODE", "add v2", begun);
}

#[test]
fn an_index_that_was_there_before_is_not_taken_for_ours() {
    for foreign in [
        "CREATE INDEX log_n ON log (m)",
        "CREATE INDEX log_n ON log (n)",
        "CREATE TABLE other (n integer); CREATE INDEX log_n ON other (n)",
    ] {
        let bench = building();
        bench.db.query(foreign);
        let before = bench.db.value(FOREIGN);
        for _ in 0..2 {
            bench.ends(1, "add v2").says("log_n").says("42P07");
            assert_eq!(bench.states("v2", "lone"), "failed pending pending");
        }
        let script = bench.ok("sql add v2").stdout;
        assert!(!bench.db.client(&script).status.success(), "{script}");
        let announced = "SELECT count(*) FROM triphase_history WHERE outcome = 'attempting'";
        assert_eq!(bench.db.value(announced), "0", "it was announced: a crash would leave a question");
        bench.ok("rollback_add v2");
        assert_eq!(bench.db.value(FOREIGN), before, "another's index was touched");
    }
}

#[test]
fn an_invalid_index_that_was_there_before_is_not_dropped() {
    let bench = building();
    bench.db.query("INSERT INTO log VALUES (1, 1), (2, 1)");
    bench.db.client("CREATE UNIQUE INDEX CONCURRENTLY log_n ON log (m)");
    assert_eq!(bench.db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'log_n'::regclass"), "f");
    let before = bench.db.value(FOREIGN);
    for _ in 0..2 {
        bench.ends(1, "add v2").says("42P07");
    }
    assert_eq!(bench.db.value(FOREIGN), before);
}

#[test]
fn an_index_that_came_meanwhile_is_a_question() {
    for foreign in [
        "CREATE INDEX log_n ON log (m)",
        "CREATE UNIQUE INDEX log_n ON log (n)",
        "CREATE INDEX log_n ON log (n) WHERE n > 1",
        "CREATE INDEX log_n ON log USING hash (n)",
        "CREATE TABLE other (n integer); CREATE INDEX log_n ON other (n)",
    ] {
        let bench = building();
        killed_before_it_began(&bench);
        bench.db.query(foreign);
        let before = bench.db.value(FOREIGN);
        bench.ends(5, "add v2").says("triphase repair undone v2/lone add 1");
        for line in ["plan rollback_add v2", "sql rollback_add v2", "rollback_add v2"] {
            bench.ends(5, line).says("triphase repair undone v2/lone add 1");
        }
        assert_eq!(bench.db.value(FOREIGN), before, "another's index was touched");
        assert_eq!(bench.states("v2", "lone"), "running pending pending");
        bench.command("repair undone v2/lone add 1 --reason").arg("another's").run().exits(0);
        bench.ok("rollback_add v2");
        assert_eq!(bench.db.value(FOREIGN), before, "another's index was touched");
    }
}

const PARTITIONED: &str = "CREATE TABLE log (n integer) PARTITION BY RANGE (n); CREATE TABLE old PARTITION OF log FOR VALUES FROM (0) TO (9);";
const DETACH: &str = "ALTER TABLE log DETACH PARTITION old CONCURRENTLY";
const ATTACH: &str = "ALTER TABLE log ATTACH PARTITION old FOR VALUES FROM (0) TO (9)";
const PENDING: &str = "SELECT count(*) FROM pg_inherits WHERE inhrelid = 'old'::regclass AND inhdetachpending";
const ATTACHED: &str = "SELECT count(*) FROM pg_inherits WHERE inhrelid = 'old'::regclass";

#[test]
fn a_partition_is_detached_to_the_end() {
    let bench = bench(PARTITIONED, DETACH, ATTACH);
    cut_short(&bench, "log IN ACCESS SHARE MODE", "ff", PENDING);
    bench.ok("ff");
    assert_eq!(bench.db.value(ATTACHED), "0");
    assert_eq!(bench.states("v2", "lone"), "done done done");
}

#[test]
fn a_partition_half_detached_is_attached_again_by_a_rollback() {
    let bench = bench(PARTITIONED, DETACH, ATTACH);
    cut_short(&bench, "log IN ACCESS SHARE MODE", "ff", PENDING);
    bench.ok("plan rollback_add v2").says("DETACH PARTITION \"old\" FINALIZE").says("ATTACH PARTITION old");
    bench.ok("rollback_add v2");
    assert_eq!((bench.db.value(ATTACHED), bench.db.value(PENDING)), ("1".to_owned(), "0".to_owned()));
    assert_eq!(bench.states("v2", "lone"), "rolled_back pending pending");
}

#[test]
fn a_partition_is_detached_by_a_script() {
    let bench = bench(PARTITIONED, DETACH, ATTACH);
    cut_short(&bench, "log IN ACCESS SHARE MODE", "ff", PENDING);
    let script = bench.ok("sql add v2").stdout;
    let output = bench.db.client(&script);
    assert!(output.status.success(), "{output:?}\n{script}");
    assert_eq!(bench.db.value(ATTACHED), "0");
    assert_eq!(bench.states("v2", "lone"), "done pending pending");
}

#[test]
fn a_partition_waits_for_traffic_as_long_as_it_takes() {
    let bench = bench(PARTITIONED, DETACH, ATTACH);
    bench.target("lock_timeout: 1ms\nlock_retry_for: 1ms\n");
    let holder = Holder::new(&bench.db, "log IN ACCESS SHARE MODE");
    let command = bench.command("ff");
    let child = command.spawn();
    until("the first half", || bench.db.value(PENDING) == "1");
    drop(holder);
    command.end(child).exits(0);
    assert_eq!(bench.db.value(ATTACHED), "0");
}

#[test]
fn who_is_told_to_stop_does_not_wait_for_traffic() {
    let bench = bench(
        "CREATE TABLE log (n integer);",
        "CREATE INDEX CONCURRENTLY log_n ON log (n)",
        "DROP INDEX CONCURRENTLY log_n",
    );
    bench.target("lock_timeout: 50ms\n");
    let holder = Holder::new(&bench.db, "log IN ROW EXCLUSIVE MODE");
    let command = bench.command("ff");
    let child = command.spawn();
    until("the index", || bench.db.value("SELECT count(*) FROM pg_class WHERE relname = 'log_n'") == "1");
    signal(&child, "TERM");
    command.end(child).exits(143);
    drop(holder);
    // The index could not be dropped while the table was in use; a rollback knows of it all the same.
    assert_eq!(bench.states("v2", "lone"), "failed pending pending");
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM pg_class WHERE relname = 'log_n'"), "0");
}
