//! The README's tour, line by line, as a reader would type it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Server, eventually, root, shell, shop};

use crate::documents::blocks;
use crate::shop::Shop;

/// Where the README's server listens.
const ADDRESS: &str = "localhost:8080";

/// A line of the tour and what its answer must contain.
#[derive(Debug)]
struct Step {
    line: String,
    expected: Vec<String>,
}

/// The steps of the tour: the curl lines, each with the `# => …` below it.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(readme, "sh").iter().flat_map(|block| block.lines()) {
        if let Some(expected) = line.strip_prefix("# => ") {
            steps.last_mut().into_iter().for_each(|step| step.expected.push(expected.to_owned()));
        } else if line.starts_with("curl ") {
            steps.push(Step { line: line.to_owned(), expected: Vec::new() });
        }
    }
    steps
}

/// Runs a step until it answers as the README says: counts and connections take a moment to arrive.
fn take(step: &Step, server: &Server) -> Result<()> {
    let line = step.line.replace(ADDRESS, &server.address().to_string());
    eventually(&step.line, || {
        let answer = shell(&line)?;
        match step.expected.iter().find(|expected| !answer.contains(expected.as_str())) {
            Some(missing) => Err(anyhow::anyhow!("`{missing}` is not in {answer}")),
            None => Ok(()),
        }
    })
}

#[test]
fn the_tour_is_true() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let steps = steps(&readme);
    ensure!(steps.len() >= 12, "only {} steps were found", steps.len());
    ensure!(steps.iter().all(|step| !step.expected.is_empty()), "a step shows no answer: {steps:#?}");

    let server = Server::on_copy_of("flags", &[])?;
    let shop_at = steps.iter().position(|step| step.line.contains("/start -d")).context("the tour starts a fault")?;
    let (before, after) = steps.split_at(shop_at);
    before.iter().try_for_each(|step| take(step, &server))?;
    let shop = Shop::open(&server.url(""))?;
    shop_for_a_while(shop.url())?;
    after.iter().try_for_each(|step| take(step, &server))
}

/// The shop's load, for a moment: every order goes through.
fn shop_for_a_while(url: &str) -> Result<()> {
    let mut load = Command::new(shop()?);
    let output = load.args(["load", "--shop", url, "--rate", "50", "--duration", "1s"]).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(printed.contains("50 orders") && printed.contains("paid"), "{printed}{output:?}");
    ensure!(!printed.contains("unreachable") && !printed.contains("timeout"), "{printed}");
    Ok(())
}
