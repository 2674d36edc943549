//! Very many that come at once, and very many that read nothing: the server's memory does not grow with what each of them is
//! to be sent.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use daybreak_tests::measure::Memory;
use daybreak_tests::{Http, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const HERD: usize = 1_000;
/// Clients that come at once. With many, one that has connected may have to wait for its turn in this process before it asks, longer
/// than the server waits for it.
const COMING_MAX: usize = 64;
const FLAGS: usize = 2_000;
/// Clients that read nothing, and bytes of a flag that they are to be sent.
const SLOW: usize = 400;
const LONG: usize = 3 * 1024 * 1024;
/// Bytes of a change, at most.
const SHORT: usize = 2 * 1024;
const MEBIBYTE: u64 = 1024 * 1024;

/// Bytes of memory that a process has used at most.
fn peak(id: u32) -> Result<u64> {
    Ok(Memory::of(id)?.most)
}

fn document() -> String {
    (0..FLAGS).fold("flags:\n".to_owned(), |mut text, flag| {
        let rule = "{ name: germans, when: { country: { in: [DE, AT, CH] } }, serve: on }";
        // Writing to a string does not fail.
        let _ = writeln!(text, "  flag-{flag}: {{ default: off, rules: [ {rule} ] }}");
        text
    })
}

/// Opens a stream.
async fn open(address: SocketAddr, encoding: &str) -> Result<TcpStream> {
    ask(TcpSocket::new_v4()?, address, "stream", encoding).await
}

/// Asks, takes the beginning of the answer, and reads no more.
async fn stall(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 * 1024)?;
    let mut stream = ask(socket, address, path, "").await?;
    stream.read_u8().await?;
    Ok(stream)
}

async fn ask(socket: TcpSocket, address: SocketAddr, path: &str, encoding: &str) -> Result<TcpStream> {
    let mut stream = socket.connect(address).await?;
    let head = format!("GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\n{encoding}\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Reads until the snapshot is there in full; how many bytes it took.
async fn whole(stream: &mut TcpStream, ends: &[u8]) -> Result<usize> {
    let mut read = Vec::new();
    loop {
        let before = read.len().saturating_sub(ends.len() + 16);
        ensure!(stream.read_buf(&mut read).await? > 0, "the server hung up after {} bytes", read.len());
        // What follows the end is short; to go through all of it would take most of the test's time.
        let recent = before.max(read.len().saturating_sub(SHORT));
        if read[recent..].windows(ends.len()).any(|bytes| bytes == ends) {
            return Ok(read.len());
        }
    }
}

/// All come at once, and are there once each has its snapshot; bytes that each was sent, about.
async fn come(address: SocketAddr, encoding: &'static str, ends: &'static [u8]) -> Result<(Vec<TcpStream>, usize)> {
    let coming = Arc::new(Semaphore::new(COMING_MAX));
    let mut herd = JoinSet::new();
    for _ in 0..HERD {
        let coming = Arc::clone(&coming);
        herd.spawn(async move {
            let _permit = coming.acquire().await?;
            let mut stream = open(address, encoding).await?;
            let bytes = whole(&mut stream, ends).await?;
            anyhow::Ok((stream, bytes))
        });
    }
    let (mut streams, mut most) = (Vec::new(), 0);
    while let Some(one) = herd.join_next().await {
        let (stream, bytes) = one??;
        most = most.max(bytes);
        streams.push(stream);
    }
    Ok((streams, most))
}

/// An event ends in an empty line, which is a chunk of its own, or the end of one.
const END: &[u8] = b"}\n\n";
/// The same in a stream of gzip: a block of two bytes as they are.
const END_PACKED: &[u8] = b"\x00\x02\x00\xfd\xff";

#[tokio::test(flavor = "multi_thread")]
async fn a_herd_after_a_restart_shares_one_snapshot() -> Result<()> {
    let mut server = Server::with(&document(), &["--log", "warn"])?;
    let (before, _) = come(server.address(), "", END).await?;
    server.restart()?;
    drop(before);
    let idle = peak(server.process().id())?;
    let (plain, long) = come(server.address(), "", END).await?;
    let (packed, short) = come(server.address(), "Accept-Encoding: gzip\r\n", END_PACKED).await?;
    ensure!(long > 100 * FLAGS && short * 8 < long, "{short} bytes packed, {long} bytes as they are");
    let grown = peak(server.process().id())?.saturating_sub(idle);
    // A copy each would be more than 400 MiB.
    ensure!(grown < 100 * MEBIBYTE, "{grown} bytes for {} streams, from {idle}", plain.len() + packed.len());

    // All are still there, and each is told of a change.
    let http = Http::to(&server.url(""))?;
    http.send("POST", "/api/v1/flags/flag-7/disable", None, "").await?.ok()?;
    for mut stream in plain.into_iter().chain(packed) {
        whole(&mut stream, b"event: change\n").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_holds_no_copy() -> Result<()> {
    let mut server = Server::with("flags: { small: { default: on } }", &["--log", "warn"])?;
    let http = Http::to(&server.url(""))?;
    for flag in ["one", "two", "three"] {
        let text = flag.repeat(LONG / flag.len());
        let document = json!({ "variants": { "long": text, "short": "" }, "off": "short", "default": "short" });
        http.send("PUT", &format!("/api/v1/flags/{flag}"), None, &document.to_string()).await?.ok()?;
    }
    // Somebody who reads has it encoded.
    let mut reads = open(server.address(), "").await?;
    let bytes = whole(&mut reads, END).await?;
    ensure!(bytes > 3 * LONG, "{bytes}");
    let idle = peak(server.process().id())?;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        // Some follow the stream, some poll.
        slow.push(stall(server.address(), if number % 4 == 0 { "snapshot" } else { "stream" }).await?);
    }
    // Meanwhile others are served.
    http.send("POST", "/api/v1/flags/small/disable", None, "").await?.ok()?;
    whole(&mut reads, b"event: change\n").await?;
    let grown = peak(server.process().id())?.saturating_sub(idle);
    // A copy each would be 3.6 GiB.
    ensure!(grown < 64 * MEBIBYTE, "{grown} bytes for {} who read nothing, from {idle}", slow.len());
    Ok(())
}
