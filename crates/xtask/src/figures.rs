//! Figures as people read them.

/// Nanoseconds, with three digits that count.
pub(crate) fn nanos(nanos: f64) -> String {
    if nanos < 10.0 {
        format!("{nanos:.2}")
    } else if nanos < 100.0 {
        format!("{nanos:.1}")
    } else {
        thousands(nanos)
    }
}

/// How many times as much.
pub(crate) fn times(times: f64) -> String {
    if times < 10.0 { format!("×{times:.2}") } else { format!("×{}", thousands(times)) }
}

/// Nanoseconds, in the unit that leaves the fewest digits.
pub(crate) fn duration(nanos: f64) -> String {
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (unit, size) = units.into_iter().rev().find(|(_, size)| nanos >= *size).unwrap_or(units[0]);
    format!("{} {unit}", self::nanos(nanos / size))
}

/// A whole number, by thousands.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The number with which a cell of a table begins: `×1.98`, `1,234 ns`, `0.38 ms`.
pub(crate) fn read(cell: &str) -> Option<f64> {
    let digits = cell.trim().trim_start_matches('×').replace(',', "");
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (number, expected) in [
            (0.554, "0.55"),
            (9.99, "9.99"),
            (10.04, "10.0"),
            (99.94, "99.9"),
            (100.4, "100"),
            (999.6, "1,000"),
            (46_400_000.0, "46,400,000"),
        ] {
            assert_eq!(nanos(number), expected);
        }
        assert_eq!((times(0.5), times(12.3), times(12_345.0)), ("×0.50".into(), "×12".into(), "×12,345".into()));
        for (nanos, expected) in [(0.25, "0.25 ns"), (14.26, "14.3 ns"), (1_500.0, "1.50 µs"), (2e9, "2.00 s")] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn numbers_of_people() {
        for (cell, expected) in [
            ("×1.98", Some(1.98)),
            (" 1,234 ns ", Some(1234.0)),
            ("0.38 ms", Some(0.38)),
            ("75%", Some(75.0)),
            ("none", None),
            ("", None),
        ] {
            assert_eq!(read(cell), expected, "{cell:?}");
        }
    }
}
