//! The figures of tests/peers as bars.

use anyhow::{Context, Result};
use serde_json::Value;

use super::table::{median, text};
use crate::bench::{Figure, of_peers};
use crate::figures::{nanos, times};
use crate::plot::{Axis, Bar, Bars, COLOURS, Row};

/// Ours, and others'.
const OURS: &str = COLOURS[0];
const OTHERS: &str = COLOURS[4];

/// A picture for each table: its file without `.svg`, its title, and the SVG.
///
/// # Errors
/// When a figure is missing.
pub(super) fn all(figures: &Value) -> Result<Vec<(String, String, String)>> {
    figures["tables"].as_array().context("a list of tables")?.iter().map(one).collect()
}

fn one(table: &Value) -> Result<(String, String, String)> {
    let (name, words) = (text(table, "name")?, text(table, "title")?);
    let mut rows: Vec<&Value> = table["rows"].as_array().context("a list of rows")?.iter().collect();
    let on_two = rows.iter().any(|row| row.get("scaling").is_some());
    let of = if on_two { "scaling" } else { "nanos" };
    rows.sort_by(|one, other| median(one, of).total_cmp(&median(other, of)));
    if on_two {
        rows.reverse();
    }
    let goal = of_peers(name, words, if on_two { Figure::Scaling } else { Figure::Nanos });
    let line = goal.map(|goal| (goal.bound.number(), format!("goal {}", goal.bound())));
    let shown = |value: f64| if on_two { times(value) } else { format!("{} ns", nanos(value)) };
    let row = |row: &&Value| -> Result<Row> {
        let (name, value) = (text(row, "name")?.to_owned(), median(row, of));
        let colour = if name.starts_with("Daybreak") { OURS } else { OTHERS };
        Ok(Row { name, bars: vec![Bar { value, colour, label: shown(value) }] })
    };
    let rows = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
    let values = rows.iter().flat_map(|row| &row.bars).map(|bar| bar.value);
    let values = values.chain(line.as_ref().map(|(value, _)| *value));
    // A bar on a logarithmic axis begins somewhere: where the shortest still is one.
    let axis = if on_two {
        Axis::linear("two threads over one", values)
    } else {
        let values: Vec<f64> = values.collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        Axis::logarithmic("ns, logarithmic", values.into_iter().chain([least / 1.5]))
    };
    let title = format!("{name}: {words}{}", if on_two && !words.contains("thread") { ", on two threads" } else { "" });
    let legend = [(OURS, "Daybreak"), (OTHERS, if name == "limits" { "bare" } else { "others" })];
    let reference = line.as_ref().map(|(value, name)| (*value, name.as_str()));
    let svg = Bars { title: &title, axis, rows: &rows, legend: &legend, reference }.svg();
    Ok((file_name(name, words, on_two), title, svg))
}

/// `peers-w1`, `peers-fault-point-nothing`, `peers-limits-threads`.
fn file_name(name: &str, words: &str, on_two: bool) -> String {
    let first = words.split(' ').next().unwrap_or_default();
    // Only fault points have several tables of a kind.
    let scene = if name.contains(' ') { format!("-{first}") } else { String::new() };
    let threads = if on_two { "-threads" } else { "" };
    format!("peers-{}{scene}{threads}", name.to_lowercase().replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_for_each_beside_the_goal() {
        let row = |name: &str, median: f64| json!({"name": name, "nanos": {"median": median}});
        let figures = json!({"tables": [
            {"name": "W1", "title": "a boolean", "rows": [row("other", 150.0), row("Daybreak, by key", 15.0)]},
            {"name": "fault point", "title": "nothing running", "rows": [{"name": "fail", "scaling": {"median": 0.45}}]},
        ]});
        let pictures = all(&figures).unwrap();
        let (name, title, svg) = &pictures[0];
        assert_eq!((name.as_str(), title.as_str()), ("peers-w1", "W1: a boolean"));
        assert!(svg.find(">Daybreak, by key<") < svg.find(">other<"), "the fastest comes first: {svg}");
        assert!(svg.contains(">150 ns<") && svg.contains(">goal ≤ 15 ns<") && svg.contains(OURS), "{svg}");
        let (name, _, svg) = &pictures[1];
        assert_eq!(name, "peers-fault-point-nothing-threads");
        assert!(svg.contains(">×0.45<") && svg.contains(">goal ≥ ×1.9<"), "{svg}");
        assert!(all(&json!({"tables": [{"name": "W1"}]})).is_err());
    }
}
