//! OpenFeature's published clients, in each of their languages, and the conformance suite of OFREP against one real server
//! that asks for tokens.
//!
//! What they need is installed below the target folder, in the versions that are locked here, when it is first needed.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{ALL, bin_dir};
use crate::schemathesis::python_environment;
use crate::server::Server;
use crate::steps::run as run_command;
use crate::workspace;

/// What is needed of the machine, and how to get it.
pub(super) const NODE: (&str, &[&str], &str) = (
    "Node.js 20 or later, with npm",
    &["sh", "-c", "npm --version && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'"],
    "OpenFeature's clients for JavaScript run on it",
);

/// Requests a second with one token: few enough that the suite sees what comes of more.
const RATE: &str = "100";
/// How often the suite asks at most to see it.
const FLOOD: &str = "20000";

/// What each client shows, in the environment.
const TOKENS: [(&str, &str); 4] = [
    ("DAYBREAK_TOKEN", "sdk"),
    ("DAYBREAK_PAGE_TOKEN", "evaluate"),
    ("DAYBREAK_OPERATOR_TOKEN", "operator"),
    ("OFREP_TOKEN", "evaluate"),
];

/// Runs them all, one after the other.
///
/// # Errors
/// When something cannot be installed, or a client does not get what it should.
pub(super) fn run(root: &Path) -> Result<()> {
    let bin_dir = bin_dir(root)?;
    let home = bin_dir.parent().unwrap_or(&bin_dir).join("openfeature");
    let python = python_environment(&home.join("python"), &root.join("sdk/python/requirements.txt"))?;
    let javascript = javascript(root, &home)?;

    let binary = bin_dir.join("daybreak");
    let mut shown = Vec::new();
    let documents = [root.join("flags"), root.join("tests/ofrep/fixture")];
    let options = ["--rate-limit", RATE].map(OsStr::new);
    let server = Server::start(&home, &binary, &documents, &options, |data| {
        DirBuilder::new().mode(0o700).create(data)?;
        token(&binary, data, "root", "admin")?;
        for (variable, role) in TOKENS {
            let name = variable.to_lowercase().replace('_', "-");
            shown.push((variable, token(&binary, data, &name, role)?));
        }
        Ok(())
    })?;
    let run = |command: &mut Command| {
        command.env("DAYBREAK_URL", &server.url).envs(shown.iter().cloned());
        run_command(command).with_context(|| format!("what the server said is in {}", server.log.display()))
    };

    let switch = |how: &str| {
        let url = format!("{}/api/v1/flags/ofrep-switched/{how}", server.url);
        format!("curl -sSf -o /dev/null -X POST -H \"Authorization: Bearer $DAYBREAK_OPERATOR_TOKEN\" {url}")
    };
    let mut suite = Command::new(bin_dir.join("daybreak-ofrep-conformance"));
    suite.args([
        "--strict",
        "--flood",
        FLOOD,
        "--url",
        &server.url,
        "--on",
        &switch("enable"),
        "--off",
        &switch("disable"),
    ]);
    run(&mut suite)?;
    run(Command::new(python.join("python")).args(["-B", "-m", "unittest", "-q"]).current_dir(root.join("sdk/python")))?;
    run(Command::new("npm").args(["test", "--silent"]).current_dir(&javascript))?;
    let mut rust = workspace::cargo(root);
    rust.args(["test", "--quiet", "--locked", "--manifest-path", "tests/ofrep/rust-client/Cargo.toml"]);
    run(rust.env("CARGO_TARGET_DIR", home.join("rust")))
}

/// The same by itself: what it needs is built first, as the test command builds it.
///
/// # Errors
/// As [`run`], and when something does not build.
pub(crate) fn alone(root: &Path) -> Result<()> {
    let binaries = ["--bin", "daybreak", "--bin", "daybreak-ofrep-conformance"];
    run_command(workspace::cargo(root).arg("build").args(ALL).args(binaries))?;
    run(root)
}

/// Makes a token of a server that does not run yet.
fn token(binary: &Path, data: &Path, name: &str, role: &str) -> Result<String> {
    let mut command = Command::new(binary);
    command.args(["token", "create", name, "--role", role, "--data"]).arg(data).stderr(Stdio::null());
    let output = command.output()?;
    ensure!(output.status.success(), "no token `{name}` could be made in {}", data.display());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The examples in JavaScript, beside what they take on.
fn javascript(root: &Path, home: &Path) -> Result<PathBuf> {
    let (from, to) = (root.join("sdk/javascript"), home.join("javascript"));
    std::fs::create_dir_all(&to)?;
    let (lock, made) = (std::fs::read_to_string(from.join("package-lock.json"))?, to.join("installed"));
    for entry in std::fs::read_dir(&from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    if std::fs::read_to_string(&made).ok().as_ref() != Some(&lock) {
        run_command(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&to))?;
        std::fs::write(made, lock)?;
    }
    Ok(to)
}
