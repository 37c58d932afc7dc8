//! The SQL of one target that is not the ledger's own: what is set in a session (rule L9), the fence, the names of locks.

use super::{
    super::rows::{Rows, table},
    differ::Version,
};
use crate::{
    model::{Dialect, Span},
    sql,
};
use sha2::{Digest as _, Sha256};

/// Opens a transaction whatever the session's defaults are.
pub(super) const BEGIN: &str = "START TRANSACTION READ WRITE";
/// Opens one that can't change anything.
pub(super) const READ: &str = "START TRANSACTION READ ONLY";
/// Commits, whatever `completion_type` is.
pub(super) const COMMIT: &str = "COMMIT AND NO CHAIN NO RELEASE";
/// Rolls back, whatever `completion_type` is.
pub(super) const ROLLBACK: &str = "ROLLBACK AND NO CHAIN NO RELEASE";
/// What a session speaks.
pub(super) const NAMES: &str = "SET NAMES utf8mb4";
/// SQL modes that change how a text is read: with them, what triphase cut into statements and quoted would be something else. The
/// combinations would bring them back.
pub(super) const UNREADABLE: [&str; 10] = [
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "ANSI",
    "ORACLE",
    "MSSQL",
    "DB2",
    "POSTGRESQL",
    "MAXDB",
    "MYSQL323",
    "MYSQL40",
];
/// Those of them that change what a statement means without an error: the combinations all have the first.
const READ_OTHERWISE: [&str; 2] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"];
/// The mode without which a value that does not fit is cut, with a warning that nobody reads.
pub(super) const STRICT: &str = "STRICT_TRANS_TABLES";
/// The mode without which a table gets another storage engine than it asks for, where that one is not there: a ledger without
/// transactions would be none.
pub(super) const SUBSTITUTES_NOTHING: &str = "NO_ENGINE_SUBSTITUTION";
/// What a client says that comes too late.
const FENCED: &str = "the run that started this client has the lock no more";
/// How long a client waits for the one before it to be gone, in seconds.
const CLIENT_WAIT: u32 = 10;
/// How long a session may be idle while the other one works, in seconds: the longest that every server takes.
const IDLE: u32 = 2_147_483;

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    sql::literal(Dialect::Mysql, text)
}

/// A name as an identifier.
pub(super) fn ident(name: &str) -> String {
    sql::ident(Dialect::Mysql, name)
}

/// A length of time in whole seconds, rounded up (rule X5); no less than one, for MySQL takes no zero.
pub(super) fn seconds(span: &Span) -> u64 {
    span.length().as_millis().div_ceil(1000).clamp(1, 31_536_000).try_into().unwrap_or(1)
}

/// The SQL mode of the runner's sessions: the server's own, without what makes a text unreadable, and strict.
pub(super) fn mode(found: &str) -> String {
    let mut modes: Vec<&str> = found.split(',').filter(|mode| !mode.is_empty() && !UNREADABLE.contains(mode)).collect();
    if !is_strict(found) {
        modes.push(STRICT);
    }
    if !modes.contains(&SUBSTITUTES_NOTHING) {
        modes.push(SUBSTITUTES_NOTHING);
    }
    modes.join(",")
}

/// Whether an SQL mode is strict.
pub(super) fn is_strict(mode: &str) -> bool {
    mode.split(',').any(|mode| mode == STRICT || mode == "STRICT_ALL_TABLES")
}

/// How the server's SQL mode is not the runner's, in words; empty where that makes no difference to what a handler means.
pub(super) fn differs(found: &str) -> String {
    let strict = (!is_strict(found)).then(|| "its SQL mode is not strict; triphase's sessions are".to_owned());
    let left: Vec<&str> = found.split(',').filter(|mode| READ_OTHERWISE.contains(mode)).collect();
    let left = (!left.is_empty()).then(|| {
        format!(
            "its SQL mode has {}; triphase's sessions have not: there \"x\" is a text, `x` a name, and a backslash in a text escapes",
            left.join(" and ")
        )
    });
    let all: Vec<String> = strict.into_iter().chain(left).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join("; ")) }
}

/// What a session is set to before every handler (rule L9).
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The default database.
    pub database: String,
    /// `sql_mode`.
    pub mode: String,
    /// `REPEATABLE READ`, as the server would have it.
    pub isolation: String,
    /// The role that the session began with.
    pub role: Option<String>,
    /// Lock waits, in seconds.
    pub lock_wait: u64,
    /// Which server.
    pub version: Version,
}

impl Settings {
    /// What most of them are set by: one statement.
    fn set(&self) -> String {
        let wait = self.lock_wait;
        format!(
            "SET SESSION sql_mode = {}, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, \
             sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = {wait}, \
             innodb_lock_wait_timeout = {wait}, wait_timeout = {IDLE}, {}",
            literal(&self.mode),
            self.version.no_time_limit()
        )
    }

    /// The same for the client's own session: a client begins with one statement. It names the session after its run, and fails where the
    /// connection `holder` has lost `lock` meanwhile, or an earlier client does not go: who takes over has the lock before it looks for the name
    /// (rule X2), so one of the two sees the other. No expression of MySQL's fails with words of one's own; a setting that is given them as
    /// its value does.
    pub fn of_client(&self, run: &str, lock: &str, holder: &str) -> String {
        format!(
            "{}, lc_time_names = IF(GET_LOCK({}, {CLIENT_WAIT}) = 1 AND coalesce(IS_USED_LOCK({}), 0) = {holder}, @@lc_time_names, {})",
            self.set(),
            literal(&client_name(run)),
            literal(lock),
            literal(FENCED)
        )
    }

    /// The statements that set them. Plain ASCII, and readable in every SQL mode: they come after whatever a handler has set.
    pub fn statements(&self) -> Vec<String> {
        vec![
            self.set(),
            NAMES.to_owned(),
            format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", self.isolation),
            "SET SESSION TRANSACTION READ WRITE".to_owned(),
            self.version.set_role(self.role.as_deref()),
            format!("USE {}", ident(&self.database)),
        ]
    }

    /// Before the ledger is written between an author's statements: it must be read as meant. What they set is kept.
    pub fn enter(&self) -> Vec<String> {
        vec![
            "SET @triphase_mode = @@SESSION.sql_mode, @triphase_client = @@SESSION.character_set_client, \
             @triphase_results = @@SESSION.character_set_results, @triphase_collation = @@SESSION.collation_connection"
                .to_owned(),
            format!("SET SESSION sql_mode = {}", literal(&self.mode)),
            NAMES.to_owned(),
        ]
    }

    /// After it: as the author's statements had it.
    pub fn leave() -> String {
        "SET SESSION sql_mode = @triphase_mode, character_set_client = @triphase_client, \
         character_set_results = @triphase_results, collation_connection = @triphase_collation"
            .to_owned()
    }
}

/// Makes sure that the run's row is there, and waits for every transaction that the fence lets go on.
pub(super) fn take(rows: &Rows) -> [String; 2] {
    let run = rows.table(table::RUN);
    [
        format!(
            "INSERT INTO {run} (id, run_id, who, host, pid, since, command, session) VALUES (1, '', '', '', 0, utc_timestamp(6), '', '') \
             ON DUPLICATE KEY UPDATE id = id"
        ),
        format!("SELECT 1 FROM {run} WHERE id = 1 FOR UPDATE"),
    ]
}

/// The name of a database's lock. Named locks are the whole server's, compare without case, and have 64 characters at most.
pub(super) fn lock_name(database: &str) -> String {
    let digest = Sha256::digest(database.as_bytes());
    let hash = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let readable: String = database.chars().filter(char::is_ascii_graphic).take(30).collect();
    format!("triphase {readable} {hash}")
}

/// The name of the lock that the session of a run's client has.
pub(super) fn client_name(run: &str) -> String {
    format!("triphase client {run}")
}

/// The name of the lock that a run's work session has.
pub(super) fn work_name(run: &str) -> String {
    format!("triphase run {run}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn modes_stay_readable_and_strict() {
        assert_eq!(mode("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"), "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION");
        assert_eq!(mode(""), "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION");
        assert_eq!(
            mode("PIPES_AS_CONCAT,ANSI_QUOTES,ANSI,NO_BACKSLASH_ESCAPES"),
            "PIPES_AS_CONCAT,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
        );
    }

    #[test]
    fn what_the_server_reads_otherwise_is_said() {
        assert_eq!(differs("STRICT_TRANS_TABLES,PIPES_AS_CONCAT"), "");
        assert_eq!(differs(""), " (its SQL mode is not strict; triphase's sessions are)");
        let both = differs("ANSI_QUOTES,NO_BACKSLASH_ESCAPES");
        assert!(both.contains("not strict") && both.contains("has ANSI_QUOTES and NO_BACKSLASH_ESCAPES;"), "{both}");
        assert!(!differs("STRICT_ALL_TABLES,ANSI_QUOTES").contains("strict"));
    }

    #[test]
    fn lock_names_are_short_and_differ() {
        let long = "ä".repeat(64);
        for name in ["shop", long.as_str(), "a b`c"] {
            assert!(lock_name(name).len() <= 64 && lock_name(name).is_ascii(), "{name}");
        }
        assert!(!lock_name("Shop").eq_ignore_ascii_case(&lock_name("shop")));
    }

    #[test]
    fn lock_waits_round_up() {
        for (text, expected) in [("1ms", 1), ("2s", 2), ("2500ms", 3)] {
            assert_eq!(Span::parse(text).map(|span| seconds(&span)), Ok(expected));
        }
    }
}
