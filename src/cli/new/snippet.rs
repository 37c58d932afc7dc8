//! A step as text.

use crate::model::{Dialect, Verb};

/// What a new step says.
#[derive(Default)]
pub struct Snippet<'a> {
    pub name: &'a str,
    pub description: Option<&'a str>,
    pub after: &'a [String],
    pub id: Option<&'a str>,
    pub engines: &'a [Dialect],
    /// None: a handler that changes nothing, with comments that say what belongs where.
    pub handlers: &'a [(Verb, &'a str)],
}

/// A statement that runs on every engine and changes nothing.
const NOTHING: &str = "SELECT 1";

impl Snippet<'_> {
    /// The step's lines: its name moved in by `indent` blanks, each level below by `by` more; every line ends with `end`.
    pub fn text(&self, indent: usize, by: usize, end: &str) -> String {
        let mut lines = vec![format!("{}:", scalar(self.name))];
        let mut key = |level: usize, text: String| lines.push(format!("{}{text}", " ".repeat(by * level)));
        if let Some(description) = self.description {
            key(1, format!("description: {}", scalar(description)));
        }
        if let Some(id) = self.id {
            key(1, format!("id: {}", scalar(id)));
        }
        if !self.after.is_empty() {
            let names: Vec<String> = self.after.iter().map(|name| quoted(name)).collect();
            key(1, format!("after: [{}]", names.join(", ")));
        }
        if self.handlers.is_empty() {
            key(1, "# Before the rollout: what the new application needs. The old one works on.".to_owned());
            self.handler(Verb::Add, NOTHING, true, &mut key);
            key(1, "# The way back from add.".to_owned());
            self.handler(Verb::RollbackAdd, NOTHING, true, &mut key);
            key(1, "# After the rollout, simdrop hides what only the old application needs, so that rollback_simdrop can bring".to_owned());
            key(1, "# it back; drop removes it for good. A step that only adds needs none of them.".to_owned());
        } else {
            for (verb, sql) in self.handlers {
                self.handler(*verb, sql.trim(), false, &mut key);
            }
        }
        lines.iter().map(|line| format!("{}{line}{end}", " ".repeat(indent))).collect()
    }

    fn handler(&self, verb: Verb, sql: &str, scaffold: bool, key: &mut impl FnMut(usize, String)) {
        // Asked, not run: nobody mistakes it for a change.
        let text = |level: usize, name: &str, key: &mut dyn FnMut(usize, String)| {
            if scaffold {
                key(level, format!("{name}:"));
                key(level + 1, format!("- expect: {sql}"));
            } else if plain(sql) {
                key(level, format!("{name}: {sql}"));
            } else {
                key(level, format!("{name}: |"));
                sql.lines().for_each(|line| key(level + 1, line.trim_end().to_owned()));
            }
        };
        if self.engines.is_empty() {
            text(1, verb.name(), key);
        } else {
            key(1, format!("{verb}:"));
            for engine in self.engines {
                text(2, engine.name(), key);
            }
            // Other engines, a development target's among them, pass it.
            key(2, "default: []".to_owned());
        }
    }
}

/// A text as a YAML value on one line: as it is, or in double quotes.
pub fn scalar(text: &str) -> String {
    if plain(text) { text.to_owned() } else { quoted(text) }
}

/// A text in a list in brackets, where a comma ends a plain one.
fn quoted(text: &str) -> String {
    // What JSON writes is YAML.
    if word(text) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn word(text: &str) -> bool {
    plain(text) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether YAML reads a text as it stands as that text.
fn plain(text: &str) -> bool {
    let shape =
        !text.contains(['\n', '\t', '\r']) && !text.contains(": ") && !text.contains(" #") && !text.ends_with(':');
    shape
        && text.starts_with(|c: char| c.is_alphabetic())
        && serde_yaml::from_str::<serde_yaml::Value>(text).is_ok_and(|value| value.as_str() == Some(text))
}
