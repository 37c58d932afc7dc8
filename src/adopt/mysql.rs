//! The schema of a MySQL or MariaDB database as a script (`init` with a target): what the server itself says how each object is made
//! (`SHOW CREATE`), in an order in which all of it can be made again, without who made it and how far its counters are.

use super::text::quoted_name;
use crate::{engine::rows::TextRow, model::Dialect, sql};
use std::fmt::Write as _;

/// Every object of the session's database but triphase's own: what it is, and its name, in the order in which they can be made. Triggers of
/// one event keep their order.
pub const LISTED: &str = "SELECT kind, name FROM ( \
     SELECT CASE table_type WHEN 'VIEW' THEN 3 WHEN 'SEQUENCE' THEN 0 ELSE 1 END AS place, \
     CASE WHEN table_type IN ('VIEW', 'SEQUENCE') THEN table_type ELSE 'TABLE' END AS kind, table_name AS name, 0 AS number \
     FROM information_schema.tables WHERE table_schema = database() \
     AND table_name NOT IN ('triphase_meta', 'triphase_run', 'triphase_ledger', 'triphase_history') \
     UNION ALL SELECT 2, routine_type, routine_name, 0 FROM information_schema.routines WHERE routine_schema = database() \
     UNION ALL SELECT 4, 'TRIGGER', trigger_name, action_order FROM information_schema.triggers WHERE trigger_schema = database() \
     UNION ALL SELECT 5, 'EVENT', event_name, 0 FROM information_schema.events WHERE event_schema = database() \
     ) objects ORDER BY place, number, name, kind";

/// What an object is, by the word that `SHOW CREATE` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sequence,
    Table,
    Function,
    Procedure,
    View,
    Trigger,
    Event,
}

/// An object of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    kind: Kind,
    name: String,
}

/// The answers to [`LISTED`].
///
/// # Errors
/// Where something is among them that no release can make.
pub fn objects(rows: &[TextRow]) -> Result<Vec<Object>, String> {
    let cell = |row: &TextRow, n: usize| row.get(n).cloned().flatten().unwrap_or_default();
    let object = |row: &TextRow| {
        let (kind, name) = (cell(row, 0), cell(row, 1));
        let known = match kind.as_str() {
            "SEQUENCE" => Kind::Sequence,
            "TABLE" => Kind::Table,
            "FUNCTION" => Kind::Function,
            "PROCEDURE" => Kind::Procedure,
            "VIEW" => Kind::View,
            "TRIGGER" => Kind::Trigger,
            "EVENT" => Kind::Event,
            other => return Err(format!("{} `{name}` can't be written as a release", other.to_lowercase())),
        };
        Ok(Object { kind: known, name })
    };
    rows.iter().map(object).collect()
}

impl Object {
    /// The query that says how it is made.
    pub fn query(&self) -> String {
        format!("SHOW CREATE {} {}", self.word(), sql::ident(Dialect::Mysql, &self.name))
    }

    const fn word(&self) -> &'static str {
        match self.kind {
            Kind::Sequence => "SEQUENCE",
            Kind::Table => "TABLE",
            Kind::Function => "FUNCTION",
            Kind::Procedure => "PROCEDURE",
            Kind::View => "VIEW",
            Kind::Trigger => "TRIGGER",
            Kind::Event => "EVENT",
        }
    }

    /// The columns of the answer: the text, the SQL mode and the time zone that it is read by (MySQL manual, section 15.7.7).
    const fn columns(&self) -> (usize, Option<usize>, Option<usize>) {
        match self.kind {
            Kind::Sequence | Kind::Table | Kind::View => (1, None, None),
            Kind::Function | Kind::Procedure | Kind::Trigger => (2, Some(1), None),
            Kind::Event => (3, Some(1), Some(2)),
        }
    }
}

/// SQL modes in which a body is read in another way than triphase reads it.
const UNREADABLE: [&str; 3] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ORACLE"];

/// The script, of all objects and the answers to their queries; empty where there is nothing.
///
/// # Errors
/// Where this user may not see how something is made, or it is read in another way than triphase reads SQL.
pub fn script(objects: &[Object], answers: &[Option<Vec<TextRow>>]) -> Result<String, String> {
    let mut texts = Vec::new();
    for (object, answer) in objects.iter().zip(answers) {
        let row = answer.as_ref().and_then(|rows| rows.first());
        let cell = |n: usize| row.and_then(|row| row.get(n)).and_then(Option::as_deref);
        let (text, mode, zone) = object.columns();
        let what = || format!("{} `{}`", object.word().to_lowercase(), object.name);
        let Some(text) = cell(text) else {
            return Err(format!("this user may not see how {} is made, or it was just dropped", what()));
        };
        let (mode, zone) = (mode.and_then(cell), zone.and_then(cell));
        if let Some(unreadable) = mode.and_then(|mode| mode.split(',').find(|word| UNREADABLE.contains(word))) {
            return Err(format!("{} was made in SQL mode {unreadable}, which triphase does not read", what()));
        }
        let text = match object.kind {
            Kind::Sequence => text.to_owned(),
            Kind::Table => without_counter(text),
            Kind::Function | Kind::Procedure | Kind::View | Kind::Trigger | Kind::Event => without_definer(text),
        };
        texts.push(Made { object, text, mode, zone });
    }
    let mut script = String::new();
    if texts.iter().any(|made| made.object.kind == Kind::Table && made.text.contains(" FOREIGN KEY ")) {
        // Tables may name each other. The setting ends with the handler.
        script.push_str("SET foreign_key_checks = 0;\n\n");
    }
    let mut set = String::new();
    for made in in_order(texts) {
        made.write(&mut script, &mut set);
    }
    Ok(script)
}

/// How an object is made.
struct Made<'a> {
    object: &'a Object,
    text: String,
    mode: Option<&'a str>,
    zone: Option<&'a str>,
}

impl Made<'_> {
    /// Writes it; `set` is what the session was last set to.
    fn write(&self, script: &mut String, set: &mut String) {
        // Writing to a String does not fail.
        if let Some(mode) = self.mode {
            let literal = |text: &str| sql::literal(Dialect::Mysql, text);
            let zone = self.zone.map_or_else(String::new, |zone| format!(", time_zone = {}", literal(zone)));
            let wanted = format!("SET sql_mode = {}{zone};\n\n", literal(mode));
            if *set != wanted {
                script.push_str(&wanted);
                *set = wanted;
            }
            // For clients too, which cut at each semicolon.
            let free = ["//", "$$", ";;"].into_iter().find(|word| !self.text.contains(word)).unwrap_or("@end@");
            let _ = writeln!(script, "DELIMITER {free}\n{}\n{free}\nDELIMITER ;\n", self.text);
        } else {
            let _ = writeln!(script, "{};\n", self.text);
        }
    }
}

/// The same with each view behind those that it reads.
fn in_order(mut texts: Vec<Made<'_>>) -> Vec<Made<'_>> {
    let mut ordered = Vec::with_capacity(texts.len());
    while !texts.is_empty() {
        let waits = |made: &Made<'_>| {
            let reads = |other: &Made<'_>| {
                other.object.kind == Kind::View
                    && other.object != made.object
                    && made.text.contains(&sql::ident(Dialect::Mysql, &other.object.name))
            };
            made.object.kind == Kind::View && texts.iter().any(reads)
        };
        // A column may have a view's name: then two seem to wait for each other, and the first goes on.
        let views = texts.iter().take_while(|made| made.object.kind == Kind::View);
        let at = views.enumerate().find(|(_, made)| !waits(made)).map_or(0, |(at, _)| at);
        ordered.push(texts.remove(at));
    }
    ordered
}

/// A table's options stand on the line that closes its columns; its counter is the first of them that has a number of rows to do with.
fn without_counter(text: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let line = |line: &str| {
        let counter = line.find(COUNTER).filter(|at| line.starts_with(") ") && !line[..*at].contains('\''));
        match counter {
            Some(at) => {
                let rest = line[at + COUNTER.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}{rest}", &line[..at])
            }
            None => line.to_owned(),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Without `DEFINER=…`, which stands before the object's name: who runs the release owns what it makes.
fn without_definer(text: &str) -> String {
    const DEFINER: &str = "DEFINER=";
    let Some(at) = text.find(DEFINER).filter(|at| !text[..*at].contains(['`', '\''])) else { return text.to_owned() };
    let rest = &text[at + DEFINER.len()..];
    // A role has no host.
    let user = quoted_name(rest);
    let host = rest[user..].strip_prefix('@').map_or(0, |host| 1 + quoted_name(host));
    format!("{}{}", &text[..at], rest[user + host..].trim_start())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn who_made_it_is_left_out() {
        for (text, bare) in [
            ("CREATE DEFINER=`a``@b`@`%` PROCEDURE `p`() SELECT 'DEFINER=`x`@`y` '", "CREATE PROCEDURE `p`() SELECT 'DEFINER=`x`@`y` '"),
            ("CREATE ALGORITHM=UNDEFINED DEFINER=`r` SQL SECURITY DEFINER VIEW `v` AS select 1", "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1"),
            ("CREATE FUNCTION `DEFINER=`() RETURNS int RETURN 1", "CREATE FUNCTION `DEFINER=`() RETURNS int RETURN 1"),
        ] {
            assert_eq!(without_definer(text), bare);
        }
    }

    #[test]
    fn counters_are_left_out() {
        let text = "CREATE TABLE `t` (\n  `a` text DEFAULT ') AUTO_INCREMENT=3'\n) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='x AUTO_INCREMENT=4'\n PARTITION BY";
        let bare = text.replace(" AUTO_INCREMENT=7", "");
        assert_eq!(without_counter(text), bare);
        assert_eq!(without_counter(&bare), bare);
    }

    fn shown(kind: &str, name: &str, text: &str) -> (TextRow, Option<Vec<TextRow>>) {
        let cell = |text: &str| Some(text.to_owned());
        let answer = match kind {
            "TABLE" | "VIEW" => vec![cell(name), cell(text)],
            _ => vec![cell(name), cell("STRICT_ALL_TABLES"), cell(text)],
        };
        (vec![cell(kind), cell(name)], Some(vec![answer]))
    }

    #[test]
    fn a_script_has_views_behind_what_they_read() {
        let (rows, answers): (Vec<_>, Vec<_>) = [
            shown("TABLE", "t", "CREATE TABLE `t` (a int)"),
            shown("VIEW", "a", "CREATE VIEW `a` AS select `b`.`x` from `b`"),
            shown("VIEW", "b", "CREATE VIEW `b` AS select 1 AS `x`"),
            shown("TRIGGER", "g", "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 4 // 2; END"),
        ]
        .into_iter()
        .unzip();
        assert_eq!(
            script(&objects(&rows).unwrap(), &answers).unwrap(),
            "CREATE TABLE `t` (a int);\n\nCREATE VIEW `b` AS select 1 AS `x`;\n\nCREATE VIEW `a` AS select `b`.`x` from `b`;\n\n\
             SET sql_mode = 'STRICT_ALL_TABLES';\n\nDELIMITER $$\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 4 // 2; \
             END\n$$\nDELIMITER ;\n\n"
        );
        assert_eq!(script(&[], &[]).unwrap(), "");
    }

    #[test]
    fn what_can_not_be_written_is_named() {
        let unseen = [vec![Some("FUNCTION".to_owned()), Some("f".to_owned())]];
        let answers = [Some(vec![vec![Some("f".to_owned()), Some(String::new()), None]])];
        assert!(script(&objects(&unseen).unwrap(), &answers).unwrap_err().contains("function `f`"));
        let (row, answer) = shown("PROCEDURE", "p", "CREATE PROCEDURE p() SELECT 1");
        let quoting = answer.map(|mut rows| {
            rows[0][1] = Some("REAL_AS_FLOAT,ANSI_QUOTES".to_owned());
            rows
        });
        assert!(script(&objects(&[row]).unwrap(), &[quoting]).unwrap_err().contains("ANSI_QUOTES"));
        let package = [vec![Some("PACKAGE".to_owned()), Some("k".to_owned())]];
        assert_eq!(objects(&package).unwrap_err(), "package `k` can't be written as a release");
    }
}
