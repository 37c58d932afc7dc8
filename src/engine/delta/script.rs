//! What a run would commit, as text to be read: no client runs a script on a lake, so this one is for a person.

use super::{evidence, unit};
use crate::{
    action::Action,
    engine::Me,
    ledger::{Begin, Entry, Ledger, Unit},
    model::{Class, Dialect, Finding, StepId, Verb},
    sql,
    target::Target,
};
use std::fmt::Write as _;

/// Writes it.
///
/// # Errors
/// Where an action is none that a lake runs.
pub fn script(target: &Target, seen: &Ledger, begin: &Begin, units: &[Unit], me: &Me) -> Result<String, Finding> {
    let mut text = String::new();
    let lake = &target.connection.database;
    let tool = crate::engine::rows::TOOL;
    line(&mut text, 0, &format!("triphase {tool}: {}: to be read; no client runs it", me.command));
    line(
        &mut text,
        0,
        &format!("lake {lake}, ledger at event {}; each commit only on the version that was read", seen.revision),
    );
    if begin.create {
        line(&mut text, 0, "create _triphase/ledger, _triphase/lease");
    }
    line(&mut text, 0, "ledger: this run begins");
    for unit in units {
        self::written(&mut text, unit)?;
    }
    Ok(text)
}

fn written(text: &mut String, unit: &Unit) -> Result<(), Finding> {
    for note in &unit.notes {
        line(text, 0, &format!("# {note}"));
    }
    entries(text, &unit.opens);
    let last = unit::ends(&unit.closes);
    for action in &unit.actions {
        match action {
            Action::Sql { text: statement, .. } => {
                let dml = sql::lake::read(statement)
                    .map_err(|refused| Finding::new(Class::Usage, "F2", refused.message).way_out(refused.way_out))?;
                line(text, 0, &format!("commit to {}", sql::ident(Dialect::Delta, &dml.table().path)));
                line(text, 1, statement);
                if let Some((id, verb, statement)) = unit::attempted(&unit.opens) {
                    evidence(text, id, verb, statement + 1, last);
                }
            }
            Action::Expect { query } => {
                line(text, 0, "expect one true value");
                line(text, 1, query);
            }
            Action::Operation { step, verb, number, .. } => {
                line(text, 0, &action.text());
                evidence(text, step, *verb, *number, last);
            }
            Action::Shell { file, .. } => {
                return Err(Finding::new(
                    Class::Usage,
                    "F4",
                    format!("`shell: {}` is not run on a lake", file.display()),
                ));
            }
        }
    }
    entries(text, &unit.closes);
    Ok(())
}

/// What the commit says of itself (rule D2). Which attempt it is, is known once it is made.
fn evidence(text: &mut String, id: &StepId, verb: Verb, statement: u32, last: bool) {
    let digits = evidence::number(0, verb, last);
    line(text, 1, &format!("txn: appId {}, version <attempt>{digits}", evidence::app(id)));
    let whose = format!("release {}, step {}, phase {verb}, statement {statement}", id.release, id.step);
    line(text, 1, &format!("commitInfo.triphase: {whose}, run <run>"));
}

fn entries(text: &mut String, entries: &[Entry]) {
    for entry in entries {
        let said = match entry {
            Entry::Step { id, phase, row, event, .. } => match event.statement {
                Some(statement) => format!("{id} {phase} {}, statement {} {}", row.state, statement + 1, event.outcome),
                None => format!("{id} {phase} {}", row.state),
            },
            Entry::Replace { id, row: Some(_), .. } => format!("{id} is rewritten"),
            Entry::Replace { id, row: None, .. } => format!("{id} is forgotten"),
            Entry::Keep { id, .. } => format!("{id} keeps other handlers"),
            Entry::Rename { from, to, .. } => format!("{from} is {to} from now on"),
            Entry::Upgrade { from, .. } => format!("format {from} becomes {}", crate::ledger::Format::CURRENT),
            Entry::Rollout { release, said: true, .. } => format!("{release} is rolled out"),
            Entry::Rollout { release, said: false, .. } => format!("the rollout of {release} is void"),
        };
        line(text, 0, &format!("ledger: {said}"));
    }
}

/// One line, or several of the same indent.
fn line(text: &mut String, indent: usize, said: &str) {
    for said in said.lines() {
        // Writing into a string can't fail.
        let _ = writeln!(text, "{}{said}", "    ".repeat(indent));
    }
}
