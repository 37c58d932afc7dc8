//! Release order (rule F1).

use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt};

/// A release's version: `v`, then components split at `.` `-` `_`. Numbers compare as numbers and before words; a version
/// that ends first comes first. Two spellings of one version (`v1`, `v001`) are ordered by their text, so that `Ord` agrees
/// with `Eq`; [`Version::same`] tells that they are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

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
        Ok(Self(text.to_owned()))
    }

    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name one version, however spelt.
    pub fn same(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }

    fn components(&self) -> impl Iterator<Item = Component<'_>> {
        self.0[1..].split(['.', '-', '_']).map(Component::of)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.components().cmp(other.components())
    }
}

/// Digits without leading zeros compare as numbers of any length: first by how many there are, then as text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Component<'a> {
    Number(usize, &'a str),
    Word(&'a str),
}

impl<'a> Component<'a> {
    fn of(text: &'a str) -> Self {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let digits = text.trim_start_matches('0');
            Self::Number(digits.len(), digits)
        } else {
            Self::Word(text)
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
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
