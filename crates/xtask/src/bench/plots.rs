//! The plots that benchmarks leave: a benchmark writes `NAME.json` into the folder that `DAYBREAK_PLOTS` names, with
//! `{"plots": [{"file", "title", "x": {"name", "log"}, "y", "series": [{"name", "points": [[x, y]]}], "note"}]}`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::plot::{Axis, Lines, Series, Style};

/// The variable with the folder into which a benchmark writes.
pub(crate) const FOLDER: &str = "DAYBREAK_PLOTS";

/// One plot: lines.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Plot {
    /// Its file, without `.svg`.
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) x: Named,
    pub(crate) y: Named,
    pub(crate) series: Vec<Line>,
    /// One sentence: why it is not flat.
    #[serde(default)]
    pub(crate) note: String,
}

/// An axis.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) log: bool,
}

/// A line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Left {
    plots: Vec<Plot>,
}

impl Plot {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|line| &line.points);
        let axis = |of: &Named, values: Vec<f64>| {
            if of.log { Axis::logarithmic(&of.name, values) } else { Axis::linear(&of.name, values) }
        };
        let (x, y) = (points().map(|(x, _)| *x).collect(), points().map(|(_, y)| *y).collect());
        let series = self.series.iter().enumerate().map(|(colour, Line { name, points })| Series {
            name: name.clone(),
            colour,
            style: Style::Solid,
            points: points.clone(),
        });
        let series: Vec<Series> = series.collect();
        Lines { title: &self.title, x: axis(&self.x, x), y: axis(&self.y, y), series: &series, reference: None }.svg()
    }

    /// How the document shows it.
    pub(crate) fn markdown(&self) -> String {
        let picture = format!("![{}](benchmarks/{}.svg)\n", self.title, self.file);
        if self.note.is_empty() { picture } else { format!("{picture}\n{}\n", self.note) }
    }
}

/// The plots in a file that a benchmark left; none where it left no file.
///
/// # Errors
/// When the file is not as it should be.
pub(crate) fn read(file: &Path) -> Result<Vec<Plot>> {
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let read = std::fs::read(file).with_context(|| file.display().to_string())?;
    let Left { plots } = serde_json::from_slice(&read).with_context(|| file.display().to_string())?;
    for plot in &plots {
        let good =
            !plot.file.is_empty() && plot.file.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        ensure!(good, "{}: `{}` is no name of a file: letters, digits and - only", file.display(), plot.file);
        ensure!(
            plot.series.iter().all(|line| !line.points.is_empty()),
            "{}: {} has an empty line",
            file.display(),
            plot.file
        );
    }
    Ok(plots)
}

/// Writes them as SVG into a folder.
///
/// # Errors
/// When that fails.
pub(crate) fn draw(plots: &[Plot], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for plot in plots {
        let path = folder.join(format!("{}.svg", plot.file));
        std::fs::write(&path, plot.svg()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_benchmark_leaves_becomes_a_picture() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("streams.json");
        assert_eq!(read(&file).unwrap(), []);
        let left = r#"{"plots": [{"file": "fan-out", "title": "Fan-out", "x": {"name": "clients", "log": true},
            "y": {"name": "ms", "log": true}, "series": [{"name": "last of all", "points": [[1, 1], [10, 10]]}]}]}"#;
        std::fs::write(&file, left).unwrap();
        let plots = read(&file).unwrap();
        draw(&plots, folder.path()).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("fan-out.svg")).unwrap();
        assert!(svg.contains(">last of all<") && svg.contains(r#"points="60.0,340.0 540.0,40.0""#), "{svg}");
        for (from, to) in [("fan-out", "../fan-out"), ("[[1, 1], [10, 10]]", "[]"), ("series", "lines")] {
            std::fs::write(&file, left.replace(from, to)).unwrap();
            assert!(read(&file).is_err(), "{to}");
        }
    }
}
