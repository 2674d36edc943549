//! Who listens to many streams, in a process of its own: see `src/bin/listeners.rs`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::worked;
use crate::BootTime;

/// Streams that are open.
#[derive(Debug)]
pub struct Listeners {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// When something came to the first stream, and when to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The first.
    pub first: BootTime,
    /// The last.
    pub last: BootTime,
}

impl Listeners {
    /// Has the program, wherever it is to run, open so many streams of a server, and waits until each has its snapshot. They
    /// wait for `mark` from then on.
    ///
    /// # Errors
    /// When one of them does not open.
    pub fn open(mut program: Command, server: SocketAddr, count: usize, mark: &str) -> Result<Self> {
        program.args([&server.to_string(), &count.to_string(), mark]);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut listeners = Self { child, lines };
        let line = listeners.line()?;
        if line.trim() != format!("open {count}") {
            bail!("{count} streams did not open: {line}");
        }
        Ok(listeners)
    }

    /// Waits until a change has come to each of them.
    ///
    /// # Errors
    /// When their process ended.
    pub fn reached(&mut self) -> Result<Reached> {
        Reached::read("all", &self.line()?)
    }

    /// Waits until each of them, having lost its stream, has another, and the snapshot that it begins with.
    ///
    /// # Errors
    /// When their process ended.
    pub fn back(&mut self) -> Result<Reached> {
        Reached::read("back", &self.line()?)
    }

    /// How long their process has worked since its start.
    ///
    /// # Errors
    /// When it has ended.
    pub fn worked(&self) -> Result<Duration> {
        worked(self.child.id())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("those who listen ended");
        }
        Ok(line)
    }
}

impl Reached {
    fn read(word: &str, line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [first, last] = *words.strip_prefix(&[word]).unwrap_or_default() else {
            bail!("`{word} FIRST LAST` was expected, and not {line}")
        };
        Ok(Self { first: BootTime::from_micros(first.parse()?), last: BootTime::from_micros(last.parse()?) })
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_they_print_is_read() {
        let reached = Reached { first: BootTime::from_micros(5), last: BootTime::from_micros(9) };
        assert_eq!(Reached::read("all", "all 5 9\n").unwrap(), reached);
        assert!(["open 5", "all 5", "back 5 9"].iter().all(|line| Reached::read("all", line).is_err()));
    }
}
