//! One run at a time.

use super::releases::{V1, sample};
use crate::harness::{Bench, Db, Engine, Holder, on_each_engine, until};
use std::process::Child;

on_each_engine!(
    eight_runners_do_each_step_once,
    a_busy_lock_is_told_after_a_bounded_wait,
    a_lock_is_given_back_on_every_path
);

fn eight_runners_do_each_step_once(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n");
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
    File(std::fs::File),
    /// A server: a run that waits for a table that a session has locked.
    Run { run: Child, _session: Holder },
}

impl Drop for Keeper {
    fn drop(&mut self) {
        match self {
            Self::File(file) => file.unlock().unwrap(),
            Self::Run { run, .. } => {
                let _ = run.kill();
                let _ = run.wait();
            }
        }
    }
}

fn keep(bench: &Bench) -> Keeper {
    match &bench.db {
        Db::Sqlite { .. } => {
            let file = std::fs::File::create(format!("{}.triphase-lock", bench.db.file().display())).unwrap();
            file.lock().unwrap();
            Keeper::File(file)
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
            Keeper::Run { run, _session: session }
        }
        Db::Mariadb { .. } => {
            let session = Holder::new(&bench.db, "customer");
            let run = bench.command("rollback_add v1 --yes").spawn();
            // The run's own row is written under the lock, before its first statement.
            until("the run's row", || {
                let recorded =
                    "SELECT count(*) FROM triphase_run WHERE run_id IN (SELECT run_id FROM triphase_history)";
                bench.db.value(recorded) == "0"
            });
            Keeper::Run { run, _session: session }
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
