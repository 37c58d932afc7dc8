//! `shell` actions (rule F4): a file, run by the database's own client. What is particular to an engine's client is a row of
//! `CLIENTS`; an engine says when a file may run, and what shows on the server whose it is.

mod client;
mod mysql;
mod process;

pub use client::{Client, client, dump};
pub use process::{Ended, output, run};

use crate::{action::Action, model::Finding, target::Target};

/// What keeps these actions' files from being run: asked before anything runs.
pub fn unready<'a>(target: &Target, actions: impl IntoIterator<Item = &'a Action>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for action in actions {
        if let Action::Shell { file, .. } = action
            && let Err(finding) = client(target, file)
            && !findings.contains(&finding)
        {
            findings.push(finding);
        }
    }
    findings
}
