//! What people are told: who holds the lock and what it is at, where a fault stands, the way out, what to run next.

use super::releases::{V1, V2, sample};
use crate::harness::{Bench, Engine, endless, on_each_engine, signal};
use std::io::{BufRead as _, BufReader};

on_each_engine!(
    who_waits_is_told_what_the_holder_is_at,
    edited_history_is_shown_at_its_place,
    a_step_that_has_run_and_is_in_the_files_is_not_forgotten,
    a_refused_script_does_not_look_like_nothing_to_do,
    a_look_ends_with_what_to_run_next,
    a_failed_rollback_is_called_so,
    a_way_back_without_statements_promises_nothing,
);

/// X1: run, host, command, and the release and step that it is at.
fn who_waits_is_told_what_the_holder_is_at(engine: Engine) {
    let bench = Bench::new(engine);
    let (command, child) = endless(&bench, "add v2");
    bench.ends(4, "ff --wait-lock 0s").says("`triphase add v2` since ").says(", at add v2/endless");
    let waits = bench.command("ff --json");
    let mut waiter = waits.spawn();
    let mut said = BufReader::new(waiter.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|line| line.contains("\"waiting\"")).expect("it waits");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["by"]["at"], "add v2/endless", "{line}");
    signal(&waiter, "TERM");
    waits.end(waiter).exits(143);
    signal(&child, "TERM");
    command.end(child).exits(143);
}

fn edited_history_is_shown_at_its_place(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    let edited = V2.replace("substr(name, 1, 3)", "substr(name, 1, 4)");
    bench.release("v2", &edited);
    let line = 1 + edited.lines().position(|line| line == "    add: |").unwrap();
    bench.ends(6, "simdrop v2").says(&format!("releases/v2.yaml:{line}:5")).says("steps.names.add");
    let found: serde_json::Value = serde_json::from_str(&bench.ends(6, "check --json").stdout).unwrap();
    let place = &found["findings"][0]["place"];
    assert_eq!(
        (&place["file"], &place["line"], &place["path"]),
        (&"releases/v2.yaml".into(), &line.into(), &"steps.names.add".into())
    );
}

/// L11: it would be pending again, and run a second time.
fn a_step_that_has_run_and_is_in_the_files_is_not_forgotten(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("ff");
    let before = bench.db.everything();
    bench.ends(7, "repair forget v1/ada --reason x").says("v1/ada").says("triphase rollback_add v1/ada");
    assert!(before == bench.db.everything());
    bench.release("v1", &V1.replace("  ada:", "  ada:\n    deleted: true"));
    bench.ok("repair forget v1/ada --reason x");
    assert_eq!(bench.states("v1", "ada"), "");
}

fn a_refused_script_does_not_look_like_nothing_to_do(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("require_previous: dropped\nmin_simdrop_age: 7d\n");
    sample(&bench);
    let refused = bench.ends(7, "sql add v3");
    assert!(refused.stdout.starts_with("-- refused (exit code 7)"), "{refused:?}");
    bench.ok("ff v1");
    bench.ok("ff v2");
    let stopped = bench.ends(7, "sql ff");
    assert!(stopped.stdout.starts_with("-- refused (exit code 7)"), "{stopped:?}");
    assert!(stopped.stdout.contains("\n-- stopped: add v3 [G1]"), "{stopped:?}");
    assert!(!stopped.stdout.contains("nothing to do"), "{stopped:?}");
    let before = bench.db.everything();
    bench.db.client(&stopped.stdout);
    assert!(before == bench.db.everything());
    let waits = bench.ok("sql ff v2");
    assert!(waits.stdout.starts_with("-- nothing to do yet\n-- waits: drop v2 [G6]"), "{waits:?}");
    let done = bench.ok("sql ff v1");
    assert!(done.stdout.starts_with("-- nothing to do: nothing is pending\n"), "{done:?}");
}

fn a_look_ends_with_what_to_run_next(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    for (look, run) in [("plan ff v1", "triphase ff v1"), ("-n ff v1", "triphase ff v1"), ("ff --noop", "triphase ff")]
    {
        let said = bench.ok(look).stderr;
        assert_eq!(said.lines().last(), Some(format!("next: {run}").as_str()), "{look}");
    }
    bench.ok("ff v1");
    bench.ok("add v2");
    let said = bench.ok("check --app-release v2").stderr;
    let last = "next: roll out the application of v2, then: triphase simdrop v2";
    assert_eq!(said.lines().last(), Some(last));
    bench.without("v3");
    bench.ok("ff");
    assert!(!bench.ok("check").stderr.contains("next:"));
    bench.ok("plan ff").says("next: nothing is pending");
}

fn a_failed_rollback_is_called_so(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  a:\n    add: CREATE TABLE a (n integer)\n    rollback_add: DROP TABLE b\n");
    bench.ok("ff");
    bench.ends(1, "rollback_add v1").says("the ledger says: rollback_failed");
    assert_eq!(bench.states("v1", "a"), "rollback_failed done done");
}

fn a_way_back_without_statements_promises_nothing(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  a:\n    add: CREATE TABLE a (n integer)\n    rollback_add: DROP TABLE a\n  b:\n    add: DELETE FROM a\n    rollback_add: []\n",
    );
    bench.ok("plan add v1").says("add v1/b (way back: nothing to run)").hides("lossless");
    let plan: serde_json::Value = serde_json::from_str(&bench.ok("plan add v1 --json").stdout).unwrap();
    assert_eq!(
        (&plan["tasks"][0]["way_back_empty"], &plan["tasks"][1]["way_back_empty"]),
        (&false.into(), &true.into()),
        "{plan}"
    );
}

/// A script is for one database: `psql` connects to whichever it is told to.
#[test]
fn a_script_runs_in_its_own_database_only() {
    let (bench, other) = (Bench::new(Engine::Postgres), Bench::new(Engine::Postgres));
    bench.release("v1", V1);
    let script = bench.ok("sql ff").stdout;
    let before = other.db.everything();
    let output = other.db.client(&script);
    let says = format!(
        "this script was made for database {}; nothing was changed",
        bench.db.value("SELECT current_database()")
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains(&says), "{output:?}");
    assert!(before == other.db.everything());
    let output = bench.db.client(&script);
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(bench.db.has_table("customer"));
}

#[test]
fn a_project_folder_that_is_not_there_is_named() {
    let bench = Bench::new(Engine::Sqlite);
    for line in ["-p nowhere ff", "-p nowhere show", "plan ff -p nowhere"] {
        bench.ends(2, line).says("there is no project folder `").says("nowhere`").hides("conf.d holds");
    }
    // The ledger alone will do for who rolls back.
    bench.release("v1", V1);
    bench.ok("ff");
    let url = bench.db.url();
    bench.ends(2, &format!("-p nowhere ff --conn {url}")).says("there is no project folder `");
    bench.ok(&format!("-p nowhere rollback_add v1 --conn {url}"));
    assert!(!bench.db.has_table("customer"));
}

/// What answers is named, and no place in a library's source.
#[test]
fn a_server_of_another_kind_is_told_so() {
    use std::io::{Read as _, Write as _};
    let bench = Bench::new(Engine::Sqlite);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut asked = [0; 8];
        peer.read_exact(&mut asked).unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let run = bench.ends(8, &format!("show --conn postgres://app@127.0.0.1:{port}/shop"));
    answering.join().unwrap();
    run.says("what answers there is no PostgreSQL server").hides("sqlx");
}

/// A path is no secret.
#[test]
fn a_missing_password_file_is_named() {
    let bench = Bench::new(Engine::Sqlite);
    bench.write("conf.d/test.yaml", "connection: postgres://app@db/shop\npassword_file: /run/secrets/nothing\n");
    let run = bench.ends(2, "show").says("the password file /run/secrets/nothing can't be read");
    assert!(run.stderr.contains("| password_file: /run/secrets/nothing"), "{run:?}");
}

/// `COPY … TO stdout` has nobody to give its rows to; INSERT would be no way out.
#[test]
fn a_copy_to_the_client_gets_a_way_out_that_fits() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", "steps:\n  a:\n    add: COPY t TO stdout\n");
    bench.ends(2, "ff").says("nobody reads what a handler gives").hides("INSERT");
}
