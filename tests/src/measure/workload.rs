//! Flags that are served while the server is measured: those of W2, of five rules over six attributes, of which the last matches; and
//! plainer ones, where there are very many.

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

/// Files of so many flags each, booleans of one rule: `flag-0` and on; the first file has the flag `toggled`.
#[must_use]
pub fn plain_flags(count: usize, each: usize) -> Vec<String> {
    let mut files = vec!["flags:\n  toggled: { default: on }\n".to_owned()];
    for first in (0..count).step_by(each) {
        let mut text = "flags:\n".to_owned();
        for number in first..count.min(first + each) {
            let rule = "{ name: pro, when: { plan: pro, country: { in: [DE, FR] } }, percentage: 25%, serve: on }";
            let _ = writeln!(text, "  flag-{number}: {{ owner: shop, default: off, rules: [ {rule} ] }}");
        }
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
    fn every_flag_stands_in_one_file() {
        let files = plain_flags(7, 3);
        assert_eq!(files.len(), 4);
        let count = |key: &str| files.iter().filter(|file| file.contains(&format!("  {key}: "))).count();
        assert_eq!((count("toggled"), count("flag-0"), count("flag-6"), count("flag-7")), (1, 1, 1, 0));
        assert_eq!(flags(7).matches("name: staff").count(), 7);
    }
}
