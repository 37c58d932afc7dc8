//! MySQL's and MariaDB's own client: files that are written for it, and scripts that it runs.

use super::{faults::waiting, releases::V1};
use crate::harness::{Bench, Engine, Holder, until};

#[test]
fn a_file_for_the_client_runs_as_it_is() {
    let bench = Bench::new(Engine::Mariadb);
    bench.write(
        "releases/v1/release.yaml",
        "steps:\n  all:\n    add:\n      - sql_file: all.sql\n    rollback_add: |\n      DROP TABLE t;\n      DROP PROCEDURE p;\n      DROP FUNCTION f;\n      DROP EVENT e;\n",
    );
    bench.write(
        "releases/v1/all.sql",
        "/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE t (id integer, name varchar(40) COMMENT 'it\\'s; here');\n\
         DELIMITER $$\n\
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.name = '' THEN SET NEW.name = 'none;'; END IF; END$$\n\
         CREATE PROCEDURE p(IN n integer)\nBEGIN\n  DECLARE i integer DEFAULT 0;\n  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END;\n\
         \n  more: WHILE i < n DO\n    INSERT INTO t VALUES (i, CASE i WHEN 0 THEN '' ELSE 'x' END);\n    SET i = i + 1;\n  END WHILE more;\nEND$$\n\
         DELIMITER ;\n\
         CREATE FUNCTION f(a integer) RETURNS integer DETERMINISTIC BEGIN RETURN a + 1; END;\n\
         CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO BEGIN DELETE FROM t; END;\n\
         CALL p(2); # two rows\n",
    );
    let script = bench.ok("sql ff").stdout;
    bench.ok("ff");
    assert_eq!(bench.db.query("SELECT id, name FROM t ORDER BY id"), ["0|none;", "1|x"]);
    assert_eq!(bench.db.value("SELECT f(1)"), "2");
    bench.ok("rollback_add v1");
    assert_eq!(bench.db.tables(), ["triphase_history", "triphase_ledger", "triphase_meta", "triphase_run"]);
    // By the client itself, too.
    let again = Bench::new(Engine::Mariadb);
    let script = script.replace(&bench.db.server().database(), &again.db.server().database());
    // The lock's name has the database's hash in it; its own is as good.
    let output = again.db.client(&script);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{script}");
    assert_eq!(again.db.query("SELECT id, name FROM t ORDER BY id"), ["0|none;", "1|x"]);
    assert_eq!(again.states("v1", "all"), "done done done");
}

#[test]
fn a_script_stops_where_a_run_would() {
    let bench = Bench::new(Engine::Mariadb);
    bench.db.query("CREATE TABLE t (n integer)");
    for (expect, passes) in [
        ("SELECT 1", true),
        ("SELECT 0", false),
        ("SELECT '1'", false),
        ("SELECT NULL", false),
        ("SELECT 1 WHERE 1 = 0", false),
        ("SELECT 1.5", true),
        ("SELECT 1 < 2", true),
    ] {
        bench.release(
            "v1",
            &format!(
                "steps:\n  one:\n    add:\n      - expect: {}\n      - INSERT INTO t VALUES (1)\n",
                serde_json::json!(expect)
            ),
        );
        let output = bench.db.client(&bench.ok("sql ff").stdout);
        assert_eq!(output.status.success(), passes, "{expect}: {output:?}");
        assert_eq!(bench.db.value("SELECT count(*) FROM t") == "1", passes, "{expect}");
        bench.db.query(
            "DELETE FROM t; DROP TABLE IF EXISTS triphase_meta, triphase_run, triphase_ledger, triphase_history",
        );
    }
    // A run that is at work.
    bench.release("v1", V1);
    bench.ok("ff");
    bench.release("v2", "steps:\n  two:\n    add: ALTER TABLE customer ADD COLUMN more integer\n");
    let script = bench.ok("sql ff").stdout;
    let holder = Holder::new(&bench.db, "customer");
    let command = bench.command("ff");
    let child = command.spawn();
    until("a statement that waits", || waiting(&bench).is_some());
    let output = bench.db.client(&script);
    assert!(String::from_utf8_lossy(&output.stderr).contains("another run holds the lock"), "{output:?}");
    drop(holder);
    command.end(child).exits(0);
    let output = bench.db.client(&script);
    assert!(String::from_utf8_lossy(&output.stderr).contains("the ledger has moved on"), "{output:?}");
}

#[test]
fn the_sample_project_runs_as_it_does_elsewhere() {
    let bench = Bench::new(Engine::Mariadb);
    let releases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("releases");
    for path in [
        "v1.yaml",
        "v2.yaml",
        "v3/release.yaml",
        "v3/sync.mysql.sql",
        "v3/sync.postgres.sql",
        "v3/sync.sqlite.sql",
        "v4.yaml",
        "v5.yaml",
    ] {
        bench.write(&format!("releases/{path}"), &std::fs::read_to_string(releases.join(path)).unwrap());
    }
    bench.ok("ff v1");
    bench.db.query(
        "INSERT INTO customer VALUES (1, 'Ada', 'ada@shop.example'); INSERT INTO product VALUES (1, 'Loom', '12.50')",
    );
    bench.ok("ff v2");
    assert_eq!(bench.db.value("SELECT newsletter FROM customer"), "1");
    bench.ok("add v3");
    // The old application and the new one.
    bench.db.query("INSERT INTO customer (id, name, mail) VALUES (2, 'Bob', 'bob@x.example'); INSERT INTO customer (id, name, email) VALUES (3, 'Cy', 'cy@x.example')");
    bench.db.query("UPDATE customer SET mail = 'Bob@x.example' WHERE id = 2; UPDATE customer SET email = 'cyd@x.example' WHERE id = 3");
    let mails = "SELECT id, mail, email FROM customer WHERE BINARY mail = BINARY email ORDER BY id";
    let equal =
        ["1|ada@shop.example|ada@shop.example", "2|Bob@x.example|Bob@x.example", "3|cyd@x.example|cyd@x.example"];
    assert_eq!(bench.db.query(mails), equal);
    bench.ok("simdrop v3");
    bench.ok("rollback_simdrop v3");
    assert_eq!(bench.db.query(mails), equal);
    bench.ok("rollback_add v3");
    for line in ["ff v3", "ff v4", "add v5"] {
        bench.ok(line);
    }
    bench.db.query("INSERT INTO product (id, title, price) VALUES (2, 'Card', '0.99'); INSERT INTO product (id, title, price_cents) VALUES (3, 'Drum', 100005)");
    bench.db.query("UPDATE product SET price = '13.00' WHERE id = 1");
    let prices = "SELECT id, price, price_cents FROM product ORDER BY id";
    assert_eq!(bench.db.query(prices), ["1|13.00|1300", "2|0.99|99", "3|1000.05|100005"]);
    bench.ok("simdrop v5");
    bench.ok("rollback_simdrop v5");
    assert_eq!(bench.db.query(prices), ["1|13.00|1300", "2|0.99|99", "3|1000.05|100005"]);
    bench.ok("rollback_add v5");
    bench.ok("ff v5");
    bench.ok("check");
}
