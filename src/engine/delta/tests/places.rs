//! Which place a table's name is: what is opened is what was written, or nothing.

use super::target;
use crate::engine::delta::lake::Lake;
use proptest::prelude::*;
use std::path::Path;

/// Pieces that URLs, stores or systems read in their own way.
const PIECES: &[&str] = &[
    "a",
    "B",
    "raw",
    "/",
    "..",
    ".",
    "_triphase",
    "_tri",
    "phase",
    "ledger",
    "\n",
    "\t",
    "\r",
    "\0",
    "\u{7f}",
    "\u{85}",
    "%",
    "%2F",
    "%5F",
    "%2e",
    "%00",
    "\\",
    " ",
    "?",
    "#",
    ":",
    "C:",
    "C|",
    "//",
    "://",
    "~",
    "@",
    "é",
    "\u{200b}",
    "\u{feff}",
    "+",
    "&",
    "*",
    "\"",
    "'",
    "`",
];

proptest! {
    #[test]
    fn what_is_opened_is_what_was_written(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..6),
        folder in prop::sample::select(vec!["/srv/lake", "/srv/my lake", "/srv/50%", "/"]),
    ) {
        let mut target = target(Path::new(folder));
        target.connection.database = folder.to_owned();
        let lake = Lake::of(&target).unwrap();
        let name = pieces.concat();
        if let Ok(url) = lake.place(&name) {
            prop_assert!(!name.chars().any(char::is_control) && !name.contains('\\'), "{name:?} is {url}");
            if !name.contains("://") {
                let opened = url.to_file_path().unwrap();
                prop_assert_eq!(opened.to_str().unwrap().trim_end_matches('/'), format!("{}/{name}", folder.trim_end_matches('/')));
                prop_assert!(!name.contains('%') && !name.to_lowercase().starts_with("_triphase/"));
            }
        }
    }
}

#[test]
fn names_that_a_url_would_change_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::of(&target(folder.path())).unwrap();
    let root = format!("file://{}", folder.path().display());
    for name in [
        "_tri\nphase/ledger",
        "_tri\tphase/ledger",
        "we%20ird",
        "_triphase%2Fledger",
        "%2e%2e/escape",
        "raw\\win",
        "C:\\x",
        &format!("{root}/_tri\nphase/ledger"),
        &format!("{root}\\_triphase\\ledger"),
        &format!("{root}/sales/../other"),
        &format!(" {root}/sales"),
    ] {
        let refused = lake.place(name).map(|url| url.to_string());
        assert!(refused.is_err(), "{name:?} is {refused:?}");
    }
    for name in
        ["A?b#c", "sp ace/t b", "back`tick", "a.b", " lead", "trail ", "é", "*", "a:b", &format!("{root}/a%20b")]
    {
        lake.place(name).unwrap();
    }
}
