//! Where a value stands in its text. Found by walking the text again along the value's path and raising an error there, on which
//! serde_yaml puts its mark; so the tree needs no places, and only what is refused pays for one.

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At<'a> {
    /// The entry with this key, and how many of that name stand before it.
    Key(&'a str, usize),
    /// The n-th item of a list, from 0.
    Item(usize),
}

/// The byte at which the value of a path begins; 0 where there is no such path.
pub fn value(text: &str, path: &[At<'_>]) -> usize {
    found(text, Walk { path, stop_at_key: false })
}

/// The byte at which the last key of a path begins; 0 where there is no such path.
pub fn key(text: &str, path: &[At<'_>]) -> usize {
    found(text, Walk { path, stop_at_key: true })
}

fn found(text: &str, walk: Walk<'_>) -> usize {
    serde_yaml::Deserializer::from_str(text)
        .next()
        .and_then(|document| walk.deserialize(document).err())
        .and_then(|error| error.location())
        .map_or(0, |location| byte(text, location.index()))
}

/// serde_yaml's index as a byte that a character begins at.
pub fn byte(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}

/// Where byte `offset` of a scalar's value stands in the text, given where the scalar begins. `None` where the scalar's style (folded,
/// escaped) does not keep its text as it is.
pub fn inside(text: &str, start: usize, value: &str, offset: usize) -> Option<usize> {
    let mut at = start;
    // An anchor or a tag before the scalar belongs to it.
    while text[at..].starts_with(['&', '!']) {
        at += text[at..].find(char::is_whitespace)?;
        at += text[at..].find(|c: char| !c.is_whitespace())?;
    }
    let rest = &text[at..];
    if let Some(header) = rest.strip_prefix('|') {
        return literal(text, at + 1, header, value, offset);
    }
    let quote = usize::from(rest.starts_with(['"', '\'']));
    rest[quote..].starts_with(value).then_some(at + quote + offset)
}

fn literal(text: &str, after_bar: usize, header: &str, value: &str, offset: usize) -> Option<usize> {
    let before = value.get(..offset)?;
    let (line, column) = (before.matches('\n').count(), offset - before.rfind('\n').map_or(0, |at| at + 1));
    let mut at = after_bar + header.find('\n')? + 1;
    let mut indent = None;
    for (n, source) in text[at..].split_inclusive('\n').enumerate() {
        let content = value.lines().nth(n)?;
        // The scalar's indentation is what its first line that is not blank has more than its value.
        if indent.is_none() && !content.trim().is_empty() {
            indent = Some(source.trim_end().len().checked_sub(content.trim_end().len())?);
        }
        if n == line {
            return Some(at + indent? + column);
        }
        at += source.len();
    }
    None
}

struct Walk<'a> {
    path: &'a [At<'a>],
    stop_at_key: bool,
}

fn here<T, E: de::Error>() -> Result<T, E> {
    Err(E::custom("here"))
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        here()
    }
    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        here()
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        here()
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        here()
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        here()
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        here()
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        here()
    }
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        here()
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let Some((At::Item(n), rest)) = self.path.split_first() else { return here() };
        for _ in 0..*n {
            from.next_element::<IgnoredAny>()?;
        }
        from.next_element_seed(Walk { path: rest, ..self })?;
        here()
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        let Some((At::Key(name, nth), rest)) = self.path.split_first() else { return here() };
        let mut left = *nth;
        let stop = rest.is_empty() && self.stop_at_key;
        while let Some(hit) = from.next_key_seed(Key { name, left, stop })? {
            match hit {
                Hit::Other => {}
                Hit::Earlier => left -= 1,
                Hit::This => {
                    from.next_value_seed(Walk { path: rest, ..self })?;
                    return here();
                }
            }
            from.next_value::<IgnoredAny>()?;
        }
        here()
    }
}

enum Hit {
    Other,
    Earlier,
    This,
}

struct Key<'a> {
    name: &'a str,
    left: usize,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Hit;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Hit, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = Hit;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Hit, E> {
        match (text == self.name, self.left, self.stop) {
            (false, ..) => Ok(Hit::Other),
            (true, 1.., _) => Ok(Hit::Earlier),
            (true, 0, true) => here(),
            (true, 0, false) => Ok(Hit::This),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{At::*, *};

    fn line_column(text: &str, at: usize) -> (usize, usize) {
        let before = &text[..at];
        (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    }

    const TEXT: &str = "\u{feff}# Größe\r\nsteps:\n  a:\n    add_column: {täble: t, colum: c}\n  b:\n    add:\n      - expect: q\n      - sqk: |\n\n          x\n          yz\n  a:\n    add: 1\n";

    #[test]
    fn keys_and_values_are_found() {
        let key = |path: &[At<'_>]| line_column(&TEXT[3..], key(TEXT, path) - 3);
        let value = |path: &[At<'_>]| line_column(&TEXT[3..], value(TEXT, path) - 3);
        assert_eq!(key(&[Key("steps", 0), Key("a", 0), Key("add_column", 0), Key("colum", 0)]), (4, 28));
        assert_eq!(value(&[Key("steps", 0), Key("a", 0), Key("add_column", 0), Key("colum", 0)]), (4, 35));
        assert_eq!(key(&[Key("steps", 0), Key("b", 0), Key("add", 0), Item(1), Key("sqk", 0)]), (8, 9));
        assert_eq!(key(&[Key("steps", 0), Key("a", 1)]), (12, 3));
        assert_eq!(value(&[Key("steps", 0), Key("b", 0), Key("add", 0), Item(0)]), (7, 9));
    }

    #[test]
    fn a_place_inside_a_scalar_is_found() {
        let start = value(TEXT, &[Key("steps", 0), Key("b", 0), Key("add", 0), Item(1), Key("sqk", 0)]);
        let at = inside(TEXT, start, "\nx\nyz\n", 4).unwrap();
        assert_eq!(&TEXT[at..=at], "z");
        assert_eq!(inside("a: 'x; y'", 3, "x; y", 3), Some(7));
        assert_eq!(inside("a: >\n  x\n  y", 3, "x y", 2), None);
    }
}
