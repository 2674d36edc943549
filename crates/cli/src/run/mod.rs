//! `daybreak run`: starts a fault, shows how the run goes, and says in the end what it showed; as exit status too, so
//! that a pipeline can run it.

mod conclusion;
mod interrupts;
mod live;
pub(crate) mod refused;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_model::{Key, Millis, Percentage};
use daybreak_server::readable::Seen;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

pub(crate) use conclusion::Status;

use crate::out;
use crate::remote::{Remote, Target, block_on};
use interrupts::Interrupts;
use live::{DRAIN, Progress};
use screen::Screen;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long one answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How long the server may be out of reach before nobody waits for it any more: a restart takes less.
const OUT_OF_REACH_MAX: Duration = Duration::from_secs(60);
/// How long after its last requests a run may be without a verdict.
const VERDICT_WAIT: Duration = Duration::from_secs(30);

/// What to run, and how.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Ctrl-C stops the run; a second one leaves without its verdict.\n\n\
    Exit status: 0 resilient, or a shadow run that ran its course and counted; 1 harmful; 2 inconclusive;\n\
    3 refused, aborted for another cause than harm, or without a verdict that could be seen.")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) start: Start,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the run with its evidence as JSON in the end; how it goes still shows on standard error.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// What a start asks for.
#[derive(Clone, Debug, Args)]
#[group(id = "asked")]
pub(crate) struct Start {
    /// The fault.
    pub(crate) key: Key,
    /// How long; at most, and unless said, the fault's `max_duration`.
    #[arg(long, value_name = "DURATION")]
    duration: Option<Millis>,
    /// The share of eligible requests; at most, and unless said, the fault's.
    #[arg(long, value_name = "PERCENTAGE")]
    percentage: Option<Percentage>,
    /// Draw and count, but strike nothing.
    #[arg(long)]
    shadow: bool,
    /// What is believed to hold while it runs.
    #[arg(long, value_name = "TEXT")]
    hypothesis: Option<String>,
    /// Waive what an admin may waive, for this reason.
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
}

impl Start {
    /// The body of the request.
    pub(crate) fn body(&self, reason: Option<&str>) -> Value {
        let texts = [
            ("duration", self.duration.map(|duration| duration.to_string())),
            ("percentage", self.percentage.map(|percentage| percentage.to_string())),
            ("hypothesis", self.hypothesis.clone()),
            ("override", self.override_reason.clone()),
            ("reason", reason.map(str::to_owned)),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))));
        let mut body: Map<_, _> = texts.collect();
        body.insert("shadow".to_owned(), json!(self.shadow));
        Value::Object(body)
    }
}

/// A look at a run: as it is read, and as it came.
struct Look {
    run: Seen,
    text: String,
}

pub(crate) fn run(options: &Run) -> ExitCode {
    let status = block_on(async {
        let remote = Remote::new(&options.target)?;
        // From here on a signal stops the run, also one that comes while it starts.
        let mut interrupts = Interrupts::new()?;
        let Some(id) = start(&remote, options).await? else { return Ok(Status::Failed) };
        let Some(look) = watch(&remote, &id, &mut interrupts).await? else {
            eprintln!("left before the verdict; see {}", report(&remote, &id));
            return Ok(Status::Failed);
        };
        out::print(&if options.json { look.text } else { conclusion::describe(&look.run, &report(&remote, &id)) })?;
        Ok(conclusion::status(&look.run))
    });
    // What failed is no verdict: it must not look like one to a pipeline.
    status
        .unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Status::Failed
        })
        .into()
}

/// Where the report of a run is.
fn report(remote: &Remote<'_>, id: &str) -> String {
    format!("{}/api/v1/runs/{id}/report", remote.url().trim_end_matches('/'))
}

/// Starts the run, and answers its id; or says what stands against it.
async fn start(remote: &Remote<'_>, options: &Run) -> anyhow::Result<Option<String>> {
    let path = format!("/api/v1/faults/{}/start", options.start.key);
    let body = options.start.body(options.reason.as_deref()).to_string();
    let request = remote.request(Method::POST, &path).header(CONTENT_TYPE, "application/json").body(body);
    let answer = remote.ask(request).await?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        let waived = refused::waived(&answer["waived"], &options.start.key);
        eprint!("{waived}{}", refused::warnings(&answer["warnings"]));
        let id = answer["run"]["id"].as_str().context("the server answers with no run")?;
        return Ok(Some(id.to_owned()));
    }
    let reasons = refused::describe(&answer, &options.start.key).filter(|_| status == StatusCode::CONFLICT);
    // Who asks for JSON reads JSON, also where nothing comes about.
    if options.json && answer.is_object() {
        out::print(&text)?;
    }
    let Some(reasons) = reasons else { return Err(remote.refused(status, &text)) };
    eprint!("`{}` was not started:\n{reasons}", options.start.key);
    Ok(None)
}

/// Shows how the run goes until it has its verdict. None where somebody does not want to wait for it.
async fn watch(remote: &Remote<'_>, id: &str, interrupts: &mut Interrupts) -> anyhow::Result<Option<Look>> {
    let mut screen = Screen::new();
    let (began, mut heard) = (Instant::now(), Instant::now());
    let (mut stopping, mut ended_at, mut wait, mut silent) = (false, None, Duration::ZERO, false);
    let mut last = Seen { active: true, ..Seen::default() };
    loop {
        let stops = stopping && last.active;
        let looked = tokio::select! {
            looked = look(remote, id, wait, stops) => looked,
            () = interrupts.next() => {
                if stopping {
                    screen.clear();
                    return Ok(None);
                }
                (stopping, wait) = (true, Duration::ZERO);
                screen.say("stopping it; Ctrl-C again leaves without the verdict");
                continue;
            }
        };
        wait = EVERY;
        match looked {
            Ok(look) if look.run.verdict.is_some() => {
                screen.clear();
                return Ok(Some(look));
            }
            Ok(look) => {
                heard = Instant::now();
                last = look.run;
                if std::mem::take(&mut silent) {
                    screen.say("the server answers again");
                }
            }
            Err(error) if heard.elapsed() >= OUT_OF_REACH_MAX => {
                screen.clear();
                return Err(error.context(format!("the run {id} is out of sight; it ends by itself")));
            }
            // Said once, however long it takes.
            Err(error) if !std::mem::replace(&mut silent, true) => {
                screen.say(&format!("{error:#}; the run ends by its own limits, whoever watches"));
            }
            Err(_) => {}
        }
        if !last.active && ended_at.is_none() {
            ended_at = Some(Instant::now());
        }
        let progress = Progress { running: began.elapsed(), ended: ended_at.map(|at| at.elapsed()) };
        if progress.ended.is_some_and(|ended| ended >= DRAIN + VERDICT_WAIT) {
            screen.clear();
            bail!("the run {id} has ended, but the server brings no verdict; see `daybreak events`");
        }
        if !last.id.is_empty() {
            screen.draw(&last, progress);
        }
    }
}

/// Asks for the run, after a while; before that stops it, where that is wanted.
async fn look(remote: &Remote<'_>, id: &str, wait: Duration, stops: bool) -> anyhow::Result<Look> {
    sleep(wait).await;
    if stops {
        let path = format!("/api/v1/runs/{id}/stop");
        let body = json!({ "reason": "stopped at the terminal that ran it" }).to_string();
        remote.send(remote.request(Method::POST, &path).timeout(ANSWER_WAIT).body(body)).await?;
    }
    let request = remote.request(Method::GET, &format!("/api/v1/runs/{id}")).timeout(ANSWER_WAIT);
    let text = remote.send(request).await?.text().await.context("the answer broke off")?;
    let run = serde_json::from_str(&text).context("the server answers with no run")?;
    Ok(Look { run, text })
}
