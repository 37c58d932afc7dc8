//! `stamp`: what was done without triphase is recorded, and nothing runs.

use super::releases::{columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    earlier_releases_are_stamped_fully_and_nothing_runs,
    only_and_a_single_step,
    what_is_stamped_rolls_back_without_files,
    what_failed_or_was_rolled_back_is_not_stamped_over,
    a_protected_target_asks,
);

fn earlier_releases_are_stamped_fully_and_nothing_runs(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(0, "stamp v2 --phase simdrop --noop").says("would record: release `v2` is stamped");
    assert!(bench.db.tables().is_empty(), "--noop has written");
    bench.ok("stamp v2 --phase simdrop").says("release `v1` is stamped").says("release `v2` is stamped");
    assert!(!bench.db.has_table("customer"), "a stamp has run something");
    assert_eq!(bench.states("v1", "customer"), "done done done");
    assert_eq!(bench.states("v2", "names"), "done done pending");
    assert_eq!(bench.states("v3", "orders"), "");
    let events = "SELECT count(*) FROM triphase_history WHERE verb LIKE 'stamp %' AND outcome = 'recorded' AND who LIKE 'tester@%'";
    assert_ne!(bench.db.value(events), "0");
    // Never un-marked, and a second time there is nothing to do.
    bench.ok("stamp v2 --phase add").says("nothing to stamp");
    assert_eq!(bench.states("v2", "names"), "done done pending");
    bench.ends(3, "check").hides("error");
    bench.ends(2, "stamp v9 --phase add").says("v9");
}

fn only_and_a_single_step(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.command("stamp v2/names --phase add --reason").arg("by hand, on Monday").run().exits(0);
    assert_eq!(bench.states("v2", "names"), "done pending pending");
    assert_eq!(bench.states("v2", "names_index") + &bench.states("v1", "customer"), "");
    assert_eq!(bench.db.value("SELECT detail FROM triphase_history WHERE verb = 'stamp add'"), "by hand, on Monday");
    bench.ok("stamp v2 --phase add --only");
    assert_eq!(bench.states("v2", "names_index"), "done pending pending");
    assert_eq!(bench.states("v1", "customer"), "");
}

fn what_is_stamped_rolls_back_without_files(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    let added = columns(&bench);
    // A database of the same shape, whose ledger is gone.
    for table in ["triphase_ledger", "triphase_history", "triphase_run", "triphase_meta"] {
        bench.db.query(&format!("DROP TABLE {table}"));
    }
    bench.ok("stamp v2 --phase add");
    assert_eq!(columns(&bench), added);
    bench.without("v2");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
}

fn what_failed_or_was_rolled_back_is_not_stamped_over(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add: CREATE TABLE one (id integer)\n    rollback_add: DROP TABLE one\n");
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO nowhere VALUES (1)\n");
    bench.ok("add v1");
    bench.ok("rollback_add v1");
    bench.ends(7, "stamp v2 --phase add").says("error[G7]").says("v1/one");
    assert_eq!(bench.states("v2", "two"), "");
    bench.ok("ff v1");
    bench.ends(1, "add v2");
    bench.ends(7, "stamp v2 --phase drop").says("failed").says("repair done v2/two add");
    assert_eq!(bench.states("v2", "two"), "failed pending pending");
}

fn a_protected_target_asks(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.target("protected: true\n");
    bench.ends(7, "stamp v1 --phase drop").says("protected");
    assert!(bench.db.tables().is_empty());
    bench.ok("stamp v1 --phase drop --yes");
    assert_eq!(bench.states("v1", "customer"), "done done done");
}
