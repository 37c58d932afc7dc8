//! A person's word that a dead run's statement outlives: what was seen while it was at work may be so no more once it has ended.

use super::faults::waiting;
use crate::harness::{Bench, Engine, Holder, LOG, bouncer, until};
use std::io::{BufRead as _, BufReader, Read as _};

/// A user of this database who may end nobody else's session.
fn another(bench: &Bench) -> String {
    let server = bench.db.server();
    let name = format!("w_{}", server.database());
    for text in match bench.db.engine() {
        Engine::Sqlite => panic!("SQLite has no users"),
        Engine::Postgres => vec![
            format!("CREATE ROLE {name} LOGIN PASSWORD 'word only' IN ROLE secretive"),
            format!("GRANT ALL ON SCHEMA public TO {name}"),
            format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"),
            format!("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"),
        ],
        Engine::Mariadb => vec![
            format!("CREATE USER {name}@'%' IDENTIFIED BY 'word only'"),
            format!("GRANT ALL ON {}.* TO {name}@'%'", server.database()),
        ],
    } {
        bench.db.query(&text);
    }
    server.as_user(&name, "word only").with_password()
}

/// A run that was killed while its statement waits for the traffic that is given.
fn killed_at_work(bench: &Bench, run: &str) -> Holder {
    bench.target("lock_timeout: 60s\n");
    bench.release("v1", LOG);
    bench.ok("ff");
    bench
        .release("v2", "steps:\n  s:\n    add:\n      - sql: INSERT INTO log VALUES (1)\n        transaction: false\n");
    let traffic = Holder::new(&bench.db, "log");
    let mut first = bench.command("ff --conn").arg(run).spawn();
    until("a statement that waits", || match bench.db.engine() {
        Engine::Sqlite | Engine::Postgres => waiting(bench).is_some(),
        // It waits for rows, which the list of processes does not say.
        Engine::Mariadb => {
            let at_work =
                "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%INSERT INTO log VALUES (1)'";
            bench.db.value(at_work) != "0"
        }
    });
    first.kill().unwrap();
    first.wait().unwrap();
    traffic
}

/// Says `word` by `conn` while a killed run's statement waits for traffic; the traffic ends once the word is waiting. Gives what it ended
/// with, and what it said.
fn said_too_early(bench: &Bench, word: &str, conn: &str, run: &str) -> (i32, String) {
    let traffic = killed_at_work(bench, run);
    let mut second = bench.command(word).arg("--conn").arg(conn).spawn();
    let mut lines = BufReader::new(second.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("waiting") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "nothing was waited for: {said}");
    }
    drop(traffic);
    lines.read_to_string(&mut said).unwrap();
    (second.wait().unwrap().code().unwrap(), said)
}

fn a_word_that_was_given_too_early_is_not_taken(engine: Engine, statement: &str) {
    let bench = Bench::new(engine);
    bench.release("v1", LOG);
    bench.ok("ff");
    let (conn, run) = (another(&bench), bench.db.server().with_password());
    let (code, said) =
        said_too_early(&bench, &format!("repair undone v2/s add{statement} --reason looked"), &conn, &run);
    still_open(&bench, code, &said);
}

/// Nothing was recorded of what had been said; what is said now is.
fn still_open(bench: &Bench, code: i32, said: &str) {
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("it has ended meanwhile: look again, then say it again"), "{said}");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_history WHERE verb LIKE 'repair%'"), "0");
    bench.ends(5, "ff");
    bench.ok("repair done v2/s add 1 --reason looked");
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"], "doubled");
}

#[test]
fn a_word_given_while_a_postgres_statement_was_at_work_is_not_taken() {
    a_word_that_was_given_too_early_is_not_taken(Engine::Postgres, " 1");
    a_word_that_was_given_too_early_is_not_taken(Engine::Postgres, "");
}

#[test]
fn a_word_given_while_a_mariadb_statement_was_at_work_is_not_taken() {
    a_word_that_was_given_too_early_is_not_taken(Engine::Mariadb, " 1");
    a_word_that_was_given_too_early_is_not_taken(Engine::Mariadb, "");
}

/// There the dead run's lease is waited for, and its statement ends meanwhile.
#[test]
fn a_word_given_while_a_pooled_statement_was_at_work_is_not_taken() {
    let bench = Bench::new(Engine::Postgres);
    let pooled = bouncer(bench.db.server()).with_password();
    let (code, said) = said_too_early(&bench, "repair undone v2/s add 1 --reason looked", &pooled, &pooled);
    still_open(&bench, code, &said);
}

/// Who may end the dead run's session ends it to have the lock: what was said of its statement is said of one that was at work.
fn what_ends_by_the_word_itself_is_not_taken(engine: Engine) {
    let bench = Bench::new(engine);
    let traffic = killed_at_work(&bench, &bench.db.server().with_password());
    let still = |line: &str| bench.ends(4, line).says("a statement of dead run").says("still at work");
    for line in ["check", "plan ff"] {
        still(line).hides("repair");
    }
    bench.ok("unlock").says("no one holds the lock").says("the next run ends a statement of dead run");
    // As `unlock --force` leaves the lock's row before it ends what is at work, which may take longer than it waits.
    bench.db.query("UPDATE triphase_run SET session = concat('ended ', run_id)");
    bench.db.query("UPDATE triphase_run SET run_id = ''");
    for line in ["check", "plan ff"] {
        still(line).hides("repair");
    }
    bench.ends(5, "repair done v2/s add 1 --reason looked").says("look again, then say it again");
    drop(traffic);
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_history WHERE verb LIKE 'repair%'"), "0");
    assert!(bench.db.query("SELECT n FROM log").is_empty(), "it was ended");
    bench.ends(5, "check").says("repair undone");
    bench.ok("repair undone v2/s add 1 --reason looked");
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1"]);
}

#[test]
fn a_word_that_ends_a_postgres_statement_is_not_taken() {
    what_ends_by_the_word_itself_is_not_taken(Engine::Postgres);
}

#[test]
fn a_word_that_ends_a_mariadb_statement_is_not_taken() {
    what_ends_by_the_word_itself_is_not_taken(Engine::Mariadb);
}
