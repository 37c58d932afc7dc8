//! Names that SQL has to quote (O2), by the plain ones that cases are written with, and an operation with them in their place.

use serde_json::{Map, Value};

/// A table's path.
pub fn path(table: &str) -> String {
    format!("it's \"odd\" &/#{table}?ü; --")
}

/// Columns and constraints. A single word with an upper case letter is none that delta-rs can write beside a generated column.
const NAMES: &[(&str, &str)] = &[
    ("region", "région d'été"),
    ("amount", "select"),
    ("note", "a \"quoted\" note"),
    ("size", "Size, (m²)"),
    ("colour", "MixedColour"),
    ("loud", "loud = 'yes'"),
    ("price", "from"),
    ("cents", "¢ ; --"),
    ("length", "a.b length"),
    ("remark", "{remark}\t="),
    ("area", "AREA"),
    ("positive", "it's positive"),
    ("short", "order by"),
    ("sized", "größe \"now\"; --"),
];

/// A name in its odd form; what has none stays.
pub fn name(plain: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == plain).map_or(plain, |(_, odd)| odd)
}

/// The fields that hold names, in lists too.
const NAMED: &[&str] = &["name", "column", "key", "partition_by", "to", "as"];
/// The fields that hold expressions.
const EXPRESSIONS: &[&str] = &["up", "down", "default", "check", "generated", "where"];

/// The same operation over odd names.
pub fn operation(value: Value) -> Value {
    field("", value)
}

fn field(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if NAMED.contains(&key) => Value::String(name(&text).to_owned()),
        Value::String(text) if EXPRESSIONS.contains(&key) => Value::String(expression(&text)),
        Value::Array(all) => Value::Array(all.into_iter().map(|one| field(key, one)).collect()),
        Value::Object(map) if key == "set" => {
            let one = |(column, text): (String, Value)| {
                (name(&column).to_owned(), Value::String(expression(text.as_str().unwrap())))
            };
            Value::Object(map.into_iter().map(one).collect())
        }
        Value::Object(map) if key != "properties" => {
            Value::Object(map.into_iter().map(|(key, value)| (key.clone(), field(&key, value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// An expression whose columns have their odd names, quoted. What stands in a text stays.
fn expression(text: &str) -> String {
    let (mut out, mut word, mut inside) = (String::new(), String::new(), false);
    for c in text.chars().chain([' ']) {
        if !inside && (c.is_ascii_alphanumeric() || c == '_') {
            word.push(c);
            continue;
        }
        let odd = name(&word);
        out += &if odd == word { word.clone() } else { format!("`{odd}`") };
        word.clear();
        inside ^= c == '\'';
        out.push(c);
    }
    out.truncate(out.len() - 1);
    out
}

#[test]
fn operations_are_written_with_odd_names() {
    let plain = serde_json::json!({"backfill": {"table": "amount", "set": {"amount": "CAST(size AS string)"},
        "where": "amount = 'it''s an amount' OR note = ''", "key": "size"}});
    let odd = serde_json::json!({"backfill": {"table": "amount", "set": {"select": "CAST(`Size, (m²)` AS string)"},
        "where": "`select` = 'it''s an amount' OR `a \"quoted\" note` = ''", "key": "Size, (m²)"}});
    assert_eq!(operation(plain), odd);
}
