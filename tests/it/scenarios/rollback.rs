//! The way back: from the ledger, at night, with whatever files there are.

use super::releases::{V1, V2, V3, columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    add_and_back_and_add_again,
    simdrop_and_back_and_simdrop_again,
    without_files,
    with_broken_files,
    with_other_files,
    in_reverse_of_what_really_ran,
    a_missing_handler_is_refused_before_anything_runs,
    an_added_step_that_is_simdropped_needs_cascade,
    a_dropped_step_is_final,
    a_later_release_must_go_first,
    a_step_that_failed_with_nothing_committed_needs_no_statement,
    what_failed_in_vain_is_pending_again,
    check_names_a_rollback_that_must_be_finished_first,
);

fn add_and_back_and_add_again(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    let (schema, rows) = (bench.db.schema(false), bench.db.query("SELECT * FROM customer"));
    bench.ok("add v2");
    let added = bench.db.schema(false);
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.schema(false), schema);
    assert_eq!(bench.db.query("SELECT * FROM customer"), rows);
    assert_eq!(bench.states("v2", "names"), "rolled_back pending pending");
    bench.ok("add v2");
    assert_eq!(bench.db.schema(false), added);
    assert_eq!(bench.states("v2", "names"), "done pending pending");
}

fn simdrop_and_back_and_simdrop_again(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ok("simdrop v2");
    bench.ok("rollback_simdrop v2");
    assert_eq!(columns(&bench), "first_name id name");
    assert_eq!(bench.states("v2", "names"), "done rolled_back pending");
    bench.ok("simdrop v2");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
    bench.ok("rollback_simdrop v2");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
}

fn without_files(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.without("v1");
    bench.without("v2");
    bench.without("v3");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
}

fn with_broken_files(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ok("simdrop v2");
    bench.release("v2", "steps: [");
    bench.ok("rollback_simdrop v2");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
    bench.ends(2, "ff");
}

fn with_other_files(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.release("v2", &V2.replace("DROP COLUMN first_name", "DROP COLUMN name"));
    bench.ok("rollback_add v2").says("names");
    assert_eq!(columns(&bench), "id name");
    bench.ok("add v2");
    bench.ok("rollback_add v2 --from-files");
    assert_eq!(columns(&bench), "first_name id");
}

fn in_reverse_of_what_really_ran(engine: Engine) {
    let bench = Bench::new(engine);
    let step = |name: &str, n: u32| {
        format!("  {name}:\n    add: INSERT INTO log VALUES ({n})\n    rollback_add: INSERT INTO log VALUES (-{n})\n")
    };
    bench.release("v1", "steps:\n  log:\n    add: CREATE TABLE log (n integer)\n");
    bench.ok("ff");
    bench.release("v2", &format!("steps:\n{}", step("b", 2)));
    bench.ok("add v2");
    bench.release("v2", &format!("steps:\n{}{}", step("a", 1), step("b", 2)));
    bench.ends(7, "add v2");
    bench.ok("add v2 --out-of-order");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["2", "1"]);
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.query("SELECT n FROM log"), ["2", "1", "-1", "-2"]);
}

fn a_missing_handler_is_refused_before_anything_runs(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "
steps:
  first:
    add: CREATE TABLE first (id integer)
  second:
    add: CREATE TABLE second (id integer)
    rollback_add: DROP TABLE second
",
    );
    bench.ok("add v1");
    bench.ends(7, "rollback_add v1").says("first");
    assert!(bench.db.has_table("first") && bench.db.has_table("second"));
    assert_eq!(bench.states("v1", "second"), "done pending pending");
}

fn an_added_step_that_is_simdropped_needs_cascade(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ok("simdrop v2");
    bench.ends(7, "rollback_add v2").says("--cascade");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
    bench.ok("rollback_add v2 --cascade");
    assert_eq!(columns(&bench), "id name");
    assert_eq!(bench.states("v2", "names"), "rolled_back rolled_back pending");
}

fn a_dropped_step_is_final(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release("v2", V2);
    bench.ok("ff");
    bench.ends(7, "rollback_simdrop v2");
    bench.ends(7, "rollback_add v2");
    bench.ends(7, "rollback_add v2 --cascade");
    assert_eq!(columns(&bench), "first_name id");
}

fn a_later_release_must_go_first(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("require_previous: added\n");
    bench.release("v1", V1);
    bench.release("v3", V3);
    bench.ok("ff");
    bench.ends(7, "rollback_add v1").says("v3");
    bench.ok("rollback_add v3");
    bench.ok("rollback_add v1");
    assert!(!bench.db.has_table("customer"));
}

fn a_step_that_failed_with_nothing_committed_needs_no_statement(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  one:\n    add: INSERT INTO nowhere VALUES (1)\n    rollback_add: DELETE FROM nowhere\n",
    );
    bench.ends(1, "ff");
    bench.ok("rollback_add v1");
    assert_eq!(bench.states("v1", "one"), "rolled_back pending pending");
}

/// A drop that failed with nothing committed says nothing any more once what it built on is taken back.
fn what_failed_in_vain_is_pending_again(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  a:\n    add: CREATE TABLE a (id integer)\n    simdrop: ALTER TABLE a RENAME TO b\n    drop: DROP TABLE nope\n    \
         rollback_simdrop: ALTER TABLE b RENAME TO a\n    rollback_add: DROP TABLE a\n",
    );
    bench.ok("add v1");
    bench.ok("simdrop v1");
    bench.ends(1, "drop v1");
    assert_eq!(bench.states("v1", "a"), "done done failed");
    bench.ok("rollback_simdrop v1");
    assert_eq!(bench.states("v1", "a"), "done rolled_back pending");
    bench.ok("rollback_add v1");
    bench.ok("show").hides("failed");
    bench.ok("add v1");
    bench.ok("simdrop v1");
    assert_eq!(bench.states("v1", "a"), "done done pending");
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_history WHERE outcome = 'failed'"), "1");
}

/// What is to be added again once that is done is not to be told yet: it would be refused.
fn check_names_a_rollback_that_must_be_finished_first(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  one:\n    add: CREATE TABLE t (id integer)\n    rollback_add: DROP TABLE elsewhere\n",
    );
    bench.ok("add v1");
    bench.ends(1, "rollback_add v1");
    bench.ends(3, "check").says("rollback_add of step `v1/one` has begun").says("1 finding").hides("triphase add v1");
    bench.db.query("CREATE TABLE elsewhere (id integer)");
    bench.ok("rollback_add v1");
    bench.ends(3, "check").says("triphase add v1");
}
