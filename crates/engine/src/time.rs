//! RFC 3339 times in contexts.

use jiff::Timestamp;

use crate::Truth;

/// Asks of a text as a time; unknown where it is none.
pub(crate) fn asks(text: &str, holds: impl Fn(Timestamp) -> bool) -> Truth {
    // The library allocates where it fails: it is only given what it can read.
    if !is_rfc_3339(text.as_bytes()) {
        return Truth::Unknown;
    }
    text.parse().map_or(Truth::Unknown, |time| holds(time).into())
}

/// Whether a text is of the form `2026-01-31T12:00:00.5+01:00`, with every number in its range.
fn is_rfc_3339(text: &[u8]) -> bool {
    let pair = |at: usize| match text.get(at..at + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    };
    let below = |at: usize, end: u8| pair(at).is_some_and(|number| number < end);
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let date = match (pair(0), pair(2), pair(5), pair(8)) {
        (Some(century), Some(year), Some(month), Some(day)) => {
            let leap = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
            let days = match month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=12).contains(&month) && (1..=days).contains(&day)
        }
        _ => false,
    };
    let separator = matches!(text.get(10), Some(b'T' | b't' | b' '));
    let in_range = below(11, 24) && below(14, 60) && below(17, 61);
    let signs = signs.iter().all(|(at, sign)| text.get(*at) == Some(sign));
    let mut zone = 19;
    if text.get(zone) == Some(&b'.') {
        let digits = text[zone + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        zone += 1 + digits;
    }
    let zone_ok = match text.get(zone) {
        Some(b'Z' | b'z') => text.len() == zone + 1,
        Some(b'+' | b'-') => {
            text.len() == zone + 6 && below(zone + 1, 24) && text[zone + 3] == b':' && below(zone + 4, 60)
        }
        _ => false,
    };
    date && separator && in_range && signs && zone_ok
}
