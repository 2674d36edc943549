//! Figures found in the tables that benchmarks print.

use crate::figures;

/// A number in a table, and the cell after it where that tells how far apart the rounds were.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) value: f64,
    pub(super) shown: String,
    pub(super) spread: Option<String>,
}

/// How columns are named that tell where most rounds were.
pub(super) const SPREAD: &str = "eight of ten rounds";

/// The number in the first table with such a column and a row that has these words in its cells, from the first on.
pub(super) fn find(markdown: &str, row: &[&str], column: &str) -> Option<Found> {
    let mut head: Vec<&str> = Vec::new();
    for line in markdown.lines() {
        let Some(cells) = cells(line) else {
            head.clear();
            continue;
        };
        if head.is_empty() {
            head = cells;
            continue;
        }
        let Some(at) = head.iter().position(|name| *name == column) else { continue };
        if !cells.starts_with(row) {
            continue;
        }
        let shown = (*cells.get(at)?).to_owned();
        let spread = head.get(at + 1).filter(|name| **name == SPREAD).and_then(|_| cells.get(at + 1));
        return Some(Found { value: figures::read(&shown)?, shown, spread: spread.map(|spread| (*spread).to_owned()) });
    }
    None
}

/// The cells of a table's row.
pub(super) fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_row_and_column() {
        let markdown = "| clients | from | p50 | p99 |\n|---|---|---|---|\n| 1 | 2xx | 0 ms | 1.74 ms |\n\n\
            text\n\n| clients | p99 | eight of ten rounds |\n|---|---|---|\n| 1 | 2,000 ms | 1 to 2 |\n| 2 | none | |\n";
        let found = |row: &[&str], column| find(markdown, row, column);
        assert_eq!(found(&["1", "2xx"], "p99").unwrap().value, 1.74);
        assert_eq!(found(&["1"], "p99").unwrap().shown, "1.74 ms", "the first table that has it");
        let second = find(&markdown[60..], &["1"], "p99");
        assert_eq!(second.map(|found| (found.value, found.spread)), Some((2000.0, Some("1 to 2".to_owned()))));
        assert_eq!((found(&["3"], "p99"), found(&["1"], "p90"), found(&["2"], "p99")), (None, None, None));
    }
}
