//! Commands that are printed, as they must be typed to be about the same project and target as the one that was typed.

use super::{args::Cli, plan};
use clap::CommandFactory as _;

/// The flags that say where, each with its value, as they were typed.
fn place(typed: &[String]) -> Vec<String> {
    const SAYS_WHERE: [&str; 6] = ["-e", "--env", "--conn", "-p", "--path", "--env-file"];
    let mut flags: Vec<String> = vec![];
    let mut value = false;
    for word in typed {
        let word = if value { word.clone() } else { without_switches(word) };
        let joined = SAYS_WHERE.iter().any(|flag| {
            let rest = word.strip_prefix(flag);
            rest.is_some_and(|rest| rest.starts_with('=') || !flag.starts_with("--") && !rest.is_empty())
        });
        let flag = !value && SAYS_WHERE.contains(&word.as_str());
        match flags.last_mut().filter(|_| value) {
            Some(flag) => *flag = format!("{flag} {word}"),
            None if flag || joined => flags.push(word),
            None => {}
        }
        value = flag;
    }
    flags
}

/// A word of short flags without those before the one that has a value: `-e` of `-ye`.
fn without_switches(word: &str) -> String {
    plan::short(word).map_or_else(|| word.to_owned(), |(_, last)| format!("-{last}"))
}

/// The flags of a place that lead to a target: with one, `init` is another command, which adopts a database.
const TARGET: [&str; 5] = ["-e", "--env ", "--env=", "--conn ", "--conn="];

/// A text with the flags that say where in each of its commands, but for those that a command has already.
pub fn here(typed: &[String], text: &str) -> String {
    const PROGRAM: &str = "triphase ";
    let place = place(typed);
    if place.is_empty() {
        return text.to_owned();
    }
    let cli = Cli::command();
    let is_command = |rest: &str| {
        let word = rest.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).next().unwrap_or_default();
        cli.find_subcommand(word).is_some()
    };
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(PROGRAM) {
        said.push_str(before);
        said.push_str(PROGRAM);
        // A name that ends so is another program's.
        let begins = !said
            .strip_suffix(PROGRAM)
            .is_some_and(|said| said.ends_with(|c: char| c.is_alphanumeric() || "-_/.".contains(c)));
        // What was given as a reason is recorded as it was typed.
        let reason = said.rsplit_once("--reason '").is_some_and(|(_, reason)| !reason.contains('\''));
        // So is what another run was begun by.
        let begun =
            said.ends_with("`triphase ") && behind.split_once('`').is_some_and(|(_, on)| on.starts_with(" since "));
        if begins && !reason && !begun && is_command(behind) {
            let command = behind.split(PROGRAM).next().unwrap_or_default();
            let command = format!(" {} ", command.split(['\n', '`', ';']).next().unwrap_or_default().trim_end());
            let adopts = |flag: &&String| command.starts_with(" init") && TARGET.iter().any(|to| flag.starts_with(to));
            let there = |flag: &&String| command.contains(&format!(" {flag} "));
            for flag in place.iter().filter(|flag| !there(flag) && !adopts(flag)) {
                said.push_str(flag);
                said.push(' ');
            }
        }
        rest = behind;
    }
    said.push_str(rest);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_commands_are_for_the_same_target() {
        for (typed, text, said) in [
            ("triphase ff", "triphase add v3", "triphase add v3"),
            ("triphase -e dev ff", "triphase add v3", "triphase -e dev add v3"),
            ("triphase ff --env=dev -q", "after noon: triphase drop v2", "after noon: triphase --env=dev drop v2"),
            (
                "triphase -p shop -edev add v1",
                "`triphase check` says; triphase ff",
                "`triphase -p shop -edev check` says; triphase -p shop -edev ff",
            ),
            (
                "triphase -e dev ff",
                "triphase is here: see my-triphase add v1",
                "triphase is here: see my-triphase add v1",
            ),
            (
                "triphase ff -e dev",
                "answer beforehand: triphase ff -e dev --yes",
                "answer beforehand: triphase ff -e dev --yes",
            ),
            (
                "triphase -p shop ff -e dev",
                "triphase ff -e dev; else triphase show",
                "triphase -p shop ff -e dev; else triphase -p shop -e dev show",
            ),
            (
                "triphase -e prod -p shop --env-file v ff",
                "write a first release, or run triphase init",
                "write a first release, or run triphase -p shop --env-file v init",
            ),
            (
                "triphase -etest init",
                "for a project to begin with: triphase init, without -e and --conn",
                "for a project to begin with: triphase init, without -e and --conn",
            ),
            (
                "triphase -e dev repair done v1/a add --reason 'triphase add'",
                "to run it: triphase repair done v1/a add --reason 'triphase add' --yes",
                "to run it: triphase -e dev repair done v1/a add --reason 'triphase add' --yes",
            ),
            (
                "triphase -e dev unlock",
                "run R of ann@ci (pid 7), `triphase ff` since 2026: triphase unlock --force",
                "run R of ann@ci (pid 7), `triphase ff` since 2026: triphase -e dev unlock --force",
            ),
            ("triphase -ye dev ff", "triphase show", "triphase -e dev show"),
            ("triphase ff -vyedev", "triphase show", "triphase -edev show"),
            ("triphase ff -yv", "triphase show", "triphase show"),
            ("triphase -e dev ff", "run the same command again", "run the same command again"),
        ] {
            let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(here(&words, text), said);
        }
    }
}
