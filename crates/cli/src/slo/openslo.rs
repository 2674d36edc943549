//! OpenSLO v1, as far as it says what Daybreak can count: ratios of occurrences over rolling windows. Everything else is
//! refused by its name: an SLO that means something else than its file is worse than none.
//!
//! Requests that clients report are a metric source of the type `Daybreak`, with the `operation`, and for the good ones
//! also `status` and `latency` as in documents. See <https://github.com/OpenSLO/OpenSLO>.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use daybreak_document::{Source, decode, render_plain};
use daybreak_model::Percentage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const VERSION: &str = "openslo/v1";
/// The metric source of requests that clients report.
const DAYBREAK: &str = "Daybreak";
const PROMETHEUS: &str = "Prometheus";

/// Reads maps, and notes whatever it does not know.
#[derive(Default)]
struct Reader {
    problems: Vec<String>,
    /// What is left out, as it changes nothing of what is counted.
    left_out: Vec<String>,
}

/// The SLOs of a file.
#[derive(Debug)]
pub(super) struct Taken {
    /// As a document.
    pub(super) document: String,
    /// What is left out, and warnings: lines for people.
    pub(super) notes: String,
}

impl Reader {
    fn refuse(&mut self, path: &str, why: &str) {
        self.problems.push(format!("{path}: {why}"));
    }

    /// The fields of a map of which only these are known; one that is empty where it is no map.
    fn fields<'v>(&mut self, path: &str, value: &'v Value, known: &[&str]) -> Fields<'v> {
        let Some(fields) = value.as_object() else {
            self.refuse(path, "a map is expected here");
            return Fields { path: path.to_owned(), fields: None };
        };
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            self.refuse(
                &format!("{path}.{name}"),
                "Daybreak has nothing like it; take it out, or keep this SLO elsewhere",
            );
        }
        Fields { path: path.to_owned(), fields: Some(fields) }
    }

    /// Notes what is left out, where it is there.
    fn leave_out(&mut self, fields: &Fields<'_>, name: &str) {
        if fields.has(name) {
            self.left_out.push(fields.of(name));
        }
    }

    fn text(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let text = fields.get(name).as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        if text.is_none() {
            self.refuse(&fields.of(name), "a text is expected here");
        }
        text
    }

    fn must_be(&mut self, fields: &Fields<'_>, name: &str, wanted: &Value) {
        if fields.get(name) != wanted {
            self.refuse(&fields.of(name), &format!("it must be {wanted}: nothing else can be counted"));
        }
    }
}

/// A map, and where it stands.
struct Fields<'v> {
    path: String,
    fields: Option<&'v Map<String, Value>>,
}

impl<'v> Fields<'v> {
    fn get(&self, name: &str) -> &'v Value {
        self.fields.and_then(|fields| fields.get(name)).unwrap_or(&Value::Null)
    }

    fn has(&self, name: &str) -> bool {
        self.fields.is_some_and(|fields| fields.contains_key(name))
    }

    fn of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }
}

/// The SLOs of a file as a document.
///
/// # Errors
/// Everything in it that Daybreak cannot count, by its name.
pub(super) fn import(text: &str) -> anyhow::Result<Taken> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).context("this is no YAML")?;
        documents.extend((!value.is_null()).then_some(value));
    }
    let mut reader = Reader::default();
    let mut slos = BTreeMap::new();
    for (number, document) in (1..).zip(&documents) {
        let kind = document["kind"].as_str().unwrap_or("nothing");
        match (document["apiVersion"].as_str(), kind) {
            (Some(VERSION), "SLO") => {
                let (key, slo) = slo(&mut reader, document);
                if slos.insert(key.clone(), slo).is_some() {
                    reader.refuse(&key, "there are two of this name");
                }
            }
            (Some(VERSION), _) => reader.refuse(&format!("document {number}"), &format!("it is a {kind}, no SLO")),
            _ => reader.refuse(&format!("document {number}"), &format!("it needs `apiVersion: {VERSION}`")),
        }
    }
    if documents.is_empty() {
        bail!("it holds nothing");
    }
    if !reader.problems.is_empty() {
        bail!("{}", reader.problems.join("\n  "));
    }
    let document = serde_yaml::to_string(&json!({ "slos": slos }))?;
    match decode(&[Source::new("the document", document.clone())]).into_result() {
        Ok((_, diagnostics)) => {
            let left_out =
                reader.left_out.iter().map(|path| format!("left out: {path}; Daybreak has nothing like it\n"));
            let warnings = diagnostics.iter().map(|one| format!("warning: {}: {}\n", one.path, one.message));
            let notes = left_out.chain(warnings).collect();
            Ok(Taken { document, notes })
        }
        Err(diagnostics) => bail!("{}", render_plain(&diagnostics)),
    }
}

/// One SLO: its key, and its form in a document.
fn slo(reader: &mut Reader, document: &Value) -> (String, Value) {
    let top = reader.fields("SLO", document, &["apiVersion", "kind", "metadata", "spec"]);
    let metadata = reader.fields("metadata", top.get("metadata"), &["name", "displayName", "labels"]);
    let key = reader.text(&metadata, "name").unwrap_or_else(|| "?".to_owned());
    let at = |place: &str| format!("{key}: {place}");
    let known = ["description", "service", "indicator", "timeWindow", "budgetingMethod", "objectives"];
    let spec = reader.fields(&at("spec"), top.get("spec"), &known);
    reader.must_be(&spec, "budgetingMethod", &json!("Occurrences"));
    let mut slo = Map::new();
    let description = [spec.get("description"), metadata.get("displayName")].into_iter().find(|text| text.is_string());
    reader.leave_out(&spec, "service");
    if spec.get("description").is_string() && metadata.has("displayName") {
        reader.left_out.push(at("metadata.displayName"));
    }
    slo.extend(description.map(|text| ("description".to_owned(), text.clone())));
    if metadata.has("labels") {
        let labels = reader.fields(&at("metadata.labels"), metadata.get("labels"), &["owner"]);
        slo.extend(reader.text(&labels, "owner").map(|owner| ("owner".to_owned(), owner.into())));
    }
    slo.insert("objective".to_owned(), objective(reader, &spec).into());
    slo.insert("window".to_owned(), window(reader, &spec).into());
    slo.insert("sli".to_owned(), indicator(reader, &spec));
    (key, slo.into())
}

/// The only element of a list.
fn only<'v>(reader: &mut Reader, fields: &Fields<'v>, name: &str) -> &'v Value {
    match fields.get(name).as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => {
            reader.refuse(&fields.of(name), "a list of exactly one is expected here");
            &Value::Null
        }
    }
}

fn objective(reader: &mut Reader, spec: &Fields<'_>) -> String {
    let one = only(reader, spec, "objectives");
    let objective = reader.fields(&spec.of("objectives[0]"), one, &["displayName", "target", "targetPercent"]);
    reader.leave_out(&objective, "displayName");
    let (ratio, percent) = (objective.get("target").as_f64(), objective.get("targetPercent").as_f64());
    let thousandths = match (ratio, percent) {
        (Some(ratio), None) => ratio * 100_000.0,
        (None, Some(percent)) => percent * 1_000.0,
        _ => {
            reader.refuse(&objective.path, "it needs either `target` or `targetPercent`");
            return String::new();
        }
    };
    // Exact but for what a decimal fraction loses as a binary one.
    let is_exact = (thousandths - thousandths.round()).abs() < 1e-6 && (0.0..=100_000.0).contains(&thousandths);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100,000")]
    let share = is_exact.then(|| Percentage::from_thousandths(thousandths.round() as u32)).flatten();
    if share.is_none() {
        reader.refuse(&objective.path, "an objective is from 0% to 100%, in steps of 0.001%");
    }
    share.map(|share| share.to_string()).unwrap_or_default()
}

fn window(reader: &mut Reader, spec: &Fields<'_>) -> String {
    let one = only(reader, spec, "timeWindow");
    let window = reader.fields(&spec.of("timeWindow[0]"), one, &["duration", "isRolling"]);
    reader.must_be(&window, "isRolling", &json!(true));
    let text = reader.text(&window, "duration").unwrap_or_default();
    let number = |unit: char| text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
    let days = number('d').or_else(|| number('w').and_then(|weeks| weeks.checked_mul(7)));
    if days.is_none() {
        reader.refuse(&window.of("duration"), "a window is written in days or weeks, as in `28d` or `4w`");
    }
    days.map(|days| format!("{days}d")).unwrap_or_default()
}

fn indicator(reader: &mut Reader, spec: &Fields<'_>) -> Value {
    let indicator = reader.fields(&spec.of("indicator"), spec.get("indicator"), &["metadata", "spec"]);
    let inner = reader.fields(&indicator.of("spec"), indicator.get("spec"), &["ratioMetric", "description"]);
    let ratio = reader.fields(&inner.of("ratioMetric"), inner.get("ratioMetric"), &["counter", "good", "total"]);
    reader.must_be(&ratio, "counter", &json!(true));
    let (good, total) = (metric(reader, &ratio, "good"), metric(reader, &ratio, "total"));
    let good_fields = ["operation", "status", "latency"];
    match (good, total) {
        (Some((PROMETHEUS, good)), Some((PROMETHEUS, total))) => {
            let good = reader.fields(&ratio.of("good.metricSource.spec"), good, &["query"]);
            let total = reader.fields(&ratio.of("total.metricSource.spec"), total, &["query"]);
            json!({ "prometheus": { "good": reader.text(&good, "query"), "total": reader.text(&total, "query") } })
        }
        (Some((DAYBREAK, good)), Some((DAYBREAK, total))) => {
            let good = reader.fields(&ratio.of("good.metricSource.spec"), good, &good_fields);
            let total = reader.fields(&ratio.of("total.metricSource.spec"), total, &["operation"]);
            if good.get("operation") != total.get("operation") {
                reader.refuse(&total.of("operation"), "it must be the same for the good ones and for all");
            }
            let bounds = ["status", "latency"].into_iter().filter(|name| good.has(name));
            let bounds: Map<_, _> = bounds.map(|name| (name.to_owned(), good.get(name).clone())).collect();
            json!({ "operation": reader.text(&good, "operation"), "good": bounds })
        }
        (Some(_), Some(_)) => {
            reader.refuse(&ratio.path, "`good` and `total` must have the same type of source");
            Value::Null
        }
        _ => Value::Null,
    }
}

/// The type of a metric's source, and what it says.
fn metric<'v>(reader: &mut Reader, ratio: &Fields<'v>, name: &str) -> Option<(&'static str, &'v Value)> {
    let metric = reader.fields(&ratio.of(name), ratio.get(name), &["metricSource"]);
    let source = reader.fields(&metric.of("metricSource"), metric.get("metricSource"), &["type", "spec"]);
    let named = reader.text(&source, "type")?;
    let kind = [PROMETHEUS, DAYBREAK].into_iter().find(|kind| kind.eq_ignore_ascii_case(&named));
    if kind.is_none() {
        reader.refuse(&source.of("type"), "the sources are `Prometheus` and `Daybreak`");
    }
    Some((kind?, source.get("spec")))
}

/// An SLO in the form of documents as OpenSLO.
///
/// # Errors
/// When OpenSLO cannot say what it says.
pub(super) fn export(key: &str, slo: &Value) -> anyhow::Result<String> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !key.chars().all(name) || key.ends_with('-') || key.len() > 63 {
        bail!("OpenSLO's names are of lower-case letters, digits and `-`, 63 at most: `{key}` is none");
    }
    if slo["window"] == "month" {
        bail!("`{key}` counts by calendar month, which is not exported: only rolling windows are");
    }
    let sli = &slo["sli"];
    let metric = |kind: &str, spec: Value| json!({ "metricSource": { "type": kind, "spec": spec } });
    let (good, total) = match (sli.get("prometheus"), sli.get("operation")) {
        (Some(_), Some(_)) => bail!("`{key}` counts both requests and in Prometheus, which OpenSLO cannot say"),
        (Some(queries), None) => {
            let query = |name: &str| metric(PROMETHEUS, json!({ "query": queries[name] }));
            (query("good"), query("total"))
        }
        _ => {
            let mut good = sli["good"].as_object().cloned().unwrap_or_default();
            good.insert("operation".to_owned(), sli["operation"].clone());
            (metric(DAYBREAK, good.into()), metric(DAYBREAK, json!({ "operation": sli["operation"] })))
        }
    };
    let percentage: Percentage = slo["objective"].as_str().unwrap_or_default().parse()?;
    let mut metadata = json!({ "name": key });
    if let Some(owner) = slo["owner"].as_str() {
        metadata["labels"] = json!({ "owner": owner });
    }
    let mut spec = json!({
        // OpenSLO asks for one; Daybreak knows of none.
        "service": slo["owner"].as_str().unwrap_or(key),
        "indicator": {
            "metadata": { "name": key },
            "spec": { "ratioMetric": { "counter": true, "good": good, "total": total } },
        },
        "timeWindow": [{ "duration": slo["window"], "isRolling": true }],
        "budgetingMethod": "Occurrences",
        "objectives": [{ "targetPercent": f64::from(percentage.thousandths()) / 1_000.0 }],
    });
    if let Some(description) = slo["description"].as_str() {
        spec["description"] = description.into();
    }
    let document = json!({ "apiVersion": VERSION, "kind": "SLO", "metadata": metadata, "spec": spec });
    Ok(serde_yaml::to_string(&document)?)
}

#[cfg(test)]
mod tests;
