//! What criterion measured, read from the files it leaves.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Value;
use walkdir::WalkDir;

/// A table of every benchmark measured since a moment: its name, its median and how far that may be off.
///
/// # Errors
/// When a file is not as criterion writes it.
pub(super) fn table(folder: &Path, since: SystemTime) -> Result<String> {
    let mut table = String::from("| benchmark | median | 95 % interval |\n|---|---|---|\n");
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let is_new = entry.path().ends_with("new/estimates.json");
        if is_new && entry.metadata()?.modified()? >= since {
            table += &row(entry.path()).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(table)
}

fn row(estimates: &Path) -> Result<String> {
    let read = |path: &Path| -> Result<Value> { Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?) };
    let benchmark = read(&estimates.with_file_name("benchmark.json"))?;
    let name = benchmark["full_id"].as_str().context("a benchmark has a name")?;
    let median = &read(estimates)?["median"];
    let nanos = |value: &Value| value.as_f64().map(duration).context("a median has numbers");
    let interval = &median["confidence_interval"];
    Ok(format!(
        "| {name} | {} | {} – {} |\n",
        nanos(&median["point_estimate"])?,
        nanos(&interval["lower_bound"])?,
        nanos(&interval["upper_bound"])?
    ))
}

/// Nanoseconds, for people.
fn duration(nanos: f64) -> String {
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (unit, size) = units.into_iter().rev().find(|(_, size)| nanos >= *size).unwrap_or(units[0]);
    format!("{:.3} {unit}", nanos / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (nanos, expected) in [(0.25, "0.250 ns"), (4.2, "4.200 ns"), (1_500.0, "1.500 µs"), (2e9, "2.000 s")] {
            assert_eq!(duration(nanos), expected);
        }
    }

    #[test]
    fn what_criterion_leaves_becomes_a_table() {
        let folder = tempfile::TempDir::new().unwrap();
        let new = folder.path().join("evaluate/boolean/new");
        std::fs::create_dir_all(&new).unwrap();
        std::fs::write(new.join("benchmark.json"), r#"{"full_id": "evaluate/boolean"}"#).unwrap();
        let estimates = r#"{"median": {"point_estimate": 12.5, "confidence_interval": {"lower_bound": 12.0, "upper_bound": 1300.0}}}"#;
        std::fs::write(new.join("estimates.json"), estimates).unwrap();
        let lines = |since| table(folder.path(), since).unwrap().lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(SystemTime::UNIX_EPOCH), ["| evaluate/boolean | 12.500 ns | 12.000 ns – 1.300 µs |"]);
        let later = SystemTime::now() + std::time::Duration::from_secs(3600);
        assert_eq!(lines(later), [""; 0], "what an earlier run left is not shown");
    }
}
