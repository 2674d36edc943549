//! What was probably meant.

use daybreak_model::Key;
use daybreak_model::limits::KEY_LENGTH_MAX;

/// The nearest of the known words, where one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let canonical = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = canonical(word);
    if wanted.is_empty() || wanted.len() > KEY_LENGTH_MAX {
        return None;
    }
    let distance = |known: &str| {
        let known = canonical(known);
        let begins =
            known.len() >= 3 && wanted.len() >= 3 && (known.starts_with(&wanted) || wanted.starts_with(&known));
        if begins { 1 } else { strsim::damerau_levenshtein(&wanted, &known) }
    };
    let near = known.into_iter().map(|known| (distance(known), known)).min()?;
    // Of a word of one or two letters, nothing may be left.
    let most = (wanted.len() / 3).max(1).min(wanted.len() - 1);
    (near.0 <= most).then_some(near.1)
}

/// `write NEAREST`, or else what there is to choose from.
pub(crate) fn choose<'k>(word: &str, noun: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("write `{near}`"),
        None if known.is_empty() => format!("there is no {noun} yet: add one"),
        None if known.len() == 1 => format!("there is only `{}`", known[0]),
        None if known.len() <= 8 => format!("write one of `{}`", known.join("`, `")),
        None => format!("write the name of one of the {} there are, or add it", known.len()),
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
    fn the_nearest_key() {
        for (text, key) in [("new checkout", Some("new-checkout")), ("$service", Some("service")), ("ü", None)] {
            assert_eq!(as_key(text).as_ref().map(Key::as_str), key, "{text}");
        }
    }
}
