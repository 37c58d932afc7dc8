//! pygrate, triphase's ancestor: a release is a Python file `v….py`, a step a class in it whose methods are the handlers, and
//! `pygration_state` has three states a step. What a handler does by `db.sql("…")`, `db.sql_file("…")` and `db.shell("…")` becomes SQL;
//! any other code becomes a handler that says so.

use super::{Adopted, Body, Done, Draft, DraftStep, Given, Tool, python, text};
use crate::model::{Class, Dialect, Phase, Verb, Version};
use std::collections::BTreeMap;

/// The tool.
pub(super) struct Pygrate;

impl Tool for Pygrate {
    fn name(&self) -> &'static str {
        "pygrate"
    }

    fn folders(&self) -> &'static [&'static str] {
        &["."]
    }

    fn table(&self) -> &'static str {
        "pygration_state"
    }

    fn query(&self, dialect: Dialect, table: &str) -> String {
        let columns = ["migration", "step_id", "step_name", "add_state", "simdrop_state", "drop_state"];
        text::select(dialect, table, &columns, "")
    }

    fn read(&self, given: &Given<'_>) -> Adopted {
        let mut adopted = Adopted::default();
        let mut states: BTreeMap<(String, String), [Done; 3]> = BTreeMap::new();
        for row in given.ledger {
            let cell = |n: usize| row.get(n).and_then(Option::as_deref);
            let (release, step) = (cell(0).unwrap_or_default(), cell(1).unwrap_or_default());
            let mut phases = [Done::No; 3];
            for phase in Phase::ALL {
                phases[phase.index()] = match cell(3 + phase.index()) {
                    None | Some("" | "NI") => Done::No,
                    Some("P") => Done::Yes,
                    Some("RB") => Done::Back,
                    Some(other) => {
                        adopted.refuse(
                            Class::Decision,
                            format!("pygrate's ledger has `{other}` for {phase} of {release}.{step}: it is not done"),
                            "mend the database, set the state to P (passed) or RB (rolled back), then import again",
                        );
                        Done::No
                    }
                };
            }
            states.insert((release.to_owned(), step.to_owned()), phases);
        }
        for (path, bytes) in given.folder {
            let Some(version) = text::base(path).strip_suffix(".py").and_then(|stem| Version::parse(stem).ok()) else {
                continue;
            };
            let Some(text) = adopted.text(path, bytes) else { continue };
            let mut steps = steps(given, &python::joined(&text));
            for step in &mut steps {
                let id = step.id.clone().unwrap_or_else(|| step.name.clone());
                if let Some(phases) = states.remove(&(version.as_str().to_owned(), id)) {
                    step.phases = phases;
                }
            }
            if steps.is_empty() {
                adopted.notes.push(format!("{path} has no step, and is left out"));
            } else {
                adopted.releases.push(Draft { version, description: String::new(), from: path.clone(), steps });
            }
        }
        for ((release, step), phases) in states {
            if phases != [Done::No; 3] {
                adopted.refuse(
                    Class::Drift,
                    format!("pygrate's ledger has {release}.{step}, and no file of the folder does"),
                    "put the step back, or name the folder with --from",
                );
            }
        }
        adopted.releases.sort_by(|a, b| a.version.cmp(&b.version));
        adopted
    }
}

/// The classes of a file.
fn steps(given: &Given<'_>, text: &str) -> Vec<DraftStep> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(at) = find_line(rest, "class ") {
        let head = &rest[at + 6..];
        let body = &head[head.find('\n').map_or(head.len(), |end| end + 1)..];
        let name: String = head.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let line = head.lines().next().unwrap_or_default();
        let end = body
            .split_inclusive('\n')
            .take_while(|line| line.trim().is_empty() || line.starts_with([' ', '\t', '#']))
            .map(str::len)
            .sum();
        let class = &body[..end];
        rest = &body[end..];
        if !line.contains("Step") {
            continue;
        }
        let dedented: String = class.split_inclusive('\n').map(str::trim_start).collect();
        let id =
            python::assigned(&dedented, "ID").and_then(|value| python::strings(value).pop()).filter(|id| *id != name);
        let handlers = methods(given, class, &name);
        steps.push(DraftStep { name, id, handlers, phases: [Done::No; 3] });
    }
    steps
}

/// Where a line begins so.
fn find_line(text: &str, head: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(head) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// The handlers among a class's methods. `hide` and `rollback_hide` are what early versions called simdrop and its rollback.
fn methods(given: &Given<'_>, class: &str, step: &str) -> BTreeMap<Verb, Body> {
    let mut handlers = BTreeMap::new();
    let mut open: Option<(Verb, usize, String)> = None;
    for line in class.split_inclusive('\n').chain(["end"]) {
        let indent = line.len() - line.trim_start().len();
        // A comment may stand anywhere, as Python has it.
        let says = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let ends = says && open.as_ref().is_some_and(|(_, at, _)| indent <= *at);
        if ends && let Some((verb, _, body)) = open.take() {
            handlers.insert(verb, handler(given, &body.replace(python::JOINT, "\n"), step, verb));
        }
        let name = line.trim_start().strip_prefix("def ").map(|rest| rest.split('(').next().unwrap_or_default().trim());
        match (name, &mut open) {
            (Some(name), None) => {
                let verb = match name {
                    "hide" => Some(Verb::Simdrop),
                    "rollback_hide" => Some(Verb::RollbackSimdrop),
                    name => Verb::parse(name),
                };
                // What stands on the same line is all of it.
                let same_line = line.split_once("):").map_or("", |(_, rest)| rest.trim_start());
                open = verb.map(|verb| (verb, indent, same_line.to_owned()));
            }
            (_, Some((_, _, body))) => body.push_str(line),
            (None, None) => {}
        }
    }
    handlers
}

/// What a method does, if it is calls of `db` with string literals and nothing else.
fn handler(given: &Given<'_>, body: &str, step: &str, verb: Verb) -> Body {
    let lost = || Body::Lost {
        why: format!("{verb} of pygrate step {step} is Python code that is more than calls with SQL"),
        text: String::new(),
    };
    let mut sql = String::new();
    let mut shell = None;
    let mut rest = body;
    if let Some((_, after)) = python::string(rest.trim_start()) {
        rest = after;
    }
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if rest.is_empty() {
            break;
        }
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
            continue;
        }
        if let Some(after) = rest.strip_prefix("pass") {
            rest = after;
            continue;
        }
        let Some((call, after)) = rest.strip_prefix("db.").and_then(|rest| rest.split_once('(')) else { return lost() };
        let Some((value, after)) = python::string(after) else { return lost() };
        let Some(after) = after.trim_start_matches([' ', '\n', '\r', '\t', '\\']).strip_prefix(')') else {
            return lost();
        };
        rest = after;
        let file = || {
            let name = value.trim_start_matches("./");
            let path = given.folder.keys().find(|path| path.as_str() == name || path.ends_with(&format!("/{name}")))?;
            String::from_utf8(given.folder[path].clone()).ok()
        };
        match (call.trim(), shell.is_some()) {
            ("sql", false) => push(&mut sql, &value),
            ("sql_file", false) => match file() {
                Some(text) => push(&mut sql, &text),
                None => return lost(),
            },
            ("shell", false) if sql.is_empty() => match file() {
                Some(text) => shell = Some(text),
                None => return lost(),
            },
            _ => return lost(),
        }
    }
    match shell {
        Some(text) => Body::Shell { text },
        None => Body::Sql { text: text::unwrapped(given.dialect, &sql, false), alone: false },
    }
}

fn push(sql: &mut String, statement: &str) {
    let statement = statement.trim().trim_end_matches(';');
    if !statement.is_empty() {
        sql.push_str(statement);
        sql.push_str(";\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_at_the_margin_ends_no_method() {
        let (folder, printed, placeholders) = Default::default();
        let given = Given {
            dialect: crate::model::Dialect::Sqlite,
            folder: &folder,
            printed: &printed,
            table: "pygration_state",
            ledger: &[],
            placeholders: &placeholders,
        };
        let class = "    def add(self, db):\n        db.sql(\"A\")\n# todo\n  # and this\n        db.sql(\"B\")\n";
        let handlers = methods(&given, class, "x");
        let Some(Body::Sql { text, .. }) = handlers.get(&Verb::Add) else { panic!("{handlers:?}") };
        assert!(text.contains('A') && text.contains('B'), "{text}");
    }
}
