//! A plan as text: every step, what runs for it to the letter, and what the way back costs.

use super::{Paint, count, events, indent, outcome};
use crate::{
    action::Action,
    ledger::Verdict,
    model::Label,
    plan::{Plan, Task},
};
use std::io::{self, Write};

/// Writes what a command would do. Findings are left to whoever reports errors.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, plan: &Plan, atomic: bool, paint: Paint) -> io::Result<()> {
    if !atomic && !plan.tasks.is_empty() {
        writeln!(
            out,
            "on this engine a handler does not commit as a whole: what fails leaves the statements before it"
        )?;
    }
    for task in &plan.tasks {
        step(out, task, paint)?;
    }
    outcome::waits(out, &plan.waits, paint)?;
    for note in &plan.notes {
        writeln!(out, "{note}")?;
    }
    if plan.tasks.is_empty() && plan.notes.is_empty() && plan.findings.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(())
}

/// Writes a plan's steps without their statements: what a person confirms.
///
/// # Errors
/// Where the writer fails.
pub fn brief(out: &mut impl Write, plan: &Plan, paint: Paint) -> io::Result<()> {
    for task in plan.tasks.iter().filter(|task| !task.is_empty()) {
        let own = (0..).zip(&task.handler.actions).filter(|(index, _)| !task.skips(*index)).count();
        let left = task.clears.len() + own;
        writeln!(out, "  {} ({}; {})", title(task, paint), count(left, "statement"), label(task))?;
    }
    Ok(())
}

fn step(out: &mut impl Write, task: &Task, paint: Paint) -> io::Result<()> {
    let actions = &task.handler.actions;
    if task.is_empty() {
        return writeln!(out, "{} {}", title(task, paint), paint.dim("(empty)"));
    }
    writeln!(out, "{} ({})", title(task, paint), label(task))?;
    if task.ask_each {
        writeln!(out, "  partly applied: what is so already is skipped")?;
    }
    for action in &task.clears {
        let why = paint.dim("  -- clears what was cut short; runs alone, outside a transaction");
        writeln!(out, "  -  {};{why}", indent(&action.text(), 5))?;
    }
    for (index, action) in (0..).zip(actions) {
        let mut marks = vec![];
        if index < task.from {
            marks.push("done already, skipped");
        } else if task.skips(index) {
            marks.push("is so already, skipped");
        } else if task.asked.get(&index) == Some(&Verdict::Unknown) && action.alone() {
            marks.push("a run asks here whether it is needed (5)");
        }
        if action.alone() && !matches!(action, Action::Operation { .. }) {
            marks.push("runs alone, outside a transaction");
        }
        let cost = match action {
            Action::Operation { act, .. } => act.cost().text(),
            Action::Sql { .. } | Action::Expect { .. } | Action::Shell { .. } => String::new(),
        };
        if !cost.is_empty() {
            marks.push(&cost);
        }
        let marks = if marks.is_empty() { String::new() } else { format!("  -- {}", marks.join("; ")) };
        let end = match action {
            Action::Sql { .. } | Action::Expect { .. } => ";",
            Action::Shell { .. } | Action::Operation { .. } => "",
        };
        writeln!(out, "  {}. {}{end}{}", index + 1, indent(&action.text(), 5), paint.dim(&marks))?;
    }
    Ok(())
}

/// `add v1/customers`, with the name where a renamed step has another than its id.
fn title(task: &Task, paint: Paint) -> String {
    let title = paint.strong(&events::what(&task.id, task.verb));
    if task.name == task.id.step { title } else { format!("{title} (now {})", task.name) }
}

fn label(task: &Task) -> &'static str {
    match task.label {
        // Whether the data is as before, a handler that is empty by its author's word does not tell.
        Label::Lossless if task.nothing_back() => "way back: nothing to run",
        Label::Lossless => "way back: lossless",
        Label::Lossy => "way back: lossy",
        Label::None => "no way back",
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::{
        action::{Checksum, Handler, Handlers},
        model::{StepId, Verb, Version},
    };

    pub fn task(verb: Verb, texts: &[(&str, bool)], from: u32) -> Task {
        Task {
            id: StepId::new(Version::parse("v1").unwrap(), "customers"),
            name: "customers".into(),
            verb,
            handler: Handler {
                checksum: Checksum::of([]),
                label: Label::Lossy,
                actions: texts
                    .iter()
                    .map(|(text, alone)| Action::Sql { text: (*text).into(), alone: *alone, done_when: None })
                    .collect(),
            },
            from,
            clears: Vec::new(),
            keep: Handlers::new(),
            label: Label::Lossy,
            ask_each: false,
            asked: Default::default(),
            marks: Vec::new(),
        }
    }

    #[test]
    fn a_plan_shows_every_statement_and_what_is_special_about_it() {
        let plan = Plan {
            tasks: vec![
                task(
                    Verb::Add,
                    &[("CREATE TABLE a (\n  b int\n)", false), ("CREATE INDEX CONCURRENTLY i ON a (b)", true)],
                    1,
                ),
                task(Verb::Simdrop, &[], 0),
            ],
            ..Plan::default()
        };
        let mut out = vec![];
        write(&mut out, &plan, true, Paint::PLAIN).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "add v1/customers (way back: lossy)\n  1. CREATE TABLE a (\n       b int\n     );  -- done already, skipped\n  \
             2. CREATE INDEX CONCURRENTLY i ON a (b);  -- runs alone, outside a transaction\nsimdrop v1/customers (empty)\n"
        );
        let mut out = vec![];
        brief(&mut out, &plan, Paint::PLAIN).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  add v1/customers (1 statement; way back: lossy)\n");
    }

    #[test]
    fn acts_are_shown_with_what_they_cost() {
        use crate::ops::{Act, Does, Edit};
        let edits = vec![Edit::HideField { name: "note".into(), hidden: "_tp_1_note".into() }];
        let act = |blocks: Option<&str>| Action::Operation {
            by: "1.0.0".into(),
            step: StepId::new(Version::parse("v1").unwrap(), "customers"),
            verb: Verb::Simdrop,
            number: 1,
            act: Box::new(Act {
                blocks: blocks.map(str::to_owned),
                ..Act::new("raw/events", Does::Commit { checks: vec![], edits: edits.clone() })
            }),
        };
        let mut shown = task(Verb::Simdrop, &[], 0);
        shown.handler.actions = vec![act(None), act(Some("appends of delta-rs that omit `_tp_1_note`"))];
        let plan = Plan { tasks: vec![shown], ..Plan::default() };
        let mut out = vec![];
        write(&mut out, &plan, false, Paint::PLAIN).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "on this engine a handler does not commit as a whole: what fails leaves the statements before it\nsimdrop v1/customers (way back: lossy)\n  \
             1. commit to `raw/events`\n         hide column `note` as `_tp_1_note`  -- instant\n  \
             2. commit to `raw/events`\n         hide column `note` as `_tp_1_note`  -- blocking: appends of delta-rs that omit `_tp_1_note`\n"
        );
    }

    #[test]
    fn an_empty_plan_says_so() {
        let mut out = vec![];
        write(&mut out, &Plan::default(), true, Paint::PLAIN).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "nothing to do\n");
    }
}
