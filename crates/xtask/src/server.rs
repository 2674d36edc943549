//! A real server for a step of the tests, in a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A server on copies of folders of documents, killed with this.
pub(crate) struct Server {
    process: Child,
    /// Open as long as it runs: it may have more to say.
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) url: String,
    /// What it said besides.
    pub(crate) log: PathBuf,
}

impl Server {
    /// Starts one whose folders are below `home`, and are made anew. `before` is given its data folder before it starts.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(
        home: &Path,
        binary: &Path,
        documents: &[PathBuf],
        options: &[&OsStr],
        before: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let (flags, data, log) = (home.join("flags"), home.join("data"), home.join("server.log"));
        for folder in [&flags, &data] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        std::fs::create_dir_all(&flags)?;
        for folder in documents {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.path().extension() == Some(OsStr::new("yaml")) {
                    std::fs::copy(entry.path(), flags.join(entry.file_name()))?;
                }
            }
        }
        before(&data)?;
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--flags"])
            .arg(&flags)
            .arg("--data")
            .arg(&data)
            .args(options);
        let log_file = std::fs::File::create(&log)?;
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("{} cannot be run; `cargo build` makes it", binary.display()))?;
        let stdout = BufReader::new(process.stdout.take().context("a pipe was asked for")?);
        let mut server = Self { process, stdout, url: String::new(), log };
        let mut line = String::new();
        while server.stdout.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.split_once("listening on ") {
                rest.split_whitespace().next().unwrap_or_default().clone_into(&mut server.url);
                return Ok(server);
            }
            line.clear();
        }
        bail!("the server did not start: {}", std::fs::read_to_string(&server.log)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
