//! `import` where a tool's files say less than they seem to: nothing that ran runs again, and no rollback is claimed that nobody wrote.

use super::adoption::{adopted, copy, fixture, left_by, left_by_sqlx, runs_from_nothing};
use crate::harness::{Bench, Engine, on_each_engine};
use std::fs;

on_each_engine!(
    alembic_branches_that_depend_on_each_other,
    alembic_that_asks_the_database,
    an_empty_way_back_is_none,
    what_noop_would_write_names_the_target,
);

/// Alembic leaves one row of two branches, of which one depends on the other.
fn branches(engine: Engine) -> Bench {
    let bench = left_by("alembic-branches", engine);
    copy(&fixture("alembic-branches", engine).join("../project/versions"), &bench.dir().join("alembic/versions"));
    bench
}

fn alembic_branches_that_depend_on_each_other(engine: Engine) {
    let bench = branches(engine);
    assert_eq!(bench.db.query("SELECT version_num FROM alembic_version"), ["b2"]);
    let run = adopted(&bench, "import alembic --sql sql", "alembic_version", "v5-b3");
    assert!(run.stderr.contains("b2_names.py: its way back has no statement"), "{}", run.stderr);
    for (release, step) in [("v1-a1", "a1_networks"), ("v2-a2", "a2_routes"), ("v3-b1", "b1_hosts")] {
        assert_eq!(bench.states(release, step), "done done done");
    }
    assert_eq!(bench.db.value("SELECT count(*) FROM network"), "1", "an applied revision was run again");
    runs_from_nothing(&bench, "alembic_version");
    bench.ok("rollback_add v5-b3");
    bench.ends(7, "rollback_add v4-b2").says("error[G5]");
}

/// Alembic prints statement by statement until Python asks the database: half of a revision is none of it, up and down.
fn alembic_that_asks_the_database(engine: Engine) {
    let asks = || {
        let bench = left_by("alembic-asks", engine);
        copy(&fixture("alembic-asks", engine).join("../project/versions"), &bench.dir().join("alembic/versions"));
        bench
    };
    let bench = asks();
    let files = "--sql sql/upgrade.sql --sql sql/upgrade-rest.sql";
    let run = adopted(&bench, &format!("import alembic {files} --sql sql/downgrade.sql"), "alembic_version", "v7-f5");
    let said = |what: &str| assert!(run.stderr.contains(what), "{}", run.stderr);
    said("whose SQL was not printed, or not to its end: e4; their steps refuse to run");
    said("whose way back was not printed, or not to its end: a1, c2, b2; their steps have no rollback_add");
    bench.ok("rollback_add v7-f5");
    bench.ok("rollback_add v6-e4");
    bench.ok("rollback_add v5-d3");
    bench.ends(7, "rollback_add v4-b2").says("error[G5]").says("it gives no `rollback_add` handler");
    let fresh = Bench::new(engine);
    copy(&bench.dir().join("releases"), &fresh.dir().join("releases"));
    fresh.ends(1, "ff").says("revision e4 (count) is Python, and its SQL breaks off where Alembic stopped printing");
    assert_eq!(fresh.db.value("SELECT count(*) FROM stats"), "0");
    // `alembic downgrade heads:base --sql` fails where there are several heads: the file is there, and empty.
    let bench = asks();
    bench.write("sql/downgrade.sql", "\n");
    bench
        .ok(&format!("import alembic {files} --sql sql/downgrade.sql"))
        .says("whose way back was not printed, or not to its end: a1, z1, c2, b2, d3, e4, f5; their steps");
}

/// The tenth revision makes v09 of v9, one branched off earlier moves what is behind it: releases that are there are not written a second time.
#[test]
fn a_numbering_that_has_moved_is_refused() {
    let bench = left_by("alembic", Engine::Sqlite);
    copy(&fixture("alembic", Engine::Sqlite).join("../project/versions"), &bench.dir().join("alembic/versions"));
    bench.ok("import alembic --sql sql");
    let mut printed = fs::read_to_string(bench.dir().join("sql/upgrade.sql")).unwrap();
    let mut add = |bench: &Bench, id: &str, down: &str| {
        let revision = format!("revision = \"{id}\"\ndown_revision = \"{down}\"\n");
        bench.write(&format!("alembic/versions/{id}.py"), &revision);
        printed += &format!(
            "-- Running upgrade {down} -> {id}\n\nSELECT 1;\n\n\
             UPDATE alembic_version SET version_num='{id}' WHERE alembic_version.version_num = '{down}';\n\n"
        );
        bench.write("sql/upgrade.sql", &printed);
    };
    // Behind all others, it moves none.
    add(&bench, "r4", "27c6a30d7c24");
    bench.ok("import alembic --sql sql").says("wrote releases/v4-r4").says("left as it is: releases/v3-27c6a30d7c24");
    for n in 5..=10 {
        add(&bench, &format!("r{n}"), &format!("r{}", n - 1));
    }
    bench
        .ends(2, "import alembic --sql sql")
        .says("create_customer.py was imported as release v1-1975ea83b712, and would be v01-1975ea83b712 now")
        .says("`triphase stamp` them where alembic has run it");
    assert!(!bench.dir().join("releases/v01-1975ea83b712").exists());
    // Flyway's repeatable migrations stand behind the newest of the others.
    let bench = left_by("flyway", Engine::Sqlite);
    let last = "sql/V2__add_orders.sql";
    fs::rename(bench.dir().join(last), bench.dir().join("last")).unwrap();
    bench.ok("import flyway --placeholder who=Ada");
    fs::rename(bench.dir().join("last"), bench.dir().join(last)).unwrap();
    bench.db.query(
        "INSERT INTO flyway_schema_history SELECT 9, '2', description, type, 'V2__add_orders.sql', NULL, installed_by, installed_on, \
         execution_time, success FROM flyway_schema_history WHERE version = '1'",
    );
    bench
        .ends(2, "import flyway --placeholder who=Ada")
        .says("was imported as release v1.10-repeatable, and would be v2-repeatable now");
}

/// What is no literal is refused with its place: taken for a first revision, those before it would be pending, and run again.
#[test]
fn a_revision_that_is_not_understood_is_refused() {
    let file = "alembic/versions/b2_names.py";
    let (down, depends) = ("down_revision = \"b1\"", "depends_on = \"networking\"");
    for (from, to, says) in [
        (down, "PREVIOUS = \"b1\"\ndown_revision = PREVIOUS", "`down_revision` is no plain literal"),
        (down, "down_revision = ()", "`down_revision` is empty"),
        (down, "", "revision b2 has no `down_revision`"),
        (down, "if True:\n    down_revision = \"b1\"", "`down_revision` is not given by itself"),
        (down, "down_revision = \"b1\" if op else None", "`down_revision` is no plain literal"),
        (down, "down_revision = (\"b1\", op)", "`down_revision` is no plain literal"),
        ("revision = \"b2\"", "revision = \"b\" + \"2\"", "`revision` is no plain literal"),
        ("revision = \"b2\"", "", "the file has a `down_revision`, and no `revision`"),
        (depends, "depends_on = [op]", "`depends_on` is no plain literal"),
        (depends, "from common import depends_on", "`depends_on` is not given by itself"),
        (depends, "depends_on = \"networking@head\"", "revision b2 depends on networking@head, which is no revision"),
        (depends, "depends_on = \"a9\"", "revision b2 depends on a9, which is no revision"),
    ] {
        let bench = branches(Engine::Sqlite);
        let text = fs::read_to_string(bench.dir().join(file)).unwrap();
        assert!(text.contains(from));
        bench.write(file, &text.replacen(from, to, 1));
        let run = bench.ends(2, "import alembic --sql sql").says(says);
        if !says.contains("depends on") {
            run.says("b2_names.py:");
        }
        assert!(!bench.dir().join("releases").exists() && !bench.db.has_table("triphase_ledger"), "{to}");
    }
    // The SQL of a revision that has no file.
    let bench = branches(Engine::Sqlite);
    fs::remove_file(bench.dir().join("alembic/versions/b3_zones.py")).unwrap();
    bench.ends(2, "import alembic --sql sql").says("SQL of revision b3 was printed");
}

/// The last migration's way back is taken away as each tool's own templates and failures leave it.
fn an_empty_way_back_is_none(engine: Engine) {
    let refuses = |bench: &Bench, line: &str, release: &str, says: &str| {
        bench.ok(line).says(says);
        bench.ok("ff");
        bench.ends(7, &format!("rollback_add {release}")).says("error[G5]").says("it gives no `rollback_add` handler");
        // One who knows better says so.
        bench.write("fixed.sql", "DROP TABLE orders;\n");
    };
    let bench = left_by("dbmate", engine);
    let file = "db/migrations/20240103090000_add_orders.sql";
    let text = fs::read_to_string(bench.dir().join(file)).unwrap();
    let (up, _) = text.split_once("-- migrate:down").unwrap();
    bench.write(file, &format!("{up}-- migrate:down\n\n-- nothing yet\n"));
    refuses(&bench, "import dbmate", "v20240103090000", "add_orders.sql: its way back has no statement");
    bench.ok("repair handler v20240103090000/20240103090000_add_orders rollback_add --file fixed.sql --reason written");
    bench.ok("rollback_add v20240103090000");
    assert!(!bench.db.has_table("orders"));

    let bench = left_by("golang-migrate", engine);
    let folder = bench.dir().join("migrations");
    let last = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).max();
    let last = last.unwrap().replace(".up.sql", ".down.sql");
    bench.write(&format!("migrations/{last}"), "-- DROP TABLE orders;\n");
    refuses(&bench, "import golang-migrate", "v10", ".down.sql: its way back has no statement");

    let bench = left_by_sqlx(engine);
    bench.write("migrations/20240103000000_add_orders.down.sql", "-- Add down migration script here\n");
    refuses(&bench, "import sqlx", "v20240103000000", "add_orders.down.sql: its way back has no statement");

    let bench = left_by("flyway", engine);
    fs::remove_file(bench.dir().join("sql/R__customer_names.sql")).unwrap();
    bench.write("sql/U2__add_orders.sql", "/* nothing yet */\n");
    let import = "import flyway --placeholder who=Ada";
    refuses(&bench, import, "v2", "U2__add_orders.sql: its way back has no statement");

    let bench = left_by("django", engine);
    bench.write("sql/shop.0004_order.down.sql", "");
    refuses(&bench, "import django --from sql", "v6", "shop.0004_order: its way back is an empty file");
    // An empty way up has failed to print, as far as anybody knows.
    let bench = left_by("django", engine);
    bench.write("sql/shop.0004_order.sql", "");
    bench.ok("import django --from sql");
    bench.ends(1, "ff").says("the SQL of migration shop.0004_order is an empty file");
}

/// The commands of docs/adoption.md, with a `python` that prints what Django does: where it fails, no file is left.
#[test]
fn the_loop_for_django_leaves_no_empty_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/adoption.md")).unwrap();
    let (_, section) = docs.split_once("### Django").unwrap();
    let script = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let (printing, import) = script.split_once("triphase ").unwrap();
    let bench = left_by("django", Engine::Sqlite);
    // No way back from the last one; nothing to do in the second.
    bench.write(
        "bin/python",
        "#!/bin/sh\ncase \"$*\" in\n*--plan) cat sql/plan.txt ;;\n*0004*--backwards) echo 'is not reversible' >&2; exit 1 ;;\n\
         *0003*) ;;\n*--backwards) cat \"sql/$3.$4.down.sql\" ;;\n*) cat \"sql/$3.$4.sql\" ;;\nesac\n",
    );
    fs::set_permissions(bench.dir().join("bin/python"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bench.dir().join("bin").display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("sh")
        .args(["-c", printing])
        .current_dir(bench.dir())
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let has = |name: &str| bench.dir().join("django-sql").join(name).exists();
    assert!(!has("shop.0004_order.down.sql") && has("shop.0004_order.sql") && has("shop.0001_initial.down.sql"));
    bench.ok(import.trim()).says("wrote releases/v6");
    let release =
        |version: &str| fs::read_to_string(bench.dir().join(format!("releases/{version}/release.yaml"))).unwrap();
    assert!(!release("v6").contains("rollback_add"), "{}", release("v6"));
    // What has no operation was printed as nothing, and is nothing.
    assert!(release("v5").contains("    add: []\n    rollback_add: []\n"), "{}", release("v5"));
}

fn what_noop_would_write_names_the_target(engine: Engine) {
    let bench = left_by("dbmate", engine);
    bench.ok("import dbmate --noop").says("target test: ");
    bench.ok("import dbmate --noop -q").hides("target test: ");
    bench.ok("init -e test --noop").says("target test: ");
    bench.ok("import dbmate");
    bench.ok("stamp v20240103090000 --phase add --noop").says("target test: ");
    assert_eq!(bench.states("v20240103090000", "20240103090000_add_orders"), "", "--noop has written");
}

/// Editors are told the schema where the project has one, and only there; it is no part of what a release is.
#[test]
fn imported_releases_name_the_schema_that_is_there() {
    const LINE: &str = "# yaml-language-server: $schema=../../.triphase/release.schema.json\n";
    let read = |bench: &Bench, path: &str| fs::read_to_string(bench.dir().join(path)).unwrap();
    let bench = left_by("dbmate", Engine::Sqlite);
    let file = "releases/v20240101120000/release.yaml";
    bench.ok("import dbmate");
    assert!(read(&bench, file).starts_with("# Made of "));
    bench.write(".triphase/release.schema.json", "{}");
    bench.ok("import dbmate").says("left as it is: releases/v20240101120000");
    fs::remove_dir_all(bench.dir().join("releases")).unwrap();
    bench.ok("import dbmate");
    assert!(read(&bench, file).starts_with(LINE));
    fs::remove_dir_all(bench.dir().join(".triphase")).unwrap();
    bench.ok("import dbmate").says("left as it is: releases/v20240101120000");
    let bench = left_by("dbmate", Engine::Sqlite);
    bench.write(".triphase/release.schema.json", "{}");
    bench.ok("init -e test");
    assert!(read(&bench, "releases/v1/release.yaml").starts_with(LINE));
}
