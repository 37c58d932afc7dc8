//! delta-migrations, whose history is a Delta table with the columns `script_name` and `applied`. Its scripts are Python and become no
//! releases by themselves: steps that are written for them take their names as ids, and are stamped by these. Pure.

use crate::{
    engine::rows::TextRow,
    model::{Dialect, Phase, StepId},
    plan::Mark,
    release::{Project, Step},
    sql,
};
use std::collections::BTreeMap;

/// What the history says of a project's steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// All phases of the steps whose script is applied.
    pub marks: Vec<Mark>,
    /// Applied scripts that no step has.
    pub strange: Vec<String>,
    /// Scripts of the history that are not applied.
    pub waiting: Vec<String>,
    /// How many scripts are applied.
    pub applied: usize,
}

/// The columns that the history has.
const COLUMNS: [&str; 2] = ["script_name", "applied"];

/// Asks for the history's columns.
pub fn describe(table: &str) -> String {
    format!("DESCRIBE delta.{}", sql::ident(Dialect::Delta, table))
}

/// Why a table can't be the history, by the answer to [`describe`]; `None`: it can.
pub fn unfit(table: &str, columns: &[TextRow]) -> Option<String> {
    let found: Vec<&str> = columns.iter().filter_map(|row| row.first()?.as_deref()).collect();
    let missing = COLUMNS.iter().find(|name| !found.contains(name))?;
    Some(format!(
        "table `{table}` has no column `{missing}`, as a history of delta-migrations has; it has {}",
        found.join(", ")
    ))
}

/// Asks for the history.
pub fn query(table: &str) -> String {
    format!("SELECT script_name, applied FROM delta.{}", sql::ident(Dialect::Delta, table))
}

/// Reads the answer to [`query`]: a script is a step's by its id, else by its name. One that is in the history more than once counts by
/// any row that says applied.
pub fn read(project: &Project, rows: &[TextRow]) -> Read {
    let mut scripts: BTreeMap<&str, bool> = BTreeMap::new();
    for row in rows {
        let Some(Some(name)) = row.first() else { continue };
        // A time, or a truth.
        let applied = row.get(1).and_then(Option::as_deref).is_some_and(|text| !matches!(text, "" | "false" | "0"));
        *scripts.entry(name).or_default() |= applied;
    }
    let steps = || project.releases.iter().flat_map(|release| &release.steps).filter(|step| !step.id.is_hook());
    let named =
        |script: &str, of: fn(&Step) -> &str| steps().find(|step| of(step) == script).map(|step| step.id.clone());
    let mut read = Read::default();
    let mut ids: Vec<StepId> = Vec::new();
    for (script, applied) in scripts {
        if !applied {
            read.waiting.push(script.to_owned());
            continue;
        }
        read.applied += 1;
        match named(script, |step| &step.id.step).or_else(|| named(script, |step| &step.name)) {
            Some(id) => ids.push(id),
            None => read.strange.push(script.to_owned()),
        }
    }
    // Release by release, as runs would have done it.
    for release in &project.releases {
        for phase in Phase::ALL {
            let of_release = release.steps.iter().filter(|step| ids.contains(&step.id));
            read.marks.extend(of_release.map(|step| Mark { step: step.id.clone(), phase: *phase, rolled_back: false }));
        }
    }
    read
}

impl Read {
    /// What is said of it besides what was stamped.
    pub fn told(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "the history has {} applied scripts, {} of them steps",
            self.applied,
            self.applied - self.strange.len()
        )];
        if !self.strange.is_empty() {
            notes.push(format!("no step has: {}", self.strange.join(", ")));
        }
        if !self.waiting.is_empty() {
            notes.push(format!("not applied: {}", self.waiting.join(", ")));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::fixture::{id, project};

    fn row(name: &str, applied: Option<&str>) -> TextRow {
        vec![Some(name.to_owned()), applied.map(str::to_owned)]
    }

    #[test]
    fn a_table_of_other_columns_is_no_history() {
        let rows = |names: &[&str]| names.iter().map(|name| row(name, Some("Utf8"))).collect::<Vec<_>>();
        let said = unfit("h", &rows(&["script", "applied"])).unwrap_or_default();
        assert!(said.contains("no column `script_name`") && said.contains("script, applied"), "{said}");
        assert_eq!(unfit("h", &rows(&["applied", "script_name", "more"])), None);
    }

    #[test]
    fn scripts_are_steps_by_id_else_by_name() {
        let mut files = project(&[("v1", &["a add:X", "b add:Y"]), ("v2", &["c add:Z"])]);
        if let Some(step) = files.releases.first_mut().and_then(|release| release.steps.get_mut(1)) {
            step.id = id("v1", "0002_b.py");
        }
        let rows = [
            row("a", Some("2021-11-03T10:00:00")),
            row("0002_b.py", Some("true")),
            row("0003_gone.py", Some("true")),
            row("c", Some("false")),
            row("c", None),
        ];
        let read = read(&files, &rows);
        let marked: Vec<String> = read.marks.iter().map(|mark| format!("{} {}", mark.step, mark.phase)).collect();
        assert_eq!(
            marked,
            ["v1/a add", "v1/0002_b.py add", "v1/a simdrop", "v1/0002_b.py simdrop", "v1/a drop", "v1/0002_b.py drop"]
        );
        assert_eq!(
            (read.strange.as_slice(), read.waiting.as_slice()),
            (["0003_gone.py".to_owned()].as_slice(), ["c".to_owned()].as_slice())
        );
        assert_eq!(read.told()[0], "the history has 3 applied scripts, 2 of them steps");
        assert_eq!(query("ops/h"), "SELECT script_name, applied FROM delta.`ops/h`");
    }
}
