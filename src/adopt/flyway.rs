//! Flyway: `V<version>__<description>.sql`, `U…` to undo, `R__…` to repeat, and `flyway_schema_history` with a CRC-32 of each file that
//! ran, over its lines without their ends.

use super::{Adopted, Body, Done, Draft, DraftStep, Given, Tool, text};
use crate::model::{Class, Dialect, Verb, Version};
use std::collections::BTreeMap;

/// The tool.
pub(super) struct Flyway;

/// Flyway's versions: numbers split at `.` or `_`, the shorter one filled up with zeros.
type Key = Vec<u128>;

/// What the ledger says of one migration: its newest row counts.
struct Row {
    script: String,
    kind: String,
    checksum: Option<i64>,
}

/// The ledger.
#[derive(Default)]
struct History {
    versions: BTreeMap<Key, Row>,
    /// By script.
    repeatables: BTreeMap<String, Row>,
    baseline: Option<Key>,
}

impl Tool for Flyway {
    fn name(&self) -> &'static str {
        "flyway"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["src/main/resources/db/migration", "db/migration", "migrations", "sql"]
    }

    fn table(&self) -> &'static str {
        "flyway_schema_history"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        let columns = ["installed_rank", "version", "type", "script", "checksum", "success"];
        text::select(dialect, table, &columns, "installed_rank")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let mut history = history(given, &mut adopted);
        let mut undos: BTreeMap<Key, (&str, &[u8])> = BTreeMap::new();
        let mut versioned: BTreeMap<Key, (&str, &[u8])> = BTreeMap::new();
        let mut repeatables: Vec<(&str, &[u8])> = Vec::new();
        for (path, bytes) in given.folder.iter().filter(|(path, _)| path.ends_with(".sql")) {
            match named(text::base(path)) {
                Some(('V', version, _)) => {
                    if let Some((other, _)) = versioned.insert(version, (path, bytes)) {
                        adopted.refuse(Class::Usage, format!("{other} and {path} are one version"), "keep one of them");
                    }
                }
                Some(('U', version, _)) => drop(undos.insert(version, (path, bytes))),
                Some(('R', ..)) => repeatables.push((path, bytes)),
                Some(('B', ..)) => adopted.notes.push(format!(
                    "{path} is a baseline migration, which stands for all up to its version on an empty database, and is left out: there \
                     triphase runs all of them"
                )),
                Some(_) | None => adopted.notes.push(format!(
                    "{path} is no versioned, undo or repeatable migration, and is left out: what a callback does belongs in a release's \
                     `before` or `after`"
                )),
            }
        }
        for (key, (path, bytes)) in versioned {
            let row = history.versions.remove(&key);
            if let Some(row) = &row {
                unchanged(&mut adopted, path, &[bytes], row);
            }
            let baselined = history.baseline.as_ref().is_some_and(|baseline| key <= *baseline);
            let Some(version) = adopted.version(&shown(path), path) else { continue };
            let Some(up) = body(given, &mut adopted, path, bytes) else { continue };
            let down =
                undos.remove(&key).and_then(|(path, bytes)| Some((path, body(given, &mut adopted, path, bytes)?)));
            let down = down.and_then(|(path, down)| adopted.way_back(given.dialect, path, &up, Some(down)));
            let step = DraftStep::migration(stem(path), up, down, row.is_some() || baselined);
            adopted.releases.push(Draft::one(version, description(path), path, step));
        }
        lost(&mut adopted, history.versions, history.baseline.as_ref());
        adopted.releases.sort_by(|a, b| a.version.cmp(&b.version));
        repeat(given, &mut adopted, &repeatables, &mut history.repeatables);
        adopted
    }
}

fn history(given: &Given<'_>, adopted: &mut Adopted) -> History {
    let mut history = History::default();
    for row in given.ledger {
        let cell = |n: usize| row.get(n).and_then(Option::as_deref);
        let (kind, script) = (cell(2).unwrap_or_default().to_owned(), cell(3).unwrap_or_default().to_owned());
        if !text::truth(cell(5)) {
            adopted.refuse(
                Class::Decision,
                format!("Flyway's ledger has {script} as failed"),
                "mend the database, run `flyway repair`, then import again",
            );
            continue;
        }
        let checksum = cell(4).and_then(|text| text.parse().ok());
        let key = cell(1).and_then(key);
        match (key, kind.as_str()) {
            (Some(key), "BASELINE") => history.baseline = Some(key),
            // A newer baseline's script stands for all that came before it.
            (Some(key), kind) if kind.contains("BASELINE") => history.baseline = Some(key),
            (Some(key), kind) if kind.contains("UNDO") || kind == "DELETE" => drop(history.versions.remove(&key)),
            (Some(key), _) => drop(history.versions.insert(key, Row { script, kind, checksum })),
            (None, "DELETE") => drop(history.repeatables.remove(&script)),
            (None, "SCHEMA") => {}
            (None, _) => drop(history.repeatables.insert(script.clone(), Row { script, kind, checksum })),
        }
    }
    history
}

/// What ran and is not in the folder: Java's as a step that says so, SQL's refused.
fn lost(adopted: &mut Adopted, rows: BTreeMap<Key, Row>, baseline: Option<&Key>) {
    for (key, row) in rows.into_iter().filter(|(key, _)| baseline.is_none_or(|baseline| key > baseline)) {
        if row.kind.contains("SQL") {
            adopted.refuse(
                Class::Drift,
                format!("Flyway's ledger has {}, and no file of the folder does", row.script),
                "put the file back, or name its folder with --from",
            );
            continue;
        }
        let number = key.iter().map(u128::to_string).collect::<Vec<_>>().join(".");
        let Some(version) = adopted.version(&number, &row.script) else { continue };
        let why = format!("migration {} is {} and can't be had as SQL", row.script, row.kind);
        let name = row.script.rsplit(['/', '.']).next().unwrap_or(&row.script).to_owned();
        let step = DraftStep::migration(&name, Body::Lost { why, text: String::new() }, None, true);
        adopted.releases.push(Draft::one(version, String::new(), &row.script, step));
    }
}

/// Repeatable migrations run after all others: a release of their own, behind the newest.
fn repeat(given: &Given<'_>, adopted: &mut Adopted, files: &[(&str, &[u8])], rows: &mut BTreeMap<String, Row>) {
    let Some(newest) = adopted.releases.last().map(|draft| draft.version.clone()) else {
        if let Some((path, _)) = files.first() {
            let message =
                format!("{path} is repeatable, and there is no versioned migration whose release it could follow");
            adopted.refuse(Class::Usage, message, "write a first version for Flyway, migrate, then import again");
        }
        return;
    };
    let mut steps = Vec::new();
    for (path, bytes) in files {
        let row = rows.iter().find(|(script, _)| text::base(script) == text::base(path)).map(|(_, row)| row);
        let Some(text) = filled(given, adopted, path, bytes) else { continue };
        if let Some(row) = row {
            repeated(adopted, path, bytes, &text, row);
        }
        let up = as_sql(given, path, &text);
        let done = if row.is_some() { Done::Yes } else { Done::No };
        let handlers = BTreeMap::from([(Verb::Add, up)]);
        steps.push(DraftStep { name: stem(path).to_owned(), id: None, handlers, phases: [done; 3] });
    }
    if steps.is_empty() {
        return;
    }
    let pending = adopted.releases.iter().find(|draft| draft.steps.iter().any(|step| step.phases == [Done::No; 3]));
    if let Some(pending) = pending.filter(|_| steps.iter().any(|step| step.phases == [Done::Yes; 3])) {
        let message = format!("repeatable migrations have run, and {} has not, which comes before them", pending.from);
        adopted.refuse(Class::Guard, message, "run `flyway migrate` once more, then import again");
        return;
    }
    if let Ok(version) = Version::parse(&format!("{newest}-repeatable")) {
        adopted.notes.push(format!(
            "repeatable migrations are in release {version}, and run once there: a later change of one is a step of a new release"
        ));
        let description = "Repeatable migrations, as they are now".to_owned();
        adopted.releases.push(Draft { version, description, from: "the R__ files".to_owned(), steps });
    }
}

/// Refuses a file of which no text that Flyway may have run has the ledger's checksum.
fn unchanged(adopted: &mut Adopted, path: &str, texts: &[&[u8]], row: &Row) {
    let now: Vec<i64> = texts.iter().map(|text| i64::from(checksum(text))).collect();
    if let Some(then) = row.checksum.filter(|then| !now.contains(then)) {
        let now = now.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ");
        adopted.refuse(
            Class::Drift,
            format!("{path} was edited after Flyway ran it: its checksum is {now}, the ledger's {then}"),
            "put the file back as it ran, with the placeholders it ran with; a repeatable migration: let Flyway run it first",
        );
    }
}

/// Flyway takes a repeatable migration's checksum with its placeholders filled in, and its own differ from run to run: `flyway:timestamp`
/// stands in a file so that it always runs.
fn repeated(adopted: &mut Adopted, path: &str, bytes: &[u8], filled: &str, row: &Row) {
    if String::from_utf8_lossy(bytes).contains("${flyway:") {
        adopted.notes.push(format!(
            "{path} has placeholders of Flyway's own, which differ from run to run: whether it was edited since it ran is not known"
        ));
        return;
    }
    unchanged(adopted, path, &[bytes, filled.as_bytes()], row);
}

/// Flyway's checksum: CRC-32 over the lines in UTF-8, without their ends and a byte order mark, as Java's signed number.
fn checksum(bytes: &[u8]) -> i32 {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut hasher = crc32fast::Hasher::new();
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        hasher.update(line);
    }
    i32::from_ne_bytes(hasher.finalize().to_ne_bytes())
}

fn body(given: &Given<'_>, adopted: &mut Adopted, path: &str, bytes: &[u8]) -> Option<Body> {
    let text = filled(given, adopted, path, bytes)?;
    Some(as_sql(given, path, &text))
}

/// The text with what its placeholders stand for. Flyway takes a dollar together with the character behind it, so `$${who}` has none.
fn filled(given: &Given<'_>, adopted: &mut Adopted, path: &str, bytes: &[u8]) -> Option<String> {
    let text = adopted.text(path, bytes)?;
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some((before, behind)) = rest.split_once('$') {
        filled.push_str(before);
        let Some(opened) = behind.strip_prefix('{') else {
            let second = behind.chars().next();
            filled.push('$');
            filled.extend(second);
            rest = &behind[second.map_or(0, char::len_utf8)..];
            continue;
        };
        let (name, behind) = opened.split_once('}').unwrap_or((opened, ""));
        let Some(value) = given.placeholders.get(name) else {
            adopted.refuse(
                Class::Usage,
                format!("{path}: nobody says what Flyway's placeholder `{name}` stands for"),
                format!("give it: --placeholder {name}=VALUE"),
            );
            return None;
        };
        filled.push_str(value);
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

fn as_sql(given: &Given<'_>, path: &str, text: &str) -> Body {
    // A file beside it may say that it can't be in a transaction.
    let settings = given.folder.get(&format!("{path}.conf")).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let setting = |line: &str| line.split_whitespace().collect::<String>() == "executeInTransaction=false";
    let alone = settings.is_some_and(|settings| settings.lines().any(setting));
    Body::Sql { text: text::unwrapped(given.dialect, text, false), alone }
}

/// Prefix, version and description of a file's name; the version is empty for a repeatable one.
fn named(file: &str) -> Option<(char, Key, &str)> {
    let (head, description) = file.strip_suffix(".sql")?.split_once("__")?;
    let prefix = head.chars().next()?;
    let version = &head[prefix.len_utf8()..];
    match prefix {
        'R' if version.is_empty() => Some((prefix, Key::new(), description)),
        'V' | 'U' | 'B' => Some((prefix, key(version)?, description)),
        _ => None,
    }
}

fn key(version: &str) -> Option<Key> {
    let mut key: Key = version.split(['.', '_']).map(str::parse).collect::<Result<_, _>>().ok()?;
    while key.len() > 1 && key.last() == Some(&0) {
        key.pop();
    }
    Some(key)
}

/// The version as the file has it.
fn shown(path: &str) -> String {
    stem(path)[1..].split("__").next().unwrap_or_default().replace('_', ".")
}

fn stem(path: &str) -> &str {
    text::base(path).trim_end_matches(".sql")
}

fn description(path: &str) -> String {
    text::words(stem(path).split_once("__").map_or("", |(_, description)| description))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Flyway 10.22 wrote this number for this file (tests/adoption/flyway).
    #[test]
    fn the_checksum_is_flyways() {
        let text = "\u{feff}CREATE INDEX customer_name\r\n    ON customer (name);\r\n";
        assert_eq!(checksum(text.as_bytes()), 962_198_333);
    }

    #[test]
    fn versions_compare_as_flyways() {
        assert!(key("1.2") < key("1.10") && key("1_10") < key("2"));
        assert_eq!(key("1.0"), key("1"));
        assert_eq!(named("R__x.sql").map(|n| n.0), Some('R'));
        assert!(named("beforeMigrate.sql").is_none() && named("V1_x.sql").is_none());
    }

    /// Rows as the ledger has them: rank, version, type, script, checksum, success.
    fn read(files: &[(&str, &str)], rows: &[[&str; 5]]) -> Adopted {
        let folder = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let cell = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let ledger: Vec<_> = rows
            .iter()
            .map(|[version, kind, script, checksum, success]| {
                [cell("1"), cell(version), cell(kind), cell(script), cell(checksum), cell(success)].to_vec()
            })
            .collect();
        let printed = Default::default();
        let placeholders = [("who", "Ada"), ("flyway:timestamp", "then")];
        let placeholders = placeholders.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let dialect = Dialect::Sqlite;
        let table = "flyway_schema_history";
        Flyway.read(&Given {
            dialect,
            table,
            folder: &folder,
            printed: &printed,
            ledger: &ledger,
            placeholders: &placeholders,
        })
    }

    fn states(adopted: &Adopted) -> Vec<(&str, bool)> {
        assert_eq!(adopted.findings, []);
        adopted.releases.iter().map(|draft| (draft.version.as_str(), draft.steps[0].phases == [Done::Yes; 3])).collect()
    }

    #[test]
    fn a_baseline_stands_for_what_came_before_it() {
        let files = [("V1__a.sql", "SELECT 1;"), ("V2__b.sql", "SELECT 2;"), ("V3__c.sql", "SELECT 3;")];
        let adopted = read(&files, &[["2", "BASELINE", "<< Flyway Baseline >>", "", "1"]]);
        assert_eq!(states(&adopted), [("v1", true), ("v2", true), ("v3", false)]);
    }

    #[test]
    fn what_was_undone_or_deleted_is_pending() {
        let files = [("V1__a.sql", "SELECT 1;"), ("V2__b.sql", "SELECT 2;"), ("U2__b.sql", "SELECT -2;")];
        let rows = [
            ["1", "SQL", "V1__a.sql", "", "t"],
            ["2", "SQL", "V2__b.sql", "", "t"],
            ["2", "UNDO_SQL", "U2__b.sql", "", "t"],
        ];
        let adopted = read(&files, &rows);
        assert_eq!(states(&adopted), [("v1", true), ("v2", false)]);
        assert!(adopted.releases[1].steps[0].handlers.contains_key(&Verb::RollbackAdd));
    }

    #[test]
    fn java_is_lost_and_says_so() {
        let rows = [["1", "SQL", "V1__a.sql", "", "true"], ["2", "JDBC", "db.migration.V2__Fill", "17", "true"]];
        let adopted = read(&[("V1__a.sql", "SELECT 1;")], &rows);
        assert_eq!(states(&adopted), [("v1", true), ("v2", true)]);
        let Some(Body::Lost { why, .. }) = adopted.releases[1].steps[0].handlers.get(&Verb::Add) else {
            panic!("{adopted:?}")
        };
        assert!(why.contains("V2__Fill is JDBC"), "{why}");
    }

    #[test]
    fn a_file_beside_it_takes_it_out_of_the_transaction() {
        let files = [("a/V1__a.sql", "SELECT 1;"), ("a/V1__a.sql.conf", "# why\nexecuteInTransaction = false\n")];
        let adopted = read(&files, &[]);
        assert!(matches!(adopted.releases[0].steps[0].handlers[&Verb::Add], Body::Sql { alone: true, .. }));
        assert_eq!(adopted.notes, Vec::<String>::new());
    }

    /// The rows that Flyway 10.22 wrote of these with `who` as `Ada`.
    #[test]
    fn placeholders_are_filled_in_as_flyway_does() {
        for (text, filled) in [
            ("${who}x", "Adax"),
            ("$${who}", "$${who}"),
            ("$$${who}", "$$Ada"),
            ("$$$${who}", "$$$${who}"),
            ("$ ${who}", "$ Ada"),
            ("$x${who}", "$xAda"),
            ("${who}$${who}", "Ada$${who}"),
            ("$${who}${who}", "$${who}Ada"),
            ("a$", "a$"),
        ] {
            let adopted = read(&[("V1__a.sql", &format!("SELECT '{text}';"))], &[]);
            let Body::Sql { text, .. } = &adopted.releases[0].steps[0].handlers[&Verb::Add] else {
                panic!("{adopted:?}")
            };
            assert_eq!(*text, format!("SELECT '{filled}';"));
        }
        let adopted = read(&[("V1__a.sql", "SELECT '${whom}';")], &[]);
        assert!(adopted.findings[0].message.contains("placeholder `whom`"), "{adopted:?}");
    }

    /// The checksum of `R__w.sql` is Flyway 10.22's.
    #[test]
    fn a_repeatable_migration_is_compared_as_it_was_filled_in() {
        let view = "DROP VIEW IF EXISTS w;\nCREATE VIEW w AS SELECT id, '${who}' AS who FROM c;\n";
        let stamped = "-- ${flyway:timestamp}\nSELECT 1;\n";
        let rows = [
            ["1", "SQL", "V1__a.sql", "", "1"],
            ["", "SQL", "R__w.sql", "-1644188947", "1"],
            ["", "SQL", "R__v.sql", "-1890459828", "1"],
        ];
        let mut files = [("V1__a.sql", "SELECT 1;"), ("R__w.sql", view), ("R__v.sql", stamped)];
        let adopted = read(&files, &rows);
        assert_eq!(states(&adopted), [("v1", true), ("v1-repeatable", true)]);
        assert!(adopted.notes[0].starts_with("R__v.sql has placeholders of Flyway's own"), "{:?}", adopted.notes);
        let edited = view.replace("${who}", "${who}!");
        files[1].1 = &edited;
        assert!(read(&files, &rows).findings[0].message.starts_with("R__w.sql was edited"));
    }

    #[test]
    fn a_baseline_migration_is_called_so() {
        let adopted = read(&[("V1__a.sql", "SELECT 1;"), ("B3__all.sql", "SELECT 1;"), ("beforeMigrate.sql", "")], &[]);
        assert!(adopted.notes[0].starts_with("B3__all.sql is a baseline migration"), "{:?}", adopted.notes);
        assert!(adopted.notes[1].contains("callback"), "{:?}", adopted.notes);
    }
}
