//! Completion: what a shell's script asks this binary while a person types, and that script. Targets, releases and steps come from the
//! project's files; nothing is connected to.

use super::{
    app::{App, Halt},
    args::{Cli, Completions, Shell},
};
use crate::{
    load,
    model::{Dialect, Phase, Verb},
    release::{self, Release},
};
use clap::{Command, CommandFactory as _};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
    env::Shells,
};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// The variable by which the script tells this binary to complete.
const VARIABLE: &str = "TRIPHASE_COMPLETE";

/// Answers a shell, where it is one that asks. `true`: answered, and nothing else is to be done. The scripts put `--` before the words that
/// are typed; a variable that somebody has exported by mistake must not turn every command into a completion.
pub fn answered(arguments: &[OsString]) -> bool {
    if arguments.get(1).is_none_or(|word| word != "--") {
        return false;
    }
    let folder = std::env::current_dir().ok();
    let answer = CompleteEnv::with_factory(command).var(VARIABLE).try_complete(arguments.to_vec(), folder.as_deref());
    // A message would land in the middle of what is being typed.
    answer.unwrap_or(true)
}

/// Prints a shell's script.
pub fn run(app: &App, args: &Completions) -> Result<u8, Halt> {
    let name = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let mut script = vec![];
    if let Some(shell) = Shells::builtins().completer(name) {
        shell.write_registration(VARIABLE, "triphase", "triphase", "triphase", &mut script)?;
    }
    app.print(|out| std::io::Write::write_all(out, &script))?;
    Ok(0)
}

/// The command line with a source for each value that files or the contract know, told by what the help calls the value.
fn command() -> Command {
    with_sources(Cli::command())
}

fn with_sources(command: Command) -> Command {
    command.mut_subcommands(with_sources).mut_args(|arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str().to_owned());
        let named = |names: fn() -> Vec<String>| ArgValueCompleter::new(move |typed: &OsStr| matching(typed, names()));
        match (arg.get_id().as_str(), name.as_deref()) {
            ("env", _) => arg.add(named(targets)),
            ("phase", _) => arg.add(named(phases)),
            ("verb", _) => arg.add(named(verbs)),
            ("engine", _) => arg.add(named(engines)),
            ("command", Some("COMMAND")) => arg.add(named(commands)),
            ("step", Some("VERSION/NAME")) => arg.add(named(releases_to_extend)),
            ("to", Some("vN|+1")) => arg.add(named(releases_or_next)),
            (_, Some("vN" | "R")) => arg.add(named(releases)),
            (_, Some("vN[/STEP]")) => arg.add(ArgValueCompleter::new(|typed: &OsStr| scopes(typed, false))),
            (_, Some("vN/STEP" | "OLD" | "NEW")) => {
                arg.add(ArgValueCompleter::new(|typed: &OsStr| scopes(typed, true)))
            }
            (_, _) => arg,
        }
    })
}

fn matching(typed: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*typed)).map(CompletionCandidate::new).collect()
}

/// Releases, and once one is typed in full its steps. `step`: a release alone is no answer.
fn scopes(typed: &OsStr, step: bool) -> Vec<CompletionCandidate> {
    let text = typed.to_string_lossy();
    let mut names = vec![];
    for release in read() {
        let version = release.version.as_str();
        let inside = text.split_once('/').map_or(&*text, |(before, _)| before) == version;
        if !step {
            names.push(version.to_owned());
        } else if !inside {
            names.push(format!("{version}/"));
        }
        if inside {
            let steps = release.steps.iter().filter(|step| !step.id.is_hook());
            names.extend(steps.map(|step| format!("{version}/{}", step.name)));
        }
    }
    matching(typed, names)
}

fn releases() -> Vec<String> {
    read().into_iter().map(|release| release.version.as_str().to_owned()).collect()
}

fn releases_or_next() -> Vec<String> {
    releases().into_iter().chain(["+1".to_owned()]).collect()
}

/// What a new step's name is put behind.
fn releases_to_extend() -> Vec<String> {
    releases().into_iter().map(|version| version + "/").collect()
}

fn engines() -> Vec<String> {
    Dialect::ALL.iter().map(|dialect| dialect.name().to_owned()).collect()
}

fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn phases() -> Vec<String> {
    Phase::ALL.iter().map(|phase| phase.name().to_owned()).collect()
}

fn verbs() -> Vec<String> {
    Verb::ALL.iter().map(|verb| verb.name().to_owned()).collect()
}

/// The releases of the project, as far as they can be read: names do not depend on the engine, nor on whether every handler is valid.
fn read() -> Vec<Release> {
    load::files(&folder()).map(|files| release::project(&files, Dialect::Sqlite).releases).unwrap_or_default()
}

fn targets() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder().join("conf.d")) else { return vec![] };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// The project folder of the line that is being typed: after `--` stand its words.
fn folder() -> PathBuf {
    let mut words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "-p" || text == "--path" {
            return words.next().map_or_else(|| ".".into(), PathBuf::from);
        }
        let joined = text.strip_prefix("--path=").or_else(|| text.strip_prefix("-p").filter(|rest| !rest.is_empty()));
        if let Some(path) = joined {
            return path.into();
        }
    }
    std::env::var_os("TRIPHASE_PATH").filter(|path| !path.is_empty()).map_or_else(|| ".".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_that_names_something_has_a_source() {
        let mut all = vec![command()];
        let mut sources = 0;
        while let Some(command) = all.pop() {
            all.extend(command.get_subcommands().cloned());
            for arg in command.get_arguments() {
                let names = arg.get_value_names().unwrap_or_default();
                let known = names.iter().any(|name| name.starts_with("vN") || *name == "PHASE");
                let has = arg.get::<ArgValueCompleter>().is_some();
                assert!(!known || has, "{} {arg}", command.get_name());
                sources += usize::from(has);
            }
        }
        assert!(sources > 20, "{sources}");
    }
}
