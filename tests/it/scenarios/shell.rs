//! `shell` actions: a file is run by the database's own client, outside of any transaction of ours.

use crate::harness::{Bench, Engine, on_each_engine, signal, until};
use std::{fs, os::unix::fs::PermissionsExt as _};

on_each_engine!(
    a_file_is_run_by_the_engines_own_client,
    a_file_that_fails_says_why_and_is_run_again,
    a_missing_client_is_named_before_anything_runs,
    the_targets_own_binary_gets_its_arguments,
    an_edited_file_is_drift,
    a_signal_ends_the_client,
    a_killed_run_leaves_a_question,
    a_script_for_a_client_can_not_have_it,
    the_clients_session_is_as_a_handlers,
    killed_at_every_point_it_runs_once,
);

/// A file that only the engine's client understands, which writes a row.
fn script(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => ".parameter set @n 7\nCREATE TABLE filled (n integer);\nINSERT INTO filled VALUES (@n);\n",
        Engine::Postgres => "\\set n 7\nCREATE TABLE filled (n integer);\nINSERT INTO filled VALUES (:n);\n",
        Engine::Mariadb => "delimiter //\nCREATE TABLE filled (n integer)//\nINSERT INTO filled VALUES (7)//\n",
    }
}

const RELEASE: &str = "
steps:
  first:
    add: CREATE TABLE first (id integer)
  fill:
    add:
      - sql: INSERT INTO first VALUES (1)
      - shell: ../sql/fill \"it\".sql
      - sql: INSERT INTO filled VALUES (8)
    rollback_add:
      - shell: ../sql/empty.sql
";

fn a_file_is_run_by_the_engines_own_client(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", RELEASE);
    bench.write("sql/fill \"it\".sql", script(engine));
    bench.write("sql/empty.sql", "DROP TABLE filled;\n");
    bench.ok("plan add").says("shell: sql/fill \"it\".sql");
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT n FROM filled ORDER BY n"), ["7", "8"]);
    assert_eq!(bench.states("v1", "fill"), "done pending pending");
    bench.ok("check --json");
    // What runs forward is the file; only the way back is kept.
    assert_eq!(
        bench.db.value(
            "SELECT count(*) FROM triphase_ledger WHERE h_add LIKE '%INTO filled VALUES (:n)%' OR h_add LIKE '%(@n)%' OR h_add LIKE '%(7)//%'"
        ),
        "0"
    );
    assert_eq!(
        bench.db.value("SELECT count(*) FROM triphase_ledger WHERE h_rollback_add LIKE '%DROP TABLE filled%'"),
        "1"
    );
    // The way back is in the ledger, the file's text too.
    fs::remove_dir_all(bench.dir().join("releases")).unwrap();
    fs::remove_dir_all(bench.dir().join("sql")).unwrap();
    bench.ok("rollback_add v1/fill");
    assert!(!bench.db.has_table("filled"));
}

fn a_file_that_fails_says_why_and_is_run_again(engine: Engine) {
    let bench = Bench::new(engine);
    let secret = match engine {
        Engine::Sqlite => String::new(),
        Engine::Postgres | Engine::Mariadb => {
            bench.write("leak.sh", "echo \"the password is $PGPASSWORD$MYSQL_PWD\" >&2\n");
            format!("\\! sh {}/leak.sh\n", bench.dir().display())
        }
    };
    bench.write(
        "sql/one.sql",
        &format!("CREATE TABLE IF NOT EXISTS one (id integer);\n{secret}SELECT nonsense;\nSELECT 1;\n"),
    );
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n    rollback_add: DROP TABLE one\n");
    let run = bench.ends(1, "add v1").says("nonsense").says("ended with exit status");
    if engine != Engine::Sqlite {
        assert!(run.stderr.contains("the password is ***"), "{}", run.stderr);
        let password = bench.db.server().password();
        assert!(!run.said().contains(&password));
        assert_eq!(
            bench.db.value(&format!("SELECT count(*) FROM triphase_history WHERE detail LIKE '%{password}%'")),
            "0"
        );
    }
    assert_eq!(bench.states("v1", "one"), "failed pending pending");
    // What it did stays, and nobody takes it for nothing: the rollback is not passed over.
    assert!(bench.db.has_table("one"));
    bench.ends(3, "check");
    bench.write("sql/one.sql", "CREATE TABLE IF NOT EXISTS one (id integer);\n");
    bench.ok("add v1");
    assert_eq!(bench.states("v1", "one"), "done pending pending");
    bench.ok("rollback_add v1");
    bench.write("sql/one.sql", "CREATE TABLE one (id integer);\nSELECT nonsense;\n");
    bench.ends(1, "add v1");
    bench.ok("rollback_add v1");
    assert!(!bench.db.has_table("one"), "a file that failed half-way was taken for never begun");
    assert_eq!(bench.states("v1", "one"), "rolled_back pending pending");
}

fn a_missing_client_is_named_before_anything_runs(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", RELEASE);
    bench.write("sql/fill \"it\".sql", script(engine));
    bench.write("sql/empty.sql", "");
    bench.target("binary: no-such-client\n");
    bench.ends(2, "plan add v1").says("no-such-client").says("error[F4]");
    bench.ends(2, "add v1").says("no-such-client");
    bench.target("binary: psql\nbinary_args: ['--host={nothing}', '{password}']\n");
    bench.ends(2, "add v1").says("{password}");
    if engine == Engine::Sqlite {
        bench.target("binary: sqlite3\nbinary_args: ['{username}', '{filename}']\n");
        bench.ends(2, "add v1").says("`{username}`, and the target's connection has none");
    }
    assert!(bench.db.tables().is_empty());
}

fn the_targets_own_binary_gets_its_arguments(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n");
    bench.write("sql/one.sh", "echo \"$0|$1|$2\" > out.txt\n");
    bench.target("binary: sh\nbinary_args: ['{filename}', 'db={database}', '$HOME `x`; y']\n");
    bench.ok("add v1");
    let database = match engine {
        Engine::Sqlite => bench.db.file().display().to_string(),
        Engine::Postgres | Engine::Mariadb => bench.db.server().database(),
    };
    let said = fs::read_to_string(bench.dir().join("out.txt")).unwrap();
    assert!(said.ends_with(&format!("/sql/one.sh|db={database}|$HOME `x`; y\n")) && said.starts_with('/'), "{said}");
    // Where no argument names the file, the client reads it.
    bench.release("v2", "steps:\n  two:\n    add:\n      - shell: ../sql/two.txt\n");
    bench.write("sql/two.txt", "as it is\n");
    bench.target("binary: tee\nbinary_args: [two.txt]\n");
    bench.ok("ff");
    assert_eq!(fs::read_to_string(bench.dir().join("two.txt")).unwrap(), "as it is\n");
}

fn an_edited_file_is_drift(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n");
    bench.target("binary: sh\nbinary_args: ['{filename}']\n");
    bench.write("sql/one.sh", "true\n");
    bench.ok("ff");
    bench.ok("check");
    // Contents count, not paths and line ends.
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/uno.sh\n");
    bench.write("sql/uno.sh", "true\r\n");
    bench.ok("check");
    bench.write("sql/uno.sh", "false\n");
    bench.ends(6, "check").says("v1/one");
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../../one.sh\n");
    bench.ends(2, "check").says("outside the project folder");
}

fn a_signal_ends_the_client(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sh\n");
    bench.target("binary: sh\nbinary_args: ['{filename}']\n");
    bench.write("sql/one.sh", "echo $$ > started.tmp && mv started.tmp started && exec sleep 600\n");
    let command = bench.command("add v1");
    let child = command.spawn();
    let started = bench.dir().join("started");
    until("the client is at work", || started.exists());
    signal(&child, "TERM");
    command.end(child).exits(143);
    let pid = fs::read_to_string(started).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists(), "the client lives on");
    assert_eq!(bench.states("v1", "one"), "failed pending pending");
    bench.write("sql/one.sh", "true\n");
    bench.ok("add v1");
}

/// What Ctrl-C does in `psql`: the server's statement is cancelled too.
#[test]
fn a_signal_cancels_the_statement_of_psql() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    bench.write("sql/one.sql", "SELECT pg_sleep(600);\n");
    let command = bench.command("add v1");
    let child = command.spawn();
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600);' AND state = 'active'";
    until("psql is at work", || bench.db.value(at_work) == "1");
    signal(&child, "INT");
    command.end(child).exits(130);
    until("the server is done", || bench.db.value(at_work) == "0");
}

/// How many clients sleep on the server.
const fn sleepers(engine: Engine) -> &'static str {
    match engine {
        // The whole server's list, but only this database's sessions.
        Engine::Mariadb => {
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE 'SELECT sleep(600)%'"
        }
        Engine::Sqlite | Engine::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'triphase %' AND query LIKE '%pg_sleep(600)%' \
             AND pid <> pg_backend_pid()"
        }
    }
}

/// X2: `unlock --force` ends the client with the run, which then says and records nothing of it: how far it came is a question.
fn a_client_whose_lock_is_taken_away_is_a_question(engine: Engine, sleep: &str) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    bench.write("sql/one.sql", sleep);
    let command = bench.command("add v1");
    let child = command.spawn();
    until("the client is at work", || bench.db.value(sleepers(engine)) == "1");
    bench.ok("unlock --force").says("ended run");
    command.end(child).exits(4).says("this run's no more").hides("the ledger says: failed");
    assert_eq!(bench.states("v1", "one"), "running pending pending");
    bench.ends(5, "add v1").says("triphase repair undone v1/one add 1");
}

#[test]
fn a_postgres_client_whose_lock_is_taken_away_is_a_question() {
    a_client_whose_lock_is_taken_away_is_a_question(Engine::Postgres, "SELECT pg_sleep(600);\n");
}

#[test]
fn a_mariadb_client_whose_lock_is_taken_away_is_a_question() {
    a_client_whose_lock_is_taken_away_is_a_question(Engine::Mariadb, "SELECT sleep(600);\n");
}

fn a_killed_run_leaves_a_question(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    let at_work = sleepers(engine);
    match engine {
        Engine::Sqlite => {
            bench.target("binary: sh\nbinary_args: ['{filename}']\n");
            bench.write("sql/one.sql", "touch started; until [ -e go ]; do sleep 0.05; done\n");
        }
        Engine::Postgres => bench.write("sql/one.sql", "SELECT pg_sleep(600);\n"),
        Engine::Mariadb => bench.write("sql/one.sql", "SELECT sleep(600);\n"),
    }
    let command = bench.command("add v1");
    let child = command.spawn();
    match engine {
        Engine::Sqlite => until("the client is at work", || bench.dir().join("started").exists()),
        Engine::Postgres | Engine::Mariadb => until("the client is at work", || bench.db.value(at_work) == "1"),
    }
    signal(&child, "KILL");
    command.end(child);
    if engine == Engine::Sqlite {
        // The dead run's client still works: nobody else may, until it has ended.
        bench.ends(4, "add v1 --wait-lock 200ms");
        bench.write("go", "");
    }
    bench.ends(5, "add v1").says("triphase repair done v1/one add 1").says("triphase repair undone v1/one add 1");
    if engine != Engine::Sqlite {
        assert_eq!(bench.db.value(at_work), "0", "a dead run's client is still at work");
    }
    bench.ends(5, "check");
    bench.ok("repair done v1/one add 1 --reason seen");
    assert_eq!(bench.states("v1", "one"), "done pending pending");
}

/// Who takes over ends the client's session. This one is between two statements then, and by its own wish would go on in a new session.
#[test]
fn a_client_does_not_come_back_in_another_session() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    bench.write("sql/one.sql", "SELECT 1;\n\\! sh wait.sh\nCREATE TABLE late (id integer);\n");
    bench.write("wait.sh", "touch started; until [ -e go ]; do sleep 0.05; done\n");
    let command = bench.command("add v1");
    let child = command.spawn();
    until("the client is at work", || bench.dir().join("started").exists());
    signal(&child, "KILL");
    command.end(child);
    bench.ends(5, "add v1").says("triphase repair undone v1/one add 1");
    bench.write("go", "");
    let here = bench.dir().canonicalize().unwrap();
    until("the client has ended", || {
        let mut all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cwd"));
        !all.any(|cwd| fs::read_link(cwd).is_ok_and(|cwd| cwd == here))
    });
    assert!(!bench.db.has_table("late"), "a client went on in a session that nobody knows");
}

/// A client that a killed run has started, and that comes to the server only when the next run has looked for it.
#[test]
fn a_client_that_comes_late_is_refused() {
    for (engine, name, args) in [
        (
            Engine::Mariadb,
            "mariadb",
            "'--no-defaults', '--protocol=tcp', '--host={host}', '--port={port}', '--user={username}', '{database}'",
        ),
        (
            Engine::Postgres,
            "psql",
            "'-X', '-w', '--host={host}', '--port={port}', '--username={username}', '--dbname={database}', '--file={filename}'",
        ),
    ] {
        let bench = Bench::new(engine);
        bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
        bench.write("sql/one.sql", "CREATE TABLE late (id integer);\n");
        let wrapper = format!(
            "#!/bin/sh\ntouch started\nuntil [ -e go ]; do sleep 0.05; done\n{name} \"$@\" 2>said\necho $? >ended\n"
        );
        bench.write(&format!("bin/{name}"), &wrapper);
        fs::set_permissions(bench.dir().join("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        bench.target(&format!("binary: bin/{name}\nbinary_args: [{args}]\n"));
        let command = bench.command("add v1");
        let child = command.spawn();
        until("the client is started", || bench.dir().join("started").exists());
        signal(&child, "KILL");
        command.end(child);
        bench.ends(5, "add v1").says("triphase repair undone v1/one add 1");
        bench.write("go", "");
        until("the client has ended", || {
            fs::read_to_string(bench.dir().join("ended")).is_ok_and(|code| code.ends_with('\n'))
        });
        let said = fs::read_to_string(bench.dir().join("said")).unwrap();
        assert!(said.contains("the run that started this client has the lock no more"), "{name}: {said}");
        assert!(!bench.db.has_table("late"), "{name}");
        // One that comes in time is let in.
        bench.ok("repair undone v1/one add 1 --reason looked");
        bench.ok("add v1");
        assert!(bench.db.has_table("late"), "{name}");
    }
}

fn a_script_for_a_client_can_not_have_it(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    bench.write("sql/one.sql", "SELECT 1;\n");
    let run = bench.ends(2, "sql add v1").says("one.sql");
    assert!(run.stdout.starts_with("-- refused (exit code 2)"), "{run:?}");
    assert!(run.stdout.lines().all(|line| line.starts_with("--")), "{run:?}");
}

fn the_clients_session_is_as_a_handlers(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add:\n      - shell: ../sql/one.sql\n");
    match engine {
        Engine::Sqlite => {
            bench.write("conf.d/test.yaml", &format!("connection: '{}?foreign_keys=on'\n", bench.db.url()));
            bench.write("sql/one.sql", "CREATE TABLE one AS SELECT * FROM pragma_foreign_keys;\n");
            bench.ok("add v1");
            assert_eq!(bench.db.value("SELECT * FROM one"), "1");
        }
        Engine::Postgres => {
            bench.db.query("CREATE SCHEMA \"our app\"");
            bench.target("schema: our app\nlock_timeout: 1700ms\n");
            bench.write("sql/one.sql", "CREATE TABLE one AS SELECT current_setting('lock_timeout');\n");
            bench.ok("add v1");
            assert_eq!(bench.db.value("SELECT * FROM \"our app\".one"), "1700ms");
        }
        Engine::Mariadb => {
            let schema = format!("{} app", bench.db.server().database());
            bench.db.query(&format!("CREATE DATABASE \"{schema}\""));
            bench.target(&format!("schema: {schema}\nlock_timeout: 1700ms\n"));
            bench.write(
                "sql/one.sql",
                "CREATE TABLE one AS SELECT @@lock_wait_timeout AS wait, @@character_set_client AS charset, char_length('ä') AS letters,\n\
                 @@sql_mode LIKE '%STRICT%' AS strict, database() AS place;\n",
            );
            bench.ok("add v1");
            let found = bench.db.value(&format!("SELECT * FROM \"{schema}\".one"));
            bench.db.query(&format!("DROP DATABASE \"{schema}\""));
            assert_eq!(found, format!("2|utf8mb4|1|1|{schema}"));
        }
    }
}

/// At every point that the binary passes it is killed, and run again; what it can't know is answered with the truth.
fn killed_at_every_point_it_runs_once(engine: Engine) {
    let prepared = || {
        let bench = Bench::new(engine);
        bench.release(
            "v1",
            "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n  one:\n    add:\n      - INSERT INTO log VALUES (1)\n      - shell: \
             ../sql/two.sql\n      - INSERT INTO log VALUES (3)\n",
        );
        bench.write("sql/two.sql", "INSERT INTO log VALUES (2);\n");
        bench
    };
    let clean = prepared();
    let log = clean.dir().join("points");
    clean.command("add v1").var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
    let points = fs::read_to_string(log).unwrap().lines().count();
    assert!(points > 5, "{points} points");
    for n in 1..=points {
        let bench = prepared();
        bench.command("add v1").var("TRIPHASE_FAILPOINT", n.to_string()).run().exits(-9);
        let mut run = bench.run("add v1");
        if run.code == 5 {
            let word = if bench.db.value("SELECT count(*) FROM log WHERE n = 2") == "1" { "done" } else { "undone" };
            bench.ok(&format!("repair {word} v1/one add 2 --reason looked"));
            run = bench.run("add v1");
        }
        run.exits(0);
        assert_eq!(bench.db.query("SELECT n FROM log ORDER BY n"), ["1", "2", "3"], "killed at point {n}");
        assert_eq!(bench.states("v1", "one"), "done pending pending", "killed at point {n}");
    }
}
