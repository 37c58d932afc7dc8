//! Statements that open, end or reach back into a transaction (rule F9): a handler and its ledger row are one, and it is the runner's.

use super::code::{Item, read};
use super::session::executable;
use super::tokens::Kind;
use crate::model::Dialect;

/// Why such a statement is refused: what is wrong, and the way out. None for all other statements.
pub(super) fn refused(dialect: Dialect, items: &[Item<'_>]) -> Option<(String, String)> {
    let first = items.first()?;
    // Dumps have `/*!40000 SET autocommit = 0 */`.
    if first.kind == Kind::Hint && items.len() == 1 {
        let inner = executable(first.text);
        return read(dialect, &inner).filter(|_| inner != first.text).and_then(|items| refused(dialect, &items));
    }
    let second = items.get(1);
    let follows = |words: &[&str]| second.is_some_and(|item| item.is_any(words));
    let mysql = match dialect {
        Dialect::Mysql | Dialect::Mariadb => true,
        Dialect::Postgres | Dialect::Sqlite | Dialect::Delta => false,
    };
    let two_words = || match second {
        Some(second) => format!("{} {}", first.text, second.text),
        None => first.text.to_owned(),
    };
    let prepares = (first.is("PREPARE") && follows(&["TRANSACTION"]))
        || (first.is_any(&["COMMIT", "ROLLBACK"]) && follows(&["PREPARED"]))
        || (mysql && first.is("XA"));
    if prepares {
        return Some((
            format!("`{}` ends or settles a transaction, which belongs to the runner", two_words()),
            "settle prepared transactions outside of triphase, and take the statement out".to_owned(),
        ));
    }
    let locks = mysql
        && ((first.is_any(&["LOCK", "UNLOCK"]) && follows(&["TABLE", "TABLES", "INSTANCE"]))
            || (first.is("FLUSH") && items.windows(2).any(|of| of[0].is("WITH") && of[1].is("READ")))
            || (first.is("FLUSH") && items.windows(2).any(|of| of[0].is("FOR") && of[1].is("EXPORT"))));
    if locks {
        return Some((
            format!(
                "`{}` commits the transaction at work, and keeps the session from every table that it does not name, the ledger's among them",
                two_words()
            ),
            "take it out: DDL locks what it changes, and a transaction what it writes".to_owned(),
        ));
    }
    let points = first.is_any(&["SAVEPOINT", "RELEASE"]) || (first.is("ROLLBACK") && rolls_back_to(items));
    if points {
        return Some((
            format!(
                "`{}` works on a part of the transaction, but a handler commits as a whole or not at all: rolled back to a savepoint, its \
                 statements would be recorded as done and would not be",
                first.text
            ),
            "take it out; what must be undone alone belongs in a step of its own".to_owned(),
        ));
    }
    let anonymous_block = mysql && first.is("BEGIN") && follows(&["NOT"]);
    let begins = (first.is("BEGIN") && !anonymous_block) || (first.is("START") && follows(&["TRANSACTION"]));
    if dialect == Dialect::Delta && (begins || first.is_any(&["COMMIT", "ABORT"])) {
        return Some((
            format!(
                "`{}` is about a transaction, and a lake has none: each statement is one commit of one table",
                first.text
            ),
            "take it out; what must be undone alone belongs in a step of its own".to_owned(),
        ));
    }
    if begins {
        return Some((
            format!(
                "`{}` opens a transaction, but triphase runs a handler and its ledger row in one transaction already",
                first.text
            ),
            "take it out, and the matching COMMIT; for statements that must commit one by one use `transaction: false`"
                .to_owned(),
        ));
    }
    let autocommit =
        mysql && first.is("SET") && items.iter().any(|item| item.is("AUTOCOMMIT") || autocommit_variable(item.text));
    if first.is_any(&["COMMIT", "END", "ROLLBACK", "ABORT"]) || autocommit {
        return Some((
            format!(
                "`{}` ends the transaction that triphase runs a handler and its ledger row in: a crash after it would leave the handler \
                 half done and unrecorded",
                if autocommit { two_words() } else { first.text.to_owned() }
            ),
            "take it out, and the matching BEGIN; for statements that must commit one by one use `transaction: false`"
                .to_owned(),
        ));
    }
    None
}

/// `@@autocommit`, `@@session.autocommit`.
fn autocommit_variable(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.strip_prefix("@@").is_some_and(|name| name.rsplit('.').next() == Some("autocommit"))
}

/// `ROLLBACK [WORK | TRANSACTION] TO …`.
fn rolls_back_to(items: &[Item<'_>]) -> bool {
    let after = items.iter().skip(1).find(|item| !item.is_any(&["WORK", "TRANSACTION"]));
    after.is_some_and(|item| item.is("TO"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::code::read;
    use super::*;

    #[test]
    fn a_lake_has_no_transactions() {
        for text in ["BEGIN", "START TRANSACTION", "COMMIT"] {
            let (message, way_out) = refused(Dialect::Delta, &read(Dialect::Delta, text).unwrap()).unwrap();
            assert!(
                message.contains("a lake has none") && !way_out.contains("transaction: false"),
                "{message} {way_out}"
            );
        }
    }

    #[test]
    fn what_opens_or_ends_a_transaction_is_refused() {
        for (text, word) in [
            ("BEGIN", "opens"),
            ("begin isolation level serializable", "opens"),
            ("BEGIN IMMEDIATE", "opens"),
            ("START TRANSACTION", "opens"),
            ("COMMIT", "ends"),
            ("END TRANSACTION", "ends"),
            ("ROLLBACK", "ends"),
            ("ROLLBACK AND CHAIN", "ends"),
            ("ABORT", "ends"),
            ("SAVEPOINT a", "a part"),
            ("RELEASE a", "a part"),
            ("ROLLBACK TO a", "a part"),
            ("ROLLBACK WORK TO SAVEPOINT a", "a part"),
            ("PREPARE TRANSACTION 'x'", "settles"),
            ("COMMIT PREPARED 'x'", "settles"),
        ] {
            let (message, _) = refused(Dialect::Postgres, &read(Dialect::Postgres, text).unwrap()).unwrap();
            assert!(message.contains(word), "{text}: {message}");
        }
        for text in [
            "SET autocommit = 1",
            "SET @@session.autocommit = 0",
            "/*!40000 SET autocommit = 0 */",
            "/*!40000 COMMIT */",
        ] {
            assert!(refused(Dialect::Mysql, &read(Dialect::Mysql, text).unwrap()).is_some(), "{text}");
        }
        for text in ["SET @autocommit = 1", "/*!40101 SET NAMES utf8 */", "/*! SELECT 1 */"] {
            assert!(refused(Dialect::Mysql, &read(Dialect::Mysql, text).unwrap()).is_none(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for text in [
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "PREPARE p AS SELECT 1",
            "SELECT 'COMMIT'",
            "CALL p()",
            "\"begin\"",
        ] {
            assert_eq!(refused(Dialect::Postgres, &read(Dialect::Postgres, text).unwrap()), None, "{text}");
        }
        assert_eq!(refused(Dialect::Mariadb, &read(Dialect::Mariadb, "BEGIN NOT ATOMIC SELECT 1").unwrap()), None);
    }
}
