//! Tables that fit.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::io::{self, Write};

/// The blanks between two columns.
const GAP: u16 = 2;

/// Each column's longest word, in characters, with the blanks behind it: narrower, a word of it would be broken.
fn words(header: &[&str], rows: &[Vec<String>]) -> Vec<u16> {
    let longest = |text: &str| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let of_column = |(at, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| longest(cell));
        let longest = cells.chain([longest(name)]).max().unwrap_or(0);
        u16::try_from(longest).unwrap_or(u16::MAX).saturating_add(GAP)
    };
    header.iter().enumerate().map(of_column).collect()
}

/// Whether a table can be written so wide that no word has to be broken.
pub fn fits(header: &[&str], rows: &[Vec<String>], width: u16) -> bool {
    words(header, rows).iter().map(|&word| u32::from(word)).sum::<u32>() <= u32::from(width)
}

/// Narrower than this no table is told from a column of letters: the terminal wraps its lines.
const NARROWEST: u16 = 40;

/// Writes a table. `width`: the terminal's; without it nothing is wrapped, so that a line stays a line for `grep`. A terminal that says 0
/// does not know it.
pub fn write(out: &mut impl Write, header: &[&str], rows: Vec<Vec<String>>, width: Option<u16>) -> io::Result<()> {
    let mut table = Table::new();
    let least = width.filter(|width| fits(header, &rows, *width)).map(|_| words(header, &rows)).unwrap_or_default();
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
        column.set_padding((0, GAP));
    }
    for (column, least) in table.column_iter_mut().zip(least) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
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
