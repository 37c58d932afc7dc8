//! No command says a password, right or wrong, however loud.

use super::releases::sample;
use crate::harness::{Bench, Engine, bouncer};

/// What a command has to do with the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// It connects.
    Asked,
    /// It works on files alone, or does not come as far.
    Left,
}
use Target::{Asked, Left};

/// At least one line of every command that there is, `every_command_is_here` sees to that.
const COMMANDS: &[(Target, &str)] = &[
    (Asked, "show"),
    (Asked, "status"),
    (Asked, "show --objects"),
    (Asked, "current"),
    (Asked, "history"),
    (Asked, "check"),
    (Asked, "check --app-release v2"),
    (Asked, "plan ff"),
    (Asked, "plan add v1"),
    (Asked, "plan simdrop v1"),
    (Asked, "plan drop v1"),
    (Asked, "plan rollback_add v1"),
    (Asked, "plan rollback_simdrop v1"),
    (Asked, "sql ff"),
    (Asked, "sql add v1"),
    (Asked, "sql simdrop v1"),
    (Asked, "sql drop v1"),
    (Asked, "sql rollback_add v1"),
    (Asked, "sql rollback_simdrop v1"),
    (Asked, "ff --noop"),
    (Asked, "ff v1"),
    (Asked, "add v2"),
    (Asked, "simdrop v2"),
    (Asked, "rollback_simdrop v2"),
    (Asked, "rollback_add v2"),
    (Asked, "drop v2"),
    (Asked, "rollout v1 --reason why"),
    (Asked, "rollout v1 --revoke"),
    (Asked, "unlock"),
    (Asked, "unlock --force"),
    (Asked, "repair done v1/ada add --reason why"),
    (Asked, "repair undone v1/ada add 1 --reason why"),
    (Asked, "repair accept v1/ada --reason why"),
    (Asked, "repair handler v1/ada rollback_add --file fixed.sql --reason why"),
    (Asked, "repair rename v1/ada v3/orders --reason why"),
    (Asked, "repair forget v3/orders --reason why"),
    (Asked, "repair upgrade-ledger --reason why"),
    (Left, "repair rebuild --reason why"),
    (Left, "repair purge --reason why"),
    (Asked, "stamp v1 --phase drop --reason why"),
    (Asked, "import dbmate"),
    (Asked, "init -p adopted"),
    (Left, "init"),
    (Left, "new release v9 --noop"),
    (Left, "new step v9/nine --noop"),
    (Left, "completions bash"),
    (Left, "man ff"),
    (Left, "schema target"),
    (Asked, "show --json"),
    (Asked, "ff --json"),
    (Left, "nonsense"),
    (Left, "show nonsense"),
];

/// The commands that there are, a command of a command with blanks between: the binary writes a manual page of each.
fn commands(bench: &Bench) -> Vec<String> {
    bench.ok("man --out pages");
    let pages = std::fs::read_dir(bench.dir().join("pages")).unwrap();
    let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.map(|name| name.trim_end_matches(".1").to_owned()).collect();
    // What has commands of its own is none itself.
    let whole = |name: &&String| !names.iter().any(|other| other.starts_with(&format!("{name}-")));
    names.iter().filter(whole).filter_map(|name| name.strip_prefix("triphase-")).map(str::to_owned).collect()
}

#[test]
fn every_command_is_here() {
    let there = commands(&Bench::new(Engine::Sqlite));
    assert!(there.len() > 30, "{there:?}");
    let missing: Vec<_> = there
        .iter()
        .filter(|name| {
            let is = |line: &str| format!("{}-", line.replace(' ', "-")).starts_with(&format!("{name}-"));
            !COMMANDS.iter().any(|(_, line)| is(line))
        })
        .collect();
    assert!(missing.is_empty(), "nobody looks whether these say a password: {missing:?}");
}

/// The files that the commands name.
fn prepare(bench: &Bench) {
    sample(bench);
    bench.write("fixed.sql", "DELETE FROM customer WHERE id = 1;\n");
    bench.write(
        "db/migrations/20240101000000_a.sql",
        "-- migrate:up\nCREATE TABLE a (id integer);\n\n-- migrate:down\nDROP TABLE a;\n",
    );
}

/// Runs every command as loud as it gets; none may say one of the secrets.
pub fn never_said(bench: &Bench, conn: &str, secrets: &[&str]) {
    never_said_by(bench, conn, secrets, None);
}

/// The same, where all that ask the target end with one code.
fn never_said_by(bench: &Bench, conn: &str, secrets: &[&str], code: Option<i32>) {
    for (target, line) in COMMANDS {
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
        if let (Asked, Some(code)) = (target, code) {
            assert_eq!(run.code, code, "`{line}` has not asked the target:\n{}", run.said());
        }
    }
}

/// Works on a server whose password is right, and looks for it in all that is said and kept.
fn with_right_password(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    prepare(&bench);
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
    with_right_password(Engine::Mariadb);
}

fn refused(engine: Engine) {
    let bench = Bench::new(engine);
    prepare(&bench);
    let url = bench.db.server().as_user(&bench.db.server().user(), "wr0ng!@#");
    never_said_by(&bench, &url.with_password(), &["wr0ng!@#", "wr0ng%21", "wr0ng"], Some(8));
    assert!(bench.db.tables().is_empty());
}

#[test]
fn with_a_wrong_password() {
    refused(Engine::Postgres);
}

#[test]
fn with_a_wrong_password_of_mariadb() {
    refused(Engine::Mariadb);
}

#[test]
fn with_a_url_that_can_not_be_read() {
    let bench = Bench::new(Engine::Postgres);
    prepare(&bench);
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
    for (_, line) in COMMANDS {
        bench.run(line).hides("h1dden");
    }
}

#[test]
fn through_a_pooler() {
    let bench = Bench::new(Engine::Postgres);
    prepare(&bench);
    let url = bouncer(bench.db.server());
    never_said(&bench, &url.with_password(), &[&url.password(), "s3cret%21"]);
}
