//! The machine: cores, memory, limits.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The core of servers that are measured.
pub const SERVING_CORE: usize = 0;
/// The core of who asks them.
pub const ASKING_CORE: usize = 1;

/// A command that runs on one core alone, as if there were no others. On a machine with a single core it has that.
#[must_use]
pub fn on_core(core: usize, program: &Path) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.min(cores - 1).to_string()]).arg(program);
    command
}

/// Lets this process open as many files as the system lets it.
///
/// # Errors
/// When the system refuses.
pub fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// What a process holds in memory: now, and when it held most. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// `VmRSS`.
    pub resident: u64,
    /// `VmHWM`.
    pub most: u64,
}

impl Memory {
    /// Of a process.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of(process: u32) -> Result<Self> {
        Self::read(&std::fs::read_to_string(format!("/proc/{process}/status"))?)
    }

    fn read(status: &str) -> Result<Self> {
        let field = |name: &str| -> Result<u64> {
            let kib =
                status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB")?.trim().parse::<u64>().ok());
            Ok(kib.with_context(|| format!("a process has {name}"))? * 1024)
        };
        Ok(Self { resident: field("VmRSS:")?, most: field("VmHWM:")? })
    }

    /// Bytes as megabytes for people.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    pub fn megabytes(bytes: u64) -> String {
        let megabytes = bytes as f64 / 1e6;
        if megabytes < 100.0 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
    }
}

/// How long a process has worked on a core since its start, its kernel's part included.
///
/// # Errors
/// When it is gone.
pub fn worked(process: u32) -> Result<Duration> {
    worked_in(&std::fs::read_to_string(format!("/proc/{process}/stat"))?)
}

/// `utime` and `stime`, the 14th and the 15th field of proc(5), of which the second may have spaces.
fn worked_in(stat: &str) -> Result<Duration> {
    let (_, fields) = stat.rsplit_once(')').context("a process has a name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let status = "Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\n";
        assert_eq!(Memory::read(status).unwrap(), Memory { resident: 1_024_000, most: 2_048_000 });
        assert!(Memory::read("VmRSS: 1 kB\n").is_err());
        let ours = Memory::of(std::process::id()).unwrap();
        assert!(ours.most >= ours.resident && ours.resident > 0);
        assert_eq!((Memory::megabytes(1_250_000), Memory::megabytes(121_000_000)), ("1.2 MB".into(), "121 MB".into()));
    }

    #[test]
    fn work_is_read() {
        let second = rustix::param::clock_ticks_per_second();
        let stat = format!("7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 {second} {} 9 9 20 0 1 0 5 1 1", 2 * second);
        assert_eq!(worked_in(&stat).unwrap(), Duration::from_secs(3));
        assert!(["7 (a", "7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 x y"].iter().all(|stat| worked_in(stat).is_err()));
        let before = worked(std::process::id()).unwrap();
        while worked(std::process::id()).unwrap() == before {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn a_process_sees_its_core_alone() {
        let output = on_core(0, Path::new("nproc")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1", "{output:?}");
    }

    #[test]
    fn files_up_to_the_limit() {
        raise_file_limit().unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
