//! A process of the test's: killed with it, and shown where it fails.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::PATIENCE;

/// Lines that are shown of a process when its test fails.
const SHOWN: usize = 60;

/// A running process and what it printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    printed: Arc<Printed>,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    stdout: Vec<String>,
    /// Both streams, as they came.
    all: Vec<String>,
    open: usize,
}

impl Printed {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static, is_stdout: bool) {
        self.lines().open += 1;
        let printed = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut lines = printed.lines();
                if is_stdout {
                    lines.stdout.push(line.clone());
                }
                lines.all.push(line);
                drop(lines);
                printed.more.notify_all();
            }
            printed.lines().open -= 1;
            printed.more.notify_all();
        });
    }
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started: {command:?}"))?;
        let printed = Arc::new(Printed::default());
        printed.follow(child.stdout.take().context("a pipe was asked for")?, true);
        printed.follow(child.stderr.take().context("a pipe was asked for")?, false);
        Ok(Self { name: name.into(), child, printed })
    }

    /// Waits for a line of standard output that `find` takes, from the first line on.
    ///
    /// # Errors
    /// When the process ends or [`PATIENCE`] runs out without one.
    pub fn wait_for<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.printed.lines();
        let mut read = 0;
        loop {
            while let Some(line) = lines.stdout.get(read) {
                read += 1;
                if let Some(found) = find(line) {
                    return Ok(found);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.open == 0 || left.is_zero() {
                drop(lines);
                let how = if left.is_zero() { "says nothing of the kind" } else { "ended" };
                bail!("{} {how}; it printed:\n{}", self.name, self.output());
            }
            lines = self.printed.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The lines of standard output so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<String> {
        self.printed.lines().stdout.clone()
    }

    /// Everything it printed so far, both streams.
    #[must_use]
    pub fn output(&self) -> String {
        self.printed.lines().all.join("\n")
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL; waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM: asks it to end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP: suspends it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn suspend(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: resumes it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
        Ok(kill_process(id, signal)?)
    }

    /// Waits until it has ended, and all that it printed is there.
    ///
    /// # Errors
    /// When [`PATIENCE`] runs out first.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let name = self.name.clone();
        crate::eventually(&format!("the end of {name}"), || match self.child.try_wait() {
            Ok(Some(status)) if self.printed.lines().open == 0 => Ok(status),
            other => Err(other),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // The readers see the end of the pipes a moment later.
            let _ = crate::within(Duration::from_secs(1), "the pipes' end", || match self.printed.lines().open {
                0 => Ok(()),
                open => Err(open),
            });
            let lines = self.printed.lines();
            let last = lines.all.len().saturating_sub(SHOWN);
            eprintln!("---- {} printed:\n{}\n----", self.name, lines.all[last..].join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        Process::start("sh", Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn lines_are_awaited() {
        let mut process = sh("echo one; echo two >&2; echo three");
        assert_eq!(process.wait_for(|line| line.strip_prefix("th").map(str::to_owned)).unwrap(), "ree");
        assert!(process.wait_for(|line| (line == "two").then_some(())).unwrap_err().to_string().contains("sh ended"));
        assert!(process.wait().unwrap().success());
        assert_eq!(process.stdout(), ["one", "three"]);
        assert!(process.output().contains("two"));
    }

    #[test]
    fn signals_reach_it() {
        let mut process = sh("trap 'echo bye; exit 3' TERM; echo ready; while true; do sleep 0.01; done");
        process.wait_for(|line| (line == "ready").then_some(())).unwrap();
        process.suspend().unwrap();
        process.resume().unwrap();
        process.terminate().unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(3));
        process.wait_for(|line| (line == "bye").then_some(())).unwrap();
    }
}
