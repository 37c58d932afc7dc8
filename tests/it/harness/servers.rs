//! Servers started from the installed binaries (`tests/servers/`), one a test program, lazily. Each lives as long as this process holds the
//! pipe to its standard input: it goes with the process, however that ends.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

/// A server's URL, its password as it is and not as URLs write it.
#[derive(Clone)]
pub struct Url(url::Url);

impl Url {
    fn parse(text: &str) -> Self {
        Self(url::Url::parse(text).unwrap())
    }

    /// The whole URL, password and all.
    pub fn with_password(&self) -> String {
        self.0.to_string()
    }

    /// The password itself.
    pub fn password(&self) -> String {
        percent_encoding::percent_decode_str(self.0.password().unwrap_or_default()).decode_utf8().unwrap().into_owned()
    }

    /// Host.
    pub fn host(&self) -> String {
        self.0.host_str().unwrap().to_owned()
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.0.port().unwrap()
    }

    /// User.
    pub fn user(&self) -> String {
        self.0.username().to_owned()
    }

    /// Database.
    pub fn database(&self) -> String {
        self.0.path().trim_start_matches('/').to_owned()
    }

    /// The same server, another database.
    pub fn to_database(&self, name: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(name);
        Self(url)
    }

    /// The same place, another user.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        let mut url = self.0.clone();
        url.set_username(user).unwrap();
        url.set_password(Some(
            &percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC).to_string(),
        ))
        .unwrap();
        Self(url)
    }

    /// The same database, another port.
    pub fn to_port(&self, port: u16) -> Self {
        let mut url = self.0.clone();
        url.set_port(Some(port)).unwrap();
        Self(url)
    }
}

/// A running server, and what it said of itself.
struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<(String, String)>,
}

impl Server {
    fn start(script: &str, args: &[String]) -> Self {
        let path = format!("{}/tests/servers/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(path).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { child, lines, said: vec![] };
        server.listen();
        server
    }

    /// Takes what it says, until it is ready.
    fn listen(&mut self) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line == "READY" {
                return;
            }
            let (name, value) = line.split_once('=').unwrap();
            self.said.push((name.to_owned(), value.to_owned()));
        }
        panic!("a server of tests/servers/ did not start ({}): its reason is above", self.child.wait().unwrap());
    }

    fn value(&self, name: &str) -> &str {
        &self.said.iter().find(|(n, _)| n == name).unwrap().1
    }
}

/// The server for all tests: `TRIPHASE_TEST_POSTGRES` (a superuser's URL), or one of our own. The user is `tri`, who may create databases
/// and roles, and whose password is full of characters that URLs escape.
pub fn postgres() -> Url {
    static SERVER: OnceLock<(Option<Server>, Url)> = OnceLock::new();
    let (_, url) = SERVER.get_or_init(|| {
        let (server, url) = match std::env::var("TRIPHASE_TEST_POSTGRES") {
            Ok(url) => (None, Url::parse(&url)),
            Err(_) => {
                let server = Server::start("postgres", &[]);
                let url = Url::parse(server.value("URL"));
                (Some(server), url)
            }
        };
        let role = "DO $$BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'secretive') THEN CREATE ROLE secretive; END IF;
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tri') THEN CREATE ROLE tri LOGIN; END IF;
            ALTER ROLE tri CREATEDB CREATEROLE PASSWORD 's3cret!@#';
            GRANT secretive TO tri WITH ADMIN OPTION;
        END$$";
        super::db::psql(&url, role);
        (server, url.as_user("tri", "s3cret!@#"))
    });
    url.clone()
}

/// The MariaDB server for all tests: `TRIPHASE_TEST_MARIADB` (a superuser's URL), or one of our own. The user is `tri`, who may do
/// everything but shut it down, and whose password is full of characters that URLs escape.
pub fn mariadb() -> Url {
    static SERVER: OnceLock<(Option<Server>, Url)> = OnceLock::new();
    let (_, url) = SERVER.get_or_init(|| {
        let (server, url) = match std::env::var("TRIPHASE_TEST_MARIADB") {
            Ok(url) => (None, Url::parse(&url)),
            Err(_) => {
                let server = Server::start("mariadb", &[]);
                let url = Url::parse(server.value("URL"));
                (Some(server), url)
            }
        };
        let user = "CREATE USER IF NOT EXISTS tri@'%' IDENTIFIED BY 's3cret!@#'; GRANT ALL ON *.* TO tri@'%' WITH GRANT OPTION";
        super::db::mariadb_client(&url, user);
        (server, url.as_user("tri", "s3cret!@#"))
    });
    url.clone()
}

/// A PostgreSQL server of its own, which can be made a standby. It goes with this value.
pub struct Replica(Server);

impl Replica {
    /// The server, and a database on it.
    pub fn new() -> (Self, super::Db) {
        let server = Server::start("postgres", &[]);
        let url = Url::parse(server.value("URL"));
        super::db::psql(&url, "CREATE DATABASE alone");
        (Self(server), super::Db::Postgres { url: url.to_database("alone") })
    }

    /// From here on it is in recovery, and nobody writes to it.
    pub fn stand_by(&mut self) {
        self.0.child.stdin.as_mut().unwrap().write_all(b"standby\n").unwrap();
        self.0.listen();
    }
}

/// A database on a MariaDB server of its own, whose global settings a test may change. It goes with this process.
pub fn mariadb_alone() -> super::Db {
    static SERVERS: std::sync::Mutex<Vec<Server>> = std::sync::Mutex::new(Vec::new());
    let server = Server::start("mariadb", &["--instrumented".to_owned()]);
    let url = Url::parse(server.value("URL"));
    SERVERS.lock().unwrap().push(server);
    super::db::mariadb_client(&url, "CREATE DATABASE alone");
    super::Db::Mariadb { url: url.to_database("alone") }
}

/// A server that lets nobody in by TCP without TLS: its port, and the folder of its socket and its certificates (`tests/servers/*`).
pub fn tls(engine: super::Engine) -> (u16, PathBuf) {
    static POSTGRES: OnceLock<Server> = OnceLock::new();
    static MARIADB: OnceLock<Server> = OnceLock::new();
    let start = |script| Server::start(script, &["--tls".to_owned()]);
    let server = match engine {
        super::Engine::Sqlite => panic!("SQLite has no server"),
        super::Engine::Postgres => POSTGRES.get_or_init(|| start("postgres")),
        super::Engine::Mariadb => MARIADB.get_or_init(|| start("mariadb")),
    };
    (Url::parse(server.value("URL")).port(), PathBuf::from(server.value("SOCKETS")))
}

/// A database behind pgbouncer, in transaction mode.
pub fn bouncer(url: &Url) -> Url {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER
        .get_or_init(|| Server::start("pgbouncer", &[url.host(), url.port().to_string(), url.user(), url.password()]));
    url.to_port(server.value("PORT").parse().unwrap())
}
