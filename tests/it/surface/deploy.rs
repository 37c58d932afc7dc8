//! deploy/ci: the commands that the jobs have are run as they stand, on the sample project and a PostgreSQL as empty as a job's service.

use crate::harness::{Bench, Engine};
use serde_yaml::Value;
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sample's releases, and `triphase` in a folder for `PATH`.
fn project() -> Bench {
    let bench = Bench::new(Engine::Postgres);
    for entry in walk(&root().join("releases")) {
        let name = entry.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        bench.write(&name, &fs::read_to_string(&entry).unwrap());
    }
    bench.write("conf.d/production.yaml", &format!("connection: '{}'\nprotected: true\n", bench.db.url()));
    fs::create_dir(bench.dir().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_triphase"), bench.dir().join("bin/triphase")).unwrap();
    bench
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Runs a job's script as its runner does: the first command that fails ends it.
fn runs(bench: &Bench, script: &str) {
    let path = format!("{}:{}", bench.dir().join("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(bench.dir())
        .env_clear()
        .env("PATH", path)
        .env("SCRATCH", bench.db.url())
        .env("RELEASE", "v5")
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
}

fn lines(job: &Value) -> String {
    job["script"].as_sequence().unwrap().iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect()
}

/// All that a job's steps run.
fn steps(job: &Value) -> String {
    let steps = job["steps"].as_sequence().unwrap();
    steps.iter().filter_map(|step| step["run"].as_str()).map(|run| format!("{run}\n")).collect()
}

/// Production as it is while the newest release is new: all others are through.
fn before_the_newest(bench: &Bench) {
    bench.ok("-e production ff v4 --contract --yes");
}

#[test]
fn the_jobs_for_github_run() {
    let jobs = &yaml("deploy/ci/github.yml")["jobs"];
    let bench = project();
    runs(&bench, &steps(&jobs["try"]));
    bench.ok("-e production check");
    let history = bench.ok("-e production history --limit 500").stdout;
    let tried = history.lines().filter(|line| line.contains("rollback_add")).count();
    assert!(tried >= 5, "{tried} rollbacks:\n{history}");
    let bench = project();
    before_the_newest(&bench);
    runs(&bench, &steps(&jobs["plan"]));
    bench.ends(3, "-e production check").says("release `v5` is pending: add");
}

#[test]
fn the_jobs_for_gitlab_run() {
    let jobs = yaml("deploy/ci/gitlab.yml");
    let bench = project();
    runs(&bench, &lines(&jobs["try"]));
    bench.ok("-e production check");
    let bench = project();
    before_the_newest(&bench);
    runs(&bench, &lines(&jobs["add"]));
    assert_eq!(bench.states("v5", "price_cents"), "done pending pending");
    runs(&bench, &lines(&jobs["simdrop"]));
    assert_eq!(bench.states("v5", "price_cents"), "done done pending");
}
