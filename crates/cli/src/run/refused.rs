//! What stands against a start: every reason, with what clears it and when.

use serde_json::Value;

pub(crate) use super::view::{percent, printable, short};

/// What a refusal says, for people; none where it is another problem.
pub(crate) fn describe(problem: &Value) -> Option<String> {
    let reasons = problem["reasons"].as_array()?;
    Some(reasons.iter().map(|reason| describe_reason(reason, "")).collect::<String>() + &warnings(&problem["warnings"]))
}

/// One reason; `note` stands behind its code.
pub(crate) fn describe_reason(reason: &Value, note: &str) -> String {
    let of = |name: &str| printable(reason[name].as_str().unwrap_or_default());
    let waivable = if reason["waivable"].as_bool() == Some(true) { " (an admin may waive it)" } else { "" };
    let note = if note.is_empty() { waivable } else { note };
    let mut text = format!("{}{note}: {}\n", of("code"), of("sentence"));
    if !of("clears").is_empty() {
        text += &format!("    to clear it: {}\n", of("clears"));
    }
    if reason["clears_at"].is_string() {
        text += &format!("    clears by itself at {}\n", moment(&of("clears_at")));
    }
    text
}

/// A moment to the second.
pub(crate) fn moment(text: &str) -> String {
    text.parse::<jiff::Timestamp>()
        .map_or_else(|_| printable(text), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// What the one who starts should know.
pub(crate) fn warnings(warnings: &Value) -> String {
    let line = |warning: &Value| {
        let of = |name: &str| printable(warning[name].as_str().unwrap_or_default());
        format!("warning: {}: {}\n", of("code"), of("sentence"))
    };
    warnings.as_array().into_iter().flatten().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reason_is_told() {
        let problem = json!({
            "reasons": [
                { "code": "halted", "sentence": "everything is halted", "clears": "lift the halt", "waivable": false },
                { "code": "outside_hours", "sentence": "`office` is closed", "clears": "its next opening",
                  "clears_at": "2026-11-24T09:00:00Z", "waivable": true },
            ],
            "warnings": [{ "code": "no_traffic", "sentence": "nothing has passed the point" }],
        });
        let expected = "halted: everything is halted
    to clear it: lift the halt
outside_hours (an admin may waive it): `office` is closed
    to clear it: its next opening
    clears by itself at 2026-11-24 09:00:00 UTC
warning: no_traffic: nothing has passed the point
";
        assert_eq!(describe(&problem).as_deref(), Some(expected));
        assert_eq!(describe(&json!({ "detail": "no such fault" })), None);
    }
}
