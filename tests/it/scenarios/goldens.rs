//! The scripts of the sample project, to the letter: `tests/golden/scripts`.

use super::releases::sample;
use crate::harness::{Bench, Engine, golden, on_each_engine, plain};

on_each_engine!(the_scripts_are_these);

fn the_scripts_are_these(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let folder = format!("scripts/{}", format!("{engine:?}").to_lowercase());
    let script =
        |name: &str, line: &str| golden(&format!("{folder}/{name}.sql"), &plain(&bench, &bench.ok(line).stdout));
    // No ledger yet: it is made.
    script("ff", "sql ff");
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ok("simdrop v2");
    script("drop", "sql drop v2");
    script("rollback_simdrop", "sql rollback_simdrop v2");
    script("rollback_add", "sql rollback_add v2 --cascade");
}
