//! `init` for a database that is there already: its schema becomes a first release, which is stamped.

use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(a_database_that_is_there_is_adopted, what_can_not_be_adopted_is_refused, a_protected_target_asks,);

const SQLITE: &str = "
CREATE TABLE customer (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL CHECK (name <> ';')); -- people
CREATE TABLE \"or der\" (id integer PRIMARY KEY, customer_id integer REFERENCES customer (id));
CREATE UNIQUE INDEX customer_name ON customer (name);
CREATE VIEW names AS SELECT name FROM customer;
CREATE TRIGGER greet AFTER INSERT ON customer BEGIN UPDATE customer SET name = name || ';'; END;
CREATE TRIGGER through INSTEAD OF INSERT ON names BEGIN INSERT INTO customer (name) VALUES (new.name); END;
CREATE VIRTUAL TABLE notes USING fts5(body);
";

const POSTGRES: &str = "
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('fine', 'it''s; so');
CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL DEFAULT ';', mood shop.mood);
CREATE TABLE shop.\"or der\" (id serial PRIMARY KEY, customer_id bigint REFERENCES customer (id));
CREATE UNIQUE INDEX customer_name ON customer (lower(name)) WHERE name <> '';
CREATE VIEW shop.names AS SELECT name FROM customer;
CREATE FUNCTION early() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM zlate';
CREATE TABLE zlate (n integer) PARTITION BY RANGE (n);
CREATE TABLE zlate_1 PARTITION OF zlate FOR VALUES FROM (1) TO (9);
CREATE FUNCTION greet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || ';'; RETURN NEW; END; $$;
CREATE TRIGGER greet BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION greet();
COMMENT ON TABLE customer IS 'people; and more';
";

/// Tables that name each other, views that come before what they read, and all that has a body.
const MARIADB: &str = "
CREATE SEQUENCE numbers START WITH 7 CACHE 10;
CREATE TABLE customer (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL DEFAULT ';' COMMENT 'a \\\\ ) AUTO_INCREMENT=3',
    favourite bigint, CONSTRAINT named CHECK (name <> 'it''s; so')) AUTO_INCREMENT = 12 COMMENT 'people; AUTO_INCREMENT=4';
CREATE TABLE `or der` (id bigint DEFAULT (NEXT VALUE FOR numbers) PRIMARY KEY, customer_id bigint, loud varchar(200) AS (upper(note)),
    note varchar(200) CHARACTER SET latin1 COLLATE latin1_bin,
    CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customer (id));
ALTER TABLE customer ADD CONSTRAINT is_favourite FOREIGN KEY (favourite) REFERENCES `or der` (id);
CREATE TABLE years (y integer NOT NULL) PARTITION BY RANGE (y) (PARTITION p1 VALUES LESS THAN (2000), PARTITION p2 VALUES LESS THAN MAXVALUE);
CREATE UNIQUE INDEX customer_name ON customer (name(20));
INSERT INTO customer (name) VALUES ('Ada');
DELIMITER //
CREATE FUNCTION greeting(who varchar(200)) RETURNS varchar(210) DETERMINISTIC
BEGIN
    -- A semicolon; and more.
    RETURN CONCAT('DEFINER=', who, ';');
END//
CREATE PROCEDURE fill(IN n integer) BEGIN DECLARE i integer DEFAULT 0; WHILE i < n DO INSERT INTO years VALUES (i); SET i = i + 1; END WHILE; END//
CREATE TRIGGER greet BEFORE INSERT ON customer FOR EACH ROW BEGIN SET NEW.name = greeting(NEW.name); END//
CREATE TRIGGER again BEFORE INSERT ON customer FOR EACH ROW FOLLOWS greet SET NEW.favourite = NULL//
SET sql_mode = 'NO_ZERO_DATE,PIPES_AS_CONCAT'//
CREATE FUNCTION loose() RETURNS varchar(9) DETERMINISTIC RETURN 'a' || 'b'//
DELIMITER ;
CREATE VIEW z_base AS SELECT id, greeting(name) AS name FROM customer;
CREATE SQL SECURITY INVOKER VIEW a_first AS SELECT name FROM z_base WHERE id > 0 WITH CHECK OPTION;
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM years WHERE y < 1900;
";

fn filled(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    let script = match engine {
        Engine::Sqlite => SQLITE.to_owned(),
        Engine::Postgres => format!("SET check_function_bodies = off;{POSTGRES}"),
        Engine::Mariadb => MARIADB.to_owned(),
    };
    let output = bench.db.client(&script);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    bench
}

fn a_database_that_is_there_is_adopted(engine: Engine) {
    let bench = filled(engine);
    // The ledger's growing key makes SQLite keep a table of its own.
    let ours = |schema: String| -> Vec<String> {
        schema.lines().filter(|line| !line.contains("sqlite_sequence")).map(str::to_owned).collect()
    };
    let before = bench.db.schema(false);
    bench.ok("-e test init --noop").says("would write releases/v1/release.yaml");
    assert!(!bench.dir().join("releases").exists() && !bench.db.has_table("triphase_ledger"));
    let run = bench.ok("-e test init").says("wrote releases/v1/schema.add.sql").says("release `v1` is stamped");
    assert_eq!(run.stderr.contains("owners and GRANTs are not in v1"), engine == Engine::Postgres, "{}", run.stderr);
    assert_eq!(ours(bench.db.schema(false)), ours(before), "init has run something");
    assert_eq!(bench.states("v1", "schema"), "done done done");
    bench.ok("check");
    bench.ok("ff").says("nothing to do");
    bench.ends(7, "rollback_add v1").says("error[G5]");
    // An empty database gets the same schema from the release.
    let fresh = Bench::new(engine);
    for file in ["release.yaml", "schema.add.sql"] {
        let path = format!("releases/v1/{file}");
        fresh.write(&path, &std::fs::read_to_string(bench.dir().join(&path)).unwrap());
    }
    fresh.ok("ff");
    assert_eq!(ours(fresh.db.schema(false)), ours(bench.db.schema(false)));
    fresh.ok("check");
    if engine == Engine::Mariadb {
        assert!(!fresh.db.schema(false).contains(&bench.db.server().database()), "another database is named");
    }
    bench.ends(2, "-e test init").says("has a ledger with releases already");
    // Another database of the same schema is adopted by the same files.
    let other = filled(engine);
    for file in ["release.yaml", "schema.add.sql"] {
        let path = format!("releases/v1/{file}");
        other.write(&path, &std::fs::read_to_string(bench.dir().join(&path)).unwrap());
    }
    other.ok("-e test init");
    assert_eq!(other.states("v1", "schema"), "done done done");
    other.ok("check");
}

fn what_can_not_be_adopted_is_refused(engine: Engine) {
    let bench = Bench::new(engine);
    bench.ends(2, "-e test init").says("no table to adopt");
    assert!(bench.db.tables().is_empty());
    let bench = filled(engine);
    bench.release("v1", "steps:\n  mine:\n    add: SELECT 1\n");
    bench.ends(2, "-e test init").says("v1");
    std::fs::remove_dir_all(bench.dir().join("releases")).unwrap();
    if engine == Engine::Postgres {
        bench.command("-e test init").var("PATH", "/nowhere").run().exits(2).says("pg_dump").says("postgresql-client");
    }
    assert!(!bench.dir().join("releases").exists() && !bench.db.has_table("triphase_ledger"));
}

fn a_protected_target_asks(engine: Engine) {
    let bench = filled(engine);
    bench.target("protected: true\n");
    bench.ends(7, "-e test init").says("protected");
    assert!(!bench.db.has_table("triphase_ledger"));
    bench.ok("-e test init --yes");
    bench.ok("check");
}
