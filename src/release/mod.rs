//! Release files: text → tree → releases and every finding, located (rules F1–F9). Pure: files come in through a [`Files`].

mod handler;
mod locate;
mod names;
mod operation;
mod order;
mod source;
mod step;
mod syntax;
mod template;
pub(crate) mod yaml;

use crate::{
    action::{Checksum, Handlers},
    model::{Class, Dialect, Finding, Phase, StepId, Verb, Version},
    ops::Operation,
};
use handler::Reading;
pub use source::Source;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use yaml::{Document, Tree};

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
    /// What it does. A verb without handler, or with an empty one, is empty. Of an operation: what is usual, until it is derived.
    pub handlers: Handlers,
    /// The declarative operation that it is; `None`: it is handwritten.
    pub operation: Option<Declared>,
}

/// A declarative operation as a step states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The operation, this engine's texts chosen.
    pub operation: Operation,
    /// Over its fields, for all phases together (rule O4).
    pub checksum: Checksum,
    /// It may keep somebody from working (rule O3).
    pub allow_blocking: bool,
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
    /// The releases that findings are about: what they hold is not known, and nothing follows from what they seem to lack.
    pub unsound: BTreeSet<Version>,
    /// The files that the releases were read from.
    pub sources: BTreeMap<Version, Source>,
    /// The dialect that they were read for, where they would be read otherwise for another one of the same URL's.
    pub read_for: Option<Dialect>,
}

impl Project {
    /// Whether a release's file could be read, all of it.
    pub fn is_sound(&self, version: &Version) -> bool {
        !self.unsound.contains(version)
    }

    /// A release by its version.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        let at = self.releases.binary_search_by(|release| release.version.cmp(version)).ok()?;
        self.releases.get(at)
    }

    /// A step by its identity.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.release(&id.release)?.steps.iter().find(|s| s.id == *id)
    }
}

/// A project's files. All paths are relative to the project folder, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every file and folder below `releases/`, sorted by path; folders end with `/`.
    pub entries: Vec<String>,
    /// The texts of release files and of every file that one names, as far as they could be read.
    pub texts: BTreeMap<String, Arc<str>>,
    /// Files that are there and could not be read, and why.
    pub unread: BTreeMap<String, String>,
    /// What templates are filled in with (rule F7): the target's `vars`.
    pub vars: indexmap::IndexMap<String, serde_json::Value>,
}

/// The release files among [`Files::entries`]: what to read first.
pub fn release_files(entries: &[String]) -> Vec<String> {
    names::releases(entries, &mut vec![]).into_iter().map(|(_, file)| file).collect()
}

/// The files that the releases in [`Files::texts`] name (`sql_file`, `shell`): what to read next. Each once; none outside the project.
pub fn named_files(files: &Files) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for file in release_files(&files.entries) {
        let Some(text) = files.texts.get(&file) else { continue };
        // Most releases name no file, and need not be read twice.
        if ["sql_file", "shell"].iter().any(|key| text.contains(key))
            && let Ok(document) = Document::read(&file, text)
        {
            collect_files(document.top().tree(), &file, &mut named);
        }
    }
    named
}

fn collect_files(tree: &Tree, release_file: &str, named: &mut BTreeSet<String>) {
    match tree {
        Tree::Map(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("sql_file" | "shell", Tree::Text(name)) => named.extend(handler::resolve(release_file, name)),
                    (_, value) => collect_files(value, release_file, named),
                }
            }
        }
        Tree::List(items) => items.iter().for_each(|item| collect_files(item, release_file, named)),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {}
    }
}

/// Reads a project's releases for one dialect. Never fails: what is wrong is in [`Project::findings`].
pub fn project(files: &Files, dialect: Dialect) -> Project {
    let mut findings = vec![];
    let mut documents = vec![];
    let mut unsound = BTreeSet::new();
    let mut sources = BTreeMap::new();
    for (version, file) in names::releases(&files.entries, &mut findings) {
        let document = match files.texts.get(&file) {
            Some(text) => Document::read(&file, text),
            None => {
                let why = files.unread.get(&file).map_or("it is gone", String::as_str);
                Err(Box::new(Finding::new(Class::Usage, "F8", format!("{file} can't be read: {why}"))))
            }
        };
        match document {
            Ok(document) => {
                if let Some(text) = files.texts.get(&file) {
                    let source = Source { file: file.as_str().into(), text: text.clone() };
                    sources.insert(version.clone(), source);
                }
                documents.push((version, file, document));
            }
            Err(finding) => {
                findings.push(*finding);
                unsound.insert(version);
            }
        }
    }
    let releases = Vec::with_capacity(documents.len());
    let mut project = Project { releases, findings, unsound, sources, read_for: None };
    let mut ids: HashMap<String, StepId> = HashMap::new();
    for (version, file, document) in &documents {
        let mut found = vec![];
        let mut reading = Reading { files, dialect, release: version, file, findings: &mut found, template: None };
        let body = step::release(&document.top(), &mut reading);
        unique(&body.steps, &mut ids, &mut found);
        let steps = order::ordered(body.steps, &mut found);
        let steps = body.before.into_iter().chain(steps.into_iter().map(|draft| draft.step)).chain(body.after);
        project.releases.push(Release {
            version: version.clone(),
            description: body.description,
            steps: steps.collect(),
        });
        found.sort_by_key(|finding| {
            finding.place.as_ref().map_or(0, |place| if *place.file == **file { place.span.start } else { usize::MAX })
        });
        if !found.is_empty() {
            project.unsound.insert(version.clone());
        }
        project.findings.append(&mut found);
    }
    project
}

/// Ids are unique in the project, and `vN/step` is one step, whether it is called by its name or by its id (rule F5).
fn unique(drafts: &[step::Draft<'_>], ids: &mut HashMap<String, StepId>, findings: &mut Vec<Finding>) {
    for draft in drafts {
        let id = &draft.step.id;
        let name = StepId::new(id.release.clone(), draft.step.name.clone());
        if let Some(other) = ids.get(&id.step) {
            let message = format!("the id `{}` is that of step `{other}` already", id.step);
            findings.push(draft.id.refuse_key("F5", message, "give this step an `id` of its own, or rename it"));
        } else {
            ids.insert(id.step.clone(), name);
        }
        let named = drafts.iter().find(|other| other.step.id != *id && other.step.id.step == draft.step.name);
        if let Some(other) = named {
            let message =
                format!("the name `{}` is the id of step `{}/{}`", draft.step.name, id.release, other.step.name);
            findings.push(draft.id.refuse_key("F5", message, "give one of the two another name"));
        }
    }
}

#[cfg(test)]
mod tests;
