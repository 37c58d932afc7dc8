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
    args.extend(connection.host.as_ref().map(|host| format!("--host={}", host.trim_matches(['[', ']']))));
    args.extend(connection.port.or(port).map(|port| format!("--port={port}")));
    args
}

/// The Unix socket, where one is named.
fn socket(connection: &Connection) -> Option<&str> {
    connection.query.get("socket").map(|path| path.reveal())
}

/// What a client is told whoever wrote its other arguments. It speaks utf8mb4, as files do; and where its session was ended, it must not go
/// on with the file in another one (rule X2).
pub(super) fn options(connection: &Connection, program: &Path) -> Vec<String> {
    let mut args = vec!["--default-character-set=utf8mb4".to_owned(), "--skip-reconnect".to_owned()];
    args.extend(tls(connection, program));
    args
}

/// TLS as the connection's options have it, which are spelt one way ([`crate::config`]).
pub(super) fn tls(connection: &Connection, program: &Path) -> Vec<String> {
    let mut args = Vec::new();
    let said = |name: &str| connection.query.get(name).map(|value| value.reveal());
    for name in ["ssl-ca", "ssl-cert", "ssl-key"] {
        args.extend(said(name).map(|path| format!("--{name}={path}")));
    }
    let Some(mode) = said("ssl-mode") else { return args };
    // Nothing is checked on the way to a socket, by the runner neither.
    let mode = if socket(connection).is_some() && mode != "disabled" { "preferred" } else { mode };
    if is_mariadb(program) {
        // Which knows no modes (MariaDB documentation, mariadb command-line client): verifying is of authority and name at once, and `--ssl`
        // fails where the server has no TLS.
        args.extend(match mode {
            "disabled" => vec!["--skip-ssl".to_owned()],
            "preferred" => vec!["--skip-ssl-verify-server-cert".to_owned()],
            "required" => vec!["--ssl".to_owned(), "--skip-ssl-verify-server-cert".to_owned()],
            _ => vec!["--ssl".to_owned(), "--ssl-verify-server-cert".to_owned()],
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
        let by_option = connection(&[("socket", "/run/my.sock")]);
        assert_eq!(place(&by_option, Some(3306)), ["--protocol=socket", "--socket=/run/my.sock"]);
    }

    #[test]
    fn tls_is_said_as_each_client_has_it() {
        let to = connection(&[("ssl-mode", "verify_identity"), ("ssl-ca", "/ca.pem")]);
        assert_eq!(tls(&to, Path::new("/x/mysql")).join(" "), "--ssl-ca=/ca.pem --ssl-mode=VERIFY_IDENTITY");
        assert_eq!(tls(&to, Path::new("/x/mariadb")).join(" "), "--ssl-ca=/ca.pem --ssl --ssl-verify-server-cert");
        let off = connection(&[("ssl-mode", "disabled")]);
        assert_eq!(tls(&off, Path::new("/x/mariadb")), ["--skip-ssl"]);
        assert_eq!(tls(&off, Path::new("/x/mysql")), ["--ssl-mode=DISABLED"]);
        let local = connection(&[("ssl-mode", "verify_identity"), ("socket", "/s")]);
        assert_eq!(tls(&local, Path::new("/x/mariadb")), ["--skip-ssl-verify-server-cert"]);
        assert_eq!(tls(&local, Path::new("/x/mysql")), ["--ssl-mode=PREFERRED"]);
        assert!(tls(&connection(&[]), Path::new("/x/mariadb")).is_empty());
    }
}
