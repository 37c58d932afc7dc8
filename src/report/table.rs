//! Tables that fit.

use comfy_table::{ContentArrangement, Table, presets};
use std::io::{self, Write};

/// Narrower than this no table is told from a column of letters: the terminal wraps its lines.
const NARROWEST: u16 = 40;

/// Writes a table. `width`: the terminal's; without it nothing is wrapped, so that a line stays a line for `grep`. A terminal that says 0
/// does not know it.
pub fn write(out: &mut impl Write, header: &[&str], rows: Vec<Vec<String>>, width: Option<u16>) -> io::Result<()> {
    let mut table = Table::new();
    table.force_no_tty().load_style(presets::NOTHING).set_header(header.to_vec());
    match width {
        Some(width) if width > 0 => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(NARROWEST));
        }
        Some(_) | None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_row_stays_a_line_without_a_terminal_and_wraps_on_a_narrow_one() {
        let rows = || vec![vec!["v1".to_owned(), "word ".repeat(30).trim().to_owned()]];
        let mut wide = vec![];
        write(&mut wide, &["release", "text"], rows(), None).unwrap();
        let mut unknown = vec![];
        write(&mut unknown, &["release", "text"], rows(), Some(0)).unwrap();
        assert_eq!(unknown, wide, "a terminal without a size");
        assert_eq!(String::from_utf8(wide).unwrap().lines().count(), 2);
        let mut narrow = vec![];
        write(&mut narrow, &["release", "text"], rows(), Some(40)).unwrap();
        let narrow = String::from_utf8(narrow).unwrap();
        let mut narrower = vec![];
        write(&mut narrower, &["release", "text"], rows(), Some(1)).unwrap();
        assert_eq!(String::from_utf8(narrower).unwrap(), narrow, "a letter a line");
        assert!(narrow.lines().count() > 4 && narrow.lines().all(|l| l.chars().count() <= 40), "{narrow}");
    }
}
