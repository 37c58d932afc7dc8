//! What Alembic printed: a section a revision, up or down. It prints statement by statement until it fails, on Python that asks the database,
//! and ends each section that it gets through with what it writes into its own table. A section without that breaks off.

use super::super::{Given, text};
use crate::sql;
use std::collections::BTreeMap;

/// The sections by revision.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) ups: BTreeMap<String, Section>,
    pub(super) downs: BTreeMap<String, Section>,
    /// The revisions of the way up, as they were printed.
    pub(super) order: Vec<String>,
}

/// A revision's SQL, one way.
#[derive(Debug, PartialEq)]
pub(super) enum Section {
    /// All of it.
    Whole(String),
    /// Not to its end.
    Broken,
}

impl Printed {
    /// Reads all that was printed.
    pub(super) fn of(given: &Given<'_>) -> Self {
        let mut printed = Self::default();
        for bytes in given.printed.values() {
            let text = String::from_utf8_lossy(bytes);
            let mut open: Option<(bool, String, String)> = None;
            for line in text.split_inclusive('\n').chain(["-- Running end -> "]) {
                let Some(rest) = line.strip_prefix("-- Running ") else {
                    if let Some((_, _, body)) = &mut open {
                        body.push_str(line);
                    }
                    continue;
                };
                if let Some((up, id, body)) = open.take() {
                    printed.keep(up, &id, section(given, &id, &body));
                }
                let (way, revisions) = rest.split_once(' ').unwrap_or_default();
                let Some((from, to)) = revisions.split_once("->") else { continue };
                match way {
                    "upgrade" => {
                        printed.order.push(to.trim().to_owned());
                        open = Some((true, to.trim().to_owned(), String::new()));
                    }
                    "downgrade" => open = Some((false, from.trim().to_owned(), String::new())),
                    _ => {}
                }
            }
        }
        printed
    }

    /// Several heads are printed one by one, what they share each time.
    fn keep(&mut self, up: bool, id: &str, section: Section) {
        let all = if up { &mut self.ups } else { &mut self.downs };
        if section != Section::Broken || !all.contains_key(id) {
            all.insert(id.to_owned(), section);
        }
    }
}

/// A section without the transaction around it and Alembic's own ledger, whose rows it ends with: they name the revision, up or down, at a
/// branch and at a merge.
fn section(given: &Given<'_>, id: &str, section: &str) -> Section {
    let text = text::unwrapped(given.dialect, section, true);
    // What is no SQL is refused with its place when the release is read.
    let Ok(statements) = sql::split(given.dialect, &text) else { return Section::Whole(text) };
    let (own, theirs): (Vec<_>, Vec<_>) =
        statements.iter().map(|statement| statement.text.as_str()).partition(|text| is_own(given, text));
    let row = format!("'{id}'");
    if !own.iter().any(|text| text.contains(&row)) {
        return Section::Broken;
    }
    Section::Whole(theirs.iter().map(|text| format!("{text};\n")).collect::<Vec<_>>().join("\n"))
}

/// Whether a statement is about Alembic's own ledger.
fn is_own(given: &Given<'_>, text: &str) -> bool {
    let canonical = sql::canonical(given.dialect, text);
    let (verb, mut rest) = canonical.split_once(' ').unwrap_or_default();
    let headed = match verb.to_ascii_uppercase().as_str() {
        "INSERT" => Some("INTO"),
        "DELETE" => Some("FROM"),
        "CREATE" | "DROP" => Some("TABLE"),
        "UPDATE" => None,
        _ => return false,
    };
    if let Some(head) = headed {
        match rest.split_once(' ') {
            Some((word, behind)) if word.eq_ignore_ascii_case(head) => rest = behind,
            Some(_) | None => return false,
        }
    }
    let (first, behind) = name(rest);
    // A schema may stand before the name, its dot a word of its own.
    match behind.trim_start().strip_prefix('.') {
        Some(behind) => name(behind.trim_start()).0 == given.table,
        None => first.rsplit('.').next() == Some(given.table),
    }
}

/// The name that a text begins with, without its quotes, and what follows it.
fn name(text: &str) -> (&str, &str) {
    for quote in ['"', '`'] {
        if let Some((name, behind)) = text.strip_prefix(quote).and_then(|text| text.split_once(quote)) {
            return (name, behind);
        }
    }
    text.split_at(text.find(' ').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dialect;

    /// The sections of what Alembic 1.20 printed, with its table's name as `--table` has it.
    fn read(table: &str, text: &str) -> Printed {
        let printed = [("0".to_owned(), text.as_bytes().to_vec())].into();
        let (folder, placeholders) = Default::default();
        Printed::of(&Given {
            dialect: Dialect::Postgres,
            folder: &folder,
            printed: &printed,
            table,
            ledger: &[],
            placeholders: &placeholders,
        })
    }

    #[test]
    fn the_table_may_have_another_name_and_a_schema() {
        let text = "-- Running upgrade  -> a\n\nCREATE TABLE t (id integer);\n\n\
                    INSERT INTO ops.my_ver (version_num) VALUES ('a') RETURNING ops.my_ver.version_num;\n\n\
                    -- Running downgrade a -> \n\nDROP TABLE t;\n\nDELETE FROM ops.my_ver WHERE ops.my_ver.version_num = 'a';\n\nCOMMIT;\n";
        for (table, text) in [
            ("my_ver", text.to_owned()),
            ("my_ver", text.replace("ops.my_ver", "\"Ops x\".my_ver")),
            ("my_ver", text.replace("ops.my_ver", "my_ver")),
            ("My Ver", text.replace("my_ver", "\"My Ver\"")),
        ] {
            let printed = read(table, &text);
            assert_eq!(printed.ups["a"], Section::Whole("CREATE TABLE t (id integer);\n".to_owned()), "{text}");
            assert_eq!(printed.downs["a"], Section::Whole("DROP TABLE t;\n".to_owned()), "{text}");
        }
        assert_eq!(read("alembic_version", text).ups["a"], Section::Broken);
    }

    #[test]
    fn branches_and_merges_end_with_their_revision() {
        let printed = read(
            "alembic_version",
            "-- Running upgrade a -> b\n\nUPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a';\n\n\
             -- Running upgrade a -> c\n\nINSERT INTO alembic_version (version_num) VALUES ('c') RETURNING alembic_version.version_num;\n\n\
             -- Running upgrade b, c -> d\n\nDELETE FROM alembic_version WHERE alembic_version.version_num = 'b';\n\n\
             UPDATE alembic_version SET version_num='d' WHERE alembic_version.version_num = 'c';\n\n\
             -- Running downgrade d -> b, c\n\nINSERT INTO alembic_version (version_num) VALUES ('c') RETURNING alembic_version.version_num;\n\n\
             UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'd';\n\n\
             -- Running downgrade c -> a\n\nDELETE FROM alembic_version WHERE alembic_version.version_num = 'c';\n",
        );
        let whole = |section: &Section| *section == Section::Whole(String::new());
        assert!(printed.ups.values().chain(printed.downs.values()).all(whole));
        assert_eq!(printed.order, ["b", "c", "d"]);
        assert!(printed.downs.keys().eq(["c", "d"]));
    }

    /// What broke off in one print may be whole in another.
    #[test]
    fn a_whole_section_stands_against_a_broken_one() {
        let broken = "-- Running upgrade a -> b\n\nselect count(*) from t;\n\nBEGIN;\n\n";
        let whole = "-- Running upgrade a -> b\n\nDROP TABLE t;\n\n\
                     UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a';\n\n";
        assert_eq!(read("alembic_version", broken).ups["b"], Section::Broken);
        for text in [format!("{broken}{whole}"), format!("{whole}{broken}")] {
            assert_eq!(read("alembic_version", &text).ups["b"], Section::Whole("DROP TABLE t;\n".to_owned()));
        }
    }
}
