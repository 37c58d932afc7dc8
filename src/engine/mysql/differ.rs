//! What differs between MySQL and MariaDB, for triphase's own statements. Handlers are the author's: `mysql` and `mariadb` in an engine map.

use crate::{
    model::Dialect,
    sql::{ident, literal},
};

/// What a server says of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Which of the two.
    pub dialect: Dialect,
    /// As numbers, `10.11.19`.
    pub number: String,
    parts: (u32, u32),
}

impl Version {
    /// Reads `SELECT VERSION()`: `10.11.19-MariaDB-0+deb12u1`, `8.0.36`; old MariaDB replicas say `5.5.5-10.…-MariaDB`.
    pub fn read(text: &str) -> Self {
        let maria = text.to_ascii_lowercase().contains("mariadb");
        let text = if maria { text.strip_prefix("5.5.5-").unwrap_or(text) } else { text };
        let number = text.split(['-', '+', ' ']).next().unwrap_or_default().to_owned();
        let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
        let parts = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        Self { dialect: if maria { Dialect::Mariadb } else { Dialect::Mysql }, number, parts }
    }

    /// `MariaDB 10.11.19`.
    pub fn shown(&self) -> String {
        format!("{} {}", self.brand(), self.number)
    }

    fn brand(&self) -> &'static str {
        if self.is_mariadb() { "MariaDB" } else { "MySQL" }
    }

    fn is_mariadb(&self) -> bool {
        self.dialect == Dialect::Mariadb
    }

    /// Why triphase does not work with it, if so.
    pub fn too_old(&self) -> Option<String> {
        let (least, name) = if self.is_mariadb() { ((10, 6), "MariaDB 10.6") } else { ((8, 0), "MySQL 8.0") };
        (self.parts < least).then(|| format!("it is {}; triphase works with {name} and later", self.shown()))
    }

    /// Sets the session's role to the one that it began with.
    pub fn set_role(&self, began: Option<&str>) -> String {
        match (self.dialect, began) {
            // MariaDB knows one role at a time, and no `SET ROLE DEFAULT`.
            (Dialect::Mariadb, Some(role)) => format!("SET ROLE {}", ident(Dialect::Mariadb, role)),
            (Dialect::Mariadb, None) => "SET ROLE NONE".to_owned(),
            (Dialect::Mysql | Dialect::Postgres | Dialect::Sqlite | Dialect::Delta, _) => "SET ROLE DEFAULT".to_owned(),
        }
    }

    /// Takes the limits off how long a statement may run.
    pub fn no_time_limit(&self) -> &'static str {
        // MariaDB's is in seconds and for every statement, MySQL's in milliseconds and for SELECT only.
        if self.is_mariadb() { "max_statement_time = 0" } else { "max_execution_time = 0" }
    }

    /// Whether `information_schema` says who waits for whose row lock; MySQL keeps that in `performance_schema`.
    pub fn row_lock_waits(&self, work: &str) -> String {
        if self.is_mariadb() {
            format!(
                "SELECT DISTINCT b.trx_mysql_thread_id FROM information_schema.innodb_lock_waits w \
                 JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
                 JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id WHERE r.trx_mysql_thread_id = {work}"
            )
        } else {
            format!(
                "SELECT DISTINCT b.trx_mysql_thread_id FROM performance_schema.data_lock_waits w \
                 JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_engine_transaction_id \
                 JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_engine_transaction_id \
                 WHERE r.trx_mysql_thread_id = {work}"
            )
        }
    }
}

/// A statement that fails with `message` unless `condition` holds, in a bare client of either. A prepared SIGNAL is MariaDB's alone, and a
/// procedure of MySQL's would be one more object, made and dropped with commits of its own. Both refuse a table that is not there by
/// its name, which has 64 characters at most.
pub(super) fn demand(condition: &str, message: &str) -> Vec<String> {
    debug_assert!(message.len() <= 64, "{message}");
    let refused = format!("SELECT 1 FROM {}", ident(Dialect::Mysql, message));
    vec![
        format!("SET @triphase_demand = IF(({condition}), 'DO 0', {})", literal(Dialect::Mysql, &refused)),
        "PREPARE triphase_demand FROM @triphase_demand".to_owned(),
        "EXECUTE triphase_demand".to_owned(),
        "DEALLOCATE PREPARE triphase_demand".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn servers_are_told_apart() {
        for (text, shown, old) in [
            ("10.11.19-MariaDB-0+deb12u1", "MariaDB 10.11.19", false),
            ("5.5.5-10.6.4-MariaDB", "MariaDB 10.6.4", false),
            ("10.5.9-MariaDB-log", "MariaDB 10.5.9", true),
            ("8.0.36", "MySQL 8.0.36", false),
            ("8.4.0-commercial", "MySQL 8.4.0", false),
            ("5.7.44-log", "MySQL 5.7.44", true),
        ] {
            let version = Version::read(text);
            assert_eq!((version.shown().as_str(), version.too_old().is_some()), (shown, old), "{text}");
        }
    }
}
