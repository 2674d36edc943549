//! Numbers as people read them: one spelling for the sentences of the guard, the report of a run and the terminal.

/// From here on an e-value is told as a power of ten.
const POWERS_FROM: f64 = 10_000.0;

/// A number with as many digits as people read.
#[must_use]
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 1.0 => 1,
        _ => 2,
    };
    trimmed(value, digits)
}

/// A share as a percentage: `0.38%`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{}%", short(share * 100.0))
}

/// A share as a percentage to three digits behind the point, as a limit is held against it: `0.001%`.
#[must_use]
pub fn exact_percent(share: f64) -> String {
    format!("{}%", trimmed(share * 100.0, 3))
}

/// An e-value, from its natural logarithm, which may be too large for a number: `1.2`, `105`, `10^31`.
#[must_use]
pub fn e_value(ln: f64) -> String {
    if ln < POWERS_FROM.ln() { short(ln.exp()) } else { format!("10^{:.0}", ln / std::f64::consts::LN_10) }
}

/// Without zeros at its end, and without a sign where nothing is left.
fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.004, "0"),
            (-0.001, "0"),
            (0.38, "0.38"),
            (1.26, "1.3"),
            (20.0, "20"),
            (-20.04, "-20"),
            (1_234.5, "1234"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected, "{value}");
        }
        assert_eq!((percent(0.999_5), percent(-0.0)), ("100%".to_owned(), "0%".to_owned()));
        for (share, expected) in [(-0.0, "0%"), (0.05, "5%"), (0.000_012_3, "0.001%"), (0.333_33, "33.333%")] {
            assert_eq!(exact_percent(share), expected, "{share}");
        }
    }

    #[test]
    fn e_values_for_people() {
        let cases = [(0.0, "1"), (-1.0, "0.37"), (4.605_2, "100"), (4.654, "105"), (9.3, "10^4"), (900.0, "10^391")];
        for (ln, expected) in cases {
            assert_eq!(e_value(ln), expected, "{ln}");
        }
    }
}
