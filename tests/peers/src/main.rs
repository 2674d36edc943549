//! Measures flag evaluators and fault points side by side, in one process, and writes the figures as JSON:
//! `daybreak-peers FILE [ROUNDS]`. `cargo xtask peers` runs it and makes tables of them.
//!
//! To add an evaluator: a file below `peers/` with a [`peer::Peer`], and a line in [`peers::contestants`].

mod allocations;
mod figures;
mod limits;
mod measure;
mod peer;
mod peers;
mod points;
mod workload;

use std::io::Write;

use anyhow::{Context, Result};

use figures::{Figures, Measured, Row, Table};
use peer::{Contestant, Make};
use workload::Workload;

/// How often each has his turn.
const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("say into which file the figures go")?;
    let rounds = arguments.next().map_or(Ok(ROUNDS), |rounds| rounds.parse()).context("ROUNDS is a number")?;

    let mut figures = Figures::new(rounds);
    let contestants = peers::contestants();
    for workload in Workload::ALL {
        let on_two = workload == Workload::Threads;
        let table = Race { name: workload.name(), title: workload.title(), base: peers::BASE, on_two };
        table.run(&contestants, || workload, &mut figures, rounds)?;
    }
    for on_two in [false, true] {
        for scene in points::Scene::ALL {
            let table = Race { name: "fault point", title: scene.title(), base: points::BASE, on_two };
            table.run(&points::CONTESTANTS, || scene, &mut figures, rounds)?;
        }
    }
    for on_two in [false, true] {
        let table = Race { name: "limits", title: "what none can do without", base: limits::BASE, on_two };
        table.run(&limits::CONTESTANTS, || (), &mut figures, rounds)?;
    }
    std::fs::write(&file, serde_json::to_vec_pretty(&figures)?).with_context(|| format!("{file} cannot be written"))
}

/// What all are asked to do who take part.
struct Race {
    name: &'static str,
    title: &'static str,
    base: &'static str,
    /// On one thread and on two.
    on_two: bool,
}

impl Race {
    fn run<W>(
        &self,
        contestants: &[Contestant<W>],
        what: impl Fn() -> W,
        figures: &mut Figures,
        rounds: usize,
    ) -> Result<()> {
        eprint!("{}, {}:", self.name, self.title);
        let mut makes: Vec<(&'static str, Make)> = Vec::new();
        for contestant in contestants {
            if let Some(make) = (contestant.make)(what()).with_context(|| contestant.name)? {
                figures.introduce(contestant)?;
                makes.push((contestant.name, make));
            }
        }
        eprint!(" {} take part …", makes.len());
        std::io::stderr().flush()?;
        let rows = self.measure(&makes, rounds)?;
        figures.tables.push(Table { name: self.name, title: self.title, base: self.base, rows });
        eprintln!(" done");
        Ok(())
    }

    fn measure(&self, makes: &[(&'static str, Make)], rounds: usize) -> Result<Vec<Row>> {
        let only: Vec<&Make> = makes.iter().map(|(_, make)| make).collect();
        let base = makes.iter().position(|(name, _)| *name == self.base);
        let base = base.with_context(|| format!("{} takes part", self.base))?;
        let measured: Vec<Measured> = if self.on_two {
            measure::threads(&only, rounds)?.iter().map(Measured::threads).collect()
        } else {
            let all = measure::alone(&only, rounds)?;
            all.iter().map(|one| Measured::alone(one, &all[base])).collect()
        };
        Ok(makes.iter().zip(measured).map(|((name, _), measured)| Row { name, measured }).collect())
    }
}
