//! Each exit code and class of error, to the letter, as a person and as a program get it: `tests/golden/exits`.

use crate::{
    harness::{Bench, Engine, Holder, Run, begun, golden, plain, signal, until},
    scenarios::releases::{V1, V2, sample},
};
use std::collections::{BTreeMap, BTreeSet};

/// One way to end badly.
struct Case {
    /// The golden file's name; it begins with the exit code.
    name: &'static str,
    /// What is there before; what it gives back stays there until the command has ended.
    before: fn(&Bench) -> Option<Holder>,
    /// The command.
    line: &'static str,
    /// The signal that it gets once its statement is at work.
    signal: Option<&'static str>,
}

const fn case(name: &'static str, line: &'static str, before: fn(&Bench) -> Option<Holder>) -> Case {
    Case { name, before, line, signal: None }
}

impl Case {
    fn code(&self) -> i32 {
        self.name.split('-').next().unwrap().parse().unwrap()
    }
}

/// The cases that need no server.
const CASES: &[Case] = &[
    case("1-statement", "ff", |bench| release(bench, "v2", &V2.replace("SET first_name", "SET forename"))),
    case("1-expect", "ff", |bench| release(bench, "v2", &V2.replace("count(*) = 1", "count(*) = 2"))),
    case("1-rollback", "rollback_add v2", |bench| {
        release(bench, "v2", &V2.replace("COLUMN first_name\n  names_index", "COLUMN forename\n  names_index"));
        added(bench)
    }),
    case("2-command-line", "ff --no-such-flag", |_| None),
    case("2-no-such-target", "ff -e nowhere", ready),
    case("2-target-file", "ff", |bench| {
        bench.target("min_simdrop_age: 7\nprotcted: true\n");
        ready(bench)
    }),
    case("2-release-files", "ff", |bench| {
        release(bench, "v2", "steps:\n  a:\n    ad: SELECT 1\n  b:\n    add: COMMIT\n    after: [nobody]\n")
    }),
    case("2-no-such-release", "add v7", ready),
    case("3-pending", "check", |bench| {
        sample(bench);
        bench.ok("ff v1");
        None
    }),
    case("3-application", "check --app-release v2", |bench| {
        sample(bench);
        bench.ok("ff v1");
        None
    }),
    case("4-traffic", "ff", |bench| {
        sample(bench);
        bench.ok("ff v1");
        bench.target("lock_timeout: 50ms\nlock_retry_for: 100ms\n");
        Some(Holder::new(&bench.db, "customer"))
    }),
    case("5-undecided", "ff", undecided),
    case("5-two-spellings", "ff", |bench| {
        sample(bench);
        bench.ok("ff v1");
        bench.db.query("INSERT INTO triphase_ledger (\"release\", step, name) VALUES ('v01', 'ada', 'ada')");
        None
    }),
    case("6-missing", "ff", |bench| {
        bench.release("v1", V1);
        bench.ok("ff");
        release(bench, "v1", V1.split("  ada:").next().unwrap())
    }),
    case("7-order", "add v3", ready),
    case("7-phases", "drop v2", |bench| {
        sample(bench);
        added(bench)
    }),
    case("7-rolled-back", "ff", |bench| {
        sample(bench);
        added(bench);
        bench.ok("rollback_add v2");
        None
    }),
    case("7-protected", "rollback_add v1", |bench| {
        bench.release("v1", V1);
        bench.ok("add v1");
        bench.target("protected: true\n");
        None
    }),
    case("8-no-database", "ff", |bench| {
        bench.release("v1", V1);
        std::fs::write(bench.db.file(), "a text, and a long one, which nobody takes for an empty file; ".repeat(40))
            .unwrap();
        None
    }),
    case("8-no-folder", "ff --conn sqlite://no/such/folder.db", ready),
    Case { name: "130-interrupted", before: endless, line: "ff", signal: Some("INT") },
    Case { name: "143-terminated", before: endless, line: "ff", signal: Some("TERM") },
];

fn ready(bench: &Bench) -> Option<Holder> {
    sample(bench);
    None
}

fn release(bench: &Bench, version: &str, text: &str) -> Option<Holder> {
    bench.release("v1", V1);
    bench.release(version, text);
    None
}

fn added(bench: &Bench) -> Option<Holder> {
    bench.ok("ff v1");
    bench.ok("add v2");
    None
}

/// A statement without an end is at work when it is told to stop.
const ENDLESS: &str = "
steps:
  endless:
    add: INSERT INTO customer WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*), 'x' FROM c
";

fn endless(bench: &Bench) -> Option<Holder> {
    bench.release("v1", V1);
    bench.ok("ff");
    release(bench, "v2", ENDLESS)
}

/// A run was killed while a statement that commits by itself was at work.
fn undecided(bench: &Bench) -> Option<Holder> {
    endless(bench);
    let alone = ENDLESS.replace("add: INSERT", "add:\n      - transaction: false\n        sql: INSERT");
    bench.release("v2", &alone);
    let command = bench.command("ff");
    let child = command.spawn();
    until("the statement", || {
        bench.db.value("SELECT count(*) FROM triphase_history WHERE outcome = 'attempting'") != "0"
    });
    signal(&child, "KILL");
    command.end(child).exits(-9);
    None
}

impl Case {
    /// Runs it on a project of its own.
    fn run(&self, bench: &Bench, json: bool) -> Run {
        let traffic = (self.before)(bench);
        let line = format!("{}{}", self.line, if json { " --json" } else { "" });
        let command = bench.command(&line);
        let child = command.spawn();
        if let Some(name) = self.signal {
            until("the run's row", || begun(bench));
            signal(&child, name);
        }
        let run = command.end(child);
        drop(traffic);
        run.exits(self.code())
    }

    /// What a person is told, and the last object that a program gets.
    fn told(&self) -> String {
        let bench = Bench::new(Engine::Sqlite);
        let people = self.run(&bench, false);
        let told = told(&bench, &people);
        let bench = Bench::new(Engine::Sqlite);
        let program = self.run(&bench, true);
        told + &object(&bench, &program)
    }
}

fn told(bench: &Bench, run: &Run) -> String {
    let part = |name: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!("--- {name}\n{}", plain(bench, text)) }
    };
    format!(
        "$ {}\nexit code {}\n{}{}",
        plain(bench, &run.line),
        run.code,
        part("stdout", &run.stdout),
        part("stderr", &run.stderr)
    )
}

/// The last object of standard output, a field a line. Its exit code is the process's.
fn object(bench: &Bench, run: &Run) -> String {
    let last = run.stdout.lines().last().unwrap_or_else(|| panic!("no JSON: {run:?}"));
    let value: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(value["exit_code"], run.code, "{last}");
    let text = serde_json::to_string_pretty(&value).unwrap();
    format!("--- the last object of --json\n{}\n", plain(bench, &text))
}

#[test]
fn each_exit_code_is_told_like_this() {
    for case in CASES {
        golden(&format!("exits/{}.txt", case.name), &case.told());
    }
}

/// Every exit code of the contract has a case, and no golden file is left over.
#[test]
fn each_exit_code_has_a_case() {
    let bench = Bench::new(Engine::Sqlite);
    let schema: serde_json::Value = serde_json::from_str(&bench.ok("schema output").stdout).unwrap();
    let codes = schema["definitions"]["exit_code"]["enum"].as_array().unwrap();
    let codes: BTreeSet<i64> = codes.iter().map(|code| code.as_i64().unwrap()).filter(|code| *code != 0).collect();
    let cases: BTreeSet<i64> = CASES.iter().map(|case| case.code().into()).collect();
    assert_eq!(cases, codes);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/exits");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let on_servers = |name: &String| name.ends_with("-postgres.txt") || name.ends_with("-mariadb.txt");
    let files: BTreeSet<String> = files.filter(|name| !on_servers(name)).collect();
    assert_eq!(files, CASES.iter().map(|case| format!("{}.txt", case.name)).collect());
}

/// What the golden files of results say: `end` has one exit code, or is `refused`, and only what says all by its own words has no `next`.
#[test]
fn how_it_ended_is_the_exit_code_in_a_word() {
    let mut codes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/exits")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // One that another room's test keeps may be of what a person sees alone.
        let Some((_, object)) = text.split_once("--- the last object of --json\n") else { continue };
        let object: serde_json::Value = serde_json::from_str(object).unwrap();
        if object["type"] != "result" {
            continue;
        }
        let end = object["end"].as_str().unwrap();
        codes.entry(end.to_owned()).or_default().insert(object["exit_code"].as_u64().unwrap());
        let ways = object["findings"].as_array().unwrap().iter().map(|finding| finding["way_out"].as_str().unwrap());
        let said = ways.map(str::to_owned).find(|way| !way.is_empty());
        assert!(object["next"] != "" || (end == "refused" && said.is_none()), "{object}");
        assert!(said.is_none_or(|said| object["next"] == said.as_str()), "{object}");
        assert_ne!(end, "done", "{object}");
    }
    assert_eq!(codes.remove("refused"), Some([2, 5, 6, 7].into()));
    assert_eq!(codes.remove("interrupted"), Some([130, 143].into()));
    let one: Vec<_> =
        codes.iter().map(|(end, codes)| (end.as_str(), codes.iter().copied().collect::<Vec<_>>())).collect();
    let expected = [("access", 8), ("busy", 4), ("failed", 1), ("stopped", 7), ("undecided", 5)];
    assert_eq!(one, expected.map(|(end, code)| (end, vec![code])));
}

fn no_way_in_is_told_like_this(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let url = bench.db.server();
    let name = format!("{engine:?}").to_lowercase();
    for (what, url) in [
        ("wrong-password", url.as_user(&url.user(), "wr0ng!@#")),
        ("unreachable", url.to_port(1)),
        ("no-such-database", url.to_database("no_such_database")),
    ] {
        let conn = url.with_password();
        let told = told(&bench, &bench.command("ff --conn").arg(&conn).run().exits(8).hides("wr0ng"));
        let program = bench.command("ff --json --conn").arg(&conn).run().exits(8).hides("wr0ng");
        let text = told + &object(&bench, &program);
        golden(&format!("exits/8-{what}-{name}.txt"), &text.replace(&plain(&bench, &conn), "URL"));
    }
    assert!(bench.db.tables().is_empty());
}

#[test]
fn no_way_into_postgres_is_told_like_this() {
    no_way_in_is_told_like_this(Engine::Postgres);
}

#[test]
fn no_way_into_mariadb_is_told_like_this() {
    no_way_in_is_told_like_this(Engine::Mariadb);
}
