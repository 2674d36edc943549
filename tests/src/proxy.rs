//! A proxy that behaves as networks do: it passes, holds, stalls and cuts.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

/// How a request for the SDK's stream begins; connections that sent one count as streams.
const STREAM_REQUEST: &[u8] = b"GET /api/v1/stream";
/// How an SDK's report begins.
const REPORT: &[u8] = b"POST /api/v1/reports";

/// A TCP proxy on loopback.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    upstream: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    open: Vec<TcpStream>,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    StallStreams,
    HoldReports,
    Cut,
}

impl Proxy {
    /// Starts one in front of `upstream`, passing everything.
    ///
    /// # Errors
    /// When no port is free.
    pub fn to(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Mutex::new(State { mode: Mode::Pass, open: Vec::new(), closed: false });
        let gate = Arc::new(Gate { upstream, state, changed: Condvar::new() });
        let accepting = Arc::clone(&gate);
        std::thread::spawn(move || accepting.accept(&listener));
        Ok(Self { address, gate })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keeps everything that is on its way, in both directions; nothing is lost.
    pub fn hold(&self) {
        self.gate.set(Mode::Hold);
    }

    /// Keeps what is on its way to clients on their streams; everything else passes.
    pub fn stall_streams(&self) {
        self.gate.set(Mode::StallStreams);
    }

    /// Keeps reports on their way to the server; everything else passes.
    pub fn hold_reports(&self) {
        self.gate.set(Mode::HoldReports);
    }

    /// Passes everything, what was kept first.
    pub fn release(&self) {
        self.gate.set(Mode::Pass);
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.gate.set(Mode::Cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.gate.state().closed = true;
        self.gate.set(Mode::Cut);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        let mut state = self.state();
        state.mode = mode;
        if mode == Mode::Cut {
            for connection in state.open.drain(..) {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            if self.state().closed {
                return;
            }
            // An upstream that is down shows as a connection that ends at once.
            let _ = self.join(client);
        }
    }

    fn join(self: &Arc<Self>, client: TcpStream) -> Result<()> {
        let server = TcpStream::connect(self.upstream)?;
        let ends = [client.try_clone()?, server.try_clone()?];
        let mut state = self.state();
        if state.mode == Mode::Cut {
            return Ok(());
        }
        state.open.extend(ends);
        drop(state);
        let is_stream = Arc::new(AtomicBool::new(false));
        let up = (client.try_clone()?, server.try_clone()?);
        for (from, to, is_up) in [(up.0, up.1, true), (server, client, false)] {
            let (gate, is_stream) = (Arc::clone(self), Arc::clone(&is_stream));
            std::thread::spawn(move || gate.copy(from, to, is_up, &is_stream));
        }
        Ok(())
    }

    /// Copies one direction until an end closes it.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, is_up: bool, is_stream: &AtomicBool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if is_up && buffer[..read].starts_with(STREAM_REQUEST) {
                is_stream.store(true, Ordering::Relaxed);
            }
            self.wait_to_pass(is_up, is_stream, is_up && buffer[..read].starts_with(REPORT));
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        self.wait_to_pass(is_up, is_stream, false);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    fn wait_to_pass(&self, is_up: bool, is_stream: &AtomicBool, is_report: bool) {
        let mut state = self.state();
        loop {
            let kept = match state.mode {
                Mode::Hold => true,
                Mode::StallStreams => !is_up && is_stream.load(Ordering::Relaxed),
                Mode::HoldReports => is_report,
                Mode::Pass | Mode::Cut => false,
            };
            if !kept {
                return;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;

    /// A server that answers each connection's bytes with the same.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut &stream));
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn passes(stream: &mut TcpStream, text: &[u8]) {
        stream.write_all(text).unwrap();
        let mut back = vec![0; text.len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, text);
    }

    /// Nothing arrives for a moment, which cannot show that nothing ever will.
    fn is_kept(stream: &mut TcpStream, text: &[u8]) {
        stream.write_all(text).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }

    #[test]
    fn it_holds_and_releases() {
        let proxy = Proxy::to(echo()).unwrap();
        let mut stream = connect(&proxy);
        passes(&mut stream, b"one");
        proxy.hold();
        is_kept(&mut stream, b"two");
        proxy.release();
        let mut back = [0; 3];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"two");
    }

    #[test]
    fn it_stalls_streams_alone() {
        let proxy = Proxy::to(echo()).unwrap();
        let (mut stream, mut other) = (connect(&proxy), connect(&proxy));
        passes(&mut stream, b"GET /api/v1/stream HTTP/1.1\r\n");
        proxy.stall_streams();
        is_kept(&mut stream, b"more");
        passes(&mut other, b"POST /api/v1/reports HTTP/1.1\r\n");
    }

    #[test]
    fn it_holds_reports_alone() {
        let proxy = Proxy::to(echo()).unwrap();
        let (mut stream, mut reports) = (connect(&proxy), connect(&proxy));
        proxy.hold_reports();
        passes(&mut stream, b"GET /api/v1/stream HTTP/1.1\r\n");
        is_kept(&mut reports, b"POST /api/v1/reports HTTP/1.1\r\n");
    }

    #[test]
    fn it_cuts() {
        let proxy = Proxy::to(echo()).unwrap();
        let mut stream = connect(&proxy);
        passes(&mut stream, b"one");
        proxy.cut();
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        let mut later = connect(&proxy);
        assert!(matches!(later.read(&mut [0]), Ok(0) | Err(_)));
        proxy.release();
        passes(&mut connect(&proxy), b"two");
    }
}
