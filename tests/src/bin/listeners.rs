//! Holds many streams of a server open, and tells when what is published came to the first and to the last of them.
//!
//! `listeners ADDRESS COUNT MARK` prints `open COUNT` once every stream has had its snapshot whole. From then on, each time
//! that every stream has read MARK once more, it prints `all FIRST LAST`, in microseconds on CLOCK_BOOTTIME. A stream may begin with
//! a snapshot that was made for those before it, and the changes since then: MARK is to be in none of those. A stream that ends
//! comes back after such pauses as the SDK makes; once all have come back, and have their snapshots whole, it prints `back FIRST
//! LAST`. It ends with its standard input.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

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
/// The longest pause before a stream comes back, the first time; it doubles up to the last, and is spread by full jitter.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(30)];

/// How many streams something has happened to, until it has to all.
#[derive(Debug)]
struct Round {
    count: usize,
    /// What is printed then.
    word: &'static str,
    reached: Cell<usize>,
    first: Cell<Option<BootTime>>,
}

impl Round {
    fn of(count: usize, word: &'static str) -> Rc<Self> {
        Rc::new(Self { count, word, reached: Cell::new(0), first: Cell::new(None) })
    }

    /// One more stream has it. The next round comes once all have this one.
    fn reach(&self) -> Result<()> {
        let now = BootTime::now();
        let first = self.first.get().unwrap_or(now);
        self.first.set(Some(first));
        self.reached.set(self.reached.get() + 1);
        if self.reached.get() == self.count {
            self.reached.set(0);
            self.first.set(None);
            println!("{} {} {}", self.word, first.micros(), now.micros());
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
    let (round, back) = (Round::of(count, "all"), Round::of(count, "back"));
    let opening = Rc::new(Semaphore::new(OPENING_MAX));
    let (opened, mut all) = mpsc::unbounded_channel();
    for _ in 0..count {
        let (opening, opened) = (Rc::clone(&opening), opened.clone());
        let (mark, round, back) = (Rc::clone(&mark), Rc::clone(&round), Rc::clone(&back));
        tokio::task::spawn_local(async move {
            let stream = {
                let _permit = opening.acquire().await;
                open(address).await
            };
            // The other end is gone only when this process ends.
            let _ = opened.send(stream.as_ref().map(|_| ()).map_err(|error| format!("{error:#}")));
            if let Ok(mut stream) = stream {
                loop {
                    follow(&stream, &mark, &round).await;
                    stream = come_back(address).await;
                    // Nobody reads what is printed only where this process is to end.
                    let _ = back.reach();
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
    let (mut read, mut seen, mut in_data) = (Vec::with_capacity(16 * 1024), 0, false);
    loop {
        let length = stream.read_buf(&mut read).await?;
        ensure!(length > 0, "the server closed it: {}", String::from_utf8_lossy(&read));
        // A frame that has data ends with an empty line; the headers' lines end otherwise. What was looked at is not looked at again,
        // but for what may have begun at its end: a herd reads hundreds of megabytes.
        if !in_data {
            match read[seen..].windows(5).position(|bytes| bytes == b"data:") {
                Some(data) => (seen, in_data) = (seen + data, true),
                None => seen = read.len().saturating_sub(4),
            }
        }
        if in_data {
            if read[seen..].windows(2).any(|bytes| bytes == b"\n\n") {
                return Ok(stream);
            }
            seen = read.len() - 1;
        }
    }
}

/// Opens a stream anew, however often it takes.
async fn come_back(address: SocketAddr) -> TcpStream {
    let [mut pause, longest] = PAUSES;
    loop {
        tokio::time::sleep(pause.mul_f64(rand::random())).await;
        match open(address).await {
            Ok(stream) => return stream,
            Err(_) => pause = (pause * 2).min(longest),
        }
    }
}

/// Reads on, and tells each time that the mark was read, until the stream ends.
async fn follow(stream: &TcpStream, mark: &[u8], round: &Round) {
    // What the mark may have begun with at the end of what was read before.
    let mut tail = Vec::new();
    while stream.readable().await.is_ok() {
        let mut buffer = [0; 4096];
        let length = match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        tail.extend_from_slice(&buffer[..length]);
        while let Some(at) = tail.windows(mark.len()).position(|bytes| bytes == mark) {
            // As above.
            let _ = round.reach();
            tail.drain(..at + mark.len());
        }
        tail.drain(..tail.len().saturating_sub(mark.len() - 1));
    }
}
