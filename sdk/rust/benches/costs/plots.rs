//! What is to be drawn, for `cargo xtask bench`.

use serde_json::{Value, json};

/// A plot: where it goes, its axes, its lines, and why they are not flat.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) series: Vec<Series>,
    pub(crate) note: &'static str,
}

/// A line.
pub(crate) struct Series {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Series {
    pub(crate) const fn new(name: &'static str, points: Vec<(f64, f64)>) -> Self {
        Self { name, points }
    }
}

impl Plot {
    fn to_json(&self) -> Value {
        let series: Vec<Value> =
            self.series.iter().map(|series| json!({"name": series.name, "points": series.points})).collect();
        json!({
            "file": self.file, "title": self.title, "x": {"name": self.x, "log": true},
            "y": {"name": self.y, "log": true}, "series": series, "note": self.note,
        })
    }
}

/// Writes them where `DAYBREAK_PLOTS` says, if it does.
pub(crate) fn write(plots: &[Plot]) -> anyhow::Result<()> {
    let Some(folder) = std::env::var_os("DAYBREAK_PLOTS") else { return Ok(()) };
    let plots: Vec<Value> = plots.iter().map(Plot::to_json).collect();
    std::fs::write(std::path::Path::new(&folder).join("costs.json"), json!({ "plots": plots }).to_string())?;
    Ok(())
}
