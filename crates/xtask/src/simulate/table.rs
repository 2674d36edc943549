//! The simulation's figures as Markdown.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

/// A table of a group: a cell a row; shares in percent, then medians.
///
/// # Errors
/// When a figure is missing.
pub(super) fn of(group: &str, cells: &[Value]) -> Result<String> {
    let shares = keys(cells, "shares");
    let medians = keys(cells, "medians");
    let runs = cells.first().map_or(0, |cell| cell["runs"].as_u64().unwrap_or_default());
    let mut head = format!("| {group}, {runs} runs each |");
    for share in &shares {
        head += &format!(" {share} |");
    }
    for median in &medians {
        head += &format!(" {median}: minute / treated / bad |");
    }
    let mut table = format!("{head}\n|{}\n", "---|".repeat(1 + shares.len() + medians.len()));
    for cell in cells {
        table += &format!("| {} |", cell["name"].as_str().context("a cell has a name")?);
        for share in &shares {
            let share = cell["shares"][share].as_f64().context("a cell has every share")?;
            table += &format!(" {} |", percent(share));
        }
        for median in &medians {
            let figures: Option<[f64; 3]> = serde_json::from_value(cell["medians"][median].clone()).ok();
            let figures = figures.map(|[minute, treated, bad]| format!("{minute:.0} / {treated:.0} / {bad:.0}"));
            table += &format!(" {} |", figures.as_deref().unwrap_or("–"));
        }
        table.push('\n');
    }
    Ok(table)
}

fn keys(cells: &[Value], of: &str) -> BTreeSet<String> {
    cells.iter().filter_map(|cell| cell[of].as_object()).flat_map(|found| found.keys().cloned()).collect()
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.995 { format!("{percent:.2} %") } else { format!("{percent:.0} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_a_cell() {
        let cells = [serde_json::json!({
            "name": "flat", "runs": 500, "shares": {"e-value": 0.004, "z": 0.25}, "medians": {"e-value": [3.0, 150.0, 4.0]},
        })];
        let expected = "| harmless, 500 runs each | e-value | z | e-value: minute / treated / bad |\n\
            |---|---|---|---|\n| flat | 0.40 % | 25 % | 3 / 150 / 4 |\n";
        assert_eq!(of("harmless", &cells).unwrap(), expected);
        let without = [serde_json::json!({"name": "flat", "runs": 500, "shares": {"z": 0.0}, "medians": {}})];
        assert_eq!(of("a", &without).unwrap(), "| a, 500 runs each | z |\n|---|---|\n| flat | 0 % |\n");
    }
}
