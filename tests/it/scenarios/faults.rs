//! Signals, traffic in the way, connections that are cut, runners that die with their session left behind.

use crate::harness::{Bench, ENDLESS_ALONE, Engine, Holder, LOG, endless, on_each_engine, signal, until, without_end};

on_each_engine!(
    a_signal_stops_the_statement_in_flight,
    traffic_is_waited_for_and_then_told,
    traffic_that_ends_is_waited_out
);

fn a_signal_stops_the_statement_in_flight(engine: Engine) {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let bench = Bench::new(engine);
        let (command, child) = endless(&bench, "ff");
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
pub fn behind_traffic(engine: Engine, settings: &str) -> Bench {
    let bench = Bench::new(engine);
    bench.release("v1", LOG);
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
fn a_pooler_in_transaction_mode_is_found_and_works() {
    let bench = Bench::new(Engine::Postgres);
    super::releases::sample(&bench);
    let url = crate::harness::bouncer(bench.db.server()).with_password();
    bench.command("-v ff --conn").arg(&url).run().exits(0).says("mode=Lease");
    assert_eq!(super::releases::columns(&bench), "first_name id");
    // The way around: the runner's own connection.
    bench.write("conf.d/test.yaml", &format!("connection: '{url}'\nadmin_connection: '{}'\n", bench.db.url()));
    bench.ok("ff");
    assert_eq!(super::releases::columns(&bench), "first_name id");
    // Another database by another way is most often a slip.
    let name = bench.db.value("SELECT current_database()");
    bench.write(
        "conf.d/test.yaml",
        &format!("connection: '{}_app'\nadmin_connection: '{}'\n", bench.db.url(), bench.db.url()),
    );
    bench.ok("show").says(&format!(
        "`admin_connection` leads to {name} and the connection to {name}_app: triphase works on {name} alone"
    ));
}

/// X1, X3: who comes through a pooler has no session to hold the lock by, and respects one that has.
#[test]
fn a_live_session_is_respected_by_who_comes_through_a_pooler() {
    let bench = Bench::new(Engine::Postgres);
    let pooled = crate::harness::bouncer(bench.db.server()).with_password();
    let (command, child) = without_end(&bench, "add v2", ENDLESS_ALONE);
    let run = bench.db.value("SELECT run_id FROM triphase_run");
    for line in ["add v2 --wait-lock 100ms --conn", "rollback_add v2 --yes --wait-lock 100ms --conn"] {
        bench.command(line).arg(&pooled).run().exits(4).says(&run);
    }
    assert_eq!(bench.db.value("SELECT run_id FROM triphase_run"), run);
    signal(&child, "INT");
    command.end(child).exits(130);
    // Its session is gone: the lease is had.
    bench.command("rollback_add v2 --yes --conn").arg(&pooled).run().exits(0);
}

/// X3: what can't be sent through a pooler is refused before anything is, by the plan too.
#[test]
fn what_a_pooler_would_divert_is_refused_before_the_first_statement() {
    for (settings, set, why) in [
        ("schema: s\n", "", "would not see schema s"),
        ("", "      - SET work_mem = '8MB'\n", "(`SET work_mem = '8MB'`)"),
    ] {
        let bench = Bench::new(Engine::Postgres);
        bench.db.query("CREATE SCHEMA s");
        let url = crate::harness::bouncer(bench.db.server()).with_password();
        bench.write("conf.d/test.yaml", &format!("connection: '{url}'\n{settings}"));
        bench.release(
            "v1",
            &format!(
                "steps:\n  first:\n    add: CREATE TABLE one (n integer)\n  lone:\n    add:\n{set}      - CREATE TABLE two (n integer)\n      - \
                 CREATE INDEX CONCURRENTLY two_n ON two (n)\n"
            ),
        );
        for line in ["plan ff", "ff --noop", "sql ff", "ff", "ff"] {
            bench.ends(8, line).says(why).says("name an `admin_connection`");
        }
        let made = "SELECT tablename FROM pg_tables WHERE tablename IN ('one', 'two')";
        assert_eq!(bench.db.query(made), [""; 0]);
        let ledger = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'triphase\\_%'";
        assert_eq!(bench.db.query(ledger), [""; 0], "nothing was changed");
        // Around the pooler all of it goes.
        let way = format!("connection: '{url}'\nadmin_connection: '{}'\n{settings}", bench.db.server().with_password());
        bench.write("conf.d/test.yaml", &way);
        bench.ok("plan ff").says("CREATE TABLE one");
        bench.ok("ff");
        assert_eq!(bench.db.query(made).len(), 2);
    }
}

/// The COMMIT is sent, and the connection ends before its answer: once with nothing applied, as the server then says.
#[test]
fn a_commit_without_an_answer_is_looked_up() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.db.query("CREATE SEQUENCE once");
    bench.db.query(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF nextval(''once'') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END'",
    );
    bench.db.query(
        "CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()",
    );
    bench.release("v2", "steps:\n  row:\n    add: INSERT INTO log VALUES (1)\n");
    bench.ok("ff").says("connecting again");
    assert_eq!(bench.db.value("SELECT last_value FROM once"), "2");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    assert_eq!(bench.states("v2", "row"), "done done done");
}

/// The server commits, and the answer does not arrive: the ledger says that it did, and nothing runs twice.
#[test]
fn a_commit_whose_answer_is_lost_is_not_sent_again() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.release("v2", "steps:\n  row:\n    add: INSERT INTO log VALUES (4711)\n");
    let server = bench.db.server();
    let port = deaf_proxy(&format!("{}:{}", server.host(), server.port()), b"INSERT INTO log VALUES (4711)");
    let conn = server.to_port(port).with_password();
    bench.command("ff --conn").arg(&conn).run().exits(0).says("connecting again");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["4711"]);
    assert_eq!(bench.states("v2", "row"), "done done done");
}

/// Passes everything on, but for the answer to the first message with `marker` in it: once the server has said all of that, both sides are
/// cut. Gives its port on loopback.
fn deaf_proxy(server: &str, marker: &'static [u8]) -> u16 {
    use std::{
        io::{Read as _, Write as _},
        net::{Shutdown, TcpListener, TcpStream},
        sync::{
            Arc,
            atomic::{AtomicU8, Ordering},
        },
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = server.to_owned();
    // 0: nothing yet; 1: the marker was sent; 2: its connection is cut.
    let state = Arc::new(AtomicU8::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut upstream) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut to_client, mut from_server) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            let (sending, answering) = (Arc::clone(&state), Arc::clone(&state));
            let deaf = Arc::new(AtomicU8::new(0));
            let own = Arc::clone(&deaf);
            std::thread::spawn(move || {
                let mut bytes = [0; 65536];
                while let Ok(n @ 1..) = client.read(&mut bytes) {
                    let marked = bytes[..n].windows(marker.len()).any(|window| window == marker);
                    if marked && sending.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                        own.store(1, Ordering::SeqCst);
                    }
                    if upstream.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
                let _ = upstream.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || {
                let mut bytes = [0; 65536];
                let mut kept = Vec::new();
                while let Ok(n @ 1..) = from_server.read(&mut bytes) {
                    if deaf.load(Ordering::SeqCst) == 1 {
                        kept.extend_from_slice(&bytes[..n]);
                        // "Ready for query, outside any transaction": the commit is done.
                        if kept.ends_with(b"Z\0\0\0\x05I") {
                            answering.store(2, Ordering::SeqCst);
                            break;
                        }
                    } else if to_client.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
                let _ = to_client.shutdown(Shutdown::Both);
                let _ = from_server.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

/// Limits that a role or a database sets are for the application: a handler runs as long as it runs, and the lock is not lost meanwhile.
#[test]
fn limits_of_role_and_database_do_not_reach_handlers() {
    let bench = Bench::new(Engine::Postgres);
    let database = bench.db.server().database();
    for limit in ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"] {
        bench.db.query(&format!("ALTER DATABASE {database} SET {limit} = '1s'"));
    }
    bench.release(
        "v1",
        "
steps:
  slow:
    add:
      - CREATE TABLE log (n integer)
      - SELECT pg_sleep(1.5)
      - expect: SELECT true
  alöne:
    add:
      - sql: SELECT pg_sleep(1.5)
        transaction: false
        done_when: SELECT false
      - sql: INSERT INTO log VALUES (1)
        transaction: false
",
    );
    bench.ok("ff").hides("was not given back").hides("connecting again");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

/// What a handler sets does not reach the next one, nor the ledger's own words.
#[test]
fn an_encoding_that_a_handler_sets_ends_with_it() {
    let bench = Bench::new(Engine::Postgres);
    bench.release(
        "v1",
        "
steps:
  inside:
    add: |
      CREATE TABLE log (t text);
      SET client_encoding = 'LATIN1';
      SET application_name = 'somebody else';
  after_inside:
    add: INSERT INTO log VALUES ('né')
    rollback_add: DELETE FROM log WHERE t = 'né'
  alöne:
    add:
      - sql: SET client_encoding = 'LATIN1'
        transaction: false
      - sql: INSERT INTO log VALUES ('été')
        transaction: false
    rollback_add: DELETE FROM log WHERE t = 'été'
",
    );
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT t FROM log ORDER BY length(t)"), ["né", "été"]);
    assert_eq!(
        bench.db.value(
            "SELECT count(*) FROM triphase_ledger WHERE h_rollback_add LIKE '%né%' OR h_rollback_add LIKE '%été%'"
        ),
        "2"
    );
    bench.ok("rollback_add v1/alöne");
    assert_eq!(bench.db.query("SELECT t FROM log"), ["né"]);
}

/// The session that has the lock is ended, and nobody takes over, while the first of two statements that commit by themselves is at work.
/// The second was never sent, so there is nothing to ask: the lock is taken again, and the run goes on.
fn a_lock_that_nobody_takes_is_taken_again(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.target("lock_timeout: 60s\n");
    let (second, ended, gone) = match engine {
        Engine::Sqlite => panic!("SQLite has no sessions"),
        Engine::Postgres => (
            "INSERT INTO log (n) VALUES (1)",
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()",
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()",
        ),
        Engine::Mariadb => {
            bench.db.query("CREATE PROCEDURE p() INSERT INTO log (n) VALUES (1)");
            (
                "CALL p()",
                "SET @kill = (SELECT concat('KILL ', substring_index(session, ' ', 1)) FROM triphase_run); EXECUTE IMMEDIATE @kill",
                "SELECT count(*) FROM information_schema.processlist WHERE id IN (SELECT substring_index(session, ' ', 1) FROM triphase_run)",
            )
        }
    };
    bench.release(
        "v2",
        &format!(
            "steps:\n  two:\n    add:\n      - {{sql: ALTER TABLE log ADD COLUMN m integer, transaction: false}}\n      - {{sql: {second}, \
             transaction: false}}\n"
        ),
    );
    let holder = Holder::new(&bench.db, "log");
    let command = bench.command("add v2");
    let child = command.spawn();
    until("a statement that waits", || waiting(&bench).is_some());
    bench.db.query(ended);
    until("the end of the session that has the lock", || bench.db.value(gone) == "0");
    drop(holder);
    command.end(child).exits(0).says("connecting again");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    let attempts = "SELECT count(*) FROM triphase_history WHERE outcome = 'attempting' AND statement = 2";
    assert_eq!(bench.db.value(attempts), "1", "announced once: the moment before it was sent");
}

#[test]
fn a_lock_whose_session_is_ended_is_taken_again() {
    a_lock_that_nobody_takes_is_taken_again(Engine::Postgres);
}

#[test]
fn a_mariadb_lock_whose_session_is_ended_is_taken_again() {
    a_lock_that_nobody_takes_is_taken_again(Engine::Mariadb);
}
