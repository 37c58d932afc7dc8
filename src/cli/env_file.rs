//! `--env-file`: variables from a file, on request only. What the environment has already wins. They serve target files, `TRIPHASE_ENV`
//! and `DATABASE_URL`, and the flags that have a variable.

mod lines;

use super::args::Cli;
use crate::model::{Class, Finding};
use clap::{
    Arg, ArgMatches, CommandFactory as _, FromArgMatches as _,
    builder::{OsStr, Resettable},
    parser::ValueSource,
};
use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

/// Parses a command line; where it names a file of variables, puts them into `vars` and gives the flags they stand for. The finding: why
/// that file can't be read.
///
/// # Errors
/// As clap says: usage, or that help was asked for.
pub fn parse(
    arguments: &[OsString],
    vars: &mut BTreeMap<String, String>,
) -> Result<(Cli, Option<Finding>), clap::Error> {
    let command = Cli::command().mut_args(without_empty);
    let matches = command.clone().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let Some(file) = &cli.global.env_file else { return Ok((cli, None)) };
    let read = match read(file, vars) {
        Ok(read) => read,
        Err(finding) => return Ok((cli, Some(finding))),
    };
    let mut again = arguments.to_vec();
    for arg in command.get_arguments() {
        let (Some(flag), Some(variable)) = (arg.get_long(), arg.get_env().and_then(|name| name.to_str())) else {
            continue;
        };
        if let Some(value) = read.get(variable).filter(|value| !value.is_empty())
            && !given(&matches, arg.get_id().as_str())
        {
            again.insert(1, format!("--{flag}={value}").into());
        }
    }
    for (name, value) in read {
        vars.entry(name).or_insert(value);
    }
    let matches = command.try_get_matches_from(again)?;
    Ok((Cli::from_arg_matches(&matches)?, None))
}

/// A variable that is set and empty says nothing, as pipelines hand on what nobody has filled in.
fn without_empty(arg: Arg) -> Arg {
    let empty = arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
    if empty { arg.env(Resettable::<OsStr>::Reset) } else { arg }
}

/// Whether a flag's value comes from the command line or the environment.
fn given(matches: &ArgMatches, id: &str) -> bool {
    let here = matches.try_contains_id(id).is_ok()
        && matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    here || matches.subcommand().is_some_and(|(_, inner)| given(inner, id))
}

fn read(file: &Path, vars: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Finding> {
    let refuse = |why: String| {
        let message = format!("cannot read the file of variables `{}`: {why}", file.display());
        Finding::new(Class::Usage, "", message).way_out("--env-file names a file of lines NAME=value")
    };
    let text = fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    lines::variables(&text, &|name| vars.get(name).cloned())
        .map_err(|found| refuse(format!("line {} is malformed: {}", found.line, found.why)))
}
