//! `cargo xtask bench`: the benchmarks whose figures stand in docs/benchmarks.md.
//!
//! Each is run, what it printed and left is kept in `target/bench`, and the document is written from what is kept. A benchmark
//! prints Markdown to standard output, and may leave plots (`plots.rs`); criterion's are read from criterion's own files.

mod cells;
mod criterion;
mod goals;
mod growth;
mod plots;
mod record;
mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

pub(crate) use goals::{Figure, of_peers};
pub(crate) use plots::FOLDER as PLOTS;
pub(crate) use record::{Machine, Record};

use crate::soak::{self, Soak};
use crate::steps::{Steps, line, run as run_command};
use crate::test::components;
use crate::{marks, peers, workspace};

/// The document that all this is written into, and the folder of its pictures.
pub(crate) const DOCUMENT: &str = "docs/benchmarks.md";
pub(crate) const PICTURES: &str = "docs/benchmarks";

/// A benchmark: its name, which is that of its marks in the document; and the arguments of `cargo bench`.
struct Bench {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Whether criterion measures it.
    criterion: bool,
}

const fn criterion(name: &'static str, arguments: &'static [&'static str]) -> Bench {
    Bench { name, arguments, criterion: true }
}

const fn prints(name: &'static str, arguments: &'static [&'static str]) -> Bench {
    Bench { name, arguments, criterion: false }
}

/// Every benchmark of the workspace, in the order in which they are run.
const BENCHES: &[Bench] = &[
    criterion("engine", &["-p", "daybreak-engine", "--bench", "evaluate"]),
    criterion("growth", &["-p", "daybreak-engine", "--bench", "growth"]),
    criterion("sdk", &["-p", "daybreak-sdk", "--bench", "evaluate"]),
    criterion("fault-points", &["-p", "daybreak-sdk", "--bench", "fault_point"]),
    criterion("telemetry", &["-p", "daybreak-sdk", "--bench", "telemetry", "--features", "actix,tower"]),
    prints("told", &["-p", "daybreak-sdk", "--bench", "told", "--features", "metrics,opentelemetry"]),
    prints("costs", &["-p", "daybreak-sdk", "--bench", "costs", "--features", "actix,tower"]),
    prints("tick", &["-p", "daybreak-control", "--bench", "guard"]),
    prints("change", &["-p", "daybreak-control", "--bench", "changes"]),
    prints("delivery", &["-p", "daybreak-tests", "--bench", "delivery"]),
    prints("stop", &["-p", "daybreak-tests", "--bench", "stop"]),
    prints("changes", &["-p", "daybreak-tests", "--bench", "changes"]),
    prints("ofrep", &["-p", "daybreak-tests", "--bench", "ofrep"]),
    prints("reports", &["-p", "daybreak-tests", "--bench", "reports"]),
    prints("streams", &["-p", "daybreak-tests", "--bench", "streams"]),
    prints("herd", &["-p", "daybreak-tests", "--bench", "herd"]),
    prints("startup", &["-p", "daybreak-tests", "--bench", "startup"]),
    prints("overload", &["-p", "daybreak-tests", "--bench", "overload"]),
    prints("segments", &["-p", "daybreak-tests", "--bench", "segments"]),
];

/// What else has a place in the document: measured by chores of their own, which are run with the others.
const CHORES: [&str; 2] = [soak::NAME, peers::NAME];

/// Where it is kept what they measured.
pub(crate) fn folder(root: &Path) -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    Ok(metadata.target_directory.join("bench").into_std_path_buf())
}

/// Runs those that are named, or all, peers with them; and writes the document. With `again` only the latter.
///
/// # Errors
/// When a name is none, a benchmark does not build or run, or the document has no place for what it measured.
pub(crate) fn run(root: &Path, names: &[String], again: bool) -> Result<()> {
    let chosen = chosen(names)?;
    let folder = folder(root)?;
    if !again {
        components::ensure_of_benchmarks(root)?;
        let mut steps = Steps::default();
        let done = measure(root, &folder, &chosen, &mut steps);
        println!("{}", steps.table());
        // Where one fails, what those before it measured stands.
        write(root, &chosen)?;
        return done;
    }
    write(root, &chosen)
}

/// The names, or those of all.
fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    let all = || BENCHES.iter().map(|bench| bench.name).chain(CHORES);
    let known = |name: &String| {
        all().find(|one| one == name).with_context(|| {
            format!("there is no benchmark `{name}`; there are {}", all().collect::<Vec<_>>().join(", "))
        })
    };
    if names.is_empty() { Ok(all().collect()) } else { names.iter().map(known).collect() }
}

fn measure(root: &Path, folder: &Path, chosen: &[&'static str], steps: &mut Steps) -> Result<()> {
    steps.take("release build", || {
        run_command(workspace::cargo(root).args(["build", "--release", "--locked", "-p", "daybreak-cli"]))
    })?;
    for bench in BENCHES.iter().filter(|bench| chosen.contains(&bench.name)) {
        steps.take(bench.name, || bench.run(root, folder))?;
    }
    if chosen.contains(&soak::NAME) {
        steps.take(soak::NAME, || Soak::USUAL.measure(root))?;
    }
    if chosen.contains(&peers::NAME) {
        steps.take(peers::NAME, || peers::measure(root, peers::ROUNDS))?;
    }
    Ok(())
}

impl Bench {
    fn run(&self, root: &Path, folder: &Path) -> Result<()> {
        let began = SystemTime::now();
        let target = folder.parent().context("the folder stands in the target folder")?;
        let left = plots_folder(folder, self.name)?;
        let mut bench = workspace::cargo(root);
        bench.arg("bench").arg("--locked").args(self.arguments);
        bench.env("DAYBREAK_BIN_DIR", target.join("release")).env(PLOTS, &left);
        let command = format!("cargo xtask bench {}", self.name);
        if !self.criterion {
            return keep(root, self.name, command, printed(&mut bench)?);
        }
        run_command(&mut bench)?;
        let all = criterion::read(&target.join("criterion"), began)?;
        let (markdown, plots) = (criterion::tables(&all), criterion::plots(&all));
        Record { name: self.name.to_owned(), command, machine: Machine::here(root), markdown, plots }.keep(folder)
    }
}

/// The folder in which a benchmark may leave plots; what it left there before is gone.
///
/// # Errors
/// When the folder cannot be made.
pub(crate) fn plots_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    let left = folder.join("plots");
    std::fs::create_dir_all(&left)?;
    let file = left.join(format!("{name}.json"));
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    Ok(left)
}

/// Keeps the Markdown that a benchmark printed, and the plots that it left: [`write`] takes them from there.
///
/// # Errors
/// When the plots are not as they should be.
pub(crate) fn keep(root: &Path, name: &str, command: String, markdown: String) -> Result<()> {
    let folder = folder(root)?;
    let plots = plots::read(&folder.join("plots").join(format!("{name}.json")))?;
    Record { name: name.to_owned(), command, machine: Machine::here(root), markdown, plots }.keep(&folder)
}

/// What a command printed to standard output; it is shown, too.
fn printed(command: &mut std::process::Command) -> Result<String> {
    let name = line(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("`{name}` cannot be run"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    if !output.status.success() {
        bail!("`{name}` ended with {}", output.status);
    }
    Ok(text)
}

/// Writes what is kept of these into the document, and the table of goals anew.
///
/// # Errors
/// When the document has no place for it.
pub(crate) fn write(root: &Path, names: &[&'static str]) -> Result<()> {
    let folder = folder(root)?;
    let path = root.join(DOCUMENT);
    let mut text = std::fs::read_to_string(&path)?;
    for name in names.iter().filter(|name| **name != peers::NAME) {
        if let Some(record) = Record::kept(&folder, name)? {
            text = marks::placed(&text, name, &record.section())?;
            plots::draw(&record.plots, &root.join(PICTURES))?;
        }
    }
    let figures = peers::kept(root)?;
    if let Some(figures) = figures.as_ref().filter(|_| names.contains(&peers::NAME)) {
        text = marks::placed(&text, peers::NAME, &peers::section(root, figures)?)?;
    }
    let mut records = BTreeMap::new();
    for name in BENCHES.iter().map(|bench| bench.name).chain([soak::NAME]) {
        records.extend(Record::kept(&folder, name)?.map(|record| (name, record)));
    }
    let known = summary::Known { records: &records, peers: figures.as_ref() };
    let table = summary::table(known, marks::between(&text, "summary")?);
    std::fs::write(&path, marks::placed(&text, "summary", &table)?)?;
    println!("{DOCUMENT}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::instructions;

    #[test]
    fn names_are_those_of_benchmarks() {
        assert_eq!(chosen(&["peers".to_owned(), "stop".to_owned()]).unwrap(), ["peers", "stop"]);
        assert_eq!(chosen(&[]).unwrap().len(), BENCHES.len() + CHORES.len());
        assert!(
            chosen(&["speed".to_owned()]).unwrap_err().to_string().contains("no benchmark `speed`; there are engine, ")
        );
    }

    #[test]
    fn every_benchmark_of_the_workspace_is_run() {
        let metadata = MetadataCommand::new().current_dir(workspace::root().unwrap()).no_deps().exec().unwrap();
        // What is counted is no matter of time, and has a chore of its own.
        let timed = metadata.packages.iter().filter(|package| package.name.as_str() != instructions::PACKAGE);
        let benches = timed.flat_map(|package| {
            let targets = package.targets.iter().filter(|target| target.is_bench());
            targets.map(move |target| (package.name.to_string(), target.name.clone()))
        });
        let listed = BENCHES.iter().map(|bench| (bench.arguments[1].to_owned(), bench.arguments[3].to_owned()));
        assert_eq!(listed.collect::<BTreeSet<_>>(), benches.collect(), "a row of BENCHES for each");
    }

    #[test]
    fn the_document_has_a_place_for_each() {
        let text = std::fs::read_to_string(workspace::root().unwrap().join(DOCUMENT)).unwrap();
        for name in BENCHES.iter().map(|bench| bench.name).chain(CHORES).chain(["summary", instructions::profile::NAME])
        {
            marks::between(&text, name).unwrap();
        }
    }

    #[test]
    fn a_benchmark_that_fails_is_named() {
        let error = printed(std::process::Command::new("false").arg("x")).unwrap_err();
        assert!(error.to_string().starts_with("`false x` ended with"), "{error}");
    }
}
