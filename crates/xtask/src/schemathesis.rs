//! `cargo xtask schemathesis`: a real server is asked what its own /openapi.json describes, by schemathesis (PyPI). Nothing
//! may be answered with a 5xx, or outside the description.
//!
//! It lives in an environment of its own below the target folder, made when it is first needed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps::run as run_command;
use crate::test::bin_dir;
use crate::workspace;

/// What is needed of the machine, and how to get it.
pub(crate) const PYTHON: (&str, &[&str], &str) = (
    "python3 with venv",
    &["python3", "-c", "import venv, ensurepip"],
    "schemathesis runs in an environment of its own",
);

/// Requests of each operation, in CI.
pub(crate) const EXAMPLES: u32 = 8;

/// Where its configuration is.
const FOLDER: &str = "tests/schemathesis";

/// Asks a server, with so many generated requests of each operation; `phases` are schemathesis's own.
///
/// # Errors
/// When Python is missing, the environment cannot be made, or an answer is not as it should be.
pub(crate) fn run(root: &Path, phases: &str, examples: u32) -> Result<()> {
    let bin_dir = bin_dir(root)?;
    let home = bin_dir.parent().unwrap_or(&bin_dir).join("schemathesis");
    let program = environment(root, &home)?;
    let server = Server::start(root, &home, &bin_dir.join("daybreak"))?;
    let folder = root.join(FOLDER);
    let mut schemathesis = Command::new(program);
    schemathesis.current_dir(&home).env("PYTHONPATH", &folder).env("SCHEMATHESIS_HOOKS", "hooks");
    schemathesis.arg("--config-file").arg(folder.join("schemathesis.toml"));
    schemathesis.args(["run", &format!("{}/openapi.json", server.url), "--phases", phases]);
    schemathesis.args(["--max-examples", &examples.to_string(), "--warnings", "off"]);
    run_command(&mut schemathesis).with_context(|| format!("what the server said is in {}", server.log.display()))
}

/// The same by itself: the server is built first.
///
/// # Errors
/// As [`run`], and when the server does not build.
pub(crate) fn long(root: &Path, phases: &str, examples: u32) -> Result<()> {
    run_command(workspace::cargo(root).args(["build", "--locked", "-p", "daybreak-cli"]))?;
    run(root, phases, examples)
}

/// The program, in an environment that has what `requirements.txt` says.
fn environment(root: &Path, home: &Path) -> Result<PathBuf> {
    let requirements = root.join(FOLDER).join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)?;
    let (venv, made) = (home.join("venv"), home.join("requirements.txt"));
    if std::fs::read_to_string(&made).ok().as_ref() != Some(&wanted) {
        let (name, words, how) = PYTHON;
        let there = Command::new(words[0]).args(&words[1..]).stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            bail!("{name} is missing: {how}");
        }
        std::fs::create_dir_all(home)?;
        run_command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut install = Command::new(venv.join("bin/pip"));
        run_command(install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements))?;
        std::fs::write(made, wanted)?;
    }
    Ok(venv.join("bin/schemathesis"))
}

/// A server on a copy of `flags/`, killed with this.
struct Server {
    process: Child,
    /// Open as long as it runs: it may have more to say.
    stdout: BufReader<ChildStdout>,
    url: String,
    log: PathBuf,
}

impl Server {
    fn start(root: &Path, home: &Path, binary: &Path) -> Result<Self> {
        let (flags, data, log) = (home.join("flags"), home.join("data"), home.join("server.log"));
        for folder in [&flags, &data] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        std::fs::create_dir_all(&flags)?;
        for entry in std::fs::read_dir(root.join("flags"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), flags.join(entry.file_name()))?;
        }
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--flags"]).arg(&flags).arg("--data").arg(&data);
        // Without a secret nothing is taken from PagerDuty, which is a 503.
        let secret = home.join("pagerduty-secret");
        std::fs::write(&secret, "secret\n")?;
        command.arg("--pagerduty-secret-file").arg(secret);
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
                server.url = rest.split_whitespace().next().unwrap_or_default().to_owned();
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
