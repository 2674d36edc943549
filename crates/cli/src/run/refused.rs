//! What stands against a start: every reason, with what clears it and when.

use daybreak_model::Key;
use serde_json::Value;

use crate::style::{moment, printable};

/// What a refusal says, for people; none where it is another problem.
pub(crate) fn describe(problem: &Value, fault: &Key) -> Option<String> {
    let reasons = problem["reasons"].as_array()?.iter().map(|reason| describe_reason(reason, fault, ""));
    Some(reasons.collect::<String>() + &warnings(&problem["warnings"]))
}

/// One reason; `note` stands behind its code.
pub(crate) fn describe_reason(reason: &Value, fault: &Key, note: &str) -> String {
    let of = |name: &str| printable(reason[name].as_str().unwrap_or_default());
    let waivable = if reason["waivable"].as_bool() == Some(true) { " (an admin may waive it)" } else { "" };
    let note = if note.is_empty() { waivable } else { note };
    let mut text = format!("{}{note}: {}\n", of("code"), of("sentence"));
    let clears = command(&of("code"), fault).unwrap_or_else(|| of("clears"));
    if !clears.is_empty() {
        text += &format!("    to clear it: {clears}\n");
    }
    if reason["clears_at"].is_string() {
        text += &format!("    clears by itself at {}\n", moment(&of("clears_at")));
    }
    text
}

/// What clears a reason, where a command of this program does. The server tells it in terms of the API.
fn command(code: &str, fault: &Key) -> Option<String> {
    match code {
        "halted" => Some("lift the halt: `daybreak halt --lift`".to_owned()),
        "point_busy" => Some("stop that run (`daybreak stop` with its id), or wait for its end".to_owned()),
        "shadow_first" => Some(format!(
            "run it as a shadow first: `daybreak run {fault} --shadow` draws and counts, and strikes nothing"
        )),
        _ => None,
    }
}

/// What stood against it, and was waived.
pub(crate) fn waived(reasons: &Value, fault: &Key) -> String {
    let reasons = reasons.as_array().into_iter().flatten();
    reasons.map(|reason| describe_reason(reason, fault, " (waived)")).collect()
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
                { "code": "halted", "sentence": "everything is halted", "clears": "DELETE /api/v1/halt", "waivable": false },
                { "code": "outside_hours", "sentence": "`office` is closed", "clears": "its next opening",
                  "clears_at": "2026-11-24T09:00:00Z", "waivable": true },
            ],
            "warnings": [{ "code": "no_traffic", "sentence": "nothing has passed the point" }],
        });
        let expected = "halted: everything is halted
    to clear it: lift the halt: `daybreak halt --lift`
outside_hours (an admin may waive it): `office` is closed
    to clear it: its next opening
    clears by itself at 2026-11-24 09:00:00 UTC
warning: no_traffic: nothing has passed the point
";
        let slow = Key::new("slow").unwrap();
        assert_eq!(describe(&problem, &slow).as_deref(), Some(expected));
        assert_eq!(describe(&json!({ "detail": "no such fault" }), &slow), None);
    }
}
