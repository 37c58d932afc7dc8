//! The audit trail as a table.

use super::{table, visible};
use crate::ledger::HistoryRow;
use std::io::{self, Write};

/// Writes the trail, as given. `width`: the terminal's, none elsewhere.
///
/// # Errors
/// Where the writer fails.
pub fn write(out: &mut impl Write, rows: &[HistoryRow], width: Option<u16>) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nothing yet");
    }
    let cells = rows.iter().map(cells).collect();
    table::write(out, &["time", "who", "what", "outcome", "run", "detail"], cells, width)
}

fn cells(row: &HistoryRow) -> Vec<String> {
    let about = match (row.release.as_str(), row.step.as_str()) {
        ("", "") => String::new(),
        (release, "") => format!(" {release}"),
        (release, step) => format!(" {release}/{step}"),
    };
    let statement = row.statement.map(|n| format!(" #{n}")).unwrap_or_default();
    // Errors have many lines; a row of the trail is one.
    let detail = row.detail.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = visible(&detail).into_owned();
    vec![
        row.at.to_string(),
        row.who.clone(),
        format!("{}{about}{statement}", row.verb),
        row.outcome.clone(),
        row.run.clone(),
        detail,
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::model::Time;

    #[test]
    fn an_event_is_a_line() {
        let row = HistoryRow {
            id: 1,
            at: Time(0),
            run: "01J".into(),
            command: "triphase ff".into(),
            who: "ann@ci".into(),
            tool: "0.1.0".into(),
            release: "v1".into(),
            step: "customers".into(),
            verb: "add".into(),
            statement: Some(2),
            hash: None,
            outcome: "failed".into(),
            detail: Some("no such\n  table".into()),
        };
        let mut out = vec![];
        write(&mut out, &[row], None).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words.join(" "), "1970-01-01T00:00:00Z ann@ci add v1/customers #2 failed 01J no such table");
    }
}
