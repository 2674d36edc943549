//! Plots for `cargo xtask bench`, which draws them: a benchmark leaves a file where `DAYBREAK_PLOTS` says.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A line: its name and its points.
pub type Line = (String, Vec<(f64, f64)>);

/// The plots of one benchmark.
#[derive(Debug, Default)]
pub struct Plots(Vec<Value>);

impl Plots {
    /// One more: its file without `.svg`, its title, the names of its axes, which are logarithmic both, its lines, and one sentence
    /// that says why they are not flat.
    pub fn add(&mut self, file: &str, title: &str, (x, y): (&str, &str), lines: Vec<Line>, note: &str) {
        let series = lines.into_iter().filter(|(_, points)| !points.is_empty());
        let series: Vec<Value> = series.map(|(name, points)| json!({ "name": name, "points": points })).collect();
        let axis = |name| json!({ "name": name, "log": true });
        self.0
            .push(json!({ "file": file, "title": title, "x": axis(x), "y": axis(y), "series": series, "note": note }));
    }

    /// Leaves them, if somebody asked for plots.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn leave(self, benchmark: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("DAYBREAK_PLOTS").map(PathBuf::from) else { return Ok(()) };
        let file = folder.join(format!("{benchmark}.json"));
        std::fs::write(&file, json!({ "plots": self.0 }).to_string()).with_context(|| file.display().to_string())
    }
}
