//! What a restarted server must show.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Counts;
use super::load::{Halts, RunTrack, Runs, Track};
use crate::Http;

/// The largest page of events.
const PAGE: usize = 1_000;
/// Events that a server keeps.
const EVENTS_KEPT: u64 = 100_000;

/// Holds a server against what its clients wrote down, round by round.
#[derive(Debug, Default)]
pub(super) struct Verifier {
    /// The store's id, and the largest revision that was seen.
    position: Option<(String, u64)>,
    last_event: u64,
    /// Every acknowledged change of all rounds: subject and reason.
    acknowledged: Vec<(String, String)>,
}

/// Events by subject and reason: how many, and at which revision.
type Events = BTreeMap<(String, String), (u64, Option<u64>)>;

impl Verifier {
    /// Looks at everything after a restart.
    pub(super) async fn round(
        &mut self,
        http: &Http,
        tracks: &mut [Track],
        runs: &[Runs],
        halts: &Halts,
        counts: &mut Counts,
    ) -> Result<()> {
        self.position(http, tracks).await?;
        let (events, read) = read_events(http, &mut self.last_event).await?;
        counts.events += read;
        for track in tracks.iter_mut() {
            let kept = self.track(http, track, &events).await.with_context(|| format!("{track:#?}"))?;
            counts.in_flight += u64::from(kept.is_some());
            counts.kept += u64::from(kept == Some(true));
        }
        self.halt(http, halts, &events).await.with_context(|| format!("{halts:#?}"))?;
        counts.halts += halts.reasons.len() as u64;
        counts.halted += u64::from(http.get("/api/v1/halt").await?.ok()?.body["halted"] == true);
        self.runs(http, runs, halts, &events, counts).await
    }

    /// The store is the same, and stands no lower than where anybody has seen it.
    async fn position(&mut self, http: &Http, tracks: &[Track]) -> Result<()> {
        let (store, revision) = http.get("/healthz").await?.ok()?.position;
        let seen = tracks.iter().flat_map(|track| &track.acknowledged).map(|(_, revision)| *revision).max();
        let (same, before) = self.position.clone().unwrap_or((store.clone(), 0));
        let seen = seen.unwrap_or(0).max(before);
        ensure!(store == same, "the store was {same}, and is {store}");
        ensure!(revision >= seen, "the store stood at {seen}, and stands at {revision}");
        self.position = Some((store, revision));
        Ok(())
    }

    /// What is there was acknowledged last, or under way, whole, with its events; whether what was under way is there.
    async fn track(&mut self, http: &Http, track: &mut Track, events: &Events) -> Result<Option<bool>> {
        let mut values = Vec::new();
        for subject in &track.subjects {
            values.push(track.read(&http.get(&format!("/api/v1/{subject}")).await?.ok()?.body));
        }
        ensure!(values.windows(2).all(|pair| pair[0] == pair[1]), "a change is half there: {values:?}");
        let value = values.pop().context("a track has a subject")?;
        for (reason, revision) in track.acknowledged.drain(..) {
            for subject in &track.subjects {
                exactly_once(events, subject, &reason, Some(revision))?;
                self.acknowledged.push((subject.clone(), reason.clone()));
            }
        }
        let Some((reason, wanted)) = track.in_flight.take() else {
            ensure!(value == track.value, "{} was acknowledged, {value} is there", track.value);
            return Ok(None);
        };
        ensure!(value == wanted || value == track.value, "{} was acknowledged, {value} is there", track.value);
        let is_kept = value == wanted;
        for subject in &track.subjects {
            let recorded = events.get(&(subject.clone(), reason.clone())).map_or(0, |(count, _)| *count);
            ensure!(recorded == u64::from(is_kept), "{subject} is {value}, with {recorded} events of {reason}");
        }
        track.value = value;
        Ok(Some(is_kept))
    }

    async fn halt(&mut self, http: &Http, halts: &Halts, events: &Events) -> Result<()> {
        let halt = http.get("/api/v1/halt").await?.ok()?.body;
        let is_halted = halt["halted"] == true;
        let last = halts.last.as_ref().is_some_and(|(halted, _)| *halted);
        ensure!(is_halted == last || Some(is_halted) == halts.in_flight, "{halt:#}");
        if let (true, None, Some((true, reason))) = (is_halted, halts.in_flight, &halts.last) {
            ensure!(halt["reason"] == json!(reason), "another halt: {halt:#}");
        }
        for reason in &halts.reasons {
            exactly_once(events, "halt", reason, None)?;
            self.acknowledged.push(("halt".to_owned(), reason.clone()));
        }
        Ok(())
    }

    /// Every acknowledged run is there, and none is active.
    async fn runs(
        &mut self,
        http: &Http,
        runs: &[Runs],
        halts: &Halts,
        events: &Events,
        counts: &mut Counts,
    ) -> Result<()> {
        let list = http.get("/api/v1/runs").await?.ok()?.body;
        let views: Vec<&Value> = list["runs"].as_array().context("a list of runs")?.iter().collect();
        ensure!(views.iter().all(|run| run["active"] == false), "a run was resumed: {list:#}");
        for run in runs.iter().flat_map(|runs| &runs.runs) {
            let view = views.iter().find(|view| view["id"] == json!(run.id));
            let view = view.with_context(|| format!("a run is lost: {run:#?}"))?;
            let ended = view["ended"].as_str().unwrap_or_default();
            ensure!(may_have_ended(run, halts, ended), "{run:#?} ended as {ended:?}, with {halts:#?}");
            let subject = format!("runs/{}", run.id);
            exactly_once(events, &subject, &run.reason, Some(run.revision))?;
            if let Some(stop) = run.stop.as_ref().filter(|stop| stop.changed == Some(true)) {
                exactly_once(events, &subject, &stop.reason, None)?;
                self.acknowledged.push((subject.clone(), stop.reason.clone()));
            }
            self.acknowledged.push((subject, run.reason.clone()));
            counts.runs += 1;
            counts.aborted += u64::from(ended == "aborted: server_restarted");
        }
        for reason in runs.iter().filter_map(|runs| runs.in_flight.as_ref()) {
            counts.in_flight += 1;
            let recorded: Vec<_> = events.iter().filter(|((_, given), _)| given == reason).collect();
            ensure!(recorded.len() <= 1, "a start was recorded twice: {recorded:?}");
            if let Some(((subject, _), _)) = recorded.first() {
                counts.kept += 1;
                // One that was refused is an event of its fault, and no run.
                let Some(id) = subject.strip_prefix("runs/") else { continue };
                ensure!(views.iter().any(|view| view["id"] == id), "{subject} has an event, but is not there");
            }
        }
        Ok(())
    }

    /// What was acknowledged in any round has its event still, once.
    pub(super) fn everything(&self, runtime: &Runtime, http: &Http) -> Result<()> {
        let (events, read) = runtime.block_on(read_events(http, &mut 0))?;
        if read >= EVENTS_KEPT {
            // The oldest were dropped, as they should be.
            return Ok(());
        }
        self.acknowledged.iter().try_for_each(|(subject, reason)| exactly_once(&events, subject, reason, None))
    }
}

/// Whether a run may have ended so.
fn may_have_ended(run: &RunTrack, halts: &Halts, ended: &str) -> bool {
    let halted_after = halts.asked.iter().any(|asked| *asked > run.started);
    let halted = !halts.asked.is_empty() || halts.in_flight == Some(true);
    let stopped = run.stop.as_ref().and_then(|stop| stop.changed);
    match ended {
        "stopped" => run.stop.is_some() && stopped != Some(false),
        "aborted: halted" => halted && stopped != Some(true),
        // A halt that was under way may have ended it before a stop came, and was never recorded.
        "aborted: server_restarted" => {
            let halting = halts.in_flight == Some(true);
            (stopped.is_none() || (stopped == Some(false) && halting)) && !halted_after
        }
        _ => false,
    }
}

fn exactly_once(events: &Events, subject: &str, reason: &str, revision: Option<u64>) -> Result<()> {
    match events.get(&(subject.to_owned(), reason.to_owned())) {
        Some((1, at)) if revision.is_none() || *at == revision => Ok(()),
        Some((count, at)) => bail!("{subject} has {count} events of {reason}, at {at:?} instead of {revision:?}"),
        None => bail!("{subject} lacks the event of {reason}, which was acknowledged"),
    }
}

/// The events after the last one that was read, and how many they are: numbers and revisions only grow.
async fn read_events(http: &Http, last: &mut u64) -> Result<(Events, u64)> {
    let (mut events, mut read, mut before) = (Events::new(), 0, u64::MAX);
    let (mut latest, mut revision) = (*last, u64::MAX);
    loop {
        let path = format!("/api/v1/events?limit={PAGE}&after={last}&before={before}");
        let page = http.get(&path).await?.ok()?.body;
        for event in page["events"].as_array().context("a page has events")? {
            let id = event["id"].as_u64().context("an event has a number")?;
            ensure!(id < before && id > *last, "event {id} comes after {before}");
            before = id;
            latest = latest.max(id);
            read += 1;
            let at = event["revision"].as_u64();
            ensure!(at.is_none_or(|at| at <= revision), "revisions go back: {event:#}");
            revision = at.unwrap_or(revision);
            if let (Some(subject), Some(reason)) = (event["subject"].as_str(), event["reason"].as_str()) {
                let counted = events.entry((subject.to_owned(), reason.to_owned())).or_insert((0, at));
                counted.0 += 1;
            }
        }
        if page["next"].is_null() {
            *last = latest;
            return Ok((events, read));
        }
    }
}
