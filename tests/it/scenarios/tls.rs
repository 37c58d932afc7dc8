//! TLS, client certificates, passwords in files and sockets: against servers that let nobody in by TCP without TLS, with certificates made
//! for them. The server itself says whether a session is encrypted.

use super::secrets::never_said;
use crate::harness::{Bench, Command, Engine, Url, mariadb, on_each_server, postgres, tls};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

on_each_server!(
    a_verified_server_is_worked_on,
    a_server_that_is_not_who_it_should_be_is_refused,
    a_ca_that_is_named_is_asked,
    a_file_that_can_not_be_read_is_named,
    a_client_certificate_is_shown,
    a_server_without_tls_or_a_client_without_it_is_refused,
    the_client_of_shell_actions_goes_the_same_way,
    a_database_is_adopted_the_same_way,
    a_password_is_read_from_a_file,
    a_socket_needs_no_tls,
    an_admin_connection_has_options_of_its_own,
    no_command_says_a_key,
);

const PASSWORD: &str = "s3cret!@#";
const IN_URLS: &str = "s3cret%21%40%23";

/// What an engine calls its options.
struct Words {
    full: &'static str,
    ca_only: &'static str,
    required: &'static str,
    disabled: &'static str,
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
}

fn words(engine: Engine) -> Words {
    match engine {
        Engine::Sqlite => panic!("SQLite has no TLS"),
        Engine::Postgres => Words {
            full: "sslmode=verify-full",
            ca_only: "sslmode=verify-ca",
            required: "sslmode=require",
            disabled: "sslmode=disable",
            ca: "sslrootcert",
            cert: "sslcert",
            key: "sslkey",
        },
        Engine::Mariadb => Words {
            full: "ssl-mode=verify_identity",
            ca_only: "ssl-mode=verify_ca",
            required: "ssl-mode=required",
            disabled: "ssl-mode=disabled",
            ca: "ssl-ca",
            cert: "ssl-cert",
            key: "ssl-key",
        },
    }
}

/// A project whose `tls/` has the certificates, and a fresh database on the server.
struct Place {
    engine: Engine,
    bench: Bench,
    port: u16,
    folder: PathBuf,
    database: String,
    words: Words,
}

impl Place {
    fn new(engine: Engine) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (port, folder) = tls(engine);
        // SQLite's database stays unused: the bench is a folder.
        let bench = Bench::new(Engine::Sqlite);
        fs::create_dir(bench.dir().join("tls")).unwrap();
        for name in ["ca.crt", "other.crt", "client.crt", "client.key"] {
            let copy = bench.dir().join("tls").join(name);
            fs::write(&copy, fs::read(folder.join(name)).unwrap()).unwrap();
            // psql takes no key that others can read.
            fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let database = format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let system = match engine {
            Engine::Postgres => "postgres",
            Engine::Sqlite | Engine::Mariadb => "mysql",
        };
        let place = Self { engine, bench, port, folder, database: system.to_owned(), words: words(engine) };
        place.ask(&format!("CREATE DATABASE {database}"));
        let seen = match engine {
            Engine::Postgres => "SELECT ssl AS how FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            Engine::Sqlite | Engine::Mariadb => {
                "SELECT VARIABLE_VALUE AS how FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'"
            }
        };
        place.bench.release(
            "v1",
            &format!("steps:\n  one:\n    add: CREATE TABLE seen AS {seen}\n    rollback_add: DROP TABLE seen\n"),
        );
        place.bench.write("sql/two.sql", &format!("CREATE TABLE client_seen AS {seen};\n"));
        Self { database, ..place }
    }

    /// Asks the server by its socket, past triphase.
    #[track_caller]
    fn ask(&self, sql: &str) -> String {
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = process::Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-U", "trusted", "-d", &self.database, "-c", sql]);
                command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string()]);
                command
            }
            Engine::Sqlite | Engine::Mariadb => {
                let mut command = process::Command::new("mariadb");
                command.args([
                    "--no-defaults",
                    "--protocol=socket",
                    "-u",
                    "trusted",
                    "-N",
                    "-B",
                    "-e",
                    sql,
                    &self.database,
                ]);
                command.arg("--socket").arg(self.folder.join("sock"));
                command
            }
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn scheme(&self) -> &'static str {
        match self.engine {
            Engine::Postgres => "postgres",
            Engine::Sqlite | Engine::Mariadb => "mariadb",
        }
    }

    fn url(&self, who: &str, host: &str, options: &str) -> String {
        format!("{}://{who}@{host}:{}/{}?{options}", self.scheme(), self.port, self.database)
    }

    /// `secret`'s, with the password.
    fn secret(&self, host: &str, options: &str) -> String {
        self.url(&format!("secret:{IN_URLS}"), host, options)
    }

    /// By the socket.
    fn socket(&self, who: &str, options: &str) -> String {
        match self.engine {
            Engine::Postgres => {
                format!(
                    "postgres://{who}@/{}?host={}&port={}&{options}",
                    self.database,
                    self.folder.display(),
                    self.port
                )
            }
            Engine::Sqlite | Engine::Mariadb => {
                format!("mariadb://{who}@localhost/{}?socket={}/sock&{options}", self.database, self.folder.display())
            }
        }
    }

    fn target(&self, connection: &str, more: &str) {
        self.bench.write("conf.d/test.yaml", &format!("connection: '{connection}'\n{more}"));
    }

    #[track_caller]
    fn encrypted(&self, table: &str) -> bool {
        !matches!(self.ask(&format!("SELECT how FROM {table}")).as_str(), "" | "f")
    }
}

fn a_verified_server_is_worked_on(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, .. } = place.words;
    for host in ["localhost", "127.0.0.1"] {
        // Relative to the project folder, wherever the command is run.
        place.target(&place.secret(host, &format!("{full}&{ca}=tls/ca.crt")), "");
        let project = place.bench.dir().display().to_string();
        Command::new(Path::new("/"), ["--path", &project, "add", "v1"]).run().exits(0);
        assert!(place.encrypted("seen"), "{host}");
        place.bench.ok("rollback_add v1");
    }
    let absolute = place.bench.dir().join("tls/ca.crt");
    place.target(&place.secret("localhost", &format!("{full}&{ca}={}", absolute.display())), "");
    place.bench.ok("add v1");
}

fn a_server_that_is_not_who_it_should_be_is_refused(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca_only, ca, .. } = place.words;
    for (host, options, why) in [
        ("127.0.0.2", format!("{full}&{ca}=tls/ca.crt"), "the server's certificate is another's"),
        ("localhost", full.to_owned(), "signed by no CA that is trusted here"),
        ("localhost", format!("{full}&{ca}=tls/other.crt"), "signed by no CA that is trusted here"),
        ("localhost", format!("{ca_only}&{ca}=tls/other.crt"), "signed by no CA that is trusted here"),
    ] {
        place.target(&place.secret(host, &options), "");
        for line in ["add v1", "show"] {
            place.bench.ends(8, line).says(why).says(&format!("{host}:{}", place.port)).hides(PASSWORD);
        }
    }
    place.target(&place.secret("127.0.0.2", &format!("{full}&{ca}=tls/ca.crt")), "");
    place.bench.ends(8, "show").says("localhost").says("127.0.0.2");
    place.target(&place.secret("localhost", full), "");
    place.bench.ends(8, "show").says(&format!("`{ca}`"));
    // Who signed it is all that this mode asks.
    place.target(&place.secret("127.0.0.2", &format!("{ca_only}&{ca}=tls/ca.crt")), "");
    place.bench.ok("add v1");
    assert!(place.encrypted("seen"));
}

fn a_ca_that_is_named_is_asked(engine: Engine) {
    let place = Place::new(engine);
    let Words { required, ca, .. } = place.words;
    for options in [format!("{ca}=tls/other.crt"), format!("{required}&{ca}=tls/other.crt")] {
        place.target(&place.secret("localhost", &options), "");
        place.bench.ends(8, "show").says("signed by no CA that is trusted here");
    }
    // With none, it is encrypted where the server has it, and nobody is checked.
    for options in [String::new(), required.to_owned()] {
        place.target(&place.secret("127.0.0.2", &options), "");
        place.bench.ok("add v1");
        assert!(place.encrypted("seen"));
        place.bench.ok("rollback_add v1");
    }
}

fn a_file_that_can_not_be_read_is_named(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, cert, key, .. } = place.words;
    place.bench.write("tls/garbage", "no certificate\n");
    place
        .bench
        .write("tls/encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let pair = |one: &str, other: &str| format!("{full}&{ca}=tls/ca.crt&{cert}=tls/{one}&{key}=tls/{other}");
    let file = |name: &str| place.bench.dir().join("tls").join(name).display().to_string();
    for (options, option, path, why) in [
        (format!("{full}&{ca}=tls/nothing"), ca, file("nothing"), "can't be read"),
        (format!("{full}&{ca}=tls/garbage"), ca, file("garbage"), "holds no certificate"),
        (pair("nothing", "client.key"), cert, file("nothing"), "can't be read"),
        (pair("client.crt", "nothing"), key, file("nothing"), "can't be read"),
        (pair("client.crt", "client.crt"), key, file("client.crt"), "holds no private key"),
        (pair("client.crt", "encrypted"), key, file("encrypted"), "is encrypted"),
    ] {
        place.target(&place.secret("localhost", &options), "");
        place.bench.ends(8, "add v1").says(&format!("`{option}`")).says(&path).says(why);
    }
    place.target(&place.secret("localhost", &format!("{cert}=tls/client.crt")), "");
    place.bench.ends(2, "add v1").says(&format!("`{cert}` and not `{key}`"));
}

fn a_client_certificate_is_shown(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, cert, key, .. } = place.words;
    let ours = format!("{full}&{ca}=tls/ca.crt");
    place.target(
        &place.url("certified", "localhost", &format!("{ours}&{cert}=tls/client.crt&{key}=tls/client.key")),
        "",
    );
    place.bench.ok("add v1");
    assert!(place.encrypted("seen"));
    place.target(&place.url("certified", "localhost", &ours), "");
    let run = place.bench.ends(8, "show").says("certified").says(&format!("localhost:{}", place.port));
    match engine {
        Engine::Postgres => run.says("valid client certificate"),
        Engine::Sqlite | Engine::Mariadb => run.says("no client certificate"),
    };
    // Another's, signed by nobody the server knows.
    place.target(&place.url("certified", "localhost", &format!("{ours}&{cert}=tls/other.crt&{key}=tls/other.key")), "");
    fs::copy(place.folder.join("other.key"), place.bench.dir().join("tls/other.key")).unwrap();
    place.bench.ends(8, "show").says("client");
}

fn a_server_without_tls_or_a_client_without_it_is_refused(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, disabled, .. } = place.words;
    place.target(&place.secret("localhost", disabled), "");
    let run = place.bench.ends(8, "show").says(&format!("localhost:{}", place.port));
    match engine {
        Engine::Postgres => run.says("no encryption"),
        Engine::Sqlite | Engine::Mariadb => run.says("requires TLS"),
    };
    let plain: Url = match engine {
        Engine::Postgres => postgres(),
        Engine::Sqlite | Engine::Mariadb => mariadb(),
    };
    place.target(&format!("{}?{full}", plain.with_password()), "");
    place.bench.ends(8, "show").says("the server offers no TLS").says(full.split('=').next().unwrap());
}

fn the_client_of_shell_actions_goes_the_same_way(engine: Engine) {
    let release = "steps:\n  two:\n    add:\n      - shell: ../sql/two.sql\n";
    let Words { full, ca_only, required, ca, cert, key, .. } = words(engine);
    let certificate = format!("{cert}=tls/client.crt&{key}=tls/client.key");
    for (who, options) in [
        (format!("secret:{IN_URLS}"), format!("{full}&{ca}=tls/ca.crt")),
        (format!("secret:{IN_URLS}"), format!("{ca_only}&{ca}=tls/ca.crt")),
        (format!("secret:{IN_URLS}"), required.to_owned()),
        ("certified".to_owned(), format!("{full}&{ca}=tls/ca.crt&{certificate}")),
    ] {
        let place = Place::new(engine);
        place.bench.release("v1", release);
        place.target(&place.url(&who, "localhost", &options), "");
        place.bench.ok("add v1");
        assert!(place.encrypted("client_seen"), "{options}");
    }
    // By the socket too, and not by TCP to the same host.
    let place = Place::new(engine);
    place.bench.release("v1", release);
    place.target(&place.socket("trusted", full), "");
    place.bench.ok("add v1");
    assert_eq!(place.ask("SELECT count(*) FROM client_seen"), "1");
}

/// On PostgreSQL by the server's own dump, which gets the same options.
fn a_database_is_adopted_the_same_way(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, cert, key, .. } = place.words;
    place.ask("CREATE TABLE customer (id integer)");
    fs::remove_dir_all(place.bench.dir().join("releases")).unwrap();
    let options = format!("{full}&{ca}=tls/ca.crt&{cert}=tls/client.crt&{key}=tls/client.key");
    place.target(&place.url("certified", "localhost", &options), "");
    place.bench.ok("-e test init");
    let written = fs::read_to_string(place.bench.dir().join("releases/v1/schema.add.sql")).unwrap();
    assert!(written.contains("customer"), "{written}");
}

fn a_password_is_read_from_a_file(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, .. } = place.words;
    let connection = place.url("secret", "localhost", &format!("{full}&{ca}=tls/ca.crt"));
    let file = place.bench.dir().join("secrets/pw");
    place.bench.write("secrets/pw", &format!("{PASSWORD}\n"));
    let mode = |mode: u32| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    for path in ["secrets/pw", &file.display().to_string()] {
        place.target(&connection, &format!("password_file: {path}\n"));
        let project = place.bench.dir().display().to_string();
        let run = Command::new(Path::new("/"), ["--path", &project, "-vv", "add"]).run().exits(0).hides(PASSWORD);
        assert!(!run.said().contains("every user of this host"), "{}", run.said());
        place.bench.ok("-vv rollback_add v1").hides(PASSWORD);
        place.bench.ok("-vv add v1").hides(PASSWORD);
    }
    mode(0o644);
    place.bench.ok("show").says("every user of this host can read the password file").hides(PASSWORD);
    place.bench.write("secrets/pw", "wr0ng\n");
    place.bench.ends(8, "show -vv").hides("wr0ng");
    for text in ["", "\n"] {
        place.bench.write("secrets/pw", text);
        place.bench.ends(2, "show").says("secrets/pw is empty").says("conf.d/test.yaml:2");
    }
    fs::remove_file(&file).unwrap();
    place.bench.ends(2, "show").says("secrets/pw can't be read").says("relative to the project folder");
}

fn a_socket_needs_no_tls(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, .. } = place.words;
    let peer = match engine {
        Engine::Postgres => "peer".to_owned(),
        Engine::Sqlite | Engine::Mariadb => uzers::get_current_username().unwrap().to_string_lossy().into_owned(),
    };
    for who in ["trusted".to_owned(), peer, format!("secret:{IN_URLS}")] {
        for options in ["", full] {
            place.target(&place.socket(&who, options), "");
            place.bench.ok("add v1");
            assert_eq!(place.ask("SELECT count(*) FROM seen"), "1");
            place.bench.ok("rollback_add v1");
            place.ask("DROP TABLE triphase_history, triphase_ledger, triphase_run, triphase_meta");
        }
    }
    place.target(&place.socket("secret:wr0ng", ""), "");
    place.bench.ends(8, "show").says("secret").hides("wr0ng");
    place.target(&place.socket("somebody", ""), "");
    place.bench.ends(8, "show").says("somebody");
    // In parts, as SQLAlchemy writes them.
    let way = match engine {
        Engine::Postgres => format!("port: {}\nquery: {{host: '{}'}}\n", place.port, place.folder.display()),
        Engine::Sqlite | Engine::Mariadb => format!("query: {{unix_socket: '{}/sock'}}\n", place.folder.display()),
    };
    let parts = format!("drivername: {}\nusername: trusted\ndatabase: {}\n{way}", place.scheme(), place.database);
    place.bench.write("conf.d/test.yaml", &parts);
    place.bench.ok("add v1");
    // No server there.
    place.target(&place.socket("trusted", "").replace(&place.folder.display().to_string(), "/no/such"), "");
    place.bench.ends(8, "show").says("there is no socket /no/such/");
}

fn an_admin_connection_has_options_of_its_own(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, disabled, ca, .. } = place.words;
    let checked = place.url("secret", "localhost", &format!("{full}&{ca}=tls/ca.crt"));
    let plain = place.url("secret", "127.0.0.1", disabled);
    // The password is the same user's; the options are not taken over.
    place.target(&plain, &format!("password: '{PASSWORD}'\nadmin_connection: '{checked}'\n"));
    place.bench.ok("add v1");
    assert!(place.encrypted("seen"));
    place.target(&checked, &format!("password: '{PASSWORD}'\nadmin_connection: '{plain}'\n"));
    place.bench.ends(8, "show").says("127.0.0.1");
}

fn no_command_says_a_key(engine: Engine) {
    let place = Place::new(engine);
    let Words { full, ca, cert, key, .. } = place.words;
    let text = fs::read_to_string(place.bench.dir().join("tls/client.key")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(lines.len() > 1);
    let folder = place.bench.dir().join("tls").display().to_string();
    let options = |one: &str| format!("{full}&{ca}={folder}/ca.crt&{cert}={folder}/{one}&{key}={folder}/client.key");
    never_said(&place.bench, &place.url("certified", "localhost", &options("client.crt")), &lines);
    assert_eq!(place.ask("SELECT add_state FROM triphase_ledger"), "done", "the commands did nothing");
    // A key that is none of the certificate's.
    never_said(&place.bench, &place.url("certified", "localhost", &options("other.crt")), &lines);
    never_said(
        &place.bench,
        &place.secret("127.0.0.2", &options("client.crt")),
        &[&lines[..], &[PASSWORD, IN_URLS]].concat(),
    );
    // A key where the certificate should be.
    never_said(&place.bench, &place.url("certified", "localhost", &options("client.key")), &lines);
}
