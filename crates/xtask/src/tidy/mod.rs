//! `cargo xtask tidy`: what the compiler does not check.
//!
//! Each check is a function from made-up or real input to findings. A finding says where, what is wrong, and
//! what to do.

mod arrows;
mod changelog;
mod dependencies;
mod invariants;
mod links;
mod manifests;
mod purity;
mod readme;
mod sdk_tree;
mod sizes;
mod text;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use cargo_metadata::MetadataCommand;

use crate::workspace;

/// Something that is not in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, from the root, or the crate.
    place: String,
    /// The line, from 1, if one is to blame.
    line: Option<usize>,
    /// What is wrong.
    message: String,
    /// What to do.
    help: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { place: place.into(), line: None, message: message.into(), help: help.into() }
    }

    fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}\n    help: {}", self.message, self.help)
    }
}

/// Runs every check over the workspace.
///
/// # Errors
/// When there is a finding; they are printed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = findings(root)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("tidy: 1 finding"),
        many => bail!("tidy: {many} findings"),
    }
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let files = workspace::files(root)?;
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let packages = arrows::packages(&metadata);

    let mut findings = arrows::check(&packages);
    findings.extend(sdk_tree::check(&sdk_tree::read(root)?));
    findings.extend(manifests::check(&files));
    findings.extend(dependencies::check(&files));
    findings.extend(purity::check(&files)?);
    findings.extend(sizes::check_files(&files));
    findings.extend(sizes::check_functions(&files)?);
    findings.extend(text::check(&files));
    findings.extend(links::check(&files, |path| root.join(path).exists()));
    findings.extend(readme::check(&files));
    findings.extend(changelog::check(&files));
    findings.extend(invariants::check(&files));
    Ok(findings)
}

/// Makes a file for a test.
#[cfg(test)]
fn file(path: &str, text: &str) -> workspace::File {
    workspace::File { path: path.into(), text: text.into() }
}

/// The findings of a test, one a line, without the help.
#[cfg(test)]
fn shown(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| finding.line.map_or_else(String::new, |line| format!(":{line}"));
    findings.iter().map(|finding| format!("{}{}: {}", finding.place, line(finding), finding.message)).collect()
}
