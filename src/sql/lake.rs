//! Statements for Delta tables: `UPDATE`, `DELETE`, `INSERT` and `MERGE`, taken apart for the library that carries them out. Everything
//! else is refused by name, with what to write instead.

mod parts;

use deltalake::datafusion::sql::sqlparser::{
    ast::{
        Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeClauseKind,
        MergeInsertKind, ObjectName, Query, Statement, TableAlias, TableFactor, TableObject, TableWithJoins, Update,
        Visit, VisitMut, Visitor, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};
use std::ops::ControlFlow;

/// Why a statement can't be run, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong. No final full stop.
    pub message: String,
    /// What to do about it.
    pub way_out: String,
}

fn refused(message: impl Into<String>, way_out: impl Into<String>) -> Refused {
    Refused { message: message.into(), way_out: way_out.into() }
}

/// A table as a statement names it, and the name that its columns go by there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its path below the lake's root, or a full URL.
    pub path: String,
    /// Its alias; none where the statement gives none.
    pub alias: Option<String>,
}

/// A column, and the expression that gives its value.
pub type Set = (String, String);

/// What is done with one row of a `MERGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// `WHEN MATCHED THEN UPDATE SET …`.
    Update(Vec<Set>),
    /// `WHEN MATCHED THEN DELETE`.
    Delete,
    /// `WHEN NOT MATCHED THEN INSERT …`.
    Insert(Vec<Set>),
    /// `WHEN NOT MATCHED BY SOURCE THEN UPDATE SET …`.
    UpdateOrphan(Vec<Set>),
    /// `WHEN NOT MATCHED BY SOURCE THEN DELETE`.
    DeleteOrphan,
}

/// A statement that changes rows. Expressions and queries are SQL text, as DataFusion reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dml {
    /// `UPDATE t SET … WHERE …`.
    Update {
        /// Which.
        table: Named,
        /// What.
        set: Vec<Set>,
        /// Where; everywhere without.
        predicate: Option<String>,
    },
    /// `DELETE FROM t WHERE …`.
    Delete {
        /// Which.
        table: Named,
        /// Where; everywhere without.
        predicate: Option<String>,
    },
    /// `INSERT INTO t (…) SELECT …` or `VALUES …`.
    Insert {
        /// Which.
        table: Named,
        /// Into which columns, in this order; all of them, in the table's order, where empty.
        columns: Vec<String>,
        /// From where.
        query: String,
    },
    /// `MERGE INTO t USING s ON … WHEN …`.
    Merge {
        /// Which.
        table: Named,
        /// The query whose rows are merged.
        source: String,
        /// Their name in the expressions.
        source_alias: String,
        /// When a row matches.
        on: String,
        /// What is done then, with a further condition.
        clauses: Vec<(Option<String>, Merged)>,
    },
}

impl Dml {
    /// The table that is changed.
    pub const fn table(&self) -> &Named {
        match self {
            Self::Update { table, .. }
            | Self::Delete { table, .. }
            | Self::Insert { table, .. }
            | Self::Merge { table, .. } => table,
        }
    }
}

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

/// Reads a statement.
///
/// # Errors
/// Where it is none that changes rows, or has a part that the library can't carry out.
pub fn read(text: &str) -> Result<Dml, Refused> {
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize()
        .map_err(|error| refused(format!("the statement can't be read: {error}"), "see the statement's quotes"))?;
    if let Some(found) = tokens.iter().find_map(ambiguous) {
        return Err(found);
    }
    let words: Vec<String> = tokens
        .iter()
        .filter_map(|token| match token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
            _ => None,
        })
        .take(12)
        .collect();
    let first = words.first().map_or("", String::as_str);
    if !matches!(first, "UPDATE" | "DELETE" | "INSERT" | "MERGE") {
        return Err(instead(&words));
    }
    let mut statements = Parser::new(&GenericDialect {}).with_tokens(tokens);
    let statement = statements.parse_statement().and_then(|statement| match statements.peek_token().token {
        Token::EOF => Ok(statement),
        _ => statements.expected("the statement's end", statements.peek_token()),
    });
    let statement = statement.map_err(|error| {
        let words = error.to_string();
        let words = words.trim_start_matches("sql parser error: ");
        refused(format!("the statement can't be read: {words}"), "write it as DataFusion and Spark both understand it")
    })?;
    parts::honoured(&statement)?;
    match statement {
        Statement::Update(update) => self::update(update),
        Statement::Delete(delete) => self::delete(delete),
        Statement::Insert(insert) => self::insert(insert),
        Statement::Merge(merge) => self::merge(merge),
        _ => Err(instead(&words)),
    }
}

/// The table that a query or statement names by parts, as a path below the lake's root.
pub fn path(parts: &[String]) -> String {
    match parts {
        [delta, path] if delta.eq_ignore_ascii_case("delta") => path.clone(),
        parts => parts.join("/"),
    }
}

/// What Spark and DataFusion read differently is refused: nobody could tell what was meant.
fn ambiguous(token: &Token) -> Option<Refused> {
    match token {
        Token::Word(word) if word.quote_style == Some('"') => Some(refused(
            format!("\"{}\" is a text for Spark and a name for DataFusion", word.value),
            "write '…' for a text and `…` for a name",
        )),
        Token::DoubleQuotedString(text) => Some(refused(
            format!("\"{text}\" is a text for Spark and a name for DataFusion"),
            "write '…' for a text and `…` for a name",
        )),
        Token::SingleQuotedString(text) if text.contains('\\') => Some(refused(
            "a backslash in a text is one character for DataFusion and begins another for Spark",
            "write chr(92) for a backslash, and '' for a quote",
        )),
        _ => None,
    }
}

fn instead(words: &[String]) -> Refused {
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

fn update(update: Update) -> Result<Dml, Refused> {
    if update.from.is_some() {
        return Err(refused("UPDATE … FROM is not run on Delta tables", "use MERGE"));
    }
    if update.returning.is_some() || update.output.is_some() || update.or.is_some() || update.limit.is_some() {
        return Err(refused("this UPDATE has a part that Delta tables do not know", "write UPDATE t SET … WHERE …"));
    }
    let table = named_with_joins(&update.table)?;
    let predicate = update.selection;
    no_subquery(&predicate, "UPDATE")?;
    no_subquery(&update.assignments, "UPDATE")?;
    Ok(Dml::Update { set: assigned(&update.assignments, &table)?, predicate: predicate.map(|e| e.to_string()), table })
}

fn delete(delete: Delete) -> Result<Dml, Refused> {
    if delete.using.is_some() {
        return Err(refused("DELETE … USING is not run on Delta tables", "use MERGE … WHEN MATCHED THEN DELETE"));
    }
    let plain = delete.tables.is_empty()
        && delete.returning.is_none()
        && delete.output.is_none()
        && delete.order_by.is_empty()
        && delete.limit.is_none();
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let ([table], true) = (from.as_slice(), plain) else {
        return Err(refused("this DELETE has a part that Delta tables do not know", "write DELETE FROM t WHERE …"));
    };
    let table = named_with_joins(table)?;
    no_subquery(&delete.selection, "DELETE")?;
    Ok(Dml::Delete { table, predicate: delete.selection.map(|e| e.to_string()) })
}

fn insert(insert: Insert) -> Result<Dml, Refused> {
    if insert.overwrite {
        return Err(refused(
            "INSERT OVERWRITE is not run on Delta tables: it would also drop what others wrote meanwhile",
            "use MERGE, or DELETE and INSERT",
        ));
    }
    let plain = insert.or.is_none()
        && !insert.ignore
        && insert.assignments.is_empty()
        && insert.partitioned.is_none()
        && insert.after_columns.is_empty()
        && insert.on.is_none()
        && insert.returning.is_none()
        && insert.output.is_none()
        && !insert.replace_into;
    let (TableObject::TableName(name), Some(query), true) = (&insert.table, insert.source, plain) else {
        return Err(refused(
            "this INSERT has a part that Delta tables do not know",
            "write INSERT INTO t (…) SELECT …, or VALUES …",
        ));
    };
    let columns = insert.columns.iter().map(|column| last(column, None)).collect::<Result<_, _>>()?;
    let alias = insert.table_alias.map(|alias| alias.alias.value);
    Ok(Dml::Insert { table: Named { path: path_of(name)?, alias }, columns, query: query.to_string() })
}

fn merge(merge: Merge) -> Result<Dml, Refused> {
    if merge.output.is_some() {
        return Err(refused("MERGE … OUTPUT is not run on Delta tables", "leave OUTPUT away"));
    }
    let table = named(&merge.table)?;
    let (source, source_alias) = match &merge.source {
        TableFactor::Table { name, alias, .. } => {
            let plain = path_of(name)?;
            let alias = alias.as_ref().map_or_else(
                || plain.rsplit('/').next().unwrap_or_default().to_owned(),
                |alias| alias.name.value.clone(),
            );
            (format!("SELECT * FROM {name}"), alias)
        }
        TableFactor::Derived { subquery, alias: Some(alias), lateral: false, .. } => {
            let columns: Vec<String> = alias.columns.iter().map(|column| column.name.to_string()).collect();
            let query = if columns.is_empty() {
                subquery.to_string()
            } else {
                format!("SELECT * FROM ({subquery}) AS {} ({})", alias.name, columns.join(", "))
            };
            (query, alias.name.value.clone())
        }
        TableFactor::Derived { alias: None, .. } => {
            return Err(refused("the MERGE's source has no name", "write USING (SELECT …) AS s"));
        }
        _ => {
            return Err(refused("this source of a MERGE is not known", "write USING t AS s, or USING (SELECT …) AS s"));
        }
    };
    no_subquery(&merge.on, "MERGE")?;
    let mut clauses = Vec::new();
    for clause in &merge.clauses {
        no_subquery(&clause.predicate, "MERGE")?;
        no_subquery(&clause.action, "MERGE")?;
        let merged = match (&clause.clause_kind, &clause.action) {
            (MergeClauseKind::Matched, MergeAction::Update(update)) => {
                Merged::Update(assigned(&update.assignments, &table)?)
            }
            (MergeClauseKind::Matched, MergeAction::Delete { .. }) => Merged::Delete,
            (MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget, MergeAction::Insert(insert)) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(refused("INSERT ROW is not run on Delta tables", "write INSERT (…) VALUES (…)"));
                };
                let [row] = values.rows.as_slice() else {
                    return Err(refused("INSERT of a MERGE has more than one row", "write one row of values"));
                };
                let row: Vec<String> = row.iter().map(ToString::to_string).collect();
                if insert.columns.len() != row.len() {
                    return Err(refused(
                        format!("INSERT of the MERGE names {} columns and {} values", insert.columns.len(), row.len()),
                        "name each column, and give each its value",
                    ));
                }
                let columns = insert.columns.iter().map(|column| last(column, None)).collect::<Result<Vec<_>, _>>()?;
                Merged::Insert(columns.into_iter().zip(row).collect())
            }
            (MergeClauseKind::NotMatchedBySource, MergeAction::Update(update)) => {
                Merged::UpdateOrphan(assigned(&update.assignments, &table)?)
            }
            (MergeClauseKind::NotMatchedBySource, MergeAction::Delete { .. }) => Merged::DeleteOrphan,
            (kind, _) => {
                return Err(refused(
                    format!("WHEN {kind} can't do this"),
                    "matched rows are updated or deleted, others of the source inserted, others of the table updated or deleted",
                ));
            }
        };
        clauses.push((clause.predicate.as_ref().map(ToString::to_string), merged));
    }
    Ok(Dml::Merge { table, source, source_alias, on: merge.on.to_string(), clauses })
}

fn named_with_joins(table: &TableWithJoins) -> Result<Named, Refused> {
    if !table.joins.is_empty() {
        return Err(refused("a join can't be changed", "use MERGE"));
    }
    named(&table.relation)
}

fn named(table: &TableFactor) -> Result<Named, Refused> {
    match table {
        TableFactor::Table { name, alias, .. } => {
            let alias = alias.as_ref().map(|TableAlias { name, .. }| name.value.clone());
            Ok(Named { path: path_of(name)?, alias })
        }
        _ => Err(refused(format!("`{table}` is no table"), "name one table of the lake")),
    }
}

fn path_of(name: &ObjectName) -> Result<String, Refused> {
    let parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.clone()));
    let parts: Option<Vec<String>> = parts.collect();
    parts
        .map(|parts| path(&parts))
        .ok_or_else(|| refused(format!("`{name}` is no table's name"), "write sales, raw.events or delta.`raw/events`"))
}

fn assigned(assignments: &[Assignment], table: &Named) -> Result<Vec<Set>, Refused> {
    assignments
        .iter()
        .map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => Ok((last(name, Some(table))?, assignment.value.to_string())),
            AssignmentTarget::Tuple(_) => {
                Err(refused("several columns are set at once", "set each column by itself: SET a = …, b = …"))
            }
        })
        .collect()
}

/// A column's name, its table's name or alias taken off.
fn last(name: &ObjectName, table: Option<&Named>) -> Result<String, Refused> {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
    let qualifier =
        |part: &str| table.is_some_and(|t| t.alias.as_deref() == Some(part) || t.path.rsplit('/').next() == Some(part));
    match parts.as_slice() {
        [column] => Ok((*column).to_owned()),
        [of, column] if qualifier(of) => Ok((*column).to_owned()),
        _ => Err(refused(
            format!("`{name}` is a part of a column: only whole columns are set"),
            "set the whole column: SET c = named_struct(…)",
        )),
    }
}

/// The library's own parser has no tables but the one that is changed.
fn no_subquery(node: &impl Visit, statement: &str) -> Result<(), Refused> {
    struct Finds;
    impl Visitor for Finds {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    match node.visit(&mut Finds) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let way_out = "use MERGE, with the query as its source: MERGE INTO t USING (SELECT …) AS s ON …";
            Err(refused(format!("a query inside this {statement} is not run on Delta tables"), way_out))
        }
    }
}

/// An expression whose columns are not qualified by one of these names. What can't be read is given back as it is: who runs it refuses it.
pub fn unqualified(expression: &str, names: &[&str]) -> String {
    struct Strip<'a>(&'a [&'a str]);
    impl VisitorMut for Strip<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [of, column] = parts.as_slice()
                && self.0.contains(&of.value.as_str())
            {
                *expr = Expr::Identifier(column.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(expression).and_then(|mut parser| parser.parse_expr());
    match parsed {
        Ok(mut expr) => {
            let _: ControlFlow<()> = VisitMut::visit(&mut expr, &mut Strip(names));
            expr.to_string()
        }
        Err(_) => expression.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(text: &str) -> String {
        let refused = read(text).unwrap_err();
        format!("{} | {}", refused.message, refused.way_out)
    }

    #[test]
    fn statements_are_taken_apart() {
        let named = |path: &str, alias: Option<&str>| Named { path: path.into(), alias: alias.map(str::to_owned) };
        assert_eq!(
            read("UPDATE raw.events AS e SET e.kind = upper(e.kind), `weird name` = 1 WHERE e.id > 3").unwrap(),
            Dml::Update {
                table: named("raw/events", Some("e")),
                set: vec![("kind".into(), "upper(e.kind)".into()), ("weird name".into(), "1".into())],
                predicate: Some("e.id > 3".into()),
            }
        );
        assert_eq!(
            read("DELETE FROM delta.`raw/events`").unwrap(),
            Dml::Delete { table: named("raw/events", None), predicate: None }
        );
        assert_eq!(
            read("INSERT INTO t (b, a) SELECT x, y FROM u").unwrap(),
            Dml::Insert {
                table: named("t", None),
                columns: vec!["b".into(), "a".into()],
                query: "SELECT x, y FROM u".into()
            }
        );
        let merge = "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id \
                     WHEN MATCHED AND t.v > 1 THEN UPDATE SET v = s.id WHEN MATCHED THEN DELETE \
                     WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, 0) \
                     WHEN NOT MATCHED BY SOURCE THEN DELETE";
        assert_eq!(
            read(merge).unwrap(),
            Dml::Merge {
                table: named("t", None),
                source: "SELECT 1 AS id".into(),
                source_alias: "s".into(),
                on: "t.id = s.id".into(),
                clauses: vec![
                    (Some("t.v > 1".into()), Merged::Update(vec![("v".into(), "s.id".into())])),
                    (None, Merged::Delete),
                    (None, Merged::Insert(vec![("id".into(), "s.id".into()), ("v".into(), "0".into())])),
                    (None, Merged::DeleteOrphan),
                ],
            }
        );
    }

    #[test]
    fn what_is_not_run_is_refused_by_name_with_what_to_write_instead() {
        for (text, says) in [
            ("ALTER TABLE t ADD COLUMN c int", "`add_column`"),
            ("ALTER TABLE t RENAME COLUMN a TO b", "`rename_column`"),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "`add_constraint`"),
            ("ALTER TABLE t SET TBLPROPERTIES ('a' = 'b')", "`set_properties`"),
            ("CREATE TABLE t (a int)", "`create_table`"),
            ("CREATE OR REPLACE TABLE t AS SELECT 1", "nothing replaces"),
            ("DROP TABLE t", "`drop_table`"),
            ("VACUUM t", "a rollback needs"),
            ("RESTORE TABLE t TO VERSION AS OF 1", "drops every row"),
            ("SELECT 1", "`expect`"),
            ("GRANT SELECT ON t TO x", "UPDATE, DELETE, INSERT or MERGE"),
            ("UPDATE t SET a = (SELECT max(b) FROM u)", "use MERGE"),
            ("UPDATE t SET a = 1 FROM u WHERE u.id = t.id", "use MERGE"),
            ("DELETE FROM t WHERE id IN (SELECT id FROM u)", "use MERGE"),
            ("INSERT OVERWRITE t SELECT 1", "others wrote meanwhile"),
            ("UPDATE t SET a = \"x\"", "a text for Spark and a name for DataFusion"),
            ("UPDATE t SET a = 'c:\\d'", "chr(92)"),
            ("UPDATE t SET a.b = 1", "a part of a column"),
            ("UPDATE t SET", "can't be read"),
        ] {
            let said = refusal(text);
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
