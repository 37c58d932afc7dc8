//! What `--json` prints is what `triphase schema output` describes.

use crate::{
    harness::{Bench, Engine, on_each_engine},
    scenarios::releases::sample,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_each_engine!(every_command_prints_what_the_schema_describes);

/// The schema, closed: readers must take fields they do not know, but what is printed is all described.
fn closed() -> Value {
    fn close(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if map.contains_key("properties") {
                    map.insert("additionalProperties".into(), json!(false));
                }
                map.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut schema: Value = serde_json::from_str(&Bench::new(Engine::Sqlite).ok("schema output").stdout).unwrap();
    close(&mut schema);
    schema
}

/// What is only told while something waits, blocks or is lost. Tests of `report::json` make those.
const RARE: &[&str] = &["warning", "waiting", "blocked", "heartbeat", "progress", "reconnecting"];

fn every_command_prints_what_the_schema_describes(engine: Engine) {
    let schema = closed();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let mut seen = BTreeSet::new();
    let mut take = |line: &str, stdout: &str| {
        assert!(!stdout.is_empty(), "{line} printed nothing");
        for text in stdout.lines() {
            let value: Value = serde_json::from_str(text).unwrap();
            let kind = value["type"].as_str().unwrap();
            // One of many would only say that none fits.
            let mut only = schema.clone();
            only["oneOf"] = json!([{ "$ref": format!("#/definitions/{kind}") }]);
            let faults: Vec<String> =
                jsonschema::draft7::new(&only).unwrap().iter_errors(&value).map(|e| format!("{e:#?}")).collect();
            assert!(validator.is_valid(&value), "{line}: {text}\n{}", faults.join("\n"));
            let event = stdout.lines().count() > 1 && kind != "result";
            assert!(event || value["exit_code"].is_number(), "{line}: a document has its exit code: {text}");
            seen.insert(kind.to_owned());
        }
    };
    let bench = Bench::new(engine);
    sample(&bench);
    let mut run = |code: i32, line: &str| {
        let run = bench.command(line).arg("--json").run().exits(code);
        take(line, &run.stdout);
    };
    for (code, line) in [
        (0, "show"),
        (0, "show --objects"),
        (0, "history"),
        (0, "current"),
        (3, "check"),
        (3, "check --app-release v1"),
        (0, "plan ff"),
        (7, "plan add v2"),
        (0, "add v1 --noop"),
        (0, "sql ff v1"),
        (7, "sql add v2"),
        (0, "ff v1"),
        (0, "add v2"),
        (7, "add v3"),
        (0, "show --pending-contract"),
        (0, "rollback_add v2"),
        (7, "ff"),
        (0, "rollout v1"),
        (2, "repair forget v1/ada"),
        (0, "ff v2"),
        (0, "ff v3"),
        (0, "unlock"),
        (0, "unlock --noop"),
        (0, "show"),
        (0, "show --objects"),
        (0, "history"),
        (0, "current"),
        (0, "check"),
        (2, "show -e nowhere"),
        (2, "ff v9"),
        (2, "no_such_command"),
        (2, "ff --no-such-flag"),
        (2, "stamp --wait-lock soon"),
        (0, "new release v4 --noop"),
        (0, "new step v4/broken --add NONSENSE"),
        (1, "ff"),
        (0, "show"),
        (3, "check"),
        (0, "man --out pages --noop"),
        (0, "man ff"),
        (0, "rollout v1 --noop"),
        (2, "init"),
        (0, "init -p elsewhere"),
    ] {
        run(code, line);
    }
    let other = Bench::new(engine);
    other.db.client(
        "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY); \
         INSERT INTO schema_migrations VALUES ('20240101000000'); CREATE TABLE a (id integer)",
    );
    other.write(
        "db/migrations/20240101000000_a.sql",
        "-- migrate:up\nCREATE TABLE a (id integer);\n\n-- migrate:down\nDROP TABLE a;\n",
    );
    for line in ["import dbmate", "stamp v20240101000000 --phase drop"] {
        take(line, &other.command(line).arg("--json").run().exits(0).stdout);
    }
    let described: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .filter(|kind| !RARE.contains(&kind.as_str()))
        .collect();
    assert_eq!(seen, described);
}
