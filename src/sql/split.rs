//! A handler's text as statements. Cut at each `;` that ends one, for the server that runs it: not inside strings, bodies, parentheses.

use super::code::{Cursor, Item, item, outer};
use super::tokens::{Kind, Token, lex};
use super::{
    SqlError, Statement, alone, compound, concurrent,
    delimiter::{self, Stretch},
    session, transaction,
};
use crate::model::Dialect;
use std::ops::Range;

/// Splits a handler's text into statements. A text of blanks and comments gives none. Comments before and after a statement are not part
/// of it; hints are.
///
/// # Errors
/// All that a handler may not hold: an unterminated string, quoted name, comment or body; a NUL; a statement that opens or ends a
/// transaction (F9); `COPY … FROM stdin`; a client's own commands (`\i`, `.read`), each by name, but for `DELIMITER`, which is obeyed.
pub fn split(dialect: Dialect, text: &str) -> Result<Vec<Statement>, Vec<SqlError>> {
    match dialect {
        Dialect::Mysql | Dialect::Mariadb => {}
        Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => return stretch(dialect, text),
    }
    let (mut statements, mut errors) = (vec![], vec![]);
    for part in delimiter::stretches(text) {
        let (range, found) = match part {
            Stretch::Usual(range) => (range.clone(), stretch(dialect, &text[range])),
            Stretch::Whole(range) => (range.clone(), whole(dialect, &text[range])),
            Stretch::Nameless(range) => {
                let message = "`DELIMITER` names no delimiter, or one with a backslash".to_owned();
                (0..0, Err(vec![error(range, message, "write for example `DELIMITER //`")]))
            }
        };
        let moved = |span: Range<usize>| span.start + range.start..span.end + range.start;
        match found {
            Ok(found) => statements.extend(found.into_iter().map(|s| Statement { span: moved(s.span), ..s })),
            Err(found) => errors.extend(found.into_iter().map(|e| SqlError { span: moved(e.span), ..e })),
        }
    }
    if errors.is_empty() { Ok(statements) } else { Err(errors) }
}

/// What stands before a delimiter of the author's own: a routine or a block is one statement, whatever is in it; else, as the server reads
/// it, statements that end with `;`.
fn whole(dialect: Dialect, text: &str) -> Result<Vec<Statement>, Vec<SqlError>> {
    let found = super::code::read(dialect, text);
    if let Some(items) = &found
        && let Some((at, message)) = unbalanced(dialect, items)
    {
        return Err(vec![error(at, message.to_owned(), "see the parentheses of this statement")]);
    }
    if let Some([first, .., last]) = found.as_deref()
        && compound::has_body(found.as_deref().unwrap_or_default())
    {
        let end = if last.symbol(";") { last.span.start } else { last.span.end };
        let span = first.span.start..end;
        let text = text[span.clone()].trim_end().to_owned();
        return Ok(vec![Statement { span: span.start..span.start + text.len(), text, alone: true }]);
    }
    stretch(dialect, text)
}

/// Splits a text all of whose statements end with `;`.
fn stretch(dialect: Dialect, text: &str) -> Result<Vec<Statement>, Vec<SqlError>> {
    let lexed = lex(dialect, text);
    let mut errors = vec![];
    if let Some(at) = text.find('\0') {
        let message = "a NUL character stands in the text; a server would read no further".to_owned();
        errors.push(error(at..at + 1, message, "take it out"));
    }
    let mut splitter =
        Splitter { dialect, text, statements: vec![], errors, items: vec![], open: None, last: 0, depth: 0 };
    let mut tokens = lexed.tokens.iter();
    while let Some(token) = tokens.next() {
        match splitter.take(token) {
            Next::Token => {}
            Next::Line => {
                // What follows on this line is the client's, not SQL.
                let rest = &text[token.span.start..];
                let end = token.span.start + rest.find('\n').unwrap_or(rest.len());
                while tokens.as_slice().first().is_some_and(|next| next.span.end <= end) {
                    tokens.next();
                }
            }
            Next::Nothing => return Err(splitter.errors),
        }
    }
    match lexed.fault {
        Some(fault) => {
            let message = format!("this {} is never closed", fault.what);
            splitter.errors.push(error(fault.span, message, &format!("close it with `{}`", fault.close)));
        }
        None => splitter.end_of_text(),
    }
    if splitter.errors.is_empty() {
        Ok(splitter.statements)
    } else {
        splitter.errors.sort_by_key(|error| error.span.start);
        Err(splitter.errors)
    }
}

fn error(span: Range<usize>, message: String, way_out: &str) -> SqlError {
    SqlError { rule: "", message, way_out: way_out.to_owned(), span }
}

/// What to read next.
enum Next {
    Token,
    /// The next line.
    Line,
    /// What follows is data: no error found in it would mean anything.
    Nothing,
}

struct Splitter<'a> {
    dialect: Dialect,
    text: &'a str,
    statements: Vec<Statement>,
    errors: Vec<SqlError>,
    /// The code of the statement being read.
    items: Vec<Item<'a>>,
    /// Where its text starts; a hint may start it.
    open: Option<usize>,
    /// Where its text ends, so far.
    last: usize,
    /// How many parentheses are open.
    depth: usize,
}

impl<'a> Splitter<'a> {
    fn take(&mut self, token: &Token) -> Next {
        let source = &self.text[token.span.clone()];
        if let Some(next) = self.client_command(token, source) {
            return next;
        }
        if token.kind == Kind::Symbol {
            match source {
                "(" => self.depth += 1,
                ")" => self.depth = self.depth.saturating_sub(1),
                ";" if !self.inside() => return self.end_of_statement(),
                _ => {}
            }
        }
        let item = item(self.dialect, self.text, token);
        if item.is_some() || token.kind == Kind::Hint {
            self.open.get_or_insert(token.span.start);
            self.last = token.span.end;
        }
        self.items.extend(item);
        Next::Token
    }

    /// Whether a `;` here ends no statement.
    fn inside(&self) -> bool {
        // As psql does, for `CREATE RULE … DO (a; b)`.
        let parentheses = self.dialect == Dialect::Postgres && self.depth > 0;
        parentheses || body_is_open(self.dialect, &self.items)
    }

    /// Refuses what only a client understands, by name.
    fn client_command(&mut self, token: &Token, source: &str) -> Option<Next> {
        let starts = self.items.is_empty();
        let client = match self.dialect {
            Dialect::Postgres if source == "\\" => "psql",
            Dialect::Mysql | Dialect::Mariadb if source == "\\" => "mysql",
            // `.5` is a number, and as little a statement as `.read`.
            Dialect::Sqlite if starts && token.kind == Kind::Symbol && source == "." => "sqlite3",
            Dialect::Postgres | Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb | Dialect::Delta => return None,
        };
        let name: String =
            self.text[token.span.start..].chars().take_while(|c| !c.is_whitespace() && *c != ';').collect();
        let span = token.span.start..token.span.start + name.len();
        let message = format!("`{name}` is a command of the client `{client}`, not SQL: the server does not know it");
        self.errors.push(error(span, message, "write it as SQL"));
        Some(Next::Line)
    }

    fn end_of_statement(&mut self) -> Next {
        let (items, start) = (std::mem::take(&mut self.items), self.open.take());
        self.depth = 0;
        let (Some(first), Some(start)) = (items.first(), start) else {
            return Next::Token;
        };
        let span = start..self.last;
        if let Some((message, way_out)) = transaction::refused(self.dialect, &items) {
            self.errors.push(SqlError { rule: "F9", message, way_out, span });
            return Next::Token;
        }
        let mysql = matches!(self.dialect, Dialect::Mysql | Dialect::Mariadb);
        if let Some((message, way_out)) = session::unreadable(&items).filter(|_| mysql) {
            self.errors.push(error(span, message, &way_out));
            return Next::Token;
        }
        if self.dialect == Dialect::Postgres
            && first.is("COPY")
            && let Some(stream) = streams(&items)
        {
            let message = format!("`COPY … {stream}` talks to a client that sends or takes rows; here is none");
            let way_out = match stream {
                "FROM stdin" => "write INSERT, or COPY from a file that the server can read",
                _ => {
                    "take it away: nobody reads what a handler gives; a file on the server can be written (`TO '/path'`)"
                }
            };
            self.errors.push(error(span, message, way_out));
            return if stream == "FROM stdin" { Next::Nothing } else { Next::Token };
        }
        if self.dialect == Dialect::Postgres && concurrent::is_nameless(&items) {
            let message = "this concurrent index has no name: where building it fails, an invalid index stays, and nothing tells which it is"
                .to_owned();
            let way_out = "name it: CREATE INDEX CONCURRENTLY <name> ON …".to_owned();
            self.errors.push(SqlError { rule: "L3", message, way_out, span });
            return Next::Token;
        }
        if let Some((at, message)) = unbalanced(self.dialect, &items) {
            self.errors.push(error(at, message.to_owned(), "see the parentheses of this statement"));
            return Next::Token;
        }
        let alone = alone::alone(self.dialect, &items);
        self.statements.push(Statement { text: self.text[span.clone()].to_owned(), span, alone });
        Next::Token
    }

    fn end_of_text(&mut self) {
        if let (Some(first), true) = (self.items.first(), self.inside()) {
            let span = first.span.start..self.last;
            let (message, way_out) = if body_is_open(self.dialect, &self.items) {
                (
                    "the body of this statement is never closed",
                    "end its last inner statement with `;`, then write `END`",
                )
            } else {
                ("a parenthesis in this statement is never closed", "close it with `)`")
            };
            self.errors.push(error(span, message.to_owned(), way_out));
            return;
        }
        self.end_of_statement();
    }
}

/// A parenthesis that is never closed, or closes nothing. Every server's grammar has them in pairs, so the statement can't run; a lake's
/// statements are read whole, and refused with the reader's own words.
fn unbalanced(dialect: Dialect, items: &[Item<'_>]) -> Option<(Range<usize>, &'static str)> {
    match dialect {
        Dialect::Postgres | Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb => {}
        Dialect::Delta => return None,
    }
    // What stands in `/*! */` is read by some versions, and may close what is open.
    if items.iter().any(|item| item.kind == Kind::Hint) {
        return None;
    }
    let mut open = vec![];
    for item in items {
        if item.symbol("(") {
            open.push(item.span.clone());
        } else if item.symbol(")") && open.pop().is_none() {
            return Some((item.span.clone(), "this parenthesis closes none"));
        }
    }
    open.pop().map(|span| (span, "this parenthesis is never closed"))
}

/// Whether the statement so far is in a body, whose own statements end with `;`.
fn body_is_open(dialect: Dialect, items: &[Item<'_>]) -> bool {
    match dialect {
        Dialect::Sqlite => starts_trigger(items) && !ends_body(items, 0),
        Dialect::Postgres => {
            let header = starts_routine(items);
            let begin = |at: &usize| items[*at].is("BEGIN") && items.get(at + 1).is_some_and(|next| next.is("ATOMIC"));
            header && (0..items.len()).find(begin).is_some_and(|begin| !ends_body(items, begin + 1))
        }
        Dialect::Mysql | Dialect::Mariadb => compound::is_open(items),
        Dialect::Delta => false,
    }
}

/// As `sqlite3_complete` tells it.
fn starts_trigger(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    if at.eat(&["EXPLAIN"]) {
        at.eat(&["QUERY", "PLAN"]);
    }
    if !at.eat(&["CREATE"]) {
        return false;
    }
    at.eat_any(&["TEMP", "TEMPORARY"]);
    at.eat(&["TRIGGER"])
}

fn starts_routine(items: &[Item<'_>]) -> bool {
    let mut at = Cursor::new(items);
    if !at.eat(&["CREATE"]) {
        return false;
    }
    at.eat(&["OR", "REPLACE"]);
    at.eat_any(&["FUNCTION", "PROCEDURE"])
}

/// Whether the last word is the END of the body that item `opener` opened. A statement in a body ends with `;`, an expression has none:
/// so the END of a CASE never comes after a `;`, and the END of a body always does.
fn ends_body(items: &[Item<'_>], opener: usize) -> bool {
    let [before @ .., previous, last] = items else { return false };
    last.is("END") && (previous.symbol(";") || (opener > 0 && before.len() == opener))
}

/// Where PostgreSQL's `COPY` reads from or writes to, if that is the client.
fn streams(items: &[Item<'_>]) -> Option<&'static str> {
    let words: Vec<_> = outer(items).collect();
    words.windows(2).find_map(|pair| match (pair[0], pair[1]) {
        (from, stdin) if from.is("FROM") && stdin.is_any(&["STDIN", "STDOUT"]) => Some("FROM stdin"),
        (to, stdout) if to.is("TO") && stdout.is_any(&["STDOUT", "STDIN"]) => Some("TO stdout"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    fn texts(dialect: Dialect, text: &str) -> Vec<String> {
        split(dialect, text).unwrap().into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn statements_end_at_their_semicolons() {
        use Dialect::{Delta, Mysql, Postgres, Sqlite};
        for (dialect, text, expected) in [
            (Postgres, "", vec![]),
            (Postgres, " ; -- a;\n /* b; */ ;", vec![]),
            (Postgres, "a; b ;;c", vec!["a", "b", "c"]),
            (Postgres, "-- why\n a -- b\n c; -- d", vec!["a -- b\n c"]),
            (Postgres, "/*+ Seq */ a; /*+ x */", vec!["/*+ Seq */ a"]),
            (Postgres, "DO $$ BEGIN a; END $$; b", vec!["DO $$ BEGIN a; END $$", "b"]),
            (Postgres, "a 'c:\\'; b", vec!["a 'c:\\'", "b"]),
            (Postgres, "a E'\\';'; b", vec!["a E'\\';'", "b"]),
            (
                Postgres,
                "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 1 end; END; b",
                vec![
                    "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 1 end; END",
                    "b",
                ],
            ),
            (Postgres, "CREATE PROCEDURE p() BEGIN ATOMIC END; b", vec!["CREATE PROCEDURE p() BEGIN ATOMIC END", "b"]),
            (Postgres, "CREATE FUNCTION begin() AS 'x'; b", vec!["CREATE FUNCTION begin() AS 'x'", "b"]),
            (
                Postgres,
                "CREATE RULE r AS ON INSERT TO t DO (a; b); c",
                vec!["CREATE RULE r AS ON INSERT TO t DO (a; b)", "c"],
            ),
            (
                Sqlite,
                "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM u; END; b",
                vec![
                    "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM u; END",
                    "b",
                ],
            ),
            (Sqlite, "create trigger x begin a; end", vec!["create trigger x begin a; end"]),
            (Sqlite, "a [x;y]; b `c;`; t\n.d", vec!["a [x;y]", "b `c;`", "t\n.d"]),
            (Sqlite, "/* /* */ a; b", vec!["a", "b"]),
            (Mysql, "a 'b\\';'; c # d;\n; e", vec!["a 'b\\';'", "c", "e"]),
            (Mysql, "/*!40101 SET x */; a", vec!["/*!40101 SET x */", "a"]),
            (Mysql, "a (b /*!50100 (c */); d", vec!["a (b /*!50100 (c */)", "d"]),
            (Mysql, "a (b /*!50100 ) */; d", vec!["a (b /*!50100 ) */", "d"]),
            (
                Mysql,
                "CREATE PROCEDURE p() BEGIN IF a THEN b; END IF; BEGIN c; END; CASE x WHEN 1 THEN d; END CASE; END; e",
                vec![
                    "CREATE PROCEDURE p() BEGIN IF a THEN b; END IF; BEGIN c; END; CASE x WHEN 1 THEN d; END CASE; END",
                    "e",
                ],
            ),
            (
                Mysql,
                "a;\nDELIMITER $$\nCREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN b; END$$\nc; d$$\nDELIMITER ;\ne;",
                vec!["a", "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN b; END", "c", "d", "e"],
            ),
            (Mysql, "DELIMITER //\nCREATE PROCEDURE p() BEGIN b; END;//", vec!["CREATE PROCEDURE p() BEGIN b; END"]),
            (Delta, "a \"b;\"; c", vec!["a \"b;\"", "c"]),
        ] {
            assert_eq!(texts(dialect, text), expected, "{text}");
        }
    }

    #[test]
    fn what_no_handler_holds_is_refused() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialect, text, rule, word, span) in [
            (Postgres, "a; COMMIT; b", "F9", "COMMIT", 3..9),
            (Sqlite, "BEGIN IMMEDIATE", "F9", "BEGIN", 0..15),
            (Postgres, "COPY t (a) FROM STDIN;\n1\t'\n\\.\n", "", "FROM stdin", 0..21),
            (Postgres, "COPY t TO STDOUT", "", "TO stdout", 0..16),
            (Postgres, "\\i x'.sql", "", "`\\i`", 0..2),
            (Postgres, "SELECT 1 \\gexec", "", "`\\gexec`", 9..15),
            (Sqlite, ".read x", "", "`.read`", 0..5),
            (Mysql, "DELIMITER", "", "`DELIMITER`", 0..9),
            (Mysql, "a; SET sql_mode = 'ANSI'; b", "", "ANSI", 3..24),
            (Mysql, "LOCK TABLES t WRITE", "F9", "LOCK TABLES", 0..19),
            (Postgres, "a 'b", "", "string", 2..3),
            (Postgres, "a (b; c", "", "parenthesis", 0..7),
            (Postgres, "a (b)); c", "", "closes none", 5..6),
            (Sqlite, "CREATE TABLE t (a int, b text; SELECT 1", "", "never closed", 15..16),
            (Sqlite, "SELECT 1)", "", "closes none", 8..9),
            (Sqlite, "CREATE TRIGGER x BEGIN a (1; END; b", "", "never closed", 25..26),
            (Mysql, "a; INSERT INTO t VALUES (1, (2)", "", "never closed", 24..25),
            (Mysql, "CREATE PROCEDURE p() BEGIN SELECT (1; END; b", "", "never closed", 34..35),
            (Mysql, "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT (1; END//", "", "never closed", 47..48),
            (Sqlite, "CREATE TRIGGER x BEGIN a; b;", "", "body", 0..28),
            (Postgres, "CREATE FUNCTION f() BEGIN ATOMIC a;", "", "body", 0..35),
            (Sqlite, "a\0b", "", "NUL", 1..2),
        ] {
            let errors = split(dialect, text).unwrap_err();
            let first = &errors[0];
            assert_eq!((first.rule, first.span.clone()), (rule, span), "{text}: {first:?}");
            assert!(first.message.contains(word), "{text}: {}", first.message);
        }
        assert_eq!(split(Postgres, "BEGIN; a; COMMIT").unwrap_err().len(), 2);
        assert_eq!(texts(Postgres, "COPY t FROM '/f'; COPY (SELECT a FROM stdin) TO '/g'").len(), 2);
    }

    const WILD: &str =
        r#"([ \n\ra-eExX0-9$'"`;:/*\\#@.,()?&+=<>\[\]\-]|é|\x{feff}|\$\$|BEGIN |END|CREATE TRIGGER |;){0,40}"#;

    proptest! {
        #[test]
        fn spans_slice_the_source_and_joined_texts_split_alike(text in WILD) {
            for dialect in Dialect::ALL {
                let Ok(statements) = split(*dialect, &text) else { continue };
                let parts: Vec<_> = statements.iter().map(|s| s.text.clone()).collect();
                for statement in &statements {
                    prop_assert_eq!(&text[statement.span.clone()], &statement.text);
                }
                // Apart from what stands before the `;`: SQLite reads on to a blank in a `$name(` that is never closed.
                prop_assert_eq!(texts(*dialect, &parts.join("\n;\n")), parts);
            }
        }

        #[test]
        fn splitting_never_panics(text in any::<String>()) {
            for dialect in Dialect::ALL {
                let _ = split(*dialect, &text);
            }
        }
    }
}
