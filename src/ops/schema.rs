//! The vocabulary as JSON Schema (draft-07): what an editor checks release files by.

use super::table::{FieldSpec, Shape};
use super::vocabulary::OPERATIONS;
use crate::model::Dialect;
use serde_json::{Map, Value, json};

/// By operation: the schema of what stands under its key in a step.
pub fn schema() -> Map<String, Value> {
    OPERATIONS.iter().map(|spec| (spec.name.to_owned(), object(spec.doc.trim(), spec.fields))).collect()
}

fn object(doc: &str, fields: &[FieldSpec]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = shape(field.shape);
            schema["description"] = field.doc.trim().into();
            (field.name.to_owned(), schema)
        })
        .collect();
    json!({
        "description": doc, "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Name => json!({"type": "string", "minLength": 1}),
        Shape::Names => json!({"type": "array", "items": {"type": "string", "minLength": 1}}),
        Shape::Type | Shape::Text => by_engine(json!(["string"])),
        Shape::Expression => by_engine(json!(["string", "number", "boolean"])),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Count => json!({"type": "integer", "minimum": 1}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Properties => json!({
            "type": "object", "minProperties": 1,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }),
        Shape::Set => {
            let each = by_engine(json!(["string", "number", "boolean"]));
            json!({"type": "object", "minProperties": 1, "additionalProperties": each})
        }
        Shape::Map(fields) => object("", fields),
        Shape::List(fields) => json!({"type": "array", "items": object("", fields)}),
    }
}

/// A text, or a map from engine to text (O1).
fn by_engine(text: Value) -> Value {
    let engines = Dialect::ALL.iter().map(|dialect| dialect.name()).chain(["default"]);
    let engines: Map<String, Value> = engines.map(|name| (name.to_owned(), json!({"type": text}))).collect();
    json!({"anyOf": [
        {"type": text},
        {"type": "object", "properties": engines, "additionalProperties": false, "minProperties": 1},
    ]})
}
