//! A ledger of which a table is missing is not taken for none (rule L9).

use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    a_ledger_without_one_of_its_tables_is_refused,
    a_ledger_of_which_one_table_is_left_is_refused,
    a_target_without_any_of_them_has_no_ledger
);

const TABLES: [&str; 4] = ["triphase_meta", "triphase_run", "triphase_ledger", "triphase_history"];

/// A step that adds a row each time that it runs.
const TWICE: &str = "steps:\n  one:\n    add: INSERT INTO log VALUES (1)\n    rollback_add: DELETE FROM log\n";

/// All that reads the ledger, to change something or only to look.
const LINES: [&str; 12] = [
    "ff",
    "add v1",
    "rollback_add v1",
    "plan ff",
    "sql ff",
    "show",
    "show --objects",
    "current",
    "history",
    "check",
    "check --app-release v1",
    "stamp v1 --phase drop",
];

fn a_ledger_without_one_of_its_tables_is_refused(engine: Engine) {
    for table in TABLES {
        let bench = Bench::new(engine);
        bench.db.query("CREATE TABLE log (n integer)");
        bench.release("v1", TWICE);
        bench.ok("add v1");
        bench.db.query(&format!("DROP TABLE {table}"));
        let before = bench.db.everything();
        for line in LINES {
            bench
                .ends(8, line)
                .says("the ledger is not whole: table ")
                .says(table)
                .says(" is missing; restore its tables from a backup; or drop what is left of them");
            assert!(before == bench.db.everything(), "`{line}` has changed something");
        }
        // The other way out.
        for rest in TABLES {
            bench.db.query(&format!("DROP TABLE IF EXISTS {rest}"));
        }
        bench.ok("stamp v1 --phase drop");
        bench.ok("check");
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1", "{table}");
    }
}

/// A first run that is killed while it makes the tables leaves no row of its own in any of them: whatever row is left, there was a ledger.
fn a_ledger_of_which_one_table_is_left_is_refused(engine: Engine) {
    for left in TABLES {
        let bench = Bench::new(engine);
        bench.db.query("CREATE TABLE log (n integer)");
        bench.release("v1", TWICE);
        bench.ok("add v1");
        for table in TABLES.into_iter().filter(|table| *table != left) {
            bench.db.query(&format!("DROP TABLE {table}"));
        }
        let before = bench.db.everything();
        for line in LINES {
            bench.ends(8, line).says("the ledger is not whole: tables ");
            assert!(before == bench.db.everything(), "{left}: `{line}` has changed something");
        }
    }
}

fn a_target_without_any_of_them_has_no_ledger(engine: Engine) {
    let bench = Bench::new(engine);
    bench.db.query("CREATE TABLE log (n integer)");
    bench.release("v1", TWICE);
    for line in ["show", "current", "history"] {
        bench.ok(line).says("nothing yet");
    }
    bench.ok("rollback_add v1").says("no ledger");
}
