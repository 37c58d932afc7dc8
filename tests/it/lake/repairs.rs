//! A ledger that was lost or is damaged is made anew from what the tables say (D7); what was left in the tables is found and removed (O9).

use super::{SALES, Shore};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const V1: &str = "
steps:
  make:
    create_table:
      table: sales
      columns:
        - {name: id, type: long}
        - {name: amount, type: string}
        - {name: note, type: string}
";

const V2: &str = "
steps:
  fill:
    add:
      - INSERT INTO sales VALUES (1, '10', 'x'), (2, '20', 'y')
      - expect: SELECT count(*) = 2 FROM sales
      - UPDATE sales SET note = 'z' WHERE id = 2
    rollback_add: DELETE FROM sales WHERE id < 3
  retype:
    change_type: {table: sales, column: amount, type: long, down: CAST(amount AS string)}
  nonote:
    drop_column: {table: sales, column: note}
";

fn shore() -> Shore {
    let shore = Shore::new();
    shore.target("writers: [spark]\n");
    shore.release("v1", V1);
    shore.release("v2", V2);
    shore
}

/// Every step with its three states, as `v1/make done done done`.
fn states(shore: &Shore) -> Vec<String> {
    let shown: Value = serde_json::from_str(&shore.ok("show --json").stdout).unwrap();
    let state = |step: &Value| {
        let of = |phase: &str| step[phase]["state"].as_str().unwrap().to_owned();
        format!(
            "{}/{} {} {} {}",
            step["release"].as_str().unwrap(),
            step["step"].as_str().unwrap(),
            of("add"),
            of("simdrop"),
            of("drop")
        )
    };
    shown["steps"].as_array().unwrap().iter().map(state).collect()
}

fn own(shore: &Shore) -> PathBuf {
    shore.path("lake/_triphase")
}

fn lose(shore: &Shore) {
    std::fs::remove_dir_all(own(shore)).unwrap();
}

/// The folders that a rebuild has put aside.
fn aside(shore: &Shore) -> usize {
    let named = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    std::fs::read_dir(own(shore)).unwrap().map(named).filter(|name| name.starts_with("damaged-")).count()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

const REBUILD: &str = "repair rebuild --reason lost";

#[test]
fn a_lost_ledger_is_made_anew_and_nothing_runs_again() {
    let shore = shore();
    shore.ok("ff");
    let before = states(&shore);
    let (version, rows) = (shore.version("sales"), shore.query("sales", "SELECT * FROM t ORDER BY id"));
    lose(&shore);
    let everything = shore.everything();
    // Nothing is said of a lake as if nothing had ever been done there, least of all at night.
    for line in [
        "plan ff",
        "ff",
        "simdrop v2",
        "rollback_simdrop v2",
        "rollback_add v2",
        "stamp v2 --phase add --reason so",
        "show",
        "history",
        "current",
        "check",
        "check --app-release v2",
    ] {
        shore.ends(5, line).says("D7").says("repair rebuild");
    }
    // What a look says changes nothing.
    shore.ok("repair rebuild --noop --reason lost").says("would record: rebuilt from");
    assert!(everything == shore.everything());
    let said = shore.ok(REBUILD);
    said.says("rebuilt from").says("release `v1`: 1 step finished").says("rollouts");
    assert_eq!(states(&shore), before);
    shore.ok("ff").says("nothing to do");
    shore.ok("check");
    assert_eq!((shore.version("sales"), shore.query("sales", "SELECT * FROM t ORDER BY id")), (version, rows));
    // Twice is as good as once.
    shore.ok(REBUILD).says("the ledger knows all that the tables say");
    shore.ok("history").says("repair rebuild v2/fill").says("by table `sales`");
    // And the numbers of what comes next go on from those that are in the tables.
    shore.release("v3", "steps:\n  more:\n    add: INSERT INTO sales VALUES (9, 90)\n");
    shore.ok("ff");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["3"]);
}

#[test]
fn what_lies_between_add_and_drop_goes_on_from_a_rebuilt_ledger() {
    let shore = shore();
    for line in ["ff v1", "add v2", "simdrop v2"] {
        shore.ok(line);
    }
    let before = states(&shore);
    lose(&shore);
    shore.ok(&format!("{REBUILD} --json")).says("\"exit_code\":0");
    assert_eq!(states(&shore), before);
    shore.ok("plan drop v2").says("_tp_");
    shore.ok("rollback_simdrop v2 --yes");
    assert_eq!(shore.query("sales", "SELECT id, amount, note FROM t ORDER BY id"), ["1 10 x", "2 20 z"]);
    lose(&shore);
    shore.ok(REBUILD);
    assert!(states(&shore).contains(&"v2/nonote done rolled_back pending".to_owned()), "{:?}", states(&shore));
    shore.ok("rollback_add v2 --yes");
    assert_eq!(shore.columns("sales"), ["id", "amount", "note"]);
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["0"]);
    lose(&shore);
    shore.ok(REBUILD);
    assert_eq!(states(&shore)[1], "v2/fill rolled_back pending pending");
    shore.ok("ff v2");
    assert_eq!(shore.query("sales", "SELECT * FROM t ORDER BY id"), ["1 10", "2 20"]);
    shore.ok("check");
}

/// A target that lies below has its own ledger, and its tables say nothing of another's.
#[test]
fn another_targets_tables_are_no_sign_of_a_lost_ledger() {
    let shore = shore();
    shore.ok("ff v1");
    shore.write("conf.d/above.yaml", &format!("connection: 'delta://{}'\nwriters: [spark]\n", shore.dir().display()));
    shore.ok("show -e above").says("nothing yet");
    shore.ends(3, "check -e above");
    shore.ok("repair rebuild --reason so -e above").says("nothing to rebuild from");
    std::fs::remove_dir_all(own(&shore)).unwrap();
    shore.ends(5, "show -e above").says("D7");
}

/// A step of which only empty phases are left has its way back as before.
#[test]
fn a_rebuilt_ledger_has_every_way_back_that_the_lost_one_had() {
    for operation in [
        "add_column: {table: sales, column: extra, type: string}",
        "set_comment: {table: sales, column: note, comment: theirs}",
        "drop_not_null: {table: sales, column: id}",
    ] {
        let shore = Shore::new();
        shore.target("writers: [spark]\n");
        shore.release("v1", &V1.replace("{name: id, type: long}", "{name: id, type: long, nullable: false}"));
        shore.release("v2", &format!("steps:\n  op:\n    {operation}\n"));
        shore.ok("ff v1");
        let before = shore.python.call("schema", json!([shore.table("sales")])).unwrap();
        shore.ok("add v2");
        lose(&shore);
        shore.ok(REBUILD);
        shore.ok("rollback_add v2");
        assert_eq!(shore.states("v2", "op").split(' ').next(), Some("rolled_back"), "{operation}");
        assert_eq!(shore.python.call("schema", json!([shore.table("sales")])).unwrap(), before, "{operation}");
        shore.ok("add v2");
    }
}

/// Nobody's word derives the handlers of an operation: without them every phase to come would be empty.
#[test]
fn an_operation_is_stamped_and_not_said_to_be_done() {
    let shore = shore();
    shore.release("v2", "steps:\n  nonote:\n    drop_column: {table: sales, column: note}\n");
    shore.ok("ff v1");
    let everything = shore.everything();
    shore.ends(5, "repair done v2/nonote add --reason so").says("[O4]").says("triphase stamp v2/nonote --phase add");
    assert!(everything == shore.everything());
    shore.ok("stamp v2/nonote --phase add --reason so");
    shore.ok("simdrop v2").says("v2/nonote").hides("(empty)");
    shore.ok("drop v2");
    assert_eq!(shore.columns("sales"), ["id", "amount"]);
}

#[test]
fn without_its_ledger_no_statement_runs_a_second_time() {
    let shore = shore();
    shore.release("v1", "steps:\n  fill:\n    add: INSERT INTO log VALUES (1)\n");
    std::fs::remove_file(shore.path("releases/v2.yaml")).unwrap();
    shore.create("log", &[("n", "long")], json!([[0]]));
    shore.ok("ff");
    lose(&shore);
    shore.ends(5, "ff").says("D7").says("repair rebuild");
    assert_eq!(shore.query("log", "SELECT count(*) FROM t"), ["2"]);
    shore.ok(REBUILD);
    shore.ok("ff").says("nothing to do");
    assert_eq!(shore.query("log", "SELECT count(*) FROM t"), ["2"]);
}

#[test]
fn an_older_ledger_learns_what_has_happened_since() {
    let shore = shore();
    shore.ok("ff v1");
    shore.ok("add v2");
    let backup = shore.path("backup");
    copy(&own(&shore), &backup);
    shore.ok("simdrop v2");
    let before = states(&shore);
    lose(&shore);
    copy(&backup, &own(&shore));
    // However often it is tried, the ledger does not grow up to the tables by itself.
    for _ in 0..6 {
        shore.ends(5, "simdrop v2").says("D7");
    }
    shore.ok(REBUILD).says("step `v2/nonote`").hides("left no commit");
    // Of what left no commit this ledger goes on knowing what it knew.
    let said =
        |states: Vec<String>| states.into_iter().filter(|state| !state.starts_with("v2/fill")).collect::<Vec<_>>();
    assert_eq!(said(states(&shore)), said(before));
    shore.ok("drop v2 --yes");
    assert_eq!(shore.columns("sales"), ["id", "amount"]);
}

#[test]
fn a_damaged_ledger_is_put_aside_and_purged_on_request() {
    let shore = shore();
    shore.ok("ff");
    let before = states(&shore);
    for file in files(&own(&shore).join("ledger"), ".parquet") {
        std::fs::write(file, "no parquet").unwrap();
    }
    shore.ends(8, "show").says("triphase repair rebuild --reason");
    shore.ends(8, "ff").says("see that the store is whole; where the ledger is damaged, rebuild it");
    let everything = shore.everything();
    shore.ok("repair rebuild --noop --reason lost").says("the ledger can't be read");
    assert!(everything == shore.everything());
    shore.ok(REBUILD).says("put aside");
    assert_eq!(states(&shore), before);
    assert_eq!(aside(&shore), 1);
    shore.ok("show --objects").says("damaged-");
    shore.ok("repair purge --noop --reason clean").says("would purge: folder");
    assert_eq!(aside(&shore), 1);
    shore.ok("repair purge --reason clean").says("purge: folder");
    shore.ok("show --objects").hides("damaged-");
    shore.ok("history").says("repair purge").says("clean");
    shore.ok("repair purge --reason clean").says("nothing to purge");
}

#[test]
fn a_log_that_is_lost_and_a_lock_that_is_damaged_are_no_end() {
    let shore = shore();
    shore.ok("ff");
    let before = states(&shore);
    let first = own(&shore).join("ledger/_delta_log/00000000000000000000.json");
    std::fs::write(first, "{").unwrap();
    shore.ok(REBUILD);
    assert_eq!(states(&shore), before);
    // The newest version of the lock says nothing any more.
    std::fs::remove_dir_all(own(&shore).join("lease")).unwrap();
    shore.ok("ff").says("nothing to do");
    shore.release("v3", "steps:\n  more:\n    add: INSERT INTO sales VALUES (9, 90)\n");
    shore.ok("ff");
    let lease = own(&shore).join("lease/_delta_log");
    for file in files(&lease, ".json") {
        std::fs::write(file, "{").unwrap();
    }
    shore.release(
        "v4",
        "steps:\n  more:\n    add: INSERT INTO sales VALUES (10, 100)\n".replace("more", "most").as_str(),
    );
    shore.ends(8, "ff");
    lose_ledger(&shore);
    shore.ok(REBUILD);
    shore.ok("ff");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["4"]);
}

fn lose_ledger(shore: &Shore) {
    std::fs::remove_dir_all(own(shore).join("ledger")).unwrap();
}

#[test]
fn what_can_not_be_known_is_said() {
    let shore = Shore::with_sales();
    shore.target("protected: true\n");
    shore.release("v1", "steps:\n  looks:\n    add: [{expect: SELECT count(*) > 0 FROM sales}]\n");
    shore.release(
        "v2",
        "steps:\n  half:\n    add:\n      - UPDATE sales SET amount = 1\n      - expect: SELECT count(*) = 99 FROM sales\n  \
         never:\n    add: [{expect: SELECT 1}]\n",
    );
    shore.run("ff --yes").exits(1);
    lose(&shore);
    // A protected target asks.
    shore.ends(7, REBUILD).says("G9");
    shore.ok(&format!("{REBUILD} --yes")).says("step `v2/half`: add failed").says("v2/never` left no commit");
    assert_eq!(states(&shore)[..2], ["v1/looks done done done", "v2/half failed pending pending"]);
    // It goes on behind the statement that is applied.
    let version = shore.version("sales");
    shore.release("v2", "steps:\n  half:\n    add:\n      - UPDATE sales SET amount = 1\n      - expect: SELECT count(*) = 3 FROM sales\n");
    shore.ok("ff --yes --contract");
    assert_eq!(shore.version("sales"), version);
}

#[test]
fn only_a_lake_has_anything_to_rebuild_or_purge() {
    let shore = Shore::new();
    for command in ["repair rebuild --reason x", "repair purge --reason x"] {
        shore.ends(2, &format!("{command} --conn sqlite://x.db")).says("sqlite has nothing to");
    }
    assert!(!shore.path("x.db").exists());
    shore.ok("repair rebuild --reason x").says("nothing to rebuild from");
    shore.ends(5, "repair purge --reason x").says("there is no ledger");
    shore.ends(2, "repair rebuild").says("needs a reason");
}

#[test]
fn a_hidden_column_is_purged_once_nothing_needs_it() {
    let shore = shore();
    shore.ok("ff v1");
    shore.release("v2", "steps:\n  extra:\n    add_column: {table: sales, column: extra, type: string}\n");
    shore.ok("add v2");
    shore.python.call("merge_insert", json!([shore.table("sales"), ["id", "amount"], 1])).unwrap();
    shore.python.call("update", json!([shore.table("sales"), {"extra": "'theirs'"}, "id = 1"])).unwrap();
    // While the step may be taken back or go on, nothing of it goes.
    shore.ends(7, "repair purge v2/extra --reason x").says("O9");
    shore.ok("rollback_add v2 --yes");
    let hidden = |shore: &Shore| shore.columns("sales").into_iter().filter(|name| name.starts_with("_tp_")).count();
    assert_eq!(hidden(&shore), 1, "others have written to it");
    shore.ok("show --objects").says("sales: _tp_").says("a hidden column of step v2/extra");
    let objects: Value = serde_json::from_str(&shore.ok("show --objects --json").stdout).unwrap();
    assert!(objects["objects"].as_array().unwrap().iter().any(|object| object["kind"] == "column"), "{objects}");
    shore.ok("repair purge v2/extra --reason x").says("purge: column");
    assert_eq!(hidden(&shore), 0);
    shore.ok("add v2");
    assert_eq!(shore.query("sales", "SELECT extra FROM t"), ["null"], "what was purged has come back");
}

#[test]
fn a_purge_leaves_what_a_way_back_needs() {
    let shore = shore();
    shore.ok("ff v1");
    shore.release("v2", "steps:\n  nonote:\n    drop_column: {table: sales, column: note}\n");
    shore.release("v3", "steps:\n  extra:\n    add_column: {table: sales, column: extra, type: string}\n");
    shore.python.call("merge_insert", json!([shore.table("sales"), ["id", "amount"], 1])).unwrap();
    for line in ["add v2", "simdrop v2", "add v3"] {
        shore.ok(line);
    }
    shore.python.call("update", json!([shore.table("sales"), {"extra": "'theirs'"}, "id = 1"])).unwrap();
    shore.ok("rollback_add v3 --yes");
    let hidden = |shore: &Shore| shore.columns("sales").into_iter().filter(|name| name.starts_with("_tp_")).count();
    assert_eq!(hidden(&shore), 2);
    let version = shore.version("sales");
    shore.ok("repair purge --noop --reason x").says("would purge: column").says("kept: column");
    assert_eq!(shore.version("sales"), version);
    shore.ends(7, "repair purge v2/nonote --reason x").says("its way back needs it");
    shore.ok("repair purge --reason x").says("left by step `v3/extra`").says("kept: column");
    assert_eq!(hidden(&shore), 1);
    shore.ok("rollback_simdrop v2 --yes");
    assert_eq!(shore.columns("sales"), ["id", "amount", "note"]);
    shore.ok("add v3");
    assert_eq!(shore.query("sales", "SELECT extra FROM t"), ["null"], "what was purged has come back");
}

#[test]
fn files_of_a_rewrite_that_was_cut_short_are_purged() {
    let shore = shore();
    shore.ok("ff");
    let stage = shore.path("lake/sales/triphase-stage/v9");
    std::fs::create_dir_all(&stage).unwrap();
    std::fs::write(stage.join("part.parquet"), "half").unwrap();
    shore.ok("show --objects").says("triphase-stage (1 files)");
    shore.ok("repair purge --reason x").says("purge: files");
    assert!(!stage.join("part.parquet").exists());
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["2"]);
}

#[test]
fn the_history_of_delta_migrations_stamps_the_steps_it_names() {
    let history = &[("script_name", "string"), ("applied", "bool")];
    let rows = json!([["0001_create.py", true], ["fill", true], ["0003_lost.py", true], ["later", false]]);
    let url = |shore: &Shore| format!("file://{}", shore.table("ops/history"));
    for by_url in [false, true] {
        let shore = Shore::with_sales();
        shore.create("ops/history", history, rows.clone());
        shore.release(
            "v1",
            "steps:\n  create:\n    id: 0001_create.py\n    add: DELETE FROM sales\n    drop: DELETE FROM sales\n",
        );
        shore.release(
            "v2",
            "steps:\n  fill:\n    add: DELETE FROM sales\n  later:\n    add: UPDATE sales SET amount = 1\n",
        );
        let table = if by_url { url(&shore) } else { "ops/history".to_owned() };
        let line = format!("stamp --from-delta-migrations {table}");
        shore.ok(&format!("{line} --noop")).says("would record").says("no step has: 0003_lost.py");
        assert!(!own(&shore).exists());
        shore
            .ok(&line)
            .says("release `v1` is stamped")
            .says("3 applied scripts, 2 of them steps")
            .says("no step has: 0003_lost.py")
            .says("not applied: later");
        assert_eq!(
            states(&shore),
            ["v1/0001_create.py done done done", "v2/fill done done done", "v2/later pending pending pending"]
        );
        assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["3"], "nothing runs");
        shore.ok(&line).says("nothing to stamp");
        shore.ok("ff");
        assert_eq!(shore.query("sales", "SELECT DISTINCT amount FROM t"), ["1"]);
    }
    let shore = Shore::with_sales();
    shore.release("v1", "steps:\n  s:\n    add: DELETE FROM sales\n");
    shore.ends(2, "stamp --from-delta-migrations ops/none").says("no table `ops/none`");
    shore
        .ends(2, "stamp --from-delta-migrations sales")
        .says("no column `script_name`")
        .says("it has id, kind, amount");
    shore.ends(2, "stamp --from-delta-migrations x --conn sqlite://x.db").says("reads a table of a lake");
    shore.ends(2, "stamp v1 --from-delta-migrations sales");
    shore.ends(2, "stamp");
}

#[test]
fn a_log_that_was_cleaned_up_leaves_the_numbers() {
    let shore = shore();
    for line in ["ff v1", "add v2", "simdrop v2"] {
        shore.ok(line);
    }
    let before = states(&shore);
    shore.python.call("forget_log", json!([shore.table("sales")])).unwrap();
    lose(&shore);
    shore.ok(REBUILD).says("the handlers of step `v2/nonote` are not known");
    assert_eq!(states(&shore), before);
    // A handwritten step has its handlers from the files; an operation's are asked for.
    shore.ends(5, "drop v2").says("O4");
}

#[cfg(feature = "failpoints")]
#[test]
fn killed_at_every_point_a_rebuild_is_run_again() {
    let prepared = || {
        let shore = shore();
        shore.ok("ff v1");
        shore.ok("add v2");
        let expected = states(&shore);
        for file in files(&own(&shore).join("ledger"), ".parquet") {
            std::fs::write(file, "no parquet").unwrap();
        }
        (shore, expected)
    };
    let (whole, expected) = prepared();
    let log = whole.path("points");
    whole.command(REBUILD).var("TRIPHASE_FAILPOINT_LOG", log.display().to_string()).run().exits(0);
    assert_eq!(states(&whole), expected);
    let points = std::fs::read_to_string(&log).unwrap();
    assert!(points.contains("before putting aside"), "{points}");
    for point in points.lines() {
        let (number, _) = point.split_once(' ').unwrap();
        let (shore, expected) = prepared();
        let run = shore.command(REBUILD).var("TRIPHASE_FAILPOINT", number).run();
        assert_eq!(run.code, -9, "{point}: {run:?}");
        // Where the ledger can be read already, its lease need not be waited for.
        shore.run("unlock --force");
        let again = shore.run(&format!("{REBUILD} --wait-lock 60s"));
        assert!(again.code == 0, "after a kill at {point}: {again:?}");
        assert_eq!(states(&shore), expected, "after a kill at {point}");
        shore.ok("rollback_add v2 --yes");
        assert_eq!(shore.columns("sales"), ["id", "amount", "note"]);
    }
}

#[test]
fn a_partitioned_table_and_one_in_a_folder_are_found() {
    let shore = Shore::new();
    shore.create("raw/eu/events", SALES, json!([[1, "a", 10]]));
    let columns = json!([["id", "long"], ["kind", "string"]]);
    shore.python.call("create", json!([shore.table("parts"), columns, [[1, "a"]], ["kind"]])).unwrap();
    shore.release(
        "v1",
        "steps:\n  one:\n    add: UPDATE raw.eu.events SET amount = 11\n  two:\n    add: UPDATE parts SET id = 2 WHERE kind = 'a'\n",
    );
    shore.ok("ff");
    lose(&shore);
    shore.ok(REBUILD).says("in 2 tables");
    shore.ok("check");
}

/// What a file has of a step that ran otherwise would take back something else: no ledger is made of it.
#[test]
fn a_rebuild_takes_no_files_for_what_ran_that_did_not_run() {
    let shore = shore();
    shore.ok("ff v1");
    shore.ok("add v2");
    let before = states(&shore);
    lose(&shore);
    let everything = shore.everything();
    for (files, step, says) in [
        (V2.replace("DELETE FROM sales WHERE id < 3", "DELETE FROM sales"), "v2/fill", "its rollback_add is another"),
        (V2.replace("'y')", "'yy')"), "v2/fill", "its add is another"),
        (V2.replace("type: long", "type: double"), "v2/retype", "its operation is another"),
        ("steps:\n  later:\n    add: []\n".to_owned(), "v2/retype", "no file has the step"),
    ] {
        shore.release("v2", &files);
        shore.ends(6, REBUILD).says("[D7]").says(&format!("step `{step}`")).says(says).says("--accept-loss");
        shore.ends(6, "repair rebuild --noop --reason lost").says(says);
    }
    std::fs::remove_file(shore.path("releases/v2.yaml")).unwrap();
    shore.ends(6, REBUILD).says("no file has the step");
    assert!(everything == shore.everything());
    shore.release("v2", V2);
    shore.ok(REBUILD);
    assert_eq!(states(&shore), before);
    shore.ok("rollback_add v2 --yes");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["0"]);
    assert_eq!(shore.columns("sales"), ["id", "amount", "note"]);
}

/// Nobody may have the checkout that ran any more: then a step is left without its way back, and that is said; whoever finds it again
/// gives it back.
#[test]
fn a_step_that_is_left_without_its_way_back_gets_it_from_the_right_files() {
    let edited =
        V2.replace("DELETE FROM sales WHERE id < 3", "DELETE FROM sales").replace("type: long", "type: double");
    for files in [Some(edited), None] {
        let shore = shore();
        shore.ok("ff v1");
        shore.ok("add v2");
        let before = states(&shore);
        lose(&shore);
        match &files {
            Some(files) => shore.release("v2", files),
            None => std::fs::remove_file(shore.path("releases/v2.yaml")).unwrap(),
        }
        let insist = format!("{REBUILD} --accept-loss");
        let said = shore.ok(&insist);
        said.says("step `v2/fill` is left without its handlers").says("step `v2/retype` is left without");
        assert_eq!(shore.states("v2", "retype").split(' ').next(), Some("done"));
        if files.is_some() {
            // It is the ledger that says what ran.
            shore.ends(6, "check");
        }
        let stuck = shore.run("rollback_add v2 --yes");
        assert!(stuck.code != 0 && stuck.stderr.contains("v2/"), "{stuck:?}");
        assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["2"]);
        // Not by these files.
        shore.run(REBUILD).exits(0).hides("are kept from now on");
        shore.release("v2", V2);
        shore.ok(REBUILD).says("the handlers of step `v2/fill`").says("the handlers of step `v2/retype`");
        // An empty phase leaves no commit.
        let after = states(&shore);
        assert_eq!((&after[..3], files.is_none() || after == before), (&before[..3], true), "{after:?}");
        shore.ok(REBUILD).says("the ledger knows all that the tables say");
        shore.ok("simdrop v2");
        shore.ok("rollback_simdrop v2 --yes");
        shore.ok("rollback_add v2 --yes");
        assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["0"]);
        assert_eq!(shore.columns("sales"), ["id", "amount", "note"]);
        shore.ok("ff v2");
        shore.ok("check");
    }
}

/// A way back that a person gives is used, and is not taken for all that an operation comes to.
#[test]
fn a_way_back_that_a_person_gives_is_not_all_of_an_operation() {
    let shore = shore();
    shore.release("v2", &V2.replace("  nonote:\n    drop_column: {table: sales, column: note}\n", ""));
    shore.ok("ff v1");
    shore.ok("add v2");
    lose(&shore);
    std::fs::remove_file(shore.path("releases/v2.yaml")).unwrap();
    shore.ok(&format!("{REBUILD} --accept-loss"));
    shore.write("back.sql", "DELETE FROM sales WHERE id = 1");
    for step in ["v2/fill", "v2/retype"] {
        shore.ok(&format!("repair handler {step} rollback_add --file back.sql --reason so"));
    }
    shore.release("v2", V2);
    shore.ends(5, "simdrop v2/retype").says("O4");
    assert_eq!(shore.columns("sales").len(), 4, "nothing was hidden");
    shore.ok("rollback_add v2 --yes");
    assert_eq!(shore.query("sales", "SELECT id FROM t"), ["2"]);
}

/// A table of triphase's own whose newest commits are gone can still be read where a checkpoint is left of them, and never be written again.
#[test]
fn a_ledger_of_which_only_a_checkpoint_is_left_is_made_anew() {
    let shore = shore();
    shore.ok("ff");
    let before = states(&shore);
    let gone = |name: &str| {
        shore.python.call("checkpoint_alone", json!([own(&shore).join(name).display().to_string()])).unwrap();
    };
    gone("ledger");
    shore.ends(8, "show").says("only a checkpoint is left").says("triphase repair rebuild --reason");
    shore.ends(8, "ff");
    shore.ok(REBUILD).says("put aside");
    assert_eq!(states(&shore), before);
    shore.release("v3", "steps:\n  more:\n    add: INSERT INTO sales VALUES (9, 90)\n");
    shore.ok("ff");
    gone("lease");
    shore.release("v4", "steps:\n  most:\n    add: INSERT INTO sales VALUES (10, 100)\n");
    shore.ends(8, "ff").says("the lock can't be read").says("move the folder _triphase/lease away");
    std::fs::rename(own(&shore).join("lease"), shore.path("lease")).unwrap();
    shore.ok("ff");
    // Both at once are the ledger's to mend.
    gone("ledger");
    gone("lease");
    shore.ok(REBUILD);
    shore.ok("ff").says("nothing to do");
    assert_eq!(shore.query("sales", "SELECT count(*) FROM t"), ["4"]);
}
