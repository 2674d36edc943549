//! Comparing texts, with their case folded where that is asked: while comparing, without a copy.

/// Whether two texts are the same.
pub(crate) fn equals(text: &str, other: &str, ignore_case: bool) -> bool {
    if ignore_case { folded(text).eq(folded(other)) } else { text == other }
}

/// Whether a text begins with another.
pub(crate) fn starts_with(text: &str, start: &str, ignore_case: bool) -> bool {
    if ignore_case {
        let mut chars = folded(text);
        folded(start).all(|expected| chars.next() == Some(expected))
    } else {
        text.starts_with(start)
    }
}

/// Whether a text ends with another.
pub(crate) fn ends_with(text: &str, end: &str, ignore_case: bool) -> bool {
    if ignore_case {
        let mut chars = folded(text).rev();
        folded(end).rev().all(|expected| chars.next() == Some(expected))
    } else {
        text.ends_with(end)
    }
}

/// Whether a text has another in it.
pub(crate) fn contains(text: &str, part: &str, ignore_case: bool) -> bool {
    if ignore_case {
        part.is_empty() || text.char_indices().any(|(at, _)| starts_with(&text[at..], part, true))
    } else {
        text.contains(part)
    }
}

/// The letters of a text, with their case folded.
pub(crate) fn folded(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone + '_ {
    text.chars().flat_map(char::to_lowercase)
}
