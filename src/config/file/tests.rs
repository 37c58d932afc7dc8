//! What is read from target files, what is refused, and that no finding holds a secret.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;

/// Reads a target file, in a folder that has `pw`, with `PW` in the environment.
fn target(text: &str) -> Result<Target, Vec<Finding>> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/t.yaml"), text).unwrap();
    fs::write(folder.path().join("pw"), "hunter2\n").unwrap();
    let vars = [("PW", "hunter2"), ("PORT", "5433"), ("YES", "true")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    read("t", &Choice { project: folder.path().to_owned(), vars: vars.into(), ..Choice::default() })
}

#[test]
fn every_key_is_read() {
    let t = target(
        "drivername: postgresql+psycopg2\nusername: app\npassword_file: pw\nhost: db\nport: ${PORT}\ndatabase: shop\n\
         query: {sslmode: verify-full}\nschema: shop\nbinary: psql\nbinary_args: ['-h', '{host}']\n\
         admin_connection: postgres://app@direct/shop\nvars: {a: [1, x], b: true}\nlock_timeout: 500ms\nlock_retry_for: 10s\n\
         min_simdrop_age: 7d\nrequire_rollout: ${YES}\nrequire_previous: simdropped\nprotected: true\n",
    )
    .unwrap();
    assert_eq!(t.connection.to_string(), "postgres://app@db:5433/shop");
    assert_eq!(t.connection.password.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(t.runner().to_string(), "postgres://app@direct/shop");
    assert_eq!(t.runner().password.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(serde_json::to_string(&t.vars).unwrap(), r#"{"a":[1,"x"],"b":true}"#);
    assert_eq!((t.lock_timeout.to_string(), t.lock_retry_for.to_string()), ("500ms".to_owned(), "10s".to_owned()));
    assert_eq!(
        serde_json::to_string(&t.guards).unwrap(),
        r#"{"require_previous":"simdropped","min_simdrop_age":"7d","require_rollout":true,"protected":true}"#
    );
    assert!(!format!("{t:?}").contains("hunter2"));
}

#[test]
fn defaults_and_passwords() {
    let t = target("connection: postgres://app@db/shop\npassword: ${PW}\n").unwrap();
    assert_eq!((t.lock_timeout, t.lock_retry_for), (default_span(LOCK_TIMEOUT), default_span(LOCK_RETRY_FOR)));
    assert_eq!(t.connection.password.unwrap().reveal(), "hunter2");
    let t = target("connection: postgres://app:${PW}@db/shop").unwrap();
    assert_eq!(t.connection.password.unwrap().reveal(), "hunter2");
}

#[test]
fn no_finding_holds_a_secret() {
    for text in [
        "pasword: hunter2\nhost: db",
        "password: hunter2\nconnection: postgres://a:hunter2@h/d",
        "connection: delta://a:hunter2@h/d",
        "connection: postgres://a:1/hunter2@h/d",
        "password: {hunter2: 1}\nconnection: hunter2",
        "password: \"hunter2\nconnection: x",
        "  hunter2: [",
        "# hunter2\nprotected: 3\nconnection: sqlite://x",
        "{connection: 'postgres://a:hunter2@h/d', prt: 3}",
        "vars: {x: &hunter2 1}\nport: *hunter3",
        "query: hunter2\ndrivername: sqlite\ndatabase: x",
        "host: hunter2@x\nport: 70000\ndrivername: postgres",
    ] {
        let findings = target(text).unwrap_err();
        assert!(!findings.is_empty(), "{text}");
        assert!(!format!("{findings:?}").contains("hunter2"), "{text}: {findings:?}");
    }
}

/// `tests/malformed/targets/<name>.yaml` is refused with `<name>.txt`. `UPDATE_GOLDEN=1` writes what is said now. What is said names the
/// engines of the default build.
#[cfg(feature = "delta")]
#[test]
fn malformed_targets_are_refused_at_their_place() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed/targets");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    names.sort();
    assert!(names.len() >= 20, "{} malformed targets", names.len());
    for path in names {
        let findings = target(&fs::read_to_string(&path).unwrap()).map(drop).unwrap_err();
        assert!(!format!("{findings:?}").contains("hunter2"), "{}", path.display());
        let said: String = findings.iter().map(line).collect();
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        assert_eq!(fs::read_to_string(&golden).unwrap_or_default(), said, "{}", path.display());
    }
}

#[cfg(feature = "delta")]
fn line(finding: &Finding) -> String {
    let place = finding.place.as_ref().unwrap();
    let (line, column) = (place.line(), place.column());
    let way_out = if finding.way_out.is_empty() { String::new() } else { format!(" — {}", finding.way_out) };
    format!("{}:{line}:{column} {}: {}{way_out}\n", place.file, place.path, finding.message)
}

#[test]
fn blots_keep_every_byte_in_place() {
    let text = "# Größe\nhost: db\npassword: pä→🞄\nport: 1 # x\n";
    assert_eq!(blot(text), "* **¤¤*\nhost: db\npassword: *¤•🞄\nport: * * *\n");
    assert_eq!(blot(text).len(), text.len());
}
