//! Figures of several rounds.

/// The middle of some figures, and where eight of ten are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// One of ten is below.
    pub low: f64,
    /// One of ten is above.
    pub high: f64,
}

impl Spread {
    /// Of the figures of each round; none of no round.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        let at = |tenths: usize| figures.get((last * tenths + 5) / 10).copied();
        Some(Self { median: at(5)?, low: at(1)?, high: at(9)? })
    }

    /// `median | low to high`, as cells of a table.
    #[must_use]
    pub fn cells(&self, shown: impl Fn(f64) -> String, unit: &str) -> String {
        format!("{}{unit} | {} to {}", shown(self.median), shown(self.low), shown(self.high))
    }
}

/// A whole number, by thousands.
#[must_use]
pub fn thousands(number: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_where_most_are() {
        let spread = Spread::of((1..=11).rev().map(f64::from)).unwrap();
        assert_eq!(spread, Spread { median: 6.0, low: 2.0, high: 10.0 });
        assert_eq!(spread.cells(thousands, " ms"), "6 ms | 2 to 10");
        assert_eq!(Spread::of([]), None);
        assert_eq!(thousands(1_234_567.4), "1,234,567");
    }
}
