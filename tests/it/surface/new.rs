//! `new release`, `new step`: what they write runs as it stands, and nothing else is touched.

use crate::harness::{Bench, Engine, on_each_engine};
use std::fs;

on_each_engine!(what_is_written_runs, a_step_leaves_the_file_as_it_is, what_would_not_load_is_not_written);

fn read(bench: &Bench, file: &str) -> String {
    fs::read_to_string(bench.dir().join(file)).unwrap()
}

fn what_is_written_runs(engine: Engine) {
    let bench = Bench::new(engine);
    bench.ok("new release v1").says("is the first release").says("v2 before v10");
    bench.ok("new release v10 --folder --step wide").says("comes after v1, as the newest");
    bench.ok("new release v2 --engine postgres --engine sqlite").says("comes after v1 and before v10");
    bench.ok("new step v2/more --after v2_change");
    bench.ok("new step v3/fresh").says("releases/v3.yaml");
    bench.ok("ff").says("5 steps");
    assert_eq!(bench.db.value("SELECT count(*) FROM triphase_ledger WHERE add_state = 'done'"), "5");
    bench.ok("check");
    // It has changed nothing but the ledger, and can be taken back.
    assert!(bench.db.tables().iter().all(|table| table.starts_with("triphase_")));
    bench.ends(2, "new release v002").says("is release v002 already");
    bench.ends(2, "new release v10").says("releases/v10/release.yaml");
    bench.ends(2, "new release 11").says("a version is `v`");
}

const KEPT: &str = "# A comment at the top
description: Kept   # and one beside
steps:

  first:   {add: [{expect: SELECT 1}]}

  second:
    # why it is
    add: |
      CREATE TABLE second (a int);

      -- the end
    rollback_add: DROP TABLE second

# of what follows
before:
  add: [{expect: SELECT 1}]
";

fn a_step_leaves_the_file_as_it_is(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", KEPT);
    bench
        .command("new step v1/third --after second --after first --id 3rd")
        .arg("--description")
        .arg("It's: \"third\"")
        .arg("--add")
        .arg("CREATE TABLE third (a int);\nINSERT INTO third VALUES (1);")
        .arg("--rollback-add")
        .arg("DROP TABLE third")
        .run()
        .exits(0);
    let text = read(&bench, "releases/v1.yaml");
    let (before, after) = KEPT.split_once("\n# of what").unwrap();
    assert!(text.starts_with(before) && text.ends_with(&format!("\n# of what{after}")), "{text}");
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT a FROM third"), "1");
    assert_eq!(bench.states("v1", "3rd"), "done done done");
    bench.ok("new step v2/other");
    let said = bench.ok("new step v2/another --noop --json");
    assert!(said.stdout.contains(r#""written":false"#) && !read(&bench, "releases/v2.yaml").contains("another"));
}

fn what_would_not_load_is_not_written(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", KEPT);
    bench.release("v2", "steps: {flow: {add: [{expect: SELECT 1}]}}\n");
    for (line, why) in [
        ("new step v1/second", "step `second` is there already"),
        ("new step v1/third --after nobody", "nobody"),
        ("new step v1/flow", "the id `flow` is that of step"),
        ("new step v1/third --id second", "second"),
        ("new step v1/@third", "no name for a step"),
        ("new step v1/third --add COMMIT", "COMMIT"),
        ("new step v2/third", "not written line by line"),
        ("new step v1/third --rollback-add X", "--add"),
        ("new step v1/third --engine oracle", "no engine"),
    ] {
        bench.ends(2, line).says(why);
        assert_eq!(read(&bench, "releases/v1.yaml"), KEPT, "{line}");
    }
    bench.ends(2, "new release v3 --step second").says("second");
    let mut left: Vec<_> =
        fs::read_dir(bench.dir().join("releases")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["v1.yaml", "v2.yaml"]);
}

#[test]
fn without_a_target_any_engine_will_do() {
    let bench = Bench::new(Engine::Sqlite);
    fs::remove_dir_all(bench.dir().join("conf.d")).unwrap();
    let sql = "CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$";
    bench.command("new step v1/one --add").arg(sql).run().exits(0);
    assert!(read(&bench, "releases/v1.yaml").contains(sql));
    bench.command("new step v1/two --add").arg("COMMIT").run().exits(2).says("COMMIT");
}

#[test]
fn editors_find_the_schemas_that_init_writes() {
    let bench = Bench::new(Engine::Sqlite);
    for folder in ["conf.d", "releases"] {
        let _ = fs::remove_dir_all(bench.dir().join(folder));
    }
    bench.ok("init");
    bench.ok("new release v2");
    bench.ok("new release v3 --folder");
    for file in ["conf.d/dev.yaml", "releases/v1.yaml", "releases/v2.yaml", "releases/v3/release.yaml"] {
        let text = read(&bench, file);
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let kept = bench.dir().join(file).parent().unwrap().join(named);
        let of = if file.starts_with("conf.d") { "target" } else { "release" };
        assert_eq!(fs::read_to_string(kept).unwrap(), bench.ok(&format!("schema {of}")).stdout, "{file}");
    }
    bench.ok("ff");
}
