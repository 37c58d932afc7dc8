//! `sql`: the run as a script for a DBA.

use super::releases::{columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    the_script_leaves_what_a_run_leaves,
    a_script_refuses_a_ledger_that_has_moved,
    the_script_is_all_that_stdout_has
);

/// The ledger without what differs from run to run: who and when.
fn ledger(bench: &Bench) -> Vec<String> {
    bench.db.query(
        "SELECT \"release\", step, name, add_state, simdrop_state, drop_state, h_rollback_simdrop, h_rollback_add FROM triphase_ledger ORDER BY 1, 2",
    )
}

fn the_script_leaves_what_a_run_leaves(engine: Engine) {
    let (by_run, by_script) = (Bench::new(engine), Bench::new(engine));
    for bench in [&by_run, &by_script] {
        sample(bench);
    }
    for line in ["ff v1", "add v2", "simdrop v2", "rollback_simdrop v2", "ff v2", "ff"] {
        by_run.ok(line);
        let script = by_script.ok(&format!("sql {line}"));
        let output = by_script.db.client(&script.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "`{line}`: {output:?}\n{}", script.stdout);
        assert_eq!(ledger(&by_run), ledger(&by_script), "after `{line}`");
        assert_eq!(by_run.db.schema(true), by_script.db.schema(true), "after `{line}`");
        assert_eq!(by_run.db.query("SELECT * FROM customer"), by_script.db.query("SELECT * FROM customer"));
    }
    by_script.ok("ff");
    by_script.ok("check");
}

fn a_script_refuses_a_ledger_that_has_moved(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let first = bench.ok("sql ff v1").stdout;
    bench.ok("add v1/customer");
    let before = bench.db.everything();
    let output = bench.db.client(&first);
    assert!(!output.stderr.is_empty(), "{output:?}");
    assert!(before == bench.db.everything(), "the script has changed something");
    bench.ok("ff v1");
    let second = bench.ok("sql add v2").stdout;
    bench.ok("add v2");
    bench.ok("rollback_add v2");
    let before = bench.db.everything();
    let output = bench.db.client(&second);
    assert!(!output.stderr.is_empty(), "{output:?}");
    assert!(before == bench.db.everything(), "the script has changed something");
    assert_eq!(columns(&bench), "id name");
}

fn the_script_is_all_that_stdout_has(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let run = bench.ok("sql ff v1 -v");
    assert!(run.stdout.contains("CREATE TABLE customer") && run.stdout.contains("triphase_ledger"), "{}", run.stdout);
    bench.db.client(&run.stdout);
    assert_eq!(columns(&bench), "id name");
}
