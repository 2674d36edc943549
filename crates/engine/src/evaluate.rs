//! Evaluation: from a program and a context to an answer.

use daybreak_model::limits::BUCKETS;
use daybreak_model::{Context, ContextValue, ErrorCode, Key, Reason};

use crate::bucket::{Purpose, bucket};
use crate::program::{Attribute, Program, Rule, Serve};
use crate::{Detail, FlagIndex, Snapshot};

/// A split's key is missing.
#[derive(Debug)]
pub(crate) struct KeyMissing;

pub(crate) fn evaluate<'s>(
    snapshot: &'s Snapshot,
    index: FlagIndex,
    program: &'s Program,
    context: &Context,
) -> Detail<'s> {
    let answer = |variant: u16, reason: Reason, rule: Option<&'s Key>, prerequisite: Option<&'s Key>| {
        let chosen = program.variants.get(usize::from(variant));
        Detail {
            value: chosen.map(|(_, value)| value),
            variant: chosen.map(|(name, _)| name),
            variant_index: Some(variant),
            reason,
            rule,
            error: None,
            prerequisite,
            flag: Some(index),
            revision: program.revision,
            metadata: Some(&program.metadata),
        }
    };
    // Turning a flag off works also where its rules are broken.
    if let (false, Some(off)) = (program.enabled, program.off) {
        return answer(off, Reason::Disabled, None, None);
    }
    let (None, Some(off)) = (&program.broken, program.off) else {
        return Detail::failed(program, index, ErrorCode::ParseError);
    };
    if let Some(failed) = failed_prerequisite(snapshot, program, context) {
        return answer(off, Reason::Disabled, None, Some(failed));
    }
    for rule in &program.rules {
        match apply(snapshot, program, rule, context) {
            Ok(Some((variant, reason))) => return answer(variant, reason, Some(&rule.name), None),
            Ok(None) => {}
            Err(KeyMissing) => {
                let detail = Detail::failed(program, index, ErrorCode::TargetingKeyMissing);
                return Detail { rule: Some(&rule.name), ..detail };
            }
        }
    }
    let reason = if program.rules.is_empty() { Reason::Static } else { Reason::Default };
    answer(program.default, reason, None, None)
}

/// The first prerequisite that does not serve the wanted variant. One that is disabled or in error has failed,
/// even if its off variant is the wanted one.
fn failed_prerequisite<'s>(snapshot: &'s Snapshot, program: &'s Program, context: &Context) -> Option<&'s Key> {
    let failed = |(key, wanted): &&(Key, Key)| !meets(&snapshot.evaluate(key.as_str(), context), wanted);
    program.prerequisites.iter().find(failed).map(|(key, _)| key)
}

/// Whether an answer meets a prerequisite.
pub(crate) fn meets(detail: &Detail<'_>, wanted: &Key) -> bool {
    !matches!(detail.reason, Reason::Disabled | Reason::Error) && detail.variant == Some(wanted)
}

/// What a rule serves to a context, if it takes it.
fn apply(
    snapshot: &Snapshot,
    program: &Program,
    rule: &Rule,
    context: &Context,
) -> Result<Option<(u16, Reason)>, KeyMissing> {
    if !rule.condition.as_ref().is_none_or(|condition| condition.holds(context, &snapshot.segments).is_true()) {
        return Ok(None);
    }
    if let Some(share) = rule.percentage
        && !within(share, Purpose::Rule, program, rule, context)?
    {
        return Ok(None);
    }
    Ok(match &rule.serve {
        Serve::One(variant) if rule.percentage.is_some() => Some((*variant, Reason::Split)),
        Serve::One(variant) => Some((*variant, Reason::TargetingMatch)),
        Serve::Rollout(shares) => Some((split(shares, program, rule, context)?, Reason::Split)),
    })
}

fn within(share: u32, purpose: Purpose, program: &Program, rule: &Rule, context: &Context) -> Result<bool, KeyMissing> {
    match share {
        0 => Ok(false),
        BUCKETS => Ok(true),
        share => Ok(bucket_by(&rule.by, purpose, &program.salt, context).ok_or(KeyMissing)? < share),
    }
}

pub(crate) fn split(
    shares: &[(u32, u16)],
    program: &Program,
    rule: &Rule,
    context: &Context,
) -> Result<u16, KeyMissing> {
    // A variant that has everybody needs no key.
    let mut begin = 0;
    for (end, variant) in shares {
        if end - begin == BUCKETS {
            return Ok(*variant);
        }
        begin = *end;
    }
    let bucket = bucket_by(&rule.by, Purpose::Rollout, &program.salt, context).ok_or(KeyMissing)?;
    shares.iter().find(|(end, _)| bucket < *end).map(|(_, variant)| *variant).ok_or(KeyMissing)
}

/// The bucket of an attribute: of a text, or of an integer as decimal text. An empty text is absent.
pub(crate) fn bucket_by(by: &Attribute, purpose: Purpose, salt: &str, context: &Context) -> Option<u32> {
    match by.of(context)? {
        ContextValue::Text(text) if !text.is_empty() => Some(bucket(purpose, salt, text.as_bytes())),
        ContextValue::Number(number) if number.fract() == 0.0 && number.abs() <= 2_f64.powi(53) => {
            #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2⁵³")]
            let integer = *number as i64;
            let mut digits = [0; 20];
            Some(bucket(purpose, salt, decimal(integer, &mut digits)))
        }
        _ => None,
    }
}

/// The decimal text of an integer, without allocating.
fn decimal(integer: i64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    let mut rest = integer.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if integer < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    &digits[at..]
}
