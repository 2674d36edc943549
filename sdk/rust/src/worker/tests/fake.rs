//! A server of the test's own, which may answer as no server should.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens on loopback, and answers each request by a function.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    came: Condvar,
}

/// A request, with its headers in lower case.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// How many of this path came before.
    pub(super) number: usize,
}

/// The connection that a request came by. It is closed when it is dropped.
pub(super) struct Connection(TcpStream);

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Answers in full.
    pub(super) fn answer(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.send(&format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ));
    }

    /// Answers in full, and every request of this path that comes by the same connection; the first of another path, or none where it
    /// is closed. `answered` is called after each.
    pub(super) fn keep_answering(&mut self, path: &str, body: &str, mut answered: impl FnMut()) -> Option<String> {
        let mut reader = BufReader::new(self.0.try_clone().ok()?);
        loop {
            self.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
            answered();
            let next = read(&mut reader)?;
            if next.path != path {
                return Some(next.path);
            }
        }
    }

    /// Begins a stream, which ends with the connection.
    pub(super) fn begin_stream(&mut self) {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    }

    pub(super) fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    /// Sends bytes; whether they could be.
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).is_ok()
    }

    /// Says nothing until the other side gives up.
    pub(super) fn hold(mut self) {
        let _ = std::io::copy(&mut self.0, &mut std::io::sink());
    }
}

impl Fake {
    pub(super) fn start(answer: impl Fn(Request, Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let (own, answer) = (Arc::clone(&shared), Arc::new(answer));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (own, answer) = (Arc::clone(&own), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some((request, connection)) = own.read(connection.unwrap()) else { return };
                    answer(request, connection);
                });
            }
        });
        Self { address, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a request.
    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, wanted: impl Fn(&Request) -> bool) -> Request {
        let mut requests = self.shared.requests.lock();
        loop {
            if let Some(request) = requests.iter().find(|request| wanted(request)) {
                return request.clone();
            }
            let late = self.shared.came.wait_for(&mut requests, PATIENCE).timed_out();
            assert!(!late, "{what} did not come");
        }
    }

    /// How many requests of this path have come.
    pub(super) fn count(&self, path: &str) -> usize {
        self.shared.requests.lock().iter().filter(|request| request.path == path).count()
    }
}

impl Shared {
    fn read(&self, connection: TcpStream) -> Option<(Request, Connection)> {
        let mut request = read(&mut BufReader::new(connection.try_clone().ok()?))?;
        let mut requests = self.requests.lock();
        request.number = requests.iter().filter(|known| known.path == request.path).count();
        requests.push(request.clone());
        self.came.notify_all();
        Some((request, Connection(connection)))
    }
}

/// Reads a request; none where nobody asks any more.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut request = Request { path, headers, body: Vec::new(), number: 0 };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Waits until something is so.
#[track_caller]
pub(super) fn eventually(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
