//! What is wrong with a text that is no YAML: where, and the way out in plain words. The reader's own words name the grammar's rule, not
//! what was typed.

use super::locate;

/// Why a text can't be read.
pub(super) struct Fault {
    /// The reader's words, without places.
    pub(super) message: String,
    /// What to do.
    pub(super) way_out: String,
    /// The byte to look at.
    pub(super) start: usize,
}

/// Marks the messages of our own reader inside those of serde_yaml.
pub(super) const OURS: &str = "\u{1}";

/// Faults that are told where something begins that does not end, by the words for what it is.
const OPEN: [&str; 4] = [
    "while scanning a quoted scalar",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
    "while scanning a simple key",
];

/// serde_yaml's error in our words. It appends line and column, once of the fault and once of what it is a part of.
pub(super) fn fault(text: &str, error: &serde_yaml::Error) -> Fault {
    let message = error.to_string();
    let Some(location) = error.location() else { return Fault { way_out: way_out(&message, ""), message, start: 0 } };
    let mut start = locate::byte(text, location.index());
    let message = message.replacen(&format!(" at line {} column {}", location.line(), location.column()), "", 1);
    // Our own errors come with serde_yaml's idea of the path before them; the place says that already.
    if let Some(at) = message.find(OURS) {
        let message = message[at + OURS.len()..].to_owned();
        return Fault { message, way_out: String::new(), start };
    }
    let (message, part_of) = match message.rsplit_once(" at line ") {
        Some((message, mark)) => (message.to_owned(), byte_of(text, mark)),
        None => (message, None),
    };
    if let Some(open) = part_of.filter(|_| OPEN.iter().any(|open| message.contains(open))) {
        start = open;
    }
    // What ends too early is seen at the end of the text, not of the blank lines behind it.
    start = start.min(text.trim_end().len());
    let way_out = way_out(&message, text.get(start..).unwrap_or_default());
    Fault { message, way_out, start }
}

/// The byte of `3 column 10`, both from 1.
fn byte_of(text: &str, mark: &str) -> Option<usize> {
    let (line, column) = mark.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let begin: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(begin..)?;
    Some(begin + rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at))
}

/// What to do about a tab.
const NO_TAB: &str = "indent with blanks: YAML takes no tab";

/// What to do where none of [`WAYS`] is known.
const COMPARE: &str = "compare the line with those around it: indentation, quotes, and the blank after a colon";

/// What to do, by words that the reader's message has: the first row counts of which it has all.
const WAYS: &[(&[&str], &str)] = &[
    (&["tab character"], NO_TAB),
    (&["cannot start any token"], "put text that begins with `@`, a backtick or `%` in quotes"),
    (&["while scanning a quoted scalar", "end of stream"], "close the quote that opens here"),
    (&["unknown escape"], "write it in single quotes: in double quotes a backslash begins an escape"),
    (&["while parsing a flow sequence"], "close the bracket that opens here with `]`, with commas between its entries"),
    (&["while parsing a flow mapping"], "close the brace that opens here with `}`, with commas between its entries"),
    (
        &["unknown anchor"],
        "put text that begins with `*` in quotes: else it names an anchor (`&name`), and there is none of that name",
    ),
    (&["while scanning an anchor"], "put text that begins with `*` or `&` in quotes"),
    (&["while scanning an alias"], "put text that begins with `*` or `&` in quotes"),
    (
        &["mapping values are not allowed"],
        "put text that holds `: ` in quotes, or below its key after `|`; or mend the lines above: a blank after a colon, keys in one column",
    ),
    (
        &["could not find expected ':'"],
        "write `key: value`, with a colon and a blank; SQL of several lines goes below its key after `|`, indented",
    ),
    (&["block sequence entries are not allowed"], "begin the list on a line of its own, below its key"),
    (&["did not find expected '-' indicator"], "begin the entries of a list in one column, each with `- `"),
    (&["while parsing a flow node"], "write the value that is missing here, or close the bracket that is open"),
    (
        &["did not find expected key"],
        "begin the keys of a map in one column, and so the entries of a list; put nothing behind a closing quote",
    ),
    (&["found a tab"], NO_TAB),
];

/// The way out. `here`: the text from the fault on.
fn way_out(message: &str, here: &str) -> String {
    // The reader tells of a tab as of any other character that begins nothing.
    if here.starts_with('\t') && message.contains("cannot start any token") {
        return NO_TAB.to_owned();
    }
    let way = WAYS.iter().find(|(words, _)| words.iter().all(|words| message.contains(words)));
    way.map_or(COMPARE, |(_, way)| way).to_owned()
}
