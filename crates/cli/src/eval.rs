//! `daybreak eval`: one flag, evaluated here by the same engine as everywhere (invariant 7).

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use daybreak_engine::{Snapshot, compile};
use daybreak_model::{Context, Resources};
use serde_json::{Value, json};

use crate::args::Eval;
use crate::folder;

pub(crate) fn run(options: &Eval) -> anyhow::Result<ExitCode> {
    let answer = answer(options)?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(if answer.get("error").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn answer(options: &Eval) -> anyhow::Result<Value> {
    let resources = folder::decode(&options.flags)?;
    let context = serde_json::from_str(&options.context).context("`--context` is no JSON")?;
    let context = Context::from_json(&context).context("`--context` is no evaluation context")?;
    let snapshot = snapshot(&resources);
    let Some(flag) = resources.flags.get(options.key.as_str()) else {
        let known = resources.flags.keys().map(|key| key.as_str());
        bail!("there is no flag `{}` in {}{}", options.key, options.flags.display(), folder::hint(&options.key, known));
    };
    let detail = snapshot.evaluate(&options.key, &context);
    let mut answer = json!({
        "flag": options.key,
        "value": detail.value(),
        "variant": detail.variant(),
        "reason": detail.reason(),
    });
    if let Some(rule) = detail.rule() {
        answer["rule"] = json!(rule);
    }
    if let Some(prerequisite) = detail.prerequisite() {
        answer["prerequisite"] = json!(prerequisite);
    }
    if let Some(error) = detail.error() {
        answer["error"] = json!({ "code": error, "message": detail.message().unwrap_or_default() });
    }
    if !flag.metadata.is_empty() {
        answer["metadata"] = serde_json::to_value(&flag.metadata)?;
    }
    if options.explain {
        answer["trace"] = serde_json::to_value(snapshot.explain(&options.key, &context))?;
    }
    Ok(answer)
}

/// The compiled flags; without a server there are no revisions.
fn snapshot(resources: &Resources) -> Snapshot {
    let flags = resources.flags.iter().map(|(key, flag)| (key, flag.as_ref(), 0));
    let segments = resources.segments.iter().map(|(key, segment)| (key.clone(), segment.when.clone())).collect();
    compile(flags, &segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, key: &str, context: &str) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("flags.yaml"), document)?;
        let flags = folder.path().to_owned();
        answer(&Eval { key: key.into(), context: context.into(), flags, explain: true })
    }

    const DOCUMENT: &str =
        "flags:\n  search: { default: off, rules: [{ name: pro, when: { plan: pro }, serve: on }] }\n";

    #[test]
    fn invariant_7_the_answer_is_the_engines() {
        for (context, variant, reason) in [(r#"{"plan": "pro"}"#, "on", "TARGETING_MATCH"), ("{}", "off", "DEFAULT")] {
            let answer = check(DOCUMENT, "search", context).unwrap();
            assert_eq!((&answer["variant"], &answer["reason"]), (&json!(variant), &json!(reason)), "{answer}");
            assert!(answer["trace"].to_string().contains("pro"), "{answer}");
        }
    }

    #[test]
    fn metadata_comes_with_the_answer() {
        let document = "flags:\n  search: { default: off, metadata: { ticket: SHOP-7, effort: 3 } }\n";
        let answer = check(document, "search", "{}").unwrap();
        assert_eq!(answer["metadata"], json!({ "ticket": "SHOP-7", "effort": 3.0 }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (DOCUMENT, "serach", "{}", "did you mean `search`?"),
            (DOCUMENT, "search", "{", "no JSON"),
            (DOCUMENT, "search", "[]", "no evaluation context"),
            ("flags:\n  search: { default: of }\n", "search", "{}", "write `off`"),
            ("flags: {}\n", "search", "{}", "none at all"),
        ];
        for (document, key, context, expected) in cases {
            let why = check(document, key, context).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }
}
