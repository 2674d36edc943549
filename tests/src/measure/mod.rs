//! What benchmarks of the whole server stand on: a server that has a core of its own, bare actix-web beside it, and somebody who
//! asks both as fast as they answer, or listens to them.

mod bare;
mod host;
mod listeners;
mod plots;
mod rounds;
mod workload;
mod wrk;

pub use bare::{Bare, captured, posted};
pub use host::{ASKING_CORE, Memory, SERVING_CORE, on_core, raise_file_limit, worked};
pub use listeners::{Listeners, Reached};
pub use plots::{Line, Plots};
pub use rounds::{Spread, thousands};
pub use workload::{context, flags, plain_flags};
pub use wrk::{Load, Wrk};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::{Process, binary};

/// Daybreak with a core of its own.
#[derive(Debug)]
pub struct Pinned {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Pinned {
    /// Starts it on a document, and logs warnings only.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(document: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let flags = folder.path().join("flags");
        std::fs::create_dir(&flags)?;
        std::fs::write(flags.join("flags.yaml"), document)?;
        let (process, address) = serve(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { process, address, folder })
    }

    /// Ends it as `kill -9` does, and starts another at the same address, with the same folders.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        (self.process, self.address) = serve(self.folder.path(), self.address)?;
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A folder that goes with it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// How long it has worked on its core since its last start.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn worked(&self) -> Result<Duration> {
        worked(self.process.id())
    }

    /// What it holds in memory.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(self.process.id())
    }
}

/// Starts a server on the folders in a folder.
fn serve(folder: &Path, listen: SocketAddr) -> Result<(Process, SocketAddr)> {
    let mut command = on_core(SERVING_CORE, &binary()?);
    command.current_dir(folder).args(["serve", "--flags", "flags", "--data", "data", "--log", "warn"]);
    let process = Process::start("daybreak", command.args(["--listen", &listen.to_string()]))?;
    let address = process.wait_for(listening)?;
    Ok((process, address))
}

/// The address in a line that says where a server listens.
#[must_use]
pub fn listening(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("listening on ")?;
    url.split_whitespace().next()?.split_once("://")?.1.parse().ok()
}
