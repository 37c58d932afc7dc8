//! A key's value as what it must be: a text with its variables filled in, a port, a duration, a list of names.

use super::Reader;
use crate::{
    config::{url::Wrong, vars},
    model::{Reach, Span},
    release::yaml::{Node, Tree, nearest},
    target::Secret,
};
use indexmap::IndexMap;

/// Who may write a lake beside triphase (rule D1).
const WRITERS: &[&str] = &["spark", "delta-rs"];
/// What can rewrite a lake's tables.
const REWRITERS: &[&str] = &["spark"];

impl Reader<'_> {
    /// What it gives, or a finding at the node.
    pub(super) fn or_refuse<T>(&mut self, node: &Node<'_>, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|(message, way_out)| self.findings.push(node.refuse("T1", message, way_out))).ok()
    }

    /// A text with its variables filled in.
    pub(super) fn text(&mut self, node: &Node<'_>) -> Option<String> {
        let Some(text) = node.text() else {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "text"));
            return None;
        };
        let filled = vars::fill(text, &self.choice.vars);
        self.or_refuse(node, filled)
    }

    pub(super) fn port(&mut self, node: &Node<'_>) -> Option<u16> {
        let text = match node.tree() {
            Tree::Number(text) => text.clone(),
            Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => self.text(node)?,
        };
        let port = text.parse::<u16>().ok().filter(|port| *port > 0);
        if port.is_none() {
            self.findings.push(node.refuse("T1", "`port` is no TCP port", "write a number from 1 to 65535"));
        }
        port
    }

    /// Whom the list names; each by its known name.
    pub(super) fn writers(&mut self, node: &Node<'_>) -> Vec<String> {
        if !matches!(node.tree(), Tree::List(_)) {
            self.findings.push(node.wrong("`writers`", "a list"));
        }
        let mut writers = vec![];
        for item in node.items() {
            match self.text(&item) {
                Some(name) if WRITERS.contains(&name.as_str()) => writers.push(name),
                Some(_) => {
                    let way_out = format!("write one of {}", WRITERS.join(", "));
                    self.findings.push(item.refuse("D1", "`writers` names one that is not known", way_out));
                }
                None => {}
            }
        }
        writers
    }

    pub(super) fn rewriters(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        let named = self.secrets(node);
        for (key, entry) in node.entries(&mut vec![]) {
            if !REWRITERS.contains(&key) {
                self.findings.push(entry.unknown(key, "`engine`", REWRITERS));
            }
        }
        named
    }

    pub(super) fn query(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        self.secrets(node)
    }

    /// A map of texts, any of which may be a secret.
    pub(super) fn secrets(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        if !matches!(node.tree(), Tree::Map(_)) {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "a map"));
        }
        let mut query = IndexMap::new();
        for (key, node) in node.entries(&mut self.findings) {
            if let Some(text) = self.text(&node) {
                query.insert(key.to_owned(), Secret::new(text));
            }
        }
        query
    }

    pub(super) fn binary_args(&mut self, node: &Node<'_>) -> Vec<String> {
        if !matches!(node.tree(), Tree::List(_)) {
            self.findings.push(node.wrong("`binary_args`", "a list"));
        }
        let mut args = vec![];
        for item in node.items() {
            match self.text(&item) {
                Some(arg) if arg.contains("{password}") => self.findings.push(item.refuse(
                    "F4",
                    "`{password}` in an argument would be shown to everyone on the host",
                    "take it away: the client gets the password by its environment",
                )),
                Some(arg) => args.push(arg),
                None => {}
            }
        }
        args
    }

    pub(super) fn vars(&mut self, node: &Node<'_>) -> IndexMap<String, serde_json::Value> {
        if !matches!(node.tree(), Tree::Map(_)) {
            self.findings.push(node.wrong("`vars`", "a map"));
        }
        let entries = node.entries(&mut self.findings);
        for (_, node) in entries.iter().filter(|(key, _)| vars::secret(key)) {
            self.findings.push(node.refuse_key(
                "F7",
                "a variable of templates holds no secret: what is filled in is stored in the ledger, and shown",
                "take it out; a role's password is set outside of migrations",
            ));
        }
        entries.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.value(&node)?))).collect()
    }

    pub(super) fn value(&mut self, node: &Node<'_>) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match node.tree() {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            Tree::Text(_) => Value::String(self.text(node)?),
            Tree::List(_) => Value::Array(node.items().filter_map(|item| self.value(&item)).collect()),
            Tree::Map(_) => {
                let entries = node.entries(&mut self.findings);
                Value::Object(
                    entries.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.value(&node)?))).collect(),
                )
            }
        })
    }

    pub(super) fn span(&mut self, node: &Node<'_>) -> Option<Span> {
        if let Tree::Number(_) = node.tree() {
            let message = format!("`{}` is a number without unit", node.path());
            self.findings.push(node.refuse("T1", message, "write 500ms, 2s, 15m, 1h or 30d"));
            return None;
        }
        let text = self.text(node)?;
        let span = Span::parse(&text).map_err(|message| (message, String::new()));
        self.or_refuse(node, span)
    }

    pub(super) fn bool(&mut self, node: &Node<'_>) -> Option<bool> {
        let text = match node.tree() {
            Tree::Bool(value) => return Some(*value),
            // A variable can only give text.
            Tree::Text(text) if text.contains("${") => self.text(node)?,
            Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => String::new(),
        };
        let value = text.parse().ok();
        if value.is_none() {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "true or false"));
        }
        value
    }

    pub(super) fn reach(&mut self, node: &Node<'_>) -> Option<Reach> {
        let text = self.text(node)?;
        let reach = Reach::parse(&text);
        if reach.is_none() {
            let names: Vec<_> = Reach::ALL.iter().map(|reach| reach.name()).collect();
            let way_out = match nearest(&text, &names) {
                Some(name) => format!("write `{name}`"),
                None => format!("write one of {}", names.join(", ")),
            };
            self.findings.push(node.refuse("T1", "`require_previous` is no phase that was passed", way_out));
        }
        reach
    }
}
