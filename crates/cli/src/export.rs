//! `daybreak export`: everything that a server serves, as YAML that `apply` takes back.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_control::{FilesError, read_documents};
use daybreak_document::{encode, to_yaml, value_to_yaml};
use daybreak_model::{Kind, Resources};
use serde_json::{Map, Value};

use crate::out;
use crate::remote::{self, Remote, Target};
use crate::served::Served;

#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    /// Where to write it: a file, if the name ends in `.yaml` or `.yml`; else a folder, which gets a file for each kind and is
    /// made if it is not there. Unless said, it is printed.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(options: &Export) -> anyhow::Result<ExitCode> {
    let served = remote::block_on(async { Served::read(&Remote::new(&options.target)?).await })?;
    match &options.output {
        None => drop(out::print(&to_yaml(&served.resources))?),
        Some(folder) if is_folder(folder) => write_folder(folder, &served.resources)?,
        Some(file) => write(file, &to_yaml(&served.resources))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a path is, or is to become, a folder. What is there already stays what it is, as a pipe does.
fn is_folder(path: &Path) -> bool {
    let document = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    path.is_dir() || !path.exists() && !document
}

/// Writes a file for each kind. Those of an older export are replaced.
fn write_folder(folder: &Path, resources: &Resources) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let files = files(resources);
    let ours = Kind::ALL.map(|kind| folder.join(name(kind)));
    match read_documents(folder) {
        Err(FilesError::Empty(_)) => {}
        Err(error) => return Err(error.into()),
        Ok(sources) => {
            if let Some(other) = sources.iter().find(|source| !ours.contains(&PathBuf::from(&source.name))) {
                bail!("{} is a document already; export to a folder without others, or to a file", other.name);
            }
        }
    }
    for (kind, path) in Kind::ALL.into_iter().zip(&ours) {
        match files.iter().find(|(of, _)| *of == kind) {
            Some((_, document)) => write(path, &value_to_yaml(document))?,
            None if path.exists() => {
                std::fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))?;
            }
            None => {}
        }
    }
    Ok(())
}

fn name(kind: Kind) -> String {
    format!("{}.yaml", kind.path())
}

/// A document for each kind of which there is one; `protect` stands with the segments.
fn files(resources: &Resources) -> Vec<(Kind, Value)> {
    let document = encode(resources);
    let file = |kind: Kind| {
        let sections = [kind.section(), if kind == Kind::Segment { "protect" } else { "" }];
        let member = |section: &str| Some((section.to_owned(), document.get(section)?.clone()));
        let members: Map<String, Value> = sections.into_iter().filter_map(member).collect();
        (!members.is_empty()).then_some((kind, Value::Object(members)))
    };
    Kind::ALL.into_iter().filter_map(file).collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_and_folders() {
        let here = tempfile::TempDir::new().unwrap();
        std::fs::write(here.path().join("there"), "").unwrap();
        std::fs::create_dir(here.path().join("folder.yaml")).unwrap();
        let cases = [
            ("", true),
            ("new", true),
            ("new/", true),
            ("a/b/new", true),
            ("v1.2", true),
            ("folder.yaml", true),
            ("new.yaml", false),
            ("new.yml", false),
            ("there", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_folder(&here.path().join(name)), expected, "{name}");
        }
    }
}
