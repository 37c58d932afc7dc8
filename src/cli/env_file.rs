//! `--env-file`: variables from a file, on request only. What the environment has already wins. They serve target files, `TRIPHASE_ENV`
//! and `DATABASE_URL`, and the flags that have a variable.

use super::args::Cli;
use crate::model::{Class, Finding};
use clap::{
    Arg, ArgMatches, CommandFactory as _, FromArgMatches as _,
    builder::{OsStr, Resettable},
    parser::ValueSource,
};
use std::{collections::BTreeMap, ffi::OsString, path::Path};

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
    let read = match read(file) {
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

fn read(file: &Path) -> Result<BTreeMap<String, String>, Finding> {
    // Its own errors show the line that is wrong, which may hold a secret.
    let refuse = |why: String| {
        let message = format!("cannot read the file of variables `{}`: {why}", file.display());
        Finding::new(Class::Usage, "", message).way_out("--env-file names a file of lines NAME=value")
    };
    let lines = dotenvy::from_path_iter(file).map_err(|error| match error {
        dotenvy::Error::Io(error) => refuse(error.to_string()),
        _ => refuse("it is malformed".to_owned()),
    })?;
    let mut read = BTreeMap::new();
    for (number, line) in (1..).zip(lines) {
        let (name, value) = line.map_err(|_| refuse(format!("its variable number {number} is malformed")))?;
        read.insert(name, value);
    }
    Ok(read)
}
