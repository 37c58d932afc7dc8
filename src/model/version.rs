//! Release order (rule F1).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{cmp::Ordering, fmt, sync::Arc};

/// A release's version: `v`, then components split at `.` `-` `_`. Numbers compare as numbers and before words; a version
/// that ends first comes first. Two spellings of one version (`v1`, `v001`) are ordered by their text, so that `Ord` agrees
/// with `Eq`; [`Version::same`] tells that they are one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<Spelt>);

/// Every row of a ledger is looked up by its version, so its place in the order is worked out once.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Spelt {
    order: Vec<u8>,
    text: String,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    /// Where the text does not start with `v`, has an empty component, or a character that no version has.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('v') else {
            return Err(format!(
                "`{text}` is no version: a version is `v`, then numbers or words split at `.`, `-` or `_`"
            ));
        };
        if let Some(bad) = rest.chars().find(|c| !(c.is_alphanumeric() || ".-_".contains(*c))) {
            return Err(format!("`{text}` is no version: it has {bad:?}"));
        }
        if rest.split(['.', '-', '_']).any(str::is_empty) {
            return Err(format!("`{text}` is no version: a component of it is empty"));
        }
        Ok(Self(Arc::new(Spelt { order: order(rest), text: text.to_owned() })))
    }

    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether both name one version, however spelt.
    pub fn same(&self, other: &Self) -> bool {
        self.0.order == other.0.order
    }
}

/// Bytes that compare as the components do. Digits without leading zeros compare as numbers of any length: first by how many there are,
/// then as text. A word ends with a byte that no word has.
fn order(components: &str) -> Vec<u8> {
    const NUMBER: u8 = 1;
    const WORD: u8 = 2;
    const END: u8 = 0;
    let mut order = Vec::with_capacity(components.len() + 8);
    for component in components.split(['.', '-', '_']) {
        if component.bytes().all(|b| b.is_ascii_digit()) {
            let digits = component.trim_start_matches('0');
            order.push(NUMBER);
            order.extend(digits.len().to_be_bytes());
            order.extend(digits.bytes());
        } else {
            order.push(WORD);
            order.extend(component.bytes());
            order.push(END);
        }
    }
    order
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn numbers_come_as_numbers_and_before_words() {
        for pair in
            ["v1", "v1-2", "v1-rc1", "v2", "v10", "v10.1", "v99999999999999999999", "v100000000000000000000", "valpha"]
                .windows(2)
        {
            assert!(v(pair[0]) < v(pair[1]), "{} before {}", pair[0], pair[1]);
        }
        assert!(v("v1").same(&v("v001")) && v("v1.2").same(&v("v1-2")) && !v("v1").same(&v("v1.0")));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "1", "v", "v1..2", "v1/2", "v1 ", "V1", "v-1"] {
            assert!(Version::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn order_is_total_and_agrees_with_equality(
            a in "v[0-9a-c]{1,3}([._-][0-9a-c]{1,3}){0,3}",
            b in "v[0-9a-c]{1,3}([._-][0-9a-c]{1,3}){0,3}",
            c in "v[0-9a-c]{1,3}([._-][0-9a-c]{1,3}){0,3}",
        ) {
            let (a, b, c) = (v(&a), v(&b), v(&c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
