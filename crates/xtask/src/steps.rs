//! Steps of a chore: each is announced, timed, and stands in the table at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Steps that have been taken.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    taken: Vec<(String, Duration, bool)>,
}

impl Steps {
    /// Takes a step.
    ///
    /// # Errors
    /// What the step returns, with its name.
    pub(crate) fn take<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let began = Instant::now();
        let result = step();
        let took = began.elapsed();
        println!("== {name}: {} in {}", if result.is_ok() { "ok" } else { "FAILED" }, seconds(took));
        self.taken.push((name.to_owned(), took, result.is_ok()));
        result.with_context(|| format!("{name} failed"))
    }

    /// The table of all steps.
    pub(crate) fn table(&self) -> String {
        let width = self.taken.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max("total".len());
        let mut table = String::from("\n");
        for (name, took, ok) in &self.taken {
            table += &format!("{name:width$}  {:>9}  {}\n", seconds(*took), if *ok { "ok" } else { "FAILED" });
        }
        let total: Duration = self.taken.iter().map(|(_, took, _)| *took).sum();
        table + &format!("{:width$}  {:>9}\n", "total", seconds(total))
    }
}

/// Runs a command, its output passed through.
///
/// # Errors
/// When it cannot be run, or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("`{line}` cannot be run"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A length of time, for people.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_what_was_done() {
        let mut steps = Steps::default();
        steps.take("formatting", || Ok(())).unwrap();
        let error = steps.take("tests", || -> Result<()> { bail!("one failed") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "tests failed: one failed");
        let table = steps.table();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!((words[1][0], words[1][3]), ("formatting", "ok"));
        assert_eq!((words[2][0], words[2][3]), ("tests", "FAILED"));
        assert_eq!(words[3][0], "total");
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let error = run(Command::new("false").arg("x")).unwrap_err();
        assert!(error.to_string().starts_with("`false x` ended with"), "{error}");
        assert!(run(&mut Command::new("no-such-command")).unwrap_err().to_string().contains("cannot be run"));
    }
}
