//! How much memory a process has, over time.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::measure;

/// What it may grow by and still be flat: what is kept of changes and events up to a bound, and fragments of the
/// allocator.
const GROWTH_MIB: f64 = 16.0;
/// The same, as a share.
const GROWTH: f64 = 0.1;

/// The memory of one process, in MiB, over seconds.
#[derive(Debug)]
pub(super) struct Memory {
    process: u32,
    pub(super) points: Vec<(f64, f64)>,
}

impl Memory {
    /// Of a process; looked at for the first time now.
    pub(super) fn of(process: u32) -> Result<Self> {
        let mut memory = Self { process, points: Vec::new() };
        memory.look(Duration::ZERO)?;
        Ok(memory)
    }

    /// Looks so long after the beginning.
    pub(super) fn look(&mut self, after: Duration) -> Result<()> {
        self.points.push((after.as_secs_f64(), resident(self.process)?));
        Ok(())
    }

    pub(super) fn last_mib(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people to read")]
        let mib = self.points.last().map_or(0.0, |(_, mib)| *mib) as u64;
        mib
    }

    /// The most of the second quarter, by when everything is there that is ever kept, and of the last.
    pub(super) fn quarters(&self) -> (f64, f64) {
        let (quarter, all) = (self.points.len() / 4, self.points.len());
        let most = |from: usize, to: usize| {
            self.points.get(from..to).into_iter().flatten().map(|(_, mib)| *mib).fold(0.0, f64::max)
        };
        (most(quarter, all.div_ceil(2)), most(all - quarter.max(1), all))
    }

    /// Whether it has stopped growing.
    pub(super) fn is_flat(&self) -> bool {
        let (second, last) = self.quarters();
        last <= second * (1.0 + GROWTH) + GROWTH_MIB
    }
}

/// MiB that are resident.
fn resident(process: u32) -> Result<f64> {
    let bytes = measure::Memory::of(process).context("the server is gone")?.resident;
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let mib = bytes as f64 / f64::from(1024 * 1024);
    Ok(mib)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(points: &[f64]) -> Memory {
        Memory { process: 0, points: points.iter().map(|mib| (0.0, *mib)).collect() }
    }

    #[test]
    fn flat_or_not() {
        let cases: [(&[f64], (f64, f64), bool); 5] = [
            (&[10.0], (10.0, 10.0), true),
            (&[10.0, 90.0, 100.0, 100.0, 100.0, 110.0, 105.0, 101.0], (100.0, 105.0), true),
            (&[100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 127.0], (100.0, 127.0), false),
            (&[100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0], (400.0, 800.0), false),
            (&[500.0, 100.0, 100.0, 100.0], (100.0, 100.0), true),
        ];
        for (points, quarters, flat) in cases {
            let memory = memory(points);
            assert_eq!((memory.quarters(), memory.is_flat()), (quarters, flat), "{points:?}");
        }
        assert!(resident(std::process::id()).unwrap() > 1.0);
    }
}
