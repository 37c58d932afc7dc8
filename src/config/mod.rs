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
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Where to look for a target, in the order of rule T2.
#[derive(Clone, Default)]
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

impl fmt::Debug for Choice {
    /// A URL may hold a password, and so may any variable of the environment: their names alone are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("project", &self.project)
            .field("conn", &self.conn.as_ref().map(|_| "***"))
            .field("env", &self.env)
            .field("vars", &self.vars.keys())
            .finish()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_debug() {
        let choice = Choice {
            conn: Some("postgres://a:hunter2@h/d".to_owned()),
            vars: [("PGPASSWORD".to_owned(), "hunter2".to_owned())].into(),
            ..Choice::default()
        };
        let shown = format!("{choice:?}");
        assert!(shown.contains("PGPASSWORD") && !shown.contains("hunter2"), "{shown}");
    }
}
