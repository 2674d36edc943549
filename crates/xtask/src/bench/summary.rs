//! The table at the top of docs/benchmarks.md: every goal, and how it is met.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cells::{self, Found};
use super::goals::{Bound, Figure, GOALS, Goal, Source};
use super::record::Record;
use crate::figures::{nanos, times};

const HEAD: &str =
    "| work | goal | Daybreak | eight of ten rounds | beside it | times better | eight of ten rounds | |";

/// What is known: the benchmarks' records by their names, and the figures of tests/peers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) records: &'a BTreeMap<&'static str, Record>,
    pub(super) peers: Option<&'a Value>,
}

/// A figure of Daybreak's, and one beside it.
struct Held {
    ours: Found,
    beside: Option<String>,
    /// How many times better ours is, and between what in most rounds.
    better: Option<(f64, Option<String>)>,
}

/// The table. A goal about which nothing is known keeps the row that it had in the table before.
pub(super) fn table(known: Known<'_>, before: &str) -> String {
    let mut table = format!("{HEAD}\n|{}\n", "---|".repeat(8));
    for goal in GOALS {
        let row = held(goal, known).map(|held| row(goal, &held));
        table += &row.or_else(|| same_work(goal, before)).unwrap_or_else(|| {
            format!(
                "| {} | {} | not measured yet | | {} | | | |",
                goal.work,
                goal.bound(),
                goal.of_others().unwrap_or_default()
            )
        });
        table.push('\n');
    }
    table
}

fn row(goal: &Goal, held: &Held) -> String {
    let spread = held.ours.spread.as_deref().unwrap_or_default();
    let beside: Vec<String> = held.beside.clone().into_iter().chain(goal.of_others()).collect();
    let (better, apart) = match &held.better {
        Some((better, apart)) => (times(*better), apart.clone().unwrap_or_default()),
        None => Default::default(),
    };
    let verdict = if goal.is_met(held.ours.value) { "met" } else { "**missed**" };
    format!(
        "| {} | {} | {} | {spread} | {} | {better} | {apart} | {verdict} |",
        goal.work,
        goal.bound(),
        held.ours.shown,
        beside.join("; "),
    )
}

/// The row of a goal in a table that was written before.
fn same_work(goal: &Goal, before: &str) -> Option<String> {
    let work = |line: &&str| cells::cells(line).is_some_and(|cells| cells.first() == Some(&goal.work));
    before.lines().find(work).map(str::to_owned)
}

fn held(goal: &Goal, known: Known<'_>) -> Option<Held> {
    if let Source::Peers(table, words, who, figure) = goal.figure {
        return of_peers(known.peers?, (table, words), who, figure);
    }
    let ours = cell(goal.figure, known)?;
    let Some((name, source)) = goal.beside else { return Some(Held { ours, beside: None, better: None }) };
    let theirs = cell(source, known);
    // Where the figure is a share of theirs, it is the ratio.
    let better = match (&theirs, goal.bound) {
        _ if goal.unit == " %" => Some((ours.value / 100.0, None)),
        (Some(theirs), Bound::AtMost(_)) => Some((theirs.value / ours.value, None)),
        (Some(theirs), Bound::AtLeast(_)) => Some((ours.value / theirs.value, None)),
        (None, _) => None,
    };
    Some(Held { ours, beside: theirs.map(|theirs| format!("{name} {}", theirs.shown)), better })
}

fn cell(source: Source, known: Known<'_>) -> Option<Found> {
    let Source::Cell(bench, row, column) = source else { return None };
    cells::find(&known.records.get(bench)?.markdown, row, column)
}

/// Daybreak's row in a table of tests/peers, beside the best of the others.
fn of_peers(peers: &Value, (name, words): (&str, &str), who: &str, figure: Figure) -> Option<Held> {
    let is_it = |table: &&Value| {
        let scales = table["rows"][0].get("scaling").is_some();
        table["name"] == name
            && table["title"].as_str().is_some_and(|title| title.contains(words))
            && scales == (figure == Figure::Scaling)
    };
    let rows = peers["tables"].as_array()?.iter().find(is_it)?["rows"].as_array()?;
    let ours = rows.iter().find(|row| row["name"] == who)?;
    let others = rows.iter().filter(|row| row["name"].as_str().is_some_and(|name| !name.starts_with("Daybreak")));
    // The best on two threads is who is fastest there: what is slow scales well.
    let rank = |row: &&Value| match figure {
        Figure::Nanos => row["nanos"]["median"].as_f64().unwrap_or(f64::INFINITY),
        Figure::Scaling => row["two_nanos"]["median"].as_f64().unwrap_or(f64::INFINITY),
        Figure::Allocations => row["allocations"].as_f64().unwrap_or(f64::INFINITY),
    };
    let best = others.min_by(|one, other| rank(one).total_cmp(&rank(other)));
    let beside =
        best.and_then(|best| Some(format!("{} {}", best["name"].as_str()?, shown(value(best, figure)?, figure))));
    let better = best.and_then(|best| better(ours, best, figure));
    let (value, spread) = (value(ours, figure)?, spread(ours, figure));
    let found = Found { value, shown: shown(value, figure), spread };
    Some(Held { ours: found, beside, better })
}

fn value(row: &Value, figure: Figure) -> Option<f64> {
    match figure {
        Figure::Nanos => row["nanos"]["median"].as_f64(),
        Figure::Scaling => row["scaling"]["median"].as_f64(),
        Figure::Allocations => row["allocations"].as_f64(),
    }
}

fn spread(row: &Value, figure: Figure) -> Option<String> {
    let (of, show): (_, fn(f64) -> String) = match figure {
        Figure::Nanos => (&row["nanos"], nanos),
        Figure::Scaling => (&row["scaling"], times),
        Figure::Allocations => return None,
    };
    Some(format!("{} to {}", show(of["low"].as_f64()?), show(of["high"].as_f64()?)))
}

/// Within each round, so that what moved both moves nothing.
fn better(ours: &Value, theirs: &Value, figure: Figure) -> Option<(f64, Option<String>)> {
    let mut ratios: Vec<f64> = match figure {
        Figure::Nanos => ratios(&theirs["rounds"], &ours["rounds"])?,
        Figure::Scaling => {
            let scaling = |row: &Value| ratios(&row["rounds"][0], &row["rounds"][1]);
            scaling(ours)?.into_iter().zip(scaling(theirs)?).map(|(ours, theirs)| ours / theirs).collect()
        }
        Figure::Allocations => return None,
    };
    ratios.sort_by(f64::total_cmp);
    let last = ratios.len().checked_sub(1)?;
    let at = |tenths: usize| ratios.get((last * tenths + 5) / 10).copied();
    Some((at(5)?, Some(format!("{} to {}", times(at(1)?), times(at(9)?)))))
}

fn ratios(above: &Value, below: &Value) -> Option<Vec<f64>> {
    let pairs = above.as_array()?.iter().zip(below.as_array()?);
    pairs.map(|(above, below)| Some(above.as_f64()? / below.as_f64()?)).collect()
}

fn shown(value: f64, figure: Figure) -> String {
    match figure {
        Figure::Nanos => format!("{} ns", nanos(value)),
        Figure::Scaling => times(value),
        Figure::Allocations => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::cells::SPREAD;
    use crate::bench::record::Machine;

    fn peers() -> Value {
        let row = |name: &str, median: f64| {
            json!({"name": name, "nanos": {"median": median, "low": median - 1.0, "high": median + 1.0},
                   "allocations": 8, "rounds": [median, median * 2.0, median]})
        };
        let both = |name: &str, scaling: f64| {
            json!({"name": name, "scaling": {"median": scaling, "low": 1.0, "high": 2.0},
                   "two_nanos": {"median": 20.0 / scaling}, "rounds": [[20.0, 20.0], [40.0 / scaling, 40.0 / scaling]]})
        };
        json!({"tables": [
            {"name": "W1", "title": "one", "rows": [row("slow", 90.0), row("Daybreak, by key", 15.0), row("quick", 30.0)]},
            {"name": "W5", "title": "two", "rows": [both("Daybreak, by key", 1.8), both("quick", 0.9), both("slow", 0.5)]},
        ]})
    }

    fn line(table: &str, work: &str) -> String {
        table.lines().find(|line| line.starts_with(&format!("| {work}"))).unwrap().to_owned()
    }

    #[test]
    fn goals_beside_peers() {
        let (peers, records) = (peers(), BTreeMap::new());
        let table = table(Known { records: &records, peers: Some(&peers) }, "");
        let first = "| W1 boolean, no rules, by key | ≤ 15 ns | 15.0 ns | 14.0 to 16.0 | quick 30.0 ns | ×2.00 | ×2.00 to ×2.00 | met |";
        assert_eq!(line(&table, "W1 boolean"), first);
        let scaling = "| W5 W2, two threads over one, by key | ≥ ×1.9 | ×1.80 | ×1.00 to ×2.00 | quick ×0.90 | ×2.00 | ×2.00 to ×2.00 | **missed** |";
        assert_eq!(line(&table, "W5"), scaling);
        assert_eq!(
            line(&table, "memory, idle"),
            "| memory, idle | ≤ 12 MB | not measured yet | | unleash-edge¹ 26 MB | | | |"
        );
    }

    #[test]
    fn goals_beside_what_is_bare() {
        let machine = Machine { date: String::new(), cpu: String::new(), cores: 2, commit: String::new() };
        let markdown = "| streams | server | memory |\n|---|---|---|\n| 0 | Daybreak | 10.0 MB |\n| 0 | bare actix-web | 4.0 MB |\n";
        let (name, command) = ("streams".to_owned(), String::new());
        let record = Record { name, command, machine, markdown: markdown.to_owned(), plots: Vec::new() };
        let records = BTreeMap::from([("streams", record)]);
        let table_of = |records, before| table(Known { records, peers: None }, before);
        let expected =
            "| memory, idle | ≤ 12 MB | 10.0 MB |  | bare actix-web 4.0 MB; unleash-edge¹ 26 MB | ×0.40 |  | met |";
        let written = table_of(&records, "");
        assert_eq!(line(&written, "memory, idle"), expected);
        assert_eq!(table_of(&BTreeMap::new(), &written), written, "what is not measured again stays");
    }

    #[test]
    fn the_columns_of_spread_are_named_alike() {
        assert!(HEAD.contains(SPREAD));
    }
}
