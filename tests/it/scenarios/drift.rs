//! Files and ledger that differ.

use super::releases::{V1, V3, columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    an_edited_handler_is_drift_until_accepted,
    space_and_comments_are_no_drift,
    a_vanished_step_is_drift_until_forgotten,
    a_finished_release_may_leave,
    a_release_with_only_empty_phases_left_may_leave,
    a_respelt_version_is_the_same_release,
    a_step_that_keeps_its_id_is_the_same_step,
    a_version_in_two_spellings_needs_a_decision,
    without_any_release_file,
    a_newer_release_is_no_drift,
    an_edit_before_its_time_is_free,
    a_ledger_of_another_major_format_is_left_alone,
    a_ledger_of_the_current_format_is_not_upgraded,
);

fn a_ledger_of_another_major_format_is_left_alone(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.db.query("UPDATE triphase_meta SET value = '1.9' WHERE \"key\" = 'format'");
    bench.ok("add v2");
    bench.db.query("UPDATE triphase_meta SET value = '2.0' WHERE \"key\" = 'format'");
    let before = bench.db.everything();
    bench.ends(5, "simdrop v2").says("L8").says("2.0");
    bench.ends(5, "rollback_add v2").says("L8");
    bench.ends(5, "show");
    bench.ends(5, "repair upgrade-ledger --reason new").says("L8");
    assert!(before == bench.db.everything());
}

fn an_edited_handler_is_drift_until_accepted(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.release("v2", &super::releases::V2.replace("substr(name, 1, 3)", "substr(name, 1, 4)"));
    bench.ends(6, "simdrop v2").says("v2/names");
    bench.ends(6, "ff");
    bench.ends(6, "check");
    bench.ok("show");
    assert_eq!(bench.states("v2", "names"), "done pending pending");
    bench.ends(2, "repair accept v2/names").says("--reason");
    bench.run("repair accept v2/names --reason typo").exits(0);
    bench.ok("simdrop v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_history WHERE detail LIKE '%typo%'"), "1");
    // The way back is open all the same; what comes next is no command that is refused then.
    sample(&bench);
    bench.ok("rollback_simdrop v2").says("next: decide where files and ledger differ: triphase check");
    bench.ends(6, "simdrop v2");
}

fn space_and_comments_are_no_drift(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("add v1");
    bench.release("v1", &V1.replace("INSERT INTO customer VALUES", "INSERT /* her */  INTO\tcustomer VALUES"));
    bench.ok("ff");
    bench.ok("check");
}

fn a_vanished_step_is_drift_until_forgotten(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("require_previous: added\n");
    bench.release("v1", V1);
    bench.release("v3", V3);
    bench.ok("add v1");
    bench.release("v1", &V1.replace("  ada:", "  lovelace:"));
    bench.ends(6, "add v3").says("v1/ada").says("triphase repair ");
    bench.ok("repair forget v1/ada --reason married");
    assert_eq!(bench.states("v1", "ada"), "");
}

fn a_finished_release_may_leave(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff");
    bench.without("v1");
    bench.ok("ff");
    bench.ok("check");
}

fn a_newer_release_is_no_drift(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff");
    bench.without("v3");
    bench.ok("ff").says("ahead");
}

fn an_edit_before_its_time_is_free(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.release("v2", &super::releases::V2.replace("_simdrop_name", "_hidden_name"));
    bench.ok("simdrop v2");
    assert_eq!(super::releases::columns(&bench), "_hidden_name first_name id");
}

fn a_release_with_only_empty_phases_left_may_leave(engine: Engine) {
    for by_script in [false, true] {
        let bench = Bench::new(engine);
        bench.release("v1", V1);
        bench.release("v2", super::releases::V2);
        if by_script {
            let script = bench.ok("sql add v1").stdout;
            assert!(bench.db.client(&script).status.success());
        } else {
            bench.ok("add v1");
        }
        assert_eq!(bench.states("v1", "ada"), "done pending pending");
        bench.without("v1");
        bench.ok("add v2");
        bench.without("v2");
        bench.release("v3", V3);
        bench.ends(6, "add v3").says("v2/names");
    }
}

fn a_respelt_version_is_the_same_release(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v001", V1);
    bench.release("v2", super::releases::V2);
    bench.ok("ff v001");
    bench.ok("add v2");
    bench.without("v001");
    bench.without("v2");
    bench.release("v1", V1);
    bench.release("v02", super::releases::V2);
    // Nothing runs twice, and what goes on goes on in the rows that are there.
    bench.ok("ff");
    bench.ok("check");
    let releases = "SELECT DISTINCT \"release\" FROM triphase_ledger ORDER BY 1";
    assert_eq!(bench.db.query(releases), ["v001", "v2"]);
    assert_eq!(bench.states("v2", "names"), "done done done");
    assert_eq!(bench.db.query("SELECT * FROM customer").len(), 1);
    bench.ok("rollout v1");
    assert_eq!(bench.db.query("SELECT \"key\" FROM triphase_meta WHERE \"key\" LIKE 'rollout%'"), ["rollout/v001"]);
}

fn a_step_that_keeps_its_id_is_the_same_step(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release("v2", super::releases::V2);
    bench.ok("ff v1");
    bench.ok("add v2");
    // Another name alone is another step: refused, for the one that was applied is gone.
    bench.release("v2", &super::releases::V2.replace("names:\n", "split:\n").replace("[names]", "[split]"));
    bench.ends(6, "simdrop v2").says("names");
    bench.release(
        "v2",
        &super::releases::V2.replace("names:\n", "split:\n    id: names\n").replace("[names]", "[split]"),
    );
    bench.ok("plan simdrop v2").says("split");
    bench.ok("simdrop v2/split");
    assert_eq!(columns(&bench), "_simdrop_name first_name id");
    assert_eq!(bench.states("v2", "names"), "done done pending");
    bench.ok("rollback_simdrop v2");
    assert_eq!(columns(&bench), "first_name id name");
    bench.ok("simdrop v2");
    bench.ok("ff");
    bench.ok("check");
    assert_eq!(columns(&bench), "first_name id");
    assert_eq!(
        bench.db.query("SELECT step FROM triphase_ledger WHERE \"release\" = 'v2' ORDER BY 1"),
        ["names", "names_index"]
    );
}

fn a_version_in_two_spellings_needs_a_decision(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("ff");
    bench.db.query("INSERT INTO triphase_ledger (\"release\", step, name) VALUES ('v01', 'ada', 'ada')");
    bench.ends(5, "ff").says("v01/ada").says("v1/ada");
}

fn without_any_release_file(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.ok("add v1");
    bench.without("v1");
    for line in ["ff", "add v1", "plan ff", "check"] {
        bench.ends(2, line).says("no releases found").says("--path");
    }
    bench.ok("show");
    bench.ok("rollback_add v1");
    assert!(!bench.db.has_table("customer"));
}

fn a_ledger_of_the_current_format_is_not_upgraded(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("protected: true\n");
    bench.release("v1", V1);
    bench.ok("repair upgrade-ledger --reason new").says("there is no ledger yet");
    assert!(bench.db.tables().is_empty());
    bench.ok("ff");
    let before = bench.db.everything();
    bench.ends(2, "repair upgrade-ledger").says("--reason");
    bench.ok("repair upgrade-ledger --reason new").says("format is already 1.0; nothing to do");
    assert!(before == bench.db.everything());
}
