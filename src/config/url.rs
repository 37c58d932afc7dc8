//! A connection URL in its parts (rules T1, T3). No message repeats any of it but the scheme and an option's name.

use super::tls;
use crate::{
    engine::Values,
    release::yaml::nearest,
    target::{Connection, Secret},
};
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use std::path::Path;

/// What is wrong with a connection, and the way out.
pub(super) type Wrong = (String, String);

/// A host where a URL names none.
const STAND_IN: &str = "none";
/// Names of engines that are known and not in this binary.
const ABSENT: &[&str] = &["delta"];
/// Object stores, with the feature that brings each.
const STORES: &[(&str, &str)] = &[
    ("s3", "s3"),
    ("s3a", "s3"),
    ("az", "azure"),
    ("adl", "azure"),
    ("abfs", "azure"),
    ("abfss", "azure"),
    ("gs", "gcs"),
];

/// The engine's usual scheme for one of its names; a `+driver` is dropped.
pub(super) fn scheme(name: &str) -> Result<&'static str, Wrong> {
    let lower = name.to_ascii_lowercase();
    let bare = lower.split_once('+').map_or(lower.as_str(), |(scheme, _)| scheme);
    let known: Vec<&str> = crate::engine::DRIVERS.iter().filter_map(|d| d.schemes().first().copied()).collect();
    let way_out = format!("this version's engines are {}", known.join(", "));
    if let Some(driver) = crate::engine::driver(bare) {
        return driver.schemes().first().copied().ok_or_else(|| (format!("`{bare}` has no scheme"), way_out));
    }
    if ABSENT.contains(&bare) {
        return Err((format!("this version of triphase has no engine for `{bare}`"), way_out));
    }
    if let Some((_, feature)) = STORES.iter().find(|(store, _)| *store == bare) {
        let message = format!("this build of triphase has no object store for `{bare}`");
        return Err((message, format!("build it with: cargo install triphase --features {feature}")));
    }
    let word = bare.len() <= 20 && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let named = if word { format!("unknown scheme `{bare}`") } else { "unknown scheme".to_owned() };
    let near = nearest(bare, &known).map_or_else(String::new, |name| format!("write `{name}`? "));
    Err((named, format!("{near}{way_out}")))
}

/// Reads a URL. A relative SQLite path is relative to `project`.
pub(super) fn parse(text: &str, project: &Path) -> Result<Connection, Wrong> {
    let Some((name, rest)) = text.split_once(':') else {
        return Err((
            "a connection must be a URL".to_owned(),
            "write for example sqlite://dev.db or postgres://user@host/database".to_owned(),
        ));
    };
    // Where no `//` follows, what stands there may be a user, or the first half of a password.
    let named = |wrong: Wrong| if rest.starts_with("//") { wrong } else { ("unknown scheme".to_owned(), wrong.1) };
    let mut connection = match scheme(name).map_err(named)? {
        "sqlite" => sqlite(rest, project)?,
        "delta" => lake_url(name, rest, project)?,
        scheme => server(scheme, rest)?,
    };
    options(&mut connection, project)?;
    Ok(connection)
}

/// Whether a connection's options are known to its engine, and can be what they are; settles those of TLS. Their values may be secret, and
/// are not repeated.
pub(super) fn options(connection: &mut Connection, project: &Path) -> Result<(), Wrong> {
    let known = crate::engine::driver(&connection.scheme).map_or(&[][..], |driver| driver.options());
    let names: Vec<&str> = known.iter().map(|option| option.name).collect();
    for (key, value) in &connection.query {
        let Some(option) = known.iter().find(|option| option.name == key) else {
            // What stands here may be the rest of a password that was not encoded.
            let word = key.len() <= 40 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let named = if word { format!("an unknown option `{key}`") } else { "an unknown option".to_owned() };
            let near = nearest(key, &names).map_or_else(String::new, |name| format!("write `{name}`? "));
            return Err((
                format!("the {} connection has {named}", connection.scheme),
                format!("{near}the options are {}", names.join(", ")),
            ));
        };
        let wrong = |way_out: String| (format!("the connection's option `{key}` can't have this value"), way_out);
        match option.values {
            Values::Any => {}
            Values::Seconds if value.reveal().parse::<u32>().is_ok() => {}
            Values::Seconds => return Err(wrong("write a number of seconds".to_owned())),
            Values::OneOf(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value.reveal())) => {}
            Values::OneOf(words) => return Err(wrong(format!("write one of {}", words.join(", ")))),
        }
    }
    tls::settle(connection, project)
}

fn sqlite(rest: &str, project: &Path) -> Result<Connection, Wrong> {
    let (path, options) = rest.split_once('?').map_or((rest, ""), |(path, options)| (path, options));
    let path = path.strip_prefix("//").unwrap_or(path);
    // It would become a file's name, which is shown everywhere.
    if has_password(path) {
        return Err((
            "the SQLite connection has a user and a password, which a file has not".to_owned(),
            "write sqlite://dev.db, with %40 for an @ in the file's name".to_owned(),
        ));
    }
    let path = decode(path)?;
    let query: IndexMap<String, Secret> = ::url::form_urlencoded::parse(options.as_bytes())
        .map(|(key, value)| (key.into_owned(), Secret::new(value)))
        .collect();
    let memory = query.get("mode").is_some_and(|mode| mode.reveal() == "memory");
    let database = file(if memory { ":memory:" } else { &path }, project)?;
    Ok(Connection { scheme: "sqlite".to_owned(), database, query, ..Connection::default() })
}

/// Whether a path that is no absolute one looks like `user:password@…`.
fn has_password(path: &str) -> bool {
    !path.starts_with(['/', '.']) && path.split_once(':').is_some_and(|(_, after)| after.contains('@'))
}

/// A SQLite file's absolute path.
pub(super) fn file(path: &str, project: &Path) -> Result<String, Wrong> {
    if path == ":memory:" {
        return Err((
            "a SQLite database in memory would be gone when the command ends".to_owned(),
            "name a file: sqlite://dev.db".to_owned(),
        ));
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(("the SQLite connection names no file".to_owned(), "write sqlite://dev.db".to_owned()));
    }
    let relative = path.strip_prefix("./").unwrap_or(path);
    let absolute = std::path::absolute(project.join(relative))
        .map_err(|error| (format!("the SQLite file's path can't be made absolute: {error}"), String::new()))?;
    Ok(absolute.to_string_lossy().into_owned())
}

/// A lake: a folder, or a bucket and a prefix in it.
fn lake_url(name: &str, rest: &str, project: &Path) -> Result<Connection, Wrong> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest.contains(['?', '#']) {
        let way_out = "put the store's options under `storage_options`, and write %3F for ? and %23 for #";
        return Err(("the lake's URL has options".to_owned(), way_out.to_owned()));
    }
    let on_disk = name.to_ascii_lowercase().split('+').next() == Some("delta");
    if has_password(rest) || (!on_disk && rest.contains('@') && !name.to_ascii_lowercase().starts_with("abfs")) {
        let way_out = "put credentials under `storage_options`, as ${VAR}; write %40 for an @ in a folder's name";
        return Err(("the lake's URL has credentials in it".to_owned(), way_out.to_owned()));
    }
    let database = if on_disk {
        lake(&decode(rest)?, project)?
    } else {
        format!("{}://{}", name.to_ascii_lowercase(), rest.trim_end_matches('/'))
    };
    Ok(Connection { scheme: "delta".to_owned(), database, ..Connection::default() })
}

/// A lake's folder, absolute; or its object store's URL as it is.
pub(super) fn lake(path: &str, project: &Path) -> Result<String, Wrong> {
    if path.trim_matches('/').is_empty() {
        return Err(("the connection names no lake".to_owned(), "write delta://lake, or delta:///srv/lake".to_owned()));
    }
    if let Some((scheme, rest)) = path.split_once("://") {
        self::scheme(scheme)?;
        return Ok(format!("{}://{}", scheme.to_ascii_lowercase(), rest.trim_end_matches('/')));
    }
    let relative = path.strip_prefix("./").unwrap_or(path);
    let absolute = std::path::absolute(project.join(relative))
        .map_err(|error| (format!("the lake's path can't be made absolute: {error}"), String::new()))?;
    Ok(absolute.to_string_lossy().trim_end_matches('/').to_owned())
}

fn server(scheme: &str, rest: &str) -> Result<Connection, Wrong> {
    let unreadable = |why: &str| {
        (
            format!("the {scheme} URL can't be read: {why}"),
            format!(
                "write {scheme}://user:password@host:port/database, with %40 for @, %2F for /, %3F for ?, %23 for # and %25 for % in a user or password"
            ),
        )
    };
    if !rest.starts_with("//") {
        return Err(unreadable("`//` is missing"));
    }
    // libpq's URLs may name a user and no host; a stand-in has the rest read.
    let authority = &rest[2..][..rest[2..].find(['/', '?', '#']).unwrap_or(rest.len() - 2)];
    let (hostless, rest) = match authority.rsplit_once('@') {
        Some((user, port)) if port.is_empty() || port.starts_with(':') => {
            (true, format!("//{user}@{STAND_IN}{port}{}", &rest[2 + authority.len()..]))
        }
        Some(_) | None => (false, rest.to_owned()),
    };
    let url = ::url::Url::parse(&format!("{scheme}:{rest}")).map_err(|error| unreadable(&error.to_string()))?;
    // A password with a raw / ? or # ends the authority too early; what follows would be taken for names and shown.
    let tail = url.path().contains('@') || url.query().is_some_and(|q| q.contains('@') && url.username().is_empty());
    if url.fragment().is_some() || tail {
        return Err(unreadable("a special character in it is not percent-encoded"));
    }
    let mut query: IndexMap<String, Secret> =
        url.query_pairs().map(|(key, value)| (key.into_owned(), Secret::new(value))).collect();
    let mut option = |key: &str| query.shift_remove(key).map(|value| value.reveal().to_owned());
    let some = |text: String| (!text.is_empty()).then_some(text);
    let port = option("port").map(|port| port.parse().map_err(|_| unreadable("its port is no number"))).transpose()?;
    let (user, password) = (option("user"), option("password"));
    let (host, database) = (option("host"), option("dbname"));
    let path = decode(url.path().trim_start_matches('/'))?;
    Ok(Connection {
        scheme: scheme.to_owned(),
        username: some(decode(url.username())?).or(user),
        password: url.password().map(decode).transpose()?.or(password).map(Secret::new),
        host: match url.host_str() {
            Some(host) if !hostless => some(decode(host)?),
            Some(_) | None => None,
        }
        .or(host),
        port: url.port().or(port),
        database: some(path).or(database).unwrap_or_default(),
        query,
    })
}

fn decode(text: &str) -> Result<String, Wrong> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| ("the URL's percent-encoding gives no UTF-8 text".to_owned(), "write % itself as %25".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Connection {
        parse(text, Path::new("/p")).unwrap()
    }

    #[test]
    fn urls_are_taken_apart() {
        let c = read("postgresql+psycopg2://us%40er:p%40s%2Fs%3A%25@db.example:6432/shop?sslmode=verify-full");
        assert_eq!(
            (c.scheme.as_str(), c.username.as_deref(), c.host.as_deref()),
            ("postgres", Some("us@er"), Some("db.example"))
        );
        assert_eq!((c.password.unwrap().reveal(), c.port, c.database.as_str()), ("p@s/s:%", Some(6432), "shop"));
        assert_eq!(c.query["sslmode"].reveal(), "verify-full");
        let c = read("postgres:///shop?host=/run/postgresql&user=me");
        assert_eq!((c.username.as_deref(), c.host.as_deref(), c.query.len()), (Some("me"), Some("/run/postgresql"), 0));
        let c = read("postgres://me:p%40w@/shop?host=/run/postgresql&port=5433");
        assert_eq!(
            (c.username.as_deref(), c.host.as_deref(), c.port),
            (Some("me"), Some("/run/postgresql"), Some(5433))
        );
        let c = read("postgres://me@:6432/shop");
        assert_eq!((c.host, c.port, c.database.as_str()), (None, Some(6432), "shop"));
        assert_eq!(read("postgres://%2Frun%2Fpg/shop").host.as_deref(), Some("/run/pg"));
        assert_eq!(read("postgres://[::1]:5/shop").host.as_deref(), Some("[::1]"));
    }

    #[test]
    fn options_are_known_and_can_be_what_they_are() {
        for url in [
            "postgres://h/d?sslmode=VERIFY-FULL&connect_timeout=5&application_name=x&sslrootcert=/x",
            "sqlite://x?foreign_keys=on&mode=rw",
        ] {
            assert!(parse(url, Path::new("/p")).is_ok(), "{url}");
        }
        for (url, says) in [
            ("postgres://h/d?sslmode=hunter2", "`sslmode` can't have this value — write one of disable, allow, prefer"),
            ("postgres://h/d?connect_timeout=hunter2", "`connect_timeout` can't have this value — write a number"),
            ("postgres://h/d?ssl_mode=hunter2", "unknown option `ssl_mode` — write `sslmode`? the options are"),
            ("postgres://h/d?Hunter2=x", "has an unknown option — the options are application_name, connect_timeout"),
            ("sqlite://x?mode=hunter2", "`mode` can't have this value — write one of ro, rw, rwc"),
            ("sqlite://x?cache=hunter2", "unknown option `cache` — the options are foreign_keys, mode"),
        ] {
            let (message, way_out) = parse(url, Path::new("/p")).unwrap_err();
            let said = format!("{message} — {way_out}");
            assert!(said.contains(says) && !said.to_lowercase().contains("hunter2"), "{url}: {said}");
        }
    }

    #[test]
    fn sqlite_paths() {
        for (url, path) in [
            ("sqlite://dev.db", "/p/dev.db"),
            ("sqlite:dev.db", "/p/dev.db"),
            ("sqlite://./data/a%20b.db?mode=rw", "/p/data/a b.db"),
            ("sqlite:///abs.db", "/abs.db"),
            ("sqlite:///a:b@c.db", "/a:b@c.db"),
            ("sqlite://a:b%40c.db", "/p/a:b@c.db"),
        ] {
            assert_eq!(read(url).database, path, "{url}");
        }
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x?mode=memory", "sqlite://", "sqlite:"] {
            assert!(parse(url, Path::new("/p")).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_that_spoils_the_url_is_not_shown() {
        for url in [
            "postgres://app:12/hunter2@db/shop",
            "postgres://app:hunter2/x@db/shop",
            "postgres://app:12?hunter2@db/shop",
            "postgres://app:hunter2#x@db/shop",
            "postgres:app:hunter2@db",
            "app:hunter2@db/shop",
            "hunter2:app@db/shop",
            "sqlite://app:hunter2@dev.db",
            "sqlite:app:hunter2/x@dev.db",
            #[cfg(feature = "delta")]
            "delta://app:hunter2@lake",
            #[cfg(feature = "delta")]
            "delta+spark:app:hunter2@lake",
            "hunter2",
        ] {
            let (message, way_out) = parse(url, Path::new("/p")).unwrap_err();
            assert!(!format!("{message}{way_out}").contains("hunter2"), "{url}: {message}");
        }
    }
}
