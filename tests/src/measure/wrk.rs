//! `wrk`, which asks a server as fast as it answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{ASKING_CORE, on_core};

/// Connections that it has.
const CONNECTIONS: u32 = 64;
/// What the script prints at the end: requests, microseconds, failures, and microseconds of quantiles.
const DONE: &str = r#"
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("FIGURES %d %d %d %d %d\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
"#;

/// What to ask, as a script.
#[derive(Clone, Debug)]
pub struct Wrk {
    script: PathBuf,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Answers a second.
    pub per_second: f64,
    /// Milliseconds that half of the answers took at most.
    pub p50: f64,
    /// Milliseconds that 99 of 100 answers took at most.
    pub p99: f64,
}

impl Wrk {
    /// Posts the same body again and again. The script stands in a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn post(folder: &Path, name: &str, body: &str, headers: &[(&str, &str)]) -> Result<Self> {
        let headers =
            headers.iter().map(|(name, value)| format!("wrk.headers[{}] = {}\n", quoted(name), quoted(value)));
        let headers: String = headers.collect();
        Self::script(folder, name, &format!("wrk.method = \"POST\"\nwrk.body = {}\n{headers}", quoted(body)))
    }

    /// Asks as a script in Lua says. The script stands in a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn script(folder: &Path, name: &str, lua: &str) -> Result<Self> {
        let script = folder.join(format!("{name}.lua"));
        std::fs::write(&script, format!("wrk.headers[\"Content-Type\"] = \"application/json\"\n{lua}{DONE}"))?;
        Ok(Self { script })
    }

    /// Asks a URL for a while, from a core of its own.
    ///
    /// # Errors
    /// When wrk is not there, or an answer is an error.
    pub fn run(&self, url: &str, length: Duration) -> Result<Load> {
        let mut wrk = on_core(ASKING_CORE, Path::new("wrk"));
        wrk.args(["--threads", "1", "--connections", &CONNECTIONS.to_string(), "--latency"]);
        wrk.args(["--duration", &format!("{}s", length.as_secs()), "--script"]).arg(&self.script).arg(url);
        let output = wrk.output().context("wrk cannot be run; install it, as by `apt-get install wrk`")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        Load::read(&printed)
    }
}

impl Load {
    fn read(printed: &str) -> Result<Self> {
        let figures = printed.lines().find_map(|line| line.strip_prefix("FIGURES "));
        let figures = figures.with_context(|| format!("wrk printed no figures: {printed}"))?;
        let figures = figures.split(' ').map(|figure| Ok(figure.parse::<f64>()?)).collect::<Result<Vec<_>>>()?;
        let [requests, micros, failed, p50, p99] = figures[..] else { anyhow::bail!("five figures, not {figures:?}") };
        ensure!(failed == 0.0 && requests > 0.0, "{failed} of {requests} answers were errors, or did not come");
        Ok(Self { per_second: requests / micros * 1e6, p50: p50 / 1e3, p99: p99 / 1e3 })
    }
}

/// A string of Lua's.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted += "\\n",
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let printed = "Running 2s test\n  Latency Distribution\nFIGURES 200 2000000 0 1500 9000\n";
        assert_eq!(Load::read(printed).unwrap(), Load { per_second: 100.0, p50: 1.5, p99: 9.0 });
        for (printed, why) in
            [("", "no figures"), ("FIGURES 9 9 1 9 9", "1 of 9"), ("FIGURES 0 9 0 9 9", "of 0"), ("FIGURES 1", "five")]
        {
            assert!(format!("{:#}", Load::read(printed).unwrap_err()).contains(why), "{printed}");
        }
    }

    #[test]
    fn strings_of_lua() {
        assert_eq!(quoted("{\"a\": \"\\\n\"}"), r#""{\"a\": \"\\\n\"}""#);
    }
}
