//! What must be there before tests and benchmarks: a component that is missing is installed where that is easy, and named where it
//! is not. None is skipped.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::openfeature;
use crate::steps::run as run_command;
use crate::{schemathesis, workspace};

/// What must be there, the line that tells so, how to get it, and the Debian package that has it.
struct Component {
    name: &'static str,
    line: &'static [&'static str],
    how: &'static str,
    package: Option<&'static str>,
}

const fn component(
    (name, line, how): (&'static str, &'static [&'static str], &'static str),
    package: Option<&'static str>,
) -> Component {
    Component { name, line, how, package }
}

const COMPONENTS: &[Component] = &[
    component(("rustfmt", &["cargo", "fmt", "--version"], "rustup component add rustfmt"), None),
    component(("clippy", &["cargo", "clippy", "--version"], "rustup component add clippy"), None),
    component(("curl", &["curl", "--version"], "the tour and the system tests run it"), Some("curl")),
    component(
        ("openssl", &["openssl", "version"], "the page on operating makes a certificate with it"),
        Some("openssl"),
    ),
    component(("Prometheus", &["prometheus", "--version"], "a test has it feed an error budget"), Some("prometheus")),
    component(
        ("Alertmanager", &["prometheus-alertmanager", "--version"], "a test has it page people"),
        Some("prometheus-alertmanager"),
    ),
    component(("Valgrind", &["valgrind", "--version"], "it counts instructions"), Some("valgrind")),
    component(schemathesis::PYTHON, Some("python3-venv")),
    component(openfeature::NODE, Some("npm")),
];

/// What only benchmarks need.
const OF_BENCHMARKS: &[Component] = &[
    component(("wrk", &["sh", "-c", "command -v wrk"], "it asks servers as fast as they answer"), Some("wrk")),
    component(("taskset", &["taskset", "--version"], "it gives a server a core of its own"), Some("util-linux")),
];

/// Sees to it that everything is there that tests need.
///
/// # Errors
/// With the name of each that is not, and what it is for.
pub(super) fn ensure(root: &Path) -> Result<()> {
    ensure_all(root, COMPONENTS)
}

/// Sees to it that everything is there that benchmarks need.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_of_benchmarks(root: &Path) -> Result<()> {
    ensure_all(root, OF_BENCHMARKS)
}

fn ensure_all(root: &Path, components: &[Component]) -> Result<()> {
    let lacking = || components.iter().filter(|component| !is_present(root, component.line));
    let packages: Vec<&str> = lacking().filter_map(|component| component.package).collect();
    if !packages.is_empty() && may_install() {
        println!("installing {}, as is needed", packages.join(", "));
        install(&packages)?;
    }
    let missing: Vec<String> = lacking().map(describe).collect();
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("; ")) }
}

fn describe(component: &Component) -> String {
    let install = component.package.map(|package| format!("; install it, as by `apt-get install {package}`"));
    format!("{} is missing ({}{})", component.name, component.how, install.unwrap_or_default())
}

fn is_present(root: &Path, line: &[&str]) -> bool {
    let Some((program, arguments)) = line.split_first() else { return false };
    let mut command = if *program == "cargo" { workspace::cargo(root) } else { Command::new(program) };
    succeeds(command.args(arguments))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Whether this is a Debian on which we may install packages: root's, as a container's or a CI machine's is.
fn may_install() -> bool {
    succeeds(Command::new("apt-get").arg("--version")) && succeeds(Command::new("sh").args(["-c", "test $(id -u) = 0"]))
}

fn install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command
    };
    run_command(apt().args(["update", "--quiet"]))?;
    run_command(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}
