//! A handler: engine maps, lists of actions, SQL text (rules F2, F3, F9), and its checksum (rule L7).

use super::{
    Files,
    template::{Template, without_comments},
    yaml::{Node, Tree},
};
use crate::{
    action::{Action, Checksum, Handler},
    model::{Class, Dialect, Finding, Label, Place, Verb, Version, Way},
    sql,
};
use std::{borrow::Cow, sync::Arc};

/// What reading a release needs to know, and where findings go.
pub(super) struct Reading<'r> {
    pub(super) files: &'r Files,
    pub(super) dialect: Dialect,
    pub(super) release: &'r Version,
    /// The release file, relative to the project folder.
    pub(super) file: &'r str,
    pub(super) findings: &'r mut Vec<Finding>,
    /// Fills in texts, where the release asks for it (rule F7).
    pub(super) template: Option<Template>,
}

/// What a list's entry may hold.
const ACTION_KEYS: &[&str] = &["sql", "sql_file", "expect", "shell", "transaction", "done_when"];
const DEFAULT: &str = "default";

/// Reads what stands under a verb. `None` where it was refused.
pub(super) fn read(node: &Node<'_>, verb: Verb, reading: &mut Reading<'_>) -> Option<Handler> {
    match node.tree() {
        Tree::Map(_) => engine_map(node, verb, reading),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => one(node, verb, true, reading),
    }
}

fn engine_map(node: &Node<'_>, verb: Verb, reading: &mut Reading<'_>) -> Option<Handler> {
    let known: Vec<&str> = Dialect::ALL.iter().map(|d| d.name()).chain([DEFAULT]).collect();
    let entries = node.entries(reading.findings);
    if let Some((key, _)) = entries.iter().find(|(key, _)| ACTION_KEYS.contains(key)) {
        reading.findings.push(node.refuse_key(
            "F2",
            format!("`{verb}` is a map from engine to handler, and `{key}` is no engine"),
            format!("put actions into a list: `- {key}: …`"),
        ));
        return None;
    }
    let mut wanted = vec![reading.dialect.name(), DEFAULT];
    if reading.dialect == Dialect::Mariadb {
        wanted.insert(1, Dialect::Mysql.name());
    }
    let chosen = wanted.iter().find(|name| entries.iter().any(|(key, _)| key == *name)).copied();
    let mut handler = None;
    let mut clean = true;
    for (key, entry) in &entries {
        if !known.contains(key) {
            clean = false;
            reading.findings.push(entry.unknown(key, &format!("the engines of `{verb}`"), &known));
        } else if matches!(entry.tree(), Tree::Map(_)) {
            clean = false;
            let message = format!("`{key}` under `{verb}` must be SQL text or a list of actions, not a map");
            reading.findings.push(entry.refuse("F2", message, "put a single action into a list"));
        } else if Some(*key) == chosen {
            handler = one(entry, verb, true, reading);
        } else {
            // Another engine's handler: its keys and files are checked, its SQL is that engine's.
            one(entry, verb, false, reading);
        }
    }
    if chosen.is_none() && clean {
        reading.findings.push(node.refuse_key(
            "F2",
            format!("`{verb}` has nothing for {} and no `default`", reading.dialect),
            format!("add `{}: …`, or `default: []` for nothing", reading.dialect),
        ));
    }
    handler
}

/// Text or a list. `ours`: it is for this target, so its SQL is read too.
fn one(node: &Node<'_>, verb: Verb, ours: bool, reading: &mut Reading<'_>) -> Option<Handler> {
    let before = reading.findings.len();
    let mut parts = Parts { dialect: reading.dialect, actions: vec![], canonical: vec![] };
    match node.tree() {
        Tree::Text(_) => sql_text(node, &Options::default(), ours, &mut parts, reading),
        Tree::List(_) => {
            for item in node.items() {
                match item.tree() {
                    Tree::Text(_) => sql_text(&item, &Options::default(), ours, &mut parts, reading),
                    Tree::Map(_) => action(&item, ours, &mut parts, reading),
                    Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) => {
                        reading.findings.push(item.wrong("an action", "SQL text or a map"));
                    }
                }
            }
        }
        Tree::Null => reading.findings.push(node.refuse_key(
            "F2",
            format!("`{verb}` is empty"),
            "write SQL, or [] for nothing here",
        )),
        Tree::Bool(_) | Tree::Number(_) | Tree::Map(_) => {
            reading
                .findings
                .push(node.wrong(&format!("`{verb}`"), "SQL text, a list of actions or a map from engine to either"));
        }
    }
    if let Some(text) = astray(reading.dialect, &parts.actions).filter(|_| ours) {
        reading.findings.push(node.refuse(
            "L9",
            format!("the search path is changed before a statement that runs by itself, and its names have no schema: {text}"),
            "write the schema before its names: what became of it is looked for without the handler's search path",
        ));
    }
    (reading.findings.len() == before).then(|| parts.handler(verb))
}

/// A PostgreSQL statement that runs by itself, is told by the catalogue to be applied, and has names that the handler's own search path
/// leads elsewhere.
fn astray(dialect: Dialect, actions: &[Action]) -> Option<&str> {
    let texts = actions.iter().filter_map(|action| match action {
        Action::Sql { text, alone, .. } => Some((text.as_str(), *alone)),
        Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
    });
    let mut moved = false;
    for (text, alone) in texts.filter(|_| dialect == Dialect::Postgres) {
        moved |= sql::moves_path(text);
        if moved && alone && sql::index_concurrently(text).is_some_and(|of| of.has_bare_names()) {
            return Some(text);
        }
    }
    None
}

/// What a handler is put together from.
struct Parts {
    dialect: Dialect,
    actions: Vec<Action>,
    /// Four for each action: kind, canonical text, options. A statement counts the same inline, in a list or from a file.
    canonical: Vec<Cow<'static, str>>,
}

impl Parts {
    fn handler(self, verb: Verb) -> Handler {
        let label = match verb.way() {
            Way::Forward => Label::None,
            Way::Back => {
                // What a client does with a file, nobody reads here.
                let file = self.actions.iter().any(|action| matches!(action, Action::Shell { .. }));
                let statements = self.actions.iter().filter_map(|action| match action {
                    Action::Sql { text, .. } => Some(text.as_str()),
                    Action::Expect { .. } | Action::Shell { .. } | Action::Operation { .. } => None,
                });
                let label = sql::label(self.dialect, &statements.collect::<Vec<_>>());
                if file { Label::Lossy } else { label }
            }
        };
        Handler { checksum: Checksum::of(self.canonical.iter().map(AsRef::as_ref)), label, actions: self.actions }
    }

    fn push(&mut self, action: Action, source: &str, options: &Options) {
        self.source(&action, source, options);
        self.actions.push(action);
    }

    /// Counts a text as written for the checksum, before templates (rule L7).
    fn source(&mut self, of: &Action, source: &str, options: &Options) {
        let (kind, text) = match of {
            Action::Sql { .. } => ("sql", sql::canonical(self.dialect, source)),
            Action::Expect { .. } => ("expect", sql::canonical(self.dialect, source)),
            // The client's language is its own: only what another checkout would change is left out.
            Action::Shell { .. } => {
                ("shell", source.trim_start_matches('\u{feff}').replace("\r\n", "\n").trim_end().to_owned())
            }
            // Derived, and never read from a file: an operation's checksum is over its fields (rule O4).
            Action::Operation { act, .. } => ("operation", act.text()),
        };
        let transaction = if options.alone { "transaction: false" } else { "" };
        let done_when =
            options.done_when.as_ref().map_or_else(String::new, |query| sql::canonical(self.dialect, &query.source));
        self.canonical.extend([kind.into(), text.into(), transaction.into(), done_when.into()]);
    }
}

/// An action's options.
#[derive(Default)]
struct Options {
    alone: bool,
    done_when: Option<Query>,
}

/// A query as written, and as it runs.
struct Query {
    source: String,
    text: String,
}

fn action(node: &Node<'_>, ours: bool, parts: &mut Parts, reading: &mut Reading<'_>) {
    let entries = node.entries(reading.findings);
    let mut options = Options::default();
    let mut kinds = vec![];
    let mut misspelt = false;
    for (key, entry) in &entries {
        match *key {
            "sql" | "sql_file" | "expect" | "shell" => kinds.push((*key, entry)),
            "transaction" => match entry.tree() {
                Tree::Bool(transaction) => options.alone = !transaction,
                Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                    reading.findings.push(entry.wrong("`transaction`", "true or false"));
                }
            },
            "done_when" => options.done_when = query(entry, "done_when", ours, reading),
            key => {
                misspelt = true;
                reading.findings.push(entry.unknown(key, "an action", ACTION_KEYS));
            }
        }
    }
    let (kind, entry) = match kinds.as_slice() {
        [one] => *one,
        [] if misspelt => return,
        [] => {
            reading.findings.push(node.refuse(
                "F3",
                "the action has no kind",
                "give it one of sql, sql_file, expect, shell",
            ));
            return;
        }
        [first, second, ..] => {
            let message = format!("the action is both `{}` and `{}`", first.0, second.0);
            reading.findings.push(second.1.refuse_key("F3", message, "make them two entries of the list"));
            return;
        }
    };
    let extra = entries.iter().find(|(key, _)| matches!(*key, "transaction" | "done_when"));
    match (kind, extra) {
        ("expect" | "shell", Some((key, extra))) => {
            reading.findings.push(extra.refuse_key(
                "F3",
                format!("`{key}` is no option of `{kind}`"),
                format!("take `{key}` away"),
            ));
        }
        ("expect", None) => {
            if let Some(query) = query(entry, "expect", ours, reading) {
                parts.push(Action::Expect { query: query.text }, &query.source, &options);
            }
        }
        ("shell", None) => {
            if let Some((path, text)) = file(entry, "shell", reading)
                && ours
            {
                let place = file_place(&path, &text, node, reading.file);
                if let Some(filled) = filled(&text, reading, place) {
                    let action = Action::Shell { file: path.into(), text: filled.into_owned() };
                    parts.push(action, &text, &options);
                }
            }
        }
        ("sql_file", _) => sql_file(entry, &options, ours, parts, reading),
        _ => match entry.tree() {
            Tree::Text(_) => sql_text(entry, &options, ours, parts, reading),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Map(_) => {
                reading.findings.push(entry.wrong("`sql`", "text"));
            }
        },
    }
}

/// One query, of `expect` or `done_when`.
fn query(node: &Node<'_>, key: &str, ours: bool, reading: &mut Reading<'_>) -> Option<Query> {
    let Some(text) = node.text() else {
        reading.findings.push(node.wrong(&format!("`{key}`"), "text"));
        return None;
    };
    if !ours {
        return None;
    }
    let filled = filled(text, reading, |span| node.part(span))?;
    match sql::split(reading.dialect, &filled) {
        Ok(statements)
            if let [one] = statements.as_slice()
                && let Some(word) = sql::writes(reading.dialect, &one.text) =>
        {
            let message = format!("`{key}` must only ask, and this is no query: {word}");
            reading.findings.push(node.refuse("F3", message, "write one SELECT that gives one row and column"));
        }
        Ok(statements) => match <[sql::Statement; 1]>::try_from(statements) {
            Ok([statement]) if matches!(filled, Cow::Borrowed(_)) => {
                return Some(Query { source: statement.text.clone(), text: statement.text });
            }
            Ok([statement]) => return Some(Query { source: without_comments(text), text: statement.text }),
            Err(other) => {
                let message = format!("`{key}` must be one query, and this is {} statements", other.len());
                reading.findings.push(node.refuse("F3", message, "write one SELECT that gives one row and column"));
            }
        },
        Err(errors) => {
            let all = matches!(filled, Cow::Owned(_)).then_some(0..text.len());
            refuse_sql(errors, reading, |span| node.part(all.as_ref().unwrap_or(span)));
        }
    }
    None
}

fn sql_text(node: &Node<'_>, options: &Options, ours: bool, parts: &mut Parts, reading: &mut Reading<'_>) {
    if let (true, Some(text)) = (ours, node.text()) {
        statements(node, text, options, parts, reading, |span| node.part(span));
    }
}

fn sql_file(node: &Node<'_>, options: &Options, ours: bool, parts: &mut Parts, reading: &mut Reading<'_>) {
    let Some((path, text)) = file(node, "sql_file", reading) else { return };
    if !ours {
        return;
    }
    // Another checkout's line ends or mark must give the same statements.
    let text: Arc<str> = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").into();
    let place = file_place(&path, &text, node, reading.file);
    statements(node, &text, options, parts, reading, place);
}

/// Places in a file that a release file names.
fn file_place(
    path: &str,
    text: &Arc<str>,
    node: &Node<'_>,
    release_file: &str,
) -> impl Fn(&std::ops::Range<usize>) -> Place {
    let (file, source, within): (Arc<str>, _, _) =
        (path.into(), text.clone(), format!("({} of {release_file})", node.path()));
    move |span| Place { file: file.clone(), source: source.clone(), span: span.clone(), path: within.clone() }
}

/// A text as it runs: filled in where the release asks for it.
fn filled<'t>(
    text: &'t str,
    reading: &mut Reading<'_>,
    place: impl Fn(&std::ops::Range<usize>) -> Place,
) -> Option<Cow<'t, str>> {
    let Some(template) = &reading.template else { return Some(Cow::Borrowed(text)) };
    match template.fill(text) {
        Ok(filled) => Some(Cow::Owned(filled)),
        Err(unfilled) => {
            let way_out = "templates know the target's `vars`, and are strict: {{ name }} must be among them";
            let finding = Finding::new(Class::Usage, "F7", unfilled.message).way_out(way_out);
            reading.findings.push(finding.at(place(&unfilled.span)));
            None
        }
    }
}

fn statements(
    node: &Node<'_>,
    text: &str,
    options: &Options,
    parts: &mut Parts,
    reading: &mut Reading<'_>,
    place: impl Fn(&std::ops::Range<usize>) -> Place,
) {
    let Some(filled) = filled(text, reading, &place) else { return };
    // A filled-in text has no places of its own in the file: what is wrong in it is shown at the whole of its source.
    let whole = matches!(filled, Cow::Owned(_)).then_some(0..text.len());
    let statements = match sql::split(reading.dialect, &filled) {
        Ok(statements) => statements,
        Err(errors) => return refuse_sql(errors, reading, |span| place(whole.as_ref().unwrap_or(span))),
    };
    if statements.is_empty() && whole.is_none() {
        reading.findings.push(node.refuse("F2", "there is no statement in it", "write SQL, or [] for nothing here"));
    }
    if options.done_when.is_some() && statements.len() > 1 {
        let message = format!("`done_when` answers for one statement, and this action has {}", statements.len());
        reading.findings.push(node.refuse_key("F3", message, "make each statement an action with its own `done_when`"));
    }
    let done_when = || options.done_when.as_ref().map(|query| query.text.clone());
    if whole.is_some() {
        let of = Action::Sql { text: String::new(), alone: false, done_when: None };
        parts.source(&of, &without_comments(text), options);
    }
    for statement in statements {
        if let Some((message, way_out)) = sql::refused(reading.dialect, &statement.text) {
            reading
                .findings
                .push(Finding::new(Class::Usage, "F2", message).way_out(way_out).at(place(&statement.span)));
        }
        let alone = statement.alone || options.alone;
        let source = statement.text.clone();
        let action = Action::Sql { text: statement.text, alone, done_when: done_when() };
        if whole.is_some() {
            parts.actions.push(action);
        } else {
            parts.push(action, &source, options);
        }
    }
}

fn refuse_sql(errors: Vec<sql::SqlError>, reading: &mut Reading<'_>, place: impl Fn(&std::ops::Range<usize>) -> Place) {
    for error in errors {
        let finding = Finding::new(Class::Usage, error.rule, error.message).way_out(error.way_out);
        reading.findings.push(finding.at(place(&error.span)));
    }
}

/// The file that an action names, relative to the project folder, and its text.
fn file(node: &Node<'_>, key: &str, reading: &mut Reading<'_>) -> Option<(String, Arc<str>)> {
    let Some(name) = node.text() else {
        reading.findings.push(node.wrong(&format!("`{key}`"), "text"));
        return None;
    };
    let Some(path) = resolve(reading.file, name) else {
        reading.findings.push(node.refuse(
            "F3",
            format!("`{name}` lies outside the project folder"),
            "name a file below the project folder, relative to the release file",
        ));
        return None;
    };
    if let Some(text) = reading.files.texts.get(&path) {
        return Some((path, text.clone()));
    }
    let (message, way_out) = reading.files.unread.get(&path).map_or_else(
        || (format!("there is no file {path}"), "the path is relative to the release file"),
        |why| (format!("{path} can't be read: {why}"), ""),
    );
    reading.findings.push(node.refuse("F3", message, way_out));
    None
}

/// A path as the release file names it, relative to the project folder; `None` where it leads out of that.
pub(super) fn resolve(release_file: &str, name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with('/') || name.contains('\\') {
        return None;
    }
    let mut path: Vec<&str> = release_file.split('/').collect();
    path.pop();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    (!path.is_empty()).then(|| path.join("/"))
}
