//! What was probably meant.

use daybreak_model::Key;
use daybreak_model::limits::KEY_LENGTH_MAX;

use crate::diagnostic::DIAGNOSTICS_MAX;

/// What the search for near names may cost, in cells of the tables by which words are compared. The first of a
/// document's problems may spend all of it, the second a half, the third a third: so a body full of names that do
/// not exist costs little more than one such name.
const CELLS_MAX: usize = 4_000_000;

/// Bytes of a word that may stand for a longer one which begins with it.
const SHORTENED_MIN: usize = 3;

/// Whether the nearest of so many known words may be searched, where so many problems were found before.
pub(crate) fn is_affordable(word: &str, known: usize, found: usize) -> bool {
    let table = word.len().min(KEY_LENGTH_MAX).pow(2);
    found < DIAGNOSTICS_MAX && known.saturating_mul(table) <= CELLS_MAX / (1 + found)
}

/// How many letters may be wrong in a word, where another is meant: one in three of the longer, and never more than three.
/// So in a word of two one may be missing, and none be another: too many would be as near.
fn wrong_letters(word: usize, known: usize) -> usize {
    (word.max(known) / 3).min(3).min(word.saturating_sub(1))
}

/// The nearest of the known words, where one is near enough to be meant; or the only one that is written out where the
/// word is its beginning: `desc` for `description`.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let canonical = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = canonical(word);
    if wanted.is_empty() || wanted.len() > KEY_LENGTH_MAX {
        return None;
    }
    let letters = wanted.chars().count();
    let (mut near, mut longer, mut longer_ones) = (None, None, 0);
    for known in known {
        let canonical = canonical(known);
        if wanted.len() >= SHORTENED_MIN && canonical.starts_with(&wanted) {
            (longer, longer_ones) = (Some(known), longer_ones + 1);
        }
        let known_letters = canonical.chars().count();
        let most = wrong_letters(letters, known_letters);
        // Two words are at least as far apart as they differ in length.
        if known_letters.abs_diff(letters) <= most {
            let distance = strsim::damerau_levenshtein(&wanted, &canonical);
            near = near.into_iter().chain((distance <= most).then_some((distance, known))).min();
        }
    }
    near.map(|(_, known)| known).or(longer.filter(|_| longer_ones == 1))
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

/// The key that is to be written for a text that is none, where it says the same: no letter is lost.
pub(crate) fn key_for(text: &str) -> Option<Key> {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    as_key(text).filter(|key| letters(key.as_str()) == letters(text))
}

/// The nearest key to a text that is none. It may have lost most of it: it stands in for the text, nobody is told it.
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
        // The word, what there is, and what is near.
        let cases: [(&str, &[&str], Option<&str>); 21] = [
            ("Checkout_V2", &["checkout-v2"], Some("checkout-v2")),
            ("chekcout", &["checkout"], Some("checkout")),
            ("checkout-banner", &["checkout-button"], None),
            ("layout", &["output"], None),
            ("vip", &["zip"], Some("zip")),
            ("vip", &["pro"], None),
            // Short words are near to everything.
            ("eu", &["us", "uk"], None),
            ("on", &["off", "no"], None),
            ("of", &["off", "on"], Some("off")),
            ("aa", &["a"], None),
            ("EU", &["eu"], Some("eu")),
            ("a", &["b"], None),
            // Another word that begins alike is another word; a shortened one is meant if there is one alone.
            ("flagship", &["flag"], None),
            ("tenant-b-eu", &["ten"], None),
            ("desc", &["description", "default"], Some("description")),
            ("checkout", &["checkout-banner", "checkout-button"], None),
            ("checkout", &["checkout-banner"], Some("checkout-banner")),
            ("checkout", &["checkouts", "checkout-banner"], Some("checkouts")),
            ("de", &["default"], None),
            // Letters are counted, not bytes.
            ("größe", &["grosse"], None),
            ("größen", &["größe"], Some("größe")),
        ];
        for (word, known, near) in cases {
            assert_eq!(nearest(word, known.iter().copied()), near, "{word} among {known:?}");
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
            assert_eq!(key_for(text), as_key(text), "{text}");
        }
        for text in ["café", "Über-checkout", "日本-1"] {
            assert!(as_key(text).is_some() && key_for(text).is_none(), "{text}");
        }
    }
}
