//! Target files and environment in (rules T1–T3).

use crate::{model::Finding, target::Target};
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
    let _ = choice;
    Err(vec![])
}
