//! The clients, in as many processes as they need.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::{BootTime, PATIENCE};

/// Clients of one process.
const EACH: usize = 2_500;

/// What they say.
enum Said {
    Open,
    /// All of a process have a revision.
    Have(u64, BootTime),
    Reports(usize, u64),
    Error(String),
    /// A process has ended.
    Ended,
}

/// Processes with clients.
pub(super) struct Followers {
    processes: Vec<Child>,
    said: mpsc::UnboundedReceiver<Said>,
    arrivals: Arrivals,
}

/// When changes came to all clients, and what else they told.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// By revision, how many processes have it, and since when the last of them.
    pub(super) have: BTreeMap<u64, (usize, BootTime)>,
    pub(super) reports: BTreeMap<usize, u64>,
    pub(super) errors: Vec<String>,
    pub(super) processes: usize,
}

impl Followers {
    /// Has so many clients come to a server, and waits until each is there.
    pub(super) async fn come(binary: &Path, address: SocketAddr, clients: usize) -> Result<Self> {
        let (tell, said) = mpsc::unbounded_channel();
        let mut followers = Self { processes: Vec::new(), said, arrivals: Arrivals::default() };
        for first in (0..clients).step_by(EACH) {
            let count = EACH.min(clients - first);
            let mut command = Command::new(binary);
            command.args([address.to_string(), count.to_string(), first.to_string()]);
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{} cannot be run", binary.display()))?;
            let lines = child.stdout.take().context("a pipe was asked for")?;
            let (process, tell) = (followers.processes.len(), tell.clone());
            tokio::spawn(async move {
                let mut lines = BufReader::new(lines).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    // Nobody listens any more at the end.
                    let _ = tell.send(read(process, &line));
                }
                let _ = tell.send(Said::Ended);
            });
            followers.processes.push(child);
        }
        followers.arrivals.processes = followers.processes.len();
        let mut missing = followers.processes.len();
        while missing > 0 {
            match tokio::time::timeout(PATIENCE * 5, followers.said.recv()).await.context("the clients do not come")? {
                Some(Said::Open) => missing -= 1,
                Some(Said::Error(error)) => bail!("the clients cannot come: {error}"),
                Some(Said::Ended) | None => bail!("a process of clients ended before they were there"),
                Some(other) => followers.arrivals.took(other),
            }
        }
        Ok(followers)
    }

    /// Waits until all clients have the last revision, sends them away, and tells what they told.
    pub(super) async fn end(mut self, last: Option<u64>) -> Result<Arrivals> {
        let all = self.processes.len();
        while last.is_some_and(|last| self.arrivals.have.get(&last).is_none_or(|(have, _)| *have < all)) {
            match tokio::time::timeout(PATIENCE, self.said.recv()).await {
                Ok(Some(Said::Ended)) | Ok(None) => {
                    self.arrivals.errors.push("a process of clients ended by itself".to_owned());
                    break;
                }
                Ok(Some(said)) => self.arrivals.took(said),
                Err(_) => {
                    self.arrivals.errors.push(format!("revision {last:?} has not come to all clients"));
                    break;
                }
            }
        }
        while let Ok(said) = self.said.try_recv() {
            self.arrivals.took(said);
        }
        for process in &mut self.processes {
            drop(process.stdin.take());
            process.wait().await?;
        }
        Ok(self.arrivals)
    }
}

impl Arrivals {
    fn took(&mut self, said: Said) {
        match said {
            Said::Have(revision, at) => {
                let (have, last) = self.have.entry(revision).or_insert((0, at));
                (*have, *last) = (*have + 1, at.max(*last));
            }
            Said::Reports(process, count) => drop(self.reports.insert(process, count)),
            Said::Error(error) => self.errors.push(error),
            Said::Open | Said::Ended => {}
        }
    }
}

fn read(process: usize, line: &str) -> Said {
    let mut words = line.split(' ');
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
    match (words.next(), number(words.next()), number(words.next())) {
        (Some("open"), Some(_), _) => Said::Open,
        (Some("have"), Some(revision), Some(at)) => Said::Have(revision, BootTime::from_micros(at)),
        (Some("reports"), Some(count), _) => Said::Reports(process, count),
        _ => Said::Error(line.to_owned()),
    }
}
