//! `check --app-release`, `show --objects`, `show --pending-contract`: questions that scripts and people ask.

use crate::{
    harness::{Bench, Engine, on_each_engine},
    scenarios::releases::{V2, sample},
};

on_each_engine!(an_application_may_start, objects_are_what_the_database_has, what_waits_for_contraction);

fn an_application_may_start(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ends(3, "check --app-release v1").says("needs the add of step `v1/customer`, which is pending");
    bench.ok("ff v1");
    bench.ok("check --app-release v1").says("the application of v1 may start");
    bench.ends(3, "check --app-release v2").says("triphase add v2");
    bench.ok("add v2");
    // In window 1 both run; pending contraction is nobody's business here.
    for app in ["v1", "v2"] {
        bench.ok(&format!("check --app-release {app}"));
    }
    bench.ok("simdrop v2");
    bench
        .ends(7, "check --app-release v1")
        .says("simdrop of the later step `v2/names` has begun")
        .says("rollback_simdrop");
    bench.ok("check --app-release v2");
    bench.ok("rollback_simdrop v2");
    bench.ok("check --app-release v1");
    // An image with older files, or with none, asks the ledger.
    bench.without("v3");
    bench.without("v2");
    bench.ok("check --app-release v2");
    bench.ends(3, "check --app-release v3").says("the newest is `v2`");
    bench.without("v1");
    bench.ok("check --app-release v2");
    bench.release("v2", &V2.replace("add:", "ad:"));
    let json = bench.ends(2, "check --app-release v2 --json");
    assert!(json.stdout.contains(r#""app_release":"v2""#), "{}", json.stdout);
}

fn objects_are_what_the_database_has(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("show --objects").says("nothing yet");
    assert!(bench.db.tables().is_empty());
    bench.ok("ff v1");
    let before = bench.db.everything();
    let value: serde_json::Value = serde_json::from_str(&bench.ok("show --objects --json").stdout).unwrap();
    assert!(before == bench.db.everything());
    let objects = value["objects"].as_array().unwrap();
    let tables: Vec<&str> =
        objects.iter().filter(|o| o["kind"] == "table").map(|o| o["name"].as_str().unwrap()).collect();
    let mut own: Vec<String> = bench.db.tables().into_iter().filter(|t| t.starts_with("triphase_")).collect();
    let mut named: Vec<String> =
        tables.iter().map(|name| name.rsplit('.').next().unwrap().trim_matches('"').to_owned()).collect();
    own.sort();
    named.sort();
    assert_eq!(named, own);
    for object in objects.iter().filter(|o| o["kind"] == "table") {
        let rows = bench.db.value(&format!("SELECT count(*) FROM {}", object["name"].as_str().unwrap()));
        assert_eq!(object["rows"].to_string(), rows, "{object}");
    }
    let file = objects.iter().find(|o| o["kind"] == "file");
    match engine {
        Engine::Sqlite => assert!(std::path::Path::new(file.unwrap()["name"].as_str().unwrap()).is_file()),
        Engine::Postgres | Engine::Mariadb => {
            assert!(file.is_none() && objects.iter().all(|o| o["bytes"].as_u64().unwrap() > 0), "{objects:?}");
        }
    }
}

fn what_waits_for_contraction(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.ok("show --pending-contract").says("nothing waits for simdrop or drop");
    bench.ok("ff v1");
    bench.ok("add v2");
    let waits = |bench: &Bench| {
        let value: serde_json::Value =
            serde_json::from_str(&bench.ok("show --pending-contract --json").stdout).unwrap();
        let steps = value["steps"].as_array().unwrap();
        steps.iter().map(|s| format!("{} {}", s["step"], s["waits_for"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(waits(&bench), ["names simdrop"]);
    bench.ok("simdrop v2");
    assert_eq!(waits(&bench), ["names drop"]);
    bench.ok("show --pending-contract").says("names").says("drop").hides("customer");
    bench.ok("drop v2");
    bench.ok("show --pending-contract").says("nothing waits");
}
