//! Crash rounds: a real server under load is killed as by `kill -9`, at random moments; what it had acknowledged must be
//! there when it is started again, and nothing may be half there.
//!
//! The same seed makes the same choices, though not the same interleaving.

mod damage;
mod load;
mod reporter;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{Http, Server};
use load::{Halts, Load, Runs, Track, What};
use verify::Verifier;

/// Clients that toggle a flag of their own.
const TOGGLES: usize = 12;
/// Clients that edit a flag of their own.
const EDITS: usize = 6;
/// Clients that change several flags at once.
const BULKS: usize = 3;
/// Clients that start and stop runs.
const RUNNERS: usize = 3;
/// Faults that each of these starts in a round.
const FAULTS: usize = 8;
/// The most changes that are acknowledged before a server is killed.
const CHANGES_MAX: u64 = 300;
/// The longest time after the last of them.
const LATER_MAX: Duration = Duration::from_millis(5);
/// The longest time that a server has to start before it is killed again.
const STARTING_MAX: Duration = Duration::from_millis(120);

/// What happened in all rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rounds, each with a kill under load.
    pub rounds: u32,
    /// Kills, those of a server that was still starting included.
    pub kills: u32,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Changes that were under way at a kill.
    pub in_flight: u64,
    /// Those of them that were there afterwards, whole.
    pub kept: u64,
    /// Runs that were started, and acknowledged.
    pub runs: u64,
    /// Those of them that the restart aborted.
    pub aborted: u64,
    /// Halts and lifts that were acknowledged.
    pub halts: u64,
    /// Restarts that found everything halted.
    pub halted: u64,
    /// Events that were read and held against what was acknowledged.
    pub events: u64,
    /// Damaged copies of the store that a server refused.
    pub refused: u32,
    /// Damaged copies that it served, with everything that was there.
    pub harmless: u32,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, kills, acknowledged, in_flight, kept, runs, aborted, halts, halted, events, .. } = self;
        writeln!(f, "{rounds} rounds, {kills} kills ({} of them of a server that was starting)", kills - rounds)?;
        writeln!(f, "{acknowledged} changes acknowledged, every one of them kept")?;
        writeln!(f, "{in_flight} changes under way at a kill, {kept} of them kept, each of them whole or not at all")?;
        writeln!(f, "{runs} runs started, {aborted} of them aborted by a restart, none resumed")?;
        writeln!(f, "{halts} halts and lifts acknowledged, {halted} restarts found everything halted")?;
        writeln!(f, "{events} events read, those of acknowledged changes exactly once")?;
        let Self { refused, harmless, .. } = self;
        write!(f, "{} damaged copies: {refused} refused, {harmless} served whole", refused + harmless)
    }
}

/// Runs so many rounds; at the end so many copies of the store are damaged, and served.
///
/// # Errors
/// When something acknowledged is lost, something unacknowledged half there, or a server does not start.
pub fn run(rounds: u32, copies: u32, seed: u64) -> Result<Counts> {
    let mut test = CrashTest::start(seed)?;
    for round in 0..rounds {
        test.round(round).with_context(|| format!("round {round} of seed {seed}"))?;
    }
    test.verifier.everything(&test.runtime, &test.http()?)?;
    test.server.process().kill()?;
    damage::damage(&test.server, copies, &mut test.random, &mut test.counts)?;
    Ok(test.counts)
}

struct CrashTest {
    runtime: Runtime,
    server: Server,
    random: ChaCha8Rng,
    tracks: Vec<Track>,
    verifier: Verifier,
    counts: Counts,
}

impl CrashTest {
    fn start(seed: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        // One of them is the files' as well: an operator's change outlives a restart all the same.
        let document = "hours: { always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] } }\nflags: { toggle-0: { default: on }, edit-0: { default: on, description: initial } }";
        let server = Server::with(document, &["--max-blast-radius", "100%", "--log", "warn"])?;
        let tracks = [(What::Toggle, "toggle", TOGGLES), (What::Edit, "edit", EDITS), (What::Bulk, "bulk", BULKS)];
        let tracks: Vec<Track> = tracks
            .iter()
            .flat_map(|(what, name, count)| {
                (0..*count).map(move |number| Track::new(*what, &format!("{name}-{number}")))
            })
            .collect();
        let mut flags = Map::new();
        tracks
            .iter()
            .filter_map(|track| track.document("initial").as_object().cloned())
            .for_each(|all| flags.extend(all));
        let http = Http::to(&server.url(""))?;
        let body = json!({ "flags": flags }).to_string();
        runtime.block_on(http.send("POST", "/api/v1/apply", None, &body))?.ok()?;
        let random = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { runtime, server, random, tracks, verifier: Verifier::default(), counts: Counts::default() })
    }

    fn http(&self) -> Result<Http> {
        Http::to(&self.server.url(""))
    }

    /// Load, kill, restart, and a look at everything.
    fn round(&mut self, round: u32) -> Result<()> {
        let http = self.http()?;
        let load = Arc::new(Load::new(http.clone(), round));
        let faults = faults(round);
        let changes = self.random.random_range(1..=CHANGES_MAX);
        let later = LATER_MAX.mul_f64(self.random.random());
        let mut random = || ChaCha8Rng::from_seed(self.random.random());
        let (server, tracks) = (&mut self.server, &self.tracks);
        let (tracks, runs, halts) = self.runtime.block_on(async {
            http.send("POST", "/api/v1/apply", None, &faults.document).await?.ok()?;
            reporter::introduce(&http, round, &faults.points).await?;
            tokio::spawn(reporter::go_on(Arc::clone(&load), http, round, faults.points));
            let (mut changing, mut running) = (JoinSet::new(), JoinSet::new());
            tracks.iter().for_each(|track| drop(changing.spawn(Arc::clone(&load).change(track.clone()))));
            for keys in faults.keys.chunks(FAULTS) {
                running.spawn(Arc::clone(&load).run(keys.to_vec(), random()));
            }
            let halting = tokio::spawn(Arc::clone(&load).halt(random()));
            load.wait_for(changes).await;
            let then = Instant::now();
            while then.elapsed() < later {
                tokio::task::yield_now().await;
            }
            load.kill();
            server.process().kill()?;
            let tracks: Vec<Track> = changing.join_all().await.into_iter().collect::<Result<_>>()?;
            let runs: Vec<Runs> = running.join_all().await.into_iter().collect::<Result<_>>()?;
            let halts: Halts = halting.await??;
            anyhow::Ok((tracks, runs, halts))
        })?;
        self.counts.rounds += 1;
        self.counts.kills += 1;
        self.counts.acknowledged += *load.acknowledged.borrow();
        self.tracks = tracks;
        self.restart()?;
        let http = self.http()?;
        let verified = self.verifier.round(&http, &mut self.tracks, &runs, &halts, &mut self.counts);
        self.runtime.block_on(verified)?;
        self.lift(&http)
    }

    /// Starts the server again; now and then it is killed once more before it has come far.
    fn restart(&mut self) -> Result<()> {
        while self.random.random_bool(0.25) {
            self.server.start_and_kill(STARTING_MAX.mul_f64(self.random.random()))?;
            self.counts.kills += 1;
        }
        self.server.start_again()
    }

    /// So that the next round may start runs.
    fn lift(&self, http: &Http) -> Result<()> {
        let lifted = self.runtime.block_on(http.send("DELETE", "/api/v1/halt", None, ""))?.ok()?;
        ensure!(lifted.body["halted"] == false, "{:#}", lifted.body);
        Ok(())
    }
}

/// Faults of a round, each at a point where nothing has cooled down yet.
struct Faults {
    keys: Vec<String>,
    points: Vec<String>,
    document: String,
}

fn faults(round: u32) -> Faults {
    let numbers = 0..RUNNERS * FAULTS;
    let keys: Vec<String> = numbers.clone().map(|number| format!("fault-{number}")).collect();
    let points: Vec<String> = numbers.map(|number| format!("point-{round}-{number}")).collect();
    let fault = |point| {
        json!({
            "point": point, "percentage": "1%", "hours": "always", "guard": "none", "max_duration": "10m",
            "effect": { "error": { "status": 503, "code": "down" } },
        })
    };
    let all: Map<String, Value> = keys.iter().cloned().zip(points.iter().map(fault)).collect();
    Faults { keys, points, document: json!({ "faults": all }).to_string() }
}
