//! Which lake, and what keeps a run out of it.

use super::Shore;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const V1: &str = "steps:\n  s:\n    add: UPDATE sales SET amount = 1\n";

#[test]
fn a_lake_that_is_not_there_is_nothing_yet_and_never_made() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.write("conf.d/test.yaml", "connection: delta://lakee\n");
    shore.ok("show").says("does not exist");
    shore.ends(8, "ff").says("make it: mkdir");
    assert!(!shore.path("lakee").exists());
    shore.write("lakef", "");
    shore.write("conf.d/test.yaml", "connection: delta://lakef\n");
    shore.ends(8, "ff").says("is a file");
}

#[test]
fn relative_and_absolute_paths_and_parts() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    let lake = shore.path("lake").display().to_string();
    for (settings, settled) in [
        ("connection: delta://lake\n".to_owned(), true),
        (format!("connection: delta://{lake}\n"), true),
        ("drivername: delta\ndatabase: lake\n".to_owned(), true),
        ("connection: delta://\n".to_owned(), false),
        ("connection: delta://lake?x=y\n".to_owned(), false),
    ] {
        shore.write("conf.d/test.yaml", &settings);
        let run = shore.run("plan ff");
        assert_eq!(run.code, if settled { 0 } else { 2 }, "{settings}: {run:?}");
        if settled {
            run.says(&lake).says("Delta Lake");
        }
    }
    shore.run(&format!("--conn delta://{lake} plan ff")).exits(0);
}

#[test]
fn storage_options_are_never_shown() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.target("storage_options: {SOME_KEY: hunter2, OTHER: \"${SECRET}\"}\nwriters: [spark]\nengine: {spark: \"sc://h:1/;token=${SECRET}\"}\n");
    for line in ["plan ff", "sql ff", "ff -v", "show --json", "history --json"] {
        shore.command(line).var("SECRET", "hunter3").run().exits(0).hides("hunter2").hides("hunter3");
    }
    shore.ends(2, "show").says("SECRET").hides("hunter2");
    shore.target("writers: [sparkle]\n");
    shore.ends(2, "show").says("spark, delta-rs");
    shore.write("conf.d/test.yaml", "connection: sqlite://x.db\nwriters: [spark]\n");
    shore.ends(2, "show").says("is a lake's setting");
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_store_that_is_not_built_in_is_named() {
    let shore = Shore::new();
    shore.write("conf.d/test.yaml", "connection: s3://bucket/lake\n");
    shore.ends(2, "show").says("--features s3");
}

#[test]
fn a_ledger_that_can_not_be_read_is_8() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    shore.write("lake/_triphase/ledger/_delta_log/00000000000000000001.json", "not json");
    for line in ["show", "plan ff", "ff", "check", "history"] {
        shore.ends(8, line).says("the ledger");
    }
}

#[test]
fn a_ledger_of_another_major_format_is_left_alone() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    let first = "lake/_triphase/ledger/_delta_log/00000000000000000000.json";
    let text = std::fs::read_to_string(shore.path(first)).unwrap();
    assert!(text.contains(r#""triphase.format":"1.0""#), "{text}");
    shore.write(first, &text.replace(r#""triphase.format":"1.0""#, r#""triphase.format":"9.0""#));
    shore.ends(5, "show").says("format 9.0");
    shore.ends(5, "ff").says("format 9.0");
}

/// L8: a newer minor format has more columns. This binary writes on, leaves them empty, and keeps what is in them.
#[test]
fn a_column_of_a_newer_format_is_left_alone() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    let log = |version: i64| format!("lake/_triphase/ledger/_delta_log/{version:020}.json");
    let first = std::fs::read_to_string(shore.path(&log(0))).unwrap();
    let mut metadata: Value = first
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|action: &Value| action.get("metaData").is_some())
        .unwrap();
    let mut schema: Value = serde_json::from_str(metadata["metaData"]["schemaString"].as_str().unwrap()).unwrap();
    let fields = schema["fields"].as_array_mut().unwrap();
    fields.insert(3, json!({"name": "ticket", "type": "string", "nullable": true, "metadata": {}}));
    metadata["metaData"]["schemaString"] = schema.to_string().into();
    metadata["metaData"]["configuration"]["triphase.format"] = "1.7".into();
    shore.write(&log(shore.version("_triphase/ledger") + 1), &metadata.to_string());
    shore.python.call("update", json!([shore.table("_triphase/ledger"), {"ticket": "'kept'"}, "id <= 2"])).unwrap();
    many_releases(&shore);
    let history = shore.history("_triphase/ledger");
    assert!(history.iter().any(|commit| commit["operation"] == "TRIPHASE COMPACT LEDGER"));
    let asked = "SELECT count(*) FILTER (WHERE ticket = 'kept'), count(ticket), count(*) > 40 FROM t";
    assert_eq!(shore.query("_triphase/ledger", asked), ["2 2 true"]);
    assert!(shore.ok("history --limit 1000").stdout.contains("add v1/s"));
}

/// So many commits to the ledger that it is written into one file, and then some.
fn many_releases(shore: &Shore) {
    for n in 10..24 {
        shore.release(&format!("v{n}"), &format!("steps:\n  s{n}:\n    add: UPDATE sales SET amount = {n}\n"));
    }
    shore.ok("ff v22");
    shore.ok("ff");
}

/// What was written into one file goes, an hour later.
#[test]
fn the_ledger_does_not_grow_without_end() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    many_releases(&shore);
    let parquet = || {
        let ledger = shore.path("lake/_triphase/ledger");
        let files = std::fs::read_dir(ledger).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect::<Vec<_>>()
    };
    let (before, long_ago) = (parquet(), SystemTime::now() - Duration::from_secs(2 * 3600));
    assert!(before.len() > 20);
    for file in &before {
        std::fs::File::open(file).unwrap().set_modified(long_ago).unwrap();
    }
    // As if what was taken out of the ledger had been taken out two hours ago.
    let log = shore.path("lake/_triphase/ledger/_delta_log");
    let mut removed = vec![];
    for commit in std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(&commit) else { continue };
        let mut lines = vec![];
        for line in text.lines() {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(at) = action["remove"]["deletionTimestamp"].as_i64() {
                action["remove"]["deletionTimestamp"] = (at - 2 * 3600 * 1000).into();
                removed.push(action["remove"]["path"].as_str().unwrap().to_owned());
            }
            lines.push(action.to_string());
        }
        std::fs::write(&commit, lines.join("\n")).unwrap();
    }
    assert!(removed.len() > 10, "{removed:?}");
    for n in 30..44 {
        shore.release(&format!("v{n}"), &format!("steps:\n  s{n}:\n    add: UPDATE sales SET amount = {n}\n"));
    }
    shore.ok("ff v42");
    shore.ok("ff");
    let after = parquet();
    let left: Vec<_> = removed.iter().filter(|name| after.iter().any(|path| path.ends_with(name))).collect();
    assert!(left.is_empty(), "{left:?} are there still");
    assert_eq!(shore.states("v43", "s43"), "done done done");
    assert!(shore.ok("history --limit 1000").stdout.contains("add v1/s"));
}

/// A full URL is a name like others: of triphase's own tables none is changed, and of a table below the root it is the same table.
#[test]
fn a_url_leads_nowhere_else() {
    let shore = Shore::with_sales();
    shore.release("v1", V1);
    shore.ok("ff");
    let root = format!("file://{}", shore.path("lake").display());
    let ledger = shore.version("_triphase/ledger");
    for own in ["_triphase/ledger", "%5Ftriphase/ledger", "sales/../_triphase/ledger", "_triphase//ledger/"] {
        shore.release("v2", &format!("steps:\n  t:\n    add: DELETE FROM delta.`{root}/{own}`\n"));
        shore.ends(2, "add v2").says("is triphase's own");
        assert_eq!(shore.version("_triphase/ledger"), ledger, "{own}");
    }
    let gone = |table: &str| format!("steps:\n  gone:\n    drop_table: {{table: \"{table}\"}}\n");
    for own in ["_triphase/ledger".to_owned(), format!("{root}/_triphase/ledger")] {
        shore.release("v2", &gone(&own));
        shore.ends(2, "plan ff").says("is triphase's own");
    }
    // One table under two names, for what is derived too.
    let column = |table: &str| format!("add_column: {{table: \"{table}\", column: colour, type: string}}");
    shore.target("writers: [spark]\n");
    shore.release(
        "v2",
        &format!("steps:\n  a:\n    {}\n  b:\n    {}\n", column("sales"), column(&format!("{root}/sales"))),
    );
    shore.ends(7, "plan ff").says("has a column `colour` already");
    shore.release("v2", &format!("steps:\n  b:\n    {}\n", column(&format!("{root}/sales/"))));
    shore.ends(2, "plan ff").says("is no table's path");
    shore.release("v2", &format!("steps:\n  b:\n    {}\n", column(&format!("{root}/sales"))));
    shore.ok("ff v2");
    assert_eq!(shore.columns("sales").last().unwrap(), "colour");
}
