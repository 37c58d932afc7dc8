//! docs/recipes.md: each recipe's release is run through all phases, back and forward, with what the two applications do in between.

use crate::harness::{Bench, Engine, Holder};
use std::path::Path;

crate::harness::on_each_engine!(each_recipe_works_from_end_to_end, a_fill_that_left_rows_out_goes_on);

struct Recipe {
    title: String,
    release: String,
    old: Vec<String>,
    new: Vec<String>,
    truth: String,
}

/// The fenced blocks of a kind, by the `##` heading above them.
fn blocks(text: &str, kind: &str) -> Vec<(String, String)> {
    let mut title = String::new();
    let mut inside = false;
    let mut found: Vec<(String, String)> = vec![];
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            title = heading.to_owned();
        } else if line.starts_with("```") {
            inside = line == format!("```{kind}");
            if inside {
                found.push((title.clone(), String::new()));
            }
        } else if let (true, Some((_, block))) = (inside, found.last_mut()) {
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

/// The release that all start from, and the recipes.
fn read() -> (String, Vec<Recipe>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let text = std::fs::read_to_string(file).unwrap();
    let mut yaml = blocks(&text, "yaml").into_iter();
    let (_, first) = yaml.next().unwrap();
    let sql = blocks(&text, "sql");
    let recipes = yaml
        .map(|(title, release)| {
            let (_, said) = sql.iter().find(|(of, _)| *of == title).unwrap_or_else(|| panic!("{title} has no SQL"));
            let (old, rest) = said.split_once("-- new application\n").unwrap();
            let (new, truth) = rest.split_once("-- true with both\n").unwrap();
            let lines = |text: &str| text.lines().filter(|l| !l.starts_with("--")).map(str::to_owned).collect();
            Recipe { old: lines(old), new: lines(new), truth: truth.trim().to_owned(), title, release }
        })
        .collect();
    (first, recipes)
}

fn each_recipe_works_from_end_to_end(engine: Engine) {
    let (first, recipes) = read();
    let titles: Vec<&str> = recipes.iter().map(|recipe| recipe.title.as_str()).collect();
    assert!(titles.len() >= 6, "{titles:?}");
    for recipe in recipes {
        let bench = Bench::new(engine);
        bench.release("v1", &first);
        bench.release("v2", &recipe.release);
        bench.ok("ff v1");
        bench.ok("check --app-release v1");
        let before = bench.db.schema(false);
        bench.ok("add v2");
        bench.ok("rollback_add v2");
        assert_eq!(bench.db.schema(false), before, "{}: rollback_add leaves something", recipe.title);
        bench.ok("add v2");
        // Window 1: both work, and see the same.
        for statement in recipe.old.iter().chain(&recipe.new) {
            bench.db.query(statement);
        }
        let truth = |when: &str| {
            let value = bench.db.value(&recipe.truth);
            assert!(["1", "t"].contains(&value.as_str()), "{} {when}: {value}", recipe.title);
        };
        truth("in window 1");
        let contracts = recipe.release.contains("simdrop:");
        if contracts {
            let added = bench.db.schema(false);
            bench.ok("simdrop v2");
            // Window 2: the old application fails loudly, and is helped by a rollback.
            let output = bench.db.client(&format!("{};\n", renumbered(&recipe.old[0])));
            let failed = !output.status.success() || !output.stderr.is_empty();
            assert!(failed, "{}: the old application still works after simdrop", recipe.title);
            bench.ok("rollback_simdrop v2");
            assert_eq!(bench.db.schema(false), added, "{}: rollback_simdrop leaves something", recipe.title);
            truth("after rollback_simdrop");
            bench.ok("simdrop v2");
        }
        bench.ok("ff");
        bench.db.query(&renumbered(&recipe.new[0]));
        bench.ok("check");
        assert!(!bench.db.schema(false).contains("_simdrop_"), "{}", recipe.title);
        assert!(!bench.db.schema(false).to_lowercase().contains("not valid"), "{}", recipe.title);
    }
}

/// The same statement for another row.
fn renumbered(statement: &str) -> String {
    let mut other = statement.trim_end_matches(';').to_owned();
    for (id, again) in [("(11,", "(21,"), ("(12,", "(22,"), ("new@", "newer@")] {
        other = other.replace(id, again);
    }
    other
}

/// The last recipe leaves out rows that are in use, says so, and fills them when it is run again.
fn a_fill_that_left_rows_out_goes_on(engine: Engine) {
    if engine == Engine::Sqlite {
        // Its writers have the whole file: none of its rows is in use by itself.
        return;
    }
    let (first, recipes) = read();
    let fill = recipes.last().unwrap();
    let bench = Bench::new(engine);
    bench.target("lock_timeout: 1s\n");
    bench.release("v1", &first);
    bench.release("v2", &fill.release);
    bench.ok("ff v1");
    bench.ok("add v2/search_column");
    {
        let _user = Holder::row(&bench.db, "customer", "id = 1");
        bench.ends(1, "add v2").says("rows that are in use were left out");
    }
    assert_ne!(bench.db.value("SELECT count(*) FROM customer WHERE search IS NULL"), "0");
    bench.ok("add v2");
    assert_eq!(bench.db.value("SELECT count(*) FROM customer WHERE search IS NULL"), "0");
}
