//! Bare actix-web, in a process of its own: see `src/bin/bare.rs`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Memory, SERVING_CORE, listening, on_core};
use crate::{PATIENCE, Process};

/// Bare actix-web on the core on which Daybreak is measured.
#[derive(Debug)]
pub struct Bare {
    process: Process,
    address: SocketAddr,
    /// The connection by which it is told what to send, once there is one.
    told: Option<TcpStream>,
    /// What it answers with stands here.
    _folder: TempDir,
}

impl Bare {
    /// Starts it: streams begin with this snapshot, and a POST to each of these paths is answered with the body beside it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(program: &Path, snapshot: &[u8], answers: &[(&str, &[u8])]) -> Result<Self> {
        let folder = TempDir::new()?;
        let keep = |name: &str, body: &[u8]| -> Result<String> {
            let file = folder.path().join(name);
            std::fs::write(&file, body)?;
            Ok(file.display().to_string())
        };
        let mut command = on_core(SERVING_CORE, program);
        command.arg(keep("snapshot", snapshot)?);
        for (number, (path, body)) in answers.iter().enumerate() {
            command.arg(format!("{path}={}", keep(&format!("answer-{number}"), body)?));
        }
        let process = Process::start("bare", &mut command)?;
        let address = process.wait_for(listening)?;
        Ok(Self { process, address, told: None, _folder: folder })
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

    /// Has it send something to all streams.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn broadcast(&mut self, frame: &[u8]) -> Result<()> {
        let told = match &mut self.told {
            Some(told) => told,
            none => none.insert(TcpStream::connect(self.address)?),
        };
        let head = format!("POST /broadcast HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", frame.len());
        told.write_all(&[head.as_bytes(), frame].concat())?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"\r\n\r\n") {
            let length = told.read(&mut buffer)?;
            ensure!(length > 0, "it closed the connection: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..length]);
        }
        ensure!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// What it holds in memory.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(self.process.id())
    }
}

/// The first frames of a server's stream, as many as are asked for, without what HTTP puts around them; `then` is called once
/// all but the last are there.
///
/// # Errors
/// When they do not come.
pub fn captured(server: SocketAddr, frames: usize, then: impl FnOnce() -> Result<()>) -> Result<Vec<Vec<u8>>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let (mut read, mut then) = (Vec::new(), Some(then));
    loop {
        if let Some(captured) = split(&read, frames) {
            return Ok(captured);
        }
        if split(&read, frames - 1).is_some()
            && let Some(then) = then.take()
        {
            then()?;
        }
        let mut buffer = [0; 64 * 1024];
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "the stream ended: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..length]);
    }
}

/// The first frames behind the head, if they are there in full.
fn split(read: &[u8], frames: usize) -> Option<Vec<Vec<u8>>> {
    let body = unchunked(read)?;
    let (mut rest, mut found) = (&body[..], Vec::new());
    while found.len() < frames {
        let end = rest.windows(2).position(|bytes| bytes == b"\n\n")? + 2;
        let (frame, after) = rest.split_at_checked(end)?;
        found.push(frame.to_vec());
        rest = after;
    }
    Some(found)
}

/// What stands in the chunks behind the head, as far as they are there.
fn unchunked(read: &[u8]) -> Option<Vec<u8>> {
    let after = |bytes: &[u8], end: &[u8]| bytes.windows(end.len()).position(|at| at == end).map(|at| at + end.len());
    let mut rest = read.get(after(read, b"\r\n\r\n")?..)?;
    let mut body = Vec::new();
    while let Some(line) = after(rest, b"\r\n") {
        let size =
            rest.get(..line - 2).and_then(|size| usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok())?;
        let Some(chunk) = rest.get(line..line + size) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(line + size + 2..).unwrap_or_default();
    }
    Some(body)
}

/// What a server answers to a POST: the body.
///
/// # Errors
/// When it is no 200.
pub fn posted(url: &str, body: &str) -> Result<Vec<u8>> {
    let answer =
        crate::curl(&["--request", "POST", "--header", "Content-Type: application/json", "--data-binary", body, url])?;
    Ok(answer.expect_status(200).context("what is measured is answered")?.body.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart() {
        let read = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n\
            12\r\nevent: a\ndata: 1\n\n\r\n8\r\nevent: b\r\n0A\r\n\ndata: 2\n\n\r\n9\r\nevent";
        let frames = split(read, 2).unwrap();
        assert_eq!(frames, [b"event: a\ndata: 1\n\n".to_vec(), b"event: b\ndata: 2\n\n".to_vec()]);
        assert_eq!((split(read, 3), split(b"HTTP/1.1 200 OK\r\n", 0)), (None, None));
    }
}
