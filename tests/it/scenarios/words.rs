//! What a person says to the ledger: a rollout and its revocation, a step's new name.

use super::releases::{V1, V2, columns, sample};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    a_rollout_is_said_and_revoked,
    a_rollout_of_what_is_not_added_is_refused,
    a_renamed_step_keeps_what_it_did,
    a_rename_must_name_what_is_there,
    a_protected_target_asks_for_a_rename_and_not_for_a_rollout,
);

fn rollouts(bench: &Bench) -> String {
    bench.db.value("SELECT count(*) FROM triphase_meta WHERE \"key\" LIKE 'rollout/%'")
}

fn a_rollout_is_said_and_revoked(engine: Engine) {
    let bench = Bench::new(engine);
    bench.target("require_rollout: true\n");
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.ends(7, "simdrop v2").says("error[G6]").says("require_rollout: true");
    bench.ok("rollout v2 --noop").says("would record: release `v2` is rolled out");
    let told = bench.ok("rollout v2 --noop --json").stdout;
    assert!(told.contains("\"noop\":true") && told.contains("\"next\":\"triphase rollout v2 --json\""), "{told}");
    let why = bench.command("rollout v2 --noop --reason").arg("it's up").run().exits(0);
    why.says("next: triphase rollout v2 --reason 'it'\\''s up'");
    assert_eq!(rollouts(&bench), "0", "--noop has written");
    bench.ok("rollout v2");
    bench.ok("rollout v2 --noop").says("next: triphase show");
    assert_eq!(rollouts(&bench), "1");
    assert_eq!(
        bench.db.value("SELECT value LIKE '%tester@%' FROM triphase_meta WHERE \"key\" = 'rollout/v2'").to_lowercase(),
        yes(engine)
    );
    bench.command("rollout v2 --revoke --reason").arg("two hosts are behind").run().exits(0).says("is revoked");
    assert_eq!(rollouts(&bench), "0");
    bench.ends(7, "simdrop v2").says("error[G6]");
    assert_eq!(columns(&bench), "first_name id name");
    let events =
        bench.db.query("SELECT detail FROM triphase_history WHERE verb = 'rollout' AND \"release\" = 'v2' ORDER BY id");
    assert_eq!(events.last().map(String::as_str), Some("revoked: two hosts are behind"));
    bench.ok("rollout v2");
    bench.ok("simdrop v2");
    // A rollback voids it.
    bench.ok("rollback_simdrop v2");
    assert_eq!(rollouts(&bench), "0");
}

fn yes(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite | Engine::Mariadb => "1",
        Engine::Postgres => "t",
    }
}

fn a_rollout_of_what_is_not_added_is_refused(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(7, "rollout v1").says("not added");
    bench.ends(2, "rollout v9").says("v9");
    assert!(bench.db.tables().is_empty());
    bench.ok("ff v1");
    // What was never said can be revoked: the same is true after it.
    bench.ok("rollout v1 --revoke");
    assert_eq!(rollouts(&bench), "0");
}

fn a_renamed_step_keeps_what_it_did(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release("v2", V2);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.release("v2", &V2.replace("  names:", "  split_names:").replace("[names]", "[split_names]"));
    bench.ends(6, "simdrop v2").says("triphase repair rename v2/names v2/split_names");
    bench.ends(2, "repair rename v2/names v2/split_names").says("--reason");
    bench.ok("repair rename v2/names v2/split_names --reason clearer --noop");
    assert_eq!(bench.states("v2", "names"), "done pending pending");
    bench.ok("repair rename v2/names v2/split_names --reason clearer");
    assert_eq!(bench.states("v2", "names"), "");
    assert_eq!(bench.states("v2", "split_names"), "done pending pending");
    assert_eq!(bench.db.value("SELECT name FROM triphase_ledger WHERE step = 'split_names'"), "split_names");
    bench.ends(3, "check").hides("error[L");
    bench.ok("simdrop v2");
    // The way back went with it.
    bench.without("v2");
    bench.ok("rollback_simdrop v2");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
    assert_eq!(
        bench.db.value("SELECT count(*) FROM triphase_history WHERE verb = 'repair rename' AND detail = 'clearer'"),
        "1"
    );
}

fn a_rename_must_name_what_is_there(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.ends(2, "repair rename v1/nobody v1/ada --reason x").says("v1/nobody");
    bench.ends(2, "repair rename v1/ada v1/nobody --reason x").says("no file has step `v1/nobody`");
    bench.ends(2, "repair rename v1/ada v1/customer --reason x").says("already");
    assert_eq!(bench.states("v1", "ada"), "done done done");
}

fn a_protected_target_asks_for_a_rename_and_not_for_a_rollout(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("ff v1");
    bench.target("protected: true\n");
    bench.ok("rollout v1");
    bench.release("v1", &V1.replace("  ada:", "  lovelace:"));
    bench.ends(7, "repair rename v1/ada v1/lovelace --reason x").says("protected");
    assert_eq!(bench.states("v1", "ada"), "done done done");
    bench.ok("repair rename v1/ada v1/lovelace --reason x --yes");
    assert_eq!(bench.states("v1", "lovelace"), "done done done");
}
