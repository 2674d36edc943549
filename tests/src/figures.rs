//! Figures of benchmarks: quantiles of lengths of time, and an operator's command whose moments are known.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Lengths of time, in order.
#[derive(Debug, Default)]
pub struct Figures(Vec<Duration>);

impl Figures {
    /// The length that this share of all does not exceed, as milliseconds for people: the p99 is at 0.99.
    #[must_use]
    pub fn at(&self, share: f64) -> String {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among a few thousand"
        )]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let length = self.0.get(rank.max(1) - 1).or(self.0.last());
        length.map_or_else(|| "none".to_owned(), |length| format!("{:.2} ms", length.as_secs_f64() * 1_000.0))
    }

    /// `p50 | p90 | p99 | max`, as cells of a table.
    #[must_use]
    pub fn cells(&self) -> String {
        [0.5, 0.9, 0.99, 1.0].map(|share| self.at(share)).join(" | ")
    }
}

impl FromIterator<Duration> for Figures {
    fn from_iter<I: IntoIterator<Item = Duration>>(lengths: I) -> Self {
        let mut lengths: Vec<Duration> = lengths.into_iter().collect();
        lengths.sort_unstable();
        Self(lengths)
    }
}

/// When an operator's curl was started, and when it printed its 2xx.
#[derive(Clone, Copy, Debug)]
pub struct Commanded {
    /// Right before curl was started.
    pub asked: Instant,
    /// Right after it had printed the status.
    pub answered: Instant,
}

impl Commanded {
    /// POSTs by real curl, without a body.
    ///
    /// # Errors
    /// When curl cannot be run, or the answer is no 2xx.
    pub fn post(url: &str) -> Result<Self> {
        Self::send("POST", url)
    }

    /// Asks by real curl, without a body.
    ///
    /// # Errors
    /// When curl cannot be run, or the answer is no 2xx.
    pub fn send(method: &str, url: &str) -> Result<Self> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--request", method, "--output", "/dev/null", "--write-out", "%{http_code}", url]);
        let asked = Instant::now();
        let mut curl = command.stdout(Stdio::piped()).spawn().context("curl cannot be run")?;
        let mut status = [0; 3];
        curl.stdout.take().context("curl's output is piped")?.read_exact(&mut status)?;
        let answered = Instant::now();
        curl.wait()?;
        ensure!(status[0] == b'2', "curl got {} from {url}", String::from_utf8_lossy(&status));
        Ok(Self { asked, answered })
    }
}

/// The share of these moments that came before curl had printed its 2xx, in percent.
#[must_use]
pub fn percent_before(moments: &[(Commanded, Instant)]) -> String {
    let before = moments.iter().filter(|(commanded, moment)| *moment < commanded.answered).count();
    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    let percent = 100.0 * before as f64 / moments.len().max(1) as f64;
    format!("{percent:.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let figures: Figures = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(figures.cells(), "100.00 ms | 180.00 ms | 198.00 ms | 200.00 ms");
        assert_eq!((figures.at(0.0), Figures::default().at(0.5)), ("1.00 ms".to_owned(), "none".to_owned()));
    }

    #[test]
    fn what_came_before() {
        let asked = Instant::now();
        let commanded = Commanded { asked, answered: asked + Duration::from_millis(2) };
        let at = |millis| (commanded, asked + Duration::from_millis(millis));
        assert_eq!(percent_before(&[at(1), at(2), at(3), at(4)]), "25 %");
        assert_eq!(percent_before(&[]), "0 %");
    }
}
