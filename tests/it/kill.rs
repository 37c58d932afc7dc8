//! The binary is killed (SIGKILL) at every point it passes, and run again: the end is that of a run that nobody killed, and nothing has
//! run twice.

use crate::harness::{Bench, Engine, table};
use std::collections::BTreeMap;

/// What every handler leaves behind once: a row of `log`. On PostgreSQL a step that can't run in a transaction is among them, on MariaDB
/// one that sets its session.
fn project(bench: &Bench) {
    bench.release("v1", "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n    rollback_add: DROP TABLE log\n");
    bench.release(
        "v2",
        "
before:
  add: INSERT INTO log VALUES (20)
steps:
  columns:
    add: |
      ALTER TABLE log ADD COLUMN a integer;
      ALTER TABLE log ADD COLUMN b integer;
      INSERT INTO log (n) VALUES (21);
    simdrop:
      - ALTER TABLE log RENAME COLUMN a TO _simdrop_a
      - INSERT INTO log (n) VALUES (22)
    drop:
      - INSERT INTO log (n) VALUES (23)
      - ALTER TABLE log DROP COLUMN _simdrop_a
    rollback_simdrop:
      - ALTER TABLE log RENAME COLUMN _simdrop_a TO a
      - INSERT INTO log (n) VALUES (24)
    rollback_add:
      - ALTER TABLE log DROP COLUMN a
      - ALTER TABLE log DROP COLUMN b
      - INSERT INTO log (n) VALUES (25)
  lone:
    add:
      - sql: INSERT INTO log (n) VALUES (26)
        transaction: false
      - sql: INSERT INTO log (n) VALUES (27)
        transaction: false
        done_when: SELECT count(*) > 0 FROM log WHERE n = 27
    rollback_add: INSERT INTO log (n) VALUES (28)
",
    );
    if bench.db.engine() == Engine::Mariadb {
        // What a handler sets must hold for its last statement, in whatever session that is run.
        bench.release(
            "v3",
            "
steps:
  index:
    add:
      - INSERT INTO log (n) VALUES (30)
      - CREATE INDEX log_n ON log (n)
      - SET @n = 31
      - ALTER TABLE log ADD COLUMN c integer, ADD INDEX log_c (c)
      - INSERT INTO log (n) VALUES (@n)
    rollback_add: DROP INDEX log_n ON log
",
        );
    }
    if bench.db.engine() == Engine::Postgres {
        bench.release(
            "v3",
            "
steps:
  index:
    add:
      - INSERT INTO log (n) VALUES (30)
      - CREATE INDEX CONCURRENTLY log_n ON log (n)
      - INSERT INTO log (n) VALUES (31)
    rollback_add: DROP INDEX CONCURRENTLY IF EXISTS log_n
",
        );
    }
}

/// The commands of one sweep: each is killed at its points in turn.
const WAYS: &[(&str, &[&str], &str)] = &[
    ("ff", &[], "ff"),
    ("add", &["ff v1"], "add v2"),
    ("rollback_simdrop", &["ff v1", "add v2", "simdrop v2"], "rollback_simdrop v2"),
    ("rollback_add", &["ff v1", "add v2"], "rollback_add v2"),
];

/// What a run leaves: the schema, the rows, and the ledger without who, when and how often.
#[derive(Debug, PartialEq)]
struct End {
    schema: String,
    rows: Vec<String>,
    ledger: Vec<String>,
    details: Vec<serde_json::Value>,
    /// What the audit trail has done more than once.
    twice: Vec<String>,
}

fn end(bench: &Bench) -> End {
    let detail = |phase: &str| {
        bench
            .db
            .query(&format!("SELECT coalesce({phase}_detail, '{{}}') FROM triphase_ledger ORDER BY \"release\", step"))
    };
    End {
        schema: bench.db.schema(true),
        rows: bench.db.query("SELECT n FROM log ORDER BY n"),
        ledger: bench.db.query(
            "SELECT \"release\", step, name, add_state, simdrop_state, drop_state, h_rollback_simdrop, h_rollback_add \
             FROM triphase_ledger ORDER BY \"release\", step",
        ),
        details: ["add", "simdrop", "drop"]
            .iter()
            .flat_map(|phase| detail(phase))
            .map(|text| {
                let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
                if let Some(map) = value.as_object_mut() {
                    // A second attempt is a second attempt, and says so.
                    map.retain(|key, _| !["who", "attempt", "error", "seq"].contains(&key.as_str()));
                }
                value
            })
            .collect(),
        twice: bench.db.query(
            "SELECT \"release\", step, verb, \"statement\", count(*) FROM triphase_history WHERE outcome = 'done' AND step IS NOT NULL \
             GROUP BY \"release\", step, verb, \"statement\" HAVING count(*) > 1 ORDER BY \"release\", step, verb",
        ),
    }
}

fn prepared(engine: Engine, before: &[&str]) -> Bench {
    let bench = Bench::new(engine);
    bench.target("require_previous: added\n");
    project(&bench);
    for line in before {
        bench.ok(line);
    }
    bench
}

/// Runs a command to its end, and answers what a run can't know, as its message says: with the truth.
fn finish(bench: &Bench, line: &str) -> &'static str {
    let mut outcome = "resumed";
    for _ in 0..10 {
        let run = bench.run(line);
        match run.code {
            0 => return outcome,
            5 => {
                outcome = "asked";
                // The only statement of these releases that nothing can decide.
                assert!(run.said().contains("INSERT INTO log (n) VALUES (26)"), "{run:?}");
                let say = |word: &str| {
                    run.said()
                        .lines()
                        .find_map(|l| {
                            l.find(&format!("triphase repair {word} "))
                                .map(|at| l[at..].trim_end_matches('`').to_owned())
                        })
                        .unwrap_or_else(|| panic!("no `repair {word}` in {run:?}"))
                };
                let (done, undone) = (say("done"), say("undone"));
                let applied = bench.db.value("SELECT count(*) FROM log WHERE n = 26") == "1";
                let answer = if applied { done } else { undone };
                let answer = answer
                    .trim_start_matches("triphase ")
                    .split(" --reason")
                    .next()
                    .unwrap()
                    .trim_end_matches(['`', '.'])
                    .to_owned();
                bench.command(&answer).arg("--reason").arg("asked the table").arg("--yes").run().exits(0);
            }
            _ => panic!("after a kill: {run:?}"),
        }
    }
    panic!("`{line}` comes to no end");
}

fn sweep(engine: Engine) {
    let mut found = vec![];
    for (name, before, line) in WAYS {
        let clean = prepared(engine, before);
        let log = clean.dir().join("points");
        clean.command(line).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
        let expected = end(&clean);
        let points: Vec<String> =
            std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        assert!(!points.is_empty(), "{engine:?} passes no points on `{line}`");
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, point) in points.iter().enumerate() {
            let bench = prepared(engine, before);
            let killed = bench.command(line).var("TRIPHASE_FAILPOINT", (n + 1).to_string()).run();
            assert_eq!(killed.code, -9, "{engine:?} `{line}` at {point}: {killed:?}");
            let outcome = finish(&bench, line);
            pretty_assertions::assert_eq!(end(&bench), expected, "{:?} `{}` killed at {}", engine, line, point);
            *outcomes.entry(outcome).or_default() += 1;
        }
        found.push((name, points.len(), outcomes));
    }
    let rows = found.into_iter().map(|(name, points, outcomes)| {
        let outcomes: Vec<_> = outcomes.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
        format!("| {} | {name} | {points} | {} |", title(engine), outcomes.join(", "))
    });
    table("CONTRIBUTING.md", title(engine), &rows.collect::<Vec<_>>());
}

fn title(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
        Engine::Mariadb => "MariaDB",
    }
}

#[test]
fn sqlite() {
    sweep(Engine::Sqlite);
}

#[test]
fn postgres() {
    sweep(Engine::Postgres);
}

/// Killed anywhere in an `add` that begins with a concurrent index, and then rolled back instead of run again: nothing of it stays.
#[test]
fn postgres_and_then_back() {
    let ready = || {
        let bench = prepared(Engine::Postgres, &["ff"]);
        bench.release(
            "v4",
            "
steps:
  second_index:
    add:
      - CREATE INDEX CONCURRENTLY log_n_again ON log (n)
      - INSERT INTO log (n) VALUES (41)
    rollback_add:
      - DROP INDEX CONCURRENTLY IF EXISTS log_n_again
      - sql: DELETE FROM log WHERE n = 41
        done_when: SELECT count(*) = 0 FROM log WHERE n = 41
",
        );
        bench
    };
    let clean = ready();
    let (schema, rows) = (clean.db.schema(false), clean.db.query("SELECT n FROM log ORDER BY n"));
    let log = clean.dir().join("points");
    clean.command("add v4").var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
    let points = std::fs::read_to_string(&log).unwrap();
    for (n, point) in points.lines().enumerate() {
        let bench = ready();
        let killed = bench.command("add v4").var("TRIPHASE_FAILPOINT", (n + 1).to_string()).run();
        assert_eq!(killed.code, -9, "at {point}: {killed:?}");
        bench.ok("rollback_add v4");
        assert_eq!(bench.db.schema(false), schema, "killed at {point}");
        assert_eq!(bench.db.query("SELECT n FROM log ORDER BY n"), rows, "killed at {point}");
        bench.ok("ff v4");
    }
}

#[test]
fn mariadb() {
    sweep(Engine::Mariadb);
}
