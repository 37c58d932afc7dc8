//! As much of Python as migration files need: string literals, and calls and assignments that hold nothing else.

use std::ops::Range;

/// Reads one string literal at the start of a text (blanks before it left out): its value, and what follows. Adjacent literals are one.
/// `None` for what is no plain string: an f-string, a name, an expression.
pub(super) fn string(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = one(text)?;
    while let Some((more, after)) = one(rest) {
        value.push_str(&more);
        rest = after;
    }
    Some((value, rest))
}

fn one(text: &str) -> Option<(String, &str)> {
    // A backslash at a line's end goes on with the next.
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    let (raw, body) = match text.as_bytes() {
        [b'r' | b'R', b'"' | b'\'', ..] => (true, &text[1..]),
        [b'u' | b'U', b'"' | b'\'', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote))?;
    let mut value = String::new();
    let mut chars = body[quote.len()..].char_indices();
    while let Some((at, c)) = chars.next() {
        let here = &body[quote.len() + at..];
        if let Some(after) = here.strip_prefix(quote) {
            return Some((value, after));
        }
        match c {
            '\\' if !raw => match chars.next()?.1 {
                '\n' => {}
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                c @ ('\\' | '\'' | '"') => value.push(c),
                // Octal, hex and named characters: rare enough to be left to a person.
                _ => return None,
            },
            '\n' if quote.len() == 1 => return None,
            c => value.push(c),
        }
    }
    None
}

/// Stands for a line's end that is inside a string or brackets.
pub(super) const JOINT: char = '\u{1}';

/// A program whose logical lines are lines: an end of line inside a string or brackets becomes [`JOINT`].
pub(super) fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for (kind, token, inside) in Tokens::of(text) {
        match (kind, inside) {
            (Kind::Comment, _) | (Kind::Code, false) => joined.push_str(token),
            (Kind::Code, true) | (Kind::Text, _) => joined.extend(token.chars().map(joint)),
        }
    }
    joined
}

/// The same, with blanks for all that is in strings and comments: as long as the text, byte by byte.
fn outline(text: &str) -> String {
    let mut outline = String::with_capacity(text.len());
    for (kind, token, inside) in Tokens::of(text) {
        match (kind, inside) {
            (Kind::Code, true) => outline.extend(token.chars().map(joint)),
            (Kind::Code, false) => outline.push_str(token),
            (Kind::Comment | Kind::Text, _) => {
                outline.extend(token.bytes().map(|byte| if byte == b'\n' { JOINT } else { ' ' }));
            }
        }
    }
    outline
}

fn joint(c: char) -> char {
    if c == '\n' { JOINT } else { c }
}

#[derive(Clone, Copy)]
enum Kind {
    /// A string literal, without what stands before its quotes.
    Text,
    /// A comment, without the end of its line.
    Comment,
    /// One character of anything else.
    Code,
}

/// A program's parts, and whether each is inside brackets.
struct Tokens<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Tokens<'t> {
    fn of(text: &'t str) -> Self {
        Self { rest: text, depth: 0 }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = (Kind, &'t str, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        let c = rest.chars().next()?;
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        let (kind, length) = match (c, quote) {
            ('#', _) => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            (_, Some(quote)) => (Kind::Text, quote.len() + inside(&rest[quote.len()..], quote)),
            (c, None) => (Kind::Code, c.len_utf8()),
        };
        match c {
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let (token, after) = rest.split_at(length.min(rest.len()));
        self.rest = after;
        Some((kind, token, self.depth > 0))
    }
}

/// How long a string is from behind its opening quote to behind the closing one, or to the end.
fn inside(text: &str, quote: &str) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if text[at..].starts_with(quote) {
            return at + quote.len();
        }
        if c == '\\' {
            chars.next();
        } else if c == '\n' && quote.len() == 1 {
            return at;
        }
    }
    text.len()
}

/// The value of `name = …` or `name: type = …` at the start of a line, as the text that follows the `=`.
pub(super) fn assigned<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', ':', '=']));
        if let Some(equals) = rest.and_then(|rest| rest.find('=')) {
            return Some(&text[at + name.len() + equals + 1..]);
        }
        at += line.len();
    }
    None
}

/// What a program gives a name at its top level, outside functions and classes.
#[derive(Debug, PartialEq)]
pub(super) enum Constant {
    /// It does not have the name.
    Absent,
    /// `None`.
    None,
    /// A string, or a tuple or list of strings.
    Strings(Vec<String>),
    /// Something that only Python knows: the line, as a range of bytes, and why.
    Unreadable(Range<usize>, &'static str),
}

/// Reads what `name = …` or `name: type = …` says. It is told from a program that has the name elsewhere, has it twice, or has more than
/// literals behind it: nothing is taken for absent that is only not understood.
pub(super) fn constant(text: &str, name: &str) -> Constant {
    let outline = outline(text);
    let mut found = Constant::Absent;
    let (mut at, mut in_block) = (0, false);
    while at < outline.len() {
        let start = at;
        // A backslash at a line's end goes on with the next.
        loop {
            let written = at;
            at = outline[at..].find('\n').map_or(outline.len(), |end| at + end + 1);
            if at == outline.len() || !outline[written..at].trim_end().ends_with('\\') {
                break;
            }
        }
        let line = &outline[start..at];
        if line.trim().is_empty() || (in_block && line.starts_with([' ', '\t'])) {
            continue;
        }
        in_block = ["def ", "async ", "class "].iter().any(|head| line.starts_with(head));
        if in_block || !has_word(line, name) {
            continue;
        }
        let span = start..start + line.trim_end().len();
        if found != Constant::Absent {
            return Constant::Unreadable(span, "is given twice");
        }
        let Some(value) = assignment(line, name) else {
            return Constant::Unreadable(span, "is not given by itself at the start of a line");
        };
        found = match literals(&text[start + value..at]) {
            Some(constant) => constant,
            None => return Constant::Unreadable(span, "is no plain literal"),
        };
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// Where the value begins, of a line that is `name = …` or `name: type = …`.
fn assignment(line: &str, name: &str) -> Option<usize> {
    let rest = line.strip_prefix(name)?;
    let behind = rest.trim_start_matches([' ', '\t']);
    let equals = match behind.as_bytes().first()? {
        b'=' => rest.len() - behind.len(),
        b':' => rest.find('=')?,
        _ => return None,
    };
    (!rest[equals + 1..].starts_with('=')).then_some(name.len() + equals + 1)
}

/// A value that is `None`, a string, or a tuple or list of strings, with nothing behind it but a comment.
fn literals(value: &str) -> Option<Constant> {
    let value = gap(value);
    let (constant, rest) = if let Some(rest) = value.strip_prefix("None") {
        (Constant::None, rest)
    } else if let Some(mut rest) = value.strip_prefix(['(', '[']) {
        let close = if value.starts_with('(') { ')' } else { ']' };
        let mut found = Vec::new();
        loop {
            rest = gap(rest);
            if let Some(after) = rest.strip_prefix(close) {
                break (Constant::Strings(found), after);
            }
            let (text, after) = string(rest)?;
            found.push(text);
            rest = gap(after);
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None if rest.starts_with(close) => {}
                None => return None,
            }
        }
    } else {
        let (text, rest) = string(value)?;
        (Constant::Strings(vec![text]), rest)
    };
    gap(rest).is_empty().then_some(constant)
}

/// The text without blanks, comments and continued lines at its start.
fn gap(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
        let Some(comment) = rest.strip_prefix('#') else { return rest };
        rest = comment.find('\n').map_or("", |end| &comment[end..]);
    }
}

/// All string literals of a value: one, or a tuple or list of them. None at all for `None`.
pub(super) fn strings(value: &str) -> Vec<String> {
    let value = value.trim_start();
    let Some(mut rest) = value.strip_prefix(['(', '[']) else {
        return string(value).map(|(text, _)| text).into_iter().collect();
    };
    let mut found = Vec::new();
    while let Some((text, after)) = string(rest) {
        found.push(text);
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn literals_are_read_and_nothing_else() {
        assert_eq!(string(" 'a\\'b' rest"), Some(("a'b".into(), " rest")));
        assert_eq!(string("\\\n \"\"\"x\n\"y\"\"\")"), Some(("x\n\"y".into(), ")")));
        assert_eq!(string("'a'\n  'b')").unwrap().0, "ab");
        assert_eq!(string("r'\\d'").unwrap().0, "\\d");
        assert_eq!(string("f'{x}'"), None);
        assert_eq!(string("name"), None);
    }

    #[test]
    fn lines_inside_strings_and_brackets_are_joined() {
        let text = "a('x\\n', # it's (\n  1)\n# don't\nb = \"\"\"one\n'two'\n\"\"\"\nc\n";
        let joined = joined(text);
        assert_eq!(joined.lines().count(), 4, "{joined:?}");
        assert_eq!(joined.replace(JOINT, "\n"), text);
    }

    #[test]
    fn assignments_with_and_without_a_type() {
        let text = "down_revision: Union[str, None] = \"a\"\nrevision = 'b'\nmerge = ('c',\n 'd')\nnone = None\n";
        assert_eq!(strings(assigned(text, "down_revision").unwrap()), ["a"]);
        assert_eq!(strings(assigned(text, "revision").unwrap()), ["b"]);
        assert_eq!(strings(assigned(text, "merge").unwrap()), ["c", "d"]);
        assert!(strings(assigned(text, "none").unwrap()).is_empty() && assigned(text, "rev").is_none());
    }

    #[test]
    fn what_is_no_plain_literal_is_not_taken_for_absent() {
        let strings = |names: &[&str]| Constant::Strings(names.iter().map(|name| (*name).to_owned()).collect());
        for (text, expected) in [
            ("x = 1\n", Constant::Absent),
            ("# dep = 'a'\n\"\"\"\ndep = 'b'\n\"\"\"\ndef f():\n    dep = 'c'\n", Constant::Absent),
            ("dep = None  # the first\n", Constant::None),
            ("dep: Union[str, None] = \\\n    'a'\n'b'\n", strings(&["a"])),
            ("dep = (\n    'a',  # (one\n    \"b\" 'c',\n)\ndef f(): pass\n", strings(&["a", "bc"])),
            ("dep = ['a']\r\ndef f():\r\n    pass\r\n", strings(&["a"])),
            ("dep = ()", strings(&[])),
        ] {
            assert_eq!(constant(text, "dep"), expected, "{text}");
        }
        for text in [
            "dep = OTHER\n",
            "dep = 'a' if x else None\n",
            "dep = ('a', OTHER)\n",
            "dep = f'{a}'\n",
            "dep = Nonesuch\n",
            "dep = 'a'; x = 1\n",
            "x = 1; dep = 'a'\n",
            "if x:\n    dep = 'a'\n",
            "def f():\n    pass\nfrom common import dep\n",
            "dep, rev = 'a', 'b'\n",
            "dep = 'a'\ndep = 'b'\n",
            "dep += 'a'\n",
            "dep == 'a'\n",
        ] {
            assert!(matches!(constant(text, "dep"), Constant::Unreadable(..)), "{text}: {:?}", constant(text, "dep"));
        }
    }
}
