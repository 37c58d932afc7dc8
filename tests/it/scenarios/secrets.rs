//! No command says a password, right or wrong, however loud.

use super::releases::sample;
use crate::harness::{Bench, Engine, bouncer};

const COMMANDS: &[&str] = &[
    "show",
    "current",
    "history",
    "check",
    "plan ff",
    "sql ff",
    "ff --noop",
    "ff v1",
    "add v2",
    "simdrop v2",
    "rollback_simdrop v2",
    "rollback_add v2",
    "drop v2",
    "rollout v2",
    "unlock",
    "repair accept v1/ada --reason why",
    "show --json",
    "ff --json",
    "nonsense",
];

/// Runs every command as loud as it gets; none may say one of the secrets.
pub fn never_said(bench: &Bench, conn: &str, secrets: &[&str]) {
    for line in COMMANDS {
        let run = bench
            .command(line)
            .arg("-vv")
            .arg("--conn")
            .arg(conn)
            .var("RUST_LOG", "trace")
            .var("RUST_BACKTRACE", "1")
            .run();
        for secret in secrets {
            assert!(!run.said().contains(secret), "`{line}` says {secret:?}:\n{}", run.said());
        }
    }
}

/// Works on a server whose password is right, and looks for it in all that is said and kept.
fn with_right_password(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    sample(&bench);
    let url = bench.db.server();
    never_said(&bench, &url.with_password(), &[&url.password(), "s3cret%21"]);
    assert_eq!(bench.states("v2", "names"), "rolled_back rolled_back pending", "the commands did nothing");
    let kept = String::from_utf8_lossy(&bench.db.everything()).into_owned();
    assert!(!kept.contains(&url.password()) && !kept.contains("s3cret%21"), "the ledger keeps the password");
    bench
}

#[test]
fn with_the_right_password() {
    with_right_password(Engine::Postgres);
}

#[test]
fn with_the_right_password_of_mariadb() {
    let bench = with_right_password(Engine::Mariadb);
    let url = bench.db.server();
    let wrong = url.as_user(&url.user(), "wr0ng!@#");
    bench.command("show --conn").arg(&wrong.with_password()).run().exits(8);
    never_said(&bench, &wrong.with_password(), &["wr0ng!@#", "wr0ng%21", "wr0ng"]);
}

#[test]
fn with_a_wrong_password() {
    let bench = Bench::new(Engine::Postgres);
    sample(&bench);
    let url = bench.db.server().as_user(&bench.db.server().user(), "wr0ng!@#");
    bench.command("show --conn").arg(&url.with_password()).run().exits(8);
    never_said(&bench, &url.with_password(), &["wr0ng!@#", "wr0ng%21", "wr0ng"]);
}

#[test]
fn with_a_url_that_can_not_be_read() {
    let bench = Bench::new(Engine::Postgres);
    sample(&bench);
    for conn in [
        "postgres://tri:h1dden@localhost:99999999/db",
        "oracle://tri:h1dden@localhost/db",
        "postgres://tri:h1d@den@local host/db",
        "postgres://tri:h1dden@/db?sslmode=never",
        "mysql://tri:h1dden@localhost:99999999/db",
        "mariadb://tri:h1dden@localhost:1/db?ssl-mode=never",
        "mysql://tri:h1d@den@local host/db",
    ] {
        never_said(&bench, conn, &["h1dden", "h1d@den"]);
    }
    bench.write("conf.d/test.yaml", "connection: postgres://tri:h1dden@localhost:1/db\nlock_timout: 1s\n");
    for line in COMMANDS {
        bench.run(line).hides("h1dden");
    }
}

#[test]
fn through_a_pooler() {
    let bench = Bench::new(Engine::Postgres);
    sample(&bench);
    let url = bouncer(bench.db.server());
    never_said(&bench, &url.with_password(), &[&url.password(), "s3cret%21"]);
}
