//! What the documents show is true.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use daybreak_guard::admission::{RefusalCode, WarningCode};
use daybreak_tests::{Server, binary, root};

fn daybreak(arguments: &[&str], path: &Path) -> Result<Output> {
    Command::new(binary()?).args(arguments).arg(path).output().context("daybreak cannot be run")
}

/// The fenced blocks of a language in a Markdown text.
pub(crate) fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in markdown.lines() {
        match &mut block {
            None if line.trim_end() == format!("```{language}") => block = Some(Vec::new()),
            Some(_) if line.starts_with("```") => blocks.extend(block.take().map(|lines| lines.join("\n") + "\n")),
            Some(lines) => lines.push(line),
            None => {}
        }
    }
    blocks
}

#[test]
fn the_examples_of_the_document_are_one_document() -> Result<()> {
    let markdown = std::fs::read_to_string(root().join("docs/document.md"))?;
    let blocks = blocks(&markdown, "yaml");
    ensure!(blocks.len() >= 6, "only {} examples were found", blocks.len());
    let folder = tempfile::TempDir::new()?;
    for (number, block) in blocks.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.yaml")), block)?;
    }
    let output = daybreak(&["check"], folder.path())?;
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{printed}");
    Ok(())
}

#[test]
fn the_flags_folder_is_in_order() -> Result<()> {
    let output = daybreak(&["check"], &root().join("flags"))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

#[test]
fn every_reason_against_a_start_is_explained() -> Result<()> {
    let page = std::fs::read_to_string(root().join("docs/faults.md"))?;
    let refusals = RefusalCode::ALL.iter().map(|code| code.as_str());
    let warnings = WarningCode::ALL.iter().map(|code| code.as_str());
    let missing: Vec<&str> = refusals.chain(warnings).filter(|code| !page.contains(&format!("`{code}`"))).collect();
    ensure!(missing.is_empty(), "docs/faults.md does not explain {missing:?}");
    Ok(())
}

#[test]
fn every_route_stands_in_the_api_page() -> Result<()> {
    let server = Server::on_copy_of("flags", &[])?;
    let document = server.get("/openapi.json")?.expect_status(200)?.json()?;
    let page = std::fs::read_to_string(root().join("docs/api.md"))?;
    let paths = document["paths"].as_object().context("an OpenAPI document has paths")?;
    ensure!(paths.len() > 10, "the document describes only {} paths", paths.len());
    // A path with parameters stands on the page if its fixed parts do, in order, on one line; what all kinds of
    // resources have is shown for flags.
    let stands = |path: &str| {
        let shown = as_flags(path);
        let fixed = || shown.split('/').filter(|part| !part.starts_with('{'));
        page.lines().any(|line| {
            let mut rest = line;
            fixed().all(|part| {
                rest.find(part).is_some_and(|at| {
                    rest = &rest[at + part.len()..];
                    true
                })
            })
        })
    };
    let missing: Vec<&String> = paths.keys().filter(|path| !stands(path)).collect();
    ensure!(missing.is_empty(), "docs/api.md does not show {missing:?}");
    Ok(())
}

/// The path that flags have in common with this one of another kind.
fn as_flags(path: &str) -> String {
    let kind = ["segments", "faults", "hours", "slos", "on-call"].into_iter().find_map(|kind| {
        let rest = path.strip_prefix("/api/v1/")?.strip_prefix(kind)?;
        ["", "/{key}", "/{key}/history", "/{key}/origin", "/{key}/revert"]
            .contains(&rest)
            .then(|| format!("/api/v1/flags{rest}"))
    });
    kind.unwrap_or_else(|| path.to_owned())
}
