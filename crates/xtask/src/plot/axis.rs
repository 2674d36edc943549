//! Axes: where a value lies, and what is written beside it.

/// Steps within a decade that are written where an axis has few decades.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// An axis with more decades than this has no steps within them; with twice as many, every second decade is written.
const DECADES_MAX: i32 = 2;
/// How many parts a linear axis has at least.
const PARTS: f64 = 4.0;

/// An axis from its first to its last value.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    name: String,
    logarithmic: bool,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis on which every decade is as long as every other, for values above 0. It ends at round ones.
    pub(crate) fn logarithmic(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (least, greatest) = bounds(values.into_iter().filter(|value| *value > 0.0));
        let (least, greatest) = if least.is_finite() { (least, greatest) } else { (1.0, 10.0) };
        let few = greatest.log10() - least.log10() <= f64::from(DECADES_MAX);
        let steps: &[f64] = if few { &STEPS } else { &STEPS[..1] };
        #[expect(clippy::cast_possible_truncation, reason = "decades")]
        let (first, last) = (least.log10().floor() as i32, greatest.log10().ceil() as i32 + 1);
        let round = (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
        // A thousandth of room, for 10³ is not always 1,000.
        let (mut from, mut ticks) = (f64::NEG_INFINITY, Vec::new());
        for value in round {
            if value <= least * 1.001 {
                from = value;
                ticks.clear();
            }
            ticks.push(value);
            if value >= greatest * 0.999 && value > from {
                break;
            }
        }
        let to = ticks.last().copied().unwrap_or(greatest);
        if last - first > 3 * DECADES_MAX {
            ticks = ticks.into_iter().step_by(2).collect();
        }
        let ticks = ticks.into_iter().map(|value| (value, number(value))).collect();
        Self { name: name.to_owned(), logarithmic: true, from, to, ticks }
    }

    /// An axis from 0 on.
    pub(crate) fn linear(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (_, greatest) = bounds(values);
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let decade = 10_f64.powf((greatest / PARTS).log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * decade);
        let step = step.rev().find(|step| greatest / step >= PARTS).unwrap_or(decade);
        let parts = (greatest / step * 0.999).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "a few parts")]
        let ticks = (0..=parts as i32).map(|part| f64::from(part) * step).map(|value| (value, number(value))).collect();
        Self { name: name.to_owned(), logarithmic: false, from: 0.0, to: parts * step, ticks }
    }

    /// Shares from none to this one.
    pub(crate) fn shares(name: &str, to: f64) -> Self {
        let ticks = (0..=5).map(|fifth| to * f64::from(fifth) / 5.0);
        let ticks = ticks.map(|share| (share, format!("{:.0} %", share * 100.0))).collect();
        Self { name: name.to_owned(), logarithmic: false, from: 0.0, to, ticks }
    }

    /// A logarithmic axis with just these written beside it, from the first to the last.
    pub(crate) fn at(name: &str, ticks: &[f64]) -> Self {
        let (from, to) = bounds(ticks.iter().copied());
        let ticks = ticks.iter().map(|value| (*value, number(*value))).collect();
        Self { name: name.to_owned(), logarithmic: true, from, to, ticks }
    }

    /// What it measures.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How far along it a value lies, from 0 to 1; what is beyond an end lies there.
    pub(super) fn part(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// What is written beside it.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|(value, text)| (*value, text.as_str()))
    }
}

fn bounds(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| (least.min(value), greatest.max(value)))
}

/// A round number, as people write it: with as few places as tell it, 0.05 and not 0.050000000000000003.
fn number(value: f64) -> String {
    let tells = |text: &String| text.parse().is_ok_and(|read: f64| (read - value).abs() <= value / 1_000.0);
    match (0..9).map(|places| format!("{value:.places$}")).find(tells) {
        Some(text) if text.contains('.') => text,
        _ => crate::figures::thousands(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis) -> Vec<&str> {
        axis.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn decades() {
        for (values, expected) in [
            (vec![10.0, 100_000.0], vec!["10", "100", "1,000", "10,000", "100,000"]),
            (vec![1.9, 30.0], vec!["1", "2", "5", "10", "20", "50"]),
            (vec![0.05, 0.2], vec!["0.05", "0.1", "0.2"]),
            (vec![7.0], vec!["5", "10"]),
            (vec![0.0, -1.0], vec!["1", "2", "5", "10"]),
            (vec![1.0, 65_000_000.0], vec!["1", "100", "10,000", "1,000,000", "100,000,000"]),
        ] {
            let axis = Axis::logarithmic("n", values.clone());
            assert_eq!(ticks(&axis), expected, "{values:?}");
            for value in values {
                assert!((0.0..=1.0).contains(&axis.part(value)), "{value}");
            }
        }
    }

    #[test]
    fn from_nothing_on() {
        for (greatest, expected) in [
            (4.0, vec!["0", "1", "2", "3", "4"]),
            (9.5, vec!["0", "2", "4", "6", "8", "10"]),
            (230.0, vec!["0", "50", "100", "150", "200", "250"]),
            (1.4, vec!["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5"]),
            (0.0, vec!["0", "0.25", "0.5", "0.75", "1"]),
        ] {
            assert_eq!(ticks(&Axis::linear("n", [greatest])), expected, "{greatest}");
        }
    }

    #[test]
    fn values_lie_where_they_belong() {
        let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-9, "{one} {other}");
        let decades = Axis::logarithmic("n", [1.0, 100.0]);
        close(decades.part(10.0), 0.5);
        close(decades.part(0.001), 0.0);
        close(Axis::linear("n", [10.0]).part(5.0), 0.5);
        close(Axis::shares("n", 0.5).part(2.0), 1.0);
        close(Axis::at("minutes", &[1.0, 480.0]).part(480.0), 1.0);
    }
}
