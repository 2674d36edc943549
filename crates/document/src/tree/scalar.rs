//! What a word without quotes means, where every reader of YAML agrees; and what is refused because they do not.

use daybreak_model::limits::INTEGER_MAX;

use super::{Number, Tree};

/// Why a plain scalar is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

/// Reads a word of a YAML document that stands without quotes.
pub(super) fn plain(text: &str) -> Result<Tree, Ambiguous> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Tree::Null),
        "true" | "True" | "TRUE" => return Ok(Tree::Boolean(true)),
        "false" | "False" | "FALSE" => return Ok(Tree::Boolean(false)),
        "<<" => return Err(ambiguous(text, "to some readers of YAML it merges maps, to others it is a text")),
        "=" => return Err(ambiguous(text, "to some readers of YAML it is a default value, to others a text")),
        _ => {}
    }
    if let Some(why) = read_differently(text) {
        return Err(ambiguous(text, why));
    }
    if is_integer(text) || is_decimal(text) { number(text) } else { Ok(Tree::Text { text: text.into(), plain: true }) }
}

/// Whether readers of YAML disagree on what a word without quotes means.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    plain(text).is_err()
}

/// Reads a word of a JSON document: JSON leaves no room for doubt.
pub(super) fn json(text: &str) -> Result<Tree, Ambiguous> {
    match text {
        "null" => Ok(Tree::Null),
        "true" => Ok(Tree::Boolean(true)),
        "false" => Ok(Tree::Boolean(false)),
        _ => number(text),
    }
}

/// Reads a number of one of the forms that all readers agree on.
fn number(text: &str) -> Result<Tree, Ambiguous> {
    if is_integer(text) {
        return match text.parse::<i64>() {
            Ok(integer) if integer.abs() <= INTEGER_MAX => Ok(Tree::Number(Number::Integer(integer))),
            _ => Err(too_large(text)),
        };
    }
    #[expect(clippy::cast_precision_loss, reason = "2⁵³ is exact")]
    match text.parse::<f64>() {
        Ok(float) if float.abs() <= INTEGER_MAX as f64 => Ok(Tree::Number(Number::Float(float))),
        _ => Err(too_large(text)),
    }
}

fn too_large(text: &str) -> Ambiguous {
    Ambiguous {
        code: "number_too_large",
        message: format!("`{}` lies beyond ±2⁵³, where numbers are no longer exact", super::shorten(text)),
        help: "write it as a text, in quotes".into(),
    }
}

fn ambiguous(text: &str, why: &str) -> Ambiguous {
    Ambiguous {
        code: "ambiguous_scalar",
        message: format!("`{text}` without quotes: {why}"),
        help: match plainly(text) {
            Some(number) => format!("quote it: `\"{text}\"`; if a number is meant, write `{number}`"),
            None => format!("quote it: `\"{text}\"`"),
        },
    }
}

/// Why versions and readers of YAML do not agree on a word; `None` where they do.
fn read_differently(text: &str) -> Option<&'static str> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if lower == ".inf" || lower == ".nan" {
        return Some("it is no number that can be compared or sent as JSON");
    }
    if ["0x", "0o", "0b"].iter().any(|prefix| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_'))
    }) {
        return Some("to some readers of YAML it is a number, to others a text");
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if unsigned.contains(':') && unsigned.split([':', '.']).all(digits) && unsigned.starts_with(|c: char| c != '.') {
        return Some("to YAML 1.1 it is a number in base 60, to others a text");
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.trim_start_matches(['+', '-']))),
        None => (lower.as_str(), None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let numeric = (digits(whole) || (whole.is_empty() && fraction.is_some_and(digits)))
        && fraction.is_none_or(|fraction| fraction.is_empty() || digits(fraction))
        && exponent.is_none_or(digits);
    if !numeric {
        return None;
    }
    unlike(text, unsigned, whole, fraction, exponent)
}

/// What makes a numeric word one that readers do not agree on.
fn unlike(
    text: &str,
    unsigned: &str,
    whole: &str,
    fraction: Option<&str>,
    exponent: Option<&str>,
) -> Option<&'static str> {
    if unsigned.contains('_') {
        return Some("to some readers of YAML it is a number, to others a text");
    }
    if exponent.is_some() {
        return Some("to some readers of YAML it is a number, to others a text");
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Some("to some readers of YAML it is octal, to others decimal, to others a text");
    }
    match fraction {
        _ if whole.is_empty() || fraction == Some("") => {
            Some("to some readers of YAML it is a number, to others a text")
        }
        Some(fraction) if fraction.len() > 1 && fraction.ends_with('0') => {
            Some("it would be read as a number, and lose its last zeros")
        }
        _ if text.starts_with('+') => Some("JSON knows no `+`, and would read it as a text"),
        _ => None,
    }
}

/// The same number as all readers read it, where there is one.
fn plainly(text: &str) -> Option<String> {
    let bare = text.replace('_', "");
    let (sign, bare) = match bare.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", bare.strip_prefix('+').unwrap_or(&bare)),
    };
    let lower = bare.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter();
    for (prefix, radix) in radix {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(|number| format!("{sign}{number}"));
        }
    }
    let octal = lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit());
    if octal || lower.contains(':') {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "2⁵³ is exact")]
    let exact = |number: &f64| number.is_finite() && number.abs() <= INTEGER_MAX as f64;
    lower.parse::<f64>().ok().filter(exact).map(|number| format!("{sign}{number}"))
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !leading_zero && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    is_integer(whole) && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text may stand without quotes and is the same text to every reader of YAML 1.1, YAML 1.2 and here.
pub(crate) fn is_plain_text(text: &str) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./+%@ ".contains(c);
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    is_measure(text)
        || starts_well
            && text.chars().all(safe)
            && !text.ends_with(' ')
            && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a text is a percentage or a duration, which nobody takes for a number: `25%`, `0.5%`, `1m30s`.
fn is_measure(text: &str) -> bool {
    if let Some(number) = text.strip_suffix('%') {
        return is_integer(number) || is_decimal(number);
    }
    text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<daybreak_model::Millis>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_which_all_agree() {
        let text = |text: &str| Tree::Text { text: text.into(), plain: true };
        let cases = [
            ("on", text("on")),
            ("NO", text("NO")),
            ("yes", text("yes")),
            ("true", Tree::Boolean(true)),
            ("~", Tree::Null),
            ("12", Tree::Number(Number::Integer(12))),
            ("-7", Tree::Number(Number::Integer(-7))),
            ("0.5", Tree::Number(Number::Float(0.5))),
            ("1.0", Tree::Number(Number::Float(1.0))),
            ("25%", text("25%")),
            ("1.2.3", text("1.2.3")),
            ("10:00-12:00", text("10:00-12:00")),
            ("2026-12-24", text("2026-12-24")),
            ("300ms", text("300ms")),
            ("10.0.0.0/8", text("10.0.0.0/8")),
            ("e3", text("e3")),
            ("9007199254740992", Tree::Number(Number::Integer(1 << 53))),
        ];
        for (word, tree) in cases {
            assert_eq!(plain(word), Ok(tree), "{word}");
        }
    }

    #[test]
    fn words_that_are_read_differently_are_refused() {
        let words = [
            "017",
            "1e3",
            "1E3",
            "1.5e3",
            "1e+3",
            "0x1f",
            "0o17",
            "0b1",
            "1_000",
            ".inf",
            "-.INF",
            ".nan",
            "<<",
            "=",
            "1.10",
            "12:30:45",
            "12:30",
            "+1",
            ".5",
            "5.",
            "00",
            "-017",
            "1_0.5",
            "190:20:30.15",
        ];
        for word in words {
            assert!(matches!(plain(word), Err(Ambiguous { code: "ambiguous_scalar", .. })), "{word}");
        }
        for word in ["9007199254740993", "-99999999999999999999", "99999999999999999999.5"] {
            assert!(matches!(plain(word), Err(Ambiguous { code: "number_too_large", .. })), "{word}");
        }
    }

    #[test]
    fn the_number_that_was_perhaps_meant() {
        let cases = [("1e3", Some("1000")), ("0x1f", Some("31")), ("1_000", Some("1000")), ("1.10", Some("1.1"))];
        for (word, number) in cases.into_iter().chain([("017", None), ("12:30:45", None), (".5", Some("0.5"))]) {
            assert_eq!(plainly(word).as_deref(), number, "{word}");
        }
    }
}
