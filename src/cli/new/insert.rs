//! A step more in a release file: its lines are put behind those of the last step, and every other byte stays as it is. What comes of it is
//! read again, and must be what was there and the step.

use super::snippet::Snippet;
use crate::{
    model::{Class, Finding},
    release::yaml::{Document, Node, Tree},
};
use std::sync::Arc;

/// The text with the step in it.
pub fn into(file: &str, text: &Arc<str>, step: &Snippet<'_>) -> Result<String, Box<Finding>> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    // The last line ends from now on: it is no longer the last.
    let text: &Arc<str> = &if text.ends_with('\n') { text.clone() } else { format!("{text}{end}").into() };
    let before = Document::read(file, text)?;
    let by_hand = |why: &str| {
        let message = format!("{file}: {why}, where a step can't be put in by itself");
        Box::new(Finding::new(Class::Usage, "", message).way_out("write the step by hand"))
    };
    let mut findings = vec![];
    let top = before.top();
    let keys = top.entries(&mut findings);
    let at = keys.iter().position(|(key, _)| *key == "steps").ok_or_else(|| by_hand("it has no `steps`"))?;
    let steps = keys[at].1.entries(&mut findings);
    if let Some(finding) = findings.pop() {
        return Err(Box::new(finding));
    }
    if let Some((_, node)) = steps.iter().find(|(name, _)| *name == step.name) {
        let message = format!("step `{}` is there already", step.name);
        return Err(Box::new(
            Finding::new(Class::Usage, "F5", message).way_out("give the new step another name").at(node.key_place()),
        ));
    }
    let (Some((_, first)), Tree::Map(_)) = (steps.first(), keys[at].1.tree()) else {
        return Err(by_hand("its `steps` are empty"));
    };
    let indent = first.key_place().column() - 1;
    let snippet = step.text(indent, inner(first, indent), end);
    let region = keys.get(at + 1).map_or(text.len(), |(_, next)| line_start(text, next.key_place().span.start));
    // Steps that are set apart by blank lines stay so, unless those would belong to a text above.
    let blank = if apart(text, &steps) { end } else { "" };
    for place in [after_content(text, region, indent), region] {
        for blank in [blank, ""] {
            let then = format!("{}{blank}{snippet}{}", &text[..place], &text[place..]);
            if is_one_more(file, &before, &then, at, step.name) {
                return Ok(then);
            }
        }
    }
    Err(by_hand("its `steps` are not written line by line"))
}

/// How far a step's keys are moved in from its name.
fn inner(step: &Node<'_>, indent: usize) -> usize {
    let mut findings = vec![];
    let keys = step.entries(&mut findings);
    let below = keys.first().map(|(_, key)| key.key_place()).filter(|place| place.line() > step.key_place().line());
    below.and_then(|place| (place.column() - 1).checked_sub(indent)).filter(|by| *by > 0).unwrap_or(2)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the last line before `region` that is a step's: blank lines and comments further out belong to what follows.
fn after_content(text: &str, region: usize, indent: usize) -> usize {
    let mut end = region;
    for line in text[..region].split_inclusive('\n').rev() {
        let blanks = line.len() - line.trim_start().len();
        let outside = line.trim().is_empty() || (line.trim_start().starts_with('#') && blanks < indent);
        if !outside {
            break;
        }
        end -= line.len();
    }
    end
}

/// Whether the last step has a blank line before it.
fn apart(text: &str, steps: &[(&str, Node<'_>)]) -> bool {
    let [.., _, (_, last)] = steps else { return false };
    let start = line_start(text, last.key_place().span.start);
    let mut above = text[..start].lines().rev().skip_while(|line| line.trim_start().starts_with('#'));
    above.next().is_some_and(|line| line.trim().is_empty())
}

/// Whether a text says what the document does, with one step more behind the others.
fn is_one_more(file: &str, before: &Document, text: &str, at: usize, name: &str) -> bool {
    let Ok(after) = Document::read(file, &text.into()) else { return false };
    let (Tree::Map(old), Tree::Map(new)) = (before.top().tree(), after.top().tree()) else { return false };
    old.len() == new.len()
        && old.iter().zip(new).enumerate().all(|(n, (old, new))| match (&old.1, &new.1) {
            (Tree::Map(steps), Tree::Map(more)) if n == at => {
                old.0 == new.0
                    && more.split_last().is_some_and(|(last, rest)| last.0 == name && rest == steps.as_slice())
            }
            _ => old == new,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::model::Verb;
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    fn add(text: &str, name: &str) -> Result<String, String> {
        let handlers = [(Verb::Add, "SELECT 1")];
        let step = Snippet { name, handlers: &handlers, ..Snippet::default() };
        into("releases/v1.yaml", &text.into(), &step).map_err(|finding| finding.message)
    }

    #[test]
    fn every_other_byte_stays() {
        for (before, after) in [
            ("steps:\n  a:\n    add: X\n", "steps:\n  a:\n    add: X\n  b:\n    add: SELECT 1\n"),
            ("steps:\n  a:\n    add: X", "steps:\n  a:\n    add: X\n  b:\n    add: SELECT 1\n"),
            ("steps:\r\n  a: {add: X}\r\n", "steps:\r\n  a: {add: X}\r\n  b:\r\n    add: SELECT 1\r\n"),
            // Four blanks, a comment of the step, one of what follows, a blank line between steps.
            (
                "# top\nsteps:\n    a:\n        add: X\n\n    c:\n        add: |\n            # code\n\n            Y\n    # of c\n\n# of before\nbefore: {add: [Z]}\n",
                "# top\nsteps:\n    a:\n        add: X\n\n    c:\n        add: |\n            # code\n\n            Y\n    # of c\n\n    b:\n        add: SELECT 1\n\n# of before\nbefore: {add: [Z]}\n",
            ),
            // A block that keeps its trailing blank lines: the step goes behind them.
            (
                "steps:\n  a:\n    add: |+\n      X\n\n",
                "steps:\n  a:\n    add: |+\n      X\n\n  b:\n    add: SELECT 1\n",
            ),
        ] {
            assert_eq!(add(before, "b").unwrap(), after);
        }
    }

    #[test]
    fn what_can_not_be_done_is_refused() {
        for (text, why) in [
            ("steps: {a: {add: X}}\n", "not written line by line"),
            ("steps:\n  b:\n    add: X\n", "is there already"),
            ("description: x\n", "no `steps`"),
            ("steps: {}\n", "are empty"),
            ("steps:\n  a: {add: X}\n  a: {add: X}\n", "twice"),
        ] {
            let message = add(text, "b").unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn names_that_yaml_would_read_otherwise_are_quoted() {
        for name in ["yes", "12", "a: b", "#x", "null", "é", "-", "1e3", "true", "[x]", "a\"b"] {
            let text = add("steps:\n  a: {add: X}\n", name).unwrap();
            let document = Document::read("f", &text.as_str().into()).unwrap();
            let mut findings = vec![];
            let steps = document.top().entries(&mut findings)[0].1.entries(&mut findings);
            assert_eq!(steps[1].0, name);
        }
    }

    /// A release of block-style steps as people lay them out: indentation, comments, blank lines, every kind of scalar, and what follows.
    fn release() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("X"),
            Just("'X: y'"),
            Just("|\n~~X\n\n~~# code\n~~Y"),
            Just("|+\n~~X\n\n"),
            Just("|-\n~~X\n~~  Y"),
            Just(">\n~~X\n~~Y"),
            Just("\n~- X\n~# why\n~- sql: |\n~~~Y"),
            Just("&a X"),
            Just("\"X\\\n~~Y\""),
        ];
        let trail = prop_oneof![
            Just(""),
            Just("\n"),
            Just("\n\n"),
            Just("# out\n"),
            Just("~# in\n"),
            Just("\n~# in\n\n# out\n")
        ];
        let step = (scalar, trail, any::<bool>());
        let after =
            prop_oneof![Just(""), Just("before: {add: [X]}\n"), Just("# next\nafter:\n  add: [X]\n"), Just("...\n")];
        (proptest::collection::vec(step, 1..4), after, 1..5_usize, any::<bool>(), any::<bool>()).prop_map(
            |(steps, after, by, windows, cut)| {
                let blanks = " ".repeat(by);
                let mut text = "# top\ndescription: d\nsteps: # here\n".to_owned();
                for (n, (scalar, trail, flow)) in steps.iter().enumerate() {
                    let body =
                        if *flow { " {add: X}".to_owned() } else { format!("\n~~add: {}", scalar.replace('~', "~~~")) };
                    text.push_str(&format!("~s{n}:{body}\n{trail}").replace('~', &blanks));
                }
                text.push_str(after);
                let text = if windows { text.replace('\n', "\r\n") } else { text };
                if cut { text.trim_end().to_owned() } else { text }
            },
        )
    }

    proptest! {
        #[test]
        fn whatever_the_layout_only_the_step_is_new(text in release()) {
            let readable = Document::read("f", &text.as_str().into()).is_ok();
            prop_assume!(readable);
            let then = match add(&text, "new") {
                Ok(then) => then,
                // A document's end mark may stand in the way; then nothing is done.
                Err(why) => {
                    prop_assert!(text.trim_end().ends_with("..."), "{why}");
                    return Ok(());
                }
            };
            // The last line may lack its end.
            let end = if text.contains('\r') { "\r\n" } else { "\n" };
            let text = if text.ends_with('\n') { text } else { text + end };
            let same = |(a, b): &(u8, u8)| a == b;
            let before = text.bytes().zip(then.bytes()).take_while(same).count();
            let behind = text.bytes().rev().zip(then.bytes().rev()).take_while(same).count();
            prop_assert!(before + behind >= text.len(), "{}", then);
            prop_assert!(then.matches("add: SELECT 1").count() == 1);
        }
    }
}
