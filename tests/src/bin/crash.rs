//! `crash ROUNDS COPIES SEED` runs crash rounds against the real server, and prints what happened in them.

use anyhow::{Context, Result};
use daybreak_tests::crash;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |what| arguments.next().context(what)?.parse::<u64>().context(what);
    let rounds = u32::try_from(number("the number of rounds comes first")?)?;
    let copies = u32::try_from(number("the number of damaged copies comes second")?)?;
    let seed = number("the seed comes third")?;
    println!("seed {seed}");
    println!("{}", crash::run(rounds, copies, seed)?);
    Ok(())
}
