//! HTTP as plain as may be, for loads: it costs whoever makes them little, and does what a well-behaved client does not.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Bytes that one who does not read soon is sent all the same.
const NARROW: u32 = 4_096;

/// One connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What a server answered, as far as a load looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// After how many seconds to come again, where it says so.
    pub retry_after: Option<u64>,
    /// Whether the connection is over.
    pub closes: bool,
}

impl Raw {
    /// Connects.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: TcpStream::connect(address).await?, read: Vec::new() })
    }

    /// Connects to who is not to read soon: its end of the connection has room for a few KiB.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect_narrow(address: SocketAddr) -> Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(NARROW)?;
        Ok(Self { stream: socket.connect(address).await?, read: Vec::new() })
    }

    /// A whole request, as bytes.
    #[must_use]
    pub fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body.as_bytes()].concat()
    }

    /// Sends bytes, whatever they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Asks, and reads the answer to its end.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn ask(&mut self, request: &[u8]) -> Result<RawAnswer> {
        self.send(request).await?;
        self.answer().await
    }

    /// Reads an answer to its end.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn answer(&mut self) -> Result<RawAnswer> {
        let (answer, length) = self.head().await?;
        self.body(length).await?;
        Ok(answer)
    }

    /// Reads the head of an answer; with the length of the body that is still to be read.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn head(&mut self) -> Result<(RawAnswer, usize)> {
        let (head, rest) = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break (String::from_utf8_lossy(&self.read[..end]).to_lowercase(), end + 4);
            }
            self.more().await?;
        };
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let status = head.split(' ').nth(1).context("a head begins with a status")?.parse()?;
        let length: usize = field("content-length").map_or(Ok(0), str::parse)?;
        let retry_after = field("retry-after").map(str::parse).transpose()?;
        let closes = field("connection").is_some_and(|what| what == "close");
        self.read.drain(..rest);
        Ok((RawAnswer { status, retry_after, closes }, length))
    }

    /// Reads the body of an answer to its end.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn body(&mut self, length: usize) -> Result<()> {
        while self.read.len() < length {
            self.more().await?;
        }
        self.read.drain(..length);
        Ok(())
    }

    /// Reads whatever comes next; none where the connection has ended.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn next(&mut self) -> Result<Option<&[u8]>> {
        self.read.clear();
        self.read.reserve(4_096);
        let length = self.stream.read_buf(&mut self.read).await?;
        Ok((length > 0).then_some(&*self.read))
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection ended within an answer");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn answers_in_a_row() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = Raw::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 503 X\r\nRetry-").await.unwrap();
        assert_eq!(client.ask(b"x").await.unwrap(), RawAnswer { status: 200, retry_after: None, closes: false });
        server.write_all(b"After: 7\r\nConnection: close\r\n\r\n").await.unwrap();
        assert_eq!(client.answer().await.unwrap(), RawAnswer { status: 503, retry_after: Some(7), closes: true });
        drop(server);
        assert!(client.answer().await.is_err());
    }
}
