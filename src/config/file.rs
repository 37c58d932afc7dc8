//! A target file's keys (rule T1).

mod blot;
#[cfg(test)]
mod tests;
mod values;

use super::{Choice, password, url};
use crate::{
    model::{Finding, Guards, Span},
    release::yaml::{Document, Node, Tree, nearest},
    target::{Connection, Secret, Target},
};
use blot::blot;
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
/// What `connection` says already.
const PARTS: &[&str] = &["drivername", "username", "host", "port", "database", "query"];

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
        let schema = entries.get("schema").and_then(|node| self.schema(node));
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

    /// A schema's name: one that `search_path` takes for the name alone (PostgreSQL manual, section 20.11).
    fn schema(&mut self, node: &Node<'_>) -> Option<String> {
        let name = self.text(node)?;
        if name.is_empty() || name == "$user" {
            self.findings.push(node.refuse("L9", "`schema` names no schema", "write its name, or take the key out"));
            return None;
        }
        Some(name)
    }

    fn admin(&mut self, node: &Node<'_>, main: Option<&Connection>) -> Option<Connection> {
        let mut admin = self.url(node)?;
        let main = main?;
        if admin.scheme != main.scheme {
            let message = format!("`admin_connection` is {} and the connection is {}", admin.scheme, main.scheme);
            self.findings.push(node.refuse("T1", message, "both must lead to the same database"));
        } else if admin.database != main.database {
            match main.scheme.as_str() {
                "sqlite" | "delta" => self.findings.push(node.refuse(
                    "T1",
                    "`admin_connection` leads elsewhere than the connection",
                    "take it out: there is no pooler to go around",
                )),
                // A pooler may know the database by a name of its own.
                _ => tracing::warn!(
                    "`admin_connection` leads to {admin} and the connection to {}: triphase works on {admin} alone",
                    main.database,
                    admin = admin.database
                ),
            }
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
}
