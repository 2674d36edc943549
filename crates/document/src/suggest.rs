//! What was probably meant.

use daybreak_model::Key;
use daybreak_model::limits::KEY_LENGTH_MAX;

use crate::diagnostic::DIAGNOSTICS_MAX;

/// What the search for near names may cost, in cells of the tables by which words are compared. The first of a
/// document's problems may spend all of it, the second a half, the third a third: so a body full of names that do
/// not exist costs little more than one such name.
const CELLS_MAX: usize = 4_000_000;

/// Whether the nearest of so many known words may be searched, where so many problems were found before.
pub(crate) fn is_affordable(word: &str, known: usize, found: usize) -> bool {
    let table = word.len().min(KEY_LENGTH_MAX).pow(2);
    found < DIAGNOSTICS_MAX && known.saturating_mul(table) <= CELLS_MAX / (1 + found)
}

/// The nearest of the known words, where one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let canonical = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = canonical(word);
    if wanted.is_empty() || wanted.len() > KEY_LENGTH_MAX {
        return None;
    }
    // Of a word of one or two letters, nothing may be left.
    let most = (wanted.len() / 3).max(1).min(wanted.len() - 1);
    let distance = |known: &str| {
        let known = canonical(known);
        let begins =
            known.len() >= 3 && wanted.len() >= 3 && (known.starts_with(&wanted) || wanted.starts_with(&known));
        match known.len().abs_diff(wanted.len()) {
            _ if begins => Some(1),
            // Two words are at least as far apart as they differ in length.
            difference if difference > most => None,
            _ => Some(strsim::damerau_levenshtein(&wanted, &known)).filter(|distance| *distance <= most),
        }
    };
    known.into_iter().filter_map(|known| Some((distance(known)?, known))).min().map(|(_, known)| known)
}

/// `write NEAREST`, or else what there is to choose from: so many names. `found` is how many problems were found
/// before.
pub(crate) fn choose<'k>(
    word: &str,
    noun: &str,
    known: impl Iterator<Item = &'k str>,
    count: usize,
    found: usize,
) -> String {
    const FEW: usize = 8;
    let many = |count: usize| format!("write the name of one of the {count} there are, or add it");
    if count > FEW && !is_affordable(word, count, found) {
        return many(count);
    }
    let known: Vec<&str> = known.collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("write `{near}`"),
        None if known.is_empty() && noun == "hours" => "there are no hours yet: add them".to_owned(),
        None if known.is_empty() => format!("there is no {noun} yet: add one"),
        None if known.len() == 1 => format!("there is only `{}`", known[0]),
        None if known.len() <= FEW => format!("write one of `{}`", known.join("`, `")),
        None => many(known.len()),
    }
}

/// The nearest key to a text that is none.
pub(crate) fn as_key(text: &str) -> Option<Key> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let replaced: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let trimmed = replaced.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    Key::new(trimmed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_word() {
        let known = ["description", "percentage", "max_duration", "serve", "when"];
        let cases = [
            ("percent", Some("percentage")),
            ("maxDuration", Some("max_duration")),
            ("desciption", Some("description")),
            ("server", Some("serve")),
            ("if", None),
            ("", None),
        ];
        for (word, near) in cases {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn near_names_are_searched_while_it_costs_little() {
        let cases = [
            ("new-checkout", 10_000, 0, true),
            ("new-checkout", 10_000, 9, false),
            ("new-checkout", 100, 200, true),
            ("percent", 20, 999, true),
            ("percent", 20, 1_000, false),
        ];
        for (word, known, found, expected) in cases {
            assert_eq!(is_affordable(word, known, found), expected, "{word} {known} {found}");
        }
    }

    #[test]
    fn the_nearest_key() {
        for (text, key) in [("new checkout", Some("new-checkout")), ("$service", Some("service")), ("ü", None)] {
            assert_eq!(as_key(text).as_ref().map(Key::as_str), key, "{text}");
        }
    }
}
