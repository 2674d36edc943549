//! Budgets in simulated time.

mod alerts;
mod series;
mod time;

use daybreak_model::{Good, Indicator, Key, Millis, Slo, StatusBound, Window};
use jiff::{SignedDuration, Timestamp};

use super::Budgets;

const DAY: i64 = 86_400;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn days(days: u64) -> Window {
    Window::Rolling(Millis::from_secs(days * 86_400))
}

fn slo(objective: &str, window: Window) -> Slo {
    let good = Good { status: Some(StatusBound(500)), latency: None };
    let sli = Indicator { operation: "POST /checkout".to_owned(), good, prometheus: None };
    Slo { description: None, owner: None, objective: objective.parse().unwrap(), window, sli }
}

/// The budget of one SLO, with a clock.
#[derive(Clone)]
struct Simulation {
    budgets: Budgets,
    key: Key,
    slo: Slo,
    now: Timestamp,
}

impl Simulation {
    fn new(objective: &str, window: Window, now: &str) -> Self {
        let (budgets, key) = (Budgets::default(), Key::new("checkout").unwrap());
        Self { budgets, key, slo: slo(objective, window), now: at(now) }
    }

    fn add(&mut self, good: u64, bad: u64) {
        self.budgets.add(&self.key, 1, good, bad, self.now);
    }

    /// So much is counted again and again, `every` so many seconds, for so many seconds.
    fn flow(&mut self, seconds: i64, every: i64, good: u64, bad: u64) -> &mut Self {
        for _ in 0..seconds / every {
            self.now += SignedDuration::from_secs(every);
            self.add(good, bad);
        }
        self
    }

    fn status(&self) -> super::Status {
        self.budgets.status(&self.key, &self.slo, self.now)
    }

    fn fast_burn(&self) -> bool {
        self.budgets.fast_burn(&self.key, &self.slo, self.now)
    }
}
