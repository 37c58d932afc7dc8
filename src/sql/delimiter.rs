//! `DELIMITER`, the clients' own command: files written for them have it around routines. A text is cut into stretches with one delimiter
//! each, as the client does: the command is read where a statement starts, at the start of a line, and its word ends statements until
//! the next one.

use std::ops::Range;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Statements that end with `;`.
    Usual(Range<usize>),
    /// What stands before another delimiter: sent as it is.
    Whole(Range<usize>),
    /// The word behind a command is missing.
    Nameless(Range<usize>),
}

/// The stretches of a text for MySQL or MariaDB; one alone where no `DELIMITER` is in it.
pub(super) fn stretches(text: &str) -> Vec<Stretch> {
    let mut reader = Reader { text, bytes: text.as_bytes(), delimiter: ";", from: 0, empty: true, found: Vec::new() };
    let mut at = 0;
    while at < text.len() {
        at = reader.step(at);
    }
    reader.end(text.len());
    reader.found
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    delimiter: &'a str,
    /// Where what is being read began.
    from: usize,
    /// Whether nothing but blanks and comments was read since the last delimiter.
    empty: bool,
    found: Vec<Stretch>,
}

impl<'a> Reader<'a> {
    /// Reads one thing, and gives where the next begins.
    fn step(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        if self.empty && self.starts_line(at) && is_command(rest) {
            return self.command(at);
        }
        if rest.starts_with(self.delimiter) {
            let end = at + self.delimiter.len();
            if self.delimiter != ";" {
                self.found.push(Stretch::Whole(self.from..at));
                self.from = end;
            }
            self.empty = true;
            return end;
        }
        match self.bytes[at] {
            b'\'' | b'"' | b'`' => {
                self.empty = false;
                self.quoted(at)
            }
            b'#' => self.line(at),
            b'-' if rest.starts_with("--")
                && rest[2..].bytes().next().is_none_or(|b| b == b' ' || b.is_ascii_control()) =>
            {
                self.line(at)
            }
            b'/' if rest.starts_with("/*") => {
                // `/*! */` is code.
                self.empty &= !(rest.starts_with("/*!") || rest.starts_with("/*M!"));
                rest.find("*/").map_or(self.text.len(), |n| at + n + 2)
            }
            b => {
                self.empty &= b.is_ascii_whitespace();
                at + rest.chars().next().map_or(1, char::len_utf8)
            }
        }
    }

    fn starts_line(&self, at: usize) -> bool {
        self.text[..at].rsplit('\n').next().is_some_and(|line| line.trim().is_empty())
    }

    fn line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |n| at + n)
    }

    fn quoted(&self, at: usize) -> usize {
        let mark = self.bytes[at];
        let mut i = at + 1;
        while let Some(b) = self.bytes.get(i) {
            match b {
                b'\\' if mark != b'`' => i += 1,
                b if *b == mark => return i + 1,
                _ => {}
            }
            i += 1;
        }
        self.text.len()
    }

    fn command(&mut self, at: usize) -> usize {
        self.end(at);
        let end = self.line(at);
        let line = &self.text[at..end];
        let word = line["DELIMITER".len()..].split_whitespace().next().unwrap_or_default();
        let quoted = |mark: char| word.strip_prefix(mark).and_then(|word| word.strip_suffix(mark));
        let word = quoted('\'').or_else(|| quoted('"')).or_else(|| quoted('`')).unwrap_or(word);
        if word.is_empty() || word.contains('\\') {
            self.found.push(Stretch::Nameless(at..at + line.trim_end().len()));
        } else {
            self.delimiter = word;
        }
        self.from = end;
        self.empty = true;
        end
    }

    /// What was read up to here is a stretch of its own.
    fn end(&mut self, at: usize) {
        let range = self.from..at;
        if self.delimiter == ";" {
            self.found.push(Stretch::Usual(range));
        } else if !self.text[range.clone()].trim().is_empty() {
            self.found.push(Stretch::Whole(range));
        }
    }
}

fn is_command(rest: &str) -> bool {
    let word = "DELIMITER";
    rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        && rest[word.len()..].chars().next().is_none_or(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn cut(text: &str) -> Vec<String> {
        stretches(text)
            .into_iter()
            .map(|stretch| match stretch {
                Stretch::Usual(range) => format!("usual {}", text[range].trim()),
                Stretch::Whole(range) => format!("whole {}", text[range].trim()),
                Stretch::Nameless(range) => format!("nameless {}", &text[range]),
            })
            .filter(|shown| shown != "usual ")
            .collect()
    }

    #[test]
    fn delimiters_as_the_client_reads_them() {
        assert_eq!(cut("a; b"), ["usual a; b"]);
        assert_eq!(
            cut("a;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN b; END//\nc//\nDELIMITER ;\nd;"),
            ["usual a;", "whole CREATE PROCEDURE p() BEGIN b; END", "whole c", "usual d;"]
        );
        assert_eq!(cut("  delimiter $$\na '$$' END$$\ndelimiter ;"), ["whole a '$$' END"]);
        assert_eq!(cut("DELIMITER '|'\na /* | */ -- |\n|b"), ["whole a /* | */ -- |", "whole b"]);
        assert_eq!(cut("a 'x\nDELIMITER //\n'; b"), ["usual a 'x\nDELIMITER //\n'; b"]);
        assert_eq!(cut("SELECT delimiter FROM t"), ["usual SELECT delimiter FROM t"]);
        assert_eq!(cut("DELIMITER\na;"), ["nameless DELIMITER", "usual a;"]);
    }
}
