//! What clients do to a server until it is killed, and what they write down of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Http, HttpAnswer};

/// Flags of one bulk change.
pub(super) const BULK: usize = 5;

/// What the clients of one round share.
#[derive(Debug)]
pub(super) struct Load {
    http: Http,
    round: u32,
    /// Set before the server is killed: until then every request must be answered.
    pub(super) killed: AtomicBool,
    reasons: AtomicU64,
    /// Tells the order of what was asked and answered.
    moments: AtomicU64,
    /// Changes that were acknowledged.
    pub(super) acknowledged: watch::Sender<u64>,
}

/// What one client changes again and again, nobody else does, and a restart must show.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) what: What,
    /// The resources that change, all of them together: `flags/toggle-1`.
    pub(super) subjects: Vec<String>,
    /// What was acknowledged last.
    pub(super) value: Value,
    /// The round's acknowledged changes: reason and revision.
    pub(super) acknowledged: Vec<(String, u64)>,
    /// What was asked for when the server was killed: reason and value.
    pub(super) in_flight: Option<(String, Value)>,
}

/// How a track is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Enabled and disabled.
    Toggle,
    /// A patch at the revision of the one before.
    Edit,
    /// Several flags in one document.
    Bulk,
}

/// A run of the round.
#[derive(Clone, Debug)]
pub(super) struct RunTrack {
    pub(super) id: String,
    pub(super) reason: String,
    pub(super) revision: u64,
    /// The moment at which its start was answered.
    pub(super) started: u64,
    /// That somebody asked to stop it.
    pub(super) stop: Option<Stop>,
}

/// A stop, and what was answered.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) reason: String,
    /// Whether it ended the run; not known where the server was killed first.
    pub(super) changed: Option<bool>,
}

/// The runs that one client started, and the reason of the start that was under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    pub(super) runs: Vec<RunTrack>,
    pub(super) in_flight: Option<String>,
    pub(super) refused: u64,
}

/// The halts and lifts of the round.
#[derive(Clone, Debug, Default)]
pub(super) struct Halts {
    /// Whether everything was halted when a change was last acknowledged, and its reason.
    pub(super) last: Option<(bool, String)>,
    /// Acknowledged ones, for their events.
    pub(super) reasons: Vec<String>,
    /// The moments at which acknowledged halts were asked for.
    pub(super) asked: Vec<u64>,
    pub(super) in_flight: Option<bool>,
}

impl Track {
    pub(super) fn new(what: What, name: &str) -> Self {
        let subjects = match what {
            What::Bulk => (0..BULK).map(|number| format!("flags/{name}-{number}")).collect(),
            _ => vec![format!("flags/{name}")],
        };
        let value = if what == What::Toggle { json!(true) } else { json!("initial") };
        Self { what, subjects, value, acknowledged: Vec::new(), in_flight: None }
    }

    /// The value as a resource shows it.
    pub(super) fn read(&self, resource: &Value) -> Value {
        match self.what {
            What::Toggle => json!(resource["enabled"] != false),
            What::Edit | What::Bulk => resource["description"].clone(),
        }
    }

    /// All its flags, described so.
    pub(super) fn document(&self, description: &str) -> Value {
        let flags = self.subjects.iter().filter_map(|subject| subject.strip_prefix("flags/"));
        flags.map(|key| (key.to_owned(), json!({ "default": "on", "description": description }))).collect()
    }

    /// The path that changes it, the body, and the value after.
    fn next(&self, reason: &str) -> (&'static str, String, String, Value) {
        let subject = &self.subjects[0];
        match self.what {
            What::Toggle => {
                let on = self.value == false;
                let action = if on { "enable" } else { "disable" };
                ("POST", format!("/api/v1/{subject}/{action}"), String::new(), json!(on))
            }
            What::Edit => {
                let patch = json!({ "description": reason }).to_string();
                ("PATCH", format!("/api/v1/{subject}"), patch, json!(reason))
            }
            What::Bulk => {
                let document = json!({ "flags": self.document(reason) }).to_string();
                ("POST", "/api/v1/apply".to_owned(), document, json!(reason))
            }
        }
    }
}

impl Load {
    pub(super) fn new(http: Http, round: u32) -> Self {
        Self {
            http,
            round,
            killed: AtomicBool::new(false),
            reasons: AtomicU64::new(0),
            moments: AtomicU64::new(1),
            acknowledged: watch::Sender::new(0),
        }
    }

    /// A reason that nobody else gives.
    fn reason(&self) -> String {
        format!("{}-{}", self.round, self.reasons.fetch_add(1, Ordering::SeqCst))
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    fn count(&self) {
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Asks for a change; none when the server was killed meanwhile.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        reason: &str,
        tag: Option<&str>,
        body: &str,
    ) -> Result<Option<HttpAnswer>> {
        let path = format!("{path}?reason={reason}");
        match self.http.send(method, &path, tag, body).await {
            Ok(answer) => Ok(Some(answer)),
            Err(_) if self.killed.load(Ordering::SeqCst) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{method} {path}, and nobody killed the server")),
        }
    }

    /// Changes a track until the server is killed.
    pub(super) async fn change(self: Arc<Self>, mut track: Track) -> Result<Track> {
        let mut tag: Option<String> = None;
        loop {
            let reason = self.reason();
            let (method, path, body, value) = track.next(&reason);
            track.in_flight = Some((reason.clone(), value.clone()));
            let Some(answer) = self.ask(method, &path, &reason, tag.as_deref(), &body).await? else { return Ok(track) };
            let answer = answer.ok().with_context(|| format!("{method} {path}"))?;
            let revision = answer.made()?;
            self.count();
            track.in_flight = None;
            track.value = value;
            track.acknowledged.push((reason, revision));
            tag = (track.what == What::Edit).then(|| answer.made_tag()).transpose()?;
        }
    }

    /// Starts these faults, each once, and stops some.
    pub(super) async fn run(self: Arc<Self>, faults: Vec<String>, mut random: ChaCha8Rng) -> Result<Runs> {
        let mut runs = Runs::default();
        for fault in faults {
            let reason = self.reason();
            runs.in_flight = Some(reason.clone());
            let path = format!("/api/v1/faults/{fault}/start");
            let Some(answer) = self.ask("POST", &path, &reason, None, "").await? else { return Ok(runs) };
            runs.in_flight = None;
            // Everything may be halted, or a halt overtook it.
            if answer.status == 409 {
                runs.refused += 1;
                continue;
            }
            let answer = answer.ok()?;
            let id = answer.body["run"]["id"].as_str().context("a start answers with its run")?.to_owned();
            let (started, revision) = (self.moment(), answer.made()?);
            self.count();
            runs.runs.push(RunTrack { id, reason, revision, started, stop: None });
            self.pause(random.random_range(0..20)).await;
            if random.random_bool(0.5) {
                let reason = self.reason();
                let stop = self.ask("POST", &format!("/api/v1/faults/{fault}/stop"), &reason, None, "").await?;
                let changed = stop.map(HttpAnswer::ok).transpose()?.map(|answer| answer.body["changed"] == true);
                runs.runs.last_mut().context("it was just started")?.stop = Some(Stop { reason, changed });
                if changed.is_none() {
                    return Ok(runs);
                }
                self.count();
            }
        }
        Ok(runs)
    }

    /// In every other round it halts after some changes, and lifts again, or not.
    pub(super) async fn halt(self: Arc<Self>, mut random: ChaCha8Rng) -> Result<Halts> {
        let mut halts = Halts::default();
        if random.random_bool(0.5) {
            return Ok(halts);
        }
        for halt in [true, false, true] {
            self.pause(random.random_range(0..120)).await;
            let (asked, reason) = (self.moment(), self.reason());
            halts.in_flight = Some(halt);
            let method = if halt { "PUT" } else { "DELETE" };
            let Some(answer) = self.ask(method, "/api/v1/halt", &reason, None, "").await? else { return Ok(halts) };
            let answer = answer.ok()?;
            if answer.body["changed"] != true {
                bail!("{method} changed nothing, and nobody else halts: {:#}", answer.body);
            }
            self.count();
            halts.in_flight = None;
            halts.last = Some((halt, reason.clone()));
            halts.reasons.push(reason);
            halts.asked.extend(halt.then_some(asked));
        }
        Ok(halts)
    }

    /// Waits until so many more changes were acknowledged, or the server was killed.
    async fn pause(&self, changes: u64) {
        let until = *self.acknowledged.borrow() + changes;
        self.wait_for(until).await;
    }

    /// Waits until so many changes were acknowledged, or the server was killed.
    pub(super) async fn wait_for(&self, changes: u64) {
        let mut counts = self.acknowledged.subscribe();
        // The sender lives as long as this.
        let _ = counts.wait_for(|count| *count >= changes || self.killed.load(Ordering::SeqCst)).await;
    }

    /// Has everyone who waits look up: the server is being killed.
    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.acknowledged.send_modify(|_| {});
    }
}
