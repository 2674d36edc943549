//! An event as text for people: when, what, to what, by whom, why; and below it what else is known.

use std::fmt::Write;

use serde_json::{Map, Value};

/// How far the lines below an event are set in: below its kind.
const INDENT: &str = "                      ";
/// Fields of a change, and items of a list, that are shown at most.
const SHOWN_MAX: usize = 6;
/// Characters of a value that are shown at most.
const VALUE_MAX: usize = 100;

/// An event as lines for people.
pub(super) fn text(event: &Value, color: bool) -> String {
    let of = |name: &str| event[name].as_str().map(printable).unwrap_or_default();
    let (bold, dim, plain) = if color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let at: String = of("at").chars().take(19).map(|letter| if letter == 'T' { ' ' } else { letter }).collect();
    let at = if at.is_empty() { at } else { at + "Z" };
    let mut head = format!("{dim}{at}{plain}  {bold}{:<16}{plain}  {}", of("kind"), of("subject"));
    if event["actor"].is_string() {
        head += &format!("  by {}", of("actor"));
    }
    if event["reason"].is_string() {
        head += &format!("  \"{}\"", of("reason"));
    }
    let mut text = head.trim_end().to_owned() + "\n";
    for line in details(&event["data"]) {
        text += &format!("{INDENT}{dim}{line}{plain}\n");
    }
    text
}

/// What else is known: how a document changed, field by field; each of many reasons on a line; the rest on one.
fn details(data: &Value) -> Vec<String> {
    let Value::Object(data) = data else { return Vec::new() };
    let mut lines = Vec::new();
    if let (Some(before), Some(after)) = (data.get("before"), data.get("after")) {
        lines.extend(changes(before, after));
    }
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(Value::is_object));
    // A summary of a list that is shown says nothing more.
    let summed_up = data.values().any(is_list);
    let is_shown = |name: &str| matches!(name, "before" | "after") || (summed_up && name == "summary");
    let rest: Map<String, Value> = data
        .iter()
        .filter(|(name, value)| !is_shown(name) && !is_list(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let pairs = pairs(&rest);
    if !pairs.is_empty() {
        lines.push(pairs);
    }
    for (name, value) in data.iter().filter(|(_, value)| is_list(value)) {
        let items: Vec<_> = value.as_array().into_iter().flatten().map(|one| item(name, one)).collect();
        lines.extend(first(items, "more"));
    }
    lines
}

/// `name=value` for each that says anything.
fn pairs(data: &Map<String, Value>) -> String {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    let mut text = String::new();
    for (name, value) in data.iter().filter(|(_, value)| says(value)) {
        let value = match value {
            Value::Array(list) => list.iter().map(short).collect::<Vec<_>>().join(","),
            one => short(one),
        };
        let quote = if value.contains(' ') && !value.starts_with('{') { "\"" } else { "" };
        // A text can be written to.
        let _ = write!(text, "{}{}={quote}{value}{quote}", if text.is_empty() { "" } else { " " }, printable(name));
    }
    text
}

/// One of a list: a reason, a mistake in a file, a field that a file has changed back.
fn item(list: &str, one: &Value) -> String {
    let of = |name: &str| one[name].as_str().map(short_text);
    if let (Some(code), Some(sentence)) = (of("code"), of("sentence")) {
        return format!("{code}: {sentence}");
    }
    if let (Some(source), Some(message)) = (of("source"), of("message")) {
        return format!("{source}:{}:{}: {message}", short(&one["line"]), short(&one["column"]));
    }
    match one.as_object() {
        Some(fields) if list == "overridden" => {
            let field = of("field").unwrap_or_else(|| "all of it".to_owned());
            let value = |name: &str| fields.get(name).map_or_else(|| "nothing".to_owned(), short);
            format!("overridden {field}: {} → {}", value("was"), value("now"))
        }
        Some(fields) => pairs(fields),
        None => short(one),
    }
}

/// How a document differs, a field a line.
fn changes(before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match (before, after) {
        (Value::Null, after) => lines.push(format!("+ {}", short(after))),
        (before, Value::Null) => lines.push(format!("- {}", short(before))),
        (before, after) => compare("", before, after, &mut lines),
    }
    first(lines, "more fields")
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    if before == after {
        return;
    }
    let (Some(was), Some(is)) = (fields(before), fields(after)) else {
        let name = if path.is_empty() { String::new() } else { format!("{path}: ") };
        lines.push(format!("{name}{} → {}", short(before), short(after)));
        return;
    };
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let none = Value::Null;
    let before_all = lines.len();
    for name in names {
        let path = if path.is_empty() { printable(name) } else { format!("{path}.{}", printable(name)) };
        compare(&path, was.get(name).unwrap_or(&none), is.get(name).unwrap_or(&none), lines);
    }
    if lines.len() == before_all {
        lines.push(format!("{path}: in another order"));
    }
}

/// The fields of an object; of a list of what has names, those.
fn fields(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields.clone()),
        Value::Array(list) if !list.is_empty() => {
            let named = |one: &Value| Some((one["name"].as_str()?.to_owned(), one.clone()));
            list.iter().map(named).collect()
        }
        _ => None,
    }
}

/// The first of many lines, and how many there are more.
fn first(mut lines: Vec<String>, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(SHOWN_MAX);
    lines.truncate(SHOWN_MAX);
    if more > 0 {
        lines.push(format!("… and {more} {what}"));
    }
    lines
}

/// A value in short.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => short_text(text),
        Value::Null => "nothing".to_owned(),
        other => short_text(&other.to_string()),
    }
}

fn short_text(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    text.chars().take(VALUE_MAX).chain(['…']).collect()
}

/// A text without what would move a terminal's cursor, or break the line.
fn printable(text: &str) -> String {
    let escaped = |letter: char| match letter.is_control() {
        true => letter.escape_default().collect::<String>(),
        false => letter.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, subject: &str, actor: Option<&str>, reason: Option<&str>, data: &Value) -> Value {
        json!({"id": 7, "at": "2026-11-25T09:41:07.5Z", "kind": kind, "subject": subject, "actor": actor,
               "reason": reason, "data": data})
    }

    fn of_documents() -> Vec<Value> {
        let rule = |share: &str| json!([{"name": "eu-pro", "percentage": share}, {"name": "rest", "serve": "off"}]);
        let (was, is) = (
            json!({"enabled": true, "rules": rule("5%")}),
            json!({"enabled": false, "rules": rule("10%"), "owner": "shop"}),
        );
        let many = |count: usize| -> Value {
            (0..count).map(|at| (format!("f{at}"), json!(at))).collect::<Map<_, _>>().into()
        };
        vec![
            event(
                "flag.disabled",
                "flags/new-checkout",
                Some("ada"),
                Some("too slow"),
                &json!({"before": was, "after": is}),
            ),
            event(
                "flag.created",
                "flags/layout",
                Some("files"),
                None,
                &json!({"before": null, "after": {"default": "on"}}),
            ),
            event(
                "fault.deleted",
                "faults/slow",
                None,
                None,
                &json!({"before": {"point": "stock", "latency": "2s"}, "after": null}),
            ),
            event(
                "flag.changed",
                "flags/a",
                Some("files"),
                None,
                &json!({"before": many(0), "after": many(8),
                       "overridden": [{"kind": "flag", "key": "a", "field": "enabled", "was": false, "now": true}]}),
            ),
            event(
                "protect.changed",
                "protect",
                Some("ada"),
                None,
                &json!({"before": ["vip"], "after": ["staff", "vip"]}),
            ),
        ]
    }

    fn others() -> Vec<Value> {
        let reason =
            |code: &str, sentence: &str| json!({"code": code, "sentence": sentence, "clears": "…", "waivable": true});
        let run = json!({"fault": "gateway-slow", "point": "payment.gateway", "ended": "aborted: halted", "shadow": false,
                         "started_at": "2026-11-25T09:31:07Z"});
        let mistake =
            json!({"source": "flags/shop.yaml", "line": 3, "column": 9, "message": "`200%` is no percentage"});
        vec![
            event(
                "run.started",
                "runs/00c0ffee00c0ffee",
                Some("ada"),
                Some("game day"),
                &json!({"fault": "gateway-slow", "point": "payment.gateway", "percentage": "5%", "duration": "10m",
                       "hypothesis": null, "shadow": true, "waived": ["outside_hours", "cooling_down"], "override": "agreed with ops"}),
            ),
            event("run.ended", "runs/00c0ffee00c0ffee", Some("bob"), Some("p99 > 1 s\n\u{1b}[2J"), &run),
            event(
                "start.refused",
                "faults/gateway-slow",
                Some("ada"),
                None,
                &json!({"reasons": [reason("halted", "everything is halted"), reason("no_clients", "no client knows the point")],
                       "like_the_last": 3}),
            ),
            event("halt.set", "halt", Some("bob"), None, &json!({"ended": ["00c0ffee00c0ffee", "00c0ffee00c0ff00"]})),
            event("halt.lifted", "halt", Some("bob"), None, &json!({"ended": []})),
            event(
                "token.created",
                "tokens/k3yid",
                Some("root"),
                None,
                &json!({"name": "ci", "role": "operator", "expires": null}),
            ),
            event(
                "token.used",
                "tokens/k3yid",
                Some("root"),
                None,
                &json!({"method": "GET", "path": "/api/v1/backup", "status": 200}),
            ),
            event(
                "files.refused",
                "files",
                Some("files"),
                None,
                &json!({"summary": "flags/shop.yaml:3:9: `200%` is no percentage", "found": 1, "diagnostics": [mistake]}),
            ),
            event("server.started", "server", None, None, &json!({"version": "0.1.0", "previous": "killed"})),
            event(
                "webhook.given_up",
                "webhooks/ops",
                None,
                None,
                &json!({"event": 12, "kind": "flag.disabled", "tries": 5, "why": "it answered 404 Not Found"}),
            ),
            json!({"id": 8, "at": "2026-11-25T09:41:07Z", "kind": "store.restored"}),
            json!({"id": 9, "at": "2026-11-25T09:41:08Z", "kind": "of.another", "data": {"long": "x".repeat(200), "list": [1, 2]}}),
        ]
    }

    #[test]
    fn events_for_people() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/events/golden.txt");
        let events = [of_documents(), others()].concat();
        let printed: String = events.iter().map(|event| text(event, false)).collect();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &printed).unwrap();
        }
        assert_eq!(printed, std::fs::read_to_string(path).unwrap(), "`UPDATE=1 cargo test` writes it anew");
        assert!(!printed.contains('\u{1b}'), "no text moves the cursor");
        assert!(printed.lines().all(|line| line.trim_end() == line && line.len() < 400));
    }

    #[test]
    fn a_list_in_another_order_is_said() {
        let rules = |names: [&str; 2]| json!({"rules": names.map(|name| json!({"name": name}))});
        assert_eq!(changes(&rules(["a", "b"]), &rules(["b", "a"])), ["rules: in another order"]);
    }
}
