//! What triphase keeps in a target, as a table or JSON.

use super::{json, table};
use crate::{engine::Object, event::Where};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes a line an object. `width`: the terminal's, none elsewhere.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, objects: &[Object], width: Option<u16>) -> io::Result<()> {
    if objects.is_empty() {
        return writeln!(out, "nothing yet: the target has no ledger");
    }
    let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
    let rows = objects
        .iter()
        .map(|o| vec![o.kind.to_owned(), o.name.clone(), number(o.rows), number(o.bytes), o.what.clone().into_owned()])
        .collect();
    table::write(out, &["kind", "name", "rows", "bytes", "what"], rows, width)
}

/// The same as one document.
pub fn json(place: &Where, objects: &[Object]) -> Value {
    json::document("objects", json!({ "exit_code": 0, "target": json::place(place), "objects": objects }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn an_object_is_a_line_and_nothing_says_so() {
        let table = Object { kind: "table", name: "t".into(), what: "the trail".into(), rows: Some(3), bytes: None };
        let mut out = vec![];
        write(&mut out, &[table], None).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words.join(" "), "table t 3 the trail");
        let mut out = vec![];
        write(&mut out, &[], None).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "nothing yet: the target has no ledger\n");
    }
}
