//! What a server serves, and changing it as one revision.

use anyhow::{Context, bail};
use daybreak_document::{Change, Diagnostic, Difference, decode_form, diff, encode, encode_resource, render_plain};
use daybreak_model::{Millis, Resources, shown_name};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Map, Value, json};

use crate::out;
use crate::remote::Remote;

/// How often a change is tried while others change the server meanwhile.
pub(crate) const ATTEMPTS: usize = 5;

/// What a server serves at one position.
#[derive(Debug)]
pub(crate) struct Served {
    /// All of it.
    pub(crate) resources: Resources,
    /// The tag of the position.
    tag: String,
}

/// How a server is changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sending<'a> {
    /// Only try it.
    pub(crate) dry_run: bool,
    /// Why, for the audit log.
    pub(crate) reason: Option<&'a str>,
    /// Why a freeze of changes is overridden.
    pub(crate) override_reason: Option<&'a str>,
    /// How long to wait until clients have it.
    pub(crate) wait: Option<Millis>,
}

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It was made, or tried: the server's answer.
    Done(Value),
    /// There was nothing to change.
    Nothing,
    /// Somebody else changed the server since it was read: nothing happened.
    Overtaken,
}

impl Served {
    /// Asks a server for everything.
    ///
    /// # Errors
    /// When it cannot be asked, or answers what this version cannot read.
    pub(crate) async fn read(remote: &Remote<'_>) -> anyhow::Result<Self> {
        let answer = remote.send(remote.request(Method::GET, "/api/v1/export?format=json")).await?;
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let tag = tag.with_context(|| format!("{} answers without an ETag; is it a Daybreak server?", remote.url()))?;
        let text = answer.text().await.with_context(|| format!("the answer of {} broke off", remote.url()))?;
        let document = serde_json::from_str(&text).with_context(|| format!("{} answers no JSON", remote.url()))?;
        let unreadable = |why: Vec<Diagnostic>| {
            let version = env!("CARGO_PKG_VERSION");
            anyhow::anyhow!("{} serves what daybreak {version} cannot read\n{}", remote.url(), render_plain(&why))
        };
        Ok(Self { resources: decode_form(&document).map_err(unreadable)?, tag })
    }

    /// Has the server serve other resources: in one request and one revision, and only if it still serves these.
    ///
    /// # Errors
    /// When it cannot be asked, or refuses.
    pub(crate) async fn change(
        &self,
        remote: &Remote<'_>,
        after: &Resources,
        sending: Sending<'_>,
    ) -> anyhow::Result<Sent> {
        let differences = diff(&self.resources, after);
        if differences.is_empty() {
            return Ok(Sent::Nothing);
        }
        let removes = differences.iter().any(|difference| difference.change == Change::Removed);
        let document = if removes { whole(after) } else { only(&self.resources, after, &differences) };
        let mut query = vec![("dry_run", sending.dry_run.to_string()), ("prune", removes.to_string())];
        query.extend(sending.reason.map(|reason| ("reason", reason.to_owned())));
        query.extend(sending.override_reason.map(|reason| ("override", reason.to_owned())));
        query.extend(sending.wait.map(|wait| ("wait", wait.to_string())));
        let url = Url::parse_with_params(&format!("{}/api/v1/apply", remote.url().trim_end_matches('/')), &query)?;
        let request = remote.request_url(Method::POST, url).header(IF_MATCH, &self.tag);
        let request = request.header(CONTENT_TYPE, "application/json").body(document.to_string());
        let answer = remote.ask(request).await?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match status {
            StatusCode::PRECONDITION_FAILED => Ok(Sent::Overtaken),
            StatusCode::CONFLICT if answer["code"] == "conflict" => Ok(Sent::Overtaken),
            status if status.is_success() => Ok(Sent::Done(answer)),
            status => Err(remote.refused(status, &text)),
        }
    }
}

/// A document of everything. A `protect` list that is empty is written out: it replaces another.
fn whole(after: &Resources) -> Value {
    let mut document = encode(after);
    document["protect"] = json!(after.protect);
    document
}

/// A document of what differs.
fn only(before: &Resources, after: &Resources, differences: &[Difference]) -> Value {
    let mut document = Map::new();
    for Difference { kind, key, .. } in differences {
        let section = document.entry(kind.section()).or_insert_with(|| json!({}));
        if let (Some(form), Some(section)) = (encode_resource(after, *kind, key.as_str()), section.as_object_mut()) {
            section.insert(key.to_string(), form);
        }
    }
    if before.protect != after.protect {
        document.insert("protect".to_owned(), json!(after.protect));
    }
    Value::Object(document)
}

/// Says what was done.
///
/// # Errors
/// When others were faster each time.
pub(crate) fn report(sent: Option<&Sent>, dry_run: bool) -> anyhow::Result<()> {
    match sent {
        Some(Sent::Nothing) => drop(out::print("nothing differs; nothing is changed\n")?),
        Some(Sent::Done(_)) if dry_run => drop(out::print("a dry run: nothing is changed\n")?),
        Some(Sent::Done(answer)) => {
            let mut text = format!("done, as one revision: {}\n", answer["position"].as_str().unwrap_or_default());
            for run in answer["ended"].as_array().into_iter().flatten() {
                let run = run.as_str().unwrap_or_default();
                text += &format!("the run {run} ended: its fault is gone or disabled\n");
            }
            text += &reached(&answer["reached"]);
            out::print(&text)?;
        }
        Some(Sent::Overtaken) | None => {
            bail!("others changed the server {ATTEMPTS} times while this was being sent; run it again")
        }
    }
    Ok(())
}

/// How far a change has come, and who does not have it; nothing where nobody waited.
pub(crate) fn reached(reached: &Value) -> String {
    let Some(summary) = reached["summary"].as_str() else { return String::new() };
    let count = |name: &str| reached[name].as_u64().unwrap_or_default();
    format!("{summary}\n") + &lacking(&reached["missing"], count("clients").saturating_sub(count("having")))
}

/// The clients that have not told yet, of so many in all.
pub(crate) fn lacking(named: &Value, all: u64) -> String {
    let named = named.as_array().map_or(&[][..], Vec::as_slice);
    let word = |value: &Value| shown_name(value.as_str().unwrap_or("?")).into_owned();
    let mut text = String::new();
    for client in named {
        let (service, id, state) = (word(&client["service"]), word(&client["client"]), word(&client["state"]));
        text += &format!("  {service} {id} ({state}) has not\n");
    }
    let others = all.saturating_sub(named.len() as u64);
    if others > 0 {
        text += &format!("  and {others} more: daybreak clients\n");
    }
    text
}

/// Differences as text: `+ flag a`, `- flag b`, `~ flag c` and below it each field.
pub(crate) fn describe(differences: &[Difference], color: bool) -> String {
    let mut text = String::new();
    for difference in differences {
        let code = match difference.change {
            Change::Added => "32",
            Change::Removed => "31",
            Change::Changed(_) => "33",
        };
        match color {
            true => text += &format!("\x1b[{code}m{difference}\x1b[0m\n"),
            false => text += &format!("{difference}\n"),
        }
    }
    text
}
