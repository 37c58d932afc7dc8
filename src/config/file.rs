//! A target file's keys (rule T1).

use super::{
    Choice, password,
    url::{self, Wrong},
    vars,
};
use crate::{
    model::{Finding, Guards, Reach, Span},
    release::yaml::{Document, Node, Tree, nearest},
    target::{Connection, Secret, Target},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// How long one statement may queue behind traffic, unless the file says otherwise (rule X5).
pub(super) const LOCK_TIMEOUT: &str = "2s";
/// How long such a statement is retried (rule X5).
pub(super) const LOCK_RETRY_FOR: &str = "60s";

/// A default as a duration.
#[expect(clippy::expect_used, reason = "the two defaults above are durations, as a test of this module shows")]
pub(super) fn default_span(text: &str) -> Span {
    Span::parse(text).expect("a default is a duration")
}

const KEYS: &[&str] = &[
    "connection",
    "drivername",
    "username",
    "password",
    "password_file",
    "host",
    "port",
    "database",
    "query",
    "schema",
    "binary",
    "binary_args",
    "admin_connection",
    "vars",
    "lock_timeout",
    "lock_retry_for",
    "min_simdrop_age",
    "require_rollout",
    "require_previous",
    "protected",
    "storage_options",
    "writers",
    "engine",
];
/// What only a lake's target has.
const OF_LAKES: &[&str] = &["storage_options", "writers", "engine"];
/// Who may write a lake beside triphase (rule D1).
const WRITERS: &[&str] = &["spark", "delta-rs"];
/// What can rewrite a lake's tables.
const REWRITERS: &[&str] = &["spark"];
/// What `connection` says already.
const PARTS: &[&str] = &["drivername", "username", "host", "port", "database", "query"];
/// Keys whose plain values are no secret, and may be shown where they are wrong.
const HARMLESS: &[&str] = &[
    "drivername",
    "host",
    "port",
    "database",
    "schema",
    "binary",
    "lock_timeout",
    "lock_retry_for",
    "min_simdrop_age",
    "require_rollout",
    "require_previous",
    "protected",
    "writers",
];

/// Reads `conf.d/<env>.yaml`.
pub(super) fn read(env: &str, choice: &Choice) -> Result<Target, Vec<Finding>> {
    let name = format!("conf.d/{env}.yaml");
    let text = super::text(&choice.project.join(&name));
    let text: Arc<str> =
        text.map_err(|why| vec![super::refuse("T1", format!("{name} can't be read: {why}"), "")])?.into();
    let shown: Arc<str> = blot(&text).into();
    let document = Document::read_shown(&name, &text, &shown).map_err(|finding| vec![*finding])?;
    let mut reader = Reader { choice, findings: vec![] };
    let target = reader.target(env, &document.top());
    reader.findings.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.span.start));
    match target {
        Some(target) if reader.findings.is_empty() => Ok(target),
        Some(_) | None => Err(reader.findings),
    }
}

/// The text with everything blotted out but keys, plain values of harmless keys, and blanks; each character by one of the same length.
fn blot(text: &str) -> String {
    text.split_inclusive('\n').map(blot_line).collect()
}

fn blot_line(line: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if let Some((key, value)) = line.split_once(':')
        && KEYS.iter().any(|known| nearest(key, &[known]).is_some())
    {
        let shows = HARMLESS.contains(&key) && value.trim().chars().all(plain);
        return format!("{key}:{}", if shows { value.to_owned() } else { blots(value) });
    }
    blots(line)
}

fn blots(text: &str) -> String {
    let blot = |c: char| match c.len_utf8() {
        _ if c.is_whitespace() => c,
        1 => '*',
        2 => '¤',
        3 => '•',
        _ => '🞄',
    };
    text.chars().map(blot).collect()
}

struct Reader<'c> {
    choice: &'c Choice,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn target(&mut self, env: &str, top: &Node<'_>) -> Option<Target> {
        if !matches!(top.tree(), Tree::Map(_)) {
            self.findings.push(top.refuse(
                "T1",
                format!("a target file must be a map, not {}", top.kind()),
                "write for example `connection: sqlite://dev.db`",
            ));
            return None;
        }
        let entries: IndexMap<&str, Node<'_>> = top.entries(&mut self.findings).into_iter().collect();
        for (key, node) in entries.iter().filter(|(key, _)| !KEYS.contains(key)) {
            self.findings.push(node.unknown(key, "a target file", KEYS));
        }
        let connection = self.connection(top, &entries);
        let admin_connection = entries.get("admin_connection").and_then(|node| self.admin(node, connection.as_ref()));
        let guards = Guards {
            require_previous: entries.get("require_previous").and_then(|node| self.reach(node)),
            min_simdrop_age: entries.get("min_simdrop_age").and_then(|node| self.span(node)),
            require_rollout: entries.get("require_rollout").and_then(|node| self.bool(node)),
            protected: entries.get("protected").and_then(|node| self.bool(node)),
        };
        let lock_timeout = entries.get("lock_timeout").and_then(|node| self.span(node));
        let lock_retry_for = entries.get("lock_retry_for").and_then(|node| self.span(node));
        let schema = entries.get("schema").and_then(|node| self.text(node));
        let binary = entries.get("binary").and_then(|node| self.text(node));
        let binary_args = entries.get("binary_args").map_or_else(Vec::new, |node| self.binary_args(node));
        let vars = entries.get("vars").map_or_else(IndexMap::new, |node| self.vars(node));
        let storage_options = entries.get("storage_options").map_or_else(IndexMap::new, |node| self.secrets(node));
        let writers = entries.get("writers").map(|node| self.writers(node));
        let rewriters = entries.get("engine").map_or_else(IndexMap::new, |node| self.rewriters(node));
        if let Some(connection) = connection.as_ref().filter(|connection| connection.scheme != "delta") {
            for node in OF_LAKES.iter().filter_map(|key| entries.get(key)) {
                let message =
                    format!("`{}` is a lake's setting, and this target is {}", node.path(), connection.scheme);
                self.findings.push(node.refuse_key("T1", message, "take it away"));
            }
        }
        Some(Target {
            env: Some(env.to_owned()),
            connection: connection?,
            admin_connection,
            schema,
            guards,
            lock_timeout: lock_timeout.unwrap_or_else(|| default_span(LOCK_TIMEOUT)),
            lock_retry_for: lock_retry_for.unwrap_or_else(|| default_span(LOCK_RETRY_FOR)),
            binary,
            binary_args,
            vars,
            storage_options,
            writers,
            rewriters,
            project: self.choice.project.clone(),
        })
    }

    fn connection(&mut self, top: &Node<'_>, entries: &IndexMap<&str, Node<'_>>) -> Option<Connection> {
        let found = match (entries.get("connection"), entries.get("drivername")) {
            (Some(node), _) => {
                for key in PARTS {
                    if let Some(part) = entries.get(key) {
                        let message = format!("`{key}` stands beside `connection`, whose URL says it");
                        self.findings.push(part.refuse_key("T1", message, "keep one of them"));
                    }
                }
                self.url(node)
            }
            (None, Some(driver)) => self.parts(driver, entries),
            (None, None) => {
                if !entries.keys().any(|key| nearest(key, &["connection", "drivername"]).is_some()) {
                    let way_out = "add `connection: sqlite://dev.db`, or `drivername`, `host` and so on";
                    self.findings.push(top.refuse("T1", "the target file says no `connection`", way_out));
                }
                None
            }
        };
        let password = self.password(entries);
        let mut connection = found?;
        if let Some((password, node)) = password {
            if connection.password.is_some() {
                self.findings.push(node.refuse_key(
                    "T1",
                    "the URL of `connection` has a password already",
                    "keep one of them",
                ));
            }
            connection.password = Some(password);
        }
        Some(connection)
    }

    fn url(&mut self, node: &Node<'_>) -> Option<Connection> {
        let text = self.text(node)?;
        let parsed = url::parse(&text, &self.choice.project);
        self.or_refuse(node, parsed)
    }

    fn or_refuse<T>(&mut self, node: &Node<'_>, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|(message, way_out)| self.findings.push(node.refuse("T1", message, way_out))).ok()
    }

    /// The parts by their own keys, with SQLAlchemy's names.
    fn parts(&mut self, driver: &Node<'_>, entries: &IndexMap<&str, Node<'_>>) -> Option<Connection> {
        let name = self.text(driver);
        let scheme = name.and_then(|name| self.or_refuse(driver, url::scheme(&name)));
        let username = entries.get("username").and_then(|node| self.text(node));
        let host = entries.get("host").and_then(|node| self.text(node));
        let port = entries.get("port").and_then(|node| self.port(node));
        let query = entries.get("query").map_or_else(IndexMap::new, |node| self.query(node));
        let named = entries.get("database").and_then(|node| Some((node, self.text(node)?)));
        let scheme = scheme?;
        let database = match (scheme, named) {
            ("delta", named) => {
                let (node, path) = named.map_or((driver, String::new()), |(node, path)| (node, path));
                self.or_refuse(node, url::lake(&path, &self.choice.project))?
            }
            ("sqlite", named) => {
                let (node, path) = named.map_or((driver, String::new()), |(node, path)| (node, path));
                self.or_refuse(node, url::file(&path, &self.choice.project))?
            }
            (_, named) => named.map_or_else(String::new, |(_, name)| name),
        };
        let mut connection =
            Connection { scheme: scheme.to_owned(), username, password: None, host, port, database, query };
        let checked = url::options(&mut connection, &self.choice.project);
        self.or_refuse(entries.get("query").unwrap_or(driver), checked)?;
        Some(connection)
    }

    fn admin(&mut self, node: &Node<'_>, main: Option<&Connection>) -> Option<Connection> {
        let mut admin = self.url(node)?;
        let main = main?;
        if admin.scheme != main.scheme {
            let message = format!("`admin_connection` is {} and the connection is {}", admin.scheme, main.scheme);
            self.findings.push(node.refuse("T1", message, "both must lead to the same database"));
        }
        // The same user by another way has the same password, which may come from a file.
        if admin.password.is_none() && (admin.username.is_none() || admin.username == main.username) {
            admin.username.clone_from(&main.username);
            admin.password.clone_from(&main.password);
        }
        Some(admin)
    }

    fn password<'n, 't>(&mut self, entries: &'n IndexMap<&str, Node<'t>>) -> Option<(Secret, &'n Node<'t>)> {
        match (entries.get("password"), entries.get("password_file")) {
            (Some(_), Some(file)) => {
                self.findings.push(file.refuse_key(
                    "T1",
                    "both `password` and `password_file` are given",
                    "keep one of them",
                ));
                None
            }
            (Some(node), None) => self.text(node).filter(|text| !text.is_empty()).map(|text| (Secret::new(text), node)),
            (None, Some(node)) => {
                let path = self.text(node)?;
                let read = password::read(&path, &self.choice.project);
                Some((self.or_refuse(node, read)?, node))
            }
            (None, None) => None,
        }
    }

    /// A text with its variables filled in.
    fn text(&mut self, node: &Node<'_>) -> Option<String> {
        let Some(text) = node.text() else {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "text"));
            return None;
        };
        let filled = vars::fill(text, &self.choice.vars);
        self.or_refuse(node, filled)
    }

    fn port(&mut self, node: &Node<'_>) -> Option<u16> {
        let text = match node.tree() {
            Tree::Number(text) => text.clone(),
            Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => self.text(node)?,
        };
        let port = text.parse::<u16>().ok().filter(|port| *port > 0);
        if port.is_none() {
            self.findings.push(node.refuse("T1", "`port` is no TCP port", "write a number from 1 to 65535"));
        }
        port
    }

    /// Whom the list names; each by its known name.
    fn writers(&mut self, node: &Node<'_>) -> Vec<String> {
        if !matches!(node.tree(), Tree::List(_)) {
            self.findings.push(node.wrong("`writers`", "a list"));
        }
        let mut writers = vec![];
        for item in node.items() {
            match self.text(&item) {
                Some(name) if WRITERS.contains(&name.as_str()) => writers.push(name),
                Some(_) => {
                    let way_out = format!("write one of {}", WRITERS.join(", "));
                    self.findings.push(item.refuse("D1", "`writers` names one that is not known", way_out));
                }
                None => {}
            }
        }
        writers
    }

    fn rewriters(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        let named = self.secrets(node);
        for (key, entry) in node.entries(&mut vec![]) {
            if !REWRITERS.contains(&key) {
                self.findings.push(entry.unknown(key, "`engine`", REWRITERS));
            }
        }
        named
    }

    fn query(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        self.secrets(node)
    }

    /// A map of texts, any of which may be a secret.
    fn secrets(&mut self, node: &Node<'_>) -> IndexMap<String, Secret> {
        if !matches!(node.tree(), Tree::Map(_)) {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "a map"));
        }
        let mut query = IndexMap::new();
        for (key, node) in node.entries(&mut self.findings) {
            if let Some(text) = self.text(&node) {
                query.insert(key.to_owned(), Secret::new(text));
            }
        }
        query
    }

    fn binary_args(&mut self, node: &Node<'_>) -> Vec<String> {
        if !matches!(node.tree(), Tree::List(_)) {
            self.findings.push(node.wrong("`binary_args`", "a list"));
        }
        let mut args = vec![];
        for item in node.items() {
            match self.text(&item) {
                Some(arg) if arg.contains("{password}") => self.findings.push(item.refuse(
                    "F4",
                    "`{password}` in an argument would be shown to everyone on the host",
                    "take it away: the client gets the password by its environment",
                )),
                Some(arg) => args.push(arg),
                None => {}
            }
        }
        args
    }

    fn vars(&mut self, node: &Node<'_>) -> IndexMap<String, serde_json::Value> {
        if !matches!(node.tree(), Tree::Map(_)) {
            self.findings.push(node.wrong("`vars`", "a map"));
        }
        let entries = node.entries(&mut self.findings);
        for (_, node) in entries.iter().filter(|(key, _)| vars::secret(key)) {
            self.findings.push(node.refuse_key(
                "F7",
                "a variable of templates holds no secret: what is filled in is stored in the ledger, and shown",
                "take it out; a role's password is set outside of migrations",
            ));
        }
        entries.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.value(&node)?))).collect()
    }

    fn value(&mut self, node: &Node<'_>) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match node.tree() {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            Tree::Text(_) => Value::String(self.text(node)?),
            Tree::List(_) => Value::Array(node.items().filter_map(|item| self.value(&item)).collect()),
            Tree::Map(_) => {
                let entries = node.entries(&mut self.findings);
                Value::Object(
                    entries.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.value(&node)?))).collect(),
                )
            }
        })
    }

    fn span(&mut self, node: &Node<'_>) -> Option<Span> {
        if let Tree::Number(_) = node.tree() {
            let message = format!("`{}` is a number without unit", node.path());
            self.findings.push(node.refuse("T1", message, "write 500ms, 2s, 15m, 1h or 30d"));
            return None;
        }
        let text = self.text(node)?;
        let span = Span::parse(&text).map_err(|message| (message, String::new()));
        self.or_refuse(node, span)
    }

    fn bool(&mut self, node: &Node<'_>) -> Option<bool> {
        let text = match node.tree() {
            Tree::Bool(value) => return Some(*value),
            // A variable can only give text.
            Tree::Text(text) if text.contains("${") => self.text(node)?,
            Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => String::new(),
        };
        let value = text.parse().ok();
        if value.is_none() {
            self.findings.push(node.wrong(&format!("`{}`", node.path()), "true or false"));
        }
        value
    }

    fn reach(&mut self, node: &Node<'_>) -> Option<Reach> {
        let text = self.text(node)?;
        let reach = Reach::parse(&text);
        if reach.is_none() {
            let names: Vec<_> = Reach::ALL.iter().map(|reach| reach.name()).collect();
            let way_out = match nearest(&text, &names) {
                Some(name) => format!("write `{name}`"),
                None => format!("write one of {}", names.join(", ")),
            };
            self.findings.push(node.refuse("T1", "`require_previous` is no phase that was passed", way_out));
        }
        reach
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    /// Reads a target file, in a folder that has `pw`, with `PW` in the environment.
    pub(super) fn target(text: &str) -> Result<Target, Vec<Finding>> {
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

    // What is said names the engines of the default build.
    #[cfg(feature = "delta")]
    /// `tests/malformed/targets/<name>.yaml` is refused with `<name>.txt`. `UPDATE_GOLDEN=1` writes what is said now.
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
}
