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

/// The way out. `here`: the text from the fault on.
fn way_out(message: &str, here: &str) -> String {
    let says = |words: &str| message.contains(words);
    if says("tab character") || (says("cannot start any token") && here.starts_with('\t')) {
        return "indent with blanks: YAML takes no tab".to_owned();
    }
    let words = if says("cannot start any token") {
        "put text that begins with `@`, a backtick or `%` in quotes"
    } else if says("while scanning a quoted scalar") && says("end of stream") {
        "close the quote that opens here"
    } else if says("unknown escape") {
        "write it in single quotes: in double quotes a backslash begins an escape"
    } else if says("while parsing a flow sequence") {
        "close the bracket that opens here with `]`, with commas between its entries"
    } else if says("while parsing a flow mapping") {
        "close the brace that opens here with `}`, with commas between its entries"
    } else if says("unknown anchor") {
        "put text that begins with `*` in quotes: else it names an anchor (`&name`), and there is none of that name"
    } else if says("while scanning an anchor") || says("while scanning an alias") {
        "put text that begins with `*` or `&` in quotes"
    } else if says("mapping values are not allowed") {
        "put text that holds `: ` in quotes, or below its key after `|`; or mend the lines above: a blank after a colon, keys in one column"
    } else if says("could not find expected ':'") {
        "write `key: value`, with a colon and a blank; SQL of several lines goes below its key after `|`, indented"
    } else if says("block sequence entries are not allowed") {
        "begin the list on a line of its own, below its key"
    } else if says("did not find expected '-' indicator") {
        "begin the entries of a list in one column, each with `- `"
    } else if says("while parsing a flow node") {
        "write the value that is missing here, or close the bracket that is open"
    } else if says("did not find expected key") {
        "begin the keys of a map in one column, and so the entries of a list; put nothing behind a closing quote"
    } else if says("found a tab") {
        "indent with blanks: YAML takes no tab"
    } else {
        "compare the line with those around it: indentation, quotes, and the blank after a colon"
    };
    words.to_owned()
}
