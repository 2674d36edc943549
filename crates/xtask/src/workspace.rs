//! Where the workspace is, and the text files in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use walkdir::{DirEntry, WalkDir};

/// A text file of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The kinds of files that tidy reads.
const EXTENSIONS: &[&str] = &["rs", "toml", "md", "yaml", "yml", "json", "txt", "sh", "html", "css", "js"];

/// The workspace's root: where this package was built from.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).context("crates/xtask stands two folders below the root")?;
    if !root.join("Cargo.lock").is_file() {
        bail!("{} holds no Cargo.lock: run `cargo xtask` inside the workspace it was built from", root.display());
    }
    Ok(root.to_owned())
}

/// The cargo that runs us.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Every text file below `root`, ordered by path; build output and hidden folders other than `.ci` and
/// `.cargo` are left out.
pub(crate) fn files(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry?;
        if !entry.file_type().is_file() || !is_text(entry.path()) {
            continue;
        }
        let path = entry.path().strip_prefix(root)?;
        let path = path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        let text = std::fs::read_to_string(entry.path()).with_context(|| format!("{path} is not readable as UTF-8"))?;
        files.push(File { path, text });
    }
    Ok(files)
}

fn is_ours(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_dir() {
        return true;
    }
    let name = entry.file_name().to_string_lossy();
    match name.as_ref() {
        ".ci" | ".cargo" => true,
        "data" | "target" => entry.depth() > 1,
        hidden => !hidden.starts_with('.'),
    }
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) || path.ends_with(".ci/run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_this_very_workspace() {
        let files = files(&root().unwrap()).unwrap();
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert!(has("Cargo.toml") && has(".ci/run") && has(".cargo/config.toml"));
        assert!(has("crates/xtask/src/workspace.rs"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/") || file.path.starts_with(".git/")));
    }
}
