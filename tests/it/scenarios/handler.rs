//! `repair handler`: another way back in the place of the one that the ledger keeps.

use super::releases::{V1, columns};
use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    a_stored_rollback_is_replaced_and_used,
    a_rollback_that_nobody_wrote_is_given,
    what_is_no_way_back_is_not_stored
);

/// Its `rollback_add` names a column that is not there.
const WRONG: &str = "
steps:
  names:
    add: ALTER TABLE customer ADD COLUMN first_name varchar(40)
    rollback_add: ALTER TABLE customer DROP COLUMN forename
  untouched:
    add: INSERT INTO customer VALUES (2, 'Alan Turing', NULL)
    rollback_add: DELETE FROM customer WHERE id = 2
";

const RIGHT: &str =
    "ALTER TABLE customer DROP COLUMN first_name;\nINSERT INTO customer VALUES (3, 'by the new handler');\n";

fn added(engine: Engine, release: &str) -> Bench {
    let bench = Bench::new(engine);
    bench.release("v1", V1);
    bench.release("v2", release);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench
}

fn stored(bench: &Bench, step: &str) -> String {
    bench.db.value(&format!("SELECT h_rollback_add FROM triphase_ledger WHERE \"release\" = 'v2' AND step = '{step}'"))
}

fn recorded(bench: &Bench) -> Vec<String> {
    bench.db.query(
        "SELECT \"release\", step, verb, outcome, detail FROM triphase_history WHERE verb LIKE 'repair%' ORDER BY id",
    )
}

const REPAIR: &str = "repair handler v2/names rollback_add --file fixed.sql --reason typo";

fn a_stored_rollback_is_replaced_and_used(engine: Engine) {
    let bench = added(engine, WRONG);
    let (before, other) = (stored(&bench, "names"), stored(&bench, "untouched"));
    assert!(before.contains("DROP COLUMN forename"), "{before}");
    bench.ends(1, "rollback_add v2").says("forename");
    assert_eq!(bench.states("v2", "names"), "rollback_failed pending pending");
    assert_eq!(columns(&bench), "first_name id name");

    bench.write("fixed.sql", RIGHT);
    bench.ok(&format!("{REPAIR} --noop")).says("would record");
    assert_eq!(stored(&bench, "names"), before, "--noop has written");
    assert!(recorded(&bench).is_empty());
    bench.ok(REPAIR);
    let after = stored(&bench, "names");
    assert!(after.contains("DROP COLUMN first_name") && after.contains("by the new handler"), "{after}");
    assert!(!after.contains("forename"), "{after}");
    assert_eq!(stored(&bench, "untouched"), other);
    // It says how the way back is, and goes no part of it.
    assert_eq!(bench.states("v2", "names"), "rollback_failed pending pending");
    assert_eq!(columns(&bench), "first_name id name");
    assert_eq!(recorded(&bench), ["v2|names|repair handler rollback_add|recorded|typo"]);
    bench.ok("history").says("repair handler rollback_add").says("typo");

    // The ledger's handler is the one that is run, whatever the file says, and whether there is one.
    bench.ok("plan rollback_add v2").says("by the new handler").hides("forename");
    bench.without("v2");
    bench.ok("rollback_add v2");
    assert_eq!(columns(&bench), "id name");
    assert_eq!(bench.db.query("SELECT name FROM customer ORDER BY id"), ["Ada Lovelace", "by the new handler"]);
    assert_eq!(bench.states("v2", "names"), "rolled_back pending pending");
    assert_eq!(bench.states("v2", "untouched"), "rolled_back pending pending");
    bench.ok("rollback_add v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM customer"), "2", "it has run again");
}

fn a_rollback_that_nobody_wrote_is_given(engine: Engine) {
    let without = WRONG.replace("    rollback_add: ALTER TABLE customer DROP COLUMN forename\n", "");
    let bench = added(engine, &without);
    bench.ends(7, "rollback_add v2").says("error[G5]").says("repair handler");
    assert_eq!(bench.db.value("SELECT count(*) FROM customer"), "2", "a part of it went back");
    bench.write("fixed.sql", RIGHT);
    bench.target("protected: true\n");
    bench.ends(7, REPAIR).says("protected");
    assert!(recorded(&bench).is_empty());
    bench.ok(&format!("{REPAIR} --yes"));
    bench.ok("rollback_add v2 --yes");
    assert_eq!(columns(&bench), "id name");
    assert_eq!(bench.states("v2", "names"), "rolled_back pending pending");
}

fn what_is_no_way_back_is_not_stored(engine: Engine) {
    let bench = added(engine, WRONG);
    let before = stored(&bench, "names");
    bench.write("fixed.sql", RIGHT);
    bench.write("empty.sql", "-- nothing but words\n");
    bench.write("ends.sql", "ALTER TABLE customer DROP COLUMN first_name; COMMIT;\n");
    for (line, says) in [
        ("repair handler v2/names rollback_add --file fixed.sql", "--reason"),
        ("repair handler v2/names rollback_add --file nowhere.sql --reason x", "nowhere.sql"),
        ("repair handler v2/names rollback_add --file empty.sql --reason x", "no statement"),
        ("repair handler v2/names rollback_add --file ends.sql --reason x", "error[F9]"),
        (
            "repair handler v2/names add --file fixed.sql --reason x",
            "[possible values: rollback_add, rollback_simdrop]",
        ),
        ("repair handler v2/nobody rollback_add --file fixed.sql --reason x", "v2/nobody"),
        ("repair handler v2/names undo --file fixed.sql --reason x", "undo"),
    ] {
        bench.ends(2, line).says(says);
    }
    assert_eq!(stored(&bench, "names"), before);
    assert!(recorded(&bench).is_empty());
}
