//! From a `halt` by curl to the last of many clients, while the server has nothing else to do, and while it has more to
//! do than it can.
//!
//! Server, clients and load share the machine: of the time under load a part is spent by those who make it.

use std::time::Duration;

use anyhow::Result;
use daybreak_tests::{Figures, Overload, Server, Witnesses};
use serde_json::{Map, Value, json};

const HALTS: usize = 50;
const WITNESSES: usize = 200;
/// How long a load goes on before the first halt.
const WARM_UP: Duration = Duration::from_secs(2);

fn document() -> String {
    let flag = json!({ "default": "off", "rules": [
        { "name": "eu", "when": { "country": { "in": ["DE", "FR"] }, "version": { "semver": ">=2.3.0" } }, "percentage": "25%", "serve": "on" },
    ] });
    let mut flags: Map<String, Value> = (0..400).map(|number| (format!("flag-{number}"), flag.clone())).collect();
    flags.insert("toggled".to_owned(), json!({ "default": "on" }));
    json!({ "flags": flags }).to_string()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let none = Overload::default();
    let loads = [
        ("none", none),
        ("1,000 evaluate 400 flags each", Overload { evaluators: 1_000, ..none }),
        ("1,000 toggle a flag", Overload { changers: 1_000, ..none }),
        ("100 send documents of 4 MiB", Overload { documents: (100, 4_000_000), ..none }),
        ("5,000 connections say nothing, or half", Overload { silent: 2_500, halting: 2_500, ..none }),
        (
            "all of them",
            Overload {
                evaluators: 1_000,
                changers: 1_000,
                documents: (100, 4_000_000),
                silent: 1_250,
                halting: 1_250,
                ..none
            },
        ),
    ];
    println!(
        "| load | {HALTS} halts until the last of {WITNESSES} clients, counted from | p50 | p90 | p99 | max | answered | told to come again |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, load) in loads {
        eprintln!("{name}");
        let server = Server::with(&document(), &["--log", "error"])?;
        let witnesses = Witnesses::come(&server, WITNESSES)?;
        let loaded = load.begin(&server);
        tokio::time::sleep(WARM_UP).await;
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..HALTS {
            let (since_start, since_answer) = witnesses.halt(&server)?;
            asked.push(since_start);
            answered.push(since_answer);
        }
        let (done, shed, _) = loaded.end().await?;
        let (asked, answered): (Figures, Figures) = (asked.into_iter().collect(), answered.into_iter().collect());
        println!("| {name} | curl's start | {} | {done} | {shed} |", asked.cells());
        println!("| | curl's 2xx | {} | | |", answered.cells());
    }
    Ok(())
}
