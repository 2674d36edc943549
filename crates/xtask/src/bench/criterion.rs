//! What criterion measured, read from the files that it leaves: tables, and a plot of each growth.
//!
//! A group named `growth over THINGS` has ids `growth over THINGS/LINE/NUMBER`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Value;
use walkdir::WalkDir;

use super::growth;
use super::plots::{Line, Named, Plot};
use crate::figures::{duration, thousands};

/// How the names of groups begin whose last part is a number over which something may grow.
const GROWTH: &str = "growth over ";

/// One benchmark of criterion's: nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    id: String,
    median: f64,
    low: f64,
    high: f64,
}

/// Every benchmark measured since a moment.
///
/// # Errors
/// When a file is not as criterion writes it.
pub(super) fn read(folder: &Path, since: SystemTime) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let is_new = entry.path().ends_with("new/estimates.json");
        if is_new && entry.metadata()?.modified()? >= since {
            all.push(one(entry.path()).with_context(|| entry.path().display().to_string())?);
        }
    }
    Ok(all)
}

fn one(estimates: &Path) -> Result<Measured> {
    let read = |path: &Path| -> Result<Value> { Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?) };
    let benchmark = read(&estimates.with_file_name("benchmark.json"))?;
    let id = benchmark["full_id"].as_str().context("a benchmark has a name")?.to_owned();
    let median = &read(estimates)?["median"];
    let nanos = |value: &Value| value.as_f64().context("a median has numbers");
    let interval = &median["confidence_interval"];
    Ok(Measured {
        id,
        median: nanos(&median["point_estimate"])?,
        low: nanos(&interval["lower_bound"])?,
        high: nanos(&interval["upper_bound"])?,
    })
}

/// A row for each benchmark; then a table for each growth.
pub(super) fn tables(all: &[Measured]) -> String {
    let mut markdown = String::new();
    let single: Vec<&Measured> = all.iter().filter(|one| parts(one).is_none()).collect();
    if !single.is_empty() {
        markdown += "| what | median | 95 % interval |\n|---|---|---|\n";
    }
    for Measured { id, median, low, high } in single {
        _ = writeln!(markdown, "| {id} | {} | {} to {} |", duration(*median), duration(*low), duration(*high));
    }
    for (over, lines) in growths(all) {
        let numbers: BTreeSet<u64> = lines.values().flat_map(|points| points.keys().copied()).collect();
        let names: Vec<&str> = lines.keys().copied().collect();
        _ = write!(markdown, "\n| {over} | {} |\n|{}\n", names.join(" | "), "---|".repeat(1 + names.len()));
        for number in numbers {
            let cells = lines
                .values()
                .map(|points| points.get(&number).map_or_else(|| "–".to_owned(), |nanos| duration(*nanos)));
            #[expect(clippy::cast_precision_loss, reason = "a number of things")]
            let number = thousands(number as f64);
            _ = writeln!(markdown, "| {number} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    markdown.trim_start().to_owned()
}

/// A plot for each growth.
pub(super) fn plots(all: &[Measured]) -> Vec<Plot> {
    let plot = |(over, lines): (&str, BTreeMap<&str, BTreeMap<u64, f64>>)| {
        #[expect(clippy::cast_precision_loss, reason = "a number of things")]
        let points =
            |points: BTreeMap<u64, f64>| points.into_iter().map(|(number, nanos)| (number as f64, nanos)).collect();
        Plot {
            file: format!("growth-{}", file_name(over)),
            title: format!("Cost over {over}"),
            x: Named { name: over.to_owned(), log: true },
            y: Named { name: "ns".to_owned(), log: true },
            series: lines
                .into_iter()
                .map(|(name, line)| Line { name: name.to_owned(), points: points(line) })
                .collect(),
            note: growth::note(over).to_owned(),
        }
    };
    growths(all).into_iter().map(plot).collect()
}

/// Over what, the lines by their names, and their points.
fn growths(all: &[Measured]) -> BTreeMap<&str, BTreeMap<&str, BTreeMap<u64, f64>>> {
    let mut growths: BTreeMap<&str, BTreeMap<&str, BTreeMap<u64, f64>>> = BTreeMap::new();
    for one in all {
        if let Some((over, line, number)) = parts(one) {
            growths.entry(over).or_default().entry(line).or_default().insert(number, one.median);
        }
    }
    growths
}

/// Over what it grows, which line it is of, and the number.
fn parts(measured: &Measured) -> Option<(&str, &str, u64)> {
    let (group, rest) = measured.id.split_once('/')?;
    let (line, number) = rest.rsplit_once('/').unwrap_or(("", rest));
    Some((group.strip_prefix(GROWTH)?, line, number.parse().ok()?))
}

fn file_name(text: &str) -> String {
    let letters = text
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect::<String>();
    letters.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &Path, id: &str, median: f64) {
        let new = folder.join(id).join("new");
        std::fs::create_dir_all(&new).unwrap();
        std::fs::write(new.join("benchmark.json"), serde_json::json!({"full_id": id}).to_string()).unwrap();
        let interval = serde_json::json!({"lower_bound": median - 0.5, "upper_bound": median + 1.0});
        let estimates = serde_json::json!({"median": {"point_estimate": median, "confidence_interval": interval}});
        std::fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
    }

    #[test]
    fn what_criterion_leaves_becomes_tables_and_plots() {
        let folder = tempfile::TempDir::new().unwrap();
        for (id, median) in [
            ("evaluate/boolean", 12.5),
            ("growth over ids of a list/by key/10", 20.0),
            ("growth over ids of a list/by key/10000", 30.0),
            ("growth over ids of a list/by handle/10", 5.0),
        ] {
            left(folder.path(), id, median);
        }
        let all = read(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        let expected = "| what | median | 95 % interval |\n|---|---|---|\n\
            | evaluate/boolean | 12.5 ns | 12.0 ns to 13.5 ns |\n\n\
            | ids of a list | by handle | by key |\n|---|---|---|\n\
            | 10 | 5.00 ns | 20.0 ns |\n| 10,000 | – | 30.0 ns |\n";
        assert_eq!(tables(&all), expected);
        let plots = plots(&all);
        assert_eq!((plots.len(), plots[0].file.as_str()), (1, "growth-ids-of-a-list"));
        assert_eq!(plots[0].series[1].points, [(10.0, 20.0), (10_000.0, 30.0)]);
        let later = SystemTime::now() + std::time::Duration::from_secs(3600);
        assert_eq!(read(folder.path(), later).unwrap(), [], "what an earlier run left is not shown");
    }
}
