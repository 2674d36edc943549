//! The fuzz tests, for a minute in all: beside the second that each has among the other tests.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::steps::run as run_command;
use crate::workspace;

/// How long all targets are fuzzed together. Those of one crate run at the same time, so it is over sooner.
const IN_ALL: Duration = Duration::from_secs(60);
/// What bolero takes the length of each target's run from, in milliseconds; it goes before what the test says.
const TIME: &str = "BOLERO_RANDOM_TEST_TIME_MS";

/// Fuzzes every target, each for its part of the minute.
///
/// # Errors
/// When one fails, or there is none.
pub(super) fn run(root: &Path, packages: &[&str]) -> Result<()> {
    let targets = targets(root)?;
    ensure!(targets > 0, "there is no crates/*/tests/fuzz.rs with a target");
    let each = IN_ALL / targets;
    println!("{targets} targets, {} s each", each.as_secs_f64());
    let mut tests = workspace::cargo(root);
    tests.arg("test").args(packages).args(["--test", "fuzz"]).env(TIME, each.as_millis().to_string());
    run_command(&mut tests)
}

/// How many targets the crates have in `tests/fuzz.rs`.
fn targets(root: &Path) -> Result<u32> {
    let mut targets = 0;
    for entry in std::fs::read_dir(root.join("crates")).context("crates/ cannot be read")? {
        let path = entry?.path().join("tests/fuzz.rs");
        if path.is_file() {
            targets += std::fs::read_to_string(path)?.matches("bolero::check!").count();
        }
    }
    Ok(u32::try_from(targets)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_counted() {
        let root = tempfile::TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("crates/a/tests")).unwrap();
        std::fs::create_dir_all(root.path().join("crates/b/src")).unwrap();
        assert_eq!(targets(root.path()).unwrap(), 0);
        assert!(run(root.path(), &[]).unwrap_err().to_string().contains("no crates/*/tests/fuzz.rs"));
        let source = "bolero::check!().for_each(f);\nbolero::check!().with_type().for_each(g);";
        std::fs::write(root.path().join("crates/a/tests/fuzz.rs"), source).unwrap();
        assert_eq!(targets(root.path()).unwrap(), 2);
    }
}
