//! Signals, traffic in the way, connections that are cut, runners that die with their session left behind.

use crate::harness::{Bench, Engine, Holder, on_each_engine, signal, until};

on_each_engine!(
    a_signal_stops_the_statement_in_flight,
    traffic_is_waited_for_and_then_told,
    traffic_that_ends_is_waited_out
);

fn a_signal_stops_the_statement_in_flight(engine: Engine) {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let bench = Bench::new(engine);
        bench.release("v1", "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n");
        bench.ok("ff");
        bench.release(
            "v2",
            "
steps:
  endless:
    add:
      postgres: |
        INSERT INTO log VALUES (1);
        SELECT pg_sleep(3600);
      mysql: |
        INSERT INTO log VALUES (1);
        SELECT sleep(3600);
      sqlite: |
        INSERT INTO log VALUES (1);
        CREATE TABLE endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c;
    rollback_add: DELETE FROM log
",
        );
        let command = bench.command("ff");
        let child = command.spawn();
        match engine {
            // The run's own row is written just before the handler's transaction.
            Engine::Sqlite => until("the run's row", || {
                bench
                    .db
                    .value("SELECT count(*) FROM triphase_run WHERE run_id IN (SELECT run_id FROM triphase_history)")
                    == "0"
            }),
            Engine::Postgres => until("the statement", || {
                bench.db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()") != "0"
            }),
            Engine::Mariadb => until("the statement", || {
                bench.db.value("SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info = 'SELECT sleep(3600)'") != "0"
            }),
        }
        signal(&child, name);
        command.end(child).exits(code);
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "0");
        assert!(!["running pending pending", "done pending pending"].contains(&bench.states("v2", "endless").as_str()));
        // Its lock is free, and what was interrupted can be done differently, or not at all.
        bench.release("v2", "steps:\n  endless:\n    add: INSERT INTO log VALUES (2)\n");
        bench.ok("ff --wait-lock 0s");
        assert_eq!(bench.db.query("SELECT n FROM log"), ["2"]);
    }
}

/// A table that exists, and a release that must change it.
fn behind_traffic(engine: Engine, settings: &str) -> Bench {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n");
    bench.ok("ff");
    bench.release(
        "v2",
        "steps:\n  more:\n    add: |\n      CREATE TABLE more (n integer);\n      ALTER TABLE log ADD COLUMN m integer;\n      INSERT INTO log VALUES (1, 1);\n",
    );
    bench.target(settings);
    bench
}

fn traffic_is_waited_for_and_then_told(engine: Engine) {
    let bench = behind_traffic(engine, "lock_timeout: 3s\nlock_retry_for: 1s\n");
    let holder = Holder::new(&bench.db, "log");
    let run = bench.ends(4, "ff");
    match engine {
        Engine::Sqlite => {}
        Engine::Postgres => drop(run.says("LOCK TABLE log")),
        Engine::Mariadb => drop(run.says("user tri")),
    }
    drop(holder);
    assert!(bench.db.has_table("more") != engine.atomic());
    bench.ok("ff --wait-lock 0s");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

fn traffic_that_ends_is_waited_out(engine: Engine) {
    let bench = behind_traffic(engine, "lock_timeout: 100ms\nlock_retry_for: 60s\n");
    let holder = Holder::new(&bench.db, "log");
    let command = bench.command("ff");
    let child = command.spawn();
    if engine != Engine::Sqlite {
        until("a statement that waits", || waiting(&bench).is_some());
    }
    drop(holder);
    command.end(child).exits(0);
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

/// The server's session that waits for a lock in this database, if one does.
pub fn waiting(bench: &Bench) -> Option<String> {
    let sql = match bench.db.engine() {
        Engine::Sqlite => panic!("SQLite has no sessions"),
        Engine::Postgres => {
            "SELECT a.pid FROM pg_stat_activity a WHERE datname = current_database() AND cardinality(pg_blocking_pids(a.pid)) > 0 LIMIT 1"
        }
        Engine::Mariadb => {
            "SELECT id FROM information_schema.processlist WHERE db = database() AND state LIKE 'Waiting for%lock' LIMIT 1"
        }
    };
    bench.db.query(sql).pop()
}

/// Whether a session of the server is still there.
fn is_there(bench: &Bench, session: &str) -> bool {
    let sql = match bench.db.engine() {
        Engine::Sqlite => panic!("SQLite has no sessions"),
        Engine::Postgres => {
            format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {session} AND datname = current_database()")
        }
        Engine::Mariadb => format!("SELECT count(*) FROM information_schema.processlist WHERE id = {session}"),
    };
    bench.db.value(&sql) != "0"
}

fn a_cut_connection_is_made_again(engine: Engine) {
    let bench = behind_traffic(engine, "lock_timeout: 60s\n");
    let holder = Holder::new(&bench.db, "log");
    let command = bench.command("ff");
    let child = command.spawn();
    let mut session = None;
    until("a statement that waits", || {
        session = waiting(&bench);
        session.is_some()
    });
    let session = session.unwrap();
    bench.db.query(&match engine {
        Engine::Sqlite => panic!("SQLite has no sessions"),
        Engine::Postgres => format!("SELECT pg_terminate_backend({session})"),
        Engine::Mariadb => format!("KILL {session}"),
    });
    drop(holder);
    command.end(child).exits(0);
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    assert_eq!(bench.states("v2", "more"), "done done done");
}

#[test]
fn a_connection_that_is_cut_is_made_again() {
    a_cut_connection_is_made_again(Engine::Postgres);
}

#[test]
fn a_mariadb_connection_that_is_cut_is_made_again() {
    a_cut_connection_is_made_again(Engine::Mariadb);
}

fn a_dead_session_is_ended(engine: Engine) {
    let bench = behind_traffic(engine, "lock_timeout: 60s\n");
    let holder = Holder::new(&bench.db, "log");
    let command = bench.command("ff");
    let mut first = command.spawn();
    let mut session = None;
    until("a statement that waits", || {
        session = waiting(&bench);
        session.is_some()
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let second = command.spawn();
    let session = session.unwrap();
    until("the end of the dead run's session", || !is_there(&bench, &session));
    drop(holder);
    command.end(second).exits(0);
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    assert_eq!(bench.states("v2", "more"), "done done done");
}

#[test]
fn who_takes_over_ends_the_dead_runs_session() {
    a_dead_session_is_ended(Engine::Postgres);
}

#[test]
fn who_takes_over_ends_the_dead_runs_mariadb_session() {
    a_dead_session_is_ended(Engine::Mariadb);
}

#[test]
fn a_pooler_in_transaction_mode_works_or_is_named() {
    let bench = Bench::new(Engine::Postgres);
    super::releases::sample(&bench);
    let url = crate::harness::bouncer(bench.db.server()).with_password();
    let run = bench.command("ff --conn").arg(&url).run();
    match run.code {
        0 => assert_eq!(super::releases::columns(&bench), "first_name id"),
        8 | 2 => {
            run.says("admin_connection");
            assert!(bench.db.tables().is_empty());
        }
        _ => panic!("{run:?}"),
    }
    // The way around: the runner's own connection.
    bench.write("conf.d/test.yaml", &format!("connection: '{url}'\nadmin_connection: '{}'\n", bench.db.url()));
    bench.ok("ff");
    assert_eq!(super::releases::columns(&bench), "first_name id");
}
