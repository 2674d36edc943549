//! Rows of a table that take turns, so that what else the machine does falls on each.

use crate::held;
use crate::work::worked;

const ROUNDS: usize = 21;

/// A name, and the work that is measured.
pub(crate) struct Row<'w> {
    name: String,
    times: u64,
    work: Box<dyn FnMut(u64) + 'w>,
    nanos: Vec<f64>,
    allocations: f64,
}

impl<'w> Row<'w> {
    /// Work that is told how often to be done.
    pub(crate) fn new(name: impl Into<String>, times: u64, work: impl FnMut(u64) + 'w) -> Self {
        Self { name: name.into(), times, work: Box::new(work), nanos: Vec::new(), allocations: 0.0 }
    }

    fn round(&mut self) {
        let (allocated, began) = (held::allocations(), worked());
        (self.work)(self.times);
        let took = worked().saturating_sub(began);
        self.nanos.push(took.as_nanos() as f64 / self.times as f64);
        self.allocations = (held::allocations() - allocated) as f64 / self.times as f64;
    }

    fn at(&self, part: usize) -> f64 {
        self.nanos.get(self.nanos.len() * part / 10).copied().unwrap_or_default()
    }
}

/// Measures rows, and prints them: each beside what the first of them takes.
pub(crate) fn print(title: &str, mut rows: Vec<Row<'_>>) {
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
    rows.iter_mut().for_each(|row| row.nanos.sort_by(f64::total_cmp));
    let first = rows.first().map_or(0.0, |row| row.at(5));
    println!("| {title} | ns, median | eight of ten rounds | more than the first | allocations |");
    println!("|---|---|---|---|---|");
    for row in &rows {
        let (name, median, low, high, allocations) = (&row.name, row.at(5), row.at(1), row.at(9), row.allocations);
        let more = median - first;
        println!("| {name} | {median:.1} | {low:.1} to {high:.1} | {more:.1} | {allocations:.2} |");
    }
    println!();
}
