//! `daybreak promote`: carries resources from one server to another, as from staging to production.

use std::collections::BTreeSet;
use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_document::{decode_form, diff, encode, encode_resource, render_plain};
use daybreak_model::{Key, Kind, Millis, Resources};
use serde_json::{Value, json};

use crate::folder;
use crate::out;
use crate::remote::{self, Remote, Secret, Target};
use crate::served::{self, ATTEMPTS, Sending, Sent, Served, describe};
use crate::style::is_colored;

#[derive(Clone, Debug, Args)]
pub(crate) struct Promote {
    /// What to carry over: flags by their keys; others as `faults/gateway-slow`, `segments/eu`.
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// The server to take them from.
    #[arg(long, value_name = "URL")]
    from: String,
    /// The server to bring them to.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The kind of keys that name none: `flags`, `segments`, `faults`, `hours`, `slos`, `on-call`.
    #[arg(long, value_name = "KIND", default_value = "flags", value_parser = kind)]
    kind: Kind,
    /// Also carry over what they name and the target does not have: segments, prerequisites, hours, SLOs.
    #[arg(long)]
    with_dependencies: bool,
    /// Also carry over whether they are enabled. Else that stays as it is at the target, and what is new there
    /// arrives disabled.
    #[arg(long)]
    with_state: bool,
    /// Print what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Why, for the target's audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Promote also while changes are frozen there, for this reason; an admin's alone.
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    /// Wait until every live client of the target has it, for so long at most, 30s: and print who has not.
    #[arg(long, value_name = "DURATION")]
    wait: Option<Millis>,
    /// The token for the server to take from.
    #[arg(long, env = "DAYBREAK_FROM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    from_token: Option<Secret>,
    /// The token for the server to bring to.
    #[arg(long, env = "DAYBREAK_TO_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    to_token: Option<Secret>,
    /// A PEM file with the certificate to show to a server which asks for one, and its key.
    #[arg(long, env = "DAYBREAK_CLIENT_CERT", value_name = "FILE")]
    client_cert: Option<PathBuf>,
}

/// What is carried over besides what was named.
#[derive(Clone, Copy, Debug, Default)]
struct With {
    dependencies: bool,
    state: bool,
}

type Resource = (Kind, Key);

pub(crate) fn run(options: &Promote) -> anyhow::Result<ExitCode> {
    let wanted = options.keys.iter().map(|key| parse(options.kind, key)).collect::<anyhow::Result<Vec<_>>>()?;
    let with = With { dependencies: options.with_dependencies, state: options.with_state };
    let target = |url: &String, token: &Option<Secret>| Target {
        url: url.clone(),
        token: token.clone(),
        client_cert: options.client_cert.clone(),
    };
    let (from, to) = (target(&options.from, &options.from_token), target(&options.to, &options.to_token));
    let done = remote::block_on(async {
        let source = Served::read(&Remote::new(&from)?).await?.resources;
        let remote = Remote::new(&to)?;
        for _ in 0..ATTEMPTS {
            let served = Served::read(&remote).await?;
            let (after, notes) = promoted(&source, &served.resources, &wanted, with)?;
            let sending = Sending {
                dry_run: options.dry_run,
                reason: options.reason.as_deref(),
                override_reason: options.override_reason.as_deref(),
                wait: options.wait.filter(|_| !options.dry_run),
            };
            let sent = served.change(&remote, &after, sending).await?;
            if !matches!(sent, Sent::Overtaken) {
                notes.iter().for_each(|note| eprintln!("note: {note}"));
                out::print(&describe(&diff(&served.resources, &after), is_colored(&stdout())))?;
                return Ok(Some(sent));
            }
        }
        Ok(None)
    })?;
    served::report(done.as_ref(), options.dry_run)?;
    Ok(ExitCode::SUCCESS)
}

/// What the target is to serve, and what its operator should know.
fn promoted(
    from: &Resources,
    to: &Resources,
    wanted: &[Resource],
    with: With,
) -> anyhow::Result<(Resources, Vec<String>)> {
    for (kind, key) in wanted {
        if !from.contains(*kind, key.as_str()) {
            let hint = folder::hint(key.as_str(), from.keys(*kind).into_iter().map(Key::as_str));
            bail!("the server to take from has no {kind} `{key}`{hint}");
        }
    }
    let mut notes = Vec::new();
    let carried = carried(from, to, wanted, with, &mut notes)?;
    let mut document = encode(to);
    for (kind, key) in &carried {
        let mut form = encode_resource(from, *kind, key.as_str()).context("what is carried is there")?;
        if !with.state && matches!(kind, Kind::Flag | Kind::Fault) {
            let enabled = is_enabled(to, *kind, key);
            set_enabled(&mut form, enabled.unwrap_or(false));
            if enabled.is_none() && is_enabled(from, *kind, key) == Some(true) {
                notes.push(format!("the {kind} `{key}` is new there, and arrives disabled"));
            }
        }
        if document.get(kind.section()).is_none() {
            document[kind.section()] = json!({});
        }
        document[kind.section()][key.as_str()] = form;
    }
    if carried.iter().any(|(kind, _)| *kind == Kind::Fault) {
        for segment in from.protect.difference(&to.protect) {
            notes.push(format!(
                "no fault touches `{segment}` here, but there it may: `protect` is not carried; apply it there"
            ));
        }
    }
    let after = decode_form(&document).map_err(|why| {
        anyhow::anyhow!("together with what the target serves, this is not valid\n{}", render_plain(&why))
    })?;
    let off = if with.state { Vec::new() } else { switched_off(to, &after) };
    if !off.is_empty() {
        bail!(
            "this would switch off what is on there: {}; enable it there first, or write `--with-state`",
            off.join(", ")
        );
    }
    Ok((after, notes))
}

/// The flags that are on at the target, and would not be any more, because they come to need one that is disabled.
fn switched_off(to: &Resources, after: &Resources) -> Vec<String> {
    let on = |resources: &Resources, key: &Key| resources.flags.get(key).is_some_and(|flag| flag.enabled);
    let needs = |key: &Key, needed: &Key| to.flags.get(key).is_some_and(|flag| flag.prerequisites.contains_key(needed));
    let mut off = Vec::new();
    for (key, flag) in after.flags.iter().filter(|(key, flag)| flag.enabled && on(to, key)) {
        let lost = |needed: &&Key| !on(after, needed) && (on(to, needed) || !needs(key, needed));
        let lost = flag.prerequisites.keys().filter(lost);
        off.extend(lost.map(|needed| format!("`{key}` needs `{needed}`, which is or arrives disabled")));
    }
    off
}

/// What is carried over: what was named, and what that needs.
fn carried(
    from: &Resources,
    to: &Resources,
    wanted: &[Resource],
    with: With,
    notes: &mut Vec<String>,
) -> anyhow::Result<BTreeSet<Resource>> {
    let references = from.references();
    let mut carried: BTreeSet<Resource> = wanted.iter().cloned().collect();
    let mut missing = BTreeSet::new();
    let mut queue = wanted.to_vec();
    while let Some(one) = queue.pop() {
        for reference in references.iter().filter(|reference| reference.from.as_ref() == Some(&one)) {
            let (kind, key) = (reference.kind, &reference.key);
            let needed = (kind, key.clone());
            if carried.contains(&needed) {
                continue;
            }
            if !to.contains(kind, key.as_str()) {
                if with.dependencies {
                    carried.insert(needed.clone());
                    queue.push(needed);
                } else {
                    missing.insert(format!("{}/{key}", kind.path()));
                }
            } else if encode_resource(from, kind, key.as_str()) != encode_resource(to, kind, key.as_str()) {
                let note = format!("the {kind} `{key}` differs between the two, and stays as it is");
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
    }
    if !missing.is_empty() {
        let missing: Vec<_> = missing.into_iter().collect();
        bail!("the target lacks what they name: {}; add `--with-dependencies`, or name them too", missing.join(", "));
    }
    Ok(carried)
}

fn is_enabled(resources: &Resources, kind: Kind, key: &Key) -> Option<bool> {
    match kind {
        Kind::Flag => resources.flags.get(key).map(|flag| flag.enabled),
        Kind::Fault => resources.faults.get(key).map(|fault| fault.enabled),
        _ => None,
    }
}

fn set_enabled(form: &mut Value, enabled: bool) {
    if let Some(form) = form.as_object_mut() {
        form.remove("enabled");
        if !enabled {
            form.insert("enabled".to_owned(), false.into());
        }
    }
}

/// `faults/gateway-slow`, or a key of the kind that is meant unless said.
fn parse(unless_said: Kind, text: &str) -> anyhow::Result<Resource> {
    let (kind, key) = match text.split_once('/') {
        Some((path, key)) => (kind(path).map_err(anyhow::Error::msg)?, key),
        None => (unless_said, text),
    };
    Ok((kind, Key::new(key).with_context(|| format!("`{text}` is no key"))?))
}

fn kind(path: &str) -> Result<Kind, String> {
    let known = Kind::ALL.map(Kind::path).join("`, `");
    Kind::ALL
        .into_iter()
        .find(|kind| kind.path() == path || kind.section() == path)
        .ok_or_else(|| format!("`{path}` is no kind; write one of `{known}`"))
}

#[cfg(test)]
mod tests {
    use daybreak_document::{Source, decode, to_yaml};

    use super::*;

    const FROM: &str = "
segments: { eu: { when: { country: DE } } }
flags:
  base: { default: on }
  shared: { default: on, enabled: false, owner: new }
  checkout: { default: off, prerequisites: { base: on }, rules: [{ name: eu, when: { segment: eu }, serve: on }] }
";
    const TO: &str = "
segments: { eu: { when: { country: FR } } }
flags: { shared: { default: on, owner: old } }
";

    fn read(text: &str) -> Resources {
        decode(&[Source::new("text", text)]).into_result().unwrap().0
    }

    fn promote(keys: &[&str], with: With) -> anyhow::Result<(Resources, Vec<String>)> {
        let wanted: Vec<_> = keys.iter().map(|key| parse(Kind::Flag, key).unwrap()).collect();
        promoted(&read(FROM), &read(TO), &wanted, with)
    }

    #[test]
    fn the_state_stays_the_targets_unless_said() {
        for (state, enabled) in [(false, true), (true, false)] {
            let (after, _) = promote(&["shared"], With { state, ..With::default() }).unwrap();
            let flag = &after.flags["shared"];
            assert_eq!((flag.enabled, flag.owner.as_deref()), (enabled, Some("new")));
        }
        let (after, notes) = promote(&["base"], With::default()).unwrap();
        assert!(!after.flags["base"].enabled && notes[0].contains("arrives disabled"), "{notes:?}");
        assert!(promote(&["base"], With { state: true, ..With::default() }).unwrap().0.flags["base"].enabled);
    }

    #[test]
    fn what_is_on_at_the_target_is_not_switched_off() {
        let to = read("flags: { checkout: { default: on } }");
        let wanted = [parse(Kind::Flag, "checkout").unwrap()];
        let with = With { dependencies: true, state: false };
        let error = promoted(&read(FROM), &to, &wanted, with).unwrap_err().to_string();
        assert!(error.contains("`checkout` needs `base`, which is or arrives disabled"), "{error}");
        let (after, _) = promoted(&read(FROM), &to, &wanted, With { state: true, ..with }).unwrap();
        assert!(after.flags["checkout"].enabled && after.flags["base"].enabled);
    }

    #[test]
    fn what_they_need_comes_along_or_is_named() {
        let error = promote(&["checkout"], With::default()).unwrap_err().to_string();
        assert!(error.contains("flags/base") && !error.contains("segments/eu"), "{error}");
        let (after, notes) = promote(&["checkout"], With { dependencies: true, state: false }).unwrap();
        assert!(after.flags.contains_key("base"));
        assert!(notes.iter().any(|note| note.contains("segment `eu` differs")), "{notes:?}");
        assert!(to_yaml(&after).contains("FR"), "what the target has stays as it is");
        let (after, _) = promote(&["checkout", "base", "segments/eu"], With::default()).unwrap();
        assert!(to_yaml(&after).contains("DE"), "what is named comes over");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = promote(&["chekout"], With::default()).unwrap_err().to_string();
        assert!(error.contains("did you mean `checkout`?"), "{error}");
        assert!(parse(Kind::Flag, "fault/slow").unwrap_err().to_string().contains("`faults`"));
    }
}
