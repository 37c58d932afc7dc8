//! As much of Python as migration files need: string literals, and calls and assignments that hold nothing else.

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
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        let length = match (c, quote) {
            ('#', _) => rest.find('\n').unwrap_or(rest.len()),
            (_, Some(quote)) => quote.len() + inside(&rest[quote.len()..], quote),
            ('(' | '[' | '{', None) => {
                depth += 1;
                1
            }
            (')' | ']' | '}', None) => {
                depth = depth.saturating_sub(1);
                1
            }
            (c, None) => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        if quote.is_some() || (depth > 0 && c != '#') {
            joined.extend(token.chars().map(|c| if c == '\n' { JOINT } else { c }));
        } else {
            joined.push_str(token);
        }
        rest = after;
    }
    joined
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
}
