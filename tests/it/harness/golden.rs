//! Texts that are kept, and what differs from one run to the next taken out of them.

use super::{Bench, Db};
use std::path::Path;

/// Compares with a file of `tests/golden`; `UPDATE_GOLDEN=1` writes it anew.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    pretty_assertions::assert_eq!(kept, text, "tests/golden/{}: UPDATE_GOLDEN=1 writes it anew", name);
}

/// Compares rows with those of a page whose first cell is `title`; `UPDATE_GOLDEN=1` puts the new ones in their place.
#[cfg(feature = "failpoints")]
#[track_caller]
pub fn table(page: &str, title: &str, rows: &[String]) {
    // Tests run side by side.
    static PAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _page = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let own = |line: &&str| line.starts_with(&format!("| {title} | "));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut rows = Some(rows.join("\n"));
        let lines = text.lines().filter_map(|line| if own(&line) { rows.take() } else { Some(line.to_owned()) });
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        return;
    }
    let there: Vec<&str> = text.lines().filter(own).collect();
    pretty_assertions::assert_eq!(there, rows, "{}: UPDATE_GOLDEN=1 writes the table anew", page);
}

/// A text without what is another one each time: places, names of databases, hosts, runs, moments, durations, processes.
pub fn plain(bench: &Bench, text: &str) -> String {
    let mut text = text.to_owned();
    let mut replace = |what: String, by: &str| {
        if !what.is_empty() {
            text = text.replace(&what, by);
        }
    };
    replace(bench.dir().display().to_string(), "PROJECT");
    match &bench.db {
        Db::Sqlite { .. } => replace(bench.db.file().parent().unwrap().display().to_string(), "FOLDER"),
        Db::Postgres { url } | Db::Mariadb { url } => {
            replace(format!("{}:{}", url.host(), url.port()), "SERVER");
            replace(format!("@{}", url.host()), "@SERVER");
            replace(url.database(), "DATABASE");
        }
    }
    // A host can be called like anything: only where a name of one is expected.
    for (before, after) in [("@", ""), ("'", "'"), ("\"", "\"")] {
        replace(format!("{before}{}{after}", host()), &format!("{before}HOST{after}"));
    }
    replace(env!("CARGO_PKG_VERSION").to_owned(), "0.0.0");
    tokens(&text)
}

/// The host's name, as triphase knows it.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// Takes out what is known by its shape.
fn tokens(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside = plain.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let found = if inside { None } else { shape(&plain, rest) };
        let (length, by) = found.unwrap_or((first.len_utf8(), &rest[..first.len_utf8()]));
        plain.push_str(by);
        rest = &rest[length..];
    }
    plain
}

/// How long a token with a known shape is, and what is written for it.
fn shape(before: &str, text: &str) -> Option<(usize, &'static str)> {
    let word = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let moment = text.find(|c: char| !(c.is_ascii_digit() || "-:.TZ ".contains(c))).unwrap_or(text.len());
    let moment = text[..moment].trim_end_matches([' ', '.', ':', '-']);
    if moment.len() >= 19 && moment.is_char_boundary(5) && moment[4..].starts_with('-') && moment[13..].starts_with(':')
    {
        return Some((moment.len(), "MOMENT"));
    }
    if word == 26 && digits > 0 {
        return Some((word, "RUN"));
    }
    if digits > 0 && ["pid ", "\"pid\": ", "'HOST', "].iter().any(|end| before.ends_with(end)) {
        return Some((digits, "PID"));
    }
    let version = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    if digits > 0 && ["SQLite ", "PostgreSQL ", "MariaDB "].iter().any(|engine| before.ends_with(engine)) {
        return Some((version, "VERSION"));
    }
    // The name of MariaDB's lock ends with a hash of the database's.
    if word == 16 && before.ends_with("'triphase DATABASE ") {
        return Some((word, "HASH"));
    }
    // How long something took, as in `(12ms)`; what was asked for is written otherwise.
    let took = before.strip_suffix('(').and_then(|_| text.split_once(')')).map_or("", |(took, _)| took);
    let is_time = |word: &str| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < word.len() && ["ms", "s", "m", "h"].contains(&unit)
    };
    took.split(' ').all(is_time).then_some((took.len(), "TIME"))
}

#[test]
fn what_differs_is_taken_out() {
    let text = "run 01k9abcdefghjkmnpqrstvwxyz of a@HOST (pid 4711) since 2026-11-21T23:46:17.123Z";
    assert_eq!(tokens(text), "run RUN of a@HOST (pid PID) since MOMENT");
    let text = "target a: PostgreSQL 15.18 · b, SQLite 3.51.3 · c, MariaDB 10.11.14 · d";
    assert_eq!(tokens(text), "target a: PostgreSQL VERSION · b, SQLite VERSION · c, MariaDB VERSION · d");
    let text = "'HOST', 77, '2026-11-21 23:46:17.000001'; (1m 1s), (12ms), (2 of 3 steps), (2 statements), lock_timeout: 50ms, v1_2";
    let plain = "'HOST', PID, 'MOMENT'; (TIME), (TIME), (2 of 3 steps), (2 statements), lock_timeout: 50ms, v1_2";
    assert_eq!(tokens(text), plain);
    assert_eq!(
        tokens("SQLite 3.51.3 · 'triphase DATABASE 14562d7a08008e20'"),
        "SQLite VERSION · 'triphase DATABASE HASH'"
    );
}
