//! Statements for Delta tables: `UPDATE`, `DELETE`, `INSERT` and `MERGE`, taken apart for the library that carries them out. Everything
//! else is refused by name, with what to write instead.

mod columns;
mod dml;
pub mod expression;
mod instead;
mod parts;
#[cfg(test)]
mod tests;

pub use columns::unqualified;

use deltalake::datafusion::sql::sqlparser::{
    ast::Statement,
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};
use instead::instead;

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
        Statement::Update(update) => dml::update(update),
        Statement::Delete(delete) => dml::delete(delete),
        Statement::Insert(insert) => dml::insert(insert),
        Statement::Merge(merge) => dml::merge(merge),
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
