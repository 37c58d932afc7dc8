//! A step's and a release's keys (rules F5, F6, F8).

use super::{
    Step,
    handler::{self, Reading},
    operation,
    template::Template,
    yaml::{Node, Tree, nearest},
};
use crate::{
    action::Handlers,
    model::{Finding, StepId, Verb, Way, steers},
    ops::{self, OPERATIONS},
};

/// A step as read, and where it stands.
pub(super) struct Draft<'a> {
    /// The step's entry.
    pub(super) node: Node<'a>,
    /// What gave its id.
    pub(super) id: Node<'a>,
    /// What it must come after.
    pub(super) after: Vec<(&'a str, Node<'a>)>,
    /// The step.
    pub(super) step: Step,
}

const RELEASE_KEYS: &[&str] = &["description", "template", "steps", "before", "after"];
const STEP_KEYS: &[&str] = &[
    "description",
    "id",
    "after",
    "deleted",
    "allow_blocking",
    "add",
    "simdrop",
    "drop",
    "rollback_simdrop",
    "rollback_add",
];

/// What is said of a step that is an operation.
const ALLOW_BLOCKING: &str = "allow_blocking";

/// A release's description and steps, hooks among them, in file order.
pub(super) struct Body<'a> {
    pub(super) description: String,
    pub(super) before: Option<Step>,
    pub(super) steps: Vec<Draft<'a>>,
    pub(super) after: Option<Step>,
}

/// Reads a release file's top.
pub(super) fn release<'a>(top: &Node<'a>, reading: &mut Reading<'_>) -> Body<'a> {
    let mut body = Body { description: String::new(), before: None, steps: vec![], after: None };
    match top.tree() {
        Tree::Map(_) => {}
        Tree::Null => {
            reading.findings.push(top.refuse("F8", "the release is empty", "give it `steps`"));
            return body;
        }
        Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
            reading.findings.push(top.wrong("a release", "a map"));
            return body;
        }
    }
    let mut steps = None;
    let entries = top.entries(reading.findings);
    if entries.iter().any(|(key, node)| *key == "template" && matches!(node.tree(), Tree::Bool(true))) {
        reading.template = Some(Template::new(reading.dialect, &reading.files.vars));
    }
    for (key, node) in entries {
        match key {
            "description" => body.description = text(&node, "a description", reading),
            "template" => match node.tree() {
                Tree::Bool(_) => {}
                Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                    reading.findings.push(node.wrong("`template`", "true or false"));
                }
            },
            "before" => body.before = hook(&node, StepId::BEFORE, reading),
            "after" => body.after = hook(&node, StepId::AFTER, reading),
            "steps" => steps = Some(node),
            _ if Verb::parse(key).is_some() => reading.findings.push(node.refuse_key(
                "F8",
                format!("`{key}` stands in the release itself"),
                "put it into a step: `steps`, a name, then the handler",
            )),
            _ => reading.findings.push(node.unknown(key, "a release", RELEASE_KEYS)),
        }
    }
    match steps {
        None => reading.findings.push(top.refuse("F8", "the release has no `steps`", "give it at least one step")),
        Some(node) => body.steps = steps_of(&node, reading),
    }
    body
}

fn steps_of<'a>(node: &Node<'a>, reading: &mut Reading<'_>) -> Vec<Draft<'a>> {
    match node.tree() {
        Tree::Map(entries) if !entries.is_empty() => {
            let entries = node.entries(reading.findings);
            entries.into_iter().filter_map(|(name, step)| draft(name, step, reading)).collect()
        }
        Tree::Map(_) | Tree::Null => {
            reading.findings.push(node.refuse_key("F8", "`steps` is empty", "give it at least one step"));
            vec![]
        }
        Tree::List(_) => {
            reading.findings.push(node.refuse(
                "F8",
                "`steps` is a list",
                "write a map from a step's name to its handlers",
            ));
            vec![]
        }
        Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {
            reading.findings.push(node.wrong("`steps`", "a map"));
            vec![]
        }
    }
}

fn draft<'a>(name: &'a str, node: Node<'a>, reading: &mut Reading<'_>) -> Option<Draft<'a>> {
    if let Some(why) = no_id(name) {
        reading.findings.push(node.refuse_key(
            "F5",
            format!("`{name}` is no name for a step: {why}"),
            "rename the step",
        ));
    }
    match node.tree() {
        Tree::Map(_) => {}
        Tree::Null => {
            reading.findings.push(node.refuse_key(
                "F8",
                format!("step `{name}` is empty"),
                "give it a handler: `add: …`",
            ));
            return None;
        }
        Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
            let mut wrong = node.wrong(&format!("step `{name}`"), "a map");
            let key = node.text().and_then(|text| text.split_once(':')).map(|(key, _)| key);
            wrong.way_out = match key.filter(|key| STEP_KEYS.contains(key) || ops::spec(key).is_some()) {
                Some(key) => format!("put a blank after the colon: `{key}: …`"),
                None => "give it a handler: `add: …`".to_owned(),
            };
            reading.findings.push(wrong);
            return None;
        }
    }
    let id = StepId::new(reading.release.clone(), name);
    let step = Step {
        name: name.to_owned(),
        id,
        description: String::new(),
        deleted: false,
        handlers: Handlers::new(),
        operation: None,
    };
    let mut draft = Draft { id: node.clone(), node, after: vec![], step };
    let entries = draft.node.entries(reading.findings);
    let mut operations = vec![];
    let mut allow_blocking = false;
    for (key, node) in &entries {
        match (*key, Verb::parse(key)) {
            (_, Some(verb)) => {
                if let Some(handler) = handler::read(node, verb, reading) {
                    draft.step.handlers.insert(verb, handler);
                }
            }
            ("description", None) => draft.step.description = text(node, "a description", reading),
            ("id", None) => {
                if let Some(id) = id_of(node, reading) {
                    draft.step.id.step = id;
                    draft.id = node.clone();
                }
            }
            ("after", None) => draft.after = after(node, reading),
            ("deleted", None) => match node.tree() {
                Tree::Bool(deleted) => draft.step.deleted = *deleted,
                Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                    reading.findings.push(node.wrong("`deleted`", "true or false"));
                }
            },
            (ALLOW_BLOCKING, None) => match node.tree() {
                Tree::Bool(allow) => allow_blocking = *allow,
                Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                    reading.findings.push(node.wrong("`allow_blocking`", "true or false"));
                }
            },
            (key, None) if ops::spec(key).is_some() => operations.push((key, node)),
            (key, None) => reading.findings.push(unknown(key, name, node)),
        }
    }
    let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
    handlers_fit(&draft, &keys, reading.findings);
    operation_of(&mut draft, &operations, &entries, allow_blocking, reading);
    Some(draft)
}

/// A step is handwritten, or exactly one operation.
fn operation_of<'a>(
    draft: &mut Draft<'a>,
    operations: &[(&str, &Node<'a>)],
    entries: &[(&'a str, Node<'a>)],
    allow_blocking: bool,
    reading: &mut Reading<'_>,
) {
    let name = draft.step.name.clone();
    let Some((key, node)) = operations.first() else {
        if let Some((key, node)) = entries.iter().find(|(key, _)| *key == ALLOW_BLOCKING) {
            let message = format!("`{key}` is for a step that is an operation, and step `{name}` is none");
            reading.findings.push(node.refuse_key("O3", message, "take it away"));
        }
        return;
    };
    for (other, node) in &operations[1..] {
        let message = format!("step `{name}` is both `{key}` and `{other}`");
        reading.findings.push(node.refuse_key("F8", message, "make them two steps"));
    }
    if let Some((verb, node)) = entries.iter().find(|(key, _)| Verb::parse(key).is_some()) {
        let message = format!("step `{name}` is an operation, `{key}`, and has a handler of its own, `{verb}`");
        reading.findings.push(node.refuse_key(
            "F8",
            message,
            "make them two steps: all handlers of an operation are derived",
        ));
    }
    if let Some(declared) = operation::read(key, node, allow_blocking, reading) {
        draft.step.handlers = operation::handlers(&declared, &draft.step.id);
        draft.step.operation = Some(declared);
    }
}

fn unknown(key: &str, name: &str, node: &Node<'_>) -> Finding {
    let of = format!("step `{name}`");
    let operations: Vec<&str> = OPERATIONS.iter().map(|spec| spec.name).collect();
    let known = if nearest(key, STEP_KEYS).is_none() { operations.as_slice() } else { STEP_KEYS };
    let known = if nearest(key, known).is_none() { STEP_KEYS } else { known };
    node.unknown(key, &of, known)
}

/// A step must do something, and what takes a phase back needs the phase.
fn handlers_fit(draft: &Draft<'_>, keys: &[&str], findings: &mut Vec<Finding>) {
    let name = &draft.step.name;
    let verbs: Vec<Verb> = keys.iter().filter_map(|key| Verb::parse(key)).collect();
    let other: Vec<_> = keys.iter().filter(|key| !STEP_KEYS.contains(key)).collect();
    if verbs.is_empty() && !draft.step.deleted && other.is_empty() {
        findings.push(draft.node.refuse_key(
            "F8",
            format!("step `{name}` has no handler"),
            "give it one (`add: …`), or say `deleted: true`",
        ));
    }
    for verb in verbs.iter().filter(|verb| verb.way() == Way::Back) {
        let phase = verb.phase().verb();
        // A misspelt handler is found already; that it is missing need not be said as well.
        if !verbs.contains(&phase) && !other.iter().any(|key| nearest(key, &[phase.name()]).is_some()) {
            findings.push(draft.node.refuse_key(
                "F8",
                format!("step `{name}` has `{verb}` and no `{phase}` that it could take back"),
                format!("add `{phase}`, or take `{verb}` away"),
            ));
        }
    }
}

fn text(node: &Node<'_>, what: &str, reading: &mut Reading<'_>) -> String {
    node.text().map_or_else(
        || {
            reading.findings.push(node.wrong(what, "text"));
            String::new()
        },
        |text| text.trim().to_owned(),
    )
}

fn id_of(node: &Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let Some(id) = node.text() else {
        reading.findings.push(node.wrong("an id", "text"));
        return None;
    };
    if let Some(why) = no_id(id) {
        reading.findings.push(node.refuse("F5", format!("`{id}` is no id: {why}"), "write another id"));
        return None;
    }
    Some(id.to_owned())
}

/// Why a text can't be a step's id.
fn no_id(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("it is empty")
    } else if id.contains('/') {
        Some("it has a `/`, which stands between version and step")
    } else if id.chars().any(steers) {
        Some("it has a control character")
    } else if id.trim() != id {
        Some("it begins or ends with a blank")
    } else if id.starts_with('@') {
        Some("a leading `@` is triphase's own")
    } else {
        None
    }
}

fn after<'a>(node: &Node<'a>, reading: &mut Reading<'_>) -> Vec<(&'a str, Node<'a>)> {
    if !matches!(node.tree(), Tree::List(_)) {
        let way_out = node.text().map_or_else(String::new, |name| format!("write [{name}]"));
        let message = format!("a step's `after` must be a list of steps, not {}", node.kind());
        reading.findings.push(node.refuse("F5", message, way_out));
        return vec![];
    }
    let mut names = vec![];
    for item in node.items() {
        match item.text() {
            Some(name) => names.push((name, item)),
            None => reading.findings.push(item.wrong("a step's name", "text")),
        }
    }
    names
}

/// A release's `before` or `after` as a step of its own.
fn hook(node: &Node<'_>, id: &str, reading: &mut Reading<'_>) -> Option<Step> {
    if !matches!(node.tree(), Tree::Map(_)) {
        let message = format!(
            "a release's `{}` must be a map from a phase or rollback to actions, not {}",
            &id[1..],
            node.kind()
        );
        reading.findings.push(node.refuse("F6", message, "write for example `add: [SELECT 1]` below it"));
        return None;
    }
    let mut handlers = Handlers::new();
    for (key, node) in node.entries(reading.findings) {
        match Verb::parse(key) {
            Some(verb) => {
                if let Some(handler) = handler::read(&node, verb, reading) {
                    handlers.insert(verb, handler);
                }
            }
            None => {
                let verbs: Vec<_> = Verb::ALL.iter().map(|verb| verb.name()).collect();
                reading.findings.push(node.unknown(key, &format!("a release's `{}`", &id[1..]), &verbs));
            }
        }
    }
    let id = StepId::new(reading.release.clone(), id);
    let step =
        Step { name: id.step.clone(), id, description: String::new(), deleted: false, handlers, operation: None };
    (!step.handlers.is_empty()).then_some(step)
}
