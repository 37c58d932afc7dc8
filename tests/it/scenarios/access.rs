//! Targets that can't be reached, and those that nobody named.

use super::releases::{V1, sample};
use crate::harness::{Bench, Db, Engine, Replica, Url, golden, plain};

/// A role that may connect, and no more. Dropped with it.
struct Role(Url, String);

impl Role {
    fn new(bench: &Bench) -> Self {
        let name = format!("ro_{}", bench.db.server().database());
        bench.db.query(&format!("CREATE ROLE {name} LOGIN PASSWORD 'look only' IN ROLE secretive"));
        Self(bench.db.server().clone(), name)
    }

    fn url(&self) -> String {
        self.0.as_user(&self.1, "look only").with_password()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = std::process::Command::new("psql")
            .args([
                "-X",
                "-q",
                "-d",
                &self.0.with_password(),
                "-c",
                &format!("DROP OWNED BY {0}; DROP ROLE {0}", self.1),
            ])
            .output();
    }
}

#[test]
fn a_server_that_lets_nobody_in_is_8() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    let url = bench.db.server();
    for conn in [
        url.as_user("tri", "wrong").with_password(),
        url.as_user("nobody", "wrong").with_password(),
        url.to_database("no_such_database").with_password(),
        // Port 1 on loopback: nobody listens there.
        url.to_port(1).with_password(),
    ] {
        for line in ["ff", "show", "plan ff", "check", "unlock"] {
            let run = bench.command(line).arg("--conn").arg(&conn).run().exits(8);
            assert!(run.stdout.is_empty() || run.stdout.starts_with('{'), "{run:?}");
        }
    }
    bench
        .command("ff --conn")
        .arg(&url.to_database("no_such_database").with_password())
        .run()
        .exits(8)
        .says("no_such_database");
}

#[test]
fn no_right_to_write_the_ledger_is_8() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    let role = Role::new(&bench);
    bench.command("ff --conn").arg(&role.url()).run().exits(8);
    assert!(bench.db.tables().is_empty());
    // A ledger that can't be read is not "no ledger".
    bench.ok("add v1");
    bench.command("show --conn").arg(&role.url()).run().exits(8);
    bench.db.query(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.1));
    bench.command("show --conn").arg(&role.url()).run().exits(0);
    let run = bench.command("rollback_add v1 --conn").arg(&role.url()).run().exits(8);
    assert!(bench.db.has_table("customer"));
    golden("exits/8-no-right-postgres.txt", &plain(&bench, &run.stderr));
}

#[test]
fn a_server_that_lets_nobody_write_is_8() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    bench.ok("add v1");
    let before = bench.db.everything();
    bench.db.query(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", bench.db.server().database()));
    for line in ["ff", "rollback_add v1", "repair undone v1/ada add --reason so"] {
        bench.ends(8, line).says("the server is read-only (default_transaction_read_only)");
    }
    bench.ok("show");
    assert!(before == bench.db.everything());
}

#[test]
fn a_standby_is_looked_at_and_never_worked_on() {
    let (mut replica, db) = Replica::new();
    let bench = Bench::on(db);
    bench.release("v1", V1);
    bench.ok("add v1");
    replica.stand_by();
    assert_eq!(bench.db.value("SELECT pg_is_in_recovery()"), "t");
    let before = bench.db.everything();
    for line in ["ff", "rollback_add v1", "repair undone v1/ada add --reason so"] {
        bench.ends(8, line).says("the server is a standby").says("connect to the primary");
    }
    for line in ["show", "plan ff", "history", "sql ff"] {
        bench.ok(line);
    }
    assert!(before == bench.db.everything());
}

#[test]
fn what_is_no_database_is_8() {
    let bench = Bench::new(Engine::Sqlite);
    bench.release("v1", V1);
    std::fs::write(
        bench.db.file(),
        "this is a text, and a long one so that it can't be taken for an empty file".repeat(20),
    )
    .unwrap();
    bench.ends(8, "ff");
    bench.ends(8, "show");
    // A missing file is created, never a folder.
    let conn = format!("sqlite://{}/no/such/folder.db", bench.dir().display());
    bench.command("ff --conn").arg(&conn).run().exits(8);
    assert!(!bench.dir().join("no").exists());
}

#[test]
fn what_names_no_target_is_2() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.command("ff --conn oracle://host/db").run().exits(2).says("oracle").says("postgres").says("sqlite");
    bench.ends(2, "ff -e prod").says("test");
    bench.ends(2, "ff v7").says("v7");
    bench.ends(2, "fff");
    bench.ends(2, "ff --no-such-flag");
    bench.target("min_simdrop_age: soon\n");
    bench.ends(2, "ff").says("soon");
    bench.target("protcted: true\n");
    bench.ends(2, "ff").says("protected");
    bench.write("conf.d/test.yaml", "connection: postgres://me:${NO_SUCH_SECRET}@localhost/db\n");
    bench.ends(2, "ff").says("NO_SUCH_SECRET");
    std::fs::remove_file(bench.dir().join("conf.d/test.yaml")).unwrap();
    bench.ends(2, "ff").says("conf.d").says("--conn").says("DATABASE_URL");
    assert!(bench.db.tables().is_empty());
}

#[test]
fn the_target_is_found_in_order() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    let other = Db::new(Engine::Sqlite);
    // The only file, while DATABASE_URL names another place: refused; an explicit choice ignores it.
    bench.command("ff").var("DATABASE_URL", other.url()).run().exits(2).says("DATABASE_URL");
    bench.command("ff -e test").var("DATABASE_URL", other.url()).run().exits(0);
    assert!(bench.db.has_table("customer") && other.tables().is_empty());
    bench.write("conf.d/other.yaml", &format!("connection: '{}'\n", other.url()));
    bench.ends(2, "ff").says("test").says("other");
    bench.command("ff").var("TRIPHASE_ENV", "other").run().exits(0);
    assert!(other.has_table("customer"));
    let third = Db::new(Engine::Sqlite);
    // --conn goes before -e.
    bench.command("ff -e test --conn").arg(&third.url()).run().exits(0);
    assert!(third.has_table("customer"));
    for name in ["test", "other"] {
        std::fs::remove_file(bench.dir().join(format!("conf.d/{name}.yaml"))).unwrap();
    }
    let fourth = Db::new(Engine::Sqlite);
    bench.command("ff").var("DATABASE_URL", fourth.url()).run().exits(0);
    assert!(fourth.has_table("customer"));
}

#[test]
fn variables_and_parts_make_the_connection() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    let url = bench.db.server();
    bench.write(
        "conf.d/test.yaml",
        &format!(
            "drivername: postgresql+psycopg2\nusername: {}\npassword: ${{SECRET}}\nhost: {}\nport: {}\ndatabase: ${{NAME:-{}}}\n",
            url.user(),
            url.host(),
            url.port(),
            url.database()
        ),
    );
    bench.command("ff").var("SECRET", url.password()).run().exits(0);
    assert!(bench.db.has_table("customer"));
}

#[test]
fn two_schemas_are_two_targets() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    bench.db.query("CREATE SCHEMA one");
    bench.db.query("CREATE SCHEMA two");
    bench.target("schema: one\n");
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT count(*) FROM one.customer"), "1");
    bench.target("schema: two\n");
    bench.ok("show");
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT count(*) FROM two.customer"), "1");
    assert_eq!(bench.db.value("SELECT count(*) FROM pg_tables WHERE tablename = 'triphase_ledger'"), "2");
    // No schema named, and a ledger in another one: somebody must say which.
    bench.target("");
    bench.ends(5, "ff").says("one");
}

/// An option that is not known, or can't be what it is, is the configuration's fault, and no server is asked.
#[test]
fn a_wrong_option_of_the_connection_is_2() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    for (conn, option, known) in [
        ("postgres://tri@127.0.0.1:1/db?sslmode=bad", "`sslmode`", "verify-full"),
        ("postgres://tri@127.0.0.1:1/db?ssl_mode=require", "`ssl_mode`", "sslrootcert"),
        ("postgres://tri@127.0.0.1:1/db?connect_timeout=soon", "`connect_timeout`", "number of seconds"),
        ("sqlite://x.db?mode=readonly", "`mode`", "rwc"),
        ("sqlite://x.db?foreign_key=on", "`foreign_key`", "foreign_keys"),
    ] {
        for line in ["ff", "show", "plan ff", "sql ff", "check", "history", "current", "unlock", "rollback_add v1"] {
            bench.command(line).arg("--conn").arg(conn).run().exits(2).says(option).says(known);
        }
    }
    bench.write("conf.d/test.yaml", "drivername: sqlite\ndatabase: x.db\nquery: {mode: never}\n");
    bench.ends(2, "ff").says("conf.d/test.yaml:3").says("rwc");
    assert!(!bench.dir().join("x.db").exists());
}

/// SQLAlchemy's three slashes are an absolute path here: who finds nothing there is told.
#[test]
fn a_file_that_is_not_there_is_hinted_at() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    for (code, line) in
        [(0, "show"), (0, "history"), (0, "current"), (0, "plan ff"), (0, "sql ff"), (3, "check"), (8, "ff")]
    {
        let run = bench.command(line).arg("--conn").arg("sqlite:///no/such/dev.db").run().exits(code);
        assert!(run.stderr.contains("write sqlite://no/such/dev.db"), "{run:?}");
        assert!(!run.stdout.contains("no/such"), "{run:?}");
    }
    bench.command("show --conn").arg("sqlite://dev.db").run().exits(0).hides("project folder");
    // A folder that is there, and can't be written though its mode says so.
    let no = bench.command("ff --conn").arg("sqlite:///sys/kernel/dev.db").run().exits(8);
    no.says("/sys/kernel/dev.db.triphase-lock can't be used").says("write sqlite://sys/kernel/dev.db");
    // One that can: it is said what is made.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("dev.db").display().to_string();
    let hint = format!(
        "{file} was not there, and is made now; for a file relative to the project folder write sqlite://{}",
        &file[1..]
    );
    bench.command("ff --conn").arg(&format!("sqlite://{file}")).run().exits(0).says(&hint);
    bench.command("add --conn").arg(&format!("sqlite://{file}")).run().exits(0).hides("is made now");
    bench.command("ff --conn").arg("sqlite://dev.db").run().exits(0).hides("is made now");
}

/// A pipe that nobody writes to would be waited for without an end.
#[test]
fn a_pipe_among_the_files_is_refused() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    let pipe = |path: &str| {
        let made = std::process::Command::new("mkfifo").arg(bench.dir().join(path)).status().unwrap();
        assert!(made.success());
    };
    pipe("conf.d/pipe.yaml");
    bench.ends(2, "show -e pipe").says("conf.d/pipe.yaml can't be read: it is no regular file");
    std::fs::remove_file(bench.dir().join("conf.d/pipe.yaml")).unwrap();
    pipe("releases/v9.yaml");
    bench.ends(2, "ff").says("releases/v9.yaml");
    bench.ok("show").says("warning");
}
