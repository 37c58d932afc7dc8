//! What deploy/ and the Dockerfile hold is sound: read by parsers, and every command line of triphase in them by the command line itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Cli;
use clap::Parser as _;
use dockerfile_parser_rs::{Dockerfile, Instruction};
use serde_yaml::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap_or_else(|error| panic!("{file}: {error}")))
        .collect()
}

/// The value at a path of keys and indices, split at dots.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, key| match key.parse::<usize>() {
        Ok(index) => &value[index],
        Err(_) => &value[key],
    })
}

fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn parses(file: &str, words: &[String]) {
    let line = std::iter::once("triphase".to_owned()).chain(words.iter().cloned());
    if let Err(error) = Cli::try_parse_from(line) {
        panic!("{file}: triphase {}: {error}", words.join(" "));
    }
}

/// Every script below `run` and `script`.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    (Some("run"), Value::String(text)) => found.push(text.clone()),
                    (Some("script"), Value::Sequence(_)) => found.extend(texts(value)),
                    _ => scripts(value, found),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| scripts(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// The command lines of triphase in a script; a variable stands for a release or a URL.
fn commands(script: &str) -> Vec<Vec<String>> {
    script
        .lines()
        .filter_map(|line| line.split_once("triphase ").map(|(_, rest)| rest))
        .map(|line| line.split([';', '|', ')', '>']).next().unwrap())
        .map(|line| {
            line.replace("\"$SCRATCH\"", "sqlite://x.db").replace("\"$newest\"", "v1").replace("\"$RELEASE\"", "v1")
        })
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn images_are_built_from_source_and_run_by_nobody() {
    let file = Dockerfile::from(root().join("Dockerfile")).unwrap();
    let froms: Vec<usize> =
        (0..file.instructions.len()).filter(|n| matches!(file.instructions[*n], Instruction::From { .. })).collect();
    assert_eq!(froms.len(), 2);
    let (build, run) = file.instructions.split_at(froms[1]);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, version) = manifest.split_once("rust-version = \"").unwrap();
    let version = version.split('"').next().unwrap();
    let said = format!("{build:?}");
    assert!(
        said.contains(&format!("rust:{version}-")) && said.contains("--release") && said.contains("--locked"),
        "{said}"
    );
    assert!(
        run.iter().any(|i| matches!(i, Instruction::User { user, .. } if user.parse::<u32>().is_ok_and(|id| id > 0)))
    );
    let entry = run.iter().find_map(|i| match i {
        Instruction::Entrypoint(words) => Some(words.clone()),
        _ => None,
    });
    assert_eq!(entry.unwrap(), ["triphase"]);
    // What is copied is there, and let in.
    let let_in = fs::read_to_string(root().join(".dockerignore")).unwrap();
    for instruction in build {
        if let Instruction::Copy { sources, .. } = instruction {
            for source in sources {
                let source = source.trim_start_matches("./");
                assert!(
                    root().join(source).exists() && let_in.lines().any(|line| line == format!("!{source}")),
                    "{source}"
                );
            }
        }
    }
    let project = Dockerfile::from(root().join("deploy/Dockerfile.project")).unwrap();
    assert!(project.instructions.iter().any(|i| matches!(i, Instruction::From { .. })));
}

#[test]
fn kubernetes_objects_are_sound() {
    for (file, kind, container) in [
        ("deploy/kubernetes/job.yaml", "batch/v1 Job", "spec.template.spec.containers.0"),
        ("deploy/kubernetes/init-container.yaml", "apps/v1 Deployment", "spec.template.spec.initContainers.0"),
    ] {
        let documents = yaml(file);
        let [object] = &documents[..] else { panic!("{file} holds several documents") };
        let said = format!("{} {}", object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        assert_eq!(said, kind);
        assert!(at(object, "metadata.name").is_string());
        assert!(at(object, "spec.template.spec.securityContext.runAsNonRoot") == &Value::Bool(true));
        let container = at(object, container);
        parses(file, &texts(&container["args"]));
        assert!(at(container, "securityContext.allowPrivilegeEscalation") == &Value::Bool(false));
        for variable in container["env"].as_sequence().unwrap() {
            let secret = variable["name"].as_str().unwrap().contains("PASSWORD");
            assert_eq!(secret, at(variable, "valueFrom.secretKeyRef.name").is_string(), "{file}: {variable:?}");
        }
    }
    let job = &yaml("deploy/kubernetes/job.yaml")[0];
    assert_eq!(at(job, "spec.template.spec.restartPolicy"), "Never");
    // What is tried again is what may pass by itself: lock, traffic, connection.
    let rule = at(job, "spec.podFailurePolicy.rules.0");
    let final_codes: Vec<u64> =
        at(rule, "onExitCodes.values").as_sequence().unwrap().iter().map(|code| code.as_u64().unwrap()).collect();
    assert_eq!(final_codes, [1, 2, 5, 6, 7]);
    assert_eq!(rule["action"], "FailJob");
    let deployment = &yaml("deploy/kubernetes/init-container.yaml")[0];
    assert_eq!(at(deployment, "spec.selector.matchLabels"), at(deployment, "spec.template.metadata.labels"));
}

#[test]
fn ci_scripts_are_sound() {
    for file in ["deploy/ci/github.yml", "deploy/ci/gitlab.yml"] {
        let documents = yaml(file);
        let [document] = &documents[..] else { panic!("{file} holds several documents") };
        let mut found = vec![];
        scripts(document, &mut found);
        let mut lines = 0;
        for script in &found {
            let output = Command::new("bash").args(["-n", "-c", script]).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{file}: {script}: {output:?}");
            for words in commands(script) {
                parses(file, &words);
                lines += 1;
            }
        }
        assert!(lines >= 6, "{file}: {lines} commands");
    }
    let github = &yaml("deploy/ci/github.yml")[0];
    for (name, job) in github["jobs"].as_mapping().unwrap() {
        assert!(job["runs-on"].is_string() && job["steps"].is_sequence(), "{name:?}");
    }
    let gitlab = &yaml("deploy/ci/gitlab.yml")[0];
    let stages = texts(&gitlab["stages"]);
    for (name, job) in gitlab.as_mapping().unwrap() {
        if let Some(stage) = job.get("stage") {
            assert!(stages.contains(&stage.as_str().unwrap().to_owned()), "{name:?}");
        }
    }
}

#[test]
fn every_file_of_deploy_is_documented() {
    let text = fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let mut all: Vec<PathBuf> = vec![root().join("deploy")];
    while let Some(path) = all.pop() {
        if path.is_dir() {
            all.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            assert!(text.contains(&format!("(../{name})")), "docs/deploy.md does not name {name}");
        }
    }
}
