//! A client for users' own tests.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use daybreak_model::wire::{Enveloped, Position, Snapshot, StoreId};
use daybreak_model::{Flag, InstanceId, Key, KeyError, Value};
use parking_lot::Mutex;

use crate::core::{Core, Settings};
use crate::faults::{self, Faults};
use crate::listeners::Listeners;
use crate::worker::Life;
use crate::{Client, Telemetry};

/// A [`Client`] without a server: it serves what a test sets, and strikes nothing. Its listeners have been called
/// when `set` and `unset` return.
///
/// ```
/// use daybreak_sdk::{Client, Context, TestClient};
///
/// fn greeting(client: &Client) -> &'static str {
///     if client.bool("new-greeting", &Context::default(), false) { "Good morning!" } else { "Hello." }
/// }
///
/// let client = TestClient::new();
/// assert_eq!(greeting(&client), "Hello.");
/// client.set("new-greeting", true)?;
/// assert_eq!(greeting(&client), "Good morning!");
/// # Ok::<(), daybreak_sdk::KeyError>(())
/// ```
#[derive(Debug)]
pub struct TestClient {
    client: Client,
    flags: Mutex<Overrides>,
}

#[derive(Debug, Default)]
struct Overrides {
    revision: u64,
    values: BTreeMap<Key, Value>,
}

impl TestClient {
    /// A client that has no flags: each getter answers with its default.
    #[must_use]
    pub fn new() -> Self {
        Self::of(None)
    }

    /// A client that has no flags yet, and tells of evaluations, draws and strikes: for tests of what is observed.
    #[must_use]
    pub fn with_telemetry(telemetry: Telemetry) -> Self {
        Self::of(Some(telemetry))
    }

    fn of(telemetry: Option<Telemetry>) -> Self {
        let settings = Settings {
            url: "http://test".to_owned(),
            environment: None,
            service: "test".to_owned(),
            token: None,
            client_certificate: None,
            instance: InstanceId::new(0),
            stale_after: None,
            on_evaluation: None,
            telemetry,
        };
        let faults = Faults::new(faults::Settings { telemetry, ..faults::Settings::default() });
        let core = Arc::new(Core::new(settings, faults, Listeners::at_once()));
        let client = Client::new(core, Life::without_thread());
        Self { client, flags: Mutex::default() }
    }

    /// Serves this value for a flag, to whomever asks.
    ///
    /// # Errors
    /// When the key is none.
    pub fn set(&self, key: &str, value: impl Into<Value>) -> Result<(), KeyError> {
        let (key, value) = (Key::new(key)?, value.into());
        self.change(|values| drop(values.insert(key, value)));
        Ok(())
    }

    /// As [`TestClient::set`], for many flags at once.
    ///
    /// # Errors
    /// When a key is none; then nothing is set.
    pub fn set_all<'k, V: Into<Value>>(&self, flags: impl IntoIterator<Item = (&'k str, V)>) -> Result<(), KeyError> {
        let flags = flags.into_iter().map(|(key, value)| Ok((Key::new(key)?, value.into())));
        let flags: Vec<_> = flags.collect::<Result<_, KeyError>>()?;
        self.change(|values| values.extend(flags));
        Ok(())
    }

    /// Serves no value for a flag any more: getters answer with their defaults.
    pub fn unset(&self, key: &str) {
        self.change(|values| drop(values.remove(key)));
    }

    /// The client, for code that wants to own one.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Key, Value>)) {
        let mut overrides = self.flags.lock();
        change(&mut overrides.values);
        overrides.revision += 1;
        let revision = overrides.revision;
        let flags = overrides.values.iter();
        let flags = flags.filter_map(|(key, value)| Some((key.clone(), Enveloped::new(revision, &flag(value)?).ok()?)));
        let snapshot = Snapshot {
            position: Position { store: StoreId::new(0), revision },
            environment: "test".to_owned(),
            flags: flags.collect(),
            segments: BTreeMap::new(),
        };
        // A later snapshot of the same environment is never refused.
        let _ = self.client.core().update(false, |documents| documents.replace(&snapshot));
    }
}

/// A flag that serves one value.
fn flag(value: &Value) -> Option<Flag> {
    let variant = Key::new("set").ok()?;
    Some(Flag {
        description: None,
        owner: None,
        tags: Vec::new(),
        metadata: BTreeMap::new(),
        client: false,
        enabled: true,
        expires: None,
        variants: BTreeMap::from([(variant.clone(), value.clone())]),
        off: None,
        default: variant,
        rules: Vec::new(),
        prerequisites: BTreeMap::new(),
        salt: None,
    })
}

impl Default for TestClient {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for TestClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

#[cfg(test)]
mod tests {
    use daybreak_model::Context;

    use super::*;

    /// Invariant 6: what goes wrong is told with its reason, and the caller's default is served.
    #[test]
    fn invariant_6_an_error_serves_the_default_with_the_reason() {
        use daybreak_model::{ErrorCode, Reason};

        let client = TestClient::new();
        let context = Context::default();
        let before = client.bool_detail("b", &context, true);
        assert_eq!((before.value, before.error_code), (true, Some(ErrorCode::ProviderNotReady)));
        client.set("b", true).unwrap();
        let detail = client.bool_detail("b", &context, false);
        assert_eq!((detail.value, detail.reason, detail.variant.as_deref()), (true, Reason::Static, Some("set")));
        let mismatch = client.number_detail("b", &context, 7.0);
        assert_eq!((mismatch.reason, mismatch.error_code), (Reason::Error, Some(ErrorCode::TypeMismatch)));
        assert!(mismatch.message.is_some() && mismatch.variant.is_none());
        let unknown = client.string_detail("x", &context, "default");
        assert_eq!((unknown.value.as_str(), unknown.error_code), ("default", Some(ErrorCode::FlagNotFound)));
    }

    #[test]
    fn what_is_set_is_served_until_it_is_unset() {
        let client = TestClient::new();
        let context = Context::default();
        let handle = client.flag::<bool>("b");
        assert!(!handle.get(&context, false), "nothing is set yet");
        client.set("b", true).unwrap();
        client.set("n", 2.5).unwrap();
        client.set("s", "text").unwrap();
        assert!(handle.get(&context, false), "a handle that was made before sees it");
        assert!(client.bool("b", &context, false));
        assert!((client.number("n", &context, 0.0) - 2.5).abs() < f64::EPSILON);
        assert_eq!(client.string("s", &context, ""), "text");
        client.unset("b");
        assert!(!client.bool("b", &context, false));
        assert!(!handle.get(&context, false));
        assert!(client.set("no key", true).is_err());
    }
}
