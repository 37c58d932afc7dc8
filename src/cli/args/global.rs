//! Flags that every command has.

use super::duration;
use crate::{logging::Format, target::Secret};
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// A URL may hold a password.
#[expect(clippy::unnecessary_wraps, reason = "what a value parser is")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Flags of every command, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The project folder: conf.d and releases lie in it
    #[arg(
        short,
        long,
        global = true,
        value_name = "FOLDER",
        default_value = ".",
        env = "TRIPHASE_PATH",
        hide_env_values = true
    )]
    pub path: PathBuf,
    /// The target: a file of conf.d, without .yaml [or: TRIPHASE_ENV]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// The target's URL, instead of a file of conf.d
    #[arg(long, global = true, value_name = "URL", value_parser = secret)]
    pub conn: Option<Secret>,
    /// Say what would be done, as plan does; take no lock, write nothing
    #[arg(short, long, global = true)]
    pub noop: bool,
    /// Say more; twice: debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print JSON: one document, or one object a line while something runs
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer a protected target's question with yes
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// How long to wait for another run's lock
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        default_value = "60s",
        value_parser = duration,
        env = "TRIPHASE_WAIT_LOCK",
        hide_env_values = true
    )]
    pub wait_lock: Duration,
    /// How logs are written: text or json. With json and no --log-file, all that goes to standard error is JSON, an object a line
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "TRIPHASE_LOG_FORMAT",
        hide_env_values = true,
        hide_possible_values = true
    )]
    pub log_format: Format,
    /// Append logs to this file: what a run does, and how it ended
    #[arg(long, global = true, value_name = "FILE", env = "TRIPHASE_LOG_FILE", hide_env_values = true)]
    pub log_file: Option<PathBuf>,
    /// Read variables from this file, as far as the environment lacks them; no file is read otherwise
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}
