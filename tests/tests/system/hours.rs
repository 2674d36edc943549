//! Nothing is injected outside hours. The server here is the real one on another clock: it runs in this process,
//! and the test sets its wall clock. The shop and its customers are processes of their own, as ever.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_control::clock::{Clock, SystemClock};
use daybreak_control::{Actor, ApplyOptions, Control, Options};
use daybreak_document::Source;
use daybreak_model::wire::StoreId;
use daybreak_server::{Offload, Shared};
use daybreak_store::{MemoryOptions, MemoryStore};
use daybreak_tests::{Answer, curl, eventually};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::application::BROKEN;
use crate::shop::Shop;

/// [`BROKEN`] for 1 % of the shop's searches, in the hours of an office.
fn document() -> String {
    let office = "time_zone: Europe/Berlin, weekdays: mon..fri, times: ['10:00-12:00']";
    let document = BROKEN.replace("payment.gateway", "catalogue.search").replace("100%", "1%");
    document.replace("time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00']", office)
}

/// Moments on a Monday, years from now: the shop's own clock must not be what ends a run.
const BEFORE_OPENING: &str = "2035-01-08T09:30:00+01:00";
const OPEN: &str = "2035-01-08T11:40:00+01:00";
const CLOSING: &str = "2035-01-08T12:00:00+01:00";

/// Searches that are made at each time of day.
const SEARCHES: u64 = 10_000;

/// The system's clock, with its wall clock set to another time, from which it goes on.
#[derive(Debug, Default)]
pub(crate) struct Shifted(Mutex<SignedDuration>);

impl Shifted {
    pub(crate) fn set(&self, moment: &str) -> Result<()> {
        *self.0.lock() = moment.parse::<Timestamp>()?.duration_since(SystemClock.now());
        Ok(())
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.lock()
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }
}

/// A server in this process, on loopback.
pub(crate) struct Server {
    address: SocketAddr,
    pub(crate) clock: Arc<Shifted>,
    _runtime: Runtime,
}

impl Server {
    /// Starts one at this moment, on a document.
    pub(crate) fn start(moment: &str, document: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let clock = Arc::new(Shifted::default());
        clock.set(moment)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let control = runtime.block_on(open(Arc::<Shifted>::clone(&clock), document))?;
        runtime.spawn(tick(control.clone()));
        let shared = Shared::new(control, Offload::new(runtime.handle().clone()));
        let handle = runtime.handle().clone();
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            handle.block_on(daybreak_server::serve(listener, shared, None, std::future::pending()))
        });
        Ok(Self { address, clock, _runtime: runtime })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn start_fault(&self) -> Result<Answer> {
        curl(&["--request", "POST", &self.url("/api/v1/faults/broken/start")])
    }

    /// Starts the fault once it knows the shop, and waits until the shop may act on it.
    fn breaks_the_shop(&self) -> Result<()> {
        eventually("a start", || self.start_fault()?.expect_status(201))?;
        self.has_run("a lease", |run| run["clients"] == 1)
    }

    fn refuses_for_the_hour(&self) -> Result<()> {
        let answer = self.start_fault()?.expect_status(409)?;
        ensure!(answer.body.contains("\"outside_hours\""), "{}", answer.body);
        Ok(())
    }

    fn has_run(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<()> {
        eventually(what, || {
            let runs = curl(&[self.url("/api/v1/runs")])?.expect_status(200)?.json()?;
            let run = runs["runs"].get(0).context("no run")?;
            if is_it(run) { Ok(()) } else { Err(anyhow!("{run:#}")) }
        })
    }
}

async fn open(clock: Arc<Shifted>, document: &str) -> Result<Control> {
    let store = MemoryStore::open(MemoryOptions::new(StoreId::new(7)))?;
    let control = Control::open(Options::new("test"), Arc::new(store), clock, [7; 32]).await?;
    let sources = vec![Source::new("flags.yaml", document)];
    control.apply(sources, ApplyOptions::default(), Actor::named("test")).await.map_err(|why| anyhow!("{why:?}"))?;
    Ok(control)
}

/// The guard's tick, as `daybreak serve` has it, but more often.
async fn tick(control: Control) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        control.tick().await;
    }
}

#[test]
fn invariant_1_nothing_outside_hours() -> Result<()> {
    let server = Server::start(BEFORE_OPENING, &document())?;
    let shop = Shop::open(&server.url(""))?;
    shop.has_heard(&server.url(""))?;
    server.refuses_for_the_hour()?;
    let before = shop.search(SEARCHES)?;
    ensure!(before == 0, "{before} searches were struck before the office opened");

    server.clock.set(OPEN)?;
    server.breaks_the_shop()?;
    let meanwhile = shop.search(SEARCHES)?;
    ensure!(meanwhile > 0, "no search was struck in the office's hours");

    server.clock.set(CLOSING)?;
    server.has_run("the end of the run", |run| run["ended"] == "completed")?;
    shop.has_heard(&server.url(""))?;
    let after = shop.search(SEARCHES)?;
    ensure!(after == 0, "{after} searches were struck after the office had closed");
    server.refuses_for_the_hour()
}
