//! Many clients in one process: each follows the stream, serves what it reads, and acknowledges where it is asked to.
//! Some can be told to stand still, or to leave.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Http, PATIENCE, Server};

const REQUEST: &[u8] = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
/// Clients that come at once: the listen queue of a server is finite.
const COMING_MAX: usize = 64;

/// How long a client says nothing at most; one that says nothing for 30 s counts no more.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often a client tells what got no answer.
const TRIES: usize = 3;

/// What a client is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Serve,
    /// It keeps its stream, and neither reads nor reports.
    StandStill,
    /// It says goodbye and ends.
    Leave,
}

/// The clients.
#[derive(Debug)]
pub struct Fleet {
    orders: Vec<watch::Sender<Order>>,
    acknowledged: Arc<AtomicU64>,
    clients: JoinSet<Result<()>>,
}

/// One of them.
struct Member {
    number: usize,
    http: Http,
    stream: TcpStream,
    read: String,
    sequence: u64,
    position: Option<String>,
    taken: Instant,
    acknowledged: Arc<AtomicU64>,
}

impl Fleet {
    /// Has so many clients come to a server, and waits until each has told that it serves the snapshot.
    ///
    /// # Errors
    /// When one of them cannot.
    pub async fn join(server: &Server, count: usize) -> Result<Self> {
        let (http, address) = (Http::to(&server.url(""))?, server.address());
        let (coming, acknowledged) = (Arc::new(Semaphore::new(COMING_MAX)), Arc::new(AtomicU64::new(0)));
        let (joined, mut joins) = mpsc::unbounded_channel();
        let mut fleet = Self { orders: Vec::new(), acknowledged: Arc::clone(&acknowledged), clients: JoinSet::new() };
        for number in 0..count {
            let (http, coming, acknowledged) = (http.clone(), Arc::clone(&coming), Arc::clone(&acknowledged));
            let (order, orders) = watch::channel(Order::Serve);
            let joined = joined.clone();
            fleet.orders.push(order);
            fleet.clients.spawn(async move {
                let permit = coming.acquire().await?;
                let member = Member::join(number, http, address, acknowledged).await?;
                drop(permit);
                // The other end is gone only where a client has failed.
                let _ = joined.send(());
                drop(joined);
                member.serve(orders).await
            });
        }
        drop(joined);
        for number in 0..count {
            ensure!(joins.recv().await.is_some(), "{number} of {count} clients came: {:?}", fleet.check());
        }
        Ok(fleet)
    }

    /// Waits until so many acknowledgements were asked for and answered, in all.
    ///
    /// # Errors
    /// When a client fails, or they do not come.
    pub async fn acknowledged(&mut self, count: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.check()?;
            let so_far = self.acknowledged.load(Ordering::SeqCst);
            if so_far >= count {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{so_far} of {count} acknowledgements came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Awaits what needs the clients, unless one of them fails before that.
    ///
    /// # Errors
    /// As what is awaited, and when a client fails.
    pub async fn during<T>(&mut self, awaited: impl Future<Output = Result<T>>) -> Result<T> {
        let mut awaited = pin!(awaited);
        loop {
            tokio::select! {
                done = &mut awaited => return done,
                Some(ended) = self.clients.join_next() => ended?.context("a client has failed")?,
            }
        }
    }

    /// These stand still: they keep their streams, and neither read nor report.
    pub fn stand_still(&self, clients: std::ops::Range<usize>) {
        self.order(clients, Order::StandStill);
    }

    /// These say goodbye.
    pub fn leave(&self, clients: std::ops::Range<usize>) {
        self.order(clients, Order::Leave);
    }

    fn order(&self, clients: std::ops::Range<usize>, order: Order) {
        for one in self.orders.iter().take(clients.end).skip(clients.start) {
            one.send_replace(order);
        }
    }

    /// The identifier of one of them.
    #[must_use]
    pub fn id(number: usize) -> String {
        format!("{number:032x}")
    }

    /// That none of them has failed.
    ///
    /// # Errors
    /// When one has.
    pub fn check(&mut self) -> Result<()> {
        while let Some(ended) = self.clients.try_join_next() {
            ended??;
        }
        Ok(())
    }
}

impl Member {
    async fn join(number: usize, http: Http, address: SocketAddr, acknowledged: Arc<AtomicU64>) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(REQUEST).await?;
        let (read, taken) = (String::new(), Instant::now());
        let mut member = Self { number, http, stream, read, sequence: 0, position: None, taken, acknowledged };
        while member.position.is_none() {
            member.read().await?;
        }
        member.report(false).await?;
        Ok(member)
    }

    async fn serve(mut self, mut orders: watch::Receiver<Order>) -> Result<()> {
        loop {
            let order = *orders.borrow_and_update();
            let asked = match order {
                Order::Leave => return self.report(true).await,
                Order::StandStill => {
                    if orders.changed().await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
                Order::Serve => tokio::select! {
                    // Who is told to stand still does not read what comes after that.
                    biased;
                    changed = orders.changed() => if changed.is_ok() { None } else { return Ok(()) },
                    asked = self.read() => asked?,
                    () = tokio::time::sleep(INTERVAL) => {
                        self.report(false).await?;
                        continue;
                    }
                },
            };
            if let Some(spread) = asked {
                tokio::time::sleep(spread.mul_f64(rand::random())).await;
                self.report(false).await?;
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Reads on, and takes in what is there in full; over what time it is asked to acknowledge that, if it is. It can be
    /// dropped and begun anew at any time.
    async fn read(&mut self) -> Result<Option<Duration>> {
        let mut bytes = [0; 4096];
        let length = self.stream.read(&mut bytes).await?;
        ensure!(length > 0, "the stream of {} ended after {}", self.number, self.read);
        self.read += &String::from_utf8_lossy(&bytes[..length]);
        let mut asked = None;
        while let Some((frame, rest)) = self.read.split_once("\n\n") {
            let (frame, rest) = (frame.to_owned(), rest.to_owned());
            self.read = rest;
            let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
            if let Some(position) = field("id: ") {
                self.position = Some(position.to_owned());
                self.taken = Instant::now();
            }
            let data: Value = field("data: ").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            if data["ack"] == true {
                asked = Some(Duration::from_millis(data["jitter"].as_u64().unwrap_or_default()));
            }
        }
        Ok(asked)
    }

    async fn report(&mut self, goodbye: bool) -> Result<()> {
        self.sequence += 1;
        let age = u64::try_from(self.taken.elapsed().as_millis()).context("an age")?;
        let report = json!({
            "client": Fleet::id(self.number), "sequence": self.sequence, "service": "fleet", "state": "streaming",
            "sdk": { "name": "fleet", "version": "0" }, "position": self.position, "position_age": age,
            "goodbye": goodbye,
        });
        let mut tries = 1;
        loop {
            match self.http.send("POST", "/api/v1/reports", None, &report.to_string()).await {
                // The server may have closed a spare connection at the very moment at which it is used. Told twice is told once.
                Err(_) if tries < TRIES => tries += 1,
                answer => return answer?.ok().map(drop),
            }
        }
    }
}
