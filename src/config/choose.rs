//! Which target (rule T2).

use super::{Choice, file, refuse, url};
use crate::{
    model::{Finding, Guards},
    target::{Connection, Target},
};
use indexmap::IndexMap;
use std::{fs, io};

const ENV: &str = "TRIPHASE_ENV";
const URL: &str = "DATABASE_URL";

/// Finds and reads the target.
pub(super) fn target(choice: &Choice) -> Result<Target, Vec<Finding>> {
    let var = |name: &str| choice.vars.get(name).filter(|value| !value.is_empty());
    if let Some(conn) = &choice.conn {
        return by_url("--conn", conn, choice);
    }
    // With a URL the ledger alone may do: a rollback needs no files (rule L2).
    if let Some(finding) = crate::load::no_folder(&choice.project) {
        return Err(vec![finding]);
    }
    let (known, near) = environments(choice).map_err(|finding| vec![finding])?;
    if let Some((from, env)) = choice.env.as_ref().map(|env| ("-e", env)).or_else(|| var(ENV).map(|env| (ENV, env))) {
        if !known.contains(env) {
            return Err(vec![no_such(from, env, &known, &near)]);
        }
        return file::read(env, choice);
    }
    match (known.as_slice(), var(URL)) {
        ([env], url) => {
            let target = file::read(env, choice)?;
            match url {
                Some(url) => agree(target, url, choice),
                None => Ok(target),
            }
        }
        ([], Some(url)) => by_url(URL, url, choice),
        ([], None) => Err(vec![none(&near)]),
        ([..], _) => {
            let message = format!("conf.d has several targets: {}", known.join(", "));
            Err(vec![refuse("T2", message, format!("choose one with -e, or set {ENV}"))])
        }
    }
}

/// The names of conf.d's target files, sorted, and files that look like one and are none.
fn environments(choice: &Choice) -> Result<(Vec<String>, Vec<String>), Finding> {
    let (mut known, mut near) = (vec![], vec![]);
    let entries = match fs::read_dir(choice.project.join("conf.d")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((known, near)),
        Err(error) => return Err(refuse("T2", format!("cannot list conf.d: {error}"), "")),
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match name.strip_suffix(".yaml") {
            _ if name.starts_with('.') || entry.path().is_dir() => {}
            Some(env) => known.push(env.to_owned()),
            None if name.ends_with(".yml") => near.push(name),
            None => {}
        }
    }
    known.sort();
    near.sort();
    Ok((known, near))
}

fn by_url(from: &str, text: &str, choice: &Choice) -> Result<Target, Vec<Finding>> {
    let connection = url::parse(text, &choice.project)
        .map_err(|(message, way_out)| vec![refuse("T2", format!("{from}: {message}"), way_out)])?;
    Ok(Target {
        env: None,
        connection,
        admin_connection: None,
        schema: None,
        guards: Guards::default(),
        lock_timeout: file::default_span(file::LOCK_TIMEOUT),
        lock_retry_for: file::default_span(file::LOCK_RETRY_FOR),
        binary: None,
        binary_args: vec![],
        vars: IndexMap::new(),
        storage_options: IndexMap::new(),
        writers: None,
        rewriters: IndexMap::new(),
        project: choice.project.clone(),
    })
}

/// The only file was taken: a `DATABASE_URL` beside it must mean the same place, or one of them is not what the person thinks.
fn agree(target: Target, text: &str, choice: &Choice) -> Result<Target, Vec<Finding>> {
    let other = url::parse(text, &choice.project);
    if other.as_ref().is_ok_and(|other| place(other) == place(&target.connection)) {
        return Ok(target);
    }
    let env = target.name();
    let shown = other.map_or_else(|_| "what triphase can't read".to_owned(), |other| shown(&other));
    let message = format!("conf.d/{env}.yaml names {}, and {URL} names {shown}", self::shown(&target.connection));
    Err(vec![refuse("T2", message, format!("say which: -e {env}, or --conn \"${URL}\""))])
}

/// What tells two databases apart.
fn place(connection: &Connection) -> (&str, &str, u16, &str) {
    let socket = connection.query.get("socket").map(|path| path.reveal());
    let host = socket.or(connection.host.as_deref()).unwrap_or("localhost");
    // One engine goes by two names.
    let (scheme, port) = match connection.scheme.as_str() {
        "mysql" | "mariadb" => ("mysql", 3306),
        other => (other, 5432),
    };
    (scheme, host, connection.port.unwrap_or(port), &connection.database)
}

fn shown(connection: &Connection) -> String {
    connection.to_string()
}

fn no_such(from: &str, env: &str, known: &[String], near: &[String]) -> Finding {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let message = format!("{from}: there is no target `{env}` (no conf.d/{env}.yaml)");
    let yml = format!("{env}.yml");
    let way_out = if near.contains(&yml) {
        format!("rename conf.d/{yml} to {env}.yaml")
    } else if names.is_empty() {
        format!("conf.d has none: write conf.d/{env}.yaml, or use --conn or {URL}")
    } else {
        let nearest =
            crate::release::yaml::nearest(env, &names).map_or_else(String::new, |name| format!("write `{name}`? "));
        format!("{nearest}conf.d has {}; --conn and {URL} need no file", names.join(", "))
    };
    refuse("T2", message, way_out)
}

fn none(near: &[String]) -> Finding {
    let also = near.first().map_or_else(String::new, |name| format!("rename conf.d/{name} to end in .yaml, or "));
    refuse(
        "T2",
        "there is no target: conf.d holds no .yaml file",
        format!("{also}write conf.d/dev.yaml with `connection: sqlite://dev.db`, or use --conn URL, or set {URL}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The chosen target, or what refuses.
    fn choose(
        files: &[(&str, &str)],
        conn: Option<&str>,
        env: Option<&str>,
        vars: &[(&str, &str)],
    ) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join("conf.d").join(name), text).unwrap();
        }
        let choice = Choice {
            project: folder.path().to_owned(),
            conn: conn.map(str::to_owned),
            env: env.map(str::to_owned),
            vars: vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        let relative = |text: String| text.replace(folder.path().to_str().unwrap(), ".");
        target(&choice).map(|t| relative(format!("{:?} {}", t.env, t.connection))).map_err(|findings| {
            assert!(!format!("{findings:?}").contains("hunter2"));
            relative(findings.iter().map(|f| format!("{} — {}", f.message, f.way_out)).collect::<Vec<_>>().join("\n"))
        })
    }

    const ENGINES: &str = if cfg!(feature = "delta") {
        "sqlite, postgres, mysql, mariadb, delta"
    } else {
        "sqlite, postgres, mysql, mariadb"
    };
    const DEV: (&str, &str) = ("dev.yaml", "connection: sqlite://dev.db");
    const PROD: (&str, &str) = ("prod.yaml", "connection: postgres://app:hunter2@db/shop");

    #[test]
    fn the_order_is_conn_e_environment_only_file_url() {
        let vars = [("TRIPHASE_ENV", "prod"), ("DATABASE_URL", "sqlite://other.db")];
        assert_eq!(choose(&[DEV, PROD], Some("sqlite://x.db"), Some("dev"), &vars).unwrap(), "None sqlite://./x.db");
        assert_eq!(choose(&[DEV, PROD], None, Some("dev"), &vars).unwrap(), "Some(\"dev\") sqlite://./dev.db");
        assert_eq!(choose(&[DEV, PROD], None, None, &vars).unwrap(), "Some(\"prod\") postgres://app@db/shop");
        assert_eq!(choose(&[DEV, ("x.yaml.example", "")], None, None, &[]).unwrap(), "Some(\"dev\") sqlite://./dev.db");
        assert_eq!(choose(&[], None, None, &vars[1..]).unwrap(), "None sqlite://./other.db");
    }

    #[test]
    fn the_only_file_and_another_url_are_refused() {
        assert_eq!(
            choose(&[PROD], None, None, &[("DATABASE_URL", "postgres://me:hunter2@other:5433/shop")]).unwrap_err(),
            "conf.d/prod.yaml names postgres://app@db/shop, and DATABASE_URL names postgres://me@other:5433/shop \
             — say which: -e prod, or --conn \"$DATABASE_URL\""
        );
        assert!(choose(&[PROD], None, None, &[("DATABASE_URL", "mongo://hunter2")]).is_err());
        assert!(choose(&[PROD], None, None, &[("DATABASE_URL", "postgresql://me:hunter2@db:5432/shop")]).is_ok());
        assert!(choose(&[PROD], None, Some("prod"), &[("DATABASE_URL", "sqlite://x")]).is_ok());
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        assert_eq!(
            choose(&[DEV, PROD], None, Some("prdo"), &[]).unwrap_err(),
            "-e: there is no target `prdo` (no conf.d/prdo.yaml) — write `prod`? conf.d has dev, prod; --conn and DATABASE_URL need no file"
        );
        assert_eq!(
            choose(&[DEV, PROD], None, None, &[]).unwrap_err(),
            "conf.d has several targets: dev, prod — choose one with -e, or set TRIPHASE_ENV"
        );
        assert_eq!(
            choose(&[("dev.yml", "")], None, None, &[]).unwrap_err(),
            "there is no target: conf.d holds no .yaml file — rename conf.d/dev.yml to end in .yaml, or write conf.d/dev.yaml with \
             `connection: sqlite://dev.db`, or use --conn URL, or set DATABASE_URL"
        );
        assert!(choose(&[DEV], None, Some("../conf.d/dev"), &[]).is_err());
        assert_eq!(
            choose(&[], Some("s3://u:hunter2@h/d"), None, &[]).unwrap_err(),
            "--conn: this build of triphase has no object store for `s3` — build it with: cargo install triphase --features s3"
        );
        assert_eq!(
            choose(&[], Some("mongodb://u:hunter2@h/d"), None, &[]).unwrap_err(),
            format!("--conn: unknown scheme `mongodb` — this version's engines are {ENGINES}")
        );
    }
}
