//! Flags as those of W2: five rules over six attributes, of which the last matches.

use std::fmt::Write as _;

use serde_json::{Value, json};

const SEGMENT: &str = "pilots";

/// A document of so many flags, `flag-0` and on, and the flag `toggled`.
#[must_use]
pub fn flags(count: usize) -> String {
    let ids: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    let mut text =
        format!("segments: {{ {SEGMENT}: {{ when: {{ targetingKey: {{ in: [{}] }} }} }} }}\nflags:\n", ids.join(", "));
    text += "  toggled: { default: on }\n";
    (0..count).for_each(|number| one(&mut text, number));
    text
}

/// As [`flags`], in files of so many flags each.
#[must_use]
pub fn split_flags(count: usize, each: usize) -> Vec<String> {
    let mut files = vec![flags(0)];
    for first in (0..count).step_by(each) {
        let mut text = "flags:\n".to_owned();
        (first..count.min(first + each)).for_each(|number| one(&mut text, number));
        files.push(text);
    }
    files
}

fn one(text: &mut String, number: usize) {
    let _ = writeln!(
        text,
        "  flag-{number}:\n    variants: {{ a: first, b: second }}\n    default: a\n    off: a\n    rules:\n\
         \x20     - {{ name: country, when: {{ country: {{ in: [DE, FR, \"NO\", SE, FI, DK, NL, BE, AT, CH] }} }}, serve: a }}\n\
         \x20     - {{ name: plan, when: {{ plan: pro }}, serve: a }}\n\
         \x20     - {{ name: version, when: {{ appVersion: {{ semver: \">=2.3.0\" }} }}, serve: a }}\n\
         \x20     - {{ name: staff, when: {{ email: {{ ends_with: \"@shop.example\" }} }}, serve: a }}\n\
         \x20     - {{ name: {SEGMENT}, when: {{ segment: {SEGMENT} }}, serve: b }}"
    );
}

/// Whose flags these are: the last rule alone matches.
#[must_use]
pub fn context() -> Value {
    json!({
        "targetingKey": "user-50", "country": "US", "plan": "free", "appVersion": "2.2.0",
        "email": "somebody@example.org", "age": 41, "beta": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_together_are_the_same() {
        let whole = flags(7);
        let apart: String = split_flags(7, 3).into_iter().map(|file| file.replace("flags:\n", "")).collect();
        assert_eq!(whole.replace("flags:\n", ""), apart);
        assert_eq!(split_flags(7, 3).len(), 4);
    }
}
