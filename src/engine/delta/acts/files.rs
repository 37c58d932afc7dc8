//! A table's live files, and how they are taken in groups: each group is read, written anew, and kept or committed by itself.

use super::super::trouble::Trouble;
use deltalake::{DeltaTable, kernel::LogicalFileView};
use serde_json::Value;
use std::cmp::Ordering;

/// How much one group reads, in bytes; a larger file is a group of its own.
const GROUP: u64 = 512 << 20;
/// The same where rows are sorted into other files: more at once, so that those are not too small.
const SORTED_GROUP: u64 = 4 << 30;

/// A live file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path and deletion vector: a file that gets another vector has lost rows, and is another one.
    pub key: String,
    /// Its path, as the log has it.
    pub path: String,
    /// Its rows but for those that its vector deletes, where its statistics say so.
    pub rows: Option<u64>,
    /// In bytes.
    pub bytes: u64,
    /// What it is sorted by: its partition, then the least value of a column.
    order: (Vec<(String, Option<String>)>, Value),
}

/// A table's live files, those of a partition together, in the order of a column's least values where one is named.
///
/// # Errors
/// Where nothing is known of the table.
pub fn live(table: &DeltaTable, by: Option<&str>) -> Result<Vec<Source>, Trouble> {
    let state = table.snapshot()?;
    let mut files: Vec<Source> = state.log_data().iter().map(|file| source(&file, by)).collect();
    files.sort_by(|a, b| {
        a.order.0.cmp(&b.order.0).then_with(|| compare(&a.order.1, &b.order.1)).then_with(|| a.path.cmp(&b.path))
    });
    Ok(files)
}

/// Names a file and its deletion vector.
pub fn key(file: &LogicalFileView) -> String {
    match file.deletion_vector_descriptor() {
        None => file.path().into_owned(),
        Some(vector) => format!("{} {} {:?}", file.path(), vector.path_or_inline_dv, vector.offset),
    }
}

fn source(file: &LogicalFileView, by: Option<&str>) -> Source {
    let deleted = file.deletion_vector_descriptor().map_or(0, |vector| vector.cardinality);
    let rows = file.num_records().and_then(|rows| u64::try_from(rows).ok());
    let mut partition: Vec<_> = file.partition_values_map().into_iter().collect();
    partition.sort();
    let least = by.and_then(|column| {
        let stats: Value = serde_json::from_str(&file.stats()?).ok()?;
        stats["minValues"].get(column).cloned()
    });
    Source {
        key: key(file),
        path: file.path().into_owned(),
        rows: rows.map(|rows| rows.saturating_sub(u64::try_from(deleted).unwrap_or_default())),
        bytes: u64::try_from(file.size()).unwrap_or_default(),
        order: (partition, least.unwrap_or_default()),
    }
}

/// Numbers by size, texts by their letters; what can't be compared is alike.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

/// How many rows files have in all; `None` where the statistics of one do not say.
pub fn rows<'a>(files: impl IntoIterator<Item = &'a Source>) -> Option<u64> {
    files.into_iter().map(|file| file.rows).sum()
}

/// Files in groups, in their order. `batch`: about how many rows a group has, and no more than one file needs.
pub fn groups(files: Vec<Source>, batch: Option<u64>, sorted: bool) -> Vec<Vec<Source>> {
    let limit = if sorted { SORTED_GROUP } else { GROUP };
    let (mut all, mut group, mut bytes, mut rows) = (vec![], Vec::<Source>::new(), 0_u64, 0_u64);
    for file in files {
        let full = bytes + file.bytes > limit || batch.is_some_and(|batch| rows + file.rows.unwrap_or(batch) > batch);
        if full && !group.is_empty() {
            all.push(std::mem::take(&mut group));
            (bytes, rows) = (0, 0);
        }
        bytes += file.bytes;
        rows += file.rows.unwrap_or_default();
        group.push(file);
    }
    if !group.is_empty() {
        all.push(group);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, rows: Option<u64>, bytes: u64) -> Source {
        Source { key: path.to_owned(), path: path.to_owned(), rows, bytes, order: (vec![], Value::Null) }
    }

    fn taken(groups: &[Vec<Source>]) -> Vec<String> {
        groups.iter().map(|group| group.iter().map(|file| file.path.as_str()).collect()).collect()
    }

    #[test]
    fn groups_keep_their_order_and_are_no_larger_than_a_file_makes_them() {
        let small = || vec![file("a", Some(3), 1), file("b", Some(3), 1), file("c", Some(9), 1), file("d", Some(1), 1)];
        assert_eq!(taken(&groups(small(), None, false)), ["abcd"]);
        assert_eq!(taken(&groups(small(), Some(6), false)), ["ab", "c", "d"]);
        assert_eq!(taken(&groups(small(), Some(1), false)), ["a", "b", "c", "d"]);
        let large = || vec![file("a", None, 400 << 20), file("b", None, 400 << 20), file("c", None, 2 << 30)];
        assert_eq!(taken(&groups(large(), None, false)), ["a", "b", "c"]);
        assert_eq!(taken(&groups(large(), None, true)), ["abc"]);
        assert!(groups(vec![], None, false).is_empty());
    }
}
