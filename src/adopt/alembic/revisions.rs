//! Alembic's revision files: what each comes after and depends on. They are Python, which is not run: what is more than literals is refused
//! with its line. A revision that was wrongly taken for a first one would leave those before it pending, though they have run.

use super::super::{
    Adopted, Folder,
    python::{self, Constant},
    text,
};
use crate::model::{Class, Finding, Place};
use std::{collections::BTreeMap, ops::Range};

/// A revision's file.
pub(super) struct Revision<'a> {
    pub(super) path: &'a str,
    /// The revisions that have run where this one has: those it comes after, and those it depends on. Alembic's table has no row of either.
    pub(super) before: Vec<String>,
    pub(super) title: String,
}

/// What can't be read of a file: where, as a range of bytes, and why.
type Unreadable = (Range<usize>, String);

/// A file as it is written.
struct Written {
    downs: Vec<String>,
    depends_on: Vec<String>,
    labels: Vec<String>,
}

/// The revisions of a folder by their ids. What can't be read, or names what is not there, is a finding.
pub(super) fn revisions<'a>(folder: &'a Folder, adopted: &mut Adopted) -> BTreeMap<String, Revision<'a>> {
    let mut found: BTreeMap<String, (&str, String, Written)> = BTreeMap::new();
    for (path, bytes) in folder.iter().filter(|(path, _)| path.ends_with(".py") && text::base(path) != "__init__.py") {
        let Some(text) = adopted.text(path, bytes) else { continue };
        let (id, written) = match read(&text) {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err((span, why)) => {
                adopted.findings.push(unreadable(path, &text, span, why));
                continue;
            }
        };
        if let Some((other, ..)) = found.get(&id) {
            adopted.refuse(Class::Usage, format!("{other} and {path} are both revision {id}"), "keep one of them");
        }
        found.insert(id, (path.as_str(), text, written));
    }
    let resolved = |name: &str| {
        let mut all = found.iter();
        let meant =
            all.find(|(id, (.., written))| id.as_str() == name || written.labels.iter().any(|label| label == name));
        meant.map(|(id, _)| id.clone())
    };
    let mut revisions = BTreeMap::new();
    for (id, (path, text, written)) in &found {
        for down in written.downs.iter().filter(|down| !found.contains_key(*down)) {
            adopted.refuse(
                Class::Usage,
                format!("revision {id} comes after {down}, which no file of the folder is"),
                "name the folder of all revisions with --from",
            );
        }
        let mut before = written.downs.clone();
        for name in &written.depends_on {
            match resolved(name) {
                Some(id) => before.push(id),
                None => adopted.refuse(
                    Class::Usage,
                    format!("revision {id} depends on {name}, which is no revision and no branch label of the folder"),
                    "name the folder of all revisions with --from, or write the revision's id in `depends_on`",
                ),
            }
        }
        let title = python::string(text).map(|(doc, _)| doc).unwrap_or_default();
        let title = title.trim().lines().next().unwrap_or_default().to_owned();
        revisions.insert(id.clone(), Revision { path, before, title });
    }
    revisions
}

fn unreadable(path: &str, text: &str, span: Range<usize>, why: String) -> Finding {
    Finding::new(Class::Usage, "", why)
        .way_out("write it as a literal, on a line of its own: triphase runs no Python")
        .at(Place { file: path.into(), source: text.into(), span, path: String::new() })
}

/// A file's id and what it names; `None` for a program that is no revision. Alembic wants both names of a revision, and takes only `None` for
/// a first one.
fn read(text: &str) -> Result<Option<(String, Written)>, Unreadable> {
    let top = || 0..text.find(['\r', '\n']).unwrap_or(text.len());
    let names = |name: &str| match python::constant(text, name) {
        Constant::Absent => Ok(None),
        Constant::None => Ok(Some(vec![])),
        Constant::Strings(names) => Ok(Some(names)),
        Constant::Unreadable(span, why) => Err((span, format!("`{name}` {why}"))),
    };
    let down = python::constant(text, "down_revision");
    let Some(ids) = names("revision")? else {
        return match down {
            Constant::Absent => Ok(None),
            Constant::None | Constant::Strings(_) | Constant::Unreadable(..) => {
                Err((top(), "the file has a `down_revision`, and no `revision`".to_owned()))
            }
        };
    };
    let [id] = &ids[..] else { return Err((top(), "`revision` is not one string".to_owned())) };
    let downs = match down {
        Constant::None => vec![],
        Constant::Strings(downs) if !downs.is_empty() => downs,
        Constant::Strings(_) => {
            return Err((top(), "`down_revision` is empty; a first revision says `down_revision = None`".to_owned()));
        }
        Constant::Absent => {
            let why = format!("revision {id} has no `down_revision`; a first revision says `down_revision = None`");
            return Err((top(), why));
        }
        Constant::Unreadable(span, why) => return Err((span, format!("`down_revision` {why}"))),
    };
    let depends_on = names("depends_on")?.unwrap_or_default();
    let labels = names("branch_labels")?.unwrap_or_default();
    Ok(Some((id.clone(), Written { downs, depends_on, labels })))
}
