//! The way in: a connection URL's parts as sqlx's options, and errors that name host, database and user, never a secret.

use super::{
    super::{
        Failure, UrlOption, Values,
        silent::patience,
        tls::{self, Tried},
    },
    error::{ACCESS_DENIED, Broken, words},
    settings::seconds,
    wire::Wire,
};
use crate::target::{Connection, Target};
use anyhow::anyhow;
use sqlx::{
    ConnectOptions as _,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use std::time::Duration;

/// The port where none is named.
const PORT: u16 = 3306;

/// The client's own names for how much TLS is asked for (MySQL manual, `--ssl-mode`).
const TLS: Values = Values::OneOf(&[
    "disabled",
    "preferred",
    "required",
    "verify_ca",
    "verify-ca",
    "verify_identity",
    "verify-identity",
    "verify_full",
    "verify-full",
]);

/// What its URLs may say.
pub(super) const OPTIONS: &[UrlOption] = &[
    UrlOption { name: "charset", values: Values::Any },
    UrlOption { name: "connect_timeout", values: Values::Seconds },
    UrlOption { name: "socket", values: Values::Any },
    UrlOption { name: "ssl-ca", values: Values::Any },
    UrlOption { name: "ssl-cert", values: Values::Any },
    UrlOption { name: "ssl-key", values: Values::Any },
    UrlOption { name: "ssl-mode", values: TLS },
    UrlOption { name: "ssl_ca", values: Values::Any },
    UrlOption { name: "ssl_cert", values: Values::Any },
    UrlOption { name: "ssl_key", values: Values::Any },
    UrlOption { name: "ssl_mode", values: TLS },
    UrlOption { name: "sslca", values: Values::Any },
    UrlOption { name: "sslcert", values: Values::Any },
    UrlOption { name: "sslkey", values: Values::Any },
    UrlOption { name: "sslmode", values: TLS },
    UrlOption { name: "unix_socket", values: Values::Any },
];

/// The database that ledger and handlers are in: the target's `schema`, by default the connection's.
pub(super) fn database(target: &Target) -> &str {
    target.schema.as_deref().unwrap_or(&target.runner().database)
}

/// Opens a connection to where `target`'s runner goes. Nothing is set in it yet.
pub(super) async fn connect(target: &Target) -> Result<Wire, Failure> {
    let to = target.runner();
    let both = options(to).and_then(|options| Ok((options, patience(to)?)));
    let (options, patience) = both.map_err(|why| Failure::Access(anyhow!("cannot connect to {to}: {why}")))?;
    let options = options.database(database(target)).disable_statement_logging();
    let place = place(target);
    match tokio::time::timeout(patience, options.connect()).await {
        // What is asked may have to wait for a lock first.
        Ok(Ok(connection)) => Ok(Wire::new(connection, patience + Duration::from_secs(seconds(&target.lock_timeout)))),
        Ok(Err(error)) => {
            let tried = Tried { socket: socket(to), ca: "ssl-ca", cert: "ssl-cert and ssl-key", mode: "ssl-mode" };
            let why = tried.reason(&error).unwrap_or_else(|| denied(to, &error));
            Err(Failure::Access(anyhow!("cannot connect to {place}: {why}")))
        }
        Err(_) => Err(Failure::Access(anyhow!("cannot connect to {place}: no answer within {} s", patience.as_secs()))),
    }
}

/// The server's words. It says no more than that access is denied where TLS or a certificate was wanted (MariaDB manual,
/// `require_secure_transport`, `REQUIRE`), so what was not shown is told.
fn denied(to: &Connection, error: &sqlx::Error) -> String {
    let said = words(error);
    if Broken::number_of(error) != Some(ACCESS_DENIED) {
        return said;
    }
    let given = |name: &str| to.query.get(name).map(|value| value.reveal());
    if given("ssl-mode") == Some("disabled") && socket(to).is_none() {
        return format!("{said}; with `ssl-mode=disabled`, a server or user that requires TLS is one reason");
    }
    if to.password.is_none() && given("ssl-cert").is_none() {
        return format!("{said}; no password and no client certificate (ssl-cert and ssl-key) were shown");
    }
    said
}

/// `host:port`, or the socket's path.
pub(super) fn host(to: &Connection) -> String {
    match socket(to) {
        Some(path) => path.to_owned(),
        None => format!("{}:{}", to.host.as_deref().unwrap_or("localhost"), to.port.unwrap_or(PORT)),
    }
}

/// The URL without password and options, defaults filled in.
pub(super) fn place(target: &Target) -> String {
    let to = target.runner();
    let user = to.username.as_deref().map_or_else(String::new, |user| format!("{user}@"));
    format!("{}://{user}{}/{}", to.scheme, host(to), database(target))
}

/// The Unix socket, where one is named: by an option, or as a host that is a path.
fn socket(to: &Connection) -> Option<&str> {
    let option = ["socket", "unix_socket"].iter().find_map(|name| to.query.get(*name)).map(|path| path.reveal());
    option.or_else(|| to.host.as_deref().filter(|host| host.starts_with('/')))
}

fn options(to: &Connection) -> Result<MySqlConnectOptions, String> {
    // What sqlx would set by itself is triphase's to set.
    let mut options = MySqlConnectOptions::new()
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .charset("utf8mb4")
        .port(to.port.unwrap_or(PORT));
    if let Some(host) = &to.host {
        // The name that the server's certificate is compared with has no brackets around an IPv6 address.
        options = options.host(host.trim_matches(['[', ']']));
    }
    if let Some(path) = socket(to) {
        options = options.socket(path);
    }
    if let Some(user) = &to.username {
        options = options.username(user);
    }
    if let Some(password) = &to.password {
        options = options.password(password.reveal());
    }
    for (name, value) in &to.query {
        let value = value.reveal();
        options = match name.as_str() {
            "ssl-mode" | "sslmode" | "ssl_mode" => options.ssl_mode(mode(value)?),
            "ssl-ca" | "sslca" | "ssl_ca" => options.ssl_ca_from_pem(tls::certificates("ssl-ca", value)?),
            "ssl-cert" | "sslcert" | "ssl_cert" => {
                options.ssl_client_cert_from_pem(tls::certificates("ssl-cert", value)?)
            }
            "ssl-key" | "sslkey" | "ssl_key" => options.ssl_client_key_from_pem(tls::key("ssl-key", value)?),
            // SQLAlchemy's URLs name `charset`; the runner speaks utf8mb4 whatever they say.
            "connect_timeout" | "socket" | "unix_socket" | "charset" => options,
            other => {
                return Err(format!(
                    "unknown option `{other}`: known are charset, connect_timeout, socket, ssl-ca, ssl-cert, ssl-key, ssl-mode"
                ));
            }
        };
    }
    // A socket's other end is this host, which no certificate names. TLS is used there where the server has it: a password that the server
    // does not keep in its cache is sent only so.
    if socket(to).is_some() && !matches!(options.get_ssl_mode(), MySqlSslMode::Disabled) {
        options = options.ssl_mode(MySqlSslMode::Preferred);
    }
    Ok(options)
}

/// The client's own names for how much TLS is asked for (MySQL manual, `--ssl-mode`).
fn mode(word: &str) -> Result<MySqlSslMode, String> {
    match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" => Ok(MySqlSslMode::Disabled),
        "preferred" => Ok(MySqlSslMode::Preferred),
        "required" => Ok(MySqlSslMode::Required),
        "verify_ca" => Ok(MySqlSslMode::VerifyCa),
        "verify_identity" | "verify_full" => Ok(MySqlSslMode::VerifyIdentity),
        _ => Err("`ssl-mode` is none of disabled, preferred, required, verify_ca, verify_identity".to_owned()),
    }
}
