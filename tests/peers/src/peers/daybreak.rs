//! Daybreak: its SDK by key and by handle, which count what is asked; and its engine alone, which does not.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use daybreak_engine::{Snapshot, ValueRef, compile};
use daybreak_model::{Context, Key, Segment};
use daybreak_sdk::Client;
use serde_json::{Map, Value, json};
use smol_str::SmolStr;

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

/// A server that is not there: the flags come from a bootstrap file.
const URL: &str = "http://127.0.0.1:9";

/// The SDK, asked by key.
pub(crate) struct ByKey(Client);

/// The SDK, asked by handle.
pub(crate) struct ByHandle(Client);

/// A handle of either type; one of them is asked.
pub(crate) struct Handles {
    boolean: daybreak_sdk::Flag<bool>,
    text: daybreak_sdk::Flag<SmolStr>,
}

/// The engine below the SDK.
pub(crate) struct Engine(Snapshot);

impl Peer for ByKey {
    const NAME: &'static str = "Daybreak, by key";
    const PACKAGE: &'static str = "daybreak-sdk";
    const HOW: &'static str = "The SDK; what is asked is counted.";

    type Key = String;
    type User = Context;
    type Text<'p> = SmolStr;

    fn load(flags: &[Flag]) -> Result<Self> {
        client(flags).map(Self)
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Context> {
        context(user)
    }

    fn boolean(&self, key: &String, user: &Context) -> bool {
        self.0.bool(key, user, false)
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Context) -> SmolStr {
        self.0.string(key, user, "")
    }
}

impl Peer for ByHandle {
    const NAME: &'static str = "Daybreak, by handle";
    const PACKAGE: &'static str = "daybreak-sdk";
    const HOW: &'static str = "The SDK, without a look-up by key; what is asked is counted.";

    type Key = Handles;
    type User = Context;
    type Text<'p> = SmolStr;

    fn load(flags: &[Flag]) -> Result<Self> {
        client(flags).map(Self)
    }

    fn key(&self, key: &str) -> Handles {
        Handles { boolean: self.0.flag(key), text: self.0.flag(key) }
    }

    fn user(&self, user: &User) -> Result<Context> {
        context(user)
    }

    fn boolean(&self, key: &Handles, user: &Context) -> bool {
        key.boolean.get(user, false)
    }

    fn text<'p>(&'p self, key: &'p Handles, user: &'p Context) -> SmolStr {
        key.text.get(user, SmolStr::default())
    }
}

impl Peer for Engine {
    const NAME: &'static str = "Daybreak, engine alone";
    const PACKAGE: &'static str = "daybreak-engine";
    const HOW: &'static str = "By key; nothing is counted, and texts are borrowed.";

    type Key = String;
    type User = Context;
    type Text<'p> = &'p str;

    fn load(flags: &[Flag]) -> Result<Self> {
        let key = |key: &str| key.parse::<Key>().map_err(anyhow::Error::from);
        let flags = flags.iter().map(|flag| Ok((key(&flag.key)?, serde_json::from_value(document(flag))?)));
        let flags: BTreeMap<Key, daybreak_model::Flag> = flags.collect::<Result<_>>()?;
        let segment: Segment = serde_json::from_value(segment())?;
        let segments = BTreeMap::from([(key("pilots")?, segment.when)]);
        let snapshot = compile(flags.iter().map(|(key, flag)| (key, flag, 1)), &segments);
        let broken = snapshot.broken().next();
        ensure!(broken.is_none(), "a flag is broken: {broken:?}");
        Ok(Self(snapshot))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Context> {
        context(user)
    }

    fn boolean(&self, key: &String, user: &Context) -> bool {
        matches!(self.0.evaluate(key, user).value(), Some(ValueRef::Boolean(true)))
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Context) -> &'p str {
        match self.0.evaluate(key, user).value() {
            Some(ValueRef::String(text)) => text.as_str(),
            _ => "",
        }
    }
}

fn context(user: &User) -> Result<Context> {
    Ok(Context::from_json(&user.object("targetingKey"))?)
}

fn client(flags: &[Flag]) -> Result<Client> {
    let enveloped = |resource: Value| json!({"level": 1, "revision": 1, "resource": resource});
    let flags: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), enveloped(document(flag)))).collect();
    let snapshot = json!({
        "position": "0000000000000001:1",
        "environment": "bench",
        "flags": flags,
        "segments": {"pilots": enveloped(segment())},
    });
    let file = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&file, &snapshot)?;
    Ok(Client::builder(URL).service("bench").bootstrap_file(file.path()).build()?)
}

fn segment() -> Value {
    json!({"when": {"attribute": {"attribute": "targetingKey", "test": {"in": pilots()}}}})
}

fn document(flag: &Flag) -> Value {
    let test = |attribute: &str, test: Value| json!({"attribute": {"attribute": attribute, "test": test}});
    let rule = |name: &str, when: Value| json!({"name": name, "when": when, "serve": "b"});
    let texts = json!({"a": FIRST, "b": SECOND});
    match flag.kind {
        Kind::Boolean => json!({"variants": {"on": true, "off": false}, "default": "on"}),
        Kind::Rules => json!({"variants": texts, "default": "a", "rules": [
            rule("country", test("country", json!({"in": COUNTRIES}))),
            rule("plan", test("plan", json!({"equals": PLAN}))),
            rule("version", test("appVersion", json!({"semver": format!(">={VERSION}")}))),
            rule("staff", test("email", json!({"ends_with": [EMAIL_END]}))),
            rule("pilots", json!({"segment": "pilots"})),
        ]}),
        Kind::Split => json!({"variants": texts, "default": "a", "rules": [
            {"name": "split", "rollout": {"a": 25_000, "b": 75_000}},
        ]}),
    }
}
