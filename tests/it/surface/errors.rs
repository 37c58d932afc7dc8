//! docs/errors.md has every rule that refuses, every class and every exit code.

use std::{collections::BTreeSet, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources without their tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "tests" || name == "tests.rs" || name == "fake" {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
        }
    }
}

/// Texts like `"G4"`: the rules that findings and waits name.
fn rules() -> BTreeSet<String> {
    let mut texts = vec![];
    sources(&root().join("src"), &mut texts);
    let rule = |word: &&str| {
        let number = word.strip_prefix(['F', 'L', 'G', 'X', 'C', 'T']).unwrap_or_default();
        !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit())
    };
    texts.iter().flat_map(|text| text.split('"').filter(rule).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_rule_that_refuses_has_its_cause_and_cure() {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let rules = rules();
    assert!(rules.len() > 20, "{rules:?}");
    let named = |rule: &String| {
        let starts = [format!("| {rule} "), format!("error[{rule}]"), format!("{rule}: ")];
        text.lines().any(|line| starts.iter().any(|start| line.starts_with(start.as_str())))
    };
    let missing: Vec<_> = rules.iter().filter(|rule| !named(rule)).collect();
    assert!(missing.is_empty(), "docs/errors.md says nothing of {missing:?}");
}

#[test]
fn every_class_and_exit_code_is_explained() {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("src/cli/schema/output.json")).unwrap()).unwrap();
    let definitions = &schema["definitions"];
    for class in definitions["finding"]["properties"]["class"]["enum"].as_array().unwrap() {
        let cell = format!("| {} |", class.as_str().unwrap());
        assert!(text.contains(&cell), "docs/errors.md does not explain {class}");
    }
    for code in definitions["exit_code"]["enum"].as_array().unwrap().iter().map(ToString::to_string) {
        let rows = text.lines().filter(|line| line.starts_with('|'));
        let explained =
            rows.filter_map(|row| row.split('|').nth(1)).any(|cell| cell.split(',').any(|c| c.trim() == code));
        assert!(explained, "docs/errors.md does not explain exit code {code}");
        let section = ["0", "130", "143"].contains(&code.as_str()) || text.contains(&format!("\n## {code}: "));
        assert!(section, "docs/errors.md has no section for exit code {code}");
    }
}
