//! The TLS options of a connection, settled before anyone uses them (rule T3): one spelling, absolute paths, and a CA that is named is
//! checked. So the runner and the database's own client mean the same. What comes of them is told in `engine/tls.rs`.

use super::url::Wrong;
use crate::target::{Connection, Secret};
use std::path::Path;

/// What an engine calls its options.
struct Names {
    mode: &'static str,
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
    /// Other spellings, and what they mean.
    spellings: &'static [(&'static str, &'static str)],
    /// Other words for a mode, and what they mean.
    modes: &'static [(&'static str, &'static str)],
    /// Modes that check no certificate, though they may encrypt. None named is one of them.
    unchecked: &'static [&'static str],
    /// The least mode that checks who signed the server's certificate.
    checked: &'static str,
}

const POSTGRES: Names = Names {
    mode: "sslmode",
    ca: "sslrootcert",
    cert: "sslcert",
    key: "sslkey",
    spellings: &[],
    // libpq would try without TLS first; encrypting where that is offered reaches the same servers.
    modes: &[("allow", "prefer")],
    unchecked: &["prefer", "require"],
    checked: "verify-ca",
};

const MYSQL: Names = Names {
    mode: "ssl-mode",
    ca: "ssl-ca",
    cert: "ssl-cert",
    key: "ssl-key",
    spellings: &[
        ("sslmode", "ssl-mode"),
        ("ssl_mode", "ssl-mode"),
        ("sslca", "ssl-ca"),
        ("ssl_ca", "ssl-ca"),
        ("sslcert", "ssl-cert"),
        ("ssl_cert", "ssl-cert"),
        ("sslkey", "ssl-key"),
        ("ssl_key", "ssl-key"),
        ("unix_socket", "socket"),
    ],
    modes: &[
        ("verify-ca", "verify_ca"),
        ("verify-identity", "verify_identity"),
        ("verify_full", "verify_identity"),
        ("verify-full", "verify_identity"),
    ],
    unchecked: &["preferred", "required"],
    checked: "verify_ca",
};

/// Settles a connection's options, which its engine knows all of. Relative paths are relative to `project`.
///
/// # Errors
/// Where an option is said twice, or a client certificate has no key.
pub(super) fn settle(connection: &mut Connection, project: &Path) -> Result<(), Wrong> {
    let names = match connection.scheme.as_str() {
        "postgres" => &POSTGRES,
        "mysql" | "mariadb" => &MYSQL,
        _ => return Ok(()),
    };
    for (spelling, name) in names.spellings {
        let Some(value) = connection.query.shift_remove(*spelling) else { continue };
        if connection.query.insert((*name).to_owned(), value).is_some() {
            return Err((
                format!("the connection says the option `{name}` twice, also as `{spelling}`"),
                "keep one of them".to_owned(),
            ));
        }
    }
    // SQLAlchemy's way to name a folder of sockets in parts.
    if let Some(host) = connection.query.shift_remove("host") {
        connection.host = connection.host.take().or_else(|| Some(host.reveal().to_owned()));
    }
    if connection.scheme != "postgres"
        && let Some(path) = connection.host.take_if(|host| host.starts_with('/'))
    {
        connection.query.entry("socket".to_owned()).or_insert_with(|| Secret::new(path));
    }
    for name in [names.ca, names.cert, names.key, "socket"] {
        if let Some(path) = connection.query.get_mut(name) {
            // Empty where a variable has nothing to say.
            if path.reveal().is_empty() {
                connection.query.shift_remove(name);
            } else {
                *path = Secret::new(project.join(path.reveal()).to_string_lossy());
            }
        }
    }
    // A client that is told a host, be it `localhost`, goes there by TCP.
    if connection.query.contains_key("socket") {
        connection.host = None;
    }
    let has = |name: &str| connection.query.contains_key(name);
    for (one, other) in [(names.cert, names.key), (names.key, names.cert)] {
        if has(one) && !has(other) {
            let message = format!("the connection has the option `{one}` and not `{other}`");
            return Err((message, "a client certificate needs both: the certificate and its key".to_owned()));
        }
    }
    let said = connection.query.get(names.mode).map(|mode| mode.reveal().to_ascii_lowercase());
    let mut mode = said.map(|said| names.modes.iter().find(|(word, _)| *word == said).map_or(said, |m| m.1.to_owned()));
    // Who names a CA wants it asked; so do libpq's `require` and the `mysql` client.
    if has(names.ca) && mode.as_deref().is_none_or(|mode| names.unchecked.contains(&mode)) {
        mode = Some(names.checked.to_owned());
    }
    if let Some(mode) = mode {
        connection.query.insert(names.mode.to_owned(), Secret::new(mode));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::url::parse;
    use std::path::Path;

    fn options(url: &str) -> String {
        let connection = parse(url, Path::new("/p")).unwrap();
        let mut said: Vec<_> = connection.query.iter().map(|(k, v)| format!("{k}={}", v.reveal())).collect();
        said.sort();
        format!("{}?{}", connection.host.unwrap_or_default(), said.join("&"))
    }

    #[test]
    fn options_are_spelt_once_and_paths_are_absolute() {
        for (url, settled) in [
            (
                "postgres://h/d?sslmode=VERIFY-FULL&sslrootcert=tls/ca.pem",
                "h?sslmode=verify-full&sslrootcert=/p/tls/ca.pem",
            ),
            ("postgres://h/d?sslcert=/c&sslkey=k", "h?sslcert=/c&sslkey=/p/k"),
            ("postgres://h/d?sslmode=allow&sslrootcert=", "h?sslmode=prefer"),
            ("mysql://h/d?sslmode=verify-full&ssl_ca=ca", "h?ssl-ca=/p/ca&ssl-mode=verify_identity"),
            ("mariadb://localhost/d?unix_socket=s", "?socket=/p/s"),
            ("mariadb://%2Frun%2Fs/d", "?socket=/run/s"),
        ] {
            assert_eq!(options(url), settled, "{url}");
        }
    }

    #[test]
    fn a_ca_that_is_named_is_asked() {
        for (url, mode) in [
            ("postgres://h/d?sslrootcert=/ca", "sslmode=verify-ca"),
            ("postgres://h/d?sslrootcert=/ca&sslmode=require", "sslmode=verify-ca"),
            ("postgres://h/d?sslrootcert=/ca&sslmode=verify-full", "sslmode=verify-full"),
            ("postgres://h/d?sslrootcert=/ca&sslmode=disable", "sslmode=disable"),
            ("mysql://h/d?ssl-ca=/ca&ssl-mode=required", "ssl-mode=verify_ca"),
            ("mysql://h/d?ssl-ca=/ca", "ssl-mode=verify_ca"),
        ] {
            assert!(options(url).contains(mode), "{url}: {}", options(url));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (url, says) in [
            ("postgres://h/d?sslcert=/c", "`sslcert` and not `sslkey`"),
            ("mysql://h/d?ssl-key=/c", "`ssl-key` and not `ssl-cert`"),
            ("mysql://h/d?ssl-key=/c&ssl_key=/d&ssl-cert=/e", "`ssl-key` twice"),
        ] {
            let (message, _) = parse(url, Path::new("/p")).unwrap_err();
            assert!(message.contains(says), "{url}: {message}");
        }
    }
}
