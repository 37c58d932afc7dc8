//! What shells complete, asked in the shells themselves; and the manual pages, read by the formatter.

use crate::{
    harness::{Bench, Engine},
    scenarios::releases::sample,
};
use std::{path::Path, process::Command};

/// A project with two targets and three releases.
fn project() -> Bench {
    let bench = Bench::new(Engine::Sqlite);
    sample(&bench);
    bench.write("conf.d/production.yaml", "connection: sqlite://production.db\n");
    bench
}

/// What a shell says, the binary in its path.
fn shell(bench: &Bench, name: &str, args: &[&str]) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_triphase")).parent().unwrap().display().to_string();
    let output = Command::new(name)
        .args(args)
        .current_dir(bench.dir())
        .env_clear()
        .env("PATH", format!("{binary}:{}", std::env::var("PATH").unwrap()))
        .env("HOME", bench.dir())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}; install the Debian package `{name}`"));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
    said
}

/// What is typed, and what it may become.
const TYPED: &[(&str, &[&str])] = &[
    ("triphase add v", &["v1", "v2", "v3"]),
    ("triphase plan simdrop v2/", &["v2/names", "v2/names_index"]),
    ("triphase repair accept v1/a", &["v1/ada"]),
    ("triphase -e ", &["production", "test"]),
    ("triphase --env prod", &["production"]),
    ("triphase check --app-release v3", &["v3"]),
    ("triphase ff --phase s", &["simdrop"]),
    ("triphase compl", &["completions"]),
    ("triphase new step v3", &["v3/"]),
    ("triphase new release v4 --engine m", &["mariadb", "mysql"]),
    ("triphase man un", &["unlock"]),
    ("triphase -p nowhere add v", &[]),
];

fn compare(typed: &str, said: &str, expected: &[&str]) {
    let mut found: Vec<&str> = said.split_whitespace().collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{typed}");
}

#[test]
fn bash_completes_targets_releases_and_steps() {
    let bench = project();
    for (typed, expected) in TYPED {
        let words: Vec<&str> = typed.split(' ').collect();
        // As bash calls it: the command, the word that is typed, the one before.
        let script = r#"
            source <(triphase completions bash)
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            "$(complete -p triphase | sed 's/.*-F \([^ ]*\) .*/\1/')" triphase "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "${COMPREPLY[*]}""#;
        let mut args = vec!["--norc", "-c", script, "bash"];
        args.extend(&words);
        compare(typed, &shell(&bench, "bash", &args), expected);
    }
}

#[test]
fn zsh_completes_targets_releases_and_steps() {
    let bench = project();
    for (typed, expected) in TYPED {
        // The widgets of an interactive shell are stood in for: what they are handed is printed.
        let script = r#"
            compdef() { WIDGET=$1 }
            _describe() { local trail=""; (( ${@[(I)-S]} )) && trail=/; local one; for one in "${(@P)3}"; do print -r -- "${one%%:*}$trail"; done }
            source <(triphase completions zsh)
            words=("$@"); CURRENT=$#
            $WIDGET
            true"#;
        let mut args = vec!["-f", "-c", script, "zsh"];
        args.extend(typed.split(' '));
        compare(typed, &shell(&bench, "zsh", &args), expected);
    }
}

#[test]
fn fish_completes_targets_releases_and_steps() {
    let bench = project();
    for (typed, expected) in TYPED {
        let script = format!("triphase completions fish | source; complete --do-complete '{typed}'");
        let said = shell(&bench, "fish", &["--no-config", "-c", &script]);
        // A description stands behind a tab.
        let names: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
        compare(typed, &names.join(" "), expected);
    }
}

#[test]
fn manual_pages_are_sound() {
    let bench = Bench::new(Engine::Sqlite);
    let said = bench.ok("man --out pages");
    assert!(said.stdout.lines().count() > 30, "{}", said.stdout);
    for entry in std::fs::read_dir(bench.dir().join("pages")).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-Kutf8", "-P-cbou"])
            .arg(&path)
            .output()
            .expect("groff is missing: install the Debian package `groff-base`");
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", path.display());
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.contains("SYNOPSIS") && page.contains("Example") && page.contains("TRIPHASE_PATH"), "{page}");
    }
    let one = bench.ok("man plan rollback-add");
    assert_eq!(one.stdout, std::fs::read_to_string(bench.dir().join("pages/triphase-plan-rollback_add.1")).unwrap());
    bench.ends(2, "man plan nothing").says("it has ff, add");
}
