//! `cargo xtask instructions`: how many instructions evaluating and passing fault points take, beside those that were last
//! accepted.
//!
//! Valgrind runs the program on a processor of its own, so neither noise nor other work moves what it counts. Its processor
//! has the same features wherever the machine has AVX2, so the C library chooses the same routines; and only work counts, not
//! what starts a program. What is left to differ is the compiler.
//!
//! Callgrind is called directly. gungraun would do the same, but needs a second program, its runner, in exactly the library's
//! version, which would have to be built on every machine that tests.

mod compare;
pub(crate) mod profile;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Message, MetadataCommand};

use crate::steps::line;
use crate::workspace;
use compare::compare;
use profile::Profile;

/// Instructions by benchmark.
type Counts = BTreeMap<String, u64>;

/// Those that were last accepted.
const ACCEPTED: &str = "docs/benchmarks/instructions.json";
/// The package that has the benchmarks.
pub(crate) const PACKAGE: &str = "daybreak-instructions";
/// The function whose instructions count: it is called once for each name that is printed.
const COUNTED: &str = "*instructions_are_counted_here";
/// How often it repeats what is told.
const TIMES: u64 = 1_000;

/// Counts, and compares with what was accepted; or accepts what these benchmarks count now. With `profile`, where the
/// instructions are is written into docs/benchmarks.md.
///
/// # Errors
/// When one takes over 5 % more than was accepted, or none was; when there is no such benchmark; when counting fails.
pub(crate) fn run(root: &Path, accept: &[String], profile: bool) -> Result<()> {
    let path = root.join(ACCEPTED);
    let mut accepted = match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| ACCEPTED.to_owned())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Counts::new(),
        Err(error) => return Err(error).context(ACCEPTED),
    };
    let mut spent = profile.then(Profile::default);
    let counted = count(root, spent.as_mut())?;
    spent.map_or(Ok(()), |spent| spent.write(root))?;
    if !accept.is_empty() {
        compare::accept(&mut accepted, &counted, accept)?;
        std::fs::write(&path, serde_json::to_string_pretty(&accepted)? + "\n")?;
        println!("{ACCEPTED}");
    }
    let found = compare(&accepted, &counted);
    println!("{}", found.table);
    for hint in &found.hints {
        println!("{hint}");
    }
    ensure!(found.failures.is_empty(), "{}", found.failures.join("\n"));
    Ok(())
}

/// Builds the benchmarks in release, and counts.
fn count(root: &Path, mut profile: Option<&mut Profile>) -> Result<Counts> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let folder = metadata.target_directory.join("instructions").into_std_path_buf();
    let mut counts = Counts::new();
    for program in build(root)? {
        // What another run left would be taken for this one's.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no"]);
        valgrind.arg(format!("--toggle-collect={COUNTED}")).arg(format!("--dump-after={COUNTED}"));
        valgrind.args(["--dump-instr=yes", "--compress-pos=no", "--compress-strings=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", folder.join("counts").display())).arg(&program);
        let name = line(&valgrind);
        let output = valgrind.stderr(Stdio::inherit()).output().with_context(|| format!("`{name}` cannot be run"))?;
        ensure!(output.status.success(), "`{name}` ended with {}", output.status);
        for (number, name) in (1..).zip(String::from_utf8_lossy(&output.stdout).lines()) {
            let dump = folder.join(format!("counts.{number}"));
            let text = std::fs::read_to_string(&dump).with_context(|| format!("{name}: {}", dump.display()))?;
            let total = total(&text).with_context(|| format!("{name}: nothing was counted"))?;
            counts.insert(name.to_owned(), total / TIMES);
            if let Some(profile) = &mut profile {
                profile.add(name, program.as_std_path(), &dump)?;
            }
        }
    }
    ensure!(!counts.is_empty(), "{PACKAGE} counts nothing");
    Ok(counts)
}

/// Builds the benchmarks in release, with tables of lines, which move no instruction; the programs.
fn build(root: &Path) -> Result<Vec<Utf8PathBuf>> {
    let mut build = workspace::cargo(root);
    build.env("CARGO_PROFILE_BENCH_DEBUG", "line-tables-only");
    build.args([
        "bench",
        "--no-run",
        "--locked",
        "--package",
        PACKAGE,
        "--benches",
        "--message-format=json-render-diagnostics",
    ]);
    let name = line(&build);
    let output = build.stderr(Stdio::inherit()).output().with_context(|| format!("`{name}` cannot be run"))?;
    ensure!(output.status.success(), "`{name}` ended with {}", output.status);
    let mut programs = Vec::new();
    for message in Message::parse_stream(output.stdout.as_slice()) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.is_bench()
        {
            programs.extend(artifact.executable);
        }
    }
    Ok(programs)
}

/// What Callgrind counted in all.
fn total(dump: &str) -> Option<u64> {
    let totals =
        dump.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    totals.split_whitespace().next()?.parse().ok().filter(|total| *total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_dump() {
        let cases = [
            ("events: Ir\nfn=(1) a\n+1 7\ntotals: 4711\n", Some(4_711)),
            ("events: Ir\nsummary: 12 3\n", Some(12)),
            ("totals: 0\n", None),
            ("events: Ir\n", None),
            ("", None),
        ];
        for (dump, expected) in cases {
            assert_eq!(total(dump), expected, "{dump:?}");
        }
    }
}
