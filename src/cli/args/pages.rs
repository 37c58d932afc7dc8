//! docs/commands/ and docs/environment.md against the command line: a page a command, made from the help, and every variable that stands for
//! a flag.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Cli;
use clap::{Arg, Command, CommandFactory as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

/// What stands at the top of every page.
const MADE: &str = "<!-- Made from the command line's help: UPDATE_GOLDEN=1 ./test --lib cli::args::pages -->\n\n";

fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn root() -> Command {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    root
}

/// A text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|").trim().to_owned()
}

fn about(command: &Command) -> String {
    command.get_about().unwrap().to_string()
}

/// `-p`, `--path FOLDER`, as typed.
fn spelt(arg: &Arg) -> String {
    let value = arg.get_num_args().is_some_and(|n| n.takes_values());
    let names: Vec<String> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = if value { format!(" {}", names.join(" ")) } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{value}`"),
        (None, Some(long)) => format!("`--{long}{value}`"),
        (_, None) => format!("`{}`", names.join(" ")),
    }
}

fn table(args: &[&Arg], out: &mut String) {
    out.push_str("| | |\n|---|---|\n");
    for arg in args {
        let mut what = cell(&arg.get_help().unwrap().to_string());
        let values: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !values.is_empty()
            && arg.get_num_args().is_some_and(|n| n.takes_values())
            && !arg.is_hide_possible_values_set()
        {
            write!(what, ": {}", values.join(", ")).unwrap();
        }
        let defaults: Vec<String> = arg.get_default_values().iter().map(|d| d.to_string_lossy().into_owned()).collect();
        let shown = !arg.is_hide_default_value_set() && arg.get_num_args().is_some_and(|n| n.takes_values());
        if shown && !defaults.is_empty() {
            write!(what, " (default: `{}`)", defaults.join(" ")).unwrap();
        }
        if let Some(variable) = arg.get_env() {
            write!(what, " (variable: `{}`)", variable.to_string_lossy()).unwrap();
        }
        writeln!(out, "| {} | {what} |", spelt(arg)).unwrap();
    }
    out.push('\n');
}

fn section(command: &Command, title: &str, level: usize, out: &mut String) {
    writeln!(out, "{} {title}\n\n{}.\n", "#".repeat(level), about(command)).unwrap();
    if let Some(long) = command.get_long_about() {
        let long = long.to_string();
        let more = long.strip_prefix(&about(command)).unwrap_or(&long).trim();
        if !more.is_empty() {
            writeln!(out, "{more}\n").unwrap();
        }
    }
    for alias in command.get_visible_aliases() {
        let other = title.strip_suffix(command.get_name()).unwrap_or_default();
        writeln!(out, "`{other}{alias}` is the same.\n").unwrap();
    }
    let usage = command.clone().render_usage().to_string();
    writeln!(out, "```\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()).unwrap();
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && arg.get_id() != "help" && arg.get_id() != "version")
        .collect();
    // What a command hands on to its subcommands (`repair --reason`) stands with the command.
    let own: Vec<&Arg> = own
        .into_iter()
        .chain(command.get_arguments().filter(|arg| arg.get_id() == "reason" && arg.is_global_set() && level == 1))
        .collect();
    if !own.is_empty() {
        table(&own, out);
    }
    if let Some(help) = command.get_after_help() {
        let help = help.to_string();
        let lines: Vec<&str> = help.lines().skip(1).map(str::trim).collect();
        writeln!(out, "```\n{}\n```\n", lines.join("\n")).unwrap();
    }
    for sub in command.get_subcommands() {
        let name = format!("{title} {}", sub.get_name());
        if matches!(command.get_name(), "plan" | "sql") {
            continue;
        }
        section(sub, &name, level + 1, out);
    }
    if matches!(command.get_name(), "plan" | "sql") {
        let names: Vec<String> =
            command.get_subcommands().map(|sub| format!("[`{0}`]({0}.md)", sub.get_name())).collect();
        writeln!(out, "It takes these commands, with their own flags: {}.\n", names.join(", ")).unwrap();
    }
}

/// Every page by its file's name.
fn pages() -> BTreeMap<String, String> {
    let root = root();
    let mut index = format!("{MADE}# Commands\n\n| | |\n|---|---|\n");
    let mut pages = BTreeMap::new();
    for command in root.get_subcommands() {
        let name = command.get_name();
        writeln!(index, "| [`{name}`]({name}.md) | {} |", cell(&about(command))).unwrap();
        let mut page = MADE.to_owned();
        section(command, &format!("triphase {name}"), 1, &mut page);
        page.push_str("Flags of every command: [commands](README.md#flags-of-every-command).\n");
        pages.insert(format!("{name}.md"), page);
    }
    index.push_str("\n## Flags of every command\n\nThey stand before or after the command.\n\n");
    table(&root.get_arguments().filter(|arg| arg.is_global_set()).collect::<Vec<_>>(), &mut index);
    index.push_str("Variables: [environment](../environment.md). Exit codes: [errors](../errors.md). What `--json` prints: [JSON](../json.md).\n");
    pages.insert("README.md".to_owned(), index);
    pages
}

#[test]
fn each_command_has_its_page() {
    let folder = docs().join("commands");
    let pages = pages();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let kept = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(kept == *text, "docs/commands/{name} is not the command's: UPDATE_GOLDEN=1 rewrites it");
    }
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains_key(&name), "docs/commands/{name} is no command's");
    }
}

#[test]
fn every_variable_that_stands_for_a_flag_is_in_the_table() {
    let text = fs::read_to_string(docs().join("environment.md")).unwrap();
    let rows: BTreeSet<(String, String)> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .filter(|(_, flag)| flag.starts_with("--"))
        .collect();
    let mut all = vec![root()];
    let mut flags = BTreeSet::new();
    while let Some(command) = all.pop() {
        all.extend(command.get_subcommands().cloned());
        for arg in command.get_arguments() {
            if let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) {
                flags.insert((variable.to_string_lossy().into_owned(), format!("--{long}")));
            }
        }
    }
    // It is one of several places that a target may come from (rule T2), and so is read there.
    flags.insert(("TRIPHASE_ENV".to_owned(), "--env".to_owned()));
    assert_eq!(rows, flags);
    for (variable, _) in &rows {
        assert!(variable.starts_with("TRIPHASE_"), "{variable}");
    }
}
