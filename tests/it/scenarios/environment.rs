//! Variables of other programs don't say where a migration goes (docs/environment.md).

use super::releases::V1;
use crate::harness::{Bench, Engine, Run};

/// A URL without what a variable of libpq's then names.
fn goes_nowhere(bench: &Bench, conn: &str, vars: &[(&str, &str)], says: &str) -> Run {
    let mut command = bench.command("ff --conn").arg(conn);
    for (name, value) in vars {
        command = command.var(name, *value);
    }
    let run = command.run().exits(8).says(says);
    assert!(bench.db.tables().is_empty(), "{vars:?} said where the migration went: {}", run.said());
    run
}

#[test]
fn variables_of_libpq_name_no_place() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    let url = bench.db.server().clone();
    let (host, port, user) = (url.host(), url.port().to_string(), url.user());
    let (password, database) = (url.password(), url.database());
    let secret = url.with_password();
    let (_, behind_user) = secret.split_once('@').unwrap();
    let me = std::process::Command::new("id").arg("-un").output().unwrap();
    let me = String::from_utf8(me.stdout).unwrap().trim().to_owned();
    let nobody = format!("postgres://{behind_user}");
    goes_nowhere(&bench, &nobody, &[("PGUSER", &user), ("PGPASSWORD", &password)], &format!("//{me}@"));
    let nowhere = secret.replace(&format!("{host}:{port}"), "");
    goes_nowhere(&bench, &nowhere, &[("PGHOST", &host), ("PGPORT", &port)], &format!("/{database}")).hides(&port);
    goes_nowhere(&bench, &nowhere, &[("PGHOST", "db.invalid")], &format!("/{database}")).hides("db.invalid");
    goes_nowhere(&bench, &nowhere, &[("PGHOSTADDR", &host), ("PGPORT", &port)], &format!("/{database}"));
    // Without a database it is that of the user's name, as the server has it.
    let any = secret.replace(&format!("/{database}"), "/");
    let run = bench.command("plan ff --conn").arg(&any).var("PGDATABASE", &database).run();
    assert!(run.said().contains(&user) && !run.said().contains(&database), "{}", run.said());
    // What sets a session can't be left out of it.
    goes_nowhere(&bench, &secret, &[("PGOPTIONS", "-c search_path=other")], "PGOPTIONS");
}

/// Neither triphase nor the client that it starts heeds them where the URL says it all.
#[test]
fn variables_of_libpq_change_nothing() {
    let bench = Bench::new(Engine::Postgres);
    bench.write(
        "releases/v1/release.yaml",
        "steps:\n  file:\n    add:\n      - shell: there.sql\n    rollback_add: DROP TABLE there\n",
    );
    bench.write("releases/v1/there.sql", "CREATE TABLE there (id integer);\n");
    let stray = [
        ("PGHOST", "nowhere.invalid"),
        ("PGHOSTADDR", "127.0.0.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "nothing"),
        ("PGSSLMODE", "verify-full"),
        ("PGAPPNAME", "other"),
        ("PGSERVICE", "no such service"),
    ];
    let with = |line: &str| stray.iter().fold(bench.command(line), |command, (name, value)| command.var(name, *value));
    with("show").run().exits(0);
    // The client is libpq, and has TLS by libpq's variables (docs/release-files.md).
    with("ff").var("PGSSLMODE", "prefer").var("PGHOSTADDR", "127.0.0.9").run().exits(0);
    assert!(bench.db.has_table("there"));
}

/// The password may come by libpq's ways: it says who may come in, not where.
#[test]
fn a_password_may_come_by_its_variable() {
    let bench = Bench::new(Engine::Postgres);
    bench.release("v1", V1);
    let url = bench.db.server().clone();
    let bare = url
        .with_password()
        .replace(&url.with_password()[..url.with_password().find('@').unwrap()], &format!("postgres://{}", url.user()));
    bench.command("ff --conn").arg(&bare).var("PGPASSWORD", url.password()).run().exits(0).hides(&url.password());
    assert!(bench.db.has_table("customer"));
}
