//! `docs/operations.md` says what the vocabulary is and what each operation comes to: its two tables are made from the code.
//! `UPDATE_GOLDEN=1` writes them anew.

use super::{super::*, CONSTRAINT, constrained, derived, golden::cases, mapped, operation, plain};
use crate::model::Verb;
use std::{fs, path::Path};

/// Every operation with its fields, and whether lakes have it.
fn vocabulary() -> String {
    let mut text = String::from("| operation | what it does | fields | on a lake |\n|---|---|---|---|\n");
    for spec in OPERATIONS {
        let fields: Vec<_> = spec
            .fields
            .iter()
            .map(|field| if field.required { format!("`{}`", field.name) } else { format!("[`{}`]", field.name) })
            .collect();
        let lake = match spec.delta {
            Support::Yes => "yes".to_owned(),
            Support::Later => "later".to_owned(),
            Support::No(why, _) => format!("no: {why}"),
        };
        text += &format!("| `{}` | {} | {} | {lake} |\n", spec.name, spec.doc.trim(), fields.join(", "));
    }
    text
}

/// Every field with what it is for.
fn fields() -> String {
    let mut text = String::new();
    for spec in OPERATIONS.iter().filter(|spec| matches!(spec.delta, Support::Yes)) {
        text += &format!("\n### `{}`\n\n| field | what it is for |\n|---|---|\n", spec.name);
        for field in spec.fields {
            let must = if field.required { " (required)" } else { "" };
            text += &format!("| `{}`{must} | {} |\n", field.name, field.doc.trim());
        }
    }
    text
}

fn kind(act: &Act) -> &'static str {
    match &act.does {
        Does::Check { .. } => "looks",
        Does::Commit { .. } | Does::Choose { .. } | Does::Create { .. } => "metadata",
        Does::Backfill { .. } => "fills rows",
        Does::Rewrite { .. } => "rewrites files",
        Does::Delete => "deletes files",
        Does::Recover { .. } => "recovers values",
        Does::Nothing { .. } | Does::Underived { .. } => "nothing",
    }
}

/// What a handler does, and what of it comes back.
fn cell(derived: &Derived, verb: Verb) -> String {
    let label = derived.labels.get(&verb);
    let Some(acts) = derived.handlers.get(&verb) else {
        return if label.is_some() { "no way back".to_owned() } else { "—".to_owned() };
    };
    let mut kinds: Vec<_> = acts.iter().map(kind).collect();
    kinds.dedup();
    if kinds.is_empty() {
        kinds.push("nothing");
    }
    let label = label.map_or_else(String::new, |label| format!(" ({label})"));
    format!("{}{label}", kinds.join(", "))
}

/// What each operation does in each phase on a table with column mapping, and on one without where that is something else.
fn phases() -> String {
    let mut text = String::from(
        "| operation | columns | add | simdrop | drop | rollback_simdrop | rollback_add |\n|---|---|---|---|---|---|---|\n",
    );
    for (case, name, fields) in cases() {
        let operation = operation(name, fields);
        let cells = |state: Option<&TableState>| -> Option<String> {
            let derived = derived(&operation, state).ok()?;
            Some(Verb::ALL.iter().map(|verb| cell(&derived, *verb)).collect::<Vec<_>>().join(" | "))
        };
        let mut row = |columns: &str, cells: &str| text += &format!("| `{case}` | {columns} | {cells} |\n");
        if name == "create_table" {
            let columns = if case.ends_with("_unmapped") { "unmapped" } else { "mapped" };
            cells(None).iter().for_each(|cells| row(columns, cells));
            continue;
        }
        let (mut with, mut without) = (mapped(), plain());
        if name == "drop_constraint" {
            with = constrained();
            without.properties = with.properties.clone();
            without.properties.retain(|key, _| key.starts_with(CONSTRAINT));
        }
        let (on_mapped, on_plain) = (cells(Some(&with)), cells(Some(&without)));
        match (on_mapped, on_plain) {
            (Some(on_mapped), Some(on_plain)) if on_mapped == on_plain => row("any", &on_mapped),
            (on_mapped, on_plain) => {
                // Where columns are mapped, `rewrite` changes nothing.
                on_mapped.iter().filter(|_| !case.ends_with("_rewrite")).for_each(|cells| row("mapped", cells));
                on_plain.iter().for_each(|cells| row("unmapped", cells));
            }
        }
    }
    text
}

#[test]
fn the_documentation_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let written = fs::read_to_string(&path).unwrap();
    let mut text = written.clone();
    for (mark, made) in [("vocabulary", vocabulary()), ("phases", phases()), ("fields", fields())] {
        let (from, to) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
        let start = text.find(&from).unwrap() + from.len();
        let end = text.find(&to).unwrap();
        text.replace_range(start..end, &made);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == text,
        "docs/operations.md is not what the code says: UPDATE_GOLDEN=1 writes it"
    );
}

#[test]
fn every_field_is_in_the_schema() {
    let schema = schema();
    assert_eq!(schema.len(), OPERATIONS.len());
    for spec in OPERATIONS {
        let of = &schema[spec.name];
        for field in spec.fields {
            assert!(of["properties"][field.name]["description"].is_string(), "{}.{}", spec.name, field.name);
            let required = of["required"].as_array().unwrap().iter().any(|name| name == field.name);
            assert_eq!(required, field.required, "{}.{}", spec.name, field.name);
        }
    }
    assert_eq!(schema["create_table"]["properties"]["columns"]["items"]["properties"]["name"]["type"], "string");
}
