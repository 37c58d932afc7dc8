//! One run at a time.

use super::releases::{V1, sample};
use crate::harness::{
    Bench, Db, ENDLESS_ALONE, Engine, Holder, LOG, Running, begun, endless, host, on_each_engine, signal, until,
    without_end,
};
use std::io::{BufRead as _, BufReader};

on_each_engine!(
    eight_runners_do_each_step_once,
    a_busy_lock_is_told_after_a_bounded_wait,
    who_holds_the_lock_is_named,
    a_live_holder_is_named_and_a_dead_one_is_not_in_the_way,
    what_is_at_work_is_no_question,
    what_follows_from_what_is_at_work_is_waited_for,
    a_lock_is_given_back_on_every_path,
    a_ledger_that_is_locked_is_waited_for
);

fn eight_runners_do_each_step_once(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", LOG);
    for n in 2..6 {
        bench.release(
            &format!("v{n}"),
            &format!("steps:\n  a{n}:\n    add: INSERT INTO log VALUES ({n})\n    simdrop: INSERT INTO log VALUES ({n}0)\n    drop: INSERT INTO log VALUES ({n}00)\n"),
        );
    }
    let command = bench.command("ff");
    let children: Vec<_> = (0..8).map(|_| command.spawn()).collect();
    for child in children {
        let run = command.end(child);
        assert!([0, 4].contains(&run.code), "{run:?}");
    }
    bench.ok("ff");
    let expected: Vec<String> = (2..6).flat_map(|n| [format!("{n}"), format!("{n}0"), format!("{n}00")]).collect();
    assert_eq!(bench.db.query("SELECT n FROM log"), expected);
}

/// Something that keeps a run from its lock until dropped.
enum Keeper {
    /// SQLite: the lock file itself.
    File { _locked: std::fs::File },
    /// A server: a run that waits for a table that a session has locked.
    Run { _run: Running, _session: Holder },
}

fn keep(bench: &Bench) -> Keeper {
    match &bench.db {
        Db::Sqlite { .. } => {
            let file = std::fs::File::create(format!("{}.triphase-lock", bench.db.file().display())).unwrap();
            file.lock().unwrap();
            Keeper::File { _locked: file }
        }
        Db::Postgres { .. } => {
            let session = Holder::new(&bench.db, "customer");
            let run = bench.command("rollback_add v1 --yes").spawn();
            until("the run's lock", || {
                bench.db.value(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                ) != "0"
            });
            Keeper::Run { _run: run, _session: session }
        }
        Db::Mariadb { .. } => {
            let session = Holder::new(&bench.db, "customer");
            let run = bench.command("rollback_add v1 --yes").spawn();
            until("the run's row", || begun(bench));
            Keeper::Run { _run: run, _session: session }
        }
    }
}

fn a_busy_lock_is_told_after_a_bounded_wait(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("add v1");
    let keeper = keep(&bench);
    bench.ends(4, "ff --wait-lock 1s");
    bench.ends(4, "rollback_add v1 --wait-lock 0s");
    // Who only looks does not wait.
    bench.ok("show");
    bench.ok("plan ff");
    drop(keeper);
}

/// Run, user, host, process and command of whoever is waited for, for people and as JSON.
fn who_holds_the_lock_is_named(engine: Engine) {
    let bench = Bench::new(engine);
    let (command, child) = endless(&bench, "add v2/endless");
    let run = bench.db.value("SELECT run_id FROM triphase_run");
    let (who, pid) = (format!("tester@{}", host()), child.id());
    assert_eq!(bench.db.value("SELECT who, host, pid FROM triphase_run"), format!("{who}|{}|{pid}", host()));
    for line in ["ff --wait-lock 0s", "add v2 --wait-lock 100ms"] {
        let busy = bench.ends(4, line);
        let error = busy.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        for part in [&run, &who, &format!("pid {pid}"), "triphase add v2/endless"] {
            assert!(error.contains(part), "{line} does not name {part}: {}", busy.stderr);
        }
        assert!(busy.stdout.is_empty(), "{busy:?}");
    }
    let json = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let end = json(bench.ends(4, "ff --json --wait-lock 0s").stdout.lines().last().unwrap());
    assert_eq!((end["end"].as_str(), end["exit_code"].as_u64()), (Some("busy"), Some(4)), "{end}");
    assert!(end["error"].as_str().is_some_and(|error| error.contains(&run)), "{end}");
    // Who waits is told before.
    let waits = bench.command("ff --json");
    let mut waiter = waits.spawn();
    let mut lines = BufReader::new(waiter.stdout.take().unwrap()).lines().map(|line| json(&line.unwrap()));
    let waiting = lines.find(|event| event["type"] == "waiting").unwrap();
    let by = &waiting["by"];
    assert_eq!((by["run"].as_str(), by["who"].as_str()), (Some(run.as_str()), Some(who.as_str())), "{waiting}");
    assert_eq!((by["host"].as_str(), by["pid"].as_u64()), (Some(host().as_str()), Some(pid.into())), "{waiting}");
    assert_eq!(by["command"], "triphase add v2/endless", "{waiting}");
    signal(&waiter, "INT");
    waits.end(waiter).exits(130);
    signal(&child, "TERM");
    command.end(child).exits(143);
    bench.release("v2", "steps:\n  endless:\n    add: INSERT INTO log VALUES (1)\n");
    bench.ok("ff --wait-lock 0s");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

/// Whoever looks while a statement that commits by itself is at work is told to wait for it, and asked nothing.
fn what_is_at_work_is_no_question(engine: Engine) {
    let bench = Bench::new(engine);
    let (command, child) = without_end(&bench, "add v2", ENDLESS_ALONE);
    until("the announcement", || {
        bench.db.value("SELECT count(*) FROM triphase_history WHERE outcome = 'attempting'") != "0"
    });
    let run = bench.db.value("SELECT run_id FROM triphase_run");
    for line in ["check", "plan ff", "plan rollback_add v2", "sql ff"] {
        bench.ends(4, line).says("statement 1 of add of step `v2/endless` is at work").says(&run).hides("repair");
    }
    bench.ok("show").says("at work: ").says(&run);
    signal(&child, "INT");
    command.end(child).exits(130);
    assert_ne!(bench.run("check").code, 4, "nobody is at work");
    bench.ok("show").hides("at work: ");
}

/// Nor is what else can't go on before it has ended: the run waits for who is at work, and ends what a dead one left there.
fn what_follows_from_what_is_at_work_is_waited_for(engine: Engine) {
    let bench = Bench::new(engine);
    let later = "  later:\n    add: INSERT INTO log VALUES (9)\n";
    let (command, mut child) = without_end(&bench, "add v2", &format!("{ENDLESS_ALONE}{later}"));
    until("the announcement", || {
        bench.db.value("SELECT count(*) FROM triphase_history WHERE outcome = 'attempting'") != "0"
    });
    let run = bench.db.value("SELECT run_id FROM triphase_run");
    bench.ends(4, "add v2 --wait-lock 100ms").says(&run).hides("repair");
    child.kill().unwrap();
    command.end(child);
    // Once it has the lock, nothing of it is at work any more, and the question is one.
    bench.ends(5, "add v2").says("repair undone");
    assert_ne!(bench.run("check").code, 4, "nobody is at work");
    bench.ok("repair undone v2/endless add 1 --reason looked");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "0");
}

/// `unlock` while a run is at work, and once it was killed.
fn a_live_holder_is_named_and_a_dead_one_is_not_in_the_way(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.ok("unlock").says("nothing to do");
    bench.ok("unlock --force").says("nothing to do");
    let recorded = "SELECT count(*) FROM triphase_history WHERE verb = 'unlock'";
    assert_eq!(bench.db.value(recorded), "0", "there was nothing to record");

    let (command, mut child) = endless(&bench, "add v2/endless");
    let run = bench.db.value("SELECT run_id FROM triphase_run");
    // What shares its transaction with its row is seen by nobody yet: who is at it, is.
    bench.ok("show").says("at work: ").says(&run);
    assert!(
        serde_json::from_str::<serde_json::Value>(&bench.ok("show --json").stdout).unwrap()["at_work"]
            .as_str()
            .unwrap()
            .contains(&run)
    );
    let named = bench.run("unlock").says(&run).says(&child.id().to_string());
    let lines: &[&str] = match engine {
        // A file has no sessions that another process could end.
        Engine::Sqlite => &["unlock --force", "unlock --force --yes"],
        Engine::Postgres | Engine::Mariadb => {
            assert_eq!(named.code, 7, "{named:?}");
            &[]
        }
    };
    for line in lines {
        bench.run(line).says(&run);
    }
    assert!(child.try_wait().unwrap().is_none(), "the run was ended");
    bench.ends(4, "ff --wait-lock 0s");
    assert_eq!(bench.db.value("SELECT run_id FROM triphase_run"), run);
    assert_eq!(bench.db.value(recorded), "0");

    signal(&child, "KILL");
    command.end(child).exits(-9);
    bench.release("v2", "steps:\n  endless:\n    add: INSERT INTO log VALUES (1)\n");
    if engine == Engine::Sqlite {
        bench.ok("unlock").says("nothing to do");
    }
    // Whoever comes next ends what the dead run left at work (rule X2).
    bench.ok("ff");
    bench.ok("unlock").says("nothing to do");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

fn a_lock_is_given_back_on_every_path(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    for (code, line) in [(0, "ff v1"), (7, "add v3"), (0, "add v2"), (0, "rollback_add v2"), (7, "ff")] {
        bench.ends(code, &format!("{line} --wait-lock 0s"));
    }
    bench.release("v2", &super::releases::V2.replace("ADD COLUMN first_name", "ADD COLUMN id"));
    bench.ends(1, "add v2 --wait-lock 0s");
    bench.ends(1, "add v2 --wait-lock 0s");
}

/// Traffic on the ledger itself, before the run's first write.
fn a_ledger_that_is_locked_is_waited_for(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("add v1");
    bench.target("lock_timeout: 50ms\nlock_retry_for: 200ms\n");
    let holder = Holder::new(&bench.db, "triphase_run IN SHARE MODE");
    bench.ends(4, "rollback_add v1").says("lock_retry_for: 200ms");
    assert!(bench.db.has_table("customer"));
    bench.ends(4, "rollout v1").says("nothing is changed").hides("is rolled out");
    bench.target("lock_timeout: 50ms\nlock_retry_for: 60s\n");
    let command = bench.command("rollback_add v1");
    let mut child = command.spawn();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("waiting for the ledger")), "it did not wait");
    drop(holder);
    command.end(child).exits(0);
    assert!(!bench.db.has_table("customer"));
    if engine == Engine::Postgres {
        // Nor does a lock that lets nobody read keep anybody for ever.
        let holder = Holder::new(&bench.db, "triphase_ledger, triphase_run");
        bench.ends(4, "show").says("lock timeout");
        bench.ends(4, "add v1 --wait-lock 0s").says("waited 0s for the ledger");
        drop(holder);
        bench.ok("add v1");
    }
}

/// A handler that changes more than SQLite's cache holds lets nobody read: who comes then waits for the lock, and says whose it is.
#[test]
fn a_file_that_nobody_can_read_is_waited_for_like_a_lock() {
    let bench = Bench::new(Engine::Sqlite);
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.release(
        "v2",
        "
steps:
  big:
    add: |
      CREATE TABLE big AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) SELECT n, zeroblob(600) AS b FROM c;
      CREATE TABLE endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c;
",
    );
    bench.target("lock_timeout: 50ms\n");
    let command = bench.command("ff");
    let first = command.spawn();
    until("the file to be closed to readers", || {
        let output =
            std::process::Command::new("sqlite3").arg(bench.db.file()).arg("SELECT * FROM log").output().unwrap();
        !output.status.success()
    });
    let pid = format!("(pid {})", first.id());
    bench.ends(4, "ff --wait-lock 1s").says("waited 1s for the lock, held by run").says(&pid);
    bench.ends(4, "show").says(&pid);
    let waits = bench.command("ff v1");
    let second = waits.spawn();
    crate::harness::signal(&first, "TERM");
    command.end(first).exits(143);
    waits.end(second).exits(0);
}

#[test]
fn a_script_that_holds_the_lock_is_named() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", "steps:\n  sleep:\n    add: SELECT pg_sleep(3600)\n");
    let script = bench.ok("sql ff").stdout;
    std::thread::scope(|scope| {
        let psql = scope.spawn(|| bench.db.client(&script));
        let sleeping = "FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep(3600)%'";
        until("the script at work", || bench.db.value(&format!("SELECT count(*) {sleeping}")) == "1");
        let run =
            bench.ends(4, "ff --wait-lock 0s").says("app psql").says("SELECT pg_sleep(3600)").hides("left no name");
        assert_eq!(
            run.stderr.lines().filter(|line| line.contains("held by") && line.matches("held by").count() > 1).count(),
            0
        );
        bench.ends(7, "unlock").says("app psql");
        bench.db.query(&format!("SELECT pg_terminate_backend(pid) {sleeping}"));
        assert!(!psql.join().unwrap().status.success());
    });
}

/// `unlock --force` ends a run that is at work, for good, and is recorded.
#[test]
fn a_live_holder_is_ended_only_by_force() {
    let bench = Bench::new(Engine::Postgres);
    let (command, child) = endless(&bench, "ff");
    bench.ends(7, "unlock").says(&format!("(pid {})", child.id()));
    bench.ok("unlock --force").says("ended run");
    command.end(child).exits(4).says("this run's no more");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "0");
    assert_eq!(bench.states("v1", "log"), "done done done");
    let recorded = "SELECT count(*) FROM triphase_history WHERE verb = 'unlock' AND outcome = 'recorded' AND detail LIKE 'ended %'";
    assert_eq!(bench.db.value(recorded), "1");
    bench.ok("history").says("unlock");
    bench.ok("unlock").says("nothing to do");
    assert_eq!(bench.db.value(recorded), "1", "there was nothing to record");
    bench.release("v2", "steps:\n  endless:\n    add: INSERT INTO log VALUES (2)\n");
    bench.ok("ff --wait-lock 0s");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["2"]);
}
