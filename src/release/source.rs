//! A release file's text, kept for what is found only once the ledger is read: where a step's handler stands in it.

use super::{
    Project, Step,
    yaml::{Document, Node},
};
use crate::{
    model::{Place, Verb},
    ops,
};
use std::sync::Arc;

/// A release file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path, relative to the project folder.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl Project {
    /// Where a step's handler stands: its key, or the operation's; the step's own where it has none. The file is read again for it, so that
    /// only what is refused pays for a place. `None` where no file has the step.
    pub fn place(&self, step: &Step, verb: Option<Verb>) -> Option<Place> {
        let source = self.sources.get(&step.id.release)?;
        let document = Document::read(&source.file, &source.text).ok()?;
        let top = document.top();
        let own = if step.id.is_hook() {
            entry(&top, |key| step.id.step.strip_prefix('@') == Some(key))?
        } else {
            entry(&entry(&top, |key| key == "steps")?, |key| key == step.name)?
        };
        let handler = entry(&own, |key| match (verb, &step.operation) {
            (_, Some(_)) => ops::spec(key).is_some(),
            (Some(verb), None) => key == verb.name(),
            (None, None) => false,
        });
        Some(handler.unwrap_or(own).key_place())
    }
}

/// A map's entry by its key.
fn entry<'a>(of: &Node<'a>, is: impl Fn(&str) -> bool) -> Option<Node<'a>> {
    // What is wrong with the file was found when it was read.
    of.entries(&mut vec![]).into_iter().find(|(key, _)| is(key)).map(|(_, node)| node)
}
