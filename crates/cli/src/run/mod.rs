//! `daybreak run`: starts a fault, shows how the run goes, and says in the end what it showed; as exit status too, so
//! that a pipeline can run it.

mod conclusion;
mod interrupts;
mod live;
pub(crate) mod refused;
mod screen;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_model::{Key, Millis, Percentage};
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
use view::View;

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
    Exit status: 0 resilient, or a shadow run that ran its course; 1 harmful; 2 inconclusive;\n\
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

/// What was seen last of a run: as it is read, and as it came.
struct Seen {
    view: View,
    text: String,
}

pub(crate) fn run(options: &Run) -> ExitCode {
    let status = block_on(async {
        let remote = Remote::new(&options.target)?;
        // From here on a signal stops the run, also one that comes while it starts.
        let mut interrupts = Interrupts::new()?;
        let Some(id) = start(&remote, options).await? else { return Ok(Status::Failed) };
        let Some(seen) = watch(&remote, &options.start.key, &id, &mut interrupts).await? else {
            eprintln!("left before the verdict; see {}/api/v1/runs/{id}", remote.url());
            return Ok(Status::Failed);
        };
        out::print(&if options.json { seen.text } else { conclusion::describe(&seen.view, remote.url()) })?;
        Ok(conclusion::status(&seen.view))
    });
    // What failed is no verdict: it must not look like one to a pipeline.
    status
        .unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Status::Failed
        })
        .into()
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
        eprint!("{}", refused::warnings(&answer["warnings"]));
        let id = answer["run"]["id"].as_str().context("the server answers with no run")?;
        return Ok(Some(id.to_owned()));
    }
    let reasons = refused::describe(&answer).filter(|_| status == StatusCode::CONFLICT);
    let Some(reasons) = reasons else { return Err(remote.refused(status, &text)) };
    eprint!("`{}` was not started:\n{reasons}", options.start.key);
    if options.json {
        out::print(&text)?;
    }
    Ok(None)
}

/// Shows how the run goes until it has its verdict. None where somebody does not want to wait for it.
async fn watch(
    remote: &Remote<'_>,
    fault: &Key,
    id: &str,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<Seen>> {
    let mut screen = Screen::new();
    let (began, mut heard) = (Instant::now(), Instant::now());
    let (mut stopping, mut ended_at, mut wait) = (false, None, Duration::ZERO);
    let mut last = View { active: true, ..View::default() };
    loop {
        let stops = (stopping && last.active).then_some(fault);
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
            Ok(seen) if seen.view.verdict.is_some() => {
                screen.clear();
                return Ok(Some(seen));
            }
            Ok(seen) => {
                heard = Instant::now();
                last = seen.view;
            }
            Err(error) if heard.elapsed() >= OUT_OF_REACH_MAX => {
                screen.clear();
                return Err(error.context(format!("the run {id} is out of sight; it ends by itself")));
            }
            Err(error) => screen.say(&format!("{error:#}")),
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

/// Asks for the run, after a while; before that stops the fault, where that is wanted.
async fn look(remote: &Remote<'_>, id: &str, wait: Duration, stops: Option<&Key>) -> anyhow::Result<Seen> {
    sleep(wait).await;
    if let Some(fault) = stops {
        let path = format!("/api/v1/faults/{fault}/stop");
        let body = json!({ "reason": "stopped at the terminal that ran it" }).to_string();
        remote.send(remote.request(Method::POST, &path).timeout(ANSWER_WAIT).body(body)).await?;
    }
    let request = remote.request(Method::GET, &format!("/api/v1/runs/{id}")).timeout(ANSWER_WAIT);
    let text = remote.send(request).await?.text().await.context("the answer broke off")?;
    let view = serde_json::from_str(&text).context("the server answers with no run")?;
    Ok(Seen { view, text })
}
