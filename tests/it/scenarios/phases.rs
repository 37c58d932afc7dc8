//! The way forward, a phase at a time or all at once.

use super::releases::{V2, columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    ff_takes_everything_to_its_end,
    ff_twice_is_empty,
    ff_plus_one_takes_one_release,
    ff_can_stop_after_add,
    each_phase_by_itself,
    a_single_step_by_itself,
    hyphens_and_flags_on_either_side,
    a_map_of_engines_gives_this_engines_text,
    sql_files_and_hooks_run_in_order,
    a_statement_that_opens_a_transaction_is_refused,
    all_findings_of_the_files_come_at_once,
    a_deleted_step_is_not_pushed,
    a_deleted_step_holds_nothing_up_and_goes_with_its_release,
    the_commands_end_with_what_to_run_next,
);

fn ff_takes_everything_to_its_end(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff");
    assert_eq!(columns(&bench), "first_name id");
    assert!(bench.db.has_table("orders"));
    assert_eq!(bench.db.value("SELECT first_name FROM customer"), "Ada");
    for (release, step) in [("v1", "customer"), ("v1", "ada"), ("v2", "names"), ("v2", "names_index"), ("v3", "orders")]
    {
        assert_eq!(bench.states(release, step), "done done done", "{release}/{step}");
    }
}

fn ff_twice_is_empty(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff");
    let before = bench.db.everything();
    bench.ok("ff");
    assert!(before == bench.db.everything(), "a second `ff` has changed something");
}

fn ff_plus_one_takes_one_release(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff +1");
    assert_eq!(columns(&bench), "id name");
    bench.ok("ff v2");
    assert_eq!(columns(&bench), "first_name id");
    assert!(!bench.db.has_table("orders"));
    bench.ok("ff +1");
    assert!(bench.db.has_table("orders"));
}

fn ff_can_stop_after_add(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("ff v2 --phase add");
    assert_eq!(columns(&bench), "first_name id name");
    assert_eq!(bench.states("v2", "names"), "done pending pending");
}

fn each_phase_by_itself(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    assert_eq!(columns(&bench), "first_name id name");
    assert_eq!(bench.states("v2", "names"), "done pending pending");
    bench.ok("simdrop v2");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
    assert_eq!(bench.states("v2", "names"), "done done pending");
    bench.ok("drop v2");
    assert_eq!(columns(&bench), "first_name id");
    assert_eq!(bench.states("v2", "names"), "done done done");
    // Without a version, what is eligible.
    bench.ok("add");
    assert!(bench.db.has_table("orders"));
}

fn a_single_step_by_itself(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("add v1/customer");
    assert_eq!(bench.states("v1", "customer"), "done pending pending");
    assert_eq!(bench.db.value("SELECT count(*) FROM customer"), "0");
    bench.ok("add v1/ada");
    assert_eq!(bench.db.value("SELECT count(*) FROM customer"), "1");
    bench.ends(2, "add v1/nobody").says("nobody");
}

fn hyphens_and_flags_on_either_side(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("-v add v1");
    bench.ok("rollback-add v1 --verbose");
    assert!(!bench.db.has_table("customer"));
    bench.ok("-e test ff v1");
    bench.ok("ff v1 -e test");
    assert!(bench.db.has_table("customer"));
}

fn a_map_of_engines_gives_this_engines_text(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "
steps:
  one:
    add:
      sqlite: CREATE TABLE made_by_sqlite (id integer)
      postgres: CREATE TABLE made_by_postgres (id integer)
      mysql: CREATE TABLE made_by_mysql (id integer)
      mariadb: CREATE TABLE made_by_mariadb (id integer)
",
    );
    bench.ok("ff");
    let (here, not) = match engine {
        Engine::Sqlite => ("made_by_sqlite", "made_by_postgres"),
        Engine::Postgres => ("made_by_postgres", "made_by_sqlite"),
        Engine::Mariadb => ("made_by_mariadb", "made_by_mysql"),
    };
    assert!(bench.db.has_table(here) && !bench.db.has_table(not));
    bench.release("v2", "steps:\n  two:\n    add:\n      delta: CREATE TABLE two (id integer)\n");
    bench.ends(2, "ff").says("two");
}

fn sql_files_and_hooks_run_in_order(engine: Engine) {
    let bench = Bench::new(engine);
    bench.write(
        "releases/v1/release.yaml",
        "
before:
  add: CREATE TABLE log (n integer)
after:
  add: INSERT INTO log VALUES (3)
steps:
  file:
    after: [text]
    add:
      - sql_file: two.sql
  text:
    add: INSERT INTO log VALUES (1)
",
    );
    bench.write("releases/v1/two.sql", "INSERT INTO log\n  VALUES (2); -- two\n");
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["1", "2", "3"]);
    assert_eq!(bench.states("v1", "@before"), "done done done");
    assert_eq!(bench.states("v1", "@after"), "done done done");
}

fn a_statement_that_opens_a_transaction_is_refused(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add: |\n      CREATE TABLE one (id integer);\n      COMMIT;\n");
    bench.ends(2, "ff").says("COMMIT").says("releases/v1.yaml:");
    assert!(bench.db.tables().is_empty());
}

fn all_findings_of_the_files_come_at_once(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    ad: SELECT 1\n");
    bench.release("v2", "steps:\n  two:\n    add: SELECT 1\n    add: SELECT 2\n");
    bench.write("releases/v9.yml", "");
    let run = bench.ends(2, "ff").says("releases/v1.yaml:3:").says("`ad`").says("releases/v2.yaml:4:").says("v9.yml");
    assert!(run.stderr.contains("`add`"), "the nearest valid name: {}", run.stderr);
    assert!(bench.db.tables().is_empty());
}

fn a_deleted_step_is_not_pushed(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  gone:\n    deleted: true\n  one:\n    add: CREATE TABLE one (id integer)\n");
    bench.ok("ff");
    assert_eq!(bench.states("v1", "gone"), "");
    assert_eq!(bench.states("v1", "one"), "done done done");
}

fn a_deleted_step_holds_nothing_up_and_goes_with_its_release(engine: Engine) {
    let bench = Bench::new(engine);
    let one = "steps:\n  one: {add: CREATE TABLE one (id integer), rollback_add: DROP TABLE one}\n  two:";
    let two = "{add: CREATE TABLE two (id integer), simdrop: DROP TABLE gone, drop: DROP TABLE gone, rollback_add: DROP TABLE two}";
    bench.release("v1", &format!("{one} {two}\n"));
    bench.release("v2", "steps:\n  three: {add: CREATE TABLE three (id integer), rollback_add: DROP TABLE three}\n");
    bench.ok("add v1");
    bench.ends(7, "add v2").says("[G1]");
    bench.release("v1", &format!("{one} {{deleted: true}}\n"));
    // It is no step for the guards, and its handlers don't run.
    bench.ends(7, "simdrop v1/two").says("deleted: true");
    bench.ok("simdrop v1");
    bench.ok("ff");
    bench.ok("check");
    assert_eq!(bench.states("v1", "two"), "done pending pending");
    assert!(bench.db.has_table("two") && bench.db.has_table("three"));
    // What was applied is taken back, by what the ledger keeps.
    bench.ok("rollback_add v2");
    bench.ok("rollback_add v1");
    assert_eq!(bench.states("v1", "two"), "rolled_back pending pending");
    assert!(!bench.db.has_table("two") && !bench.db.has_table("one"));
}

fn the_commands_end_with_what_to_run_next(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", super::releases::V1);
    bench.release("v2", V2);
    bench.ok("ff v1");
    bench.ok("add v2").says("triphase simdrop v2");
    let run = bench.ok("ff --json");
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert!(last.is_object(), "{last}");
    bench.ok("show --json");
    for line in ["show --json", "current --json", "history --json", "plan ff --json", "check --json"] {
        let run = bench.ok(line);
        assert!(serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok(), "{line}: {}", run.stdout);
    }
}
