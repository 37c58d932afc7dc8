//! The way in: a connection URL's parts as sqlx's options, and errors that name host, database and user, never a secret.

use super::{
    super::{
        Failure, UrlOption, Values,
        silent::patience,
        tls::{self, Tried},
    },
    error::{IDLE_TOO_LONG, Trouble as _, words},
    text::LASTING,
    wire::Wire,
};
use crate::target::{Connection, Target};
use anyhow::anyhow;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::path::Path;

/// How often a session is opened whose first text came too late for its role's `idle_session_timeout`.
const OPENINGS: u32 = 5;

/// The options of connection URLs (PostgreSQL's manual, libpq, "Parameter Key Words"), as far as they are known here. Users and
/// databases have keys of their own.
pub(super) const OPTIONS: &[UrlOption] = &[
    // The runner's own name is what tells a dead run's session from others: this one is taken, and not used.
    UrlOption { name: "application_name", values: Values::Any },
    UrlOption { name: "connect_timeout", values: Values::Seconds },
    UrlOption { name: "host", values: Values::Any },
    UrlOption { name: "sslcert", values: Values::Any },
    UrlOption { name: "sslkey", values: Values::Any },
    UrlOption {
        name: "sslmode",
        values: Values::OneOf(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
    },
    UrlOption { name: "sslrootcert", values: Values::Any },
];

/// Opens a connection to where `target`'s runner goes, known to others on the server as `name`, that may be idle as long as it is needed.
/// That can't be asked for with the connection: a pooler refuses settings that it does not know, and a server before version 14 this one.
pub(super) async fn connect(target: &Target, name: &str) -> Result<Wire, Failure> {
    let mut openings = 1;
    loop {
        let mut wire = open(target, name).await?;
        match wire.all(LASTING.to_owned()).await {
            Ok(_) => return Ok(wire),
            Err(broken) if broken.state() == Some(IDLE_TOO_LONG) && openings < OPENINGS => openings += 1,
            Err(broken) => {
                let to = target.runner();
                return Err(Failure::Access(anyhow!("cannot connect to {to}: {}", broken.words())));
            }
        }
    }
}

async fn open(target: &Target, name: &str) -> Result<Wire, Failure> {
    let to = target.runner();
    let both = options(to).and_then(|options| Ok((options, patience(to)?)));
    let (options, patience) = both.map_err(|why| Failure::Access(anyhow!("cannot connect to {to}: {why}")))?;
    let options = options.application_name(name).disable_statement_logging();
    match tokio::time::timeout(patience, options.connect()).await {
        // What is asked may have to wait for a lock first.
        Ok(Ok(connection)) => Ok(Wire::new(connection, patience + target.lock_timeout.length())),
        Ok(Err(error)) => {
            let why = reason(&options, &error).unwrap_or_else(|| words(&error));
            Err(Failure::Access(anyhow!("cannot connect to {}: {why}", place(to, &options))))
        }
        Err(_) => Err(Failure::Access(anyhow!(
            "cannot connect to {}: no answer within {} s",
            place(to, &options),
            patience.as_secs()
        ))),
    }
}

/// `host:port` as it will be used, defaults filled in.
pub(super) fn host(to: &Connection) -> String {
    options(to).map_or_else(|_| to.host.clone().unwrap_or_default(), |o| address(&o))
}

fn address(options: &PgConnectOptions) -> String {
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |s| s.display().to_string());
    format!("{host}:{}", options.get_port())
}

fn reason(options: &PgConnectOptions, error: &sqlx::Error) -> Option<String> {
    let socket = options.get_socket().map(|folder| format!("{}/.s.PGSQL.{}", folder.display(), options.get_port()));
    Tried { socket: socket.as_deref(), ca: "sslrootcert", cert: "sslcert and sslkey", mode: "sslmode" }.reason(error)
}

fn place(to: &Connection, options: &PgConnectOptions) -> String {
    format!("{}://{}@{}/{}", to.scheme, options.get_username(), address(options), to.database)
}

/// The port where none is named.
const PORT: u16 = 5432;
/// Where servers on this host have their sockets: Debian's folder, and PostgreSQL's own (manual, `unix_socket_directories`).
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The options of a connection, its parts and nothing else: the driver fills in what is left out from libpq's variables (PostgreSQL's manual,
/// section 34.15), and a variable that is left over from other work must not say where a migration goes. What it is told stands.
fn options(to: &Connection) -> Result<PgConnectOptions, String> {
    if std::env::var_os("PGOPTIONS").is_some_and(|options| !options.is_empty()) {
        return Err("PGOPTIONS is in the environment, and would change triphase's sessions: unset it (what a role's sessions need is \
                    set by ALTER ROLE … SET)"
            .to_owned());
    }
    // By way of a URL, because only so does sqlx look into ~/.pgpass for this host. The password is not part of it.
    let mut url = url::Url::parse("postgres:").map_err(|e| e.to_string())?;
    let port = to.port.unwrap_or(PORT);
    {
        let mut pairs = url.query_pairs_mut();
        // The name that the server's certificate is compared with has no brackets around an IPv6 address.
        let named = to.host.as_deref().map(|host| host.trim_matches(['[', ']']));
        let named = to.query.get("host").map(|host| host.reveal()).or(named);
        pairs.append_pair("host", named.unwrap_or_else(|| here(port)));
        pairs.append_pair("port", &port.to_string());
        let user = match &to.username {
            Some(user) => user.clone(),
            None => own_name().ok_or("it names no user, and the system has no name for who runs this")?,
        };
        pairs.append_pair("user", &user);
        // The server's own default (manual, section 55.2.1) is the user's name.
        pairs.append_pair("dbname", if to.database.is_empty() { &user } else { &to.database });
        pairs.append_pair("sslmode", to.query.get("sslmode").map_or("prefer", |mode| mode.reveal()));
        for name in to.query.keys() {
            match name.as_str() {
                "host" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey" | "connect_timeout" | "application_name" => {}
                other => {
                    let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
                    return Err(format!("unknown option `{other}`: known are {}", known.join(", ")));
                }
            }
        }
    }
    let mut options = PgConnectOptions::from_url(&url).map_err(|e| e.to_string())?;
    if let Some(password) = &to.password {
        options = options.password(password.reveal());
    }
    // A socket's other end is this host; the server offers no TLS there, and libpq asks for none (manual, section 34.1.2, `sslmode`).
    if options.get_socket().is_some() {
        return Ok(options.ssl_mode(PgSslMode::Disable));
    }
    let path = |name: &str| to.query.get(name).map(|path| path.reveal());
    if let Some(path) = path("sslrootcert") {
        options = options.ssl_root_cert_from_pem(tls::certificates("sslrootcert", path)?);
    }
    if let Some(path) = path("sslcert") {
        options = options.ssl_client_cert_from_pem(tls::certificates("sslcert", path)?);
    }
    if let Some(path) = path("sslkey") {
        options = options.ssl_client_key_from_pem(tls::key("sslkey", path)?);
    }
    Ok(options)
}

/// Where a server on this host is, as libpq finds it: by its socket.
fn here(port: u16) -> &'static str {
    let has = |folder: &&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
    SOCKETS.into_iter().find(has).unwrap_or("localhost")
}

/// The name that the system has for who runs this process: libpq's default for the user.
fn own_name() -> Option<String> {
    uzers::get_user_by_uid(uzers::get_effective_uid())?.name().to_str().map(str::to_owned)
}
