//! What MySQL's and MariaDB's common DDL makes, removes and renames: what is there afterwards and was not before tells whether it was
//! applied (rule L4). What can't be told so is said to be unknown.

use super::code::{Cursor, Item, read};
use super::names::name as plain;
use crate::model::Dialect;

/// A name, with its database where the text says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The database.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

/// What DDL is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A table, a view or a sequence.
    Table(Named),
    /// A column.
    Column(Named, String),
    /// An index, the unique ones among them; `PRIMARY` is the primary key's.
    Index(Named, String),
    /// A foreign key or a check.
    Constraint(Named, String),
    /// A trigger.
    Trigger(Named),
    /// A procedure (`false`) or a function (`true`).
    Routine(Named, bool),
    /// An event.
    Event(Named),
    /// A database.
    Database(String),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there afterwards, and was not before.
    Makes(Object),
    /// It was there before, and is not afterwards.
    Removes(Object),
    /// The first becomes the second.
    Renames(Object, Object),
    /// Done again, it changes nothing.
    Again,
    /// Nothing tells.
    Unknown,
}

/// What a statement changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddl {
    /// Each change, and whether `IF EXISTS` or `IF NOT EXISTS` makes it harmless to ask for it again.
    pub changes: Vec<(Change, bool)>,
    /// All of it is applied, or none.
    pub whole: bool,
}

/// Reads a statement. None where nothing is known of it.
pub fn ddl(text: &str) -> Option<Ddl> {
    ddl_in(Dialect::Mariadb, text)
}

/// The same in another dialect, as far as it is DDL that all of them have. An index that is dropped without its table's name has a table
/// without one.
pub fn ddl_in(dialect: Dialect, text: &str) -> Option<Ddl> {
    let mysql = matches!(dialect, Dialect::Mysql | Dialect::Mariadb);
    let inner = if mysql { super::session::executable(text) } else { text.into() };
    let mut items = read(dialect, &inner)?;
    if dialect == Dialect::Postgres {
        items.retain(|item| !item.is("CONCURRENTLY"));
    }
    let mut at = Cursor::new(&items);
    let first = at.take()?;
    let ddl = if first.is("CREATE") {
        create(at)
    } else if first.is("DROP") {
        drop(at, mysql)
    } else if first.is("ALTER") {
        alter(at)
    } else if first.is("RENAME") {
        rename(at)
    } else if first.is_any(&["ANALYZE", "OPTIMIZE", "CHECK", "REPAIR", "CHECKSUM", "FLUSH", "GRANT", "SET"]) {
        one(Change::Again, false)
    } else {
        None
    };
    ddl.map(settled)
}

/// What is both made and removed is there before and after, and tells nothing.
fn settled(mut ddl: Ddl) -> Ddl {
    let touched = |change: &Change| match change {
        Change::Makes(object) => vec![(object.clone(), true)],
        Change::Removes(object) => vec![(object.clone(), false)],
        Change::Renames(from, to) => vec![(from.clone(), false), (to.clone(), true)],
        Change::Again | Change::Unknown => Vec::new(),
    };
    let all: Vec<(Object, bool)> = ddl.changes.iter().flat_map(|(change, _)| touched(change)).collect();
    for (change, _) in &mut ddl.changes {
        if touched(change).iter().any(|(object, made)| all.contains(&(object.clone(), !made))) {
            *change = Change::Unknown;
        }
    }
    ddl
}

fn one(change: Change, guarded: bool) -> Option<Ddl> {
    Some(Ddl { changes: vec![(change, guarded)], whole: true })
}

fn named(at: &mut Cursor<'_, '_>) -> Option<Named> {
    let mut parts: Vec<String> = at.name()?.into_iter().map(plain).collect();
    let name = parts.pop()?;
    Some(Named { schema: parts.pop(), name })
}

fn word(at: &mut Cursor<'_, '_>) -> Option<String> {
    Some(named(at)?.name)
}

fn create(mut at: Cursor<'_, '_>) -> Option<Ddl> {
    const KINDS: &[&str] =
        &["TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "INDEX", "DATABASE", "SCHEMA", "SEQUENCE"];
    let replaces = at.eat(&["OR", "REPLACE"]);
    let mut temporary = false;
    let kind = loop {
        let item = at.take()?;
        temporary |= item.is("TEMPORARY");
        if item.is_any(KINDS) {
            break item;
        }
    };
    let guarded = at.eat(&["IF", "NOT", "EXISTS"]);
    if replaces && !kind.is_any(&["TABLE", "SEQUENCE", "DATABASE", "SCHEMA"]) {
        return one(Change::Again, false);
    }
    if replaces {
        return one(Change::Unknown, false);
    }
    if temporary {
        // It is gone with its session.
        return one(Change::Again, true);
    }
    if kind.is("INDEX") {
        let index = word(&mut at)?;
        while !at.eat(&["ON"]) {
            at.take()?;
        }
        return one(Change::Makes(Object::Index(named(&mut at)?, index)), guarded);
    }
    one(Change::Makes(object(kind, named(&mut at)?)?), guarded)
}

fn object(kind: &Item<'_>, name: Named) -> Option<Object> {
    Some(if kind.is_any(&["TABLE", "VIEW", "SEQUENCE"]) {
        Object::Table(name)
    } else if kind.is("TRIGGER") {
        Object::Trigger(name)
    } else if kind.is("PROCEDURE") {
        Object::Routine(name, false)
    } else if kind.is("FUNCTION") {
        Object::Routine(name, true)
    } else if kind.is("EVENT") {
        Object::Event(name)
    } else if kind.is_any(&["DATABASE", "SCHEMA"]) {
        Object::Database(name.name)
    } else {
        return None;
    })
}

fn drop(mut at: Cursor<'_, '_>, mysql: bool) -> Option<Ddl> {
    if at.eat(&["TEMPORARY"]) {
        return one(Change::Unknown, false);
    }
    let kind = at.take()?;
    let kind = if kind.is("TABLES") { None } else { Some(kind) };
    let guarded = at.eat(&["IF", "EXISTS"]);
    if kind.is_some_and(|kind| kind.is("INDEX")) {
        let index = word(&mut at)?;
        if !mysql {
            let table = Named { schema: None, name: String::new() };
            return one(Change::Removes(Object::Index(table, index)), guarded);
        }
        return at
            .eat(&["ON"])
            .then_some(())
            .and_then(|()| one(Change::Removes(Object::Index(named(&mut at)?, index)), guarded));
    }
    let mut changes = Vec::new();
    loop {
        let name = named(&mut at)?;
        let object = match kind {
            Some(kind) => object(kind, name)?,
            None => Object::Table(name),
        };
        changes.push((Change::Removes(object), guarded));
        if !at.symbol(",") {
            break;
        }
    }
    let whole = changes.len() == 1;
    Some(Ddl { changes, whole })
}

fn rename(mut at: Cursor<'_, '_>) -> Option<Ddl> {
    if !at.eat_any(&["TABLE", "TABLES"]) {
        return None;
    }
    let guarded = at.eat(&["IF", "EXISTS"]);
    let mut changes = Vec::new();
    loop {
        let from = named(&mut at)?;
        if at.eat(&["WAIT"]) {
            at.take();
        }
        at.eat(&["NOWAIT"]);
        if !at.eat(&["TO"]) {
            return None;
        }
        changes.push((Change::Renames(Object::Table(from), Object::Table(named(&mut at)?)), guarded));
        if !at.symbol(",") {
            return Some(Ddl { changes, whole: true });
        }
    }
}

fn alter(mut at: Cursor<'_, '_>) -> Option<Ddl> {
    at.eat(&["ONLINE"]);
    at.eat(&["IGNORE"]);
    if at.eat(&["TABLE"]) {
        at.eat(&["IF", "EXISTS"]);
        let table = named(&mut at)?;
        if at.eat(&["WAIT"]) {
            at.take();
        }
        at.eat(&["NOWAIT"]);
        let mut changes = Vec::new();
        for spec in list(at.rest()) {
            changes.extend(table_change(&table, Cursor::new(spec)).unwrap_or_else(|| vec![(Change::Unknown, false)]));
        }
        return (!changes.is_empty()).then_some(Ddl { changes, whole: true });
    }
    let rest = at.rest();
    let of = |words: &[&str]| rest.iter().any(|item| item.is_any(words));
    if of(&["SEQUENCE", "RENAME"]) || !of(&["VIEW", "PROCEDURE", "FUNCTION", "EVENT", "DATABASE", "SCHEMA", "USER"]) {
        return one(Change::Unknown, false);
    }
    one(Change::Again, false)
}

/// Parts between commas that stand outside all parentheses.
fn list<'s, 'a>(items: &'s [Item<'a>]) -> impl Iterator<Item = &'s [Item<'a>]> {
    let mut depth = 0_i32;
    items.split(move |item| {
        depth += i32::from(item.symbol("(")) - i32::from(item.symbol(")"));
        depth == 0 && item.symbol(",")
    })
}

/// Options and changes of a definition: asked for again, they change nothing.
const AGAIN: &[&str] = &[
    "MODIFY",
    "ALTER",
    "ENGINE",
    "CONVERT",
    "DEFAULT",
    "CHARACTER",
    "CHARSET",
    "COLLATE",
    "COMMENT",
    "AUTO_INCREMENT",
    "ROW_FORMAT",
    "ALGORITHM",
    "LOCK",
    "FORCE",
    "ORDER",
    "DISABLE",
    "ENABLE",
    "KEY_BLOCK_SIZE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "MAX_ROWS",
    "MIN_ROWS",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "PACK_KEYS",
    "COMPRESSION",
    "ENCRYPTION",
    "ENCRYPTED",
    "PAGE_COMPRESSED",
];

fn table_change(table: &Named, mut at: Cursor<'_, '_>) -> Option<Vec<(Change, bool)>> {
    let some = |change: Change, guarded: bool| Some(vec![(change, guarded)]);
    if at.eat(&["ADD"]) {
        return add(table, at);
    }
    if at.eat(&["DROP"]) {
        return removed(table, at);
    }
    if at.eat(&["CHANGE"]) {
        at.eat(&["COLUMN"]);
        let guarded = at.eat(&["IF", "EXISTS"]);
        let (old, new) = (word(&mut at)?, word(&mut at)?);
        if old.eq_ignore_ascii_case(&new) {
            return some(Change::Again, guarded);
        }
        let column = |name| Object::Column(table.clone(), name);
        return some(Change::Renames(column(old), column(new)), guarded);
    }
    if at.eat(&["RENAME"]) {
        let kind = match (at.eat(&["COLUMN"]), at.eat_any(&["INDEX", "KEY"])) {
            (true, _) => Some(Object::Column as fn(Named, String) -> Object),
            (false, true) => Some(Object::Index as fn(Named, String) -> Object),
            (false, false) => None,
        };
        let Some(kind) = kind else {
            if !at.eat_any(&["TO", "AS"]) {
                at.symbol("=");
            }
            let to = named(&mut at)?;
            return some(Change::Renames(Object::Table(table.clone()), Object::Table(to)), false);
        };
        let guarded = at.eat(&["IF", "EXISTS"]);
        let from = word(&mut at)?;
        if !at.eat(&["TO"]) {
            return None;
        }
        let to = word(&mut at)?;
        return some(Change::Renames(kind(table.clone(), from), kind(table.clone(), to)), guarded);
    }
    let known = at.peek().is_some_and(|item| item.is_any(AGAIN));
    known.then(|| vec![(Change::Again, false)])
}

fn add(table: &Named, mut at: Cursor<'_, '_>) -> Option<Vec<(Change, bool)>> {
    let made = |object: fn(Named, String) -> Object, name: String, guarded: bool| {
        vec![(Change::Makes(object(table.clone(), name)), guarded)]
    };
    let mut constraint = None;
    if at.eat(&["CONSTRAINT"]) {
        at.eat(&["IF", "NOT", "EXISTS"]);
        let unnamed = at.peek()?.is_any(&["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]);
        constraint = if unnamed { None } else { Some(word(&mut at)?) };
    }
    if at.eat(&["PRIMARY", "KEY"]) {
        return Some(made(Object::Index, "PRIMARY".to_owned(), false));
    }
    if at.eat(&["FOREIGN", "KEY"]) {
        let guarded = at.eat(&["IF", "NOT", "EXISTS"]);
        let own = if at.peek()?.symbol("(") { None } else { Some(word(&mut at)?) };
        return Some(made(Object::Constraint, constraint.or(own)?, guarded));
    }
    if at.eat(&["CHECK"]) {
        return Some(made(Object::Constraint, constraint?, false));
    }
    let unique = at.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    if at.eat_any(&["INDEX", "KEY"]) || unique {
        let guarded = at.eat(&["IF", "NOT", "EXISTS"]);
        let next = at.peek()?;
        let own = if next.symbol("(") || next.is("USING") { None } else { Some(word(&mut at)?) };
        return match (own, constraint) {
            (Some(own), Some(constraint)) if own != constraint => None,
            (own, constraint) => Some(made(Object::Index, own.or(constraint)?, guarded)),
        };
    }
    if at.peek()?.is_any(&["PARTITION", "PERIOD", "SYSTEM"]) {
        return None;
    }
    at.eat(&["COLUMN"]);
    let guarded = at.eat(&["IF", "NOT", "EXISTS"]);
    if let Some(columns) = at.parentheses() {
        let names = list(columns).map(|column| word(&mut Cursor::new(column)));
        let columns = names.collect::<Option<Vec<_>>>()?;
        return Some(columns.into_iter().flat_map(|name| made(Object::Column, name, guarded)).collect());
    }
    Some(made(Object::Column, word(&mut at)?, guarded))
}

fn removed(table: &Named, mut at: Cursor<'_, '_>) -> Option<Vec<(Change, bool)>> {
    let gone = |object: fn(Named, String) -> Object, name: String, guarded: bool| {
        Some(vec![(Change::Removes(object(table.clone(), name)), guarded)])
    };
    if at.eat(&["PRIMARY", "KEY"]) {
        return gone(Object::Index, "PRIMARY".to_owned(), false);
    }
    if at.peek()?.is_any(&["PARTITION", "PERIOD", "SYSTEM"]) {
        return None;
    }
    let object: fn(Named, String) -> Object = if at.eat(&["FOREIGN", "KEY"]) || at.eat_any(&["CONSTRAINT", "CHECK"]) {
        Object::Constraint
    } else if at.eat_any(&["INDEX", "KEY"]) {
        Object::Index
    } else {
        at.eat(&["COLUMN"]);
        Object::Column
    };
    let guarded = at.eat(&["IF", "EXISTS"]);
    gone(object, word(&mut at)?, guarded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn shown(text: &str) -> String {
        let Some(ddl) = ddl(text) else { return "-".to_owned() };
        let name =
            |named: &Named| named.schema.iter().chain([&named.name]).map(String::as_str).collect::<Vec<_>>().join(".");
        let object = |object: &Object| match object {
            Object::Table(table) => name(table),
            Object::Column(table, column) => format!("{}({column})", name(table)),
            Object::Index(table, index) => format!("{}[{index}]", name(table)),
            Object::Constraint(table, constraint) => format!("{}<{constraint}>", name(table)),
            Object::Trigger(trigger) => format!("trigger {}", name(trigger)),
            Object::Routine(routine, function) => {
                format!("{} {}", if *function { "function" } else { "procedure" }, name(routine))
            }
            Object::Event(event) => format!("event {}", name(event)),
            Object::Database(database) => format!("database {database}"),
        };
        let changes = ddl.changes.iter().map(|(change, guarded)| {
            let mark = if *guarded { "?" } else { "" };
            match change {
                Change::Makes(of) => format!("+{}{mark}", object(of)),
                Change::Removes(of) => format!("-{}{mark}", object(of)),
                Change::Renames(from, to) => format!("{}>{}{mark}", object(from), object(to)),
                Change::Again => format!("again{mark}"),
                Change::Unknown => "unknown".to_owned(),
            }
        });
        format!("{}{}", changes.collect::<Vec<_>>().join(" "), if ddl.whole { "" } else { " one by one" })
    }

    #[test]
    fn what_statements_change() {
        for (text, expected) in [
            ("CREATE TABLE t (a int)", "+t"),
            ("create table if not exists s.`t``x` like u", "+s.t`x?"),
            ("CREATE OR REPLACE TABLE t (a int)", "unknown"),
            ("CREATE TEMPORARY TABLE t (a int)", "again?"),
            ("CREATE UNIQUE INDEX i USING BTREE ON s.t (a)", "+s.t[i]"),
            ("CREATE ALGORITHM = MERGE DEFINER = u@h SQL SECURITY INVOKER VIEW v AS SELECT 1", "+v"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "again"),
            ("CREATE DEFINER = `u`@`h` TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "+trigger g"),
            ("CREATE PROCEDURE p() SELECT 1", "+procedure p"),
            ("CREATE AGGREGATE FUNCTION IF NOT EXISTS f(a int) RETURNS int RETURN 1", "+function f?"),
            ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "+event e"),
            ("CREATE DATABASE d", "+database d"),
            ("CREATE SEQUENCE q", "+q"),
            ("/*!50001 CREATE VIEW v AS SELECT 1 */", "+v"),
            ("CREATE USER u", "-"),
            ("DROP TABLE a, s.b", "-a -s.b one by one"),
            ("DROP TABLE IF EXISTS a CASCADE", "-a?"),
            ("DROP INDEX i ON t", "-t[i]"),
            ("DROP FUNCTION f", "-function f"),
            ("RENAME TABLE a TO b, c TO d.e", "a>b c>d.e"),
            ("RENAME TABLE a TO x, b TO a, x TO b", "unknown unknown unknown"),
            ("ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT (1), ADD b text AFTER a", "+t(a) +t(b)"),
            ("ALTER TABLE t ADD (a int, b decimal(1,2))", "+t(a) +t(b)"),
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "+t(a)?"),
            ("ALTER TABLE t DROP COLUMN a, DROP `b`, ALGORITHM=INSTANT", "-t(a) -t(b) again"),
            ("ALTER TABLE t CHANGE a b int, CHANGE c c int", "t(a)>t(b) again"),
            ("ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j", "t(a)>t(b) t[i]>t[j]"),
            ("ALTER TABLE t RENAME TO s.u", "t>s.u"),
            ("ALTER TABLE t RENAME u", "t>u"),
            (
                "ALTER TABLE t MODIFY a text, ALTER b SET DEFAULT 1, CONVERT TO CHARACTER SET utf8mb4",
                "again again again",
            ),
            ("ALTER TABLE t ADD INDEX i (a), ADD UNIQUE u (a), ADD KEY (a)", "+t[i] +t[u] unknown"),
            ("ALTER TABLE t ADD PRIMARY KEY (a), DROP INDEX i", "+t[PRIMARY] -t[i]"),
            ("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)", "unknown unknown"),
            ("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a), DROP FOREIGN KEY d", "+t<c> -t<d>"),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0), ADD CONSTRAINT u UNIQUE KEY (a)", "+t<c> +t[u]"),
            ("ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (1))", "unknown"),
            ("ALTER VIEW v AS SELECT 1", "again"),
            ("ALTER EVENT e RENAME TO f", "unknown"),
            ("ANALYZE TABLE t", "again"),
            ("TRUNCATE TABLE t", "-"),
            ("INSERT INTO t VALUES (1)", "-"),
            ("CALL p()", "-"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
