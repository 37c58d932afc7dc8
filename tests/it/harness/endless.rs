//! A run at work on a statement without an end.

use super::{Bench, Command, Engine, Running, until};

/// A table for what is done.
pub const LOG: &str = "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n";

/// A row, and then a statement without an end.
pub const ENDLESS: &str = "
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
";

/// The same without the row, where it commits by itself: it is announced before.
pub const ENDLESS_ALONE: &str = "
steps:
  endless:
    add:
      postgres: [{sql: SELECT pg_sleep(3600), transaction: false}]
      mysql: [{sql: SELECT sleep(3600), transaction: false}]
      sqlite:
        - sql: |
            CREATE TABLE endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c
          transaction: false
    rollback_add: DELETE FROM log
";

/// The command that runs [`ENDLESS`], the release `v2` behind [`LOG`], once that is at work.
pub fn endless(bench: &Bench, line: &str) -> (Command, Running) {
    without_end(bench, line, ENDLESS)
}

/// The same of another release.
pub fn without_end(bench: &Bench, line: &str, v2: &str) -> (Command, Running) {
    bench.release("v1", LOG);
    bench.ok("ff");
    bench.release("v2", v2);
    let command = bench.command(line);
    let child = command.spawn();
    until("the endless statement", || at_work(bench));
    (command, child)
}

fn at_work(bench: &Bench) -> bool {
    let sessions = match bench.db.engine() {
        // Who holds the lock says so before the step's first statement.
        Engine::Sqlite => {
            let lock = std::fs::read_to_string(format!("{}.triphase-lock", bench.db.file().display()));
            return lock.unwrap_or_default().contains("\"at\":\"add v2/endless\"");
        }
        Engine::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
             AND query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()"
        }
        Engine::Mariadb => {
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE '%SELECT sleep(3600)'"
        }
    };
    bench.db.value(sessions) != "0"
}

/// Whether a run has begun that the audit trail says nothing of yet: its own row is written under the lock, just before its first statement.
pub fn begun(bench: &Bench) -> bool {
    bench.db.value("SELECT count(*) FROM triphase_run WHERE run_id IN (SELECT run_id FROM triphase_history)") == "0"
}
