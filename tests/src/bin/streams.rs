//! Holds many streams of a server open and reads them, as so many clients would, in a process of its own.
//!
//! `streams ADDRESS COUNT` prints `open COUNT` once every stream has had its snapshot, and ends with its
//! standard input.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const REQUEST: &[u8] = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
/// Streams that are opened at once: the listen queue of a server is finite.
const OPENING_MAX: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("the server's address comes first")?.parse()?;
    let count: usize = arguments.next().context("the number of streams comes second")?.parse()?;
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let (opened, mut all) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..count {
        let permit = Arc::clone(&opening).acquire_owned().await?;
        let opened = opened.clone();
        tokio::spawn(async move {
            let stream = open(address).await;
            drop(permit);
            let ok = stream.is_ok();
            // The other end is gone only when this process ends.
            let _ = opened.send(ok);
            if let Ok(stream) = stream {
                read_on(stream).await;
            }
        });
    }
    for _ in 0..count {
        ensure!(all.recv().await == Some(true), "a stream could not be opened");
    }
    println!("open {count}");
    let mut end = Vec::new();
    tokio::io::stdin().read_to_end(&mut end).await?;
    Ok(())
}

/// Opens a stream and reads until its snapshot begins.
async fn open(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut head = Vec::new();
    while !head.windows(5).any(|bytes| bytes == b"data:") {
        ensure!(
            stream.read_buf(&mut head).await? > 0,
            "the server closed a stream: {}",
            String::from_utf8_lossy(&head)
        );
    }
    Ok(stream)
}

async fn read_on(mut stream: TcpStream) {
    let mut buffer = vec![0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}
