//! Whether the text so far ends inside the body of a MySQL or MariaDB routine, trigger, event or anonymous block, whose own statements end
//! with `;`.

use super::code::{Item, matching};

/// What opens a block where a statement starts; each is closed by an `END` where a statement starts.
const OPENERS: &[&str] = &["BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];

/// What a routine's body may be in place of a block; `SET` is one of them.
const SINGLE: &[&str] = &["RETURN", "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CALL", "WITH", "DO"];

/// Whether a block is open at the end of these items.
pub(super) fn is_open(items: &[Item<'_>]) -> bool {
    let Some(body) = body(items) else { return false };
    let mut depth = 0_usize;
    // CASE expressions, whose THEN, ELSE and END are no statement's.
    let mut expressions = 0_usize;
    let mut starts = true;
    let mut at = body;
    while let Some(item) = items.get(at) {
        let here = std::mem::take(&mut starts);
        let next = items.get(at + 1);
        if item.is("END") && (here || (expressions == 0 && next.is_some_and(|next| next.is("REPEAT")))) {
            depth = depth.saturating_sub(1);
            if next.is_some_and(|next| next.is_any(OPENERS)) {
                at += 1;
            }
        } else if here && item.is("FOR") && next.is_some_and(|next| next.is("EACH")) {
            // A trigger's own words.
        } else if (here && item.is_any(OPENERS)) || (depth > 0 && item.is("BEGIN")) {
            // `DECLARE … HANDLER FOR … BEGIN` starts none by itself.
            depth += 1;
            starts = item.is_any(&["BEGIN", "LOOP", "REPEAT"]);
        } else if expressions > 0 && item.is("END") {
            expressions -= 1;
        } else if !here && item.is("CASE") {
            expressions += 1;
        } else if expressions == 0 && item.is_any(&["THEN", "ELSE", "DO"]) {
            starts = depth > 0;
        } else if item.symbol(";") {
            starts = true;
        } else if item.symbol(":") {
            // A label; `:=` is one token.
            starts = next.is_some_and(|next| next.is_any(&["BEGIN", "LOOP", "WHILE", "REPEAT", "FOR"]));
        }
        at += 1;
    }
    depth > 0
}

/// Whether a statement has a body, or is a block.
pub(super) fn has_body(items: &[Item<'_>]) -> bool {
    body(items).is_some()
}

/// Where the first statement of a body would start.
fn body(items: &[Item<'_>]) -> Option<usize> {
    let first = items.first()?;
    if first.is("BEGIN") {
        return items.get(1).is_some_and(|next| next.is("NOT")).then_some(0);
    }
    // MariaDB's statements of control outside any routine. (`FOR` begins no other statement, `REPEAT(` is a function of none.)
    if first.is_any(OPENERS) {
        return Some(0);
    }
    if !first.is("CREATE") {
        return None;
    }
    let kind = items.iter().position(|item| item.is_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]))?;
    // What makes something else has none of those words before its own.
    if items[..kind].iter().any(|item| item.is_any(&["TABLE", "VIEW", "INDEX", "DATABASE", "SCHEMA", "SEQUENCE"])) {
        return None;
    }
    let after = |word: &str| items.iter().skip(kind).position(|item| item.is(word)).map(|at| kind + at + 1);
    if items[kind].is("TRIGGER") {
        let row = after("ROW")?;
        let ordered = items.get(row).is_some_and(|item| item.is_any(&["FOLLOWS", "PRECEDES"]));
        return Some(if ordered { row + 2 } else { row });
    }
    if items[kind].is("EVENT") {
        return after("DO");
    }
    // Behind the parameters; characteristics begin no block.
    let open = kind + items.iter().skip(kind).position(|item| item.symbol("(") || item.symbol(")"))?;
    let parameters = open + matching(&items[open..])? + 1;
    let labelled = |at: &usize| items.get(at + 1).is_some_and(|next| next.symbol(":"));
    let set = |at: &usize| items[*at].is("SET") && !items[*at - 1].is("CHARACTER");
    let starts = |at: &usize| items[*at].is_any(OPENERS) || items[*at].is_any(SINGLE) || set(at) || labelled(at);
    (parameters..items.len()).find(starts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::code::read;
    use super::*;
    use crate::model::Dialect;

    fn open(text: &str) -> bool {
        is_open(&read(Dialect::Mysql, text).unwrap())
    }

    #[test]
    fn bodies_end_with_their_last_end() {
        for body in [
            "CREATE PROCEDURE p(IN a int) BEGIN SELECT 1; END",
            "CREATE PROCEDURE p() COMMENT 'x' BEGIN IF a THEN b; ELSEIF c THEN d; ELSE e; END IF; END",
            "CREATE FUNCTION IF NOT EXISTS f(a enum('x')) RETURNS int DETERMINISTIC BEGIN RETURN CASE a WHEN 1 THEN 2 ELSE 3 END; END",
            "CREATE DEFINER = u@h TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = IF(NEW.b, 1, 2); END",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF NEW.a THEN SET NEW.b = 1; END IF",
            "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW FOLLOWS u BEGIN DELETE FROM y; END",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM y; END",
            "CREATE PROCEDURE p() l: BEGIN w: WHILE a DO SET b = 1; LEAVE l; END WHILE w; REPEAT c; UNTIL d END REPEAT; END l",
            "CREATE PROCEDURE p() BEGIN CASE x WHEN 1 THEN BEGIN END; ELSE SELECT 1; END CASE; l: LOOP LEAVE l; END LOOP; END",
            "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; SELECT 1; END",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "IF 1 THEN SELECT 1; END IF",
            "FOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR",
        ] {
            assert!(!open(body), "{body}");
            // Up to each of its own semicolons, the body is open.
            for (at, _) in body.match_indices(';') {
                assert!(open(&body[..at]), "{}", &body[..at]);
            }
        }
    }

    #[test]
    fn what_has_no_body_is_never_open() {
        for text in [
            "CREATE PROCEDURE p() SELECT 1",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = CASE WHEN NEW.b THEN 1 ELSE 2 END",
            "CREATE FUNCTION f() RETURNS int RETURN IF(1, 2, 3)",
            "CREATE EVENT e ON SCHEDULE AT now() DO DELETE FROM t",
            "CREATE TABLE event (begin int, function int)",
            // No statement that a server takes, and none that may stop the reader.
            "CREATE PROCEDURE p) BEGIN SELECT 1; END",
            "CREATE PROCEDURE p(a int BEGIN SELECT 1; END",
            "BEGIN",
            "SELECT 1",
        ] {
            assert!(!open(text), "{text}");
        }
    }
}
