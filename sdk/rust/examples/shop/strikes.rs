//! What a request met of injected faults, told in its answer: so that a load generator can count and date it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use daybreak_sdk::middleware::INJECTED_HEADER;
use daybreak_sdk::{Client, InjectedFault, Pass, Point};

/// When a request was struck: microseconds on the clock that leases are counted on (on Linux CLOCK_BOOTTIME, which
/// is the same in every process), right before each pass that was struck, with spaces between.
pub(crate) const INJECTED_AT_HEADER: &str = "daybreak-injected-at";

/// The passes of one request that brought an injected error or injected data. Injected latency shows as latency.
#[derive(Default)]
pub(crate) struct Strikes {
    fault: Option<String>,
    at: Vec<Duration>,
}

impl Strikes {
    /// Passes a fault point, and notes whether it was struck.
    pub(crate) async fn pass(&mut self, daybreak: &Client, point: &Point) -> Result<Pass, InjectedFault> {
        let before = daybreak.faults().now().boot;
        let passed = point.pass().await;
        match &passed {
            Err(injected) => self.note(injected.fault().as_str(), before),
            Ok(pass) if pass.data().is_some() => self.note("data", before),
            Ok(_) => {}
        }
        passed
    }

    fn note(&mut self, fault: &str, before: Duration) {
        self.fault.get_or_insert_with(|| fault.to_owned());
        self.at.push(before);
    }

    /// The answer, with what its request met in its head.
    pub(crate) fn tell(&self, mut answer: HttpResponse) -> HttpResponse {
        let moments: Vec<String> = self.at.iter().map(|at| at.as_micros().to_string()).collect();
        if let Some(fault) = &self.fault {
            put(answer.headers_mut(), INJECTED_HEADER, fault);
            put(answer.headers_mut(), INJECTED_AT_HEADER, &moments.join(" "));
        }
        answer
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
