//! `import`: databases that other tools really migrated (`tests/adoption/record` keeps what they left; sqlx runs here) are adopted.

use crate::harness::{Bench, Db, Engine, Run, on_each_engine};
use std::{fs, path::Path};

on_each_engine!(
    dbmate,
    golang_migrate,
    flyway,
    sqlx,
    alembic,
    django,
    pygrate,
    what_is_dirty_or_edited_is_refused,
    what_can_not_be_read_is_named,
    a_protected_target_asks,
);

pub fn fixture(tool: &str, engine: Engine) -> std::path::PathBuf {
    let engine = match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
        Engine::Mariadb => "mariadb",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adoption").join(tool).join(engine)
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A project with the tool's folder, and the database as the tool left it.
pub fn left_by(tool: &str, engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    let fixture = fixture(tool, engine);
    let output = bench.db.client(&fs::read_to_string(fixture.join("database.sql")).unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    copy(&fixture, bench.dir());
    bench
}

/// What the application sees: all but triphase's tables and the tool's.
fn shape(db: &Db, own: &str) -> Vec<String> {
    match db.engine() {
        Engine::Sqlite => spaced(db.query(&format!(
            "SELECT type, name, replace(sql, char(10), ' ') FROM sqlite_schema WHERE tbl_name NOT LIKE 'triphase%' AND tbl_name NOT LIKE 'sqlite%' \
             AND tbl_name <> '{own}' ORDER BY 1, 2"
        ))),
        Engine::Postgres => db.query(&format!(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE 'triphase%' AND table_name <> '{own}' UNION ALL \
             SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public' \
             AND tablename NOT LIKE 'triphase%' AND tablename <> '{own}' ORDER BY 1, 2"
        )),
        Engine::Mariadb => db.query(&format!(
            "SELECT table_name, column_name, column_type, is_nullable, coalesce(column_default, '-'), extra FROM information_schema.columns \
             WHERE table_schema = database() AND table_name NOT LIKE 'triphase%' AND table_name <> '{own}' UNION ALL \
             SELECT table_name, index_name, column_name, non_unique, seq_in_index, '' FROM information_schema.statistics \
             WHERE table_schema = database() AND table_name NOT LIKE 'triphase%' AND table_name <> '{own}' ORDER BY 1, 2, 3"
        )),
    }
}

/// One space between words: a tool prints other line ends than it runs.
fn spaced(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Imports with and without `--noop`, and sees that nothing ran, that a second import changes nothing, and that what is left pending runs.
#[track_caller]
pub(super) fn adopted(bench: &Bench, line: &str, own: &str, pending: &str) -> Run {
    let before = shape(&bench.db, own);
    let rows = bench.db.value(&format!("SELECT count(*) FROM {own}"));
    bench
        .ok(&format!("{line} --noop"))
        .says("would write releases/")
        .says("would record: ")
        .says("next: triphase import ");
    assert!(!bench.dir().join("releases").exists() && !bench.db.has_table("triphase_ledger"), "--noop has written");
    let run = bench.ok(line).says("wrote releases/");
    assert_eq!(shape(&bench.db, own), before, "an import has run something");
    assert_eq!(
        bench.db.value(&format!("SELECT count(*) FROM {own}")),
        rows,
        "an import has changed the other tool's ledger"
    );
    bench.ok(line).says("nothing to stamp").says("left as it is: releases/").hides("wrote ");
    bench.ends(3, "check").says(&format!("release `{pending}` is pending: add")).hides("error[");
    bench.ok("ff").says(&format!("add {pending}"));
    bench.ok(line).says("left as it is: releases/").hides(": pending");
    bench.ok("check").says("in order");
    run
}

/// An empty database gets the same shape by the releases alone.
#[track_caller]
pub(super) fn runs_from_nothing(bench: &Bench, own: &str) {
    let fresh = Bench::new(bench.db.engine());
    copy(&bench.dir().join("releases"), &fresh.dir().join("releases"));
    fresh.ok("ff");
    assert_eq!(shape(&fresh.db, own), shape(&bench.db, own));
    fresh.ok("check");
}

fn dbmate(engine: Engine) {
    let bench = left_by("dbmate", engine);
    adopted(&bench, "import dbmate", "schema_migrations", "v20240103090000");
    assert_eq!(bench.states("v20240101120000", "20240101120000_create_customer"), "done done done");
    runs_from_nothing(&bench, "schema_migrations");
    // The last line of `--json` is the run's result, what was written stands before it.
    let run = bench.ok("import dbmate --json");
    let lines: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let import = lines.iter().find(|line| line["type"] == "import").unwrap_or_else(|| panic!("{}", run.stdout));
    assert_eq!(import["releases"][0]["release"], "v20240101120000");
    assert_eq!(lines.last().unwrap()["exit_code"], 0, "{}", run.stdout);
    // The down parts are the way back, from the ledger alone.
    bench.ok("rollback_add v20240103090000");
    fs::remove_dir_all(bench.dir().join("releases")).unwrap();
    bench.ok("rollback_add v20240102090000");
    assert_eq!(shape(&bench.db, "schema_migrations").iter().filter(|line| line.contains("customer_name")).count(), 0);
}

fn golang_migrate(engine: Engine) {
    let bench = left_by("golang-migrate", engine);
    adopted(&bench, "import golang-migrate", "schema_migrations", "v10");
    assert_eq!(bench.states("v1", "000001_create_customer"), "done done done");
    runs_from_nothing(&bench, "schema_migrations");
    // One that has no way down has no rollback.
    bench.ends(7, "rollback_add v10").says("error[G5]");
}

fn flyway(engine: Engine) {
    let bench = left_by("flyway", engine);
    bench.ends(2, "import flyway").says("--placeholder who=VALUE");
    // Flyway runs repeatable migrations behind all others: with others still to come, no order of releases is right.
    bench.ends(7, "import flyway --placeholder who=Ada").says("V2__add_orders.sql").says("flyway migrate");
    fs::rename(bench.dir().join("sql/R__customer_names.sql"), bench.dir().join("R__customer_names.sql")).unwrap();
    let run = adopted(&bench, "import flyway --placeholder who=Ada", "flyway_schema_history", "v2");
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(": applied")).count(), 3, "{}", run.stdout);
    assert_eq!(bench.states("v1.10", "V1.10__index_customer"), "done done done");

    let bench = left_by("flyway", engine);
    fs::remove_file(bench.dir().join("sql/V2__add_orders.sql")).unwrap();
    bench.ok("import flyway --placeholder who=Ada").says("repeatable");
    assert_eq!(bench.states("v1.10-repeatable", "R__customer_names"), "done done done");
    bench.ok("check");
    runs_from_nothing(&bench, "flyway_schema_history");
}

/// A project with sqlx's folder, and the database as sqlx leaves it with the last of its migrations to come.
pub(super) fn left_by_sqlx(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    let fixture = fixture("sqlx", engine);
    copy(&fixture.join("migrations"), &bench.dir().join("first"));
    for file in ["up", "down"] {
        fs::remove_file(bench.dir().join(format!("first/20240103000000_add_orders.{file}.sql"))).unwrap();
    }
    let url = bench.db.url();
    let migrate = async {
        let migrator = sqlx::migrate::Migrator::new(bench.dir().join("first")).await.unwrap();
        match engine {
            Engine::Sqlite => {
                use sqlx::ConnectOptions as _;
                let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
                let mut connection = options.create_if_missing(true).connect().await.unwrap();
                migrator.run_direct(None, &mut connection, false).await.unwrap();
            }
            Engine::Postgres => {
                use sqlx::Connection as _;
                let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
                migrator.run_direct(None, &mut connection, false).await.unwrap();
            }
            Engine::Mariadb => {
                use sqlx::Connection as _;
                let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
                migrator.run_direct(None, &mut connection, false).await.unwrap();
            }
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(migrate);
    copy(&fixture, bench.dir());
    bench
}

fn sqlx(engine: Engine) {
    let bench = left_by_sqlx(engine);
    adopted(&bench, "import sqlx", "_sqlx_migrations", "v20240103000000");
    runs_from_nothing(&bench, "_sqlx_migrations");
    bench.ok("rollback_add v20240103000000");
    bench.ok("rollback_add v20240102000000");
    // One that was edited after it ran is found by its checksum.
    fs::remove_dir_all(bench.dir().join("releases")).unwrap();
    bench.write("migrations/20240101000000_create_customer.up.sql", "CREATE TABLE customer (id integer);");
    bench.ends(6, "import sqlx").says("20240101000000_create_customer.up.sql was edited");
    assert!(!bench.dir().join("releases").exists());
}

fn alembic(engine: Engine) {
    let bench = left_by("alembic", engine);
    copy(&fixture("alembic", engine).join("../project/versions"), &bench.dir().join("alembic/versions"));
    bench.ends(2, "import alembic").says("alembic upgrade heads --sql");
    adopted(&bench, "import alembic --sql sql", "alembic_version", "v3-27c6a30d7c24");
    assert_eq!(bench.states("v2-ae1027a6acf", "ae1027a6acf_index_customer"), "done done done");
    let orders =
        fs::read_to_string(bench.dir().join("releases/v3-27c6a30d7c24/27c6a30d7c24_add_orders.add.sql")).unwrap();
    assert!(!orders.contains("alembic_version") && !orders.contains("COMMIT"), "{orders}");
    runs_from_nothing(&bench, "alembic_version");
    bench.ok("rollback_add v3-27c6a30d7c24");
}

/// A revision whose SQL nobody printed says so, and fills no empty target.
#[test]
fn a_revision_without_sql_refuses_to_run() {
    let bench = left_by("alembic", Engine::Sqlite);
    copy(&fixture("alembic", Engine::Sqlite).join("../project/versions"), &bench.dir().join("alembic/versions"));
    let printed = fs::read_to_string(bench.dir().join("sql/upgrade.sql")).unwrap();
    let (head, rest) = printed.split_once("-- Running upgrade 1975ea83b712").unwrap();
    let (_, tail) = rest.split_once("-- Running upgrade ae1027a6acf").unwrap();
    bench.write("sql/upgrade.sql", &format!("{head}-- Running upgrade ae1027a6acf{tail}"));
    bench.ok("import alembic --sql sql");
    bench.ends(3, "check");
    let fresh = Bench::new(Engine::Sqlite);
    copy(&bench.dir().join("releases"), &fresh.dir().join("releases"));
    fresh.ends(1, "ff").says("revision ae1027a6acf (index customer) is Python, and no SQL of it was printed");
    assert_eq!(fresh.states("v2-ae1027a6acf", "ae1027a6acf_index_customer"), "failed pending pending");
}

fn django(engine: Engine) {
    let bench = left_by("django", engine);
    let run = adopted(&bench, "import django --from sql", "django_migrations", "v6");
    assert!(run.stderr.contains("shop.0002_ada: its way back is Python code"), "{}", run.stderr);
    assert_eq!(bench.states("v5", "shop.0003_customer_name_index"), "done done done");
    bench.ok("rollback_add v6");
    // What is Python has no SQL to fill an empty target with, and says so.
    let fresh = Bench::new(engine);
    copy(&bench.dir().join("releases"), &fresh.dir().join("releases"));
    fresh.ends(1, "ff").says("migration contenttypes.0002_remove_content_type_name runs Python code");
}

/// The table as pygrate made it by SQLAlchemy, and a release in its Python.
fn pygrate(engine: Engine) {
    let bench = Bench::new(engine);
    bench.write(
        "v1.py",
        "import pygration\n\n\nclass Customer(pygration.Step):\n    \"\"\"Customers.\"\"\"\n    ID = 'cust'\n\n    def add(self, db):\n        \
         db.sql(\"\"\"\n            CREATE TABLE customer (id integer,\nname text)\n\"\"\")\n        db.sql(\"INSERT INTO customer \" \
         \"VALUES (1, 'it''s; Ada')\")\n\n    def rollback_add(self, db):\n        db.sql('DROP TABLE customer')\n\nclass Note(pygration.Step):\n    \
         def add(self, db):\n        for n in range(3):\n            db.sql('INSERT INTO note VALUES (%d)' % n)\n",
    );
    bench.write(
        "v2.py",
        "import pygration\n\nclass Names(pygration.Step):\n    def add(self, db):\n        db.sql_file('sql/names.sql')\n    def simdrop(self, db):\n        \
         db.sql('ALTER TABLE customer RENAME COLUMN name TO pd_name')\n    def rollback_simdrop(self, db): db.sql('ALTER TABLE customer RENAME COLUMN \
         pd_name TO name')\n    def drop(self, db):\n        db.sql('ALTER TABLE customer DROP COLUMN pd_name')\n",
    );
    bench.write("sql/names.sql", "ALTER TABLE customer ADD COLUMN first text;\nUPDATE customer SET first = 'x;y';\n");
    bench.write("conf.d/test.yaml", &fs::read_to_string(bench.dir().join("conf.d/test.yaml")).unwrap());
    bench.db.client(
        "CREATE TABLE pygration_state (migration varchar(160) NOT NULL, step_id varchar(160) NOT NULL, step_name varchar(160), \
         sequence integer, add_state varchar(16), simdrop_state varchar(16), drop_state varchar(16), PRIMARY KEY (migration, step_id));\n\
         INSERT INTO pygration_state VALUES ('v1', 'cust', 'Customer', NULL, 'P', 'P', 'P');\n\
         INSERT INTO pygration_state VALUES ('v1', 'Note', 'Note', NULL, 'P', 'P', 'P');\n\
         INSERT INTO pygration_state VALUES ('v2', 'Names', 'Names', NULL, 'P', 'RB', NULL);\n\
         CREATE TABLE customer (id integer, name text, first text);\n",
    );
    bench.ok("import pygrate").says("wrote releases/v1").says("wrote releases/v2");
    assert_eq!(bench.states("v1", "cust"), "done done done");
    assert_eq!(bench.states("v1", "Note"), "done done done");
    assert_eq!(bench.states("v2", "Names"), "done rolled_back pending");
    bench.ends(3, "check").says("release `v2` is pending: simdrop, drop");
    // What was rolled back is applied again only when named.
    bench.ends(0, "ff").says("G7");
    bench.ok("simdrop v2");
    bench.ok("drop v2");
    bench.ok("check");
    let fresh = Bench::new(engine);
    copy(&bench.dir().join("releases"), &fresh.dir().join("releases"));
    fresh.ends(1, "add v1").says("add of pygrate step Note is Python code");
    assert_eq!(fresh.db.value("SELECT name FROM customer"), "it's; Ada");
    bench.db.query("UPDATE pygration_state SET add_state = 'F' WHERE step_id = 'Note'");
    bench.ends(5, "import pygrate").says("`F` for add of v1.Note");
}

fn what_is_dirty_or_edited_is_refused(engine: Engine) {
    let bench = left_by("golang-migrate", engine);
    let dirty = match engine {
        Engine::Sqlite | Engine::Mariadb => "1",
        Engine::Postgres => "true",
    };
    bench.db.query(&format!("UPDATE schema_migrations SET dirty = {dirty}"));
    bench.ends(5, "import golang-migrate").says("dirty at version 2");
    let bench = left_by("flyway", engine);
    bench.db.query(&format!(
        "UPDATE flyway_schema_history SET success = {} WHERE version = '1.2'",
        match engine {
            Engine::Sqlite | Engine::Mariadb => "0",
            Engine::Postgres => "false",
        }
    ));
    bench.ends(5, "import flyway --placeholder who=Ada").says("V1.2__add_mail.sql as failed");
    let bench = left_by("flyway", engine);
    bench.write("sql/V1.2__add_mail.sql", "ALTER TABLE customer ADD COLUMN email text;\n");
    bench.ends(6, "import flyway --placeholder who=Ada").says("V1.2__add_mail.sql was edited");
    fs::remove_file(bench.dir().join("sql/V1.2__add_mail.sql")).unwrap();
    bench.ends(6, "import flyway --placeholder who=Ada").says("has V1.2__add_mail.sql, and no file");
    let bench = left_by("dbmate", engine);
    fs::remove_file(bench.dir().join("db/migrations/20240102090000_index_customer.sql")).unwrap();
    bench.ends(6, "import dbmate").says("`20240102090000`");
    assert!(!bench.dir().join("releases").exists() && !bench.db.has_table("triphase_ledger"));
}

fn what_can_not_be_read_is_named(engine: Engine) {
    let bench = Bench::new(engine);
    bench.ends(2, "import dbmate").says("db/migrations");
    bench.write("db/migrations/20240101_x.sql", "CREATE TABLE x (id integer);\n");
    bench.ends(2, "import dbmate").says("no table `schema_migrations`");
    bench.ends(2, "import liquibase").says("golang-migrate");
    bench.db.query("CREATE TABLE mine (version text)");
    bench.ends(2, "import dbmate --table mine").says("20240101_x.sql: it has no `-- migrate:up`");
    // A migration that commits on its way can't be a handler as it stands.
    bench.write("db/migrations/20240101_x.sql", "-- migrate:up\nSELECT 1; COMMIT; SELECT 2;\n");
    bench.ends(2, "import dbmate --table mine").says("error[F9]").says("releases/v20240101/20240101_x.add.sql:1");
    // What a person has written is not written over.
    bench.write("db/migrations/20240101_x.sql", "-- migrate:up\nSELECT 1;\n");
    bench.write("releases/v20240101/release.yaml", "steps:\n  mine:\n    add: SELECT 2\n");
    bench.ends(2, "import dbmate --table mine").says("is there already");
    assert!(!bench.db.has_table("triphase_ledger"));
}

fn a_protected_target_asks(engine: Engine) {
    let bench = left_by("dbmate", engine);
    bench.target("protected: true\n");
    bench.ends(7, "import dbmate").says("protected").hides("wrote ");
    assert!(!bench.dir().join("releases").exists(), "who could not be asked finds nothing written");
    assert!(!bench.db.has_table("triphase_ledger"));
    bench.ok("import dbmate --yes");
    assert_eq!(bench.states("v20240102090000", "20240102090000_index_customer"), "done done done");
}
