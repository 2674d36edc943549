//! GrowthBook: its client, and what it calls.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use growthbook_rust::client::{GrowthBookClient, GrowthBookClientBuilder, GrowthBookClientTrait};
use growthbook_rust::dto::GrowthBookFeature;
use growthbook_rust::model_public::{FeatureResult, GrowthBookAttribute, SavedGroup};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_REGEX, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

/// The client.
pub(crate) struct GrowthBook(GrowthBookClient);

/// What it calls.
pub(crate) struct Core(growthbook_rust::growthbook::GrowthBook);

type Attributes = Option<Vec<GrowthBookAttribute>>;

impl Peer for GrowthBook {
    const NAME: &'static str = "growthbook-rust";
    const PACKAGE: &'static str = "growthbook-rust";
    const HOW: &'static str = "The client, which copies all flags for each call, and takes attributes by value; the end of the \
                               e-mail address is a regular expression.";

    type Key = String;
    type User = Attributes;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let builder =
            GrowthBookClientBuilder::new().features(features(flags)?).saved_groups(json!({"pilots": pilots()}));
        super::wait(builder.build())?.map(Self).map_err(|error| anyhow!("{error}"))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Attributes> {
        attributes(user)
    }

    fn boolean(&self, key: &String, user: &Attributes) -> bool {
        self.0.is_on(key, user.clone())
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Attributes) -> String {
        text(self.0.feature_result(key, user.clone()))
    }
}

impl Peer for Core {
    const NAME: &'static str = "growthbook-rust, core";
    const PACKAGE: &'static str = "growthbook-rust";
    const HOW: &'static str = "What the client calls on its copy.";

    type Key = String;
    type User = Attributes;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        Ok(Self(growthbook_rust::growthbook::GrowthBook {
            forced_variations: None,
            features: features(flags)?,
            attributes: None,
            sticky_bucket_service: None,
            saved_groups: HashMap::from([("pilots".to_owned(), SavedGroup::from(&json!(pilots())))]),
        }))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Attributes> {
        attributes(user)
    }

    fn boolean(&self, key: &String, user: &Attributes) -> bool {
        self.0.check(key, user).on
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Attributes) -> String {
        text(self.0.check(key, user))
    }
}

fn attributes(user: &User) -> Result<Attributes> {
    GrowthBookAttribute::from(user.object("id")).map(Some).map_err(|error| anyhow!("{error}"))
}

fn text(result: FeatureResult) -> String {
    match result.value {
        Value::String(text) => text,
        _ => String::new(),
    }
}

fn features(flags: &[Flag]) -> Result<HashMap<String, GrowthBookFeature>> {
    flags.iter().map(|flag| Ok((flag.key.clone(), serde_json::from_value(document(flag))?))).collect()
}

fn document(flag: &Flag) -> Value {
    let rule = |condition: Value| json!({"condition": condition, "force": SECOND});
    match flag.kind {
        Kind::Boolean => json!({"defaultValue": true}),
        Kind::Rules => json!({"defaultValue": FIRST, "rules": [
            rule(json!({"country": {"$in": COUNTRIES}})),
            rule(json!({"plan": PLAN})),
            rule(json!({"appVersion": {"$vgte": VERSION}})),
            rule(json!({"email": {"$regex": EMAIL_REGEX}})),
            rule(json!({"id": {"$inGroup": "pilots"}})),
        ]}),
        Kind::Split => json!({"defaultValue": SECOND, "rules": [{
            "key": flag.key,
            "variations": [FIRST, SECOND],
            "weights": [0.25, 0.75],
            "coverage": 1.0,
            "hashAttribute": "id",
        }]}),
    }
}
