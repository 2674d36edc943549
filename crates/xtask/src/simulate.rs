//! `cargo xtask simulate`: the simulation of the guard's statistics, whose figures stand in docs/statistics.md.
//!
//! It runs where its subject is, in `crates/guard/tests/simulation`; here its figures become tables and plots.

mod table;

use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use serde_json::Value;

use crate::plot::{Axis, Bar, Bars, COLOURS, Lines, Row, Series, Style};
use crate::steps::{Steps, run as run_command};
use crate::workspace;

/// The groups of cells, and the test of the simulation that each is.
const GROUPS: [(&str, &str); 6] = [
    ("harmless", "harmless_runs_are_rarely_aborted"),
    ("counting", "whatever_clients_do_to_reports"),
    ("detection", "harm_is_found"),
    ("bounds", "bounds_cover"),
    ("served", "as_the_server_counts"),
    ("shadow", "what_a_shadow_run_sees"),
];

/// What is written on the axis of minutes.
const MINUTES: [f64; 8] = [1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 240.0, 480.0];

/// Runs the simulation with so many runs a cell, prints its tables, and writes its plots to a folder. Without a number
/// it takes the figures of the last time.
///
/// # Errors
/// When the simulation does not build, or a test does worse than it says.
pub(crate) fn run(root: &Path, runs: Option<u32>, out: &Path) -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let figures = metadata.target_directory.join("simulation").into_std_path_buf();
    if let Some(runs) = runs {
        simulate(root, runs, &figures)?;
    }
    let out = root.join(out);
    std::fs::create_dir_all(&out)?;
    for (group, _) in GROUPS {
        let cells = read(&figures.join(format!("{group}.json")))?;
        println!("{}", table::of(group, &cells)?);
        if let Some((name, svg)) = draw(group, &cells)? {
            let path = out.join(name);
            std::fs::write(&path, svg).with_context(|| path.display().to_string())?;
            println!("{}\n", path.display());
        }
    }
    Ok(())
}

fn simulate(root: &Path, runs: u32, figures: &Path) -> Result<()> {
    std::fs::create_dir_all(figures)?;
    let mut steps = Steps::default();
    for (group, test) in GROUPS {
        let mut simulation = workspace::cargo(root);
        simulation.args(["test", "--locked", "-p", "daybreak-guard", "--test", "simulation", test, "--", "--exact"]);
        simulation.env("DAYBREAK_SIMULATED_RUNS", runs.to_string()).env("DAYBREAK_SIMULATED_OUT", figures);
        steps.take(group, || run_command(&mut simulation))?;
    }
    println!("{}", steps.table());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

/// The plot of a group: its file and the SVG.
fn draw(group: &str, cells: &[Value]) -> Result<Option<(&'static str, String)>> {
    Ok(match group {
        "harmless" => {
            let mut series = Vec::new();
            for (cell, weather) in [
                ("flat, 1 % bad", "flat, 1 % bad"),
                ("daily, 0.1 % bad", "daily, 0.1 %"),
                ("bursty, 0.1 % bad", "bursty, 0.1 %"),
            ] {
                for (test, style) in [("z-test, peeking", Style::Dashed), ("e-value", Style::Solid)] {
                    let points = curve(cells, cell, test)?;
                    // Two and two have a colour.
                    let (name, colour) = (format!("{test}, {weather}"), series.len() / 2);
                    series.push(Series { name, colour, style, points });
                }
            }
            let lines = Lines {
                title: "Harmless runs that would be aborted, by minute of the run",
                x: Axis::at("minutes", &MINUTES),
                y: Axis::shares("", 0.15),
                series: &series,
                reference: Some((0.01, "α = 1 %")),
            };
            Some(("false-aborts.svg", lines.svg()))
        }
        "detection" => {
            let mut series = Vec::new();
            for times in ["×2", "×5", "×20"] {
                for (treated, style) in [("5 % treated", Style::Solid), ("1 % treated", Style::Dashed)] {
                    let points = curve(cells, &format!("{times}, {treated}, flat"), "e-value")?;
                    let (name, colour) = (format!("{times}, {treated}"), series.len() / 2);
                    series.push(Series { name, colour, style, points });
                }
            }
            let lines = Lines {
                title: "Harmful runs that are aborted, by minute (1,000 requests a minute, 0.1 % bad)",
                x: Axis::at("minutes", &MINUTES),
                y: Axis::shares("", 1.0),
                series: &series,
                reference: None,
            };
            Some(("detection.svg", lines.svg()))
        }
        "bounds" => {
            let share = |cell: &Value, of: &str| cell["shares"][of].as_f64().context("a share is a number");
            let bar = |value, colour| Bar { value, colour, label: String::new() };
            let row = |cell: &Value| -> Result<Row> {
                let name = cell["name"].as_str().context("a cell has a name")?.to_owned();
                let (upper, wald) = (share(cell, "upper missed")?, share(cell, "Wald missed")?);
                Ok(Row { name, bars: vec![bar(upper, COLOURS[0]), bar(wald, COLOURS[1])] })
            };
            let rows = cells.iter().map(row).collect::<Result<Vec<_>>>()?;
            let bars = Bars {
                title: "Runs in which the upper bound of harm ever missed, looked at each minute",
                axis: Axis::shares("", 1.0),
                rows: &rows,
                legend: &[(COLOURS[0], "as computed here"), (COLOURS[1], "Wald's, looked at as often")],
                reference: Some((0.05, "nominal 5 %")),
            };
            Some(("coverage.svg", bars.svg()))
        }
        _ => None,
    })
}

/// A curve of a cell: minutes and shares.
fn curve(cells: &[Value], cell: &str, of: &str) -> Result<Vec<(f64, f64)>> {
    let found = cells.iter().find(|one| one["name"] == cell).with_context(|| format!("no cell `{cell}`"))?;
    let points: Vec<(f64, f64)> =
        serde_json::from_value(found["curves"][of].clone()).with_context(|| format!("no curve `{of}` of `{cell}`"))?;
    Ok(points)
}
