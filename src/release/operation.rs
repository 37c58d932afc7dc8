//! A declarative operation in a step (rules O1–O4): its fields held against the vocabulary, each finding at its place.

use super::{
    Declared,
    handler::Reading,
    yaml::{Node, Tree},
};
use crate::{
    action::{Action, Checksum, Handler, Handlers},
    model::{Class, Dialect, Finding, Label, StepId},
    ops::{self, Act, Does, FieldSpec, Operation, Refusal, Shape, Spec, Support},
    sql,
};
use serde_json::{Map, Value};

const DEFAULT: &str = "default";

/// Reads what stands under an operation's name. `None` where it was refused.
pub(super) fn read(name: &str, node: &Node<'_>, allow_blocking: bool, reading: &mut Reading<'_>) -> Option<Declared> {
    let spec = ops::spec(name)?;
    let before = reading.findings.len();
    let fields = match node.tree() {
        Tree::Map(_) => fields(node, &format!("`{name}`"), spec.fields, reading),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
            reading.findings.push(node.wrong(&format!("`{name}`"), "a map of its fields"));
            return None;
        }
    };
    if reading.dialect != Dialect::Delta {
        reading.findings.push(unsupported(spec, node, reading.dialect));
    }
    if reading.findings.len() > before {
        return None;
    }
    let fields = Value::Object(fields);
    let operation = match Operation::new(name, fields) {
        Ok(operation) => operation,
        Err(why) => {
            reading.findings.push(node.refuse("F8", format!("`{name}` can't be read: {why}"), ""));
            return None;
        }
    };
    for (field, refusal) in ops::vet(&operation) {
        reading.findings.push(refused(node, field, refusal));
    }
    let sum = canonical(&operation.fields(), Shape::Map(spec.fields), reading.dialect).to_string();
    let checksum = Checksum::of(["operation", name, &sum]);
    (reading.findings.len() == before).then_some(Declared { operation, checksum, allow_blocking })
}

/// A refusal from the file alone, at the field that it is about.
fn refused(node: &Node<'_>, field: Option<&str>, refusal: Refusal) -> Finding {
    // Doubles were found when the fields were read.
    let entries = node.entries(&mut vec![]);
    let place = match field.and_then(|field| entries.iter().find(|(key, _)| *key == field)) {
        Some((_, entry)) => entry.place(),
        None => node.key_place(),
    };
    Finding::new(Class::Usage, refusal.rule, refusal.message).way_out(refusal.way_out).at(place)
}

fn unsupported(spec: &Spec, node: &Node<'_>, dialect: Dialect) -> Finding {
    let name = spec.name;
    let (why, way_out) = match spec.sql {
        Support::Yes | Support::Later => (
            "this version runs no declarative operations there",
            "write the step's handlers as SQL: add, simdrop, drop and the rollbacks",
        ),
        Support::No(why, way_out) => (why, way_out),
    };
    node.refuse_key("O3", format!("{dialect} has no `{name}`: {why}"), way_out)
}

/// The fields of a map, as JSON.
fn fields(node: &Node<'_>, of: &str, specs: &[FieldSpec], reading: &mut Reading<'_>) -> Map<String, Value> {
    let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let entries = node.entries(reading.findings);
    let mut misspelt = vec![];
    for (key, entry) in &entries {
        if !known.contains(key) {
            misspelt.push(super::yaml::nearest(key, &known));
            reading.findings.push(entry.unknown(key, of, &known));
        }
    }
    let mut values = Map::new();
    for spec in specs {
        match entries.iter().find(|(key, _)| *key == spec.name) {
            Some((_, entry)) => {
                if let Some(value) = value(entry, spec.name, spec.shape, reading) {
                    values.insert(spec.name.to_owned(), value);
                }
            }
            // A misspelt field is found already; that it is missing need not be said as well.
            None if spec.required && !misspelt.contains(&Some(spec.name)) => {
                reading.findings.push(node.refuse_key("F8", format!("{of} has no `{}`", spec.name), "add it"));
            }
            None => {}
        }
    }
    values
}

fn value(node: &Node<'_>, key: &str, shape: Shape, reading: &mut Reading<'_>) -> Option<Value> {
    let what = format!("`{key}`");
    match shape {
        Shape::Name => name(node, &what, reading).map(Value::from),
        Shape::Names => list(node, &what, "a list of names", reading, |item, reading| {
            name(item, &format!("a name in {what}"), reading).map(Value::from)
        }),
        Shape::Type | Shape::Text => chosen(node, &what, false, reading).map(Value::from),
        Shape::Expression => expression(node, &what, reading),
        Shape::Flag => match node.tree() {
            Tree::Bool(flag) => Some(Value::from(*flag)),
            Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                wrong(node, &what, "true or false", reading)
            }
        },
        Shape::Count => match node.tree() {
            Tree::Number(number) if number.parse::<u64>().is_ok_and(|n| n > 0) => {
                number.parse::<u64>().ok().map(Value::from)
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                reading.findings.push(node.refuse("F8", format!("{what} must be a whole number above 0"), ""));
                None
            }
        },
        Shape::OneOf(words) => match node.text() {
            Some(text) if words.contains(&text) => Some(Value::from(text)),
            Some(text) => {
                let way_out = match super::yaml::nearest(text, words) {
                    Some(word) => format!("write `{word}`"),
                    None => format!("known here: {}", words.join(", ")),
                };
                reading.findings.push(node.refuse("F8", format!("{what} can't be `{text}`"), way_out));
                None
            }
            None => wrong(node, &what, &format!("one of {}", words.join(", ")), reading),
        },
        Shape::Properties => {
            map(node, &what, "a map from property to text", reading, |entry, key, reading| match entry.tree() {
                Tree::Null => Some(Value::Null),
                Tree::Text(text) | Tree::Number(text) => Some(Value::from(text.as_str())),
                Tree::Bool(flag) => Some(Value::from(flag.to_string())),
                Tree::List(_) | Tree::Map(_) => wrong(entry, &format!("property `{key}`"), "text", reading),
            })
        }
        Shape::Set => map(node, &what, "a map from column to expression", reading, |entry, key, reading| {
            expression(entry, &format!("the value of `{key}`"), reading)
        }),
        Shape::Map(specs) => match node.tree() {
            Tree::Map(_) => Some(Value::Object(fields(node, &what, specs, reading))),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
                wrong(node, &what, "a map", reading)
            }
        },
        Shape::List(specs) => list(node, &what, "a list of maps", reading, |item, reading| match item.tree() {
            Tree::Map(_) => Some(Value::Object(fields(item, &format!("an entry of {what}"), specs, reading))),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
                wrong(item, &format!("an entry of {what}"), "a map", reading)
            }
        }),
    }
}

fn wrong(node: &Node<'_>, what: &str, wanted: &str, reading: &mut Reading<'_>) -> Option<Value> {
    reading.findings.push(node.wrong(what, wanted));
    None
}

fn name(node: &Node<'_>, what: &str, reading: &mut Reading<'_>) -> Option<String> {
    let Some(text) = node.text() else {
        reading.findings.push(node.wrong(what, "text"));
        return None;
    };
    if text.is_empty() || text.contains('\0') {
        reading.findings.push(node.refuse("O2", format!("{what} is no name"), "write a name, without quotes of SQL"));
        return None;
    }
    Some(text.to_owned())
}

fn list<'n>(
    node: &Node<'n>,
    what: &str,
    wanted: &str,
    reading: &mut Reading<'_>,
    mut each: impl FnMut(&Node<'n>, &mut Reading<'_>) -> Option<Value>,
) -> Option<Value> {
    if !matches!(node.tree(), Tree::List(_)) {
        return wrong(node, what, wanted, reading);
    }
    Some(Value::Array(node.items().filter_map(|item| each(&item, reading)).collect()))
}

fn map<'n>(
    node: &Node<'n>,
    what: &str,
    wanted: &str,
    reading: &mut Reading<'_>,
    mut each: impl FnMut(&Node<'n>, &str, &mut Reading<'_>) -> Option<Value>,
) -> Option<Value> {
    match node.tree() {
        Tree::Map(entries) if entries.is_empty() => {
            reading.findings.push(node.refuse("F8", format!("{what} is empty"), format!("write {wanted}")));
            return None;
        }
        Tree::Map(_) => {}
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
            return wrong(node, what, wanted, reading);
        }
    }
    let entries = node.entries(reading.findings);
    let values = entries.iter().filter_map(|(key, entry)| Some(((*key).to_owned(), each(entry, key, reading)?)));
    Some(Value::Object(values.collect()))
}

/// Text, or this engine's of a map from engine to text (O1). Where `plain`, a number or truth value stands for itself.
fn chosen(node: &Node<'_>, what: &str, plain: bool, reading: &mut Reading<'_>) -> Option<String> {
    match node.tree() {
        Tree::Text(text) => filled(node, what, text, reading),
        Tree::Number(text) if plain => Some(text.clone()),
        Tree::Bool(flag) if plain => Some(flag.to_string()),
        Tree::Map(_) => {
            let known: Vec<&str> = Dialect::ALL.iter().map(|d| d.name()).chain([DEFAULT]).collect();
            let entries = node.entries(reading.findings);
            let unknown: Vec<_> = entries.iter().filter(|(key, _)| !known.contains(key)).collect();
            for (key, entry) in &unknown {
                reading.findings.push(entry.unknown(key, &format!("the engines of {what}"), &known));
            }
            let mut wanted = vec![reading.dialect.name(), DEFAULT];
            if reading.dialect == Dialect::Mariadb {
                wanted.insert(1, Dialect::Mysql.name());
            }
            let found = wanted.iter().find_map(|name| entries.iter().find(|(key, _)| key == name));
            match found {
                Some((_, entry)) => match entry.tree() {
                    Tree::Text(text) => filled(entry, what, text, reading),
                    Tree::Number(text) if plain => Some(text.clone()),
                    Tree::Bool(flag) if plain => Some(flag.to_string()),
                    Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Map(_) => {
                        reading.findings.push(entry.wrong(what, "text"));
                        None
                    }
                },
                None => {
                    if unknown.is_empty() {
                        reading.findings.push(node.refuse_key(
                            "O1",
                            format!("{what} has nothing for {} and no `default`", reading.dialect),
                            format!("add `{}: …`", reading.dialect),
                        ));
                    }
                    None
                }
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) => {
            reading.findings.push(node.wrong(what, "text"));
            None
        }
    }
}

fn filled(node: &Node<'_>, what: &str, text: &str, reading: &mut Reading<'_>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.contains('\0') {
        reading.findings.push(node.refuse("F8", format!("{what} is empty"), "write something, or take the key away"));
        return None;
    }
    Some(text.to_owned())
}

/// An expression as it can stand inside one of ours: no comment, nothing left open.
fn expression(node: &Node<'_>, what: &str, reading: &mut Reading<'_>) -> Option<Value> {
    let text = chosen(node, what, true, reading)?;
    match sql::expression(reading.dialect, &text) {
        Ok(text) => Some(Value::from(text)),
        Err(why) => {
            reading.findings.push(node.refuse(
                "O1",
                format!("{what} is no expression: {why}"),
                "write one SQL expression",
            ));
            None
        }
    }
}

/// The fields with expressions in canonical form: reformatting one is no edit.
fn canonical(value: &Value, shape: Shape, dialect: Dialect) -> Value {
    match (shape, value) {
        (Shape::Expression, Value::String(text)) => Value::from(sql::canonical(dialect, text)),
        (Shape::Set, Value::Object(entries)) => {
            let each = |(key, value): (&String, &Value)| (key.clone(), canonical(value, Shape::Expression, dialect));
            Value::Object(entries.iter().map(each).collect())
        }
        (Shape::Map(specs), Value::Object(entries)) => Value::Object(canonical_fields(entries, specs, dialect)),
        (Shape::List(specs), Value::Array(items)) => {
            Value::Array(items.iter().map(|item| canonical(item, Shape::Map(specs), dialect)).collect())
        }
        (_, value) => value.clone(),
    }
}

fn canonical_fields(entries: &Map<String, Value>, specs: &[FieldSpec], dialect: Dialect) -> Map<String, Value> {
    let shape = |key: &str| specs.iter().find(|spec| spec.name == key).map_or(Shape::Text, |spec| spec.shape);
    entries.iter().map(|(key, value)| (key.clone(), canonical(value, shape(key), dialect))).collect()
}

/// The handlers of an operation before it is derived: those that it usually has, none of which runs as it is.
pub(super) fn handlers(declared: &Declared, step: &StepId) -> Handlers {
    let operation = &declared.operation;
    let act =
        Act::new(operation.table().unwrap_or_default(), Does::Underived { operation: operation.name().to_owned() });
    let handler = |verb| Handler {
        checksum: declared.checksum.clone(),
        label: Label::None,
        actions: vec![Action::Operation {
            by: ops::BY.to_owned(),
            step: step.clone(),
            verb,
            number: 1,
            act: Box::new(act.clone()),
        }],
    };
    operation.verbs().iter().map(|verb| (*verb, handler(*verb))).collect()
}
