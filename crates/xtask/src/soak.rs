//! `cargo xtask soak`: many clients, changes and reports for as long as one likes; the system's tests have a short form.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;

use crate::bench::{self, PLOTS};
use crate::steps::{line, run as run_command};
use crate::workspace;

/// The name of its marks in the document.
pub(crate) const NAME: &str = "soak";

/// How much is asked of the server, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Soak {
    pub(crate) minutes: u32,
    pub(crate) clients: u32,
    /// A second.
    pub(crate) changes: u32,
}

impl Soak {
    /// What is run with the other benchmarks.
    pub(crate) const USUAL: Self = Self { minutes: 10, clients: 10_000, changes: 20 };

    /// Soaks a server built for release, and writes what came of it into the document.
    ///
    /// # Errors
    /// When something does not build, or memory grows, a client lags, or anything else goes wrong: that is written, too.
    pub(crate) fn run(self, root: &Path) -> Result<()> {
        let measured = self.measure(root);
        bench::write(root, &[NAME])?;
        measured
    }

    /// Soaks a server built for release, and keeps what came of it.
    ///
    /// # Errors
    /// As [`Soak::run`].
    pub(crate) fn measure(self, root: &Path) -> Result<()> {
        let release = MetadataCommand::new().current_dir(root).no_deps().exec()?.target_directory.join("release");
        let build = ["build", "--release", "--locked", "-p"];
        run_command(workspace::cargo(root).args(build).arg("daybreak-cli"))?;
        run_command(workspace::cargo(root).args(build).args(["daybreak-tests", "--bins"]))?;
        let plots = bench::plots_folder(&bench::folder(root)?, NAME)?;
        let Self { minutes, clients, changes } = self;
        let mut soak = Command::new(release.join("soak"));
        soak.args([minutes, clients, changes].map(|number| number.to_string()));
        soak.env("DAYBREAK_BIN_DIR", &release).env(PLOTS, plots).stderr(Stdio::inherit());
        let output = soak.output().with_context(|| format!("`{}` cannot be run", line(&soak)))?;
        let markdown = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{markdown}");
        if !markdown.is_empty() {
            let command = format!("cargo xtask soak --minutes {minutes} --clients {clients} --changes {changes}");
            bench::keep(root, NAME, command, markdown)?;
        }
        ensure!(output.status.success(), "the soak was not as it should be");
        Ok(())
    }
}
