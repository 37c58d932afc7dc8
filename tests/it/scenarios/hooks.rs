//! A release's `before` and `after`: run around each phase and rollback, recorded, resumed and drift-checked like steps.

use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    each_verb_has_its_own_hooks,
    a_hook_that_fails_is_resumed,
    an_edited_hook_is_drift,
    a_rollback_runs_only_its_own,
    hooks_are_in_the_ledger_for_rollbacks,
    a_rollbacks_hook_that_fails_is_resumed,
    a_step_is_not_named_past_a_hook,
);

const HOOKED: &str = "
before:
  add: INSERT INTO log (what) VALUES ('before add')
  simdrop: INSERT INTO log (what) VALUES ('before simdrop')
  drop: INSERT INTO log (what) VALUES ('before drop')
  rollback_simdrop: INSERT INTO log (what) VALUES ('before rollback_simdrop')
  rollback_add: INSERT INTO log (what) VALUES ('before rollback_add')
after:
  add: INSERT INTO log (what) VALUES ('after add')
  simdrop: INSERT INTO log (what) VALUES ('after simdrop')
  drop: INSERT INTO log (what) VALUES ('after drop')
  rollback_simdrop: INSERT INTO log (what) VALUES ('after rollback_simdrop')
  rollback_add: INSERT INTO log (what) VALUES ('after rollback_add')
steps:
  one:
    add: INSERT INTO log (what) VALUES ('add one')
    simdrop: INSERT INTO log (what) VALUES ('simdrop one')
    drop: INSERT INTO log (what) VALUES ('drop one')
    rollback_simdrop: INSERT INTO log (what) VALUES ('rollback_simdrop one')
    rollback_add: INSERT INTO log (what) VALUES ('rollback_add one')
";

fn project(engine: Engine, release: &str) -> Bench {
    let bench = Bench::new(engine);
    let key = match engine {
        Engine::Sqlite => "integer PRIMARY KEY",
        Engine::Postgres => "integer GENERATED ALWAYS AS IDENTITY",
        Engine::Mariadb => "integer AUTO_INCREMENT PRIMARY KEY",
    };
    bench.release("v1", &format!("steps:\n  log:\n    add: 'CREATE TABLE log (n {key}, what text)'\n"));
    bench.ok("ff");
    bench.release("v2", release);
    bench
}

/// What was logged since the last look.
fn log(bench: &Bench) -> Vec<String> {
    let lines = bench.db.query("SELECT what FROM log ORDER BY n");
    bench.db.query("DELETE FROM log");
    lines
}

fn each_verb_has_its_own_hooks(engine: Engine) {
    let bench = project(engine, HOOKED);
    for verb in ["add", "simdrop", "rollback_simdrop", "rollback_add", "add", "simdrop", "drop"] {
        bench.ok(&format!("{verb} v2"));
        assert_eq!(log(&bench), [format!("before {verb}"), format!("{verb} one"), format!("after {verb}")]);
        assert_eq!(bench.states("v2", "@before"), bench.states("v2", "one"), "after {verb}");
        assert_eq!(bench.states("v2", "@after"), bench.states("v2", "one"), "after {verb}");
    }
    bench.ok("check");
    // A second time there is nothing to do.
    bench.ok("ff");
    assert!(log(&bench).is_empty());
}

fn a_hook_that_fails_is_resumed(engine: Engine) {
    let broken = HOOKED.replace("('after add')", "(nonsense)");
    let bench = project(engine, &broken);
    bench.ends(1, "add v2").says("v2/@after").says("nonsense");
    assert_eq!(log(&bench), ["before add", "add one"]);
    assert_eq!(bench.states("v2", "@after"), "failed pending pending");
    bench.ends(7, "simdrop v2");
    bench.release("v2", HOOKED);
    bench.ok("add v2");
    assert_eq!(log(&bench), ["after add"]);
    // The first one failing keeps everything else from running.
    let broken = HOOKED.replace("('before simdrop')", "(nonsense)");
    bench.release("v2", &broken);
    bench.ends(1, "simdrop v2").says("v2/@before");
    assert!(log(&bench).is_empty());
    bench.release("v2", HOOKED);
    bench.ok("simdrop v2");
    assert_eq!(log(&bench), ["before simdrop", "simdrop one", "after simdrop"]);
}

fn an_edited_hook_is_drift(engine: Engine) {
    let bench = project(engine, HOOKED);
    bench.ok("add v2");
    bench.release("v2", &HOOKED.replace("('before add')", "('before the add')"));
    bench.ends(6, "check").says("v2/@before");
    bench.ends(6, "simdrop v2").says("repair accept v2/@before");
    bench.ok("repair accept v2/@before --reason reworded");
    bench.ok("simdrop v2");
    assert_eq!(bench.states("v2", "@before"), "done done pending");
}

fn a_rollback_runs_only_its_own(engine: Engine) {
    let release = "
before:
  add: INSERT INTO log (what) VALUES ('before add')
after:
  rollback_add: INSERT INTO log (what) VALUES ('after rollback_add')
steps:
  one:
    add: INSERT INTO log (what) VALUES ('add one')
    rollback_add: INSERT INTO log (what) VALUES ('rollback_add one')
";
    let bench = project(engine, release);
    bench.ok("add v2");
    assert_eq!(log(&bench), ["before add", "add one"]);
    bench.ok("rollback_add v2");
    assert_eq!(log(&bench), ["rollback_add one", "after rollback_add"]);
    assert_eq!(bench.states("v2", "@before"), "rolled_back pending pending");
    bench.ok("add v2");
    assert_eq!(log(&bench), ["before add", "add one"]);
}

fn hooks_are_in_the_ledger_for_rollbacks(engine: Engine) {
    let bench = project(engine, HOOKED);
    bench.ok("add v2");
    log(&bench);
    bench.without("v2");
    bench.ok("rollback_add v2");
    assert_eq!(log(&bench), ["before rollback_add", "rollback_add one", "after rollback_add"]);
}

fn a_rollbacks_hook_that_fails_is_resumed(engine: Engine) {
    let bench = project(
        engine,
        &HOOKED.replace("('after rollback_add')", "(replace('after rollback_add!', '!', (SELECT what FROM switch)))"),
    );
    bench.ok("add v2");
    log(&bench);
    bench.ends(1, "rollback_add v2").says("v2/@after").says("switch");
    assert_eq!(log(&bench), ["before rollback_add", "rollback_add one"]);
    assert_eq!(bench.states("v2", "@after"), "rollback_failed pending pending");
    assert_eq!(bench.states("v2", "one"), "rolled_back pending pending");
    // Only that rollback goes on.
    bench.ends(7, "add v2");
    bench.db.query("CREATE TABLE switch AS SELECT '!' AS what");
    bench.ok("rollback_add v2");
    assert_eq!(log(&bench), ["after rollback_add!"]);
    assert_eq!(bench.states("v2", "@after"), "rolled_back pending pending");
}

fn a_step_is_not_named_past_a_hook(engine: Engine) {
    let refuses =
        HOOKED.replace("  add: INSERT INTO log (what) VALUES ('before add')", "  add: [expect: SELECT 1 = 0]");
    let bench = project(engine, &refuses);
    bench.ends(1, "add v2");
    bench.ends(7, "add v2/one").says("error[G3]").says("v2/@before").says("--out-of-order");
    bench.ends(7, "add v2/@after").says("error[G3]");
    assert!(log(&bench).is_empty());
    bench.release("v2", HOOKED);
    bench.ok("add v2/@before");
    bench.ok("add v2/one");
    bench.ok("add v2");
    assert_eq!(log(&bench), ["before add", "add one", "after add"]);
    bench.ends(7, "simdrop v2/one").says("error[G3]");
    assert!(log(&bench).is_empty());
    bench.ok("rollback_add v2/one").says("v2/@before").says("left out where a step is named");
    assert_eq!(log(&bench), ["rollback_add one"]);
}
