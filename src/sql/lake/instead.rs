//! What to write in the place of a statement that is not run.

use super::{Refused, refused};

/// What to write in a statement's place, by its first words.
const INSTEAD: &[(&[&str], &str)] = &[
    (&["ALTER", "TABLE", "ADD", "COLUMN"], "the operation `add_column`"),
    (&["ALTER", "TABLE", "ADD", "COLUMNS"], "the operation `add_column`"),
    (&["ALTER", "TABLE", "ADD", "CONSTRAINT"], "the operation `add_constraint`"),
    (&["ALTER", "TABLE", "DROP", "COLUMN"], "the operation `drop_column`"),
    (&["ALTER", "TABLE", "DROP", "COLUMNS"], "the operation `drop_column`"),
    (&["ALTER", "TABLE", "DROP", "CONSTRAINT"], "the operation `drop_constraint`"),
    (&["ALTER", "TABLE", "RENAME", "COLUMN"], "the operation `rename_column`"),
    (&["ALTER", "TABLE", "SET", "TBLPROPERTIES"], "the operation `set_properties`"),
    (&["ALTER", "TABLE", "UNSET", "TBLPROPERTIES"], "the operation `set_properties`, with null as the value"),
    (
        &["ALTER", "TABLE", "ALTER", "COLUMN"],
        "one of the operations `change_type`, `set_not_null`, `drop_not_null`, `set_comment`",
    ),
    (&["ALTER"], "an operation: `add_column`, `drop_column`, `rename_column`, `change_type`, `set_properties`"),
    (&["CREATE", "OR", "REPLACE", "TABLE"], "the operation `create_table`; nothing replaces a table that is there"),
    (&["CREATE", "TABLE"], "the operation `create_table`"),
    (&["DROP", "TABLE"], "the operation `drop_table`"),
    (&["COMMENT"], "the operation `set_comment`"),
    (&["TRUNCATE"], "`DELETE FROM` the table, without WHERE"),
    (&["REPLACE"], "`DELETE` and `INSERT`, or `MERGE`"),
    (&["SELECT"], "`expect`, for a query that must give a true value"),
    (&["WITH"], "`expect` for a query; in `INSERT INTO t WITH … SELECT …` the WITH comes after the table"),
    (&["OPTIMIZE"], "the engine that looks after the lake: it is no migration"),
    (&["VACUUM"], "the engine that looks after the lake: it would delete what a rollback needs"),
    (&["RESTORE"], "a rollback of triphase's: a RESTORE drops every row that was written since"),
];

/// A refusal by the statement's first words.
pub(super) fn instead(words: &[String]) -> Refused {
    // The table's name stands between: words are looked for in order, the first at the start.
    let matches = |pattern: &[&str]| {
        let mut rest = words.iter();
        words.first().map(String::as_str) == pattern.first().copied()
            && pattern.iter().all(|word| rest.any(|found| found == word))
    };
    let way_out =
        INSTEAD.iter().find(|(pattern, _)| matches(pattern)).map_or("UPDATE, DELETE, INSERT or MERGE", |i| i.1);
    let words: Vec<&str> = words.iter().take(2).map(String::as_str).collect();
    let named = match words.as_slice() {
        ["CREATE", "OR"] => "CREATE OR REPLACE".to_owned(),
        [first @ ("ALTER" | "CREATE" | "DROP"), second] => format!("{first} {second}"),
        [first, ..] => (*first).to_owned(),
        [] => "this".to_owned(),
    };
    refused(format!("{named} is no statement that triphase runs on Delta tables"), format!("use {way_out}"))
}
