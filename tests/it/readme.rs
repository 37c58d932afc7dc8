//! The console blocks of README.md and of docs/concepts.md, run in order in a copy of the sample project, and compared with what they
//! show. A page's YAML blocks that begin with the name of a release file are that file.
//!
//! A line `$ triphase …` is a command, `$ sqlite3 …` another, `$ echo $?` the exit code of the one before; what follows is what both streams
//! say, in their order. `$ cd …` goes to another project of the repository, and `$ mkdir …` makes a folder there. `…` stands for anything
//! within a line; on a line by itself, for any number of lines. Other commands (`$ git …`) are for people.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

/// One command and what is shown below it.
struct Shown {
    /// Line of README.md, from 1.
    line: usize,
    /// What is typed.
    command: String,
    /// What it says, a line each.
    said: Vec<String>,
}

#[test]
fn the_commands_of_the_readme_say_what_it_shows() {
    said_as_shown("README.md");
}

/// Its captures are of a terminal of 100 columns.
#[test]
fn the_captures_of_the_concepts_are_what_a_person_sees() {
    said_as_shown("docs/concepts.md");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/concepts.md")).unwrap();
    for line in blocks(&text).iter().flat_map(|shown| &shown.said) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

fn said_as_shown(page: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = tempfile::tempdir().unwrap();
    for folder in ["releases", "conf.d", "examples"] {
        copy(&root.join(folder), &project.path().join(folder));
    }
    let text = fs::read_to_string(root.join(page)).unwrap();
    for (file, release) in releases(&text) {
        fs::write(project.path().join(file), release).unwrap();
    }
    let shown = blocks(&text);
    let mut at = project.path().to_owned();
    let mut code = 0;
    let mut ran = 0;
    for Shown { line, command, said } in shown {
        let text = if command == "echo $?" {
            format!("{code}\n")
        } else if let Some(folder) = command.strip_prefix("cd ") {
            // The one example is a lake.
            if cfg!(not(feature = "delta")) {
                break;
            }
            at.push(folder);
            continue;
        } else if let Some(folder) = command.strip_prefix("mkdir ") {
            let folder = at.join(folder);
            // Whoever tried the example in this checkout left one.
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            fs::create_dir(folder).unwrap();
            continue;
        } else if let Some(arguments) = command.strip_prefix("triphase ") {
            let (status, text) = run(&at, env!("CARGO_BIN_EXE_triphase"), &words(arguments));
            code = status;
            ran += 1;
            text
        } else if let Some(arguments) = command.strip_prefix("sqlite3 ") {
            run(project.path(), "sqlite3", &words(arguments)).1
        } else {
            continue;
        };
        let found: Vec<&str> = text.lines().collect();
        let expected: Vec<&str> = said.iter().map(String::as_str).collect();
        assert!(
            lines_match(&expected, &found),
            "{page}:{line}: `$ {command}` shows\n{}\n--- and says\n{text}",
            expected.join("\n")
        );
    }
    assert!(ran > 0, "{page} shows no command");
}

/// The release files that a page shows.
fn releases(text: &str) -> Vec<(String, String)> {
    let begun = text.split("```yaml\n# releases/").skip(1);
    let blocks = begun.map(|rest| rest.split_once("\n```").unwrap().0.split_once('\n').unwrap());
    blocks.map(|(file, release)| (format!("releases/{file}"), format!("{release}\n"))).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &name);
        } else {
            fs::copy(entry.path(), name).unwrap();
        }
    }
}

fn blocks(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            shown.push(Shown { line: at + 1, command: command.to_owned(), said: Vec::new() });
        } else if let (true, Some(last)) = (inside, shown.last_mut()) {
            last.said.push(line.to_owned());
        }
    }
    for one in &mut shown {
        // A blank line before the next command is for the eye.
        while one.said.last().is_some_and(String::is_empty) {
            one.said.pop();
        }
    }
    shown
}

/// A command line's words; what stands in quotes, of either kind, is one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => rest[1..].split_once(first).unwrap(),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// The exit code, and both streams in one, as on a terminal.
fn run(project: &Path, program: &str, arguments: &[String]) -> (i32, String) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(project)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("USER", "ann")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    // It holds the pipe's other end, which must go for the reading to end.
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code().unwrap_or(-1), text)
}

fn lines_match(expected: &[&str], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((&"…", rest)) => (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..])),
        Some((first, rest)) => {
            found.split_first().is_some_and(|(line, found)| matches(first, line.trim_end()) && lines_match(rest, found))
        }
    }
}

fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((before, rest)) => line.strip_prefix(before).is_some_and(|line| {
            line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| matches(rest, &line[at..]))
        }),
    }
}

#[test]
fn wildcards_stand_for_what_changes() {
    assert!(matches("  ✓ add v1/customer (…)", "  ✓ add v1/customer (12ms)"));
    assert!(matches("a … b … c", "a 1 b 2 c") && !matches("a … b", "a 1 c") && matches("…", ""));
    assert!(lines_match(&["a", "…", "c"], &["a", "b", "b", "c"]) && lines_match(&["…"], &[]));
    assert!(!lines_match(&["a"], &["a", "b"]));
    assert_eq!(
        words("repair accept v1/a --reason 'not  there'"),
        ["repair", "accept", "v1/a", "--reason", "not  there"]
    );
    assert_eq!(words("dev.db \"SELECT 'a b'\""), ["dev.db", "SELECT 'a b'"]);
}
