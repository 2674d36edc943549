//! Which webhooks there are: a YAML file of its own, since what is carried from one environment to the next must not
//! bring the first one's webhooks along. Secrets stand elsewhere, in variables or files.

use std::collections::BTreeMap;
use std::fmt;

use daybreak_model::Key;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// What is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hidden(pub(super) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// The event as JSON, signed as Standard Webhooks are.
    #[default]
    Json,
    /// A message, for a Slack incoming webhook.
    Slack,
    /// An annotation, for Grafana's HTTP API.
    Grafana,
    /// A marker, for Honeycomb's API.
    Honeycomb,
}

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Webhook {
    pub(super) name: String,
    /// It may be a secret itself, as Slack's is.
    pub(super) url: Hidden,
    pub(super) secret: Option<Hidden>,
    pub(super) template: Template,
    /// Honeycomb's dataset.
    pub(super) dataset: Option<String>,
    /// Kinds, or what they are below of; all where there are none.
    events: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    webhooks: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: Option<String>,
    url_env: Option<String>,
    url_file: Option<String>,
    secret_env: Option<String>,
    secret_file: Option<String>,
    #[serde(default)]
    template: Template,
    dataset: Option<String>,
    events: Option<Vec<String>>,
}

/// What the kinds of events begin with.
const KINDS: [&str; 14] = [
    "flag", "fault", "segment", "hours", "slo", "on_call", "protect", "run", "start", "halt", "token", "store",
    "webhook", "page",
];

/// Where secrets are.
pub(super) trait Secrets {
    /// A variable's value.
    fn variable(&self, name: &str) -> Option<String>;
    /// A file's text.
    fn file(&self, path: &str) -> std::io::Result<String>;
}

/// Those of this process.
#[derive(Debug)]
pub(super) struct OfProcess;

impl Secrets for OfProcess {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}

impl Webhook {
    /// Whether it is to be told of events of this kind.
    pub(super) fn wants(&self, kind: &str) -> bool {
        let below =
            |of: &String| kind.strip_prefix(of.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.events.is_empty() || self.events.iter().any(below)
    }

    /// The host that it goes to: as much of the URL as may be seen.
    pub(super) fn host(&self) -> String {
        Url::parse(&self.url.0).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Reads a file of webhooks.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn read(text: &str, secrets: &dyn Secrets) -> Result<Vec<Webhook>, String> {
    let file: File = serde_yaml::from_str(text).map_err(|error| {
        let place =
            error.location().map_or_else(String::new, |at| format!("line {}, column {}: ", at.line(), at.column()));
        let error = without_values(&error.to_string());
        format!("{place}{error}; it holds `webhooks: {{ NAME: {{ url: …, secret_env: …, events: [run, halt] }} }}`")
    })?;
    file.webhooks
        .into_iter()
        .map(|(name, entry)| webhook(&name, entry, secrets).map_err(|why| format!("`{name}`: {why}")))
        .collect()
}

/// Whether this is written as variables are.
fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A message without what stands in double quotes: it may be a secret at the wrong place.
fn without_values(message: &str) -> String {
    message.split('"').enumerate().map(|(at, part)| if at % 2 == 1 { "…" } else { part }).collect()
}

fn webhook(name: &str, entry: Entry, secrets: &dyn Secrets) -> Result<Webhook, String> {
    Key::new(name).map_err(|error| error.to_string())?;
    let read = |variable: Option<String>, file: Option<String>, what: &str| match (variable, file) {
        // It may be the secret itself, which nobody is to see.
        (Some(variable), _) if !is_variable(&variable) => Err(format!(
            "its `{what}_env` is no variable's name; write the name of one, as in `{what}_env: HOOK_{}`",
            what.to_uppercase()
        )),
        (_, Some(path)) if path.contains("://") => {
            Err(format!("its `{what}_file` is no path; write the path of a file"))
        }
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("its {what} is named twice; write `{what}_env` or `{what}_file`")),
        (Some(variable), None) => match secrets.variable(&variable).filter(|value| !value.trim().is_empty()) {
            Some(value) => Ok(Some(Hidden(value.trim().to_owned()))),
            None => Err(format!("the variable {variable} is not set; it should hold the {what}")),
        },
        (None, Some(path)) => match secrets.file(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(Some(Hidden(text.trim().to_owned()))),
            Ok(_) => Err(format!("{path} is empty; it should hold the {what}")),
            Err(error) => Err(format!("{path} cannot be read, which should hold the {what}: {error}")),
        },
    };
    let secret = read(entry.secret_env, entry.secret_file, "secret")?;
    let url = match (entry.url, read(entry.url_env, entry.url_file, "url")?) {
        (Some(url), None) => Hidden(url),
        (None, Some(url)) => url,
        (Some(_), Some(_)) => return Err("it has two URLs; write one of `url`, `url_env`, `url_file`".to_owned()),
        (None, None) => return Err("it has no URL; write `url`, or `url_env` where it is a secret".to_owned()),
    };
    if !Url::parse(&url.0).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err("its URL is none of HTTP; write it as in `https://hooks.example/daybreak`".to_owned());
    }
    if entry.events.as_ref().is_some_and(Vec::is_empty) {
        return Err("its `events` are none; leave them out for all".to_owned());
    }
    for kind in entry.events.iter().flatten() {
        let first = kind.split('.').next().unwrap_or_default();
        if !KINDS.contains(&first) {
            return Err(format!("there are no events `{kind}`; they begin with {}", KINDS.join(", ")));
        }
    }
    match entry.template {
        Template::Json if secret.is_none() => {
            return Err("it has no secret to sign with; write `secret_env` or `secret_file`".to_owned());
        }
        Template::Grafana | Template::Honeycomb if secret.is_none() => {
            return Err("it has no key to be let in with; write `secret_env` or `secret_file`".to_owned());
        }
        Template::Honeycomb if entry.dataset.is_none() => {
            return Err("it has no dataset; write `dataset: shop`, or `dataset: __all__`".to_owned());
        }
        _ => {}
    }
    let (template, dataset, events) = (entry.template, entry.dataset, entry.events.unwrap_or_default());
    Ok(Webhook { name: name.to_owned(), url, secret, template, dataset, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Secrets for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "HOOK").then(|| "s3cret\n".to_owned())
        }

        fn file(&self, path: &str) -> std::io::Result<String> {
            if path == "/empty" { Ok(String::new()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        }
    }

    fn one(entry: &str) -> Result<Vec<Webhook>, String> {
        read(&format!("webhooks:\n  ops: {{ {entry} }}\n"), &Fixed)
    }

    #[test]
    fn what_is_wrong_is_said() {
        let url = "url: https://hooks.example/x";
        let cases = [
            (format!("{url}, secret_env: HOOK"), ""),
            (format!("{url}, template: slack"), ""),
            (format!("{url}, template: grafana, secret_env: HOOK"), ""),
            (format!("{url}, template: honeycomb, dataset: shop, secret_env: HOOK"), ""),
            (url.to_owned(), "no secret to sign with; write `secret_env`"),
            (format!("{url}, template: grafana"), "no key to be let in with"),
            (format!("{url}, template: honeycomb, secret_env: HOOK"), "no dataset"),
            ("template: slack".to_owned(), "no URL; write `url`"),
            (format!("{url}, url_env: HOOK, template: slack"), "two URLs"),
            ("url: ftp://x, template: slack".to_owned(), "none of HTTP"),
            ("url_env: HOOK, template: slack".to_owned(), "none of HTTP"),
            (format!("{url}, secret_env: NONE"), "the variable NONE is not set"),
            (format!("{url}, secret_file: /empty"), "/empty is empty"),
            (format!("{url}, secret_file: /gone"), "/gone cannot be read"),
            (format!("{url}, secret_file: /gone, secret_env: HOOK"), "named twice"),
            (format!("{url}, secret_env: whsec_s3cret"), "no variable's name; write the name of one"),
            ("url_env: 'https://hooks.example/s3cret', template: slack".to_owned(), "no variable's name"),
            (format!("{url}, secret_file: 'https://hooks.example/s3cret'"), "no path"),
            (format!("{url}, template: slack, events: []"), "leave them out for all"),
            (format!("{url}, template: slack, events: [runs]"), "there are no events `runs`; they begin with flag, "),
            (format!("{url}, secret: s3cret"), "unknown field `secret`"),
            (format!("{url}, template: teams"), "unknown variant `teams`"),
        ];
        for (entry, expected) in cases {
            match one(&entry) {
                Ok(_) => assert_eq!(expected, "", "{entry}"),
                Err(why) => {
                    assert!(!expected.is_empty() && why.contains(expected), "{entry}: {why}");
                    assert!(!why.contains("s3cret"), "{why}");
                }
            }
        }
        let why = read("webhooks: { ops: 'https://hooks.example/s3cret' }", &Fixed).unwrap_err();
        assert!(why.contains("invalid type") && !why.contains("s3cret"), "{why}");
        let why = read("webhooks:\n  ops: { url: [] }\n", &Fixed).unwrap_err();
        assert!(why.starts_with("line 2, column "), "{why}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let hooks = one("url: https://hooks.example/path-that-is-a-key, secret_env: HOOK").unwrap();
        let shown = format!("{hooks:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("path-that"), "{shown}");
        assert_eq!(
            (hooks[0].host().as_str(), hooks[0].secret.as_ref().unwrap().0.as_str()),
            ("hooks.example", "s3cret")
        );
    }

    #[test]
    fn kinds_are_wanted_from_above() {
        let hooks = one("url: https://hooks.example, template: slack, events: [run, halt.set]").unwrap();
        let cases =
            [("run.started", true), ("run", true), ("runner.x", false), ("halt.set", true), ("halt.lifted", false)];
        cases.iter().for_each(|(kind, wanted)| assert_eq!(hooks[0].wants(kind), *wanted, "{kind}"));
        assert!(one("url: https://hooks.example, template: slack").unwrap()[0].wants("anything"));
    }
}
