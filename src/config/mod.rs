//! Target files and environment in (rules T1–T3). Nothing here prints a secret: what findings show of a target file is blotted out
//! except for keys and harmless values.

mod choose;
mod file;
mod password;
mod tls;
mod url;
mod vars;

use crate::{
    model::{Class, Finding},
    target::Target,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Where to look for a target, in the order of rule T2.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// `--path`: the project folder.
    pub project: PathBuf,
    /// `--conn`.
    pub conn: Option<String>,
    /// `-e`.
    pub env: Option<String>,
    /// The process's environment.
    pub vars: BTreeMap<String, String>,
}

/// Finds and reads the target.
///
/// # Errors
/// Every finding of the target file, or that there is none, or that two name different places (T2). All of class usage.
pub fn target(choice: &Choice) -> Result<Target, Vec<Finding>> {
    choose::target(choice)
}

fn refuse(rule: &'static str, message: impl Into<String>, way_out: impl Into<String>) -> Finding {
    Finding::new(Class::Usage, rule, message).way_out(way_out)
}

/// A regular file's text: a pipe that nobody writes to would be waited for without an end.
fn text(path: &std::path::Path) -> Result<String, String> {
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text; save it as UTF-8".to_owned())
}
