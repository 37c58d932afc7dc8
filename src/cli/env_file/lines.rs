//! The lines of a file of variables, read as a shell reads them: `NAME=value`, `export NAME=value`, quotes, `$NAME` and `${NAME}`, comments.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// What can't be read: the line where it begins, and why. Its text may be a secret.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

/// The variables of a text. `outer` is the environment, which wins over the file also where a value names a variable.
pub(super) fn variables(
    text: &str,
    outer: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Malformed> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}').chars().peekable(), line: 1 };
    let mut read = BTreeMap::new();
    while reader.rest.peek().is_some() {
        let line = reader.line;
        let entry = reader.entry(&|name| outer(name).or_else(|| read.get(name).cloned()).unwrap_or_default());
        read.extend(entry.map_err(|why| Malformed { line, why })?);
    }
    Ok(read)
}

/// A text on its way, and the line it is at.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    /// One line, or more where a quoted value goes on; none for a blank one and a comment.
    fn entry(&mut self, known: &dyn Fn(&str) -> String) -> Result<Option<(String, String)>, &'static str> {
        const NO_VARIABLE: &str = "it is not NAME=value";
        self.blanks();
        if self.ends()? {
            return Ok(None);
        }
        let mut name = self.name(".");
        self.blanks();
        if name == "export" && self.rest.peek() != Some(&'=') {
            name = self.name(".");
            self.blanks();
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || self.next() != Some('=') {
            return Err(NO_VARIABLE);
        }
        // A comment begins behind a blank alone.
        let value = if self.blanks() && self.rest.peek() == Some(&'#') { String::new() } else { self.value(known)? };
        self.blanks();
        if !self.ends()? {
            return Err("something follows its value, which needs quotes");
        }
        Ok(Some((name, value)))
    }

    /// A value: parts in quotes or without, up to a blank.
    fn value(&mut self, known: &dyn Fn(&str) -> String) -> Result<String, &'static str> {
        let (mut value, mut quoted) = (String::new(), false);
        loop {
            match self.rest.peek() {
                Some(c) if !quoted && (is_blank(*c) || *c == '\n') => return Ok(value),
                None if quoted => return Err("its quote is not closed"),
                None => return Ok(value),
                Some(_) => {}
            }
            match self.next() {
                Some('"') => quoted = !quoted,
                Some('\'') if !quoted => loop {
                    match self.next() {
                        Some('\'') => break,
                        Some(c) => value.push(c),
                        None => return Err("its quote is not closed"),
                    }
                },
                Some('\\') => match self.next() {
                    Some('n') => value.push('\n'),
                    Some(c @ ('\\' | '\'' | '"' | '$' | ' ')) => value.push(c),
                    Some(_) | None => return Err("a backslash stands before what needs none; single quotes keep it"),
                },
                Some('$') => value.push_str(&self.filled(known)?),
                Some(c) => value.push(c),
                None => {}
            }
        }
    }

    /// What stands behind a dollar; one that names nothing is itself.
    fn filled(&mut self, known: &dyn Fn(&str) -> String) -> Result<String, &'static str> {
        if self.rest.next_if_eq(&'{').is_some() {
            let name = self.name("");
            return if self.next() == Some('}') && !name.is_empty() {
                Ok(known(&name))
            } else {
                Err("`${` is not followed by a name and `}`")
            };
        }
        let name = self.name("");
        Ok(if name.is_empty() { "$".to_owned() } else { known(&name) })
    }

    /// A name; `also`: what else than letters, digits and `_` may be in it.
    fn name(&mut self, also: &str) -> String {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || also.contains(*c)) {
            name.push(c);
        }
        name
    }

    /// Whether there were any.
    fn blanks(&mut self) -> bool {
        let mut any = false;
        while self.rest.next_if(|c| is_blank(*c)).is_some() {
            any = true;
        }
        any
    }

    /// Whether the line ends here, if need be behind a comment; then goes to the next.
    fn ends(&mut self) -> Result<bool, &'static str> {
        if self.rest.peek() == Some(&'#') {
            while self.rest.next_if(|c| *c != '\n').is_some() {}
        }
        match self.rest.peek() {
            Some('\n') => drop(self.next()),
            None => {}
            Some(_) => return Ok(false),
        }
        Ok(true)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }
}

/// What stands between words of a line.
const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, Malformed> {
        let outer = |name: &str| (name == "HOST").then(|| "db1".to_owned());
        Ok(variables(text, &outer)?.into_iter().collect())
    }

    #[track_caller]
    fn is(text: &str, value: &str) {
        let text = format!("A=1\nA_B=two\n{text}");
        let found = read(&text).map(|all| all.into_iter().find(|(name, _)| name == "X").map(|(_, value)| value));
        assert_eq!(found, Ok(Some(value.to_owned())), "{text}");
    }

    #[test]
    fn a_value_is_as_in_a_shell() {
        for (text, value) in [
            ("X=a", "a"),
            ("  export X = a # why it's so", "a"),
            ("X=", ""),
            ("X= # none", ""),
            ("X=a#b", "a#b"),
            ("X=#b", "#b"),
            ("X=#b # why", "#b"),
            ("X='pa$$word \"#1'", "pa$$word \"#1"),
            ("X=\"$A\"", "1"),
            ("X=\"q$A\"", "q1"),
            ("X=$A_B # two", "two"),
            ("X=${A}_B", "1_B"),
            ("X=\"$A\"'$A'$A", "1$A1"),
            ("X=postgres://$HOST/$NOBODY", "postgres://db1/"),
            ("X=\"a\\\"\\$A\\n\"", "a\"$A\n"),
            ("X=5$", "5$"),
            ("X=\"5$ $\"", "5$ $"),
            ("X=\"a\nb\"\r\nY=1\r\n", "a\nb"),
            ("X=a\nX=b", "b"),
        ] {
            is(text, value);
        }
        assert_eq!(read("\u{feff}# it's empty\n\n   \n"), Ok(vec![]));
        assert_eq!(read("export=1\nHOST=other\na.b=1").map(|all| all.len()), Ok(3));
    }

    #[test]
    fn what_is_malformed_has_its_line() {
        for (text, line, why) in [
            ("A=1\n\nhunter2\n", 3, "NAME=value"),
            ("A='1\n2'\n1X=a", 3, "NAME=value"),
            ("A=1 2", 1, "needs quotes"),
            ("A=1\nB='a\nC=1\n", 2, "not closed"),
            ("B=\"a", 1, "not closed"),
            ("B=${A", 1, "`${`"),
            ("B=a\\x", 1, "backslash"),
        ] {
            let found = read(text);
            assert!(matches!(&found, Err(found) if found.line == line && found.why.contains(why)), "{text}: {found:?}");
        }
    }
}
