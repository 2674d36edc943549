//! Real curl, as operators use it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {self:?}"))
    }

    /// The answer itself, if it has this status.
    ///
    /// # Errors
    /// When it has another.
    pub fn expect_status(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{status} was expected: {self:#?}");
        Ok(self)
    }

    /// Reads what `curl --include` prints.
    fn read(text: &str) -> Result<Self> {
        let (mut head, mut body) = text.split_once("\r\n\r\n").context("an answer has a head")?;
        // An interim answer, `100 Continue`, comes before the real one.
        while head.starts_with("HTTP/1.1 1") {
            (head, body) = body.split_once("\r\n\r\n").context("an answer has a head")?;
        }
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("a head begins with a status")?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Ok(Self { status: status.parse()?, headers, body: body.to_owned() })
    }
}

/// Runs curl with these arguments and reads the answer, whatever its status.
///
/// # Errors
/// When curl does not reach the server or is not installed.
pub fn curl<S: AsRef<str>>(arguments: &[S]) -> Result<Answer> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "30"]);
    let output = command.args(arguments.iter().map(AsRef::as_ref)).output().context("curl cannot be run")?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Answer::read(&String::from_utf8_lossy(&output.stdout))
}

/// Runs a line in a shell and returns what it prints.
///
/// # Errors
/// When it does not succeed.
pub fn shell(line: &str) -> Result<String> {
    let output = Command::new("sh").args(["-c", line]).output().context("sh cannot be run")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "`{line}`: {printed}{}", String::from_utf8_lossy(&output.stderr));
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nETag: \"7\"\r\n\r\n{\"a\":\r\n\r\n1}\n";
        let answer = Answer::read(text).unwrap();
        assert_eq!((answer.status, answer.header("etag")), (201, Some("\"7\"")));
        assert_eq!(answer.json().unwrap()["a"], 1);
        assert!(answer.expect_status(200).is_err());
    }

    #[test]
    fn a_shell_line() {
        assert_eq!(shell("echo a | tr a b").unwrap(), "b\n");
        assert!(shell("echo why >&2; false").unwrap_err().to_string().contains("why"));
    }
}
