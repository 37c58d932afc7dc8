//! Which lake, and what keeps a run out of it.

use super::Shore;

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
