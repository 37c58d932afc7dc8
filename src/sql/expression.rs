//! Expressions: the names in them.

use super::{
    code::{Item, read},
    quote::ident,
    tokens::{Kind, lex},
};
use crate::model::Dialect;
use std::collections::BTreeSet;

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

/// The expression with each bare word that stands for a name of `known` spelt and quoted as that, where its spelling matters: the name has
/// upper case letters, which one engine would fold and the other would not.
pub fn spell_in<'k>(dialect: Dialect, expression: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().filter(|name| name.chars().any(char::is_uppercase)).collect();
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
            (!function && !literal && !type_name).then(|| item.text.to_owned())
        }
        Kind::Blank | Kind::LineComment | Kind::BlockComment | Kind::Hint | Kind::Text | Kind::Continuation => None,
        Kind::Dollar | Kind::Number | Kind::Parameter | Kind::Symbol => None,
    }
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
        assert_eq!(used("s.amount + 1 -- date"), Vec::<&str>::new());
        assert_eq!(used("'open"), COLUMNS.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
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
        assert_eq!(spelt("upper > 0 AND amount > upper(`Upper`)"), "`Upper` > 0 AND amount > upper(`Upper`)");
    }
}
