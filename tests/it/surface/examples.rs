//! The examples of the help texts, each run as it stands in a shell, on a project where it means something.

use crate::{
    harness::{Bench, Engine, signal, until},
    scenarios::adoption::{copy, fixture, left_by},
};
use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, process::Command};

const V1: &str = "
steps:
  customer:
    add: CREATE TABLE customer (id integer PRIMARY KEY, name text)
    rollback_add: DROP TABLE customer
";

const V2: &str = "
steps:
  customers:
    add: ALTER TABLE customer ADD COLUMN first_name text
    simdrop: ALTER TABLE customer RENAME COLUMN name TO _simdrop_name
    drop: ALTER TABLE customer DROP COLUMN _simdrop_name
    rollback_simdrop: ALTER TABLE customer RENAME COLUMN _simdrop_name TO name
    rollback_add: ALTER TABLE customer DROP COLUMN first_name
";

/// Its second statement is at work until it is killed, and commits by itself.
const ENDLESS: &str = "
steps:
  customers:
    add:
      - CREATE TABLE customers (n integer)
      - transaction: false
        sql: INSERT INTO customers WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c
";

/// The lines of the help texts, flags to look at a command by taken for what they are.
fn examples() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let mut found = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let Some((_, behind)) = text.split_once("\nExample") else { continue };
        // A line may go on in the next; what is said of it stands behind it.
        let lines = behind.lines().skip(1).fold(Vec::<String>::new(), |mut lines, line| {
            match (line.strip_prefix("  triphase"), lines.last_mut()) {
                (Some(_), _) => lines.push(line.trim().split("   ").next().unwrap().to_owned()),
                (None, Some(last)) => *last = format!("{last} {}", line.trim()),
                (None, None) => {}
            }
            lines
        });
        found.extend(lines);
    }
    found
}

fn releases(bench: &Bench, last: usize) {
    bench.release("v1", V1);
    bench.release("v2", V2);
    for n in 3..=last {
        bench.release(
            &format!("v{n}"),
            &format!("steps:\n  customers:\n    id: c{n}\n    add: CREATE TABLE t{n} (n integer)\n"),
        );
    }
}

/// A project of two releases, and these commands run on it.
fn after(lines: &[&str]) -> Bench {
    let bench = Bench::new(Engine::Sqlite);
    releases(&bench, 2);
    for line in lines {
        bench.ok(line);
    }
    bench
}

/// A run was killed at the second statement of `v2/customers`.
fn killed() -> Bench {
    let bench = Bench::new(Engine::Sqlite);
    bench.release("v1", V1);
    bench.release("v2", ENDLESS);
    bench.ok("ff v1");
    let command = bench.command("add v2");
    let child = command.spawn();
    until("the second statement", || {
        bench.db.value("SELECT count(*) FROM triphase_history WHERE outcome = 'attempting' AND statement = 2") != "0"
    });
    signal(&child, "KILL");
    command.end(child).exits(-9);
    bench
}

/// The verb of a line that plans, prints or does one.
fn verb(line: &str) -> &str {
    let words: Vec<&str> = line.split(' ').skip(1).filter(|word| !["plan", "sql"].contains(word)).collect();
    words[0]
}

/// Where a line means something, and how it then ends.
fn world(line: &str) -> (Bench, i32) {
    let target = |bench: Bench, name: &str| {
        fs::rename(bench.path("conf.d/test.yaml"), bench.path(&format!("conf.d/{name}.yaml"))).unwrap();
        bench
    };
    let has = |words: &str| line.contains(words);
    let bench = match verb(line) {
        "init" => {
            let bench = Bench::new(Engine::Sqlite);
            fs::remove_dir_all(bench.path("conf.d")).unwrap();
            bench
        }
        "--path" => Bench::new(Engine::Sqlite),
        "-e" if has("init") => {
            let bench = Bench::new(Engine::Sqlite);
            bench.db.query("CREATE TABLE customer (id integer)");
            target(bench, "staging")
        }
        "-e" if has("staging") => target(after(&["ff"]), "staging"),
        "-e" => target(after(&["ff"]), "production"),
        "add" => after(&["ff v1"]),
        "check" | "simdrop" | "rollout" => after(&["ff v1", "add v2"]),
        "rollback_add" if !has("--cascade") => after(&["ff v1", "add v2"]),
        "drop" | "rollback_add" | "rollback_simdrop" => after(&["ff v1", "add v2", "simdrop v2"]),
        "ff" | "show" | "history" | "current" | "unlock" | "completions" | "man" | "schema" => after(&["ff v1"]),
        "new" => {
            let bench = after(&[]);
            if has("new step") {
                releases(&bench, 3);
            }
            bench
        }
        "stamp" => {
            let bench = after(&["ff v1"]);
            releases(&bench, if has("v7") { 7 } else { 8 });
            bench
        }
        "import" => imported(line),
        "repair" if has("repair done") || has("repair undone") => killed(),
        "repair" => {
            let bench = after(&["ff v1", "add v2"]);
            bench.write("fixed.sql", "ALTER TABLE customer DROP COLUMN first_name;\n");
            if has("accept") {
                bench.release("v2", &V2.replace("first_name text", "first_name varchar(9)"));
            } else if has("forget") {
                bench.without("v2");
            } else if has("rename") {
                bench.release("v2", &V2.replace("  customers:", "  clients:"));
            }
            bench
        }
        other => panic!("where does `{line}` ({other}) mean something?"),
    };
    // Only lakes have anything to rebuild, to purge, or a history of another tool's.
    let lakes = has("repair rebuild") || has("repair purge") || has("--from-delta-migrations");
    (bench, if lakes { 2 } else { 0 })
}

/// What the tool of an `import` left, with its files where the line says.
fn imported(line: &str) -> Bench {
    let tool = line.split(' ').nth(2).unwrap();
    let bench = left_by(tool, Engine::Sqlite);
    match tool {
        "alembic" => {
            copy(&fixture(tool, Engine::Sqlite).join("../project/versions"), &bench.path("alembic/versions"));
            fs::rename(bench.path("sql/upgrade.sql"), bench.path("up.sql")).unwrap();
            fs::rename(bench.path("sql/downgrade.sql"), bench.path("down.sql")).unwrap();
        }
        "django" => fs::rename(bench.path("sql"), bench.path("django-sql")).unwrap(),
        "flyway" => {
            fs::remove_file(bench.path("sql/R__customer_names.sql")).unwrap();
            let first = "sql/V1__create_customer.sql";
            let text = fs::read_to_string(bench.path(first)).unwrap();
            // Its checksum in Flyway's ledger is that of another name.
            bench.db.query("UPDATE flyway_schema_history SET checksum = NULL WHERE script = 'V1__create_customer.sql'");
            bench.write(first, &text.replace("${who}", "${owner}"));
        }
        _ => {}
    }
    bench
}

#[test]
fn every_example_runs() {
    let examples = examples();
    assert!(examples.len() > 60, "{examples:?}");
    for line in &examples {
        let (bench, code) = world(line);
        fs::create_dir(bench.path("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_triphase"), bench.path("bin/triphase")).unwrap();
        // The folders that shells have for completions.
        for folder in [".local/share/bash-completion/completions", ".config/fish/completions", ".triphase", "fpath"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        // Whoever shows manual pages only reads here.
        let output = Command::new("bash")
            .args(["-c", &format!("man() {{ cat; }}; fpath=(none fpath); {line}")])
            .current_dir(bench.dir())
            .env_clear()
            .env("PATH", format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").unwrap()))
            .env("HOME", bench.dir())
            .env("USER", "tester")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}\n{}{said}", String::from_utf8_lossy(&output.stdout));
    }
}
