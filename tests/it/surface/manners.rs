//! Manners: quiet and loud, logs, colours, pipes, variables.

use crate::{
    harness::{Bench, Command, Engine, on_each_engine},
    scenarios::releases::sample,
};
use serde_json::Value;
use std::fs;

on_each_engine!(
    quiet_says_results_and_errors_alone,
    logs_go_to_a_file,
    json_logs_take_all_of_stderr,
    what_is_sent_is_logged_where_it_is_asked_for,
);

/// A release whose add fails, after [`sample`].
const BROKEN: &str = "steps: {broken: {add: SELECT nothing FROM nowhere}}";

fn quiet_says_results_and_errors_alone(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    for line in ["add v1 -q", "plan ff v1 -q", "show -q", "simdrop v1 --quiet"] {
        assert_eq!(bench.ok(line).stderr, "", "{line}");
    }
    let run = bench.ends(7, "add v3 -q");
    assert!(run.stdout.is_empty() && run.stderr.contains("error[G1]") && !run.stderr.contains("target"), "{run:?}");
    bench.ok("ff -q");
    bench.release("v4", BROKEN);
    let run = bench.ends(1, "ff -q").says("error: add v4/broken failed");
    assert!(!run.stderr.contains("target test"), "{}", run.stderr);
    // Objects are a result.
    let run = bench.ends(1, "ff -q --json");
    assert!(run.stdout.lines().count() > 2, "{}", run.stdout);
    bench.ends(2, "ff -q -v").says("cannot be used with");
}

fn logs_go_to_a_file(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let file = bench.dir().join("triphase.log");
    bench.ok("add v1 --log-file triphase.log --log-format json").says("target test");
    let text = fs::read_to_string(&file).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for row in &rows {
        assert!(row["timestamp"].is_string() && row["level"].is_string() && row["message"].is_string(), "{row}");
    }
    let finished: Vec<&str> =
        rows.iter().filter(|row| row["event"] == "finished").map(|row| row["step"].as_str().unwrap()).collect();
    assert_eq!(finished, ["customer", "ada"]);
    assert!(rows.last().unwrap()["message"].as_str().unwrap().contains("done: 2 steps of v1"), "{text}");
    // Text, behind what is there; a failure is an error.
    bench.ok("ff -q --log-file triphase.log");
    bench.release("v4", BROKEN);
    bench.ends(1, "ff --log-file triphase.log -vv");
    let all = fs::read_to_string(&file).unwrap();
    assert!(all.starts_with(&text) && all.contains("ERROR") && all.contains("v4"), "{all}");
    assert!(all.contains("INFO") && all.contains("DEBUG"), "{all}");
    assert!(!all.contains('\u{1b}'));
    if engine == Engine::Postgres {
        assert!(!all.contains(&bench.db.server().password()), "{all}");
    }
    bench.ends(2, "show --log-file no/such/folder/log").says("cannot open the log file");
}

/// `-vv`: each text that is sent, triphase's own too, a line or an object each; `-v` has the handlers' statements alone.
fn what_is_sent_is_logged_where_it_is_asked_for(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    let texts = ["CREATE TABLE customer", "triphase_run", "triphase_history"];
    let run = bench.ok("add v1 -vv");
    let sent: Vec<&str> = run.stderr.lines().filter_map(|line| line.strip_prefix("debug: sent sql=\"")).collect();
    for text in texts {
        assert!(sent.iter().any(|sent| sent.contains(text) && sent.ends_with('"')), "{text}: {}", run.stderr);
    }
    bench.ok("rollback_add v1 -v").says("DROP TABLE customer").hides("debug: ").hides("triphase_history");
    let run = bench.ok("add v1 -vv --log-format json");
    let rows: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for text in texts {
        assert!(
            rows.iter().any(|row| row["sql"].as_str().is_some_and(|sql| sql.contains(text))),
            "{text}: {}",
            run.stderr
        );
    }
}

fn json_logs_take_all_of_stderr(engine: Engine) {
    let bench = Bench::new(engine);
    sample(&bench);
    bench.release("v4", BROKEN);
    for (code, line) in [(0, "add v1"), (7, "add v3"), (0, "ff v3"), (1, "ff -v"), (2, "show -e nowhere"), (2, "ff v9")]
    {
        let run = bench.command(line).var("TRIPHASE_LOG_FORMAT", "json").var("CLICOLOR_FORCE", "1").run().exits(code);
        assert!(!run.stderr.is_empty());
        for row in run.stderr.lines() {
            let value: Value = serde_json::from_str(row).unwrap_or_else(|error| panic!("{line}: {error}: {row}"));
            assert!(!value["message"].as_str().unwrap().contains('\u{1b}'), "{row}");
        }
        let error = run.stderr.contains(r#""level":"ERROR""#);
        assert_eq!(error, code != 0, "{line}: {}", run.stderr);
    }
}

#[test]
fn a_mistake_on_the_command_line_is_an_object_with_json() {
    let bench = Bench::new(Engine::Sqlite);
    for (line, message, way_out) in [
        ("--json ad", "unrecognized subcommand 'ad'", "'add'"),
        ("ff --jsn --json", "unexpected argument '--jsn' found", "'--json'"),
        ("ff -q -v --json", "cannot be used with", "triphase --help"),
        ("stamp --json", "required arguments were not provided", "triphase --help"),
    ] {
        let run = bench.ends(2, line).says("Usage:");
        let said: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {run:?}"));
        assert_eq!((&said["type"], &said["exit_code"], &said["end"]), (&"result".into(), &2.into(), &"refused".into()));
        let finding = &said["findings"][0];
        assert!(finding["message"].as_str().unwrap().contains(message), "{finding}");
        assert!(finding["way_out"].as_str().unwrap().contains(way_out), "{finding}");
    }
    // Without it, text alone; and help is no mistake.
    assert_eq!(bench.ends(2, "ff --jsn").stdout, "");
    assert!(bench.ok("ff --help --json").stdout.contains("Usage:"));
    for command in ["", "repair", "repair done", "plan add"] {
        let (word, flag) = (bench.ok(&format!("help {command}")), bench.ok(&format!("{command} --help")));
        assert!(word.stdout.contains("Usage: triphase"), "{}", word.stdout);
        assert_eq!(word.stdout, flag.stdout, "{command}");
    }
    bench.ends(2, "help nonsense").says("nonsense");
}

/// Every command that prints much, for what a pipe gets.
const PRINT: &[&str] =
    &["show", "show --objects", "history", "current", "check", "plan ff", "sql ff", "--help", "man", "schema output"];

#[test]
fn a_pipe_gets_no_control_characters_unless_colour_is_forced() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.ok("ff v3");
    // Not even where a statement holds them, and the server repeats them.
    bench.release("v4", "steps: {odd: {add: \"SELECT * FROM \\\"odd\\e[31m\\a\\\"\"}}");
    let run = bench.ends(1, "ff -v").says("odd\\u{1b}[31m\\u{7}");
    assert!(run.said().chars().all(|c| c == '\n' || !c.is_control()), "{run:?}");
    for line in PRINT {
        // A script is to the letter.
        let line = if *line == "sql ff" { "plan ff --json" } else { line };
        let run = bench.run(line);
        assert!(run.said().chars().all(|c| c == '\n' || !c.is_control()), "{line}: {run:?}");
    }
    let forced = |line: &str| bench.command(line).var("CLICOLOR_FORCE", "1");
    assert!(forced("plan add v4").run().stderr.contains('\u{1b}'));
    assert!(!forced("plan add v4").var("NO_COLOR", "1").run().said().contains('\u{1b}'));
}

/// What a command says on a terminal of so many columns, its streams together.
fn on_a_terminal(bench: &Bench, columns: u32, line: &str) -> String {
    typed_on_a_terminal(bench, columns, line, "")
}

/// The same where somebody has typed something.
fn typed_on_a_terminal(bench: &Bench, columns: u32, line: &str, typed: &str) -> String {
    bench.write("typed", typed);
    let binary = env!("CARGO_BIN_EXE_triphase");
    let output = std::process::Command::new("script")
        .args(["-qec", &format!("stty cols {columns}; '{binary}' {line}"), "/dev/null"])
        .current_dir(bench.dir())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .stdin(fs::File::open(bench.dir().join("typed")).unwrap())
        .output()
        .expect("script is missing: install the Debian package `bsdutils`");
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[test]
fn a_terminal_gets_colour_and_tables_that_fit() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    assert!(on_a_terminal(&bench, 100, "ff v1").contains('\u{1b}'));
    let widest = |columns| {
        let text = on_a_terminal(&bench, columns, "show");
        assert!(text.contains("customer"), "{text}");
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    assert!(widest(70) <= 70 && widest(300) > 100);
    // In a pipe a row is a line, however long.
    let rows = bench.ok("show").stdout;
    assert!(rows.lines().any(|line| line.len() > 100), "{rows}");
}

/// One that does not know its size, as a container's, or is too narrow for any, has tables all the same.
#[test]
fn a_terminal_without_a_size_has_tables() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.ok("ff v1");
    for (columns, whole) in [(0, true), (1, false)] {
        let said = on_a_terminal(&bench, columns, "show");
        assert!(said.contains("v1") && said.lines().count() < 30, "{columns} columns:\n{said}");
        assert!(!whole || said.lines().any(|line| line.contains("customer") && line.contains("done")), "{said}");
    }
}

/// What the plan warns of stands above the question, and is not said again once it is answered (rule G9).
#[test]
fn a_confirmed_plan_warns_once() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.target("protected: true\nrequire_previous: simdropped\n");
    for line in ["ff v1 --contract --yes", "add v2", "simdrop v2", "add v3"] {
        bench.ok(line);
    }
    let text = typed_on_a_terminal(&bench, 200, "rollback_simdrop v2", "test\n");
    let parts: Vec<&str> = text.split("later release `v3` is added already").collect();
    assert!(parts.len() == 2 && parts[1].contains("type the target's name"), "{text}");
    assert_eq!(bench.states("v2", "names"), "done rolled_back pending", "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.ok("ff v1");
    let lines = PRINT.iter().copied().chain(["show --json", "ff --json", "ff -v", "completions bash"]);
    for line in lines {
        let command: Command = bench.command(line);
        let mut child = command.spawn();
        // Nobody reads either stream.
        drop(child.stdout.take());
        drop(child.stderr.take());
        let code = child.wait().unwrap().code();
        let expected = if line == "check" { 3 } else { 0 };
        assert_eq!(code, Some(expected), "{line}");
    }
    assert_eq!(bench.states("v3", "orders"), "done done done");
}

#[test]
fn no_log_holds_a_password() {
    let bench = Bench::new(Engine::Postgres);
    sample(&bench);
    let wrong = bench.db.server().as_user("tri", "wr0ng!@#").with_password();
    for (code, conn) in [(0, bench.db.url()), (8, wrong), (2, "postgres://tri:wr0ng!@#@host:port/x".to_owned())] {
        for format in ["text", "json"] {
            let line = format!("ff -vv --log-file {format}.log --log-format {format} --conn");
            bench.command(&line).arg(&conn).run().exits(code);
            bench
                .command(&format!("ff -vv --log-format {format} --conn={conn}"))
                .run()
                .exits(code)
                .hides("wr0ng")
                .hides("s3cret");
        }
    }
    for format in ["text", "json"] {
        let log = fs::read_to_string(bench.dir().join(format!("{format}.log"))).unwrap();
        assert!(log.contains("ERROR") && log.contains("target "), "{log}");
        for secret in ["wr0ng", "s3cret", "wr0ng%21", "s3cret%21"] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[test]
fn variables_stand_for_flags_and_flags_win() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    let elsewhere = tempfile::tempdir().unwrap();
    let from = |line: &str| {
        Command::new(elsewhere.path(), line.split(' ')).var("TRIPHASE_PATH", bench.dir().display().to_string())
    };
    from("ff v1").run().exits(0);
    assert_eq!(bench.states("v1", "ada"), "done done done");
    from("-p . show").run().exits(2);
    from("show").var("TRIPHASE_WAIT_LOCK", "soon").run().exits(2).says("500ms");
    from("show -p .").run().exits(2);
    // Pipelines hand on empty ones.
    let empty = ["TRIPHASE_WAIT_LOCK", "TRIPHASE_LOG_FORMAT", "TRIPHASE_LOG_FILE"];
    empty.iter().fold(from("show"), |command, name| command.var(name, "")).run().exits(0);
    bench.command("show").var("TRIPHASE_PATH", "").var("TRIPHASE_COMPLETE", "bash").run().exits(0).says("customer");
    from("show").var("TRIPHASE_LOG_FORMAT", "xml").run().exits(2).says("json");
    let log = elsewhere.path().join("log").display().to_string();
    from("plan ff").var("TRIPHASE_LOG_FILE", &log).run().exits(0);
    assert!(fs::read_to_string(log).unwrap().contains("target test"));
}

#[test]
fn a_file_of_variables_is_read_on_request_only() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.write("conf.d/other.yaml", "connection: ${SHOP_URL}\n");
    // In single quotes nothing is filled in.
    let other = bench.dir().join("other$HOME.db");
    let text = format!(
        "# a comment\nexport TRIPHASE_ENV=other\nSHOP_URL='sqlite://{}'\nTRIPHASE_WAIT_LOCK=soon\nTRIPHASE_LOG_FORMAT=json\n",
        other.display()
    );
    bench.write(".env", &text);
    bench.ends(2, "show").says("several targets");
    bench.ends(2, "show --env-file .env").says("500ms");
    bench.ok("ff v1 --env-file .env --wait-lock 1s").says(r#""level":"INFO""#);
    assert!(other.is_file() && !bench.db.file().exists());
    // The environment, and what is typed, win.
    bench.command("show --env-file .env --wait-lock 1s").var("TRIPHASE_ENV", "test").run().exits(0).says("nothing yet");
    bench.command("show -e test --env-file .env").var("TRIPHASE_WAIT_LOCK", "1s").run().exits(0).says("nothing yet");
    bench.ends(2, "show --env-file nowhere").says("cannot read the file of variables");
    bench.write("bad.env", "# one\n\nA=1\nSECRET hunter2\n");
    bench.ends(2, "show --env-file bad.env").says("line 4 is malformed: it is not NAME=value").hides("hunter2");
    bench.write("filled.env", "A=te\nTRIPHASE_ENV=\"${A}st\"\nTRIPHASE_WAIT_LOCK=\"$TRIPHASE_ENV\"\n");
    bench.ends(2, "show --env-file filled.env").says("invalid value 'test'");
}

/// What is printed can be typed: with two targets a command that names none is refused, or would go to the one of `TRIPHASE_ENV`.
#[test]
fn printed_commands_name_the_target_that_was_typed() {
    let bench = Bench::new(Engine::Sqlite);
    bench.write(
        "releases/v1.yaml",
        "steps:\n  x:\n    add: CREATE TABLE x (id integer)\n    rollback_add: DROP TABLE x\n",
    );
    bench.write("conf.d/other.yaml", "connection: sqlite://other.db\n");
    bench.ok("ff -e other");
    bench.ok("-e other rollback_add v1").says("next: triphase -e other add v1");
    let run = bench.ok("rollback_add v1 --env=other --json");
    assert!(run.stdout.contains(r#""next":"triphase --env=other add v1""#), "{}", run.stdout);
    bench.ends(3, "-e other check").says("help: triphase -e other add v1");
    bench.command("-e other plan ff").run().says("name it: triphase -e other add v1");
    bench.command("-e other ff").run().says("name it: triphase -e other add v1");
    bench.command("rollback_add v1").var("TRIPHASE_ENV", "other").run().exits(0).says("next: triphase add v1");
}

#[test]
fn a_question_that_gets_no_answer_ends_its_line() {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.ok("ff v1");
    bench.ok("add v2");
    bench.target("protected: true\n");
    let text = on_a_terminal(&bench, 100, "rollback_add v2");
    assert!(text.contains("type the target's name to go on: "), "{text}");
    assert!(text.lines().any(|line| line == "not confirmed"), "{text}");
    assert!(text.contains(": nothing was changed: run the same command again"), "{text}");
}
