//! Flags of the commands that answer questions, write files, or describe triphase itself.

use super::{step, version};
use crate::{
    model::{Dialect, Verb, Version},
    plan::Scope,
};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Only what still waits for simdrop or drop, and for how long
    #[arg(long)]
    pub pending_contract: bool,
    /// What triphase keeps in the target: tables with their rows and size, lock files; in a lake also hidden columns and the like
    #[arg(long, conflicts_with = "pending_contract")]
    pub objects: bool,
}

/// `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Whether an application of release R may start: 0 if every add up to R is done, 3 if one is missing, 7 if a later release has begun to
    /// hide or remove what R needs
    #[arg(long, value_name = "R", value_parser = version)]
    pub app_release: Option<Version>,
}

/// `new`.
#[derive(Subcommand, Debug)]
pub enum New {
    /// Write a release that runs as it stands, and say where it comes in order
    ///
    /// Versions are `v`, then components split at `.`, `-` or `_`. Numbers compare as numbers and before words: v2 before v10, v1 before
    /// v1-2 before v1-rc1.
    #[command(
        after_help = "Examples:\n  triphase new release v3 --description 'Split the name'\n  triphase new release v3 --folder --step names"
    )]
    Release(NewRelease),
    /// Add a step to a release, which is written where it is missing; what stands in the file is left as it is
    #[command(
        after_help = "Examples:\n  triphase new step v3/names --description 'Split the name'\n  triphase new step v3/email --add 'ALTER TABLE \
                      customer ADD COLUMN email text' --rollback-add 'ALTER TABLE customer DROP COLUMN email'"
    )]
    Step(NewStep),
}

/// `new release`.
#[derive(Args, Debug)]
pub struct NewRelease {
    /// The release's version
    #[arg(value_name = "VERSION", value_parser = version)]
    pub version: Version,
    /// What the release is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A folder with its release.yaml, for SQL files beside it
    #[arg(long)]
    pub folder: bool,
    /// Its first step's name; the version and `_change`, if left out, since a step's name is unique in the project
    #[arg(long, value_name = "NAME")]
    pub step: Option<String>,
    /// An engine that the handlers are written for; may be given again. Handlers for all engines alike, if left out
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub engine: Vec<Dialect>,
}

/// `new step`.
#[derive(Args, Debug)]
pub struct NewStep {
    /// The release and the new step's name
    #[arg(value_name = "VERSION/NAME", value_parser = step)]
    pub step: Scope,
    /// What the step is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A step of the release that must come before it; may be given again
    #[arg(long, value_name = "STEP")]
    pub after: Vec<String>,
    /// Its persistent identity, if that is not to be its name
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// An engine that the handlers are written for; may be given again. Handlers for all engines alike, if left out
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub engine: Vec<Dialect>,
    /// The SQL that expands. Without any handler, one that changes nothing is written, with comments that say what belongs where
    #[arg(long, value_name = "SQL")]
    pub add: Option<String>,
    /// The SQL that takes the add back
    #[arg(long, value_name = "SQL", requires = "add")]
    pub rollback_add: Option<String>,
    /// The SQL that hides the old
    #[arg(long, value_name = "SQL")]
    pub simdrop: Option<String>,
    /// The SQL that brings it back
    #[arg(long, value_name = "SQL", requires = "simdrop")]
    pub rollback_simdrop: Option<String>,
    /// The SQL that removes the old for good
    #[arg(long, value_name = "SQL")]
    pub drop: Option<String>,
}

impl NewStep {
    /// The handlers that were given, in the order of a step's life.
    pub fn handlers(&self) -> Vec<(Verb, &str)> {
        let given = |verb: &Verb| match verb {
            Verb::Add => self.add.as_deref(),
            Verb::Simdrop => self.simdrop.as_deref(),
            Verb::Drop => self.drop.as_deref(),
            Verb::RollbackSimdrop => self.rollback_simdrop.as_deref(),
            Verb::RollbackAdd => self.rollback_add.as_deref(),
        };
        Verb::ALL.iter().filter_map(|verb| Some((*verb, given(verb)?))).collect()
    }
}

/// `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// The shells that completion is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash 4.4 and later.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// `man`.
#[derive(Args, Debug)]
pub struct Man {
    /// A command whose page is printed; triphase's own, if left out
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write all pages to this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub out: Option<PathBuf>,
}

/// `schema`.
#[derive(Args, Debug)]
pub struct Schema {
    /// What it describes: release files, target files, or what --json prints
    pub of: SchemaOf,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Files in releases/.
    Release,
    /// Files in conf.d/.
    Target,
    /// Every document and line that --json prints.
    Output,
}

fn engine(text: &str) -> Result<Dialect, String> {
    let known = || Dialect::ALL.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
    Dialect::parse(text).ok_or_else(|| format!("`{text}` is no engine: write one of {}", known()))
}
