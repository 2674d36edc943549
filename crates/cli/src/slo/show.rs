//! An error budget as text.

use std::fmt::Write;

use daybreak_model::Millis;
use serde_json::Value;

/// From nothing to as high as it gets.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A stretch without requests.
const NOTHING: char = '·';

/// What a server says of a budget, for people.
pub(super) fn describe(budget: &Value) -> String {
    let text = |name: &str| budget[name].as_str().unwrap_or("?");
    let state = match text("state") {
        "insufficient_data" => "insufficient data",
        state => state,
    };
    let mut lines = format!("{}: {} over {}: {state}\n", text("key"), text("objective"), text("window"));
    let (total, bad) = (count(&budget["total"]), count(&budget["bad"]));
    let (allowed, left) = (number(&budget["allowed"]), number(&budget["remaining"]));
    // Writing to a text cannot fail.
    let since = day(text("since"));
    let _ = match total {
        0 => writeln!(lines, "  left     nobody knows: no request was counted since {since}"),
        _ => writeln!(
            lines,
            "  left     {} of the budget: {bad} bad of {total} requests since {since}, {} allowed",
            percent(left),
            short(allowed)
        ),
    };
    for alert in budget["alerts"].as_array().into_iter().flatten() {
        let (long, short_window) = (&alert["long"], &alert["short"]);
        let note = match (alert["firing"].as_bool(), alert["enough_data"].as_bool()) {
            (Some(true), _) => " BURNING",
            (_, Some(false)) => " (too few requests to tell)",
            _ => "",
        };
        let _ = writeln!(
            lines,
            "  burn     {} in {}, {} in {}; too fast above {}{note}",
            rate(long),
            length(long),
            rate(short_window),
            length(short_window),
            short(number(&alert["factor"]))
        );
    }
    if let Some(at) = budget["exhausted_at"].as_str() {
        let _ = writeln!(lines, "  gone     on {} if it goes on like this", minute(at));
    }
    let source = &budget["source"];
    if source["failures"].as_u64().is_some_and(|failures| failures > 0) {
        let _ = writeln!(lines, "  source   Prometheus: {}", source["last_error"].as_str().unwrap_or("it fails"));
    }
    let history: Vec<Option<f64>> =
        budget["history"].as_array().into_iter().flatten().map(|point| point["rate"].as_f64()).collect();
    let (line, top) = sparkline(&history);
    let _ = writeln!(
        lines,
        "  window   {line} {}",
        if top > 0.0 { format!("up to {}", short(top)) } else { String::new() }
    );
    lines.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Burn rates as blocks, and the rate that the highest stands for: 1 at least, so that what may be looks like it.
fn sparkline(rates: &[Option<f64>]) -> (String, f64) {
    let top = rates.iter().flatten().copied().fold(0.0, f64::max);
    let scale = top.max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 7")]
    let block = |rate: &Option<f64>| match rate {
        None => NOTHING,
        Some(rate) => {
            let height = (rate / scale * 7.0).ceil().clamp(0.0, 7.0) as usize;
            BLOCKS.get(height).copied().unwrap_or(NOTHING)
        }
    };
    (rates.iter().map(block).collect(), top)
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// The day of a moment.
fn day(moment: &str) -> &str {
    moment.get(..10).unwrap_or(moment)
}

/// A moment to the minute.
fn minute(moment: &str) -> String {
    format!("{} (UTC)", moment.get(..16).unwrap_or(moment).replace('T', " at "))
}

fn length(burn: &Value) -> String {
    Millis::new(count(&burn["window"])).to_string()
}

fn rate(burn: &Value) -> String {
    burn["rate"].as_f64().map_or_else(|| "nothing".to_owned(), short)
}

/// A number with as many digits as people read.
fn short(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share, rounded down: what is nearly gone is not said to be whole, nor what is gone to be left.
fn percent(share: f64) -> String {
    format!("{}%", short((share * 1_000.0).floor() / 10.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_for_people() {
        let burn = |window: u64, rate: f64| json!({ "window": window, "total": 9, "bad": 1, "rate": rate });
        let budget = json!({
            "key": "checkout", "objective": "99.9%", "window": "28d", "since": "2026-10-28T09:00:00Z", "state": "burning",
            "total": 93_700, "bad": 12, "allowed": 93.7, "remaining": 0.871_93, "exhausted_at": "2026-11-27T05:31:20Z",
            "alerts": [
                { "factor": 13.44, "long": burn(3_600_000, 14.2), "short": burn(300_000, 20.0), "firing": true, "enough_data": true },
                { "factor": 5.6, "long": burn(21_600_000, 3.0), "short": { "window": 1_800_000, "total": 0, "bad": 0 },
                  "firing": false, "enough_data": false },
            ],
            "history": [{ "total": 0 }, { "rate": 0.0 }, { "rate": 0.5 }, { "rate": 14.0 }],
            "source": { "failures": 2, "last_error": "it does not answer: connection refused" },
        });
        let expected = "checkout: 99.9% over 28d: burning
  left     87.1% of the budget: 12 bad of 93700 requests since 2026-10-28, 93.7 allowed
  burn     14.2 in 1h, 20 in 5m; too fast above 13.44 BURNING
  burn     3 in 6h, nothing in 30m; too fast above 5.6 (too few requests to tell)
  gone     on 2026-11-27 at 05:31 (UTC) if it goes on like this
  source   Prometheus: it does not answer: connection refused
  window   ·▁▂█ up to 14
";
        assert_eq!(describe(&budget), expected);
    }

    #[test]
    fn nothing_is_known() {
        let budget =
            json!({ "key": "a", "state": "insufficient_data", "total": 0, "remaining": 1.0, "since": "2026-10-28" });
        assert!(describe(&budget).contains("left     nobody knows: no request was counted since 2026-10-28\n"));
    }

    #[test]
    fn blocks() {
        let cases = [
            (vec![None, Some(0.0)], "·▁", 0.0),
            (vec![Some(0.01), Some(0.5), Some(1.0)], "▂▅█", 1.0),
            (vec![Some(0.4)], "▄", 0.4),
            (vec![Some(1_000.0), Some(1.0)], "█▂", 1_000.0),
            (Vec::new(), "", 0.0),
        ];
        for (rates, line, top) in cases {
            assert_eq!(sparkline(&rates), (line.to_owned(), top), "{rates:?}");
        }
    }

    #[test]
    fn shares() {
        for (share, expected) in [(1.0, "100%"), (0.999_99, "99.9%"), (0.000_4, "0%"), (-0.25, "-25%"), (0.5, "50%")] {
            assert_eq!(percent(share), expected, "{share}");
        }
    }
}
