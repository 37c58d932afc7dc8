//! `docs/contract.md` names, for every rule, tests that are there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The page, and its numbered rules: those of releases, those of operations and lakes.
const PAGE: &str = "docs/contract.md";
const RULES: [(char, u32); 8] = [('F', 9), ('L', 11), ('G', 10), ('X', 5), ('C', 2), ('T', 3), ('O', 12), ('D', 8)];

/// Every numbered rule.
fn rules() -> Vec<String> {
    RULES.iter().flat_map(|&(letter, last)| (1..=last).map(move |n| format!("{letter}{n}"))).collect()
}

struct Rule {
    name: String,
    says: String,
    tests: Vec<String>,
}

/// The rows of the page's tables of rules: rule, what it says, tests in backticks.
fn all() -> Vec<Rule> {
    let text = fs::read_to_string(root().join(PAGE)).unwrap();
    text.lines()
        .skip_while(|line| *line != "| rule | what it says | tests |")
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            let [name, says, tests] = cells[..] else { panic!("a row is `| rule | what it says | tests |`: {line}") };
            let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Some(Rule { name: name.to_owned(), says: says.to_owned(), tests })
        })
        .filter(|rule| rule.name != "rule" && rule.name != "---")
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests of this program, as it lists them itself.
fn own_tests() -> BTreeSet<String> {
    let output = std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_suffix(": test").map(str::to_owned))
        .collect()
}

/// Whether the library has a test: `module::path::tests::name` is `fn name` in the file of the longest part of the path that is one.
fn library_has(test: &str) -> bool {
    let mut parts: Vec<_> = test.split("::").collect();
    let Some(name) = parts.pop() else { return false };
    let of = |parts: &[&str]| -> [PathBuf; 2] {
        let path = root().join("src").join(parts.join("/"));
        [path.with_extension("rs"), path.join("mod.rs")]
    };
    (1..=parts.len())
        .rev()
        .flat_map(|n| of(&parts[..n]))
        .find_map(|file| fs::read_to_string(file).ok())
        .is_some_and(|text| text.contains(&format!("fn {name}(")))
}

#[test]
fn every_rule_has_its_row_in_order() {
    let names: Vec<_> = all().into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, rules());
    assert!(all().iter().all(|rule| !rule.says.is_empty()));
}

/// The rules that the sources name, however a finding is made of them: texts that are nothing but a letter of rules and a number.
fn named(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(rules_of(&fs::read_to_string(path).unwrap()));
        }
    }
}

fn rules_of(source: &str) -> BTreeSet<String> {
    let is_rule = |word: &str| {
        let number = word.strip_prefix(|letter| RULES.iter().any(|(known, _)| *known == letter));
        number.is_some_and(|n| (1..=2).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    // Two quotes with a rule between them: which of the two opens does not matter.
    source.split('"').filter(|word| is_rule(word)).map(str::to_owned).collect()
}

#[test]
fn a_rule_is_seen_wherever_it_is_named() {
    let source = "refuse(\n \"G77\", x) Finding::new(Class::Guard, \"G4\", y) const RULE: &str = \"O99\"; \"G1 \" \"B9\" \"G100\" '\"'";
    assert_eq!(rules_of(source).into_iter().collect::<Vec<_>>(), ["G4", "G77", "O99"]);
}

#[test]
fn every_rule_that_a_finding_names_is_in_the_contract() {
    let mut found = BTreeSet::new();
    named(&root().join("src"), &mut found);
    assert!(found.len() > 25, "{found:?}");
    let known: BTreeSet<String> = rules().into_iter().collect();
    assert_eq!(found.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_test_that_is_named_exists() {
    let own = own_tests();
    let missing: Vec<_> = all()
        .into_iter()
        .flat_map(|rule| rule.tests.into_iter().map(move |test| (rule.name.clone(), test)))
        .filter(|(_, test)| !own.contains(test) && !library_has(test))
        // Those of lakes are not in this program without the engine.
        .filter(|(_, test)| cfg!(feature = "delta") || !test.starts_with("lake::"))
        .collect();
    assert!(missing.is_empty(), "the page names tests that are not there: {missing:?}");
}

#[test]
fn every_rule_has_a_test() {
    let untested: Vec<_> = all().into_iter().filter(|rule| rule.tests.is_empty()).map(|rule| rule.name).collect();
    assert!(untested.is_empty(), "rules without a test: {untested:?}");
}
