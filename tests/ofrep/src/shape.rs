//! The forms of answers, as the specification's schemas have them.

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

/// The reasons of OpenFeature. OFREP's own list leaves four out, which servers need and clients know.
const REASONS: [&str; 9] =
    ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "CACHED", "DISABLED", "UNKNOWN", "STALE", "ERROR"];
/// The error codes of `evaluationFailure`, and `FLAG_NOT_FOUND`, which the example of a bulk evaluation has.
const CODES: [&str; 5] = ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL", "FLAG_NOT_FOUND"];

/// `evaluationSuccess`.
pub(crate) fn success(item: &Json) -> Result<()> {
    ensure!(item["key"].is_string(), "`key` is missing: {item}");
    let reason = item["reason"].as_str().with_context(|| format!("`reason` is missing: {item}"))?;
    ensure!(REASONS.contains(&reason), "`{reason}` is no reason of OpenFeature");
    ensure!(item.get("errorCode").is_none(), "a success has no `errorCode`: {item}");
    let value = item.get("value");
    ensure!(value.is_none_or(|value| !value.is_null() && !value.is_array()), "a `value` of no type: {item}");
    let variant = item.get("variant");
    ensure!(variant.is_none_or(Json::is_string), "`variant` is no string: {item}");
    metadata(item)
}

/// `evaluationFailure`, or `flagNotFound`.
pub(crate) fn failure(item: &Json, key: Option<&str>) -> Result<()> {
    ensure!(key.is_none() || item["key"].as_str() == key, "`key` is not the one asked for: {item}");
    let code = item["errorCode"].as_str().with_context(|| format!("`errorCode` is missing: {item}"))?;
    ensure!(CODES.contains(&code), "`{code}` is no error code of OFREP");
    let details = item.get("errorDetails");
    ensure!(details.is_none_or(Json::is_string), "`errorDetails` is no string: {item}");
    metadata(item)
}

/// Metadata hold booleans, strings and numbers.
pub(crate) fn metadata(item: &Json) -> Result<()> {
    let Some(metadata) = item.get("metadata") else { return Ok(()) };
    let entries = metadata.as_object().with_context(|| format!("`metadata` is no object: {item}"))?;
    let scalar = |value: &Json| value.is_boolean() || value.is_string() || value.is_number();
    ensure!(entries.values().all(scalar), "metadata hold booleans, strings and numbers alone: {metadata}");
    Ok(())
}

/// An entity tag as RFC 9110 has it.
pub(crate) fn entity_tag(tag: &str) -> bool {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"')
}
