//! Asking Prometheus: one moment, a few queries, and nothing taken for an answer that is none.

use std::collections::BTreeMap;

use daybreak_model::PrometheusQueries;
use reqwest::{Client, Url};
use serde::Deserialize;

/// The longest answer, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Series that one query may select.
const SERIES_MAX: usize = 10_000;
/// How much of an error is passed on, in characters.
const ERROR_CHARACTERS_MAX: usize = 300;

/// A Prometheus that is asked.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) url: Url,
}

/// What two queries selected at the same moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// That moment, by Prometheus's clock, in seconds since 1970.
    pub(super) at: f64,
    /// When the newest of it was scraped.
    pub(super) scraped_at: f64,
    pub(super) good: Vec<Counter>,
    pub(super) total: Vec<Counter>,
}

/// One counter at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counter {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// Why there is no sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoSample {
    /// It was not answered: for a while, what it said before still holds.
    Unanswered(String),
    /// It was answered, and what it says counts nothing: nothing holds any more.
    Unreadable(String),
}

impl NoSample {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Unanswered(why) | Self::Unreadable(why) => why,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Asker {
    pub(super) async fn ask(&self, queries: &PrometheusQueries) -> Result<Sample, NoSample> {
        let (at, total) = self.query("total", &queries.total, None).await?;
        let (_, good) = self.query("good", &queries.good, Some(at)).await?;
        let newest = format!("max(timestamp({}))", queries.total);
        let (_, newest) = self.query("total", &newest, Some(at)).await?;
        let scraped_at = newest.first().map_or(at, |newest| newest.value);
        Ok(Sample { at, scraped_at, good, total })
    }

    /// What a query selects, and at which moment.
    async fn query(&self, name: &str, query: &str, at: Option<f64>) -> Result<(f64, Vec<Counter>), NoSample> {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", "query"]);
        }
        url.query_pairs_mut().append_pair("query", query);
        if let Some(at) = at {
            url.query_pairs_mut().append_pair("time", &format!("{at:.3}"));
        }
        let unreached = |error: reqwest::Error| {
            NoSample::Unanswered(format!("it does not answer: {}", cause(&error.without_url())))
        };
        let mut answer = self.client.get(url).send().await.map_err(unreached)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unreached)? {
            if body.len() + part.len() > BODY_BYTES_MAX {
                let why = format!("the query `{name}` is answered with more than 4 MiB; select fewer series");
                return Err(NoSample::Unreadable(why));
            }
            body.extend_from_slice(&part);
        }
        let parsed: Result<Answer, _> = serde_json::from_slice(&body);
        let answer =
            parsed.map_err(|_| NoSample::Unanswered(format!("it answers {status}, and not as Prometheus does")))?;
        if let Some(error) = answer.error {
            let error: String = error.chars().take(ERROR_CHARACTERS_MAX).collect();
            return Err(NoSample::Unanswered(format!("it refuses the query `{name}`: {error}")));
        }
        let unanswered = || NoSample::Unanswered("it does not answer as Prometheus does".to_owned());
        counters(answer.data.ok_or_else(unanswered)?, name).map_err(NoSample::Unreadable)
    }
}

fn counters(data: Data, name: &str) -> Result<(f64, Vec<Counter>), String> {
    if data.result_type != "vector" {
        let kind: String = data.result_type.chars().take(20).collect();
        return Err(format!("the query `{name}` gives a {kind}, not a vector: select counters as they are now"));
    }
    let elements = Vec::<Element>::deserialize(data.result);
    let elements = elements.map_err(|_| format!("the query `{name}` gives what is no number"))?;
    if elements.len() > SERIES_MAX {
        return Err(format!("the query `{name}` selects {} series; {SERIES_MAX} are the most", elements.len()));
    }
    let Some(at) = elements.first().map(|element| element.value.0).filter(|at| at.is_finite()) else {
        return Err(format!("the query `{name}` selects nothing; is what it counts being scraped?"));
    };
    let counter = |element: Element| match element.value.1.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(Counter { labels: element.metric, value }),
        _ => Err(format!("the query `{name}` gives {}, which counts nothing", shown(&element.value.1))),
    };
    Ok((at, elements.into_iter().map(counter).collect::<Result<_, _>>()?))
}

fn shown(value: &str) -> String {
    value.chars().take(30).collect()
}

/// The innermost reason: the outer ones only say that something failed.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "that took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
