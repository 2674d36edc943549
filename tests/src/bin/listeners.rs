//! Holds many streams of a server open, and tells when what is published came to the first and to the last of them.
//!
//! `listeners ADDRESS COUNT MARK` prints `open COUNT` once every stream has had its snapshot whole. From then on, each time
//! that every stream has read MARK once more, it prints `all FIRST LAST`, in microseconds on CLOCK_BOOTTIME. It ends with
//! its standard input.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use daybreak_tests::BootTime;
use daybreak_tests::measure::raise_file_limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;

const REQUEST: &[u8] = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
/// Streams that are opened at once: the listen queue of a server is finite.
const OPENING_MAX: usize = 64;

/// How far a change has come.
#[derive(Debug)]
struct Round {
    count: usize,
    reached: Cell<usize>,
    first: Cell<Option<BootTime>>,
}

impl Round {
    /// One more stream has it. The next change comes once all have this one.
    fn reach(&self) -> Result<()> {
        let now = BootTime::now();
        let first = self.first.get().unwrap_or(now);
        self.first.set(Some(first));
        self.reached.set(self.reached.get() + 1);
        if self.reached.get() == self.count {
            self.reached.set(0);
            self.first.set(None);
            println!("all {} {}", first.micros(), now.micros());
            std::io::stdout().flush()?;
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    raise_file_limit()?;
    LocalSet::new().run_until(listen()).await
}

async fn listen() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("the server's address comes first")?.parse()?;
    let count: usize = arguments.next().context("the number of streams comes second")?.parse()?;
    let mark: Rc<[u8]> = arguments.next().context("what is waited for comes third")?.into_bytes().into();
    let round = Rc::new(Round { count, reached: Cell::new(0), first: Cell::new(None) });
    let opening = Rc::new(Semaphore::new(OPENING_MAX));
    let (opened, mut all) = mpsc::unbounded_channel();
    for _ in 0..count {
        let (opening, opened) = (Rc::clone(&opening), opened.clone());
        let (mark, round) = (Rc::clone(&mark), Rc::clone(&round));
        tokio::task::spawn_local(async move {
            let stream = {
                let _permit = opening.acquire().await;
                open(address).await
            };
            // The other end is gone only when this process ends.
            let _ = opened.send(stream.as_ref().map(|_| ()).map_err(|error| format!("{error:#}")));
            if let Ok(stream) = stream {
                // A stream that ends is missed: then no change comes to all.
                if let Err(error) = follow(&stream, &mark, &round).await {
                    eprintln!("a stream ended: {error:#}");
                }
            }
        });
    }
    for _ in 0..count {
        if let Some(Err(error)) = all.recv().await {
            bail!("a stream could not be opened: {error}");
        }
    }
    println!("open {count}");
    let mut end = Vec::new();
    tokio::io::stdin().read_to_end(&mut end).await?;
    Ok(())
}

/// Opens a stream and reads its snapshot to the end.
async fn open(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut read = Vec::with_capacity(16 * 1024);
    loop {
        let length = stream.read_buf(&mut read).await?;
        ensure!(length > 0, "the server closed it: {}", String::from_utf8_lossy(&read));
        // A frame that has data ends with an empty line; the headers' lines end otherwise.
        let data = read.windows(5).position(|bytes| bytes == b"data:");
        if data.is_some_and(|data| read[data..].windows(2).any(|bytes| bytes == b"\n\n")) {
            return Ok(stream);
        }
    }
}

/// Reads on, and tells each time that the mark was read.
async fn follow(stream: &TcpStream, mark: &[u8], round: &Round) -> Result<()> {
    // What the mark may have begun with at the end of what was read before.
    let mut tail = Vec::new();
    loop {
        stream.readable().await?;
        let mut buffer = [0; 4096];
        let length = match stream.try_read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        ensure!(length > 0, "the server closed it");
        tail.extend_from_slice(&buffer[..length]);
        while let Some(at) = tail.windows(mark.len()).position(|bytes| bytes == mark) {
            round.reach()?;
            tail.drain(..at + mark.len());
        }
        tail.drain(..tail.len().saturating_sub(mark.len() - 1));
    }
}
