//! Numbers as people read them.

pub(super) use crate::readable::short;

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

/// A share of `part` in `of`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases = [(0.0, "0"), (-0.001, "0"), (0.38, "0.38"), (1.26, "1.3"), (20.0, "20"), (1_234.5, "1234")];
        for (value, expected) in cases {
            assert_eq!(short(value), expected, "{value}");
        }
        assert_eq!((percent(0.999_5), share(1, 4), share(1, 0)), ("100 %".to_owned(), 0.25, 0.0));
    }
}
