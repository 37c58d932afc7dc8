//! How `mysql` and `mariadb` find their server, and what they are told besides: what libpq reads from its environment, these clients
//! take as arguments only.

use crate::target::Connection;
use std::{fs, path::Path};

/// Where the server is: a socket, or a host and a port. By themselves these clients take a socket of their own for `localhost`, port or not.
pub(super) fn place(connection: &Connection, port: Option<u16>) -> Vec<String> {
    if let Some(socket) = socket(connection) {
        return vec!["--protocol=socket".to_owned(), format!("--socket={socket}")];
    }
    let mut args = vec!["--protocol=tcp".to_owned()];
    args.extend(connection.host.as_ref().map(|host| format!("--host={host}")));
    args.extend(connection.port.or(port).map(|port| format!("--port={port}")));
    args
}

/// The Unix socket, where one is named: by an option, or as a host that is a path.
fn socket(connection: &Connection) -> Option<&str> {
    let option = ["socket", "unix_socket"].iter().find_map(|name| connection.query.get(*name)).map(|path| path.reveal());
    option.or_else(|| connection.host.as_deref().filter(|host| host.starts_with('/')))
}

/// What a client is told whoever wrote its other arguments. It speaks utf8mb4, as files do; and where its session was ended, it must not go
/// on with the file in another one (rule X2).
pub(super) fn options(connection: &Connection, program: &Path) -> Vec<String> {
    let mut args = vec!["--default-character-set=utf8mb4".to_owned(), "--skip-reconnect".to_owned()];
    args.extend(tls(connection, program));
    args
}

/// TLS as the connection's options have it.
pub(super) fn tls(connection: &Connection, program: &Path) -> Vec<String> {
    let mut args = Vec::new();
    let said = |names: &[&str]| names.iter().find_map(|name| connection.query.get(*name)).map(|value| value.reveal());
    for (names, option) in [
        (["ssl-ca", "sslca", "ssl_ca"], "--ssl-ca"),
        (["ssl-cert", "sslcert", "ssl_cert"], "--ssl-cert"),
        (["ssl-key", "sslkey", "ssl_key"], "--ssl-key"),
    ] {
        args.extend(said(&names).map(|path| format!("{option}={path}")));
    }
    let Some(mode) = said(&["ssl-mode", "sslmode", "ssl_mode"]) else { return args };
    let mode = mode.to_ascii_lowercase().replace('-', "_");
    let mode = if mode == "verify_full" { "verify_identity" } else { mode.as_str() };
    if is_mariadb(program) {
        // Which knows no modes (MariaDB documentation, mariadb command-line client): verifying is of authority and name at once.
        args.extend(match mode {
            "disabled" => vec!["--skip-ssl".to_owned()],
            "verify_ca" | "verify_identity" => vec!["--ssl".to_owned(), "--ssl-verify-server-cert".to_owned()],
            _ => vec!["--ssl".to_owned(), "--skip-ssl-verify-server-cert".to_owned()],
        });
    } else {
        args.push(format!("--ssl-mode={}", mode.to_ascii_uppercase()));
    }
    args
}

/// Whether the program is MariaDB's, which may be called `mysql` by a link.
fn is_mariadb(program: &Path) -> bool {
    let real = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    real.file_name().is_some_and(|name| name.to_string_lossy().contains("maria"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::target::Secret;

    fn connection(options: &[(&str, &str)]) -> Connection {
        Connection {
            scheme: "mysql".into(),
            host: Some("localhost".into()),
            query: options.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
            ..Connection::default()
        }
    }

    #[test]
    fn a_socket_takes_the_place_of_host_and_port() {
        assert_eq!(place(&connection(&[]), Some(3306)), ["--protocol=tcp", "--host=localhost", "--port=3306"]);
        let by_option = connection(&[("unix_socket", "/run/my.sock")]);
        assert_eq!(place(&by_option, Some(3306)), ["--protocol=socket", "--socket=/run/my.sock"]);
        let by_host = Connection { host: Some("/run/my.sock".into()), ..connection(&[]) };
        assert_eq!(place(&by_host, Some(3306)), place(&by_option, Some(3306)));
    }

    #[test]
    fn tls_is_said_as_each_client_has_it() {
        let to = connection(&[("ssl-mode", "verify-full"), ("ssl_ca", "ca.pem")]);
        assert_eq!(tls(&to, Path::new("/x/mysql")).join(" "), "--ssl-ca=ca.pem --ssl-mode=VERIFY_IDENTITY");
        assert_eq!(tls(&to, Path::new("/x/mariadb")).join(" "), "--ssl-ca=ca.pem --ssl --ssl-verify-server-cert");
        let off = connection(&[("sslmode", "DISABLED")]);
        assert_eq!(tls(&off, Path::new("/x/mariadb")), ["--skip-ssl"]);
        assert_eq!(tls(&off, Path::new("/x/mysql")), ["--ssl-mode=DISABLED"]);
        assert!(tls(&connection(&[]), Path::new("/x/mariadb")).is_empty());
    }
}
