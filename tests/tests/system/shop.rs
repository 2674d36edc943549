//! The real shop (the SDK's example) and its load, each in a process of its own.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{BootTime, Process, curl, eventually, shop};

/// Orders begun per second.
const RATE: &str = "20";
/// As many searches as a busy machine makes long before a test loses its patience.
const AT_ONCE: usize = 10_000;

/// The shop.
pub(crate) struct Shop {
    process: Process,
    url: String,
}

impl Shop {
    /// Opens it, with flags from there.
    pub(crate) fn open(flags: &str) -> Result<Self> {
        Self::open_with(flags, &[])
    }

    /// Opens it with a payment gateway in a process of its own.
    pub(crate) fn open_behind(flags: &str, gateway: &Gateway) -> Result<Self> {
        Self::open_with(flags, &["--gateway", &gateway.url])
    }

    /// The same, with traces to this collector.
    pub(crate) fn open_traced(flags: &str, gateway: &Gateway, collector: &str) -> Result<Self> {
        Self::start(flags, &["--gateway", &gateway.url], &traced(collector))
    }

    fn open_with(flags: &str, options: &[&str]) -> Result<Self> {
        Self::start(flags, options, &[])
    }

    fn start(flags: &str, options: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(shop()?);
        command.envs(variables.iter().copied());
        let command = command.args(["serve", "--listen", "127.0.0.1:0", "--daybreak", flags]).args(options);
        let process = Process::start("shop", command)?;
        let url = process.wait_for(|line| {
            let (_, rest) = line.split_once("the shop is open on ")?;
            rest.split(',').next().map(str::to_owned)
        })?;
        Ok(Self { process, url })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Has customers search so many times, as fast as it goes, and tells how many met an injected fault. A search
    /// that gets no answer is an error.
    pub(crate) fn search(&self, count: u64) -> Result<u64> {
        let parts = (0..count).step_by(AT_ONCE).map(|done| (count - done).min(AT_ONCE as u64));
        parts.map(|part| self.search_at_once(part)).sum()
    }

    fn search_at_once(&self, count: u64) -> Result<u64> {
        let mut command = Command::new(shop()?);
        let mut load =
            Process::start("searches", command.args(["search", "--shop", &self.url, "--count", &count.to_string()]))?;
        let number = |line: &str, rest: &str| line.trim().strip_suffix(rest)?.trim().parse().ok();
        let struck = load.wait_for(|line| number(line, "met a fault"))?;
        load.wait()?;
        let answered = |status| load.stdout().iter().filter_map(|line| number(line, status)).sum::<u64>();
        // What a fault of these tests answers with is a 503.
        let (whole, failed) = (answered("answered 200"), answered("answered 503"));
        ensure!(whole + failed == count && failed == struck, "some got no answer:\n{}", load.output());
        Ok(struck)
    }

    /// Waits until the shop has what the stream brought it by now: changes come in order.
    pub(crate) fn has_heard(&self, server: &str) -> Result<()> {
        let banner = format!("heard {}", BootTime::now().micros());
        let body = format!(r#"{{"variants": {{"none": "{banner}"}}}}"#);
        let flag = format!("{server}/api/v1/flags/search-banner");
        curl(&["--request", "PATCH", "--data-binary", &body, &flag])?.expect_status(200)?;
        eventually("the shop to hear", || {
            let page = curl(&[format!("{}/catalogue", self.url)])?.body;
            if page.contains(&banner) { Ok(()) } else { Err(anyhow::anyhow!(page)) }
        })
    }
}

/// Variables that send traces there, soon.
fn traced(collector: &str) -> [(&str, &str); 2] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", collector), ("OTEL_BSP_SCHEDULE_DELAY", "100")]
}

/// The payment gateway, as a service of its own.
pub(crate) struct Gateway {
    _process: Process,
    url: String,
}

impl Gateway {
    /// Opens it, with faults from there.
    pub(crate) fn open(flags: &str) -> Result<Self> {
        Self::start(flags, &[])
    }

    /// The same, with traces to this collector.
    pub(crate) fn open_traced(flags: &str, collector: &str) -> Result<Self> {
        Self::start(flags, &traced(collector))
    }

    fn start(flags: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(shop()?);
        command.envs(variables.iter().copied());
        let command = command.args(["gateway", "--listen", "127.0.0.1:0", "--daybreak", flags]);
        let process = Process::start("gateway", command)?;
        let url = process.wait_for(|line| {
            let (_, rest) = line.split_once("the gateway is open on ")?;
            rest.split(',').next().map(str::to_owned)
        })?;
        Ok(Self { _process: process, url })
    }
}

/// The shop's load.
pub(crate) struct Customers(Process);

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    number: u64,
    /// Right before its checkout.
    pub(crate) began: BootTime,
    /// `paid`, `queued`, or what went wrong.
    pub(crate) outcome: String,
    /// Whether the flag `new-checkout` was on.
    pub(crate) new_checkout: bool,
    /// When tries of its payment were struck: right before each pass of the fault point.
    pub(crate) struck: Vec<BootTime>,
}

impl Customers {
    /// Sends them in, until the end of the test.
    pub(crate) fn of(open: &Shop) -> Result<Self> {
        Self::at_rate(open, RATE)
    }

    /// Sends so many in each second, until the end of the test.
    pub(crate) fn at_rate(open: &Shop, rate: &str) -> Result<Self> {
        let mut command = Command::new(shop()?);
        command.args(["load", "--shop", open.url(), "--rate", rate, "--duration", "10m", "--log"]);
        Ok(Self(Process::start("customers", &mut command)?))
    }

    /// The orders that are done.
    pub(crate) fn orders(&self) -> Vec<Order> {
        self.0.stdout().iter().filter_map(|line| Order::read(line)).collect()
    }

    /// Waits for an order.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Order) -> bool) -> Result<Order> {
        self.0
            .wait_for(|line| Order::read(line).filter(|order| is_it(order)))
            .with_context(|| format!("waiting for {what}"))
    }

    /// Waits for an order that began after this moment and was paid unharmed.
    pub(crate) fn wait_for_order_after(&self, moment: BootTime) -> Result<Order> {
        self.wait_for("an unharmed order", |order| {
            order.began > moment && order.struck.is_empty() && order.outcome == "paid"
        })
    }

    /// The moments after `end` at which a payment was struck all the same: always to be none.
    pub(crate) fn struck_after(&self, end: BootTime) -> Vec<BootTime> {
        self.orders().into_iter().flat_map(|order| order.struck).filter(|struck| *struck > end).collect()
    }

    /// Waits until all orders before this one are done too: none hangs. Those that have no receipt.
    pub(crate) fn failed_before(&self, last: &Order) -> Result<Vec<Order>> {
        eventually("the orders before", || {
            let done: BTreeSet<u64> = self.orders().iter().map(|order| order.number).collect();
            let open: Vec<u64> = (0..last.number).filter(|number| !done.contains(number)).collect();
            if open.is_empty() { Ok(()) } else { Err(open) }
        })?;
        Ok(self.orders().into_iter().filter(|order| !order.is_served()).collect())
    }
}

impl Order {
    /// Whether the customer has a receipt.
    pub(crate) fn is_served(&self) -> bool {
        ["paid", "queued"].contains(&self.outcome.as_str())
    }

    /// Reads `order NUMBER BEGAN ENDED OUTCOME CHECKOUT [STRUCK…]`.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("order ")?.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let moment = |word: &str| word.parse().ok().map(BootTime::from_micros);
        let began = moment(words.next()?)?;
        let _ended = moment(words.next()?)?;
        let outcome = words.next()?.to_owned();
        let new_checkout = words.next()? == "new";
        Some(Self { number, began, outcome, new_checkout, struck: words.map(moment).collect::<Option<_>>()? })
    }
}
