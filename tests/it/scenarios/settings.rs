//! What a handler sets holds to its end, though it is cut around a statement by itself; and no longer.

use crate::harness::{Bench, Engine};

/// SQLite's procedure for a change that ALTER TABLE has none for (sqlite.org/lang_altertable.html, section 7).
const REBUILD: &str = "      - CREATE TABLE parent_new (id integer PRIMARY KEY)
      - INSERT INTO parent_new SELECT id FROM parent
      - DROP TABLE parent
      - ALTER TABLE parent_new RENAME TO parent
";

fn family(add: &str) -> Bench {
    let bench = Bench::new(Engine::Sqlite);
    bench.write("conf.d/test.yaml", &format!("connection: '{}?foreign_keys=on'\n", bench.db.url()));
    bench.db.query("CREATE TABLE parent (id integer PRIMARY KEY, old text)");
    bench.db.query("CREATE TABLE child (parent integer REFERENCES parent ON DELETE CASCADE)");
    bench.db.query("INSERT INTO parent VALUES (1, 'x'), (2, 'y')");
    bench.db.query("INSERT INTO child VALUES (1), (2)");
    bench.release("v1", &format!("steps:\n  family:\n    add:\n{add}"));
    bench
}

const WAYS_OFF: [&str; 3] = [
    "      - sql: PRAGMA foreign_keys = OFF\n        transaction: false\n",
    "      - PRAGMA foreign_keys = OFF\n      - VACUUM\n",
    "      - PRAGMA foreign_keys = OFF\n      - INSERT INTO child VALUES (1)\n      - sql: VACUUM\n      - PRAGMA legacy_alter_table = OFF\n",
];

#[test]
fn foreign_keys_are_off_to_the_end_of_the_handler() {
    for off in WAYS_OFF {
        for scripted in [false, true] {
            let bench = family(&format!("{off}{REBUILD}      - PRAGMA foreign_keys = ON\n"));
            if scripted {
                let script = bench.ok("sql add v1").stdout;
                let output = bench.db.client(&script);
                assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{script}");
            } else {
                bench.ok("add v1");
            }
            let children = bench.db.value("SELECT count(*) FROM child WHERE parent = 2");
            assert_eq!(children, "1", "{off} (scripted: {scripted})");
            assert_eq!(bench.states("v1", "family").split(' ').next(), Some("done"));
        }
    }
}

#[test]
fn where_foreign_keys_are_off_they_are_checked() {
    for off in WAYS_OFF {
        let bench = family(&format!("{off}      - DELETE FROM parent WHERE id = 2\n"));
        bench.ends(1, "add v1").says("has no parent in `parent`");
        assert_eq!(bench.db.value("SELECT count(*) FROM parent"), "2");
        assert_eq!(bench.states("v1", "family").split(' ').next(), Some("failed"));
    }
}

#[test]
fn the_next_handler_has_foreign_keys_again() {
    let bench = family(&format!("{}{REBUILD}", WAYS_OFF[1]));
    bench.release(
        "v1",
        &format!(
            "steps:\n  family:\n    add:\n{}{REBUILD}  after:\n    add: DELETE FROM parent WHERE id = 2\n",
            WAYS_OFF[1]
        ),
    );
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT parent FROM child"), ["1"], "the second step's delete cascades");
}

/// A PostgreSQL bench with the schema `tenant`, a table of the same name in both, and a role for it.
fn tenants(add: &str) -> Bench {
    let bench = Bench::new(Engine::Postgres);
    bench.db.query("CREATE SCHEMA tenant");
    for schema in ["public", "tenant"] {
        bench.db.query(&format!("CREATE TABLE {schema}.orders (id integer)"));
        bench.db.query(&format!("CREATE TABLE {schema}.audit (what text)"));
    }
    bench.release("v1", &format!("steps:\n  tenant:\n    add:\n{add}"));
    bench
}

#[test]
fn a_search_path_holds_to_the_end_of_the_handler() {
    for set in ["SET search_path = tenant, public", "SELECT pg_catalog.set_config('search_path', 'tenant', false)"] {
        for scripted in [false, true] {
            let bench = tenants(&format!(
                "      - {set}\n      - ALTER TABLE orders ADD COLUMN x integer\n      - CREATE INDEX CONCURRENTLY i ON tenant.orders (x)\n      \
                 - INSERT INTO audit VALUES ('x')\n      - VACUUM orders\n      - sql: INSERT INTO audit VALUES ('y')\n        transaction: \
                 false\n"
            ));
            if scripted {
                let script = bench.ok("sql add v1").stdout;
                let output = bench.db.client(&script);
                assert!(output.status.success(), "{output:?}\n{script}");
            } else {
                bench.ok("add v1");
            }
            let rows = |schema: &str| bench.db.query(&format!("SELECT what FROM {schema}.audit ORDER BY what"));
            assert_eq!(rows("tenant"), ["x", "y"], "{set}, scripted: {scripted}");
            assert_eq!(rows("public"), [""; 0], "{set}, scripted: {scripted}");
            assert_eq!(bench.db.value("SELECT to_regclass('tenant.i') IS NOT NULL"), "t");
        }
    }
}

#[test]
fn a_resume_sets_it_again() {
    let bench = tenants(
        "      - SET search_path = tenant, public\n      - VACUUM orders\n      - INSERT INTO audit SELECT missing FROM orders\n",
    );
    bench.ends(1, "add v1").says("missing");
    bench.db.query("INSERT INTO tenant.orders VALUES (7)");
    bench.db.query("ALTER TABLE tenant.orders ADD COLUMN missing text DEFAULT 'm'");
    bench.ok("add v1");
    assert_eq!(bench.db.query("SELECT what FROM tenant.audit"), ["m"]);
}

#[test]
fn a_role_holds_for_a_statement_by_itself() {
    let bench = tenants("");
    let role = format!("tp_{}", bench.db.value("SELECT replace(current_database(), '-', '_')"));
    bench.db.query(&format!("CREATE ROLE \"{role}\""));
    bench.db.query(&format!("GRANT \"{role}\" TO CURRENT_USER"));
    bench.db.query(&format!("GRANT ALL ON SCHEMA public TO \"{role}\""));
    bench.release(
        "v1",
        &format!(
            "steps:\n  tenant:\n    add:\n      - SET ROLE \"{role}\"\n      - CREATE TABLE first (id integer)\n      - sql: CREATE TABLE \
             second (id integer)\n        transaction: false\n      - CREATE TABLE third (id integer)\n  after:\n    add: CREATE TABLE \
             fourth (id integer)\n"
        ),
    );
    bench.ok("add v1");
    let of = "SELECT tablename FROM pg_tables WHERE tableowner";
    assert_eq!(bench.db.query(&format!("{of} = '{role}' ORDER BY 1")), ["first", "second", "third"]);
    assert_eq!(bench.db.query(&format!("{of} = current_user AND tablename = 'fourth'")), ["fourth"]);
    bench.db.query(&format!("DROP OWNED BY \"{role}\""));
    bench.db.query(&format!("DROP ROLE \"{role}\""));
}

/// What became of such a statement is asked of the catalogue, without the handler's path: its names must say where they are.
#[test]
fn a_concurrent_statement_on_another_path_names_its_schema() {
    for lone in [
        "CREATE INDEX CONCURRENTLY i ON orders (id)",
        "DROP INDEX CONCURRENTLY IF EXISTS i",
        "ALTER TYPE mood ADD VALUE 'x'",
    ] {
        let bench = tenants(&format!("      - SET search_path = tenant, public\n      - {lone}\n"));
        bench.ends(2, "add v1").says("L9").says("its names have no schema").says(lone);
        let bench = tenants(&format!("      - SET ROLE postgres\n      - {lone}\n"));
        bench.run("check").hides("L9");
    }
}

#[test]
fn rows_that_had_no_parent_before_are_no_fault_of_the_handler() {
    // A table made anew gives its rows other numbers.
    let anew = "      - CREATE TABLE child_new (parent integer REFERENCES parent)
      - INSERT INTO child_new SELECT parent FROM child ORDER BY parent DESC
      - DROP TABLE child
      - ALTER TABLE child_new RENAME TO child
";
    for add in [REBUILD, anew] {
        let bench = family(&format!("      - PRAGMA foreign_keys = OFF\n{add}"));
        bench.db.query("INSERT INTO child VALUES (77)");
        bench.ok("add v1").says("foreign keys were violated before the handler, and are still: `child` rowid");
        assert_eq!(bench.db.value("SELECT count(*) FROM child"), "3");
    }
    // Only what the handler brought is refused, and named.
    let bench = family("      - PRAGMA foreign_keys = OFF\n      - DELETE FROM parent WHERE id = 2\n");
    bench.db.query("INSERT INTO child VALUES (77)");
    bench
        .ends(1, "add v1")
        .says("foreign keys are violated after the handler: `child` rowid 2 has no parent in `parent`")
        .hides("rowid 3");
    assert_eq!(bench.db.value("SELECT count(*) FROM parent"), "2");
}

/// A script never takes a handler for good that a run refuses: where rows had no parent before, it changes nothing and names the run.
#[test]
fn a_script_leaves_rows_without_a_parent_to_a_run() {
    let off = "      - PRAGMA foreign_keys = OFF\n";
    let anew = "      - CREATE TABLE child_new (parent integer REFERENCES parent)\n      - INSERT INTO child_new SELECT parent FROM child \
                ORDER BY parent DESC\n      - DROP TABLE child\n      - ALTER TABLE child_new RENAME TO child\n";
    let deletes = "      - DELETE FROM parent WHERE id = 2\n";
    let refers = "      - UPDATE child SET parent = 78 WHERE parent = 77\n";
    let before = "foreign keys are violated before the handler already: run it with triphase itself";
    let after = "foreign keys are violated after the handler";
    // The handler, an orphan before it, how a run ends, what a script says.
    for (add, orphan, run, says) in [
        (REBUILD, false, 0, ""),
        (anew, false, 0, ""),
        (deletes, false, 1, after),
        (REBUILD, true, 0, before),
        (anew, true, 0, before),
        (deletes, true, 1, before),
        (refers, true, 1, before),
    ] {
        let ready = || {
            let bench = family(&format!("{off}{add}"));
            if orphan {
                bench.db.query("INSERT INTO child VALUES (77)");
            }
            bench
        };
        ready().ends(run, "add v1");
        let bench = ready();
        let rows = || bench.db.query("SELECT parent FROM child UNION ALL SELECT id FROM parent");
        let found = rows();
        let output = bench.db.client(&bench.ok("sql add v1").stdout);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if says.is_empty() {
            assert!(output.status.success() && said.is_empty(), "{add}{said}");
        } else {
            assert!(said.contains(says), "{add}{said}");
            assert_eq!((rows(), bench.ok("show").stdout.contains("done")), (found, false), "{add}");
        }
    }
}

/// What can't be looked at after a handler is the handler's failure, and recorded as that.
#[test]
fn keys_that_can_not_be_checked_after_a_handler_are_its_failure() {
    let bench = family(
        "      - PRAGMA foreign_keys = OFF\n      - CREATE TABLE odd (x integer)\n      - INSERT INTO odd VALUES (-9223372036854775807 - 1)\n      \
         - ALTER TABLE odd ADD COLUMN of integer GENERATED ALWAYS AS (abs(x)) VIRTUAL REFERENCES parent\n",
    );
    bench.ends(1, "add v1").says("after its last statement");
    assert_eq!(bench.states("v1", "family"), "failed pending pending");
    assert!(!bench.db.has_table("odd"));
}
