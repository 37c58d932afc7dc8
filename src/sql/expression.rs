//! Expressions: the names in them.

use super::{
    code::{Item, read},
    quote::ident,
    tokens::{Kind, lex},
};
use crate::model::Dialect;
use std::collections::BTreeSet;

/// Words that are an expression's own wherever they stand bare: a column of that name must be quoted.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASE",
    "CAST",
    "COLLATE",
    "CROSS",
    "DESC",
    "DISTINCT",
    "DIV",
    "ELSE",
    "END",
    "ESCAPE",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FOR",
    "FROM",
    "HAVING",
    "ILIKE",
    "IN",
    "INTERVAL",
    "IS",
    "LEADING",
    "LIKE",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RLIKE",
    "SELECT",
    "SOME",
    "THEN",
    "TO",
    "TRAILING",
    "TRUE",
    "UNION",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The names among `known` that an expression uses, as `known` spells them. A bare word stands for a name in any case, as Spark reads it;
/// one before a `(` is a function, one behind `AS` a type, one before a string a literal's type, one behind a `.` a part of a struct. An
/// expression that can't be read uses all of them.
pub fn names_in<'k>(dialect: Dialect, expression: &str, known: impl IntoIterator<Item = &'k str>) -> BTreeSet<&'k str> {
    let Some(items) = read(dialect, expression) else { return known.into_iter().collect() };
    let used: Vec<String> = (0..items.len()).filter_map(|at| name_at(dialect, &items, at)).collect();
    known.into_iter().filter(|name| used.iter().any(|used| same(used, name))).collect()
}

/// An author's expression as it can stand inside parentheses of ours: without comments, the rest to the letter.
///
/// # Errors
/// Why it can't: something in it is never closed, or it is more than one expression.
pub fn expression(dialect: Dialect, text: &str) -> Result<String, String> {
    let lexed = lex(dialect, text);
    if let Some(fault) = lexed.fault {
        return Err(format!("a {} in it is never closed", fault.what));
    }
    let mut bare = String::with_capacity(text.len());
    let mut open = 0_i32;
    for token in &lexed.tokens {
        let source = &text[token.span.clone()];
        match (token.kind, source) {
            (Kind::LineComment | Kind::BlockComment | Kind::Hint, _) => {
                bare.push(' ');
                continue;
            }
            (Kind::Symbol, "(") => open += 1,
            (Kind::Symbol, ")") => open -= 1,
            (Kind::Symbol, ";") => return Err("it has a `;`, and is to be one expression".to_owned()),
            (_, _) => {}
        }
        if open < 0 {
            return Err("it closes a parenthesis that it has not opened".to_owned());
        }
        bare.push_str(source);
    }
    match (open, bare.trim()) {
        (0, "") => Err("it is empty".to_owned()),
        (0, bare) => Ok(bare.to_owned()),
        (_, _) => Err("a parenthesis in it is never closed".to_owned()),
    }
}

/// The expression with a name replaced by another, quoted; all else stays to the letter.
pub fn rename_in(dialect: Dialect, expression: &str, from: &str, to: &str) -> String {
    replace(dialect, expression, |name| same(name, from).then(|| ident(dialect, to)))
}

/// The expression with a name replaced by another expression, in parentheses; all else stays to the letter.
pub fn replace_in(dialect: Dialect, expression: &str, name: &str, by: &str) -> String {
    replace(dialect, expression, |found| same(found, name).then(|| format!("({by})")))
}

/// The expression with each word that stands for a name of `known` spelt and quoted as that, where its spelling matters: the name has upper
/// case letters, which one engine would fold and the other would not, or is a keyword, which one would read as that.
pub fn spell_in<'k>(dialect: Dialect, expression: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let keyword = |name: &str| KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(name));
    let known: Vec<&str> =
        known.into_iter().filter(|name| name.chars().any(char::is_uppercase) || keyword(name)).collect();
    replace(dialect, expression, |name| known.iter().find(|k| same(k, name)).map(|k| ident(dialect, k)))
}

fn replace(dialect: Dialect, expression: &str, by: impl Fn(&str) -> Option<String>) -> String {
    let Some(items) = read(dialect, expression) else { return expression.to_owned() };
    let mut text = String::with_capacity(expression.len());
    let mut end = 0;
    for (at, item) in items.iter().enumerate() {
        if let Some(new) = name_at(dialect, &items, at).and_then(|name| by(&name)) {
            text.push_str(&expression[end..item.span.start]);
            text.push_str(&new);
            end = item.span.end;
        }
    }
    text.push_str(&expression[end..]);
    text
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// The name that an item is, unquoted; `None` where it is none.
fn name_at(dialect: Dialect, items: &[Item<'_>], at: usize) -> Option<String> {
    let item = items.get(at)?;
    let before = at.checked_sub(1).and_then(|n| items.get(n));
    let behind = items.get(at + 1);
    if before.is_some_and(|item| item.symbol(".")) {
        return None;
    }
    match item.kind {
        Kind::Name => {
            let quote = ident(dialect, "").chars().next()?;
            let inner = item.text.strip_prefix(quote)?.strip_suffix(quote)?;
            Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
        }
        Kind::Word => {
            let function = behind.is_some_and(|next| next.symbol("("));
            let literal = behind.is_some_and(|next| next.kind == Kind::Text);
            let type_name = before.is_some_and(|last| last.is("AS"));
            // `INTERVAL '1' day`, `EXTRACT(day FROM at)`
            let unit = before.is_some_and(|last| matches!(last.kind, Kind::Text | Kind::Number))
                || at.checked_sub(2).and_then(|n| items.get(n)).is_some_and(|first| first.is("EXTRACT"));
            let keyword = item.is_any(KEYWORDS) && !(dialect == Dialect::Delta && compared(item, before, behind));
            let other = function || literal || type_name || unit || keyword;
            (!other).then(|| item.text.to_owned())
        }
        // As delta-rs writes the names in a constraint that it makes. For Spark it is a text; that it then says the name of a column to the
        // letter is less likely than that a column is meant.
        Kind::Text if dialect == Dialect::Delta => {
            let inner = item.text.strip_prefix('"')?.strip_suffix('"')?;
            Some(inner.replace("\"\"", "\""))
        }
        Kind::Blank | Kind::LineComment | Kind::BlockComment | Kind::Hint | Kind::Text | Kind::Continuation => None,
        Kind::Dollar | Kind::Number | Kind::Parameter | Kind::Symbol => None,
    }
}

/// Whether a keyword is a column all the same: delta-rs leaves it bare (`select != ''`) in a constraint that it makes. It stands where a
/// value begins, and is compared with something.
fn compared(item: &Item<'_>, before: Option<&Item<'_>>, behind: Option<&Item<'_>>) -> bool {
    const CONSTANTS: &[&str] = &["FALSE", "NULL", "TRUE"];
    const BEGIN: &[&str] = &["AND", "BETWEEN", "CASE", "ELSE", "NOT", "OR", "THEN", "WHEN"];
    const COMPARE: &[&str] = &["BETWEEN", "ILIKE", "IN", "IS", "LIKE", "NOT"];
    let symbol =
        |item: &Item<'_>, first: &str| item.kind == Kind::Symbol && item.text.starts_with(|c| first.contains(c));
    let compares = |item: &Item<'_>| symbol(item, "=<>!");
    let begins = before.is_none_or(|last| symbol(last, "(,+-*/%|") || compares(last) || last.is_any(BEGIN));
    let ends = behind.is_none_or(|next| symbol(next, "),") || next.is_any(&["AND", "OR"]));
    let goes_on = behind.is_some_and(|next| compares(next) || next.is_any(COMPARE));
    !item.is_any(CONSTANTS) && begins && (goes_on || ends && before.is_some_and(compares))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COLUMNS: [&str; 6] = ["amount", "date", "Upper", "weird name", "select", "a.b"];

    fn used(expression: &str) -> Vec<&'static str> {
        names_in(Dialect::Delta, expression, COLUMNS).into_iter().collect()
    }

    #[test]
    fn the_names_of_an_expression_are_found() {
        assert_eq!(used("CAST(AMOUNT AS date) > date '2020-01-01'"), ["amount"]);
        assert_eq!(used("`weird name` <> 'amount' AND `select` = date(`a.b`)"), ["a.b", "select", "weird name"]);
        let and = ["and", "not", "day", "at"];
        let found = |text| names_in(Dialect::Delta, text, and).into_iter().collect::<Vec<_>>();
        assert_eq!(found("a AND NOT b"), Vec::<&str>::new());
        assert_eq!(found("`and` AND `not`"), ["and", "not"]);
        assert_eq!(found("EXTRACT(day FROM at) + INTERVAL '1' day + INTERVAL 1 day"), ["at"]);
        assert_eq!(found("substring(day FROM 2)"), ["day"]);
        assert_eq!(used("s.amount + 1 -- date"), Vec::<&str>::new());
        assert_eq!(used("'open"), COLUMNS.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    }

    /// A constraint that delta-rs made is written as DataFusion writes it.
    #[test]
    fn names_as_delta_rs_writes_them_are_found() {
        assert_eq!(used("\"weird name\" != '' AND \"Upper\" > 3 AND select != ''"), ["Upper", "select", "weird name"]);
        assert_eq!(used("NOT (select IS NULL) OR '' != select"), ["select"]);
        assert_eq!(used("\"red\" <> amount"), ["amount"]);
        assert_eq!(used("CASE WHEN amount IS NULL THEN 1 END = 1 AND NOT amount IN (1)"), ["amount"]);
        let words = ["case", "end", "not", "null", "is", "in", "and", "interval"];
        let text =
            "NOT a IS NOT NULL AND NULL IS NULL OR (CASE WHEN a = b THEN 1 ELSE 2 END) = 5 OR a = INTERVAL 1 day";
        assert_eq!(names_in(Dialect::Delta, text, words), BTreeSet::new());
        assert_eq!(
            rename_in(Dialect::Delta, "\"a\"\"b\" != 'a\"b' OR select = 1", "a\"b", "c"),
            "`c` != 'a\"b' OR select = 1"
        );
        assert_eq!(rename_in(Dialect::Delta, "select != ''", "select", "from"), "`from` != ''");
        assert_eq!(names_in(Dialect::Postgres, "select != ''", ["select"]), BTreeSet::new());
    }

    #[test]
    fn an_expression_stays_in_its_parentheses() {
        let read = |text| expression(Dialect::Delta, text);
        assert_eq!(read(" a + /* b */ 'c;' -- d\n + 1 ").unwrap(), "a +   'c;'  \n + 1");
        for text in ["a) OR (b", "(a", "a; b", "'a", "-- a", ""] {
            read(text).unwrap_err();
        }
    }

    #[test]
    fn names_are_replaced_and_nothing_else() {
        let renamed = |text: &str| rename_in(Dialect::Delta, text, "amount", "a`b");
        assert_eq!(
            renamed("CAST(Amount AS bigint) /* amount */ + amount('amount')"),
            "CAST(`a``b` AS bigint) /* amount */ + amount('amount')"
        );
        assert_eq!(renamed("`amount` + s.amount"), "`a``b` + s.amount");
        let spelt = |text: &str| spell_in(Dialect::Delta, text, COLUMNS);
        assert_eq!(spelt("select > 0 AND `select` < 9"), "`select` > 0 AND `select` < 9");
        assert_eq!(spelt("upper > 0 AND amount > upper(`Upper`)"), "`Upper` > 0 AND amount > upper(`Upper`)");
    }
}
