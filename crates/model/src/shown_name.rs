//! Names that anybody may have made up, as they are shown to people.

use std::borrow::Cow;

use crate::limits::UNKNOWN_FLAG_LENGTH_MAX;

/// A name of bounded length in which nothing can do anything to who reads it: control characters, and those that turn
/// the direction of writing, are replaced.
#[must_use]
pub fn shown_name(name: &str) -> Cow<'_, str> {
    let end = name.char_indices().nth(UNKNOWN_FLAG_LENGTH_MAX).map_or(name.len(), |(end, _)| end);
    let name = name.get(..end).unwrap_or_default();
    if name.chars().any(is_unseemly) {
        Cow::Owned(name.chars().map(|letter| if is_unseemly(letter) { '\u{fffd}' } else { letter }).collect())
    } else {
        Cow::Borrowed(name)
    }
}

fn is_unseemly(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    letter.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        let cases = [
            ("new-checkout", "new-checkout"),
            ("naïve flag", "naïve flag"),
            ("a\u{1b}[31m\n", "a\u{fffd}[31m\u{fffd}"),
            ("a\u{202e}b\u{200b}", "a\u{fffd}b\u{fffd}"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(shown_name(name), expected, "{name:?}");
        }
        assert_eq!(shown_name(&"é".repeat(101)), "é".repeat(100));
    }
}
