//! Column types: Spark's words in release files, Delta's JSON in tables, and the words that a CAST takes on both engines.

use super::state::Field;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A column's type, as Delta's schema JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DataType {
    /// `long`, `string`, `decimal(10,2)`, …
    Primitive(String),
    /// A type made of others.
    Nested(Nested),
}

/// A type made of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Nested {
    /// `array<…>`.
    Array {
        /// Of what.
        element_type: Box<DataType>,
        /// Whether an element may be NULL.
        contains_null: bool,
    },
    /// `map<…,…>`.
    Map {
        /// From what.
        key_type: Box<DataType>,
        /// To what.
        value_type: Box<DataType>,
        /// Whether a value may be NULL.
        value_contains_null: bool,
    },
    /// `struct<name:type,…>`.
    Struct {
        /// Its parts.
        fields: Vec<Field>,
    },
}

/// Release files' words, Delta's word, and the word that CAST takes in Spark and in DataFusion.
const WORDS: &[(&[&str], &str, &str)] = &[
    (&["long", "bigint"], "long", "BIGINT"),
    (&["integer", "int"], "integer", "INT"),
    (&["short", "smallint"], "short", "SMALLINT"),
    (&["byte", "tinyint"], "byte", "TINYINT"),
    (&["float", "real"], "float", "FLOAT"),
    (&["double"], "double", "DOUBLE"),
    (&["string"], "string", "STRING"),
    (&["boolean"], "boolean", "BOOLEAN"),
    (&["binary"], "binary", "BINARY"),
    (&["date"], "date", "DATE"),
    (&["timestamp"], "timestamp", "TIMESTAMP"),
    (&["timestamp_ntz"], "timestamp_ntz", "TIMESTAMP_NTZ"),
];

impl DataType {
    /// A primitive type by Delta's word.
    pub fn primitive(word: &str) -> Self {
        Self::Primitive(word.to_owned())
    }

    /// Reads a type as release files write it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim(), depth: 0 };
        let found = reader.one()?;
        if reader.rest.trim().is_empty() {
            Ok(found)
        } else {
            Err(format!("`{}` stands after the type", reader.rest.trim()))
        }
    }

    /// The word that CAST takes; `None` for types that Spark and DataFusion spell differently.
    pub fn cast_word(&self) -> Option<String> {
        match self {
            Self::Primitive(word) if word.starts_with("decimal") => Some(word.to_uppercase()),
            Self::Primitive(word) if word == "timestamp_ntz" || word == "binary" => None,
            Self::Primitive(word) => {
                WORDS.iter().find(|(_, delta, _)| delta == word).map(|(_, _, cast)| (*cast).to_owned())
            }
            Self::Nested(_) => None,
        }
    }

    /// The columns inside it, itself excluded, with those inside them.
    pub fn inner_mut(&mut self, each: &mut impl FnMut(&mut Field)) {
        match self {
            Self::Primitive(_) => {}
            Self::Nested(Nested::Array { element_type, .. }) => element_type.inner_mut(each),
            Self::Nested(Nested::Map { key_type, value_type, .. }) => {
                key_type.inner_mut(each);
                value_type.inner_mut(each);
            }
            Self::Nested(Nested::Struct { fields }) => {
                for field in fields {
                    each(field);
                    field.data_type.inner_mut(each);
                }
            }
        }
    }

    /// The highest column id inside it; 0 for none.
    pub fn max_id(&self) -> u64 {
        match self {
            Self::Primitive(_) => 0,
            Self::Nested(Nested::Array { element_type, .. }) => element_type.max_id(),
            Self::Nested(Nested::Map { key_type, value_type, .. }) => key_type.max_id().max(value_type.max_id()),
            Self::Nested(Nested::Struct { fields }) => {
                fields.iter().map(|field| field.data_type.max_id().max(field.id().unwrap_or(0))).max().unwrap_or(0)
            }
        }
    }

    /// Whether a primitive type of this name is in it.
    pub fn has(&self, word: &str) -> bool {
        match self {
            Self::Primitive(own) => own == word,
            Self::Nested(Nested::Array { element_type, .. }) => element_type.has(word),
            Self::Nested(Nested::Map { key_type, value_type, .. }) => key_type.has(word) || value_type.has(word),
            Self::Nested(Nested::Struct { fields }) => fields.iter().any(|field| field.data_type.has(word)),
        }
    }

    /// Whether its values are bytes.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Primitive(word) if word == "binary")
    }

    /// Whether files can be partitioned by it.
    pub const fn partitions(&self) -> bool {
        matches!(self, Self::Primitive(_))
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primitive(word) => f.write_str(word),
            Self::Nested(Nested::Array { element_type, .. }) => write!(f, "array<{element_type}>"),
            Self::Nested(Nested::Map { key_type, value_type, .. }) => write!(f, "map<{key_type},{value_type}>"),
            Self::Nested(Nested::Struct { fields }) => {
                f.write_str("struct<")?;
                for (n, field) in fields.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    write!(f, "{comma}{}:{}", super::expr::ident(&field.name), field.data_type)?;
                }
                f.write_str(">")
            }
        }
    }
}

/// How deep types may lie in one another: deeper than any table's, and far from the end of the stack.
const DEPTH: u32 = 32;

struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

impl Reader<'_> {
    fn one(&mut self) -> Result<DataType, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("types lie more than {DEPTH} deep in one another"));
        }
        let word = self.word().to_lowercase();
        let found = match word.as_str() {
            "array" => {
                self.symbol('<')?;
                let element_type = Box::new(self.one()?);
                self.symbol('>')?;
                DataType::Nested(Nested::Array { element_type, contains_null: true })
            }
            "map" => {
                self.symbol('<')?;
                let key_type = Box::new(self.one()?);
                self.symbol(',')?;
                let value_type = Box::new(self.one()?);
                self.symbol('>')?;
                DataType::Nested(Nested::Map { key_type, value_type, value_contains_null: true })
            }
            "struct" => {
                self.symbol('<')?;
                let mut fields: Vec<Field> = vec![];
                loop {
                    let name = self.name()?;
                    self.symbol(':')?;
                    if fields.iter().any(|field| field.name.to_lowercase() == name.to_lowercase()) {
                        return Err(format!("the struct has `{name}` twice"));
                    }
                    fields.push(Field::new(name, self.one()?));
                    if !self.eat(',') {
                        break;
                    }
                }
                self.symbol('>')?;
                DataType::Nested(Nested::Struct { fields })
            }
            "decimal" => self.decimal()?,
            word => match WORDS.iter().find(|(words, _, _)| words.contains(&word)) {
                Some((_, delta, _)) => DataType::primitive(delta),
                None => return Err(no_type(word)),
            },
        };
        self.depth -= 1;
        Ok(found)
    }

    fn decimal(&mut self) -> Result<DataType, String> {
        let (mut precision, mut scale) = (10, 0);
        if self.eat('(') {
            precision = self.number()?;
            if self.eat(',') {
                scale = self.number()?;
            }
            self.symbol(')')?;
        }
        if precision == 0 || precision > 38 || scale > precision {
            return Err(format!(
                "decimal({precision},{scale}) is none: 1 to 38 digits, not more of them behind the point"
            ));
        }
        Ok(DataType::Primitive(format!("decimal({precision},{scale})")))
    }

    fn number(&mut self) -> Result<u32, String> {
        let word = self.word().to_owned();
        word.parse().map_err(|_| format!("`{word}` stands where a number of digits should"))
    }

    fn word(&mut self) -> &str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A struct's name: a word, or anything in backticks.
    fn name(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let Some(mut rest) = self.rest.strip_prefix('`') else {
            return match self.word() {
                "" => Err("a struct's part has no name: write struct<name:type>".to_owned()),
                word => Ok(word.to_owned()),
            };
        };
        let mut name = String::new();
        loop {
            let Some(end) = rest.find('`') else { return Err("a backtick is never closed".to_owned()) };
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('`') {
                Some(more) => {
                    name.push('`');
                    rest = more;
                }
                None => break,
            }
        }
        self.rest = rest;
        if name.is_empty() { Err("a name is empty".to_owned()) } else { Ok(name) }
    }

    fn eat(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn symbol(&mut self, symbol: char) -> Result<(), String> {
        if self.eat(symbol) {
            return Ok(());
        }
        let found = self.rest.chars().next().map_or_else(|| "its end".to_owned(), |c| format!("`{c}`"));
        Err(format!("a `{symbol}` should stand where {found} is"))
    }
}

fn no_type(word: &str) -> String {
    let known: Vec<&str> = WORDS.iter().flat_map(|(words, _, _)| words.iter().copied()).chain(["decimal"]).collect();
    let known = [known.as_slice(), &["array", "map", "struct"]].concat();
    let meant = match word {
        "text" | "varchar" | "char" => Some("string"),
        "int8" => Some("long"),
        "int4" => Some("integer"),
        "bool" => Some("boolean"),
        "bytea" => Some("binary"),
        "numeric" => Some("decimal"),
        "timestamptz" => Some("timestamp"),
        _ => None,
    };
    meant.map_or_else(
        || format!("`{word}` is no type; known are {}", known.join(", ")),
        |name| format!("`{word}` is no type; the nearest is `{name}`"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_are_read_and_written() {
        for (text, wanted) in [
            ("bigint", "long"),
            (" INT ", "integer"),
            ("decimal", "decimal(10,0)"),
            ("decimal( 12 , 2 )", "decimal(12,2)"),
            ("array<map<string,array<int>>>", "array<map<string,array<integer>>>"),
            ("struct<a:int,`b c``d`:struct<e:date>>", "struct<`a`:integer,`b c``d`:struct<`e`:date>>"),
        ] {
            let read = DataType::parse(text).unwrap();
            assert_eq!(read.to_string(), wanted);
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<DataType>(&json).unwrap(), read, "{json}");
            assert_eq!(DataType::parse(&read.to_string()).unwrap(), read);
        }
        let array = serde_json::to_value(DataType::parse("array<int>").unwrap()).unwrap();
        assert_eq!(array, serde_json::json!({"type": "array", "elementType": "integer", "containsNull": true}));
    }

    #[test]
    fn what_is_no_type_is_said() {
        for (text, said) in [
            ("text", "`text` is no type; the nearest is `string`"),
            (
                "lnog",
                "`lnog` is no type; known are long, bigint, integer, int, short, smallint, byte, tinyint, float, real, double, string, boolean, binary, date, timestamp, timestamp_ntz, decimal, array, map, struct",
            ),
            ("decimal(40,2)", "decimal(40,2) is none: 1 to 38 digits, not more of them behind the point"),
            ("array<int", "a `>` should stand where its end is"),
            ("int x", "`x` stands after the type"),
            ("struct<:int>", "a struct's part has no name: write struct<name:type>"),
            ("struct<a:int,A:int>", "the struct has `A` twice"),
        ] {
            assert_eq!(DataType::parse(text).unwrap_err(), said);
        }
        assert!(DataType::parse(&"array<".repeat(1000)).unwrap_err().contains("deep"));
    }
}
