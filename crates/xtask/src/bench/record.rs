//! What a benchmark measured, kept in `target/bench` so that the document can be written anew without it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::plots::Plot;

/// One run of a benchmark.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    /// Its name: that of its marks in the document, and of its files.
    pub(crate) name: String,
    /// What measures it again.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    /// Tables, and what else it printed.
    pub(crate) markdown: String,
    #[serde(default)]
    pub(crate) plots: Vec<Plot>,
}

/// When and where something was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// What was measured, as Git names it.
    pub(crate) commit: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here(root: &Path) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let git = |arguments: &[&str]| -> Option<String> {
            let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "no commit".to_owned());
        // What the tools themselves write makes no other program.
        let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", ":!docs"]);
        let changed = changed.is_some_and(|changed| !changed.is_empty());
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            cpu: model.map_or("an unknown kind", |(_, model)| model.trim()).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            commit: if changed { format!("{commit}, changed") } else { commit },
        }
    }
}

impl Record {
    /// What it measured when it ran last, if it has.
    ///
    /// # Errors
    /// When that cannot be read.
    pub(crate) fn kept(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = file(folder, name, "json");
        if !path.is_file() {
            return Ok(None);
        }
        let read = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let record = serde_json::from_slice(&read).with_context(|| format!("{}: measure it again", path.display()))?;
        Ok(Some(record))
    }

    /// Keeps it: `NAME.json` for the tool, `NAME.md` for people.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(file(folder, &self.name, "json"), serde_json::to_vec_pretty(self)?)?;
        std::fs::write(file(folder, &self.name, "md"), self.section())?;
        Ok(())
    }

    /// What stands between its marks.
    pub(crate) fn section(&self) -> String {
        let Machine { date, cpu, cores, commit } = &self.machine;
        let mut section =
            format!("Measured on {date} at {commit} by `{}`, on {cores} cores of {cpu}.\n\n", self.command);
        section += self.markdown.trim();
        section.push('\n');
        for plot in &self.plots {
            _ = write!(section, "\n{}", plot.markdown());
        }
        section
    }
}

fn file(folder: &Path, name: &str, kind: &str) -> PathBuf {
    folder.join(format!("{name}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let machine = Machine { date: "2026-11-29".into(), cpu: "a fast one".into(), cores: 2, commit: "abc".into() };
        let plot: Plot = serde_json::from_value(serde_json::json!({
            "file": "fan-out", "title": "Fan-out", "x": {"name": "clients", "log": true}, "y": {"name": "ms"},
            "series": [{"name": "last", "points": [[1, 0.5], [10, 0.7]]}], "note": "Ten are more than one.",
        }))
        .unwrap();
        let (name, command) = ("streams".to_owned(), "cargo xtask bench streams".to_owned());
        Record { name, command, machine, markdown: "| a |\n|---|\n| 1 |\n\n".into(), plots: vec![plot] }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(Record::kept(folder.path(), "streams").unwrap(), None);
        record().keep(folder.path()).unwrap();
        assert_eq!(Record::kept(folder.path(), "streams").unwrap(), Some(record()));
        std::fs::write(folder.path().join("streams.json"), "{}").unwrap();
        assert!(format!("{:#}", Record::kept(folder.path(), "streams").unwrap_err()).contains("measure it again"));
    }

    #[test]
    fn a_section_of_the_document() {
        let expected = "Measured on 2026-11-29 at abc by `cargo xtask bench streams`, on 2 cores of a fast one.\n\n\
            | a |\n|---|\n| 1 |\n\n![Fan-out](benchmarks/fan-out.svg)\n\nTen are more than one.\n";
        assert_eq!(record().section(), expected);
    }
}
