//! What is MySQL's and MariaDB's own: DDL that commits by itself, tables without transactions, what sets a session, the client's files.

use super::{faults::waiting, releases::V1};
use crate::harness::{Bench, Engine, Holder, Url, mariadb, mariadb_alone, mariadb_client, until};
use std::io::{BufRead as _, BufReader};

/// A project whose `ff` is killed (SIGKILL) when it passes a point for the last time.
fn killed_at(point: &str, prepare: impl Fn(&Bench)) -> Bench {
    let make = || {
        let bench = Bench::new(Engine::Mariadb);
        prepare(&bench);
        bench
    };
    let clean = make();
    let log = clean.dir().join("points");
    clean.command("ff").var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
    let points = std::fs::read_to_string(&log).unwrap();
    let n = 1 + points
        .lines()
        .collect::<Vec<_>>()
        .iter()
        .rposition(|line| line.ends_with(point))
        .unwrap_or_else(|| panic!("{points}"));
    let bench = make();
    bench.command("ff").var("TRIPHASE_FAILPOINT", n.to_string()).run().exits(-9);
    bench
}

const AFTER: &str = "after a lone statement";
const BEFORE: &str = "before a lone statement";

#[test]
fn a_procedure_that_was_called_is_a_question() {
    let prepare = |bench: &Bench| {
        bench.db.query("CREATE TABLE log (n integer)");
        bench.db.query("CREATE PROCEDURE p() INSERT INTO log VALUES (1)");
        bench.release("v1", "steps:\n  one:\n    add: CALL p()\n");
    };
    for (point, word, rows) in [(AFTER, "done", "1"), (BEFORE, "undone", "1")] {
        let bench = killed_at(point, prepare);
        let run =
            bench.ends(5, "ff").says("CALL p()").says("repair done v1/one add 1").says("repair undone v1/one add 1");
        assert!(run.said().contains("L4"), "{run:?}");
        bench.ends(5, "check");
        bench.ok(&format!("repair {word} v1/one add 1 --reason looked"));
        bench.ok("ff");
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), rows);
        assert_eq!(bench.states("v1", "one"), "done done done");
    }
}

#[test]
fn done_when_answers_for_a_procedure() {
    for point in [AFTER, BEFORE] {
        let bench = killed_at(point, |bench| {
            bench.db.query("CREATE TABLE log (n integer)");
            bench.db.query("CREATE PROCEDURE p() INSERT INTO log VALUES (1)");
            bench.release(
                "v1",
                "steps:\n  one:\n    add:\n      - sql: CALL p()\n        done_when: SELECT count(*) > 0 FROM log\n",
            );
        });
        bench.ok("ff");
        assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1", "{point}");
    }
}

#[test]
fn common_ddl_is_decided_by_what_is_there() {
    const BEFORE_IT: &str = "CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer, KEY old_key (b), CONSTRAINT old_check CHECK (a > 0)); \
        CREATE TABLE u (id integer PRIMARY KEY); CREATE VIEW old_view AS SELECT 1 AS one; CREATE PROCEDURE old_procedure() SELECT 1; \
        CREATE TRIGGER old_trigger BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 1";
    for statement in [
        "CREATE TABLE made (id integer)",
        "DROP TABLE u",
        "RENAME TABLE u TO renamed",
        "ALTER TABLE t ADD COLUMN made integer, ADD INDEX made_key (made)",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t RENAME COLUMN b TO renamed",
        "ALTER TABLE t CHANGE b renamed bigint",
        "ALTER TABLE t MODIFY COLUMN b bigint NOT NULL DEFAULT 7",
        "CREATE UNIQUE INDEX made ON t (a)",
        "DROP INDEX old_key ON t",
        "ALTER TABLE t RENAME INDEX old_key TO renamed",
        "ALTER TABLE t ADD CONSTRAINT made FOREIGN KEY (a) REFERENCES u (id)",
        "ALTER TABLE t ADD CONSTRAINT made CHECK (b > 0), DROP CONSTRAINT old_check",
        "CREATE VIEW made AS SELECT 2 AS two",
        "DROP VIEW old_view",
        "CREATE TRIGGER made AFTER INSERT ON t FOR EACH ROW DELETE FROM u",
        "DROP TRIGGER old_trigger",
        "CREATE FUNCTION made() RETURNS integer DETERMINISTIC RETURN 1",
        "DROP PROCEDURE old_procedure",
        "CREATE EVENT made ON SCHEDULE EVERY 1 YEAR STARTS '2035-01-01 00:00:00' DO DELETE FROM u",
    ] {
        let prepare = |bench: &Bench| {
            bench.db.query(BEFORE_IT);
            bench.release("v1", &format!("steps:\n  one:\n    add: {}\n", serde_json::json!(statement)));
        };
        let clean = Bench::new(Engine::Mariadb);
        prepare(&clean);
        clean.ok("ff");
        for point in [BEFORE, AFTER] {
            let bench = killed_at(point, prepare);
            let run = bench.run("ff");
            assert_eq!(run.code, 0, "{statement}, killed {point}: {run:?}");
            assert_eq!(bench.db.schema(false), clean.db.schema(false), "{statement}, killed {point}");
        }
    }
}

#[test]
fn what_a_table_without_transactions_keeps_is_announced() {
    let bench = killed_at(AFTER, |bench| {
        // Made in the same run: the plan can't know yet what it is made of.
        bench.release(
            "v1",
            "steps:\n  log:\n    add: CREATE TABLE log (n integer) ENGINE = MyISAM\n  one:\n    add: INSERT INTO log VALUES (1)\n",
        );
    });
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    bench.ends(5, "ff").says("INSERT INTO log VALUES (1)");
    bench.ok("repair done v1/one add 1 --reason looked");
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    // The same without a crash: it is planned again, and no answer was missing.
    bench.release(
        "v1-1",
        "steps:\n  more:\n    add: CREATE TABLE more (n integer) ENGINE = MyISAM\n  row:\n    add: INSERT INTO more VALUES (1)\n",
    );
    bench.ok("ff").says("looked up (a table of this statement is not transactional").hides("no answer");
    assert_eq!(bench.db.value("SELECT count(*) FROM more"), "1");
    // Through a trigger it is no different.
    bench.db.query("CREATE TABLE safe (n integer) ENGINE = InnoDB");
    bench.db.query("CREATE TRIGGER told AFTER INSERT ON safe FOR EACH ROW INSERT INTO log VALUES (NEW.n)");
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO safe VALUES (2)\n");
    bench.ok("ff");
    let attempts = "SELECT count(*) FROM triphase_history WHERE outcome = 'attempting' AND \"release\" = 'v2'";
    assert_eq!(bench.db.value(attempts), "1");
    // Where all are transactional, nothing needs to be announced.
    bench.db.query("DROP TRIGGER told");
    bench.release("v3", "steps:\n  three:\n    add: INSERT INTO safe VALUES (3)\n");
    bench.ok("ff");
    assert_eq!(bench.db.value(&attempts.replace("v2", "v3")), "0");
}

#[test]
fn half_a_statement_on_a_table_without_transactions_is_a_question() {
    let bench = Bench::new(Engine::Mariadb);
    bench.db.query("CREATE TABLE log (n integer PRIMARY KEY) ENGINE = MyISAM");
    bench.release("v1", "steps:\n  one:\n    add: INSERT INTO log VALUES (1), (1)\n");
    bench.ends(5, "ff").says("repair done v1/one");
    assert_eq!(bench.db.value("SELECT count(*) FROM log"), "1");
    // What the server refuses before it does anything has failed, and no more.
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO log VALUES (2, 2)\n");
    bench.ok("repair done v1/one add 1 --reason looked");
    bench.ends(1, "ff");
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO log VALUES (2)\n");
    bench.ok("ff");
}

#[test]
fn what_a_handler_sets_holds_for_it_alone() {
    let other = Bench::new(Engine::Mariadb);
    let elsewhere = other.db.server().database();
    let prepare = |bench: &Bench| {
        bench.db.query("CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (id integer, FOREIGN KEY (id) REFERENCES parent (id))");
        bench.release(
            "v1",
            "steps:\n  drop:\n    add: |\n      SET foreign_key_checks = 0;\n      CREATE TABLE one (id integer);\n      DROP TABLE parent;\n      SET foreign_key_checks = 1;\n",
        );
    };
    // Killed before the last statement that stands alone, the next run drops the table in a session of its own.
    for point in [BEFORE, AFTER] {
        let bench = killed_at(point, prepare);
        bench.ok("ff");
        assert!(!bench.db.has_table("parent") && bench.db.has_table("one"), "{point}");
    }
    let bench = Bench::new(Engine::Mariadb);
    bench.release(
        "v1",
        &format!(
            "steps:\n  sets:\n    add: |\n      USE {elsewhere};\n      SET NAMES latin1;\n      SET sql_mode = '', foreign_key_checks = 0, time_zone = '+05:00', @kept = 1;\n      CREATE TABLE there (id integer);\n      SET @made = database();\n  next:\n    add:\n      - CREATE TABLE here (id integer)\n      - expect: SELECT @@foreign_key_checks = 1 AND @@sql_mode LIKE '%STRICT%' AND @@character_set_client = 'utf8mb4' AND @@time_zone <> '+05:00'\n      - expect: SELECT database() <> '{elsewhere}' AND @made = '{elsewhere}'\n"
        ),
    );
    bench.ok("ff");
    assert!(other.db.has_table("there") && bench.db.has_table("here") && !bench.db.has_table("there"));
}

#[test]
fn keys_compare_bytewise_whatever_the_database_says() {
    let bench = Bench::new(Engine::Mariadb);
    bench.db.query(&format!(
        "ALTER DATABASE {} CHARACTER SET latin1 COLLATE latin1_swedish_ci",
        bench.db.server().database()
    ));
    bench.release(
        "v1",
        "steps:\n  a: {add: CREATE TABLE a (n integer)}\n  A: {add: CREATE TABLE b (n integer)}\n  ä: {add: CREATE TABLE c (n integer)}\n  🦀: {add: INSERT INTO a VALUES (1), rollback_add: \"DELETE FROM a WHERE n <> '🦀 \\\\\\\\ x'\"}\n",
    );
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_ledger"), "4");
    let kept = bench.db.value("SELECT h_rollback_add FROM triphase_ledger WHERE step = '🦀'");
    assert!(kept.contains("🦀"), "{kept}");
    let made = "SELECT DISTINCT engine, table_collation FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE 'triphase%'";
    assert_eq!(bench.db.query(made), ["InnoDB|utf8mb4_bin"]);
    bench.release("v2", "steps:\n  back: {add: DROP TABLE b}\n");
    bench.ok("ff");
    bench.ok("check");
}

/// A user of a name that no other test has, with these rights.
fn user(bench: &Bench, rights: &[&str]) -> Url {
    let name = format!("u_{}", bench.db.server().database());
    bench.db.query(&format!("CREATE USER {name}@'%' IDENTIFIED BY 'look only'"));
    for right in rights {
        bench.db.query(&format!("GRANT {right} ON {}.* TO {name}@'%'", bench.db.server().database()));
    }
    bench.db.server().as_user(&name, "look only")
}

#[test]
fn no_way_in_or_no_right_is_8() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", V1);
    let url = bench.db.server();
    let mut conns = vec![
        url.as_user("tri", "wrong").with_password(),
        url.as_user("nobody", "wrong").with_password(),
        url.to_database("no_such_database").with_password(),
        // Port 1 on loopback: nobody listens there.
        url.to_port(1).with_password(),
    ];
    conns.push(conns[3].replace("mysql://", "mariadb://"));
    for conn in &conns {
        for line in ["ff", "show", "plan ff", "check", "unlock"] {
            let run =
                bench.command(line).arg("--conn").arg(conn).run().exits(8).says("next: see that the target is up");
            assert!(run.stdout.is_empty() || run.stdout.starts_with('{'), "{run:?}");
        }
    }
    bench.command("show --conn").arg(&conns[2]).run().exits(8).says("no_such_database");
    bench.command("show --conn").arg(&url.to_database("").with_password()).run().exits(2).says("no database");
    bench.command("show --conn").arg(&format!("{}?nonsense=1", url.with_password())).run().exits(2).says("nonsense");
    // May look and write rows, and make nothing.
    let poor = user(&bench, &["SELECT, INSERT, UPDATE, DELETE"]).with_password();
    bench.command("ff --conn").arg(&poor).run().exits(8).says("CREATE");
    assert!(bench.db.tables().is_empty());
    bench.ok("add v1");
    bench.command("show --conn").arg(&poor).run().exits(0);
    // A ledger that can't be read is not "no ledger".
    let name = format!("u_{}", url.database());
    bench.db.query(&format!(
        "REVOKE ALL ON {}.* FROM {name}@'%'; GRANT CREATE ON {}.* TO {name}@'%'",
        url.database(),
        url.database()
    ));
    bench.command("show --conn").arg(&poor).run().exits(8);
    bench.db.query(&format!("GRANT SELECT ON {}.* TO {name}@'%'", url.database()));
    bench.command("show --conn").arg(&poor).run().exits(0);
    bench.command("rollback_add v1 --conn").arg(&poor).run().exits(8);
    assert!(bench.db.has_table("customer"));
    bench.db.query(&format!("DROP USER {name}@'%'"));
}

#[test]
fn a_session_that_may_not_be_ended_is_outwaited() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", V1);
    bench.ok("ff");
    // The server sees that a client is gone once a statement ends; this one has to be ended.
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO customer SELECT 2, benchmark(1000000000000, md5('x'))\n");
    let plain = user(&bench, &["ALL"]).with_password();
    let mut first = bench.command("ff").spawn();
    let mut session = None;
    until("the statement", || {
        session = bench
            .db
            .query("SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE '/* triphase % */ INSERT INTO customer%'")
            .pop();
        session.is_some()
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let session = session.unwrap();
    bench.release("v2", "steps:\n  two:\n    add: INSERT INTO customer VALUES (3, 'three')\n");
    bench.command("ff --wait-lock 1s --conn").arg(&plain).run().exits(4).says(&format!("KILL {session}"));
    assert_eq!(bench.db.value("SELECT count(*) FROM customer"), "1");
    bench.db.query(&format!("KILL {session}"));
    bench.command("ff --conn").arg(&plain).run().exits(0);
    assert_eq!(bench.db.query("SELECT id FROM customer"), ["1", "3"]);
    bench.db.query(&format!("DROP USER u_{}@'%'", bench.db.server().database()));
}

#[test]
fn who_blocks_is_named_or_what_is_missing() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", V1);
    bench.ok("ff");
    bench.release("v2", "steps:\n  two:\n    add: ALTER TABLE customer ADD COLUMN more integer\n");
    const SHORT: &str = "lock_timeout: 3s\nlock_retry_for: 1s\n";
    bench.target(SHORT);
    let plain = user(&bench, &["ALL"]).with_password();
    let holder = Holder::new(&bench.db, "customer");
    bench
        .ends(4, "ff -e test")
        .says("perhaps connection")
        .says("idle in a transaction")
        .says("nothing of it is applied");
    bench.write("conf.d/plain.yaml", &format!("connection: '{plain}'\n{SHORT}"));
    bench.ends(4, "ff -e plain").says("GRANT PROCESS");
    drop(holder);
    bench.ok("ff -e test");
    bench.db.query(&format!("DROP USER u_{}@'%'", bench.db.server().database()));
}

#[test]
fn who_blocks_is_known_where_the_server_keeps_book() {
    let bench = Bench::on(mariadb_alone());
    bench.release("v1", V1);
    bench.ok("ff");
    bench.target("lock_timeout: 100s\n");
    // A table's definition, which the server's own book tells of; a row, of which InnoDB says who waits for whom.
    for (version, statement) in
        [("v2", "ALTER TABLE customer ADD COLUMN more integer"), ("v3", "UPDATE customer SET name = 'x'")]
    {
        bench.release(version, &format!("steps:\n  of_{version}:\n    add: {statement}\n"));
        let holder = Holder::new(&bench.db, "customer");
        let open = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id > 0";
        let mut id = vec![];
        until("the holder's transaction, and no other", || {
            id = bench.db.query(open);
            id.len() == 1
        });
        let command = bench.command("ff");
        let mut child = command.spawn();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let by = said.find(|line| line.contains("connection "));
        let named = format!("by connection {} (user super", id[0]);
        assert!(by.as_ref().is_some_and(|line| line.contains(&named) && !line.contains("perhaps")), "{by:?}");
        drop(holder);
        let rest: Vec<String> = said.collect();
        assert!(!rest.iter().any(|line| line.contains("perhaps")), "{rest:?}");
        command.end(child).exits(0);
    }
}

#[test]
fn a_live_holder_is_ended_by_force_alone() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", V1);
    bench.ok("ff");
    bench.release("v2", "steps:\n  two:\n    add: ALTER TABLE customer ADD COLUMN more integer\n");
    bench.target("lock_timeout: 60s\n");
    let holder = Holder::new(&bench.db, "customer");
    let command = bench.command("ff");
    let child = command.spawn();
    until("a statement that waits", || waiting(&bench).is_some());
    bench.ends(7, "unlock").says("--force").says("tester@");
    bench.ok("unlock --force").says("ended");
    until("the end of the wait", || waiting(&bench).is_none());
    drop(holder);
    // It finds its sessions gone, and comes back to a lock that is not its own any more.
    command.end(child).exits(4).says("this run's no more");
    assert_eq!(bench.states("v2", "two"), "running pending pending");
    let recorded = "SELECT count(*) FROM triphase_history WHERE verb = 'unlock' AND outcome = 'recorded' AND detail LIKE 'ended %'";
    assert_eq!(bench.db.value(recorded), "1");
    bench.ok("unlock").says("nothing to do");
    assert_eq!(bench.db.value(recorded), "1", "there was nothing to record");
    bench.ok("ff --wait-lock 0s");
    assert_eq!(bench.states("v2", "two"), "done done done");
}

#[test]
fn what_the_server_is_set_to_is_checked() {
    let bench = Bench::on(mariadb_alone());
    bench.release("v1", V1);
    let url = bench.db.server().clone();
    mariadb_client(&url, "SET GLOBAL read_only = 1");
    bench.ends(8, "ff").says("read-only");
    assert!(bench.db.tables().is_empty());
    bench.ok("show");
    mariadb_client(&url, "SET GLOBAL read_only = 0, GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
    bench.release(
        "v2",
        "steps:\n  quoted:\n    add: |\n      CREATE TABLE quoted (a varchar(3));\n      INSERT INTO quoted VALUES (\"\\\"\");\n  long:\n    add: INSERT INTO quoted VALUES ('much too long')\n",
    );
    bench.ok("show");
    bench
        .ends(1, "ff")
        .says("SQL mode is not strict")
        .says("has ANSI_QUOTES and NO_BACKSLASH_ESCAPES;")
        .says("too long");
    assert_eq!(bench.db.query("SELECT a FROM quoted"), ["\""]);
    let script = bench.ok("sql ff").stdout;
    assert!(!bench.db.client(&script).status.success());
    bench.release("v2", "steps:\n  quoted:\n    add: |\n      CREATE TABLE quoted (a varchar(3));\n      INSERT INTO quoted VALUES (\"\\\"\");\n  long:\n    add: INSERT INTO quoted VALUES ('c:\\\\')\n");
    let output = bench.db.client(&bench.ok("sql ff").stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bench.db.query("SELECT a FROM quoted"), ["\"", "c:\\"]);
    bench.ok("check");
}

#[test]
fn the_names_and_parts_of_a_connection_are_read() {
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", V1);
    let url = bench.db.server();
    for driver in ["mysql+pymysql", "mariadb", "mysql"] {
        bench.write(
            "conf.d/test.yaml",
            &format!(
                "drivername: {driver}\nusername: {}\npassword: ${{SECRET}}\nhost: {}\nport: {}\ndatabase: {}\nquery: {{charset: utf8mb4, ssl-mode: preferred}}\n",
                url.user(),
                url.host(),
                url.port(),
                url.database()
            ),
        );
        bench.command("ff").var("SECRET", url.password()).run().exits(0).says("MariaDB 1");
    }
    // Either name is the same place.
    bench
        .command("check")
        .var("SECRET", url.password())
        .var("DATABASE_URL", url.with_password().replace("mysql:", "mariadb:"))
        .run()
        .exits(0);
    // `schema` is another database.
    let other = Bench::new(Engine::Mariadb);
    bench.target(&format!("schema: {}\n", other.db.server().database()));
    bench.ok("ff");
    assert!(other.db.has_table("customer") && other.db.has_table("triphase_ledger"));
    assert_eq!(mariadb().host(), url.host());
}

/// Connecting is tried once: a server that says nothing costs one `connect_timeout`.
#[test]
fn a_server_that_does_not_answer_is_waited_for_once() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let bench = Bench::new(Engine::Mariadb);
    bench.release("v1", "steps:\n  one:\n    add:\n      mysql: CREATE TABLE one (id integer)\n");
    bench
        .ends(8, &format!("check --conn mysql://me@127.0.0.1:{port}/shop?connect_timeout=1"))
        .says("no answer within 1 s");
    silent.set_nonblocking(true).unwrap();
    assert_eq!(std::iter::from_fn(|| silent.accept().ok()).count(), 1);
}
