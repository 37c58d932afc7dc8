//! A draft as the files of a release: `release.yaml`, and the SQL beside it as the other tool had it.

use super::{Body, Draft, DraftStep, text};
use crate::{
    model::{Dialect, Verb},
    sql,
};
use std::fmt::Write as _;

/// What a file begins with that tells editors its schema.
const EDITORS: &str = "# yaml-language-server: $schema=";

/// A release's files, by the command that makes them: paths relative to the project folder, and texts. `schema`: the path of the schema that
/// editors read them by, where the project has one.
pub fn files(dialect: Dialect, draft: &Draft, command: &str, schema: Option<&str>) -> Vec<(String, String)> {
    let folder = format!("releases/{}", draft.version);
    let mut sql_files = Vec::new();
    let mut yaml = schema.map_or_else(String::new, |schema| format!("{EDITORS}../../{schema}\n"));
    line(&mut yaml, &format!("# Made of {} by `triphase {command}`.", draft.from));
    if !draft.description.is_empty() {
        line(&mut yaml, &format!("description: {}", quoted(&draft.description)));
    }
    line(&mut yaml, "steps:");
    for step in &draft.steps {
        line(&mut yaml, &format!("  {}:", quoted(&step.name)));
        if let Some(id) = &step.id {
            line(&mut yaml, &format!("    id: {}", quoted(id)));
        }
        if step.handlers.is_empty() {
            // A step must do something: what did nothing says so.
            line(&mut yaml, "    add: []");
        }
        for (verb, body) in &step.handlers {
            handler(dialect, &mut yaml, step, *verb, body, &mut sql_files);
        }
    }
    let mut files = vec![(format!("{folder}/release.yaml"), yaml)];
    files.extend(sql_files.into_iter().map(|(name, text)| (format!("{folder}/{name}"), text)));
    files
}

/// Whether a file says what would be written. The line for editors is no part of that: a project gets its schemas when it likes.
pub fn is_same(there: &[u8], text: &str) -> bool {
    let without = |text: &str| match text.split_once('\n') {
        Some((first, rest)) if first.starts_with(EDITORS) => rest.to_owned(),
        Some(_) | None => text.to_owned(),
    };
    std::str::from_utf8(there).is_ok_and(|there| without(there) == without(text))
}

fn handler(
    dialect: Dialect,
    yaml: &mut String,
    step: &DraftStep,
    verb: Verb,
    body: &Body,
    files: &mut Vec<(String, String)>,
) {
    let empty = |body: &str| text::is_empty(dialect, body);
    let name = format!("{}.{verb}.sql", file_name(&step.name));
    match body {
        Body::Sql { text, .. } if empty(text) => line(yaml, &format!("    {verb}: []")),
        Body::Sql { text, alone } => {
            line(yaml, &format!("    {verb}:\n      - sql_file: {}", quoted(&name)));
            if *alone {
                line(yaml, "        transaction: false");
            }
            files.push((name, ended(text)));
        }
        Body::Shell { text } => {
            line(yaml, &format!("    {verb}:\n      - shell: {}", quoted(&name)));
            files.push((name, ended(text)));
        }
        Body::Lost { why, text } => {
            // False whatever the database: an empty target is not filled as if nothing were missing.
            let query =
                format!("SELECT {} = ''", sql::literal(dialect, &format!("{why}: write it as SQL in its place")));
            line(yaml, &format!("    {verb}:\n      - expect: {}", quoted(&query)));
            if !empty(text) {
                line(yaml, &format!("      - sql_file: {}", quoted(&name)));
                files.push((name, ended(text)));
            }
        }
    }
}

fn line(yaml: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(yaml, "{text}");
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn ended(text: &str) -> String {
    format!("{}\n", text.trim_matches(['\n', '\r']))
}

fn file_name(step: &str) -> String {
    step.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}
