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
        let number = word.strip_prefix(['F', 'L', 'G', 'X', 'C', 'T', 'O', 'D']).unwrap_or_default();
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

/// Messages that are the server's own words.
const THE_SERVERS: &[&str] = &["CREATE command denied to user …"];

/// The messages that the page's tables explain.
fn messages(page: &str) -> Vec<String> {
    let mut found = vec![];
    let mut column = None;
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match column {
            _ if !line.starts_with('|') => column = None,
            None => column = cells.iter().position(|cell| *cell == "message"),
            Some(column) => found.extend(cells.get(column).map_or_else(Vec::new, |cell| spans(cell))),
        }
    }
    found
}

/// A text's code spans, in one backtick or two.
fn spans(text: &str) -> Vec<String> {
    let mut found = vec![];
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let fence = if rest[at..].starts_with("``") { "``" } else { "`" };
        let Some((span, after)) = rest[at + fence.len()..].split_once(fence) else { break };
        found.push(span.trim().to_owned());
        rest = after;
    }
    found
}

/// A source's texts as a reader gets them: one line each, without what is filled in.
fn plain(source: &str) -> String {
    let joined: String = source.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat();
    let mut plain = String::new();
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('…');
        let end = after.find('}').filter(|end| *end < 60 && !after[..*end].contains('\n'));
        rest = end.map_or(after, |end| &after[end + 1..]);
    }
    plain + rest
}

#[test]
fn every_message_that_is_explained_is_said() {
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let mut texts = vec![];
    sources(&root().join("src"), &mut texts);
    let said: Vec<String> = texts.iter().map(|text| plain(text)).collect();
    let messages = messages(&page);
    assert!(messages.len() > 100, "{messages:?}");
    for message in messages {
        // Words that are a name are another in the next message; half of the pairs of all others stand in one text or another.
        let named = |word: &str| word.contains(|c: char| c.is_ascii_digit() || "`/…_".contains(c));
        let words: Vec<&str> = message.split_whitespace().collect();
        let pairs = words.split(|word| named(word)).flat_map(|words| words.windows(2)).map(|pair| pair.join(" "));
        let (known, unknown): (Vec<_>, Vec<_>) = pairs.partition(|pair| said.iter().any(|text| text.contains(pair)));
        let found = known.len() >= unknown.len();
        assert!(found || THE_SERVERS.contains(&message.as_str()), "nothing says `{message}`");
    }
}
