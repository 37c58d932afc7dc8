//! A database that no tool has a history of: its schema as the first release (`init` with a target).

use super::{Body, Done, Draft, DraftStep};
use crate::{
    engine::rows::TextRow,
    model::{Dialect, Verb, Version},
    sql,
};
use std::collections::BTreeMap;

/// SQLite's schema in an order in which it can be made again: what is triphase's or SQLite's own is left out, and what a virtual table
/// makes for itself.
pub const SQLITE: &str = "SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND tbl_name NOT IN ('triphase_meta', 'triphase_run', 'triphase_ledger', 'triphase_history') \
     AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') \
     ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'view' THEN 1 WHEN 'index' THEN 2 ELSE 3 END, rowid";

/// The answers to [`SQLITE`] as a script.
pub fn of_sqlite(rows: &[TextRow]) -> String {
    rows.iter().filter_map(|row| row.first()?.as_deref()).map(|sql| format!("{sql};\n")).collect::<Vec<_>>().join("\n")
}

/// What `pg_dump --schema-only` prints, without what is about its own session: a handler's settings are the runner's, and names are
/// qualified throughout.
pub fn of_postgres(dump: &str) -> String {
    const OWN: &[&str] = &[
        "SET statement_timeout",
        "SET lock_timeout",
        "SET idle_in_transaction_session_timeout",
        "SET transaction_timeout",
        "SET client_encoding",
        "SET standard_conforming_strings",
        "SELECT pg_catalog.set_config('search_path'",
        "SET check_function_bodies",
        "SET xmloption",
        "SET client_min_messages",
        "SET row_security",
        "SET default_tablespace",
        "SET default_table_access_method",
        "-- Dumped ",
        "-- PostgreSQL database dump",
    ];
    let dump = unfenced(dump);
    // What stands inside a statement, as in a function's body, is nobody's to read as a line of its own.
    let statements = sql::split(Dialect::Postgres, &dump).unwrap_or_default();
    let mut script = String::new();
    let mut anything = false;
    let mut at = 0;
    for line in dump.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches('\n');
        let next = statements.partition_point(|statement| statement.span.end <= start);
        if statements.get(next).is_some_and(|statement| statement.span.start < start) {
            script.push_str(line);
            script.push('\n');
            continue;
        }
        if OWN.iter().any(|own| line.starts_with(own)) {
            continue;
        }
        // The target's own schema is there before its ledger is.
        let line = match line.strip_prefix("CREATE SCHEMA ") {
            Some(name) if !name.starts_with("IF NOT EXISTS") => format!("CREATE SCHEMA IF NOT EXISTS {name}"),
            Some(_) | None => line.to_owned(),
        };
        // The bare lines around what was left out.
        if line == "--" && script.is_empty() {
            continue;
        }
        anything |= !line.trim().is_empty() && !line.starts_with("--");
        if line.is_empty() && (script.is_empty() || script.ends_with("\n\n")) {
            continue;
        }
        script.push_str(&line);
        script.push('\n');
    }
    if !anything {
        return String::new();
    }
    // A function may name what comes after it in the dump.
    let script = script.trim_end_matches(['-', '\n']);
    format!("SET LOCAL check_function_bodies = false;\n\n{script}\n")
}

/// Without the lines with which a dump keeps psql's own commands out: the first of all, and the last.
fn unfenced(dump: &str) -> String {
    let lines: Vec<&str> = dump.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| line.starts_with("\\restrict "));
    let last = lines.iter().rposition(|line| line.starts_with("\\unrestrict "));
    let kept = |at: &usize| Some(*at) != first && Some(*at) != last;
    (0..lines.len()).filter(kept).map(|at| lines[at]).collect()
}

/// The release, the same for every database of this schema: one step, done in all its phases, and with no way back: that would take everything away.
pub fn draft(version: Version, script: String) -> Draft {
    let handlers = BTreeMap::from([(Verb::Add, Body::Sql { text: script, alone: false })]);
    let step = DraftStep { name: "schema".to_owned(), id: None, handlers, phases: [Done::Yes; 3] };
    let description =
        "The schema as it was when triphase came; no rollback_add, which would remove all of it".to_owned();
    Draft { version, description, from: "the database's schema".to_owned(), steps: vec![step] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_of_nothing_is_nothing() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\n-- Dumped from 1\n\nSET statement_timeout = 0;\n\n\\unrestrict x\n";
        assert_eq!(of_postgres(dump), "");
    }

    #[test]
    fn a_body_keeps_every_line() {
        let body = "CREATE FUNCTION app.f() RETURNS void\n    LANGUAGE plpgsql\n    AS $$\nBEGIN\nSET lock_timeout = 0;\n\n\nCREATE SCHEMA x;\nEND $$;\n";
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\nSET lock_timeout = 0;\n\n{body}\n\\unrestrict x\n"
        );
        assert_eq!(of_postgres(&dump), format!("SET LOCAL check_function_bodies = false;\n\n{body}"));
    }

    #[test]
    fn a_dump_loses_its_session_and_keeps_the_rest() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\nSET lock_timeout = 0;\nCREATE SCHEMA app;\n\n\nCREATE TABLE app.a (\n    b text\n);\n";
        assert_eq!(
            of_postgres(dump),
            "SET LOCAL check_function_bodies = false;\n\nCREATE SCHEMA IF NOT EXISTS app;\n\nCREATE TABLE app.a (\n    b text\n);\n"
        );
    }
}
