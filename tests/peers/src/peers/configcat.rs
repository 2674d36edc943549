//! ConfigCat's SDK.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow};
use configcat::{Client, ConfigCache, PollingMode, User as Asker, ValuePrimitive};
use futures_util::FutureExt;
use serde_json::{Map, Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

/// A key of the right form; nobody is asked with it.
const SDK_KEY: &str = "0123456789012345678901/0123456789012345678901";

pub(crate) struct ConfigCat(Client);

/// Hands the flags out once. Asked again it has nothing, as for an application without a cache of its own.
struct Once {
    config: Mutex<String>,
    taken: AtomicBool,
}

impl ConfigCache for Once {
    fn read(&self, _: &str) -> Option<String> {
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        self.config.lock().ok().map(|mut config| std::mem::take(&mut *config))
    }

    fn write(&self, _: &str, _: &str) {}
}

impl ConfigCat {
    fn ask<T: ValuePrimitive + Clone + Default>(&self, key: &str, user: &Asker) -> T {
        // It is ready at once, as nothing is fetched.
        self.0.get_value(key, T::default(), Some(user.clone())).now_or_never().unwrap_or_default()
    }
}

impl Peer for ConfigCat {
    const NAME: &'static str = "configcat";
    const PACKAGE: &'static str = "configcat";
    const HOW: &'static str =
        "The SDK, offline, its flags in memory; it takes the user by value, so each call copies one.";

    type Key = String;
    type User = Asker;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let flags: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), document(flag))).collect();
        let ids = json!([{"a": "Identifier", "c": ONE_OF, "l": pilots()}]);
        let config = json!({"p": {"s": "salt"}, "f": flags, "s": [{"n": "pilots", "r": ids}]});
        // The form that it keeps configurations in: when, which, what.
        let config = Mutex::new(format!("1750000000000\netag\n{config}"));
        let cache = Once { config, taken: AtomicBool::new(false) };
        super::wait(async {
            let builder = Client::builder(SDK_KEY).polling_mode(PollingMode::Manual).offline(true);
            builder.cache(Box::new(cache)).build().map(Self).map_err(|error| anyhow!("{error}"))
        })?
        .context("a client that is offline")
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Asker> {
        let with = |asker: Asker, (name, value): (String, String)| match name.as_str() {
            "country" => asker.country(&value),
            "email" => asker.email(&value),
            _ => asker.custom(&name, value.as_str()),
        };
        Ok(user.texts().fold(Asker::new(&user.id), with))
    }

    fn boolean(&self, key: &String, user: &Asker) -> bool {
        self.ask(key, user)
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Asker) -> String {
        self.ask(key, user)
    }
}

/// Its numbers for comparisons.
const ONE_OF: u8 = 0;
const VERSION_AT_LEAST: u8 = 9;
const EQUALS: u8 = 28;
const ENDS_WITH_ANY: u8 = 32;

fn document(flag: &Flag) -> Value {
    let text = |text: &str| json!({"s": text});
    let rule = |condition: Value| json!({"c": [condition], "s": {"v": text(SECOND)}});
    let user =
        |attribute: &str, comparison: u8, list: Value| rule(json!({"u": {"a": attribute, "c": comparison, "l": list}}));
    let single = |attribute: &str, comparison: u8, value: &str| {
        rule(json!({"u": {"a": attribute, "c": comparison, "s": value}}))
    };
    match flag.kind {
        Kind::Boolean => json!({"t": 0, "v": {"b": true}}),
        Kind::Rules => json!({"t": 1, "v": text(FIRST), "r": [
            user("Country", ONE_OF, json!(COUNTRIES)),
            single("plan", EQUALS, PLAN),
            single("appVersion", VERSION_AT_LEAST, VERSION),
            user("Email", ENDS_WITH_ANY, json!([EMAIL_END])),
            rule(json!({"s": {"s": 0, "c": 0}})),
        ]}),
        Kind::Split => json!({"t": 1, "v": text(SECOND), "p": [
            {"p": 25, "v": text(FIRST)},
            {"p": 75, "v": text(SECOND)},
        ]}),
    }
}
