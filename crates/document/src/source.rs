//! Texts with a name, and where in them a byte lies.

use std::cell::Cell;

/// A text to read: a file, or the body of an API request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What diagnostics call it: the file's path, or `body`.
    pub name: String,
    /// YAML or JSON.
    pub text: String,
    /// The first byte of the text that stands for bytes that are no UTF-8.
    pub(crate) invalid: Option<usize>,
}

/// A range of bytes of a source's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Source {
    /// A source of this name and text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), invalid: None }
    }

    /// A source of these bytes. Where they are no UTF-8, reading it says so, with the place.
    #[must_use]
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(name, text),
            Err(error) => {
                let invalid = Some(error.utf8_error().valid_up_to());
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { name: name.into(), text, invalid }
            }
        }
    }
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// Finds the line and the column of a byte.
#[derive(Debug)]
pub(crate) struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The last place that was asked for, and the characters before it in its line: many are asked for in order, and a line may be
    /// a whole document.
    last: Cell<(usize, usize)>,
}

impl<'t> LineIndex<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect(), last: Cell::default() }
    }

    /// Line and column, both from 1; columns count characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts[line - 1];
        let (last, counted) = self.last.get();
        let (from, counted) = if (start..=byte).contains(&last) { (last, counted) } else { (start, 0) };
        let characters = counted + self.text.get(from..byte).unwrap_or_default().chars().count();
        self.last.set((byte, characters));
        (line, characters + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let index = LineIndex::new("ab\nü: x\n");
        for (byte, position) in [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (5, (2, 2)), (9, (3, 1)), (99, (3, 1))] {
            assert_eq!(index.position(byte), position, "{byte}");
        }
        for (byte, position) in
            [(9, (3, 1)), (7, (2, 4)), (5, (2, 2)), (6, (2, 3)), (6, (2, 3)), (1, (1, 2)), (3, (2, 1))]
        {
            assert_eq!(index.position(byte), position, "{byte}, in whatever order they are asked for");
        }
    }
}
