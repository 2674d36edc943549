//! The figures of tests/peers as Markdown.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::figures::{nanos, times};

/// Everything that a run measured: what with, a table for each workload, and who took part.
///
/// # Errors
/// When a figure is missing.
pub(super) fn of(figures: &Value) -> Result<String> {
    let (cpu, date) = (text(figures, "cpu")?, text(figures, "date")?);
    let number = |name: &str| figures[name].as_u64().with_context(|| format!("a number `{name}`"));
    let (cores, rounds) = (number("cores")?, number("rounds")?);
    let milliseconds = number("round_milliseconds")?;
    let commit = figures["commit"].as_str().map(|commit| format!(" at {commit}")).unwrap_or_default();
    let mut markdown = format!(
        "Measured on {date}{commit} by `cargo xtask peers`, on {cores} cores of {cpu}: {rounds} rounds, in which each has his turn of\n\
         about {milliseconds} ms.\n"
    );
    for table in figures["tables"].as_array().context("a list of tables")? {
        markdown += &format!("\n{}", one(table)?);
    }
    markdown += "\n| who | version | how |\n|---|---|---|\n";
    for (name, about) in figures["contestants"].as_object().context("who took part")? {
        markdown += &format!("| {name} | {} | {} |\n", text(about, "version")?, text(about, "how")?);
    }
    Ok(markdown)
}

/// What all did who did the same, the fastest first.
fn one(table: &Value) -> Result<String> {
    let head = format!("{}: {}", text(table, "name")?, text(table, "title")?);
    let mut rows: Vec<&Value> = table["rows"].as_array().context("a list of rows")?.iter().collect();
    let on_two = rows.iter().any(|row| row.get("scaling").is_some());
    let by = if on_two { "two_nanos" } else { "nanos" };
    rows.sort_by(|one, other| median(one, by).total_cmp(&median(other, by)));
    let base = text(table, "base")?;
    let mut markdown = if on_two {
        format!(
            "| {head} | ns on one thread | ns on two, each | two over one | eight of ten rounds |\n|{}\n",
            "---|".repeat(5)
        )
    } else {
        let against =
            format!("| {head} | ns | eight of ten rounds | against \"{base}\" | eight of ten rounds | allocations |");
        format!("{against}\n|{}\n", "---|".repeat(6))
    };
    for row in rows {
        markdown += &line(row, on_two)?;
    }
    Ok(markdown)
}

fn line(row: &Value, on_two: bool) -> Result<String> {
    let name = text(row, "name")?;
    if on_two {
        let [one, ..] = spread(row, "one_nanos", nanos)?;
        let [two, ..] = spread(row, "two_nanos", nanos)?;
        let [scaling, low, high] = spread(row, "scaling", |times| format!("×{times:.2}"))?;
        return Ok(format!("| {name} | {one} | {two} | {scaling} | {low} to {high} |\n"));
    }
    let [median, low, high] = spread(row, "nanos", nanos)?;
    let [times, lowest, highest] = spread(row, "times_base", times)?;
    let allocations = row["allocations"].as_f64().context("allocations")?;
    Ok(format!("| {name} | {median} | {low} to {high} | {times} | {lowest} to {highest} | {allocations:.0} |\n"))
}

/// The middle, and where eight of ten are, for people.
fn spread(row: &Value, of: &str, shown: impl Fn(f64) -> String) -> Result<[String; 3]> {
    let figure = |part: &str| row[of][part].as_f64().with_context(|| format!("the {part} of `{of}`"));
    Ok([shown(figure("median")?), shown(figure("low")?), shown(figure("high")?)])
}

pub(super) fn median(row: &Value, of: &str) -> f64 {
    row[of]["median"].as_f64().unwrap_or(f64::INFINITY)
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str> {
    value[name].as_str().with_context(|| format!("a text `{name}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fastest_comes_first() {
        let spread = |median: f64| json!({"median": median, "low": median - 1.0, "high": median + 1.0});
        let alone = |name: &str, nanos: f64, times: f64| json!({"name": name, "nanos": spread(nanos), "times_base": spread(times), "allocations": 8.0});
        let both = json!({
            "name": "a", "one_nanos": spread(20.0), "two_nanos": spread(21.0), "scaling": spread(1.9),
        });
        let figures = json!({
            "date": "2026-11-29", "commit": "c0ffee5", "cpu": "a fast one", "cores": 2, "rounds": 15, "round_milliseconds": 50,
            "contestants": {"a": {"package": "a", "version": "1.2.3", "how": "By key."}},
            "tables": [
                {"name": "W1", "title": "one", "base": "a", "rows": [alone("b", 300.0, 15.0), alone("a", 20.0, 1.0)]},
                {"name": "W5", "title": "two", "base": "a", "rows": [both]},
            ],
        });
        let expected = [
            "Measured on 2026-11-29 at c0ffee5 by `cargo xtask peers`, on 2 cores of a fast one: 15 rounds, in which each has his turn of",
            "about 50 ms.",
            "",
            "| W1: one | ns | eight of ten rounds | against \"a\" | eight of ten rounds | allocations |",
            "|---|---|---|---|---|---|",
            "| a | 20.0 | 19.0 to 21.0 | ×1.00 | ×0.00 to ×2.00 | 8 |",
            "| b | 300 | 299 to 301 | ×15 | ×14 to ×16 | 8 |",
            "",
            "| W5: two | ns on one thread | ns on two, each | two over one | eight of ten rounds |",
            "|---|---|---|---|---|",
            "| a | 20.0 | 21.0 | ×1.90 | ×0.90 to ×2.90 |",
            "",
            "| who | version | how |",
            "|---|---|---|",
            "| a | 1.2.3 | By key. |",
        ];
        assert_eq!(of(&figures).unwrap().lines().collect::<Vec<_>>(), expected);
        assert!(of(&json!({"tables": []})).is_err());
    }
}
