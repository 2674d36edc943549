//! The fuzz tests: for a minute in all in CI, beside the second that each has among the other tests; or for as long as is
//! asked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Message;

use super::ALL;
use crate::steps::{run as run_command, seconds};
use crate::workspace;

/// How long all targets are fuzzed together. Those of one crate run at the same time, so it is over sooner.
const IN_ALL: Duration = Duration::from_secs(60);
/// What bolero takes the length of each target's run from, in milliseconds; it goes before what the test says.
const TIME: &str = "BOLERO_RANDOM_TEST_TIME_MS";
/// Targets that are fuzzed at a time, where each has long.
const AT_A_TIME: usize = 2;
/// What a target's test calls.
const CHECK: &str = "bolero::check!";

/// Fuzzes every target, each for its part of the minute.
///
/// # Errors
/// When one fails, or there is none.
pub(super) fn run(root: &Path, packages: &[&str]) -> Result<()> {
    let targets = u32::try_from(targets(root)?.len())?;
    ensure!(targets > 0, "there is no tests/fuzz.rs with a target");
    let each = IN_ALL / targets;
    println!("{targets} targets, {} each", seconds(each));
    let mut tests = workspace::cargo(root);
    tests.arg("test").args(packages).args(["--test", "fuzz"]).env(TIME, each.as_millis().to_string());
    run_command(&mut tests)
}

/// Fuzzes every target for this long, a few at a time. The others go on where one fails.
///
/// # Errors
/// When one does not build, or fails: it prints its input and seed. What fails is to be kept in the target's corpus.
pub(crate) fn each(root: &Path, length: Duration) -> Result<()> {
    let binaries = binaries(root)?;
    let targets = targets(root)?;
    println!("{} targets, {} each, {AT_A_TIME} at a time", targets.len(), seconds(length));
    let waiting = Mutex::new(targets.into_iter());
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let done = fuzz(&target, &binaries, length);
                    println!("{}: {}", target.name, if done.is_ok() { "ok" } else { "FAILED" });
                    if let (Err(error), Ok(mut failed)) = (done, failed.lock()) {
                        failed.push(format!("{}: {error:#}", target.name));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

fn fuzz(target: &Target, binaries: &[(PathBuf, PathBuf)], length: Duration) -> Result<()> {
    let binary = binaries.iter().find(|(source, _)| *source == target.source);
    let (_, binary) = binary.with_context(|| format!("{} was not built", target.source.display()))?;
    let mut test = Command::new(binary);
    test.args(["--exact", &target.name, "--quiet"]).env(TIME, length.as_millis().to_string());
    // A crate's tests run in its folder.
    run_command(test.current_dir(target.source.ancestors().nth(2).context("it is tests/fuzz.rs of a crate")?))
}

/// A test that fuzzes something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    source: PathBuf,
    name: String,
}

/// The targets of every `tests/fuzz.rs`.
fn targets(root: &Path) -> Result<Vec<Target>> {
    let mut folders = vec![root.join("sdk/rust")];
    for entry in std::fs::read_dir(root.join("crates")).context("crates/ cannot be read")? {
        folders.push(entry?.path());
    }
    folders.sort();
    let mut targets = Vec::new();
    for source in folders.into_iter().map(|folder| folder.join("tests/fuzz.rs")).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&source)?;
        targets.extend(names(&text).map(|name| Target { source: source.clone(), name: name.to_owned() }));
    }
    Ok(targets)
}

/// The functions that fuzz: the last ones named before each check.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices(CHECK).filter_map(|(at, _)| {
        let (_, after) = source.get(..at)?.rsplit_once("\nfn ")?;
        Some(after.split_once('(')?.0)
    })
}

/// Builds the fuzz tests: each source, and its binary.
fn binaries(root: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut build = workspace::cargo(root);
    build.arg("test").args(ALL).args(["--test", "fuzz", "--no-run", "--message-format", "json-render-diagnostics"]);
    let output = build.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the fuzz tests do not build");
    let mut binaries = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message?
            && let Some(binary) = artifact.executable
        {
            binaries.push((artifact.target.src_path.into_std_path_buf(), binary.into_std_path_buf()));
        }
    }
    Ok(binaries)
}

/// Reads `10m` or `20s`.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let read = |unit, seconds: u64| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds);
    let seconds = read('s', 1).or_else(|| read('m', 60)).or_else(|| read('h', 3_600));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("`{text}` is no length of time; write `10m` or `20s`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found() {
        let root = tempfile::TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("crates/a/tests")).unwrap();
        std::fs::create_dir_all(root.path().join("crates/b/src")).unwrap();
        assert_eq!(targets(root.path()).unwrap(), []);
        assert!(run(root.path(), &[]).unwrap_err().to_string().contains("no tests/fuzz.rs"));
        let source = "#[test]\nfn one() {\n    bolero::check!().for_each(f);\n}\n\nfn help(a: u8) {}\n\n\
                      #[test]\nfn two() {\n    let a = 1;\n    bolero::check!().with_type().for_each(g);\n}\n";
        std::fs::write(root.path().join("crates/a/tests/fuzz.rs"), source).unwrap();
        let found: Vec<String> = targets(root.path()).unwrap().into_iter().map(|target| target.name).collect();
        assert_eq!(found, ["one", "two"]);
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(length("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(length("10m"), Ok(Duration::from_secs(600)));
        assert!(["", "10", "m", "-1s", "1.5m"].iter().all(|text| length(text).is_err()));
    }
}
