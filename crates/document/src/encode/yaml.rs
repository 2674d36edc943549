//! Writes YAML that readers of YAML 1.1, of YAML 1.2 and the decoder here read alike.
//!
//! `serde_yaml` leaves `on`, `12:30:45` and `2026-12-24` without quotes, which YAML 1.1 reads as a boolean, a
//! number in base 60 and a date, and it takes a text that begins with `!` for a tag; it cannot be told to quote.
//! So a text stands without quotes only where nobody can mistake it, and else as a JSON string, which is YAML.

use serde_json::Value;

use crate::tree::is_plain_text;

/// A value in block style, with a line feed at its end.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

/// Writes a value that begins on a line of its own.
fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                out.extend(std::iter::repeat_n(' ', indent));
                member(name, value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.extend(std::iter::repeat_n(' ', indent));
                self::item(item, indent, out);
            }
        }
        _ => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn member(name: &str, value: &Value, indent: usize, out: &mut String) {
    out.push_str(&text(name));
    out.push(':');
    if is_block(value) {
        out.push('\n');
        block(value, indent + 2, out);
    } else {
        out.push(' ');
        out.push_str(&inline(value));
        out.push('\n');
    }
}

fn item(item: &Value, indent: usize, out: &mut String) {
    out.push_str("- ");
    match item {
        Value::Object(members) if !members.is_empty() => {
            // The first member stands beside the dash.
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.extend(std::iter::repeat_n(' ', indent + 2));
                }
                member(name, value, indent + 2, out);
            }
        }
        _ => {
            out.push_str(&inline(item));
            out.push('\n');
        }
    }
}

/// Whether a value takes lines of its own: maps and lists that hold others.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.iter().any(|item| matches!(item, Value::Object(_))),
        _ => false,
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Number(number) => match number.as_f64() {
            // Never with an exponent, which readers of YAML do not agree on.
            Some(float) if number.is_f64() => decimal(float),
            _ => number.to_string(),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{}: {}", text(name), inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

fn decimal(float: f64) -> String {
    let text = float.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn text(text: &str) -> String {
    if is_plain_text(text) {
        return text.to_owned();
    }
    // JSON leaves characters as they are that YAML wants escaped.
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
                if c != '\u{2028}' && c != '\u{2029}' =>
            {
                quoted.push(c);
            }
            '\u{10000}'..='\u{10ffff}' => quoted.push(c),
            other => quoted.push_str(&format!("\\u{:04x}", u32::from(other))),
        }
    }
    quoted
}
