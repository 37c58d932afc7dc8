//! What only looks changes nothing.

use super::releases::sample;
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(on_an_empty_target, on_a_target_with_a_ledger, noop_gives_the_runs_refusal_codes);

const LOOKS: &[&str] = &[
    "show",
    "status",
    "show --pending-contract",
    "show --objects",
    "current",
    "history",
    "plan ff",
    "plan add v1",
    "ff --noop",
    "-n add v1",
    "sql ff",
    "show --json",
    "plan ff --json",
];

fn on_an_empty_target(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let before = bench.db.everything();
    for line in LOOKS {
        bench.ok(line);
        assert!(before == bench.db.everything(), "`{line}` has changed something");
    }
    bench.ends(3, "check");
    assert!(before == bench.db.everything() && bench.db.tables().is_empty());
}

fn on_a_target_with_a_ledger(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    let before = bench.db.everything();
    for line in LOOKS {
        bench.ok(line);
        assert!(before == bench.db.everything(), "`{line}` has changed something");
    }
    bench.ok("plan simdrop v2").says("RENAME COLUMN name TO _simdrop_name");
    bench.ok("simdrop v2 --noop").says("RENAME COLUMN name TO _simdrop_name");
    bench.ok("plan rollback_add v2").says("DROP COLUMN first_name");
    bench.ends(3, "check");
    assert!(before == bench.db.everything());
}

fn noop_gives_the_runs_refusal_codes(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(7, "add v2 --noop");
    bench.ends(7, "plan add v2");
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.release("v2", &super::releases::V2.replace("substr(name, 1, 3)", "name"));
    bench.ends(6, "simdrop v2 --noop");
    bench.release("v2", "steps: 1");
    bench.ends(2, "ff --noop");
}
