//! What can be no table's path, whatever the lake holds: a URL, or a store, would read another place out of it.

/// Why a text can't name a table: what is wrong, without the name, and the way out. `None`: nothing speaks against it.
///
/// A URL's parser drops tabs and newlines and takes `\` for `/` (WHATWG URL Standard, "basic URL parser"), so that what was looked at and
/// what is opened would be two places; the library reads an escape in a path once more than it was written.
pub fn unfit(table: &str) -> Option<(String, &'static str)> {
    let is_url = table.contains("://");
    let strange = table.chars().find(|c| c.is_control() || *c == '\\' || (*c == '%' && !is_url));
    match strange {
        Some('\\') => return Some(("has a backslash".to_owned(), "write `/` between folders")),
        Some('%') => {
            return Some((
                "has a `%`, which begins an escape of a URL".to_owned(),
                "write the character itself, or rename the table's folder",
            ));
        }
        Some(control) => {
            let why = format!("has the control character {}", control.escape_default());
            return Some((why, "write its path without it"));
        }
        None => {}
    }
    if is_url && table.trim() != table {
        return Some(("begins or ends with a space".to_owned(), "write the URL without it"));
    }
    None
}

/// A table's name as messages show it: on one line, whatever is in it.
pub fn shown(table: &str) -> String {
    table.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}
