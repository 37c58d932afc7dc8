//! What a PostgreSQL statement that stands alone is about, so that the engine can ask the catalogue whether it happened (rule L3).

use super::code::{Cursor, Item, outer, read};
use super::tokens::Kind;
use crate::model::Dialect;

/// A statement whose effect the catalogue shows. Names are as the catalogue has them: unquoted, folded, cut to 63 bytes; a list is a
/// qualified name's parts, the last one the object's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concurrent {
    /// `CREATE INDEX CONCURRENTLY`.
    Create {
        /// The index; none where the server makes up its name.
        name: Option<Vec<String>>,
        /// Its table.
        table: Vec<String>,
        /// What else of it the catalogue shows.
        shape: Shape,
    },
    /// `DROP INDEX CONCURRENTLY`.
    Drop {
        /// The indexes.
        names: Vec<Vec<String>>,
    },
    /// `REINDEX … CONCURRENTLY`.
    Reindex {
        /// Of what it rebuilds the indexes: `INDEX`, `TABLE`, `SCHEMA` or `DATABASE`.
        kind: String,
        /// Its name; none for the current database.
        name: Option<Vec<String>>,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`.
    Detach {
        /// The partitioned table.
        table: Vec<String>,
        /// Its partition.
        partition: Vec<String>,
    },
    /// `ALTER TYPE … ADD VALUE`.
    AddValue {
        /// The enum.
        type_name: Vec<String>,
        /// The new value.
        value: String,
    },
}

impl Concurrent {
    /// Whether what it is about is named without a schema.
    pub fn has_bare_names(&self) -> bool {
        let bare = |name: &Vec<String>| name.len() < 2;
        match self {
            Self::Create { table, .. } => bare(table),
            Self::Drop { names } => names.iter().any(bare),
            Self::Reindex { kind, name } => {
                ["INDEX", "TABLE"].contains(&kind.as_str()) && name.as_ref().is_some_and(bare)
            }
            Self::Detach { table, partition } => bare(table) || bare(partition),
            Self::AddValue { type_name, .. } => bare(type_name),
        }
    }
}

/// What tells one index of a table from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `IF NOT EXISTS`: an index of that name is taken as it is.
    pub guarded: bool,
    /// `UNIQUE`.
    pub unique: bool,
    /// The access method.
    pub method: String,
    /// The keys' columns; none for an expression.
    pub keys: Vec<Option<String>>,
    /// How many columns it includes that are no keys.
    pub included: usize,
    /// Whether it has a `WHERE`.
    pub partial: bool,
}

/// Whether this is a `CREATE INDEX CONCURRENTLY` that leaves the index's name to the server.
pub(super) fn is_nameless(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    let concurrent = at.eat(&["CREATE"]) && {
        at.eat(&["UNIQUE"]);
        at.eat(&["INDEX", "CONCURRENTLY"])
    };
    concurrent && at.eat(&["ON"])
}

/// Reads such a statement. None for any other, and where a name or value is written in a way that is not understood (`UESCAPE`, numeric
/// escapes): then the catalogue can't be asked.
pub fn index_concurrently(text: &str) -> Option<Concurrent> {
    let items = read(Dialect::Postgres, text)?;
    let mut at = Cursor::new(&items);
    if at.eat(&["CREATE"]) {
        let unique = at.eat(&["UNIQUE"]);
        if !at.eat(&["INDEX", "CONCURRENTLY"]) {
            return None;
        }
        let guarded = at.eat(&["IF", "NOT", "EXISTS"]);
        let name = if at.eat(&["ON"]) {
            None
        } else {
            let name = qualified(&mut at)?;
            at.eat(&["ON"]).then_some(())?;
            Some(name)
        };
        at.eat(&["ONLY"]);
        let table = qualified(&mut at)?;
        let method = if at.eat(&["USING"]) { self::name(at.take()?)? } else { "btree".to_owned() };
        let keys = elements(at.parentheses()?).into_iter().map(key).collect();
        let included = if at.eat(&["INCLUDE"]) { elements(at.parentheses()?).len() } else { 0 };
        let partial = outer(at.rest()).any(|item| item.is("WHERE"));
        return Some(Concurrent::Create {
            name,
            table,
            shape: Shape { guarded, unique, method, keys, included, partial },
        });
    }
    if at.eat(&["DROP", "INDEX", "CONCURRENTLY"]) {
        at.eat(&["IF", "EXISTS"]);
        let mut names = vec![qualified(&mut at)?];
        while at.symbol(",") {
            names.push(qualified(&mut at)?);
        }
        return Some(Concurrent::Drop { names });
    }
    if at.eat(&["REINDEX"]) {
        let listed = at.parentheses().is_some_and(|options| options.iter().any(|o| o.is("CONCURRENTLY")));
        let kind = at.take()?.text.to_ascii_uppercase();
        let named = at.eat(&["CONCURRENTLY"]);
        if !listed && !named {
            return None;
        }
        let name = if at.peek().is_none_or(|item| item.symbol(";")) { None } else { Some(qualified(&mut at)?) };
        return Some(Concurrent::Reindex { kind, name });
    }
    if at.eat(&["ALTER", "TYPE"]) {
        let type_name = qualified(&mut at)?;
        at.eat(&["ADD", "VALUE"]).then_some(())?;
        at.eat(&["IF", "NOT", "EXISTS"]);
        return Some(Concurrent::AddValue { type_name, value: string(at.take()?)? });
    }
    if at.eat(&["ALTER", "TABLE"]) {
        at.eat(&["IF", "EXISTS"]);
        at.eat(&["ONLY"]);
        let table = qualified(&mut at)?;
        at.eat(&["DETACH", "PARTITION"]).then_some(())?;
        let partition = qualified(&mut at)?;
        return at.eat(&["CONCURRENTLY"]).then_some(Concurrent::Detach { table, partition });
    }
    None
}

/// What stands between commas, those in parentheses apart.
fn elements<'s, 'a>(items: &'s [Item<'a>]) -> Vec<&'s [Item<'a>]> {
    let mut depth = 0_usize;
    let between = items.split(|item| {
        if item.symbol("(") {
            depth += 1;
        } else if item.symbol(")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && item.symbol(",")
    });
    between.collect()
}

/// The column that is an index's key; none for an expression.
fn key(element: &[Item<'_>]) -> Option<String> {
    match element {
        [_, open, ..] if open.symbol("(") => None,
        [column, ..] if matches!(column.kind, Kind::Word | Kind::Name) => name(column),
        _ => None,
    }
}

fn qualified(at: &mut Cursor<'_, '_>) -> Option<Vec<String>> {
    let parts = at.name()?.into_iter().map(name).collect();
    if at.peek().is_some_and(|item| item.is("UESCAPE")) { None } else { parts }
}

/// A name as the catalogue has it. The server cuts it to 63 bytes, between characters.
fn name(item: &Item<'_>) -> Option<String> {
    let mut name = match item.text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.replace("\"\"", "\""),
        None if item.kind == Kind::Word => item.text.to_ascii_lowercase(),
        // `U&"…"`: without an escape it is what it says.
        None => {
            let rest = item.text.get(3..)?.strip_suffix('"')?;
            (!rest.contains('\\')).then(|| rest.replace("\"\"", "\""))?
        }
    };
    name.truncate(name.floor_char_boundary(63));
    Some(name)
}

fn string(item: &Item<'_>) -> Option<String> {
    let text = item.text;
    if item.kind == Kind::Dollar {
        let tag = text[1..].find('$')? + 2;
        return Some(text.get(tag..text.len() - tag)?.to_owned());
    }
    if item.kind != Kind::Text {
        return None;
    }
    if let Some(rest) = text.strip_prefix('\'') {
        return Some(rest.strip_suffix('\'')?.replace("''", "'"));
    }
    let rest = text.strip_prefix(['e', 'E'])?.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
    let mut value = String::new();
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        // Numeric and control escapes: too rare in a name of a value to be read here.
        value.push(characters.next().filter(|c| !c.is_ascii_alphanumeric())?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn parts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn statements_are_read_as_the_catalogue_has_them() {
        for (text, expected) in [
            (
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS Idx ON ONLY S.\"T\"\"x\" USING GIN (a DESC, lower(b, c), (\"D\"), \"D\") \
                 INCLUDE (e, f) WITH (fillfactor = 70) WHERE a > 1",
                Some(Concurrent::Create {
                    name: Some(parts(&["idx"])),
                    table: parts(&["s", "T\"x"]),
                    shape: Shape {
                        guarded: true,
                        unique: true,
                        method: "gin".to_owned(),
                        keys: vec![Some("a".to_owned()), None, None, Some("D".to_owned())],
                        included: 2,
                        partial: true,
                    },
                }),
            ),
            (
                "create index concurrently on t(a)",
                Some(Concurrent::Create {
                    name: None,
                    table: parts(&["t"]),
                    shape: Shape {
                        guarded: false,
                        unique: false,
                        method: "btree".to_owned(),
                        keys: vec![Some("a".to_owned())],
                        included: 0,
                        partial: false,
                    },
                }),
            ),
            (
                "DROP INDEX /* x */ CONCURRENTLY IF EXISTS a, S.\"B\"",
                Some(Concurrent::Drop { names: vec![parts(&["a"]), parts(&["s", "B"])] }),
            ),
            (
                "REINDEX TABLE CONCURRENTLY t",
                Some(Concurrent::Reindex { kind: "TABLE".to_owned(), name: Some(parts(&["t"])) }),
            ),
            (
                "REINDEX (CONCURRENTLY) INDEX i",
                Some(Concurrent::Reindex { kind: "INDEX".to_owned(), name: Some(parts(&["i"])) }),
            ),
            (
                "ALTER TYPE s.E ADD VALUE IF NOT EXISTS 'it''s' AFTER 'b'",
                Some(Concurrent::AddValue { type_name: parts(&["s", "e"]), value: "it's".to_owned() }),
            ),
            (
                r"ALTER TYPE e ADD VALUE E'a\\b'",
                Some(Concurrent::AddValue { type_name: parts(&["e"]), value: r"a\b".to_owned() }),
            ),
            (
                "ALTER TABLE IF EXISTS ONLY s.T DETACH PARTITION \"P\" CONCURRENTLY",
                Some(Concurrent::Detach { table: parts(&["s", "t"]), partition: parts(&["P"]) }),
            ),
            ("ALTER TABLE t DETACH PARTITION p", None),
            ("ALTER TABLE t DETACH PARTITION p FINALIZE", None),
            ("CREATE INDEX i ON t (a)", None),
            ("DROP INDEX i", None),
            ("REINDEX TABLE t", None),
            ("VACUUM", None),
        ] {
            assert_eq!(index_concurrently(text), expected, "{text}");
        }
        let long = format!("DROP INDEX CONCURRENTLY {}é", "a".repeat(62));
        assert_eq!(index_concurrently(&long), Some(Concurrent::Drop { names: vec![vec!["a".repeat(62)]] }));
    }
}
