//! From flags to programs.

use std::sync::Arc;

use daybreak_model::limits::{BUCKETS, EVALUATION_STEPS_MAX};
use daybreak_model::{Flag, Key, Percentage, Rule, Serve, TARGETING_KEY, Value};
use smol_str::SmolStr;

use crate::assemble::{Assembler, narrow, narrower};
use crate::bucket::{Purpose, head};
use crate::code::Segments;
use crate::program::{
    BOOLEAN, BROKEN, ENABLED, FIXED, FLOAT, Facts, HAS_OFF, HAS_PREREQUISITES, HEAD, INTEGER, ONE, OTHER, PART,
    Program, ROLLOUT, RULE, TEXT,
};

/// Compiles a flag. One that cannot be is broken, and says why.
pub(crate) fn compile(key: &Key, flag: &Flag, revision: u64, segments: &Segments) -> Program {
    let salt = flag.salt.as_deref().unwrap_or(key.as_str()).as_bytes();
    let heads = match flag.rules.iter().any(divides) {
        true => [head(Purpose::Rollout, salt), head(Purpose::Rule, salt)].concat(),
        false => Vec::new(),
    };
    let heads_length = narrower(heads.len(), "its salt, twice,");
    let mut code = Assembler::default();
    code.bytes.extend([0; HEAD]);
    code.bytes.extend(key.as_str().as_bytes());
    // What breaks the flag must not move what turns it off.
    code.bytes.extend(heads_length.as_ref().map_or(&[][..], |_| &heads));
    let texts = values(flag, &mut code);
    let rules_at = code.bytes.len();
    let rules = flag.rules.iter().try_for_each(|source| rule(source, flag, segments, &mut code));
    let (off, default) = (variant(flag, flag.off_variant()), variant(flag, &flag.default));
    let errors = [
        rules.err(),
        narrower(flag.rules.len(), "the list of its rules").err(),
        followable(flag, segments).err(),
        off.clone().err(),
        default.clone().err(),
        heads_length.clone().err(),
    ];
    let broken = errors.into_iter().flatten().next();

    let bits = [
        (ENABLED, flag.enabled),
        (BROKEN, broken.is_some()),
        (HAS_PREREQUISITES, !flag.prerequisites.is_empty()),
        (HAS_OFF, off.is_ok()),
        (FIXED, flag.enabled && broken.is_none() && flag.prerequisites.is_empty() && flag.rules.is_empty()),
    ];
    let state = bits.into_iter().filter(|(_, is)| *is).fold(0, |state, (bit, _)| state | bit);
    // A key has at most 100 bytes.
    let mut head = vec![state, u8::try_from(key.as_str().len()).unwrap_or_default()];
    head.extend(heads_length.unwrap_or_default().to_le_bytes());
    head.extend(narrow(rules_at).unwrap_or_default().to_le_bytes());
    head.extend(off.unwrap_or_default().to_le_bytes());
    head.extend(default.unwrap_or_default().to_le_bytes());
    code.bytes[..HEAD].copy_from_slice(&head);
    if broken.is_some() {
        code.bytes.truncate(rules_at);
    }

    let code = code.finish();
    let facts = Facts {
        key: key.clone(),
        revision,
        variants: flag.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        names: flag.rules.iter().map(|rule| rule.name.clone()).collect(),
        rares: code.rares,
        prerequisites: flag.prerequisites.iter().map(|(key, variant)| (key.clone(), variant.clone())).collect(),
        metadata: flag.metadata.clone(),
        value_type: flag.value_type(),
        client: flag.client,
        broken,
    };
    let texts = (!texts.is_empty()).then(|| texts.into());
    Program { bytes: code.bytes.into(), texts, facts: Arc::new(facts) }
}

/// Writes the values of the variants; their texts.
fn values(flag: &Flag, code: &mut Assembler) -> Vec<SmolStr> {
    let mut texts = Vec::new();
    for value in flag.variants.values() {
        let (kind, word) = match value {
            Value::Boolean(value) => (BOOLEAN, u64::from(*value)),
            Value::Integer(value) => (INTEGER, value.cast_unsigned()),
            Value::Float(value) => (FLOAT, value.to_bits()),
            Value::String(text) => {
                texts.push(text.clone());
                (TEXT, texts.len() as u64 - 1)
            }
            Value::Object(_) => (OTHER, 0),
        };
        code.bytes.push(kind);
        code.bytes.extend(word.to_le_bytes());
    }
    texts
}

/// Whether a rule takes or serves by a key.
const fn divides(rule: &Rule) -> bool {
    rule.percentage.is_some() || matches!(rule.serve, Serve::Rollout(_))
}

/// Whether the segments that its rules name cost no more than one evaluation may.
fn followable(flag: &Flag, segments: &Segments) -> Result<(), String> {
    let steps = flag.segments().map(|key| segments.cost(&key).steps).fold(0_u64, u64::saturating_add);
    if steps <= EVALUATION_STEPS_MAX { Ok(()) } else { Err("its segments are too many to follow".to_owned()) }
}

fn variant(flag: &Flag, name: &Key) -> Result<u16, String> {
    let index = flag.variants.keys().position(|known| known == name);
    index.and_then(|index| index.try_into().ok()).ok_or_else(|| format!("there is no variant `{name}`"))
}

fn rule(source: &Rule, flag: &Flag, segments: &Segments, code: &mut Assembler) -> Result<(), String> {
    let (serve, served) = match (&source.serve, source.percentage) {
        (Serve::Serve(name), None) => (ONE, variant(flag, name)?),
        (Serve::Serve(name), Some(_)) => (PART, variant(flag, name)?),
        (Serve::Rollout(_), _) => (ROLLOUT, 0),
    };
    let at = code.bytes.len();
    code.bytes.extend([serve, u8::from(source.when.is_some())]);
    code.bytes.extend(served.to_le_bytes());
    code.bytes.extend([0; 4]);
    if let Some(when) = &source.when {
        code.condition(when, segments)?;
    }
    if serve != ONE {
        split(source, flag, code)?;
    }
    let length = narrow(code.bytes.len() - at - RULE)?;
    code.bytes[at + RULE - 4..at + RULE].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn split(source: &Rule, flag: &Flag, code: &mut Assembler) -> Result<(), String> {
    let mut shares: Vec<(u32, u16)> = Vec::new();
    if let Serve::Rollout(rollout) = &source.serve {
        let mut end = 0;
        for (name, share) in rollout {
            end += share.thousandths();
            shares.push((end, variant(flag, name)?));
        }
        // A variant that has everybody needs no key, and no other.
        if let Some(at) = rollout.values().position(|share| *share == Percentage::FULL) {
            shares = vec![shares[at]];
        }
        if end != BUCKETS {
            return Err(format!("the rollout of rule `{}` does not sum to 100%", source.name));
        }
    }
    let by = source.by.as_deref().unwrap_or(TARGETING_KEY);
    code.bytes.extend(source.percentage.map_or(BUCKETS, Percentage::thousandths).to_le_bytes());
    code.bytes.extend(narrower(by.len(), "an attribute's name")?.to_le_bytes());
    code.bytes.extend(narrower(shares.len(), "the list of shares")?.to_le_bytes());
    code.attribute(by);
    for (end, variant) in shares {
        code.bytes.extend(end.to_le_bytes());
        code.bytes.extend(variant.to_le_bytes());
    }
    Ok(())
}
