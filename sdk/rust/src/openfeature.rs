//! A provider for OpenFeature's own SDK (the crate `open-feature`): the same flags, evaluated in this process as ever.
//!
//! ```no_run
//! use daybreak_sdk::Client;
//! use daybreak_sdk::openfeature::DaybreakProvider;
//! use open_feature::{EvaluationContext, OpenFeature};
//!
//! # async fn example() -> Result<(), daybreak_sdk::BuildError> {
//! let client = Client::builder("http://localhost:8080").service("shop").build()?;
//! OpenFeature::singleton_mut().await.set_provider(DaybreakProvider::new(client)).await;
//!
//! let flags = OpenFeature::singleton().await.create_client();
//! let user = EvaluationContext::default().with_targeting_key("user-7").with_custom_field("country", "DE");
//! if flags.get_bool_value("new-checkout", Some(&user), None).await.unwrap_or(false) {
//!     // the rewritten checkout
//! }
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use async_trait::async_trait;
use daybreak_engine::ValueRef;
use daybreak_model::wire::ClientState;
use daybreak_model::{Context, ContextValue, ErrorCode, Reason, Scalar, metadata};
use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode, EvaluationReason,
    EvaluationResult, FlagMetadata, StructValue, Value,
};
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use crate::flag::FlagType;
use crate::{Client, Detail};

/// The name by which OpenFeature knows this provider.
const NAME: &str = "Daybreak";
/// How long OpenFeature waits for the first flags unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// The attribute that OpenFeature keeps apart from the others.
const TARGETING_KEY: &str = "targetingKey";

/// Answers OpenFeature with a client's flags.
#[derive(Debug)]
pub struct DaybreakProvider {
    client: Client,
    metadata: ProviderMetadata,
    patience: Duration,
}

impl DaybreakProvider {
    /// A provider of this client's flags. The client stays yours: for fault points, and to be closed.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, metadata: ProviderMetadata::new(NAME), patience: PATIENCE }
    }

    /// The same, where `set_provider` waits this long for the first flags, instead of five seconds. Without them it
    /// goes on all the same: evaluations are `PROVIDER_NOT_READY`, or come from a cache, until they are there.
    #[must_use]
    pub const fn ready_within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn resolve<T>(
        &self,
        key: &str,
        context: &EvaluationContext,
        read: impl Fn(ValueRef<'_>) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let core = self.client.core();
        let detail = core.detail(key, &to_context(context), None, |value| read(value).map(Some));
        let environment = core.served.with(|served| served.environment.clone());
        resolution(detail, environment.as_deref())
    }
}

#[async_trait]
impl FeatureProvider for DaybreakProvider {
    async fn initialize(&mut self, _: &EvaluationContext) {
        if !self.client.wait_ready(self.patience).await {
            tracing::warn!(
                url = self.client.core().settings.url,
                "no flags have come from the server yet; OpenFeature goes on without"
            );
        }
    }

    fn status(&self) -> ProviderStatus {
        match self.client.status().state {
            ClientState::Streaming | ClientState::Polling => ProviderStatus::Ready,
            ClientState::Disconnected => ProviderStatus::STALE,
            ClientState::Starting if *self.client.core().ready.borrow() => ProviderStatus::Ready,
            ClientState::Starting => ProviderStatus::NotReady,
        }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, evaluation_context, bool::read)
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, evaluation_context, i64::read)
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, evaluation_context, f64::read)
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, evaluation_context, |value| SmolStr::read(value).map(String::from))
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(flag_key, evaluation_context, |value| match value {
            ValueRef::Object(map) => Some(structure(map)),
            _ => None,
        })
    }
}

/// The context in Daybreak's form. What it cannot hold is absent, as everywhere: rules that ask for it do not match.
fn to_context(given: &EvaluationContext) -> Context {
    let mut context = given.targeting_key.as_deref().map(Context::new).unwrap_or_default();
    // The targeting key has one place, and a field of that name does not take it.
    for (name, field) in given.custom_fields.iter().filter(|(name, _)| name.as_str() != TARGETING_KEY) {
        context.set(name, to_attribute(field));
    }
    context
}

fn to_attribute(field: &EvaluationContextFieldValue) -> ContextValue {
    use EvaluationContextFieldValue as Field;
    match field {
        Field::Bool(boolean) => (*boolean).into(),
        Field::Int(integer) => (*integer).into(),
        Field::Float(float) => (*float).into(),
        Field::String(text) => text.as_str().into(),
        Field::DateTime(moment) => from_moment(moment.unix_timestamp_nanos()),
        Field::Struct(any) => {
            let json = any.downcast_ref::<StructValue>().map(|fields| to_json(&Value::Struct(fields.clone())));
            json.or_else(|| any.downcast_ref::<Json>().cloned()).map_or(ContextValue::Null, from_json)
        }
    }
}

/// A moment as `before` and `after` compare it: RFC 3339.
fn from_moment(nanoseconds: i128) -> ContextValue {
    jiff::Timestamp::from_nanosecond(nanoseconds).map_or(ContextValue::Null, |moment| moment.to_string().into())
}

/// Through the context's own reader, which knows what it can hold.
fn from_json(json: Json) -> ContextValue {
    const NAME: &str = "struct";
    let wrapped = Json::Object(Map::from_iter([(NAME.to_owned(), json)]));
    let context = Context::from_json(&wrapped).ok();
    context.and_then(|context| context.get(NAME).cloned()).unwrap_or(ContextValue::Null)
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(boolean) => (*boolean).into(),
        Value::Int(integer) => (*integer).into(),
        Value::Float(float) => (*float).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Struct(fields) => fields.fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect(),
    }
}

/// OpenFeature has no null: what is one is left out.
fn structure(map: &Map<String, Json>) -> StructValue {
    let fields = map.iter().filter_map(|(name, value)| Some((name.clone(), from_value(value)?)));
    StructValue { fields: fields.collect() }
}

fn from_value(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(boolean) => Value::Bool(*boolean),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().filter_map(from_value).collect()),
        Json::Object(map) => Value::Struct(structure(map)),
    })
}

fn resolution<T>(detail: Detail<Option<T>>, environment: Option<&str>) -> EvaluationResult<ResolutionDetails<T>> {
    let flag_metadata = flag_metadata(&detail, environment);
    match detail.value {
        Some(value) => Ok(ResolutionDetails {
            value,
            variant: detail.variant,
            reason: Some(reason(detail.reason)),
            flag_metadata: Some(flag_metadata),
        }),
        None => {
            let code = error_code(detail.error_code.unwrap_or(ErrorCode::General), detail.message.as_deref());
            Err(EvaluationError { code, message: detail.message })
        }
    }
}

/// The flag's own, and what the server adds by OFREP; and how old a stale answer may be.
fn flag_metadata<T>(detail: &Detail<T>, environment: Option<&str>) -> FlagMetadata {
    let mut told = FlagMetadata::default();
    for (name, scalar) in detail.metadata.iter().filter(|(name, _)| !metadata::is_own(name)) {
        match scalar {
            Scalar::Boolean(boolean) => told.add_value(name, *boolean),
            Scalar::Number(number) => match integer(*number) {
                Some(integer) => told.add_value(name, integer),
                None => told.add_value(name, *number),
            },
            Scalar::Text(text) => told.add_value(name, &**text),
        }
    }
    if let Some(revision) = detail.revision {
        if let Ok(revision) = i64::try_from(revision) {
            told.add_value(metadata::REVISION, revision);
        }
        told.add_value(metadata::VERSION, revision.to_string());
    }
    let age = detail.age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    if let Some(age) = age {
        told.add_value(metadata::AGE_MS, age);
    }
    let texts = [
        (metadata::FLAG_SET_ID, environment),
        (metadata::RULE, detail.rule.as_deref()),
        (metadata::PREREQUISITE, detail.prerequisite.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            told.add_value(name, text);
        }
    }
    told
}

/// A whole number as one.
#[expect(clippy::cast_possible_truncation, reason = "it is whole, and within ±2⁵³ as all numbers of documents")]
fn integer(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then_some(number as i64)
}

fn reason(reason: Reason) -> EvaluationReason {
    match reason {
        Reason::Static => EvaluationReason::Static,
        Reason::Default => EvaluationReason::Default,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Split => EvaluationReason::Split,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Cached => EvaluationReason::Cached,
        Reason::Unknown => EvaluationReason::Unknown,
        Reason::Error => EvaluationReason::Error,
        // The crate does not know it, and takes what it does not know.
        Reason::Stale => EvaluationReason::Other(Reason::Stale.as_str().to_owned()),
    }
}

fn error_code(code: ErrorCode, message: Option<&str>) -> EvaluationErrorCode {
    match code {
        ErrorCode::ProviderNotReady => EvaluationErrorCode::ProviderNotReady,
        ErrorCode::FlagNotFound => EvaluationErrorCode::FlagNotFound,
        ErrorCode::ParseError => EvaluationErrorCode::ParseError,
        ErrorCode::TypeMismatch => EvaluationErrorCode::TypeMismatch,
        ErrorCode::TargetingKeyMissing => EvaluationErrorCode::TargetingKeyMissing,
        ErrorCode::InvalidContext => EvaluationErrorCode::InvalidContext,
        ErrorCode::ProviderFatal | ErrorCode::General => {
            EvaluationErrorCode::General(message.unwrap_or(code.as_str()).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use open_feature::FlagMetadataValue;

    use super::*;

    #[test]
    fn a_stale_answer_says_how_old_it_may_be() {
        let detail = |age| Detail {
            value: Some(true),
            variant: Some("on".to_owned()),
            reason: Reason::Stale,
            age,
            error_code: None,
            message: None,
            rule: None,
            prerequisite: None,
            revision: Some(7),
            metadata: Default::default(),
        };
        for (age, told) in [(None, None), (Some(Duration::from_millis(11_500)), Some(FlagMetadataValue::Int(11_500)))] {
            let details = resolution(detail(age), None).unwrap();
            assert_eq!(details.flag_metadata.unwrap().values.get(metadata::AGE_MS), told.as_ref());
        }
    }
}
