//! How a client gets to where the runner goes: TLS, and TCP or a socket.

use crate::target::{Connection, Secret};
use std::path::Path;

/// What a connection's options are called in libpq's environment (PostgreSQL manual, section 34.15).
pub(super) fn libpq(connection: &Connection) -> Vec<(&'static str, Secret)> {
    if connection.scheme != "postgres" {
        return vec![];
    }
    let names =
        [("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY")];
    names
        .iter()
        .filter_map(|(option, name)| connection.query.get(*option).map(|value| (*name, value.clone())))
        .collect()
}

/// Arguments of MySQL's and MariaDB's clients, which read no environment for this. `localhost` alone would mean their own socket to them,
/// and may be another server than the runner's.
pub(super) fn mysql(connection: &Connection, program: &Path) -> Vec<String> {
    let option = |name: &str| connection.query.get(name).map(|value| value.reveal());
    if !matches!(connection.scheme.as_str(), "mysql" | "mariadb") {
        return vec![];
    }
    let socket = option("socket");
    let mut args = match socket {
        Some(path) => vec!["--protocol=socket".to_owned(), format!("--socket={path}")],
        None => vec!["--protocol=tcp".to_owned()],
    };
    for name in ["ssl-ca", "ssl-cert", "ssl-key"] {
        args.extend(option(name).map(|path| format!("--{name}={path}")));
    }
    let mode = option("ssl-mode");
    // `mysql` is a link to `mariadb` where a system has that.
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mariadb = real.file_name().is_some_and(|name| name.to_string_lossy().contains("mariadb"));
    match (mode, mariadb) {
        (None | Some("preferred"), _) => {}
        // Nothing is checked on the way to a socket, by the runner neither.
        (Some(_), _) if socket.is_some() => {}
        (Some(mode), false) => args.push(format!("--ssl-mode={}", mode.to_ascii_uppercase())),
        (Some("disabled"), true) => args.push("--skip-ssl".to_owned()),
        (Some("required"), true) => {
            args.extend(["--ssl".to_owned(), "--skip-ssl-verify-server-cert".to_owned()]);
        }
        // MariaDB's checks the CA only together with the name.
        (Some(_), true) => args.extend(["--ssl".to_owned(), "--ssl-verify-server-cert".to_owned()]),
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_told_in_its_own_words() {
        let args = |scheme: &str, program: &str, options: &[(&str, &str)]| {
            let query = options.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
            let connection = Connection { scheme: scheme.to_owned(), query, ..Connection::default() };
            mysql(&connection, Path::new(program)).join(" ")
        };
        let full = [("ssl-mode", "verify_identity"), ("ssl-ca", "/ca")];
        assert_eq!(
            args("mariadb", "/nowhere/mariadb", &full),
            "--protocol=tcp --ssl-ca=/ca --ssl --ssl-verify-server-cert"
        );
        assert_eq!(args("mysql", "/nowhere/mysql", &full), "--protocol=tcp --ssl-ca=/ca --ssl-mode=VERIFY_IDENTITY");
        assert_eq!(args("mysql", "/nowhere/mariadb", &[("ssl-mode", "disabled")]), "--protocol=tcp --skip-ssl");
        assert_eq!(
            args("mysql", "/nowhere/mariadb", &[("socket", "/s"), ("ssl-mode", "required")]),
            "--protocol=socket --socket=/s"
        );
        assert_eq!(args("postgres", "/nowhere/mariadb", &full), "");
    }
}
