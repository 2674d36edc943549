//! `cargo xtask schemathesis`: a real server is asked what its own /openapi.json describes, by schemathesis (PyPI). Nothing
//! may be answered with a 5xx, or outside the description.
//!
//! It lives in an environment of its own below the target folder, made when it is first needed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::server::Server;
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
    // Without a secret nothing is taken from PagerDuty, which is a 503.
    let secret = home.join("pagerduty-secret");
    std::fs::write(&secret, "secret\n")?;
    let folder_of_flags = [root.join("flags")];
    let options = [OsStr::new("--pagerduty-secret-file"), secret.as_os_str()];
    let server = Server::start(&home, &bin_dir.join("daybreak"), &folder_of_flags, &options, |_| Ok(()))?;
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
    Ok(python_environment(home, &requirements)?.join("schemathesis"))
}

/// The programs of an environment of its own, that has what a file says; made when that is another than it was made for.
///
/// # Errors
/// When Python is missing, or what it says cannot be installed.
pub(crate) fn python_environment(home: &Path, requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(requirements)?;
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
        run_command(install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements))?;
        std::fs::write(made, wanted)?;
    }
    Ok(venv.join("bin"))
}
