//! What is refused, and what must wait.

use super::releases::{V1, V2, columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    a_release_out_of_order_is_refused,
    phases_come_in_order,
    nothing_is_dropped_before_it_is_added,
    simdrop_must_soak,
    contraction_waits_for_the_rollout,
    what_was_rolled_back_must_be_named,
    a_protected_target_asks,
    ff_on_a_protected_target_stops_after_add,
    the_ledger_keeps_the_guards,
    check_tells_pending_work,
    all_refusals_come_at_once,
);

fn a_release_out_of_order_is_refused(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(7, "add v2").says("v1").says("require_previous");
    assert!(bench.db.tables().is_empty(), "{:?}", bench.db.tables());
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ends(7, "add v3").says("v2");
    bench.target("require_previous: added\n");
    bench.ok("add v3");
}

fn phases_come_in_order(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ends(7, "simdrop v2");
    bench.ends(7, "drop v2");
    bench.ok("add v2");
    bench.ends(7, "drop v2");
    assert_eq!(columns(&bench), "first_name id name");
    assert_eq!(bench.states("v2", "names"), "done pending pending");
}

fn nothing_is_dropped_before_it_is_added(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    // Nothing to hide between the two: the drop must wait for the add all the same.
    bench.release(
        "v2",
        "steps:\n  names:\n    add: ALTER TABLE customer ADD COLUMN full_name varchar(40)\n    \
         drop: ALTER TABLE customer DROP COLUMN name\n    rollback_add: ALTER TABLE customer DROP COLUMN full_name\n",
    );
    for line in ["drop v2", "drop", "simdrop v2"] {
        bench.ends(7, line).says("[G2]").says("not added yet: v2/names").says("triphase add v2");
    }
    assert_eq!(columns(&bench), "id name");
    bench.ok("add v2");
    bench.ok("rollback_add v2");
    bench.ends(7, "drop v2").says("not added yet");
    assert_eq!(columns(&bench), "id name");
    // Nothing to add: the earlier release comes first all the same.
    bench.release("v3", "steps:\n  name:\n    drop: ALTER TABLE customer DROP COLUMN name\n");
    for line in ["drop v3", "simdrop v3"] {
        bench.ends(7, line).says("[G1]").says("earlier release `v2` is not finished");
    }
    assert_eq!(columns(&bench), "id name");
}

fn simdrop_must_soak(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.target("min_simdrop_age: 30d\nrequire_previous: simdropped\n");
    bench.ok("ff v1");
    // The drop waits, and the next release goes on.
    bench.ok("ff").says("min_simdrop_age").says("30d");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
    assert!(bench.db.has_table("orders"));
    bench.ends(7, "drop v2").says("min_simdrop_age").says("30d");
    bench.ends(7, "drop v2 --yes");
    bench.target("min_simdrop_age: 0s\n");
    bench.ok("drop v2");
    assert_eq!(columns(&bench), "first_name id");
}

fn contraction_waits_for_the_rollout(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("require_rollout: true\n");
    bench.release("v1", V1);
    bench.release("v2", V2);
    bench.ok("ff");
    assert_eq!(columns(&bench), "first_name id name");
    bench.ok("plan ff").says("waits: simdrop v2").says("next: roll out the application of v2");
    bench.ends(7, "simdrop v2").says("rollout v2");
    // Said once, it is said.
    let all = |bench: &Bench| {
        (bench.db.query("SELECT * FROM triphase_meta"), bench.db.query("SELECT * FROM triphase_history"))
    };
    let before = all(&bench);
    for line in ["rollout v2 --revoke --noop", "rollout v2 --revoke"] {
        bench.ok(line).says("nothing to do").says("not said to be rolled out").hides("would record");
    }
    assert_eq!(all(&bench), before);
    bench.ok("rollout v2").says("is rolled out");
    let said = all(&bench);
    assert_ne!(said, before);
    for line in ["rollout v2 --noop", "rollout v2", "rollout v2 --reason again"] {
        bench.ok(line).says("nothing to do").says("rolled out already");
    }
    assert_eq!(all(&bench), said);
    bench.ok("rollout v2 --revoke").says("is revoked");
    bench.ends(7, "simdrop v2").says("rollout v2");
    bench.ok("rollout v2");
    bench.ok("simdrop v2");
    // A rollback voids it.
    bench.ok("rollback_simdrop v2");
    bench.ends(7, "simdrop v2").says("rollout v2");
    bench.ok("rollout v2");
    bench.ok("ff v2");
    assert_eq!(columns(&bench), "first_name id");
}

fn what_was_rolled_back_must_be_named(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ok("rollback_add v2");
    for line in ["ff", "ff +1", "add"] {
        bench.run(line).says("v2");
        assert_eq!(columns(&bench), "id name", "`{line}` has undone a rollback");
    }
    bench.ends(7, "ff");
    bench.ok("ff v2");
    assert_eq!(columns(&bench), "first_name id");
}

fn a_protected_target_asks(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("protected: true\n");
    sample(&bench);
    bench.ok("add v1");
    // No terminal: what can't be taken back is refused without --yes.
    for line in ["rollback_add v1", "unlock", "repair accept v1/ada --reason why"] {
        let run = bench.run(line);
        assert!(run.code != 0, "{run:?}");
        run.says("--yes");
    }
    assert!(bench.db.has_table("customer"));
    bench.ok("rollback_add v1 --yes");
    assert!(!bench.db.has_table("customer"));
    bench.ok("ff v1 --contract --yes");
    bench.ok("add v2");
    bench.ok("simdrop v2");
    bench.ends(7, "drop v2").says("--yes");
    bench.ok("drop v2 --yes");
}

fn ff_on_a_protected_target_stops_after_add(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("protected: true\nrequire_previous: added\n");
    sample(&bench);
    bench.ok("ff --yes");
    assert_eq!(columns(&bench), "first_name id name");
    assert!(bench.db.has_table("orders"));
    bench.ok("ff --contract --yes");
    assert_eq!(columns(&bench), "first_name id");
}

fn the_ledger_keeps_the_guards(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("min_simdrop_age: 30d\n");
    bench.release("v1", V1);
    bench.release("v2", V2);
    bench.ok("ff");
    assert_eq!(
        bench.db.value("SELECT detail FROM triphase_history WHERE verb = 'guards'"),
        "min_simdrop_age: 30d",
        "in history as it was written"
    );
    let url = bench.db.url();
    bench.command("drop v2 --conn").arg(&url).run().exits(7).says("`min_simdrop_age: 30d`").hides("30days");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
}

fn check_tells_pending_work(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(3, "check");
    bench.ok("ff v1");
    bench.ends(3, "check");
    bench.ok("add v2");
    bench.ends(3, "check");
    bench.ok("ff");
    bench.ok("check");
}

fn all_refusals_come_at_once(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "steps:\n  one:\n    add: CREATE TABLE one (id integer)\n  two:\n    add: CREATE TABLE two (id integer)\n",
    );
    bench.ok("add v1");
    bench.ends(7, "rollback_add v1").says("v1/one").says("v1/two");
}
