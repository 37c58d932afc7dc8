//! Statements that are sent as one text, and which of them it was that failed.

use super::error::Broken;

/// What a statement of a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Transaction, settings, fence.
    Frame,
    /// A statement of an earlier unit of the handler, which sets the session.
    Setup,
    /// The unit's action of that index.
    Action(usize),
    /// A ledger row.
    Ledger,
    /// What is triphase's own after a handler's actions: a handler may have taken away what that needs.
    After,
    /// The commit: deferred constraints speak here.
    Commit,
}

/// Statements in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: String,
    /// With each statement's first character in `text`.
    parts: Vec<(Part, usize)>,
    length: usize,
}

impl Batch {
    /// Begins with a comment. Before the first statement.
    pub(super) fn note(&mut self, note: &str) {
        self.text.push_str(note);
        self.length += note.chars().count();
    }

    /// Adds one statement, without its final `;`.
    pub(super) fn push(&mut self, part: Part, statement: &str) {
        self.parts.push((part, self.length));
        self.text.push_str(statement);
        // On a line of its own: a statement may end in a comment.
        self.text.push_str("\n;\n");
        self.length += statement.chars().count() + 3;
    }

    /// Adds statements of one kind.
    pub(super) fn extend<S: AsRef<str>>(&mut self, part: Part, statements: impl IntoIterator<Item = S>) {
        for statement in statements {
            self.push(part, statement.as_ref());
        }
    }

    /// The text to send; the places stay.
    pub(super) fn text(&self) -> String {
        self.text.clone()
    }

    /// The statement that failed. A text is parsed before any of it runs, so a syntax error is told by its position.
    pub(super) fn failed(&self, broken: &Broken) -> Part {
        let index = match broken.position() {
            Some(at) if broken.results.is_empty() => {
                self.parts.partition_point(|(_, start)| *start <= at).saturating_sub(1)
            }
            _ => broken.results.len(),
        };
        self.parts.get(index).or(self.parts.last()).map_or(Part::Frame, |(part, _)| *part)
    }
}
