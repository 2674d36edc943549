//! `daybreak eval`: one flag, evaluated here by the same engine as everywhere (invariant 7).

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use daybreak_engine::{Snapshot, compile};
use daybreak_model::{Context, Resources};
use serde_json::json;

use crate::args::Eval;
use crate::folder;

pub(crate) fn run(options: &Eval) -> anyhow::Result<ExitCode> {
    let resources = folder::decode(&options.flags)?;
    let context = serde_json::from_str(&options.context).context("`--context` is no JSON")?;
    let context = Context::from_json(&context).context("`--context` is no evaluation context")?;
    let snapshot = snapshot(&resources);
    if !resources.flags.contains_key(options.key.as_str()) {
        let known = resources.flags.keys().map(|key| key.as_str());
        bail!("there is no flag `{}` in {}{}", options.key, options.flags.display(), folder::hint(&options.key, known));
    }
    let detail = snapshot.evaluate(&options.key, &context);
    let mut answer = json!({
        "flag": options.key,
        "value": detail.value,
        "variant": detail.variant,
        "reason": detail.reason,
    });
    if let Some(rule) = detail.rule {
        answer["rule"] = json!(rule);
    }
    if let Some(prerequisite) = detail.prerequisite {
        answer["prerequisite"] = json!(prerequisite);
    }
    if let Some(error) = detail.error {
        answer["error"] = json!({ "code": error, "message": detail.message().unwrap_or_default() });
    }
    if options.explain {
        answer["trace"] = serde_json::to_value(snapshot.explain(&options.key, &context))?;
    }
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(if detail.error.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The compiled flags; without a server there are no revisions.
fn snapshot(resources: &Resources) -> Snapshot {
    let flags = resources.flags.iter().map(|(key, flag)| (key, flag, 0));
    let segments = resources.segments.iter().map(|(key, segment)| (key.clone(), segment.when.clone())).collect();
    compile(flags, &segments)
}
