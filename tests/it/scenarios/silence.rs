//! A host that is gone without a word: no answer comes, and no end of the connection either. What was at work is looked up, never
//! taken for done, and nothing is waited for without end.

use super::faults::{behind_traffic, waiting};
use crate::harness::{Bench, Command, Engine, Holder, Proxy, Run, Running, on_each_server, signal, until};

on_each_server!(
    work_that_ended_unheard_is_looked_up,
    work_that_goes_on_unheard_is_ended_and_done_again,
    who_is_told_to_stop_does_not_wait_for_a_silent_host,
);

/// A database and a way to it that can fall silent. What takes no work is waited for this long, and no longer: the time that the slowest
/// machine may need, for it is never too short to be right.
fn by(bench: &Bench, settings: &str) -> Proxy {
    let proxy = Proxy::new(bench.db.server());
    bench.write("conf.d/test.yaml", &format!("connection: '{}?connect_timeout=5'\n{settings}", proxy.url()));
    proxy
}

/// What works on for an hour, the first time that it is run, and then not at all.
fn endless_once(engine: Engine) -> (Bench, Proxy) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    bench.db.query("CREATE SEQUENCE once");
    let proxy = by(&bench, "lock_timeout: 100ms\n");
    bench.release(
        "v1",
        "
steps:
  endless:
    add:
      postgres: |
        INSERT INTO log VALUES (4711);
        SELECT pg_sleep(CASE WHEN nextval('once') = 1 THEN 3600 ELSE 0 END);
      mariadb: |
        INSERT INTO log VALUES (4711);
        SELECT sleep(if(nextval(once) = 1, 3600, 0));
",
    );
    (bench, proxy)
}

/// The endless statement is at work.
fn until_at_work(bench: &Bench) {
    until("the endless statement", || at_work(bench) == "1");
}

fn at_work(bench: &Bench) -> String {
    bench.db.value(match bench.db.engine() {
        Engine::Sqlite => panic!("SQLite has no sessions"),
        Engine::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'"
        }
        Engine::Mariadb => {
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state = 'User sleep'"
        }
    })
}

/// Waits for a run's end: one that waits for a silent host would never come to it.
#[track_caller]
fn ended(command: &Command, mut run: Running) -> Run {
    until("the run's end", || run.try_wait().unwrap().is_some());
    command.end(run)
}

/// L5: the connection that works is forgotten on the way; the server's answer never comes, and the other connection tells.
fn work_that_ended_unheard_is_looked_up(engine: Engine) {
    let bench = behind_traffic(engine, "");
    let proxy = by(&bench, "lock_timeout: 60s\n");
    let holder = Holder::new(&bench.db, "log");
    let command = bench.command("ff");
    let child = command.spawn();
    until("a statement that waits", || waiting(&bench).is_some());
    proxy.silence("ADD COLUMN m");
    drop(holder);
    ended(&command, child).exits(0).says("connecting again").says("its answer did not come");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    assert_eq!(bench.states("v2", "more"), "done done done");
}

/// L5, X2: both connections are gone, and the server does not know: who comes back ends its own sessions, and then begins again.
fn work_that_goes_on_unheard_is_ended_and_done_again(engine: Engine) {
    let (bench, proxy) = endless_once(engine);
    let command = bench.command("ff");
    let child = command.spawn();
    until_at_work(&bench);
    proxy.silence_all();
    ended(&command, child).exits(0).says("connecting again").says("no answer within");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["4711"]);
    assert_eq!((at_work(&bench).as_str(), bench.states("v1", "endless").as_str()), ("0", "done done done"));
}

/// X4: what can't be cancelled, because nobody is there, is not waited for.
fn who_is_told_to_stop_does_not_wait_for_a_silent_host(engine: Engine) {
    let (bench, proxy) = endless_once(engine);
    let command = bench.command("ff");
    let child = command.spawn();
    until_at_work(&bench);
    proxy.close();
    signal(&child, "TERM");
    ended(&command, child).exits(143);
    assert_ne!(bench.states("v1", "endless"), "done pending pending");
    // The server has not heard of it: the next run ends what it left.
    bench.target("");
    bench.ok("unlock --force");
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["4711"]);
}

/// L5, C1: a host that does not come back.
#[test]
fn a_host_that_stays_silent_is_given_up() {
    let (bench, proxy) = endless_once(Engine::Postgres);
    let command = bench.command("ff");
    let child = command.spawn();
    until_at_work(&bench);
    proxy.close();
    ended(&command, child).exits(8).says("no answer within");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "0");
}
