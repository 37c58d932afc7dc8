//! Expressions that a table keeps or a step fills it with: what both Spark and DataFusion give the same value for, row by row.

use super::{Refused, ambiguous, refused};
use deltalake::datafusion::{
    functions, functions_aggregate, functions_window,
    logical_expr::Volatility,
    sql::sqlparser::{
        ast::{BinaryOperator, Expr, Query, Visit as _, Visitor},
        dialect::GenericDialect,
        parser::{Parser, ParserError},
        tokenizer::{Token, Tokenizer},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::LazyLock,
};

/// Functions of DataFusion that Spark has under no such name; a name that ends with `_` stands for all that begin so.
const ONLY_DATAFUSION: &[&str] = &[
    "arrow_",
    "list_",
    "date_bin",
    "digest",
    "ends_with",
    "iszero",
    "make_array",
    "starts_with",
    "strpos",
    "to_hex",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
];

/// What a function does that an expression over one row can't.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Aggregate,
    Window,
    /// It gives another value each time.
    Varies,
}

/// The functions that are of a kind, by every name that they have.
static KINDS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(|| {
    let mut kinds = BTreeMap::new();
    let mut put = |name: &str, aliases: &[String], kind: Kind| {
        for name in aliases.iter().map(String::as_str).chain([name]) {
            kinds.insert(name.to_lowercase(), kind);
        }
    };
    for function in functions_window::all_default_window_functions() {
        put(function.name(), function.aliases(), Kind::Window);
    }
    for function in functions_aggregate::all_default_aggregate_functions() {
        put(function.name(), function.aliases(), Kind::Aggregate);
    }
    for function in functions::all_default_functions() {
        match function.signature().volatility {
            Volatility::Immutable => {}
            Volatility::Stable | Volatility::Volatile => put(function.name(), function.aliases(), Kind::Varies),
        }
    }
    kinds
});

/// Sees that an expression is one over a single row. `steady`: it must give the same value each time.
///
/// # Errors
/// What it is instead, or why the two engines would read it differently.
pub fn vet(text: &str, steady: bool) -> Result<(), Refused> {
    let expr = parse(text)?;
    match expr.visit(&mut Row { steady }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(refused),
    }
}

/// The first name in an expression that is none of these columns, in whatever case.
pub fn unknown<'k>(text: &str, columns: impl IntoIterator<Item = &'k str>) -> Option<String> {
    struct Names(BTreeSet<String>);
    impl Visitor for Names {
        type Break = String;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
            let name = match expr {
                Expr::Identifier(ident) => Some(&ident.value),
                Expr::CompoundIdentifier(parts) => parts.first().map(|ident| &ident.value),
                _ => None,
            };
            match name.filter(|name| !self.0.contains(&name.to_lowercase())) {
                Some(name) => ControlFlow::Break(name.clone()),
                None => ControlFlow::Continue(()),
            }
        }
    }
    let mut names = Names(columns.into_iter().map(str::to_lowercase).collect());
    parse(text).ok()?.visit(&mut names).break_value()
}

fn parse(text: &str) -> Result<Expr, Refused> {
    let way_out = "write one expression as DataFusion and Spark both understand it";
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize()
        .map_err(|error| refused(format!("it can't be read: {error}"), way_out))?;
    if let Some(found) = tokens.iter().find_map(ambiguous) {
        return Err(found);
    }
    let mut parser = Parser::new(&GenericDialect {}).with_tokens(tokens);
    let unread = |error: ParserError| {
        let words = error.to_string();
        refused(format!("it can't be read: {}", words.trim_start_matches("sql parser error: ")), way_out)
    };
    let expr = parser.parse_expr().map_err(unread)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(refused(format!("it can't be read from `{rest}` on"), way_out));
    }
    Ok(expr)
}

/// Looks for what an expression over one row has not.
struct Row {
    steady: bool,
}

impl Row {
    fn found(&self, expr: &Expr) -> Option<Refused> {
        let one = "an expression is over the columns of one row; fill the column by a step with a MERGE";
        match expr {
            Expr::Function(function) => {
                let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
                let only = ONLY_DATAFUSION.iter().any(|known| match known.strip_suffix('_') {
                    Some(_) => name.starts_with(known),
                    None => name == *known,
                });
                if only {
                    return Some(refused(
                        format!("DataFusion alone has the function `{name}`"),
                        "write it with functions that Spark has too",
                    ));
                }
                if function.over.is_some() {
                    return Some(refused(format!("`{name}(…) OVER …` looks at other rows"), one));
                }
                match KINDS.get(&name)? {
                    Kind::Aggregate => Some(refused(format!("`{name}` is an aggregate of many rows"), one)),
                    Kind::Window => Some(refused(format!("`{name}` looks at other rows"), one)),
                    Kind::Varies if self.steady => Some(refused(
                        format!("`{name}` gives another value each time"),
                        "what a table holds its writers to gives the same value each time; give rows such a value with `default`, or let \
                         the writers",
                    )),
                    Kind::Varies => None,
                }
            }
            Expr::BinaryOp { op, .. } => match op {
                BinaryOperator::PGRegexMatch
                | BinaryOperator::PGRegexIMatch
                | BinaryOperator::PGRegexNotMatch
                | BinaryOperator::PGRegexNotIMatch
                | BinaryOperator::PGLikeMatch
                | BinaryOperator::PGILikeMatch
                | BinaryOperator::PGNotLikeMatch
                | BinaryOperator::PGNotILikeMatch => {
                    Some(refused(format!("Spark has no operator `{op}`"), "write LIKE, ILIKE or regexp_like(…)"))
                }
                _ => None,
            },
            Expr::SimilarTo { .. } => Some(refused("Spark has no SIMILAR TO", "write LIKE or regexp_like(…)")),
            _ => None,
        }
    }
}

impl Visitor for Row {
    type Break = Refused;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Refused> {
        let way_out = "an expression is over the columns of one row; fill the column by a step with a MERGE";
        ControlFlow::Break(refused("it has a query inside", way_out))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refused> {
        match self.found(expr) {
            Some(refused) => ControlFlow::Break(refused),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_only_one_engine_reads_or_needs_other_rows_is_refused() {
        for (text, says) in [
            ("max(id)", "`max` is an aggregate"),
            ("id + count(*)", "`count` is an aggregate"),
            ("row_number() OVER (ORDER BY id)", "looks at other rows"),
            ("sum(id) OVER ()", "looks at other rows"),
            ("(SELECT max(id) FROM s)", "a query inside"),
            ("id IN (SELECT id FROM s)", "a query inside"),
            ("EXISTS (SELECT 1)", "a query inside"),
            ("random()", "another value each time"),
            ("uuid()", "another value each time"),
            ("now()", "another value each time"),
            ("current_date", "another value each time"),
            ("CURRENT_TIMESTAMP", "another value each time"),
            ("\"amount\"", "a text for Spark and a name for DataFusion"),
            ("concat(amount, 'a\\nb')", "a backslash"),
            ("kind ~ 'k'", "no operator `~`"),
            ("kind !~* 'k'", "no operator `!~*`"),
            ("kind SIMILAR TO 'k'", "SIMILAR TO"),
            ("arrow_cast(id, 'Utf8')", "`arrow_cast`"),
            ("id > > 1", "can't be read"),
            ("id 1", "can't be read"),
        ] {
            let refused = vet(text, true).unwrap_err();
            let said = format!("{} | {}", refused.message, refused.way_out);
            assert!(said.contains(says), "{text}: {said}");
        }
        for text in [
            "CAST(amount AS bigint)",
            "upper(kind) || `weird ``name.`",
            "kind ILIKE 'K' AND kind IS NOT NULL",
            "CASE WHEN kind = 'it''s \"x\" `y`' THEN date '2020-01-01' ELSE to_date(kind) END",
            "id IS DISTINCT FROM 3 AND EXTRACT(day FROM at) > 1",
            "nvl2(amount, 'a', 'b')",
            "NULL",
            "amount = '' OR s.a > 1",
        ] {
            vet(text, true).unwrap();
        }
        vet("uuid()", false).unwrap();
    }

    #[test]
    fn a_name_that_is_no_column_is_found() {
        let columns = ["id", "Amount"];
        assert_eq!(unknown("zz > id", columns).as_deref(), Some("zz"));
        assert_eq!(unknown("upper(amount) = 'zz' AND id.a > 1", columns), None);
    }
}
