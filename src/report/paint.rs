//! Colour, where it is wanted.

use std::collections::BTreeMap;

/// Colours text, or leaves it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// Leaves everything alone.
    pub const PLAIN: Self = Self(false);

    /// For a stream: colour on a terminal; `NO_COLOR` forbids it, `CLICOLOR_FORCE` wants it anywhere. `vars`: the process's environment.
    pub fn of(terminal: bool, vars: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| vars.get(name).is_some_and(|value| !value.is_empty());
        if set("NO_COLOR") {
            return Self::PLAIN;
        }
        let forced = set("CLICOLOR_FORCE") && vars.get("CLICOLOR_FORCE").is_none_or(|value| value != "0");
        let able = terminal && vars.get("TERM").is_none_or(|term| term != "dumb");
        Self(forced || able)
    }

    /// Whether it colours.
    pub const fn on(self) -> bool {
        self.0
    }

    /// What is wrong.
    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What may be wrong.
    pub fn warn(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// What is done.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What stands out.
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What stands back.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A text without the colours that [`Paint`] gives.
pub fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn colour_is_for_terminals_and_obeys_the_environment() {
        assert!(Paint::of(true, &vars(&[])).on());
        assert!(!Paint::of(false, &vars(&[])).on());
        assert!(!Paint::of(true, &vars(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])).on());
        assert!(Paint::of(true, &vars(&[("NO_COLOR", "")])).on());
        assert!(Paint::of(false, &vars(&[("CLICOLOR_FORCE", "1")])).on());
        assert!(!Paint::of(false, &vars(&[("CLICOLOR_FORCE", "0")])).on());
        assert!(!Paint::of(true, &vars(&[("TERM", "dumb")])).on());
        assert_eq!(Paint::PLAIN.bad("x"), "x");
        assert_eq!(plain(&format!("a {} b {}", Paint(true).bad("x"), Paint(true).dim("y"))), "a x b y");
    }
}
