//! The one reader of YAML: text → [`Tree`], and [`Node`], a place in that tree which can say where it stands in the text.
//!
//! A tree keeps the order of keys and both of two equal keys, so that a duplicate is seen. It keeps no places: those are found by
//! [`super::locate`], once there is something to say about one.

use super::{
    locate::{self, At},
    syntax::{self, Fault, OURS},
};
use crate::model::{Class, Finding, Place};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::{collections::HashMap, fmt, sync::Arc};

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in its usual spelling.
    Number(String),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// A map in file order, duplicates included.
    Map(Vec<(String, Self)>),
}

/// A file's text and tree. No `Debug`: a target file's text holds passwords.
#[derive(Clone)]
pub struct Document {
    file: Arc<str>,
    text: Arc<str>,
    /// What findings may show of the text: as long as it, byte for byte.
    shown: Arc<str>,
    tree: Tree,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Where the text is no YAML, holds several documents, a tag, or a key that is no text.
    pub fn read(file: &str, text: &Arc<str>) -> Result<Self, Box<Finding>> {
        Self::read_shown(file, text, text)
    }

    /// Reads a file whose findings show `shown` in place of `text`: the same with secrets blotted out, each character by one of the same
    /// length, so that places agree.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn read_shown(file: &str, text: &Arc<str>, shown: &Arc<str>) -> Result<Self, Box<Finding>> {
        let file: Arc<str> = file.into();
        let refuse = |message: String, way_out: String, start: usize| {
            let end = line_end(text, start);
            let place = Place { file: file.clone(), source: shown.clone(), span: start..end, path: String::new() };
            Box::new(Finding::new(Class::Usage, "F8", message).way_out(way_out).at(place))
        };
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let tree = match documents.next() {
            None => Tree::Null,
            Some(document) => Seed.deserialize(document).map_err(|error| {
                let Fault { message, way_out, start } = syntax::fault(text, &error);
                refuse(message, way_out, start)
            })?,
        };
        if documents.next().is_some() {
            let start = text.rfind("\n---").map_or(0, |at| at + 1);
            let message = "the file holds several YAML documents; only one is read".to_owned();
            return Err(refuse(message, "make them two files, or take the `---` away".to_owned(), start));
        }
        Ok(Self { file, text: text.clone(), shown: shown.clone(), tree })
    }

    /// The top of the tree.
    pub const fn top(&self) -> Node<'_> {
        Node { document: self, tree: &self.tree, trail: Vec::new() }
    }
}

fn line_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.lines().next().map_or(0, |line| line.trim_end().len())
}

/// One value of a document, and the way to it.
#[derive(Clone)]
pub struct Node<'a> {
    document: &'a Document,
    tree: &'a Tree,
    trail: Vec<At<'a>>,
}

impl<'a> Node<'a> {
    /// The value.
    pub const fn tree(&self) -> &'a Tree {
        self.tree
    }

    /// The value, if it is text.
    pub const fn text(&self) -> Option<&'a str> {
        match self.tree {
            Tree::Text(text) => Some(text.as_str()),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// What kind of value this is, with its article.
    pub const fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Null => "nothing",
            Tree::Bool(_) => "true or false",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }

    /// A list's items; none where this is no list.
    pub fn items(&self) -> impl Iterator<Item = Node<'a>> + '_ {
        let items: &'a [Tree] = match self.tree {
            Tree::List(items) => items,
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Map(_) => &[],
        };
        items.iter().enumerate().map(|(n, tree)| self.child(At::Item(n), tree))
    }

    /// A map's entries in file order, each key once: a second one of the same name is refused. None where this is no map.
    pub fn entries(&self, findings: &mut Vec<Finding>) -> Vec<(&'a str, Node<'a>)> {
        let Tree::Map(entries) = self.tree else { return vec![] };
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
        let mut once = Vec::with_capacity(entries.len());
        for (key, tree) in entries {
            let count = seen.entry(key.as_str()).or_insert(0);
            let node = self.child(At::Key(key, *count), tree);
            if *count == 0 {
                once.push((key.as_str(), node));
            } else {
                let first = self.child(At::Key(key, 0), tree).key_place().line();
                findings.push(node.refuse_key(
                    "F8",
                    format!("`{key}` stands here twice, first in line {first}"),
                    "keep one of them",
                ));
            }
            *count += 1;
        }
        once
    }

    fn child(&self, at: At<'a>, tree: &'a Tree) -> Self {
        let mut trail = Vec::with_capacity(self.trail.len() + 1);
        trail.extend_from_slice(&self.trail);
        trail.push(at);
        Node { document: self.document, tree, trail }
    }

    /// The path inside the file, as `steps.customer_names.add[1].sql`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for at in &self.trail {
            match at {
                At::Key(key, _) if path.is_empty() => path.push_str(key),
                At::Key(key, _) => {
                    path.push('.');
                    path.push_str(key);
                }
                At::Item(n) => path.push_str(&format!("[{n}]")),
            }
        }
        path
    }

    /// Where the value stands.
    pub fn place(&self) -> Place {
        let start = locate::value(&self.document.text, &self.trail);
        let end = match self.tree {
            Tree::Text(text) if self.document.text[start..].starts_with(text.as_str()) => start + text.len(),
            Tree::Null if self.trail.last().is_some_and(|at| matches!(at, At::Key(..))) => return self.key_place(),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                line_end(&self.document.text, start)
            }
        };
        self.at(start..end)
    }

    /// Where the key of this value stands; the value itself where it has none.
    pub fn key_place(&self) -> Place {
        let Some(At::Key(key, _)) = self.trail.last() else {
            let start = locate::value(&self.document.text, &self.trail);
            return self.at(start..line_end(&self.document.text, start));
        };
        let start = locate::key(&self.document.text, &self.trail);
        let quotes = usize::from(self.document.text[start..].starts_with(['"', '\''])) * 2;
        let end = (start + key.len() + quotes).min(line_end(&self.document.text, start));
        self.at(start..end.max(start))
    }

    /// Where a part of this text stands, as near as the scalar's style allows.
    pub fn part(&self, part: &std::ops::Range<usize>) -> Place {
        let start = locate::value(&self.document.text, &self.trail);
        let found = self.text().and_then(|value| locate::inside(&self.document.text, start, value, part.start));
        match found {
            Some(at) => self.at(at..line_end(&self.document.text, at).min(at + part.len()).max(at)),
            None => self.place(),
        }
    }

    fn at(&self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.document.file.clone(), source: self.document.shown.clone(), span, path: self.path() }
    }

    /// Refuses the value.
    pub fn refuse(&self, rule: &'static str, message: impl Into<String>, way_out: impl Into<String>) -> Finding {
        Finding::new(Class::Usage, rule, message).way_out(way_out).at(self.place())
    }

    /// Refuses the key.
    pub fn refuse_key(&self, rule: &'static str, message: impl Into<String>, way_out: impl Into<String>) -> Finding {
        Finding::new(Class::Usage, rule, message).way_out(way_out).at(self.key_place())
    }

    /// Refuses the value for its kind.
    pub fn wrong(&self, what: &str, wanted: &str) -> Finding {
        let way_out = match self.tree {
            Tree::Bool(_) | Tree::Number(_) if wanted == "text" => "put it in quotes",
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => "",
        };
        self.refuse("F8", format!("{what} must be {wanted}, not {}", self.kind()), way_out)
    }

    /// Refuses a key that is none of `known`, with the nearest of them.
    pub fn unknown(&self, key: &str, of: &str, known: &[&str]) -> Finding {
        let way_out = match nearest(key, known) {
            Some(name) => format!("write `{name}`"),
            // `{add: CREATE TABLE t (i int, j int)}`
            None if matches!(self.tree, Tree::Null) && key.contains([' ', '(', ')']) => {
                "a comma ends a value inside `{…}`: put the text in quotes, or below its key after `|`".to_owned()
            }
            None => format!("known here: {}", known.join(", ")),
        };
        self.refuse_key("F8", format!("unknown key `{key}` in {of}"), way_out)
    }
}

/// The name that was probably meant.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&word, name), *name))
        // Of two as near, the one that begins alike: `ad` is `add`, not `id`.
        .min_by_key(|(distance, name)| (*distance, name.chars().next() != word.chars().next()))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .map(|(_, name)| name)
}

struct Seed;

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Tree;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Tree;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    /// A document of nothing but comments.
    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut items = vec![];
        while let Some(item) = from.next_element_seed(Seed)? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut entries = vec![];
        while let Some(key) = from.next_key_seed(Key)? {
            entries.push((key, from.next_value_seed(Seed)?));
        }
        Ok(Tree::Map(entries))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Tree, A::Error> {
        Err(de::Error::custom(format!(
            "{OURS}a YAML tag (`!…`) has no meaning here; put text that starts with `!` in quotes"
        )))
    }
}

/// A key, which must be text: `1`, `true` and `null` would be shown otherwise than written.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_any(self)
    }
}

fn no_key<E: de::Error>(what: &str) -> Result<String, E> {
    Err(E::custom(format!("{OURS}a key must be text, not {what}; put it in quotes")))
}

impl<'de> Visitor<'de> for Key {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }
    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        no_key("nothing")
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
        no_key("true or false")
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
        no_key("a number")
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<String, E> {
        no_key("a number")
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
        no_key("a number")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        no_key("a list")
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        no_key("a map")
    }
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        no_key("a YAML tag")
    }
}
