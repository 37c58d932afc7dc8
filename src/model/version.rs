//! Release order (rule F1).

use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A release's version: `v`, then components split at `.` `-` `_`. Numbers compare as numbers and before words; a version
/// that ends first comes first. Two spellings of one version (`v1`, `v001`) are equal: a file that was respelt is still the release
/// that the ledger knows.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    text: Arc<str>,
    /// Compares bytewise as the versions do.
    key: Arc<[u8]>,
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
        Ok(Self { text: text.into(), key: key(rest).into() })
    }

    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A number is its length and its digits, leading zeros left out; a word is its bytes and an end that no word has. Each begins with
/// its kind, and numbers come first.
fn key(components: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(components.len() + 6);
    for component in components.split(['.', '-', '_']) {
        if component.bytes().all(|b| b.is_ascii_digit()) {
            let digits = component.trim_start_matches('0');
            key.push(1);
            key.extend(u32::try_from(digits.len()).unwrap_or(u32::MAX).to_be_bytes());
            key.extend(digits.bytes());
        } else {
            key.push(2);
            key.extend(component.bytes());
            key.push(0);
        }
    }
    key
}

impl TryFrom<String> for Version {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.as_str().to_owned()
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Version").field(&self.text).finish()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
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
        assert!(v("v1") == v("v001") && v("v1.2") == v("v1-2") && v("v1") != v("v1.0"));
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
