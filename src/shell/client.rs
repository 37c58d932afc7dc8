//! Which client, with which arguments and environment.

use super::mysql;
use crate::{
    model::{Class, Finding},
    target::{Connection, Secret, Target},
};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What is particular to an engine's own client.
struct Row {
    /// Of the connection.
    scheme: &'static str,
    /// The first that is installed is taken, where the target names none.
    binaries: &'static [&'static str],
    /// Its arguments, where the target names none; one whose placeholder stands for nothing is left out.
    args: &'static [&'static str],
    /// The variable it reads its password from.
    password: Option<&'static str>,
    port: Option<u16>,
    /// The Debian package that has it.
    package: &'static str,
}

/// A row an engine. `psql` never asks for a password (`-w`), reads no `~/.psqlrc` (`-X`) and stops at the first error; `sqlite3` waits for
/// other writers; `mariadb` and `mysql` read no `~/.my.cnf` (`--no-defaults`), which could tell them to go on after an error, and the file
/// as their standard input; [`super::mysql`] says how they find their server.
const CLIENTS: &[Row] = &[
    Row {
        scheme: "postgres",
        binaries: &["psql"],
        args: &[
            "-X",
            "-q",
            "-w",
            "--host={host}",
            "--port={port}",
            "--username={username}",
            "--dbname={database}",
            "--file={filename}",
        ],
        password: Some("PGPASSWORD"),
        port: Some(5432),
        package: "postgresql-client",
    },
    Row {
        scheme: "sqlite",
        binaries: &["sqlite3"],
        args: &["-batch", "-bail", "-cmd", ".timeout 10000", "{database}", ".read \"{c_filename}\""],
        password: None,
        port: None,
        package: "sqlite3",
    },
    Row {
        scheme: "mysql",
        binaries: &["mysql", "mariadb"],
        args: &["--no-defaults", "--batch", "--user={username}", "{database}"],
        password: Some("MYSQL_PWD"),
        port: Some(3306),
        package: "default-mysql-client",
    },
    Row {
        scheme: "mariadb",
        binaries: &["mariadb", "mysql"],
        args: &["--no-defaults", "--batch", "--user={username}", "{database}"],
        password: Some("MYSQL_PWD"),
        port: Some(3306),
        package: "mariadb-client",
    },
];

/// What would send a client elsewhere than to the runner's own place (PostgreSQL manual, section 34.15; MariaDB manual, environment variables). Who
/// names a client with `binary` or `binary_args` may mean them.
const PLACES: &[&str] = &[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGSERVICE",
    "PGTARGETSESSIONATTRS",
    "MYSQL_HOST",
    "MYSQL_TCP_PORT",
    "MYSQL_UNIX_PORT",
];

/// A client that is ready to run a file. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Client {
    /// The program's path.
    pub(super) program: PathBuf,
    /// Its arguments, filled in but for `{filename}`.
    args: Vec<String>,
    /// What `mysql` and `mariadb` get besides, whoever wrote the arguments.
    options: Vec<String>,
    /// Statements its session begins with.
    presets: Vec<String>,
    /// Variables of its environment besides this process's.
    pub(super) vars: Vec<(&'static str, Secret)>,
    /// Variables of this process's environment that it does not get.
    pub(super) unset: &'static [&'static str],
    /// The file, relative to the project folder.
    pub(super) file: PathBuf,
    /// The project folder.
    pub(super) project: PathBuf,
    /// What no message may hold.
    pub(super) secrets: Vec<Secret>,
}

impl Client {
    /// All arguments for the file at an absolute path; `false`: none names it, and the client reads it as its standard input.
    pub(super) fn args(&self, file: &Path) -> (Vec<String>, bool) {
        let named = self.args.iter().any(|arg| arg.contains(FILENAME) || arg.contains(C_FILENAME));
        let file = file.to_string_lossy();
        let quoted = file.replace('\\', "\\\\").replace('"', "\\\"");
        let own = self.args.iter().map(|arg| arg.replace(FILENAME, &file).replace(C_FILENAME, &quoted));
        let mut args: Vec<String> = own.collect();
        // These clients take what names their files of options only as their first arguments.
        let files = |arg: &String| arg.starts_with("--defaults") || arg == "--no-defaults";
        let at = if self.is_mysql() { args.iter().take_while(|arg| files(arg)).count() } else { 0 };
        args.splice(at..at, self.first(named));
        (args, named)
    }

    fn is_mysql(&self) -> bool {
        matches!(self.program.file_name().and_then(|name| name.to_str()), Some("mariadb" | "mysql"))
    }

    /// What stands before the target's own arguments: known clients stop at the first error, and begin with the presets.
    fn first(&self, named: bool) -> Vec<String> {
        let each = |flag: &str| self.presets.iter().flat_map(|preset| [flag.to_owned(), preset.clone()]).collect();
        match self.program.file_name().and_then(|name| name.to_str()) {
            Some("psql") => {
                let mut args = vec!["-v".to_owned(), "ON_ERROR_STOP=1".to_owned()];
                args.extend::<Vec<String>>(each("-c"));
                if !named && !self.presets.is_empty() {
                    // With a command before it, psql reads its standard input only where that is asked for.
                    args.extend(["-f".to_owned(), "-".to_owned()]);
                }
                args
            }
            Some("sqlite3") => each("-cmd"),
            Some(_) if self.is_mysql() => {
                let mut args = self.options.clone();
                if !self.presets.is_empty() {
                    args.push(format!("--init-command={}", self.presets.join("; ")));
                }
                args
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The same with one more variable, which the engine knows the session by.
    #[must_use]
    pub fn var(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.vars.push((name, Secret::new(value)));
        self
    }

    /// The same with statements that its session begins with: the settings that handlers rely on (L9, X5). Only clients that are known
    /// (psql, sqlite3, mariadb, mysql) have a way to be told.
    #[must_use]
    pub fn presets(mut self, statements: Vec<String>) -> Self {
        self.presets = statements;
        self
    }
}

const FILENAME: &str = "{filename}";
/// The same inside the double quotes of sqlite3's own commands, where a backslash escapes.
const C_FILENAME: &str = "{c_filename}";

/// Makes a target's client ready for a file, which is relative to the project folder.
///
/// # Errors
/// Where the engine has no client, it is not installed, or an argument names what the target does not have.
pub fn client(target: &Target, file: &Path) -> Result<Client, Finding> {
    let connection = &at(target);
    let refuse = |message: String, way_out: String| Finding::new(Class::Usage, "F4", message).way_out(way_out);
    let row = CLIENTS.iter().find(|row| row.scheme == connection.scheme).ok_or_else(|| {
        refuse(
            format!("`shell: {}`: {} has no client that runs files", file.display(), connection.scheme),
            "write it as `sql` or `sql_file`".to_owned(),
        )
    })?;
    let program = match &target.binary {
        Some(binary) => found(binary, &target.project).ok_or_else(|| {
            refuse(
                format!("`shell: {}`: the target's `binary: {binary}` is no program that can be run", file.display()),
                "install it, or write its path".to_owned(),
            )
        })?,
        None => row.binaries.iter().find_map(|binary| found(binary, &target.project)).ok_or_else(|| {
            refuse(
                format!(
                    "`shell: {}` is run by `{}`, which is not installed",
                    file.display(),
                    row.binaries.join("` or `")
                ),
                format!("install it (Debian: {}), or name another with `binary` in the target file", row.package),
            )
        })?,
    };
    let mut args = Vec::new();
    let own_args = target.binary.is_some() || !target.binary_args.is_empty();
    if !own_args {
        if is_mysql(connection) {
            // Behind what names files of options.
            args.push(row.args[0].to_owned());
            args.extend(mysql::place(connection, row.port));
        }
        let row_args = if args.is_empty() { row.args } else { &row.args[1..] };
        args.extend(row_args.iter().filter_map(|arg| filled(arg, connection, row).ok()));
    } else {
        for arg in &target.binary_args {
            args.push(filled(arg, connection, row).map_err(|name| {
                refuse(
                    format!("`binary_args` names `{name}`, and the target's connection has none"),
                    "say it in the connection, or take it out of the argument".to_owned(),
                )
            })?);
        }
    }
    let mut vars = Vec::new();
    let mut secrets = Vec::new();
    if let Some(password) = &connection.password {
        vars.extend(row.password.map(|name| (name, password.clone())));
        secrets.push(password.clone());
    }
    if row.scheme == "postgres" {
        vars.extend(libpq(connection));
    }
    let options = if is_mysql(connection) { mysql::options(connection, &program) } else { Vec::new() };
    Ok(Client {
        program,
        args,
        options,
        presets: Vec::new(),
        vars,
        unset: if own_args { &[] } else { PLACES },
        file: file.to_owned(),
        project: target.project.clone(),
        secrets,
    })
}

/// Makes `pg_dump` ready to print a PostgreSQL target's schema, all but triphase's own tables.
///
/// # Errors
/// Where it is not installed.
pub fn dump(target: &Target) -> Result<Client, Finding> {
    let connection = target.runner();
    let program = found("pg_dump", &target.project).ok_or_else(|| {
        Finding::new(
            Class::Usage,
            "",
            "the schema of a PostgreSQL database is read by `pg_dump`, which is not installed",
        )
        .way_out("install it (Debian: postgresql-client), of the server's version or a newer one")
    })?;
    let mut args: Vec<String> = ["--host={host}", "--port={port}", "--username={username}", "--dbname={database}"]
        .iter()
        .filter_map(|arg| filled(arg, connection, &CLIENTS[0]).ok())
        .collect();
    args.push(format!("--lock-wait-timeout={}", target.lock_timeout.length().as_millis()));
    let own = ["--schema-only", "--no-owner", "--no-privileges", "--no-password", "--exclude-table=*.triphase_*"];
    args.extend(own.iter().map(|arg| (*arg).to_owned()));
    let mut secrets = Vec::new();
    let mut vars = libpq(connection);
    if let Some(password) = &connection.password {
        vars.push(("PGPASSWORD", password.clone()));
        secrets.push(password.clone());
    }
    Ok(Client {
        program,
        args,
        options: Vec::new(),
        presets: Vec::new(),
        vars,
        unset: PLACES,
        file: PathBuf::new(),
        project: target.project.clone(),
        secrets,
    })
}

/// Where the client goes. MySQL's `schema` is a database.
fn at(target: &Target) -> Connection {
    let mut connection = target.runner().clone();
    if let (true, Some(schema)) = (is_mysql(&connection), &target.schema) {
        connection.database.clone_from(schema);
    }
    connection
}

fn is_mysql(connection: &Connection) -> bool {
    matches!(connection.scheme.as_str(), "mysql" | "mariadb")
}

/// The placeholders, each by what the connection says.
fn filled(arg: &str, connection: &Connection, row: &Row) -> Result<String, &'static str> {
    let socket = connection.query.contains_key("socket");
    let values = [
        // No client takes the brackets that a URL has around an IPv6 address.
        ("{host}", connection.host.as_ref().map(|host| host.trim_matches(['[', ']']).to_owned())),
        ("{port}", connection.port.or(row.port).filter(|_| !socket).map(|port| port.to_string())),
        ("{username}", connection.username.clone()),
        ("{database}", Some(connection.database.clone()).filter(|name| !name.is_empty())),
    ];
    let mut text = arg.to_owned();
    for (name, value) in values {
        if text.contains(name) {
            text = text.replace(name, &value.ok_or(name)?);
        }
    }
    Ok(text)
}

/// What a connection's options are called in libpq's environment (PostgreSQL manual, section 34.15).
fn libpq(connection: &Connection) -> Vec<(&'static str, Secret)> {
    let names =
        [("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY")];
    names
        .iter()
        .filter_map(|(option, name)| connection.query.get(*option).map(|value| (*name, value.clone())))
        .collect()
}

/// A program by its name in `PATH`, or by its path, relative to the project folder.
fn found(binary: &str, project: &Path) -> Option<PathBuf> {
    let runs = |path: &Path| fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if binary.contains('/') {
        return Some(project.join(binary)).filter(|path| runs(path));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(binary)).find(|path| runs(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn connection() -> Connection {
        Connection {
            scheme: "postgres".into(),
            username: Some("me".into()),
            host: Some("db".into()),
            database: "shop".into(),
            ..Connection::default()
        }
    }

    #[test]
    fn placeholders_stand_inside_arguments() {
        let args = ["--host={host}", "{port}", "{database}:{username}", "plain"];
        let filled: Vec<_> = args.iter().map(|arg| filled(arg, &connection(), &CLIENTS[0]).unwrap()).collect();
        assert_eq!(filled, ["--host=db", "5432", "shop:me", "plain"]);
        let nobody = Connection { username: None, ..connection() };
        assert_eq!(super::filled("-U{username}", &nobody, &CLIENTS[0]), Err("{username}"));
    }

    #[test]
    fn known_clients_begin_with_the_presets() {
        let client = |program: &str, args: &[&str]| Client {
            program: program.into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            options: vec!["--skip-reconnect".into()],
            presets: vec!["SET a".into(), "SET b".into()],
            vars: vec![],
            unset: &[],
            file: PathBuf::new(),
            project: PathBuf::new(),
            secrets: vec![],
        };
        let args = |program, args: &[&str]| client(program, args).args(Path::new("/x\"y")).0.join("|");
        let psql = "-v|ON_ERROR_STOP=1|-c|SET a|-c|SET b";
        assert_eq!(args("/bin/psql", &["-f{filename}"]), format!("{psql}|-f/x\"y"));
        assert_eq!(args("/bin/psql", &["shop"]), format!("{psql}|-f|-|shop"));
        assert_eq!(args("sqlite3", &[".read \"{c_filename}\""]), "-cmd|SET a|-cmd|SET b|.read \"/x\\\"y\"");
        let mysql = "--skip-reconnect|--init-command=SET a; SET b";
        assert_eq!(args("mariadb", &["shop"]), format!("{mysql}|shop"));
        let files = "--defaults-extra-file=my.cnf|--defaults-group-suffix=x";
        let own: Vec<&str> = files.split('|').chain(["shop"]).collect();
        assert_eq!(args("/bin/mysql", &own), format!("{files}|{mysql}|shop"));
        assert_eq!(args("pgcli", &["shop"]), "shop");
    }

    #[test]
    fn programs_are_found_and_must_run() {
        assert!(found("sh", Path::new("/")).is_some() && found("bin/sh", Path::new("/")).is_some());
        assert!(found("no-such-program", Path::new("/")).is_none() && found("etc/passwd", Path::new("/")).is_none());
    }
}
