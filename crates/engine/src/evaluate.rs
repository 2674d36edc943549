//! Evaluation: from a program and a context to an answer.

use daybreak_model::limits::BUCKETS;
use daybreak_model::{Context, ContextValue, ErrorCode, Key, Reason};

use crate::bucket::bucket_after;
use crate::code::Attribute;
use crate::program::{BROKEN, ENABLED, FIXED, HAS_PREREQUISITES, ONE, Program, ROLLOUT, Rule, Split};
use crate::{Detail, FlagIndex, Snapshot};

/// A split's key is missing.
#[derive(Debug)]
pub(crate) struct KeyMissing;

/// What a flag serves to a context. Most are booleans without rules, whose answer is at hand.
#[inline]
pub(crate) fn evaluate<'s>(
    snapshot: &'s Snapshot,
    index: FlagIndex,
    program: &'s Program,
    context: &Context,
) -> Detail<'s> {
    if program.head().is(FIXED) {
        return Detail::answer(program, index, program.default(), Reason::Static);
    }
    by_rules(snapshot, index, program, context)
}

#[inline]
fn by_rules<'s>(snapshot: &'s Snapshot, index: FlagIndex, program: &'s Program, context: &Context) -> Detail<'s> {
    if !program.head().is_plain()
        && let Some(answer) = before_rules(snapshot, index, program, context)
    {
        return answer;
    }
    for (at, rule) in (0..).zip(program.rules()) {
        match apply(snapshot, program, rule, context) {
            Ok(None) => {}
            Ok(Some((variant, reason))) => return Detail::answer(program, index, variant, reason).by_rule(at),
            Err(KeyMissing) => {
                return Detail::failed(program, index, ErrorCode::TargetingKeyMissing).by_rule(at);
            }
        }
    }
    let reason = if program.has_rules() { Reason::Default } else { Reason::Static };
    Detail::answer(program, index, program.default(), reason)
}

/// The answer of a flag whose rules are not asked: it is off, broken, or lacks a prerequisite.
#[cold]
fn before_rules<'s>(
    snapshot: &'s Snapshot,
    index: FlagIndex,
    program: &'s Program,
    context: &Context,
) -> Option<Detail<'s>> {
    let head = program.head();
    // Turning a flag off works also where its rules are broken.
    let off = program.off();
    if let (false, Some(off)) = (head.is(ENABLED), off) {
        return Some(Detail::answer(program, index, off, Reason::Disabled));
    }
    let endless = head.is(HAS_PREREQUISITES) && snapshot.endless.contains_key(&index);
    let (false, false, Some(off)) = (head.is(BROKEN), endless, off) else {
        return Some(Detail::failed(program, index, ErrorCode::ParseError));
    };
    let failed = if head.is(HAS_PREREQUISITES) { failed_prerequisite(snapshot, program, context) } else { None };
    failed.map(|failed| Detail::answer(program, index, off, Reason::Disabled).for_want_of(failed))
}

/// The first prerequisite that does not serve the wanted variant. One that is disabled or in error has failed,
/// even if its off variant is the wanted one.
fn failed_prerequisite(snapshot: &Snapshot, program: &Program, context: &Context) -> Option<u16> {
    let failed = |(key, wanted): &(Key, Key)| !meets(&snapshot.evaluate(key.as_str(), context), wanted);
    program.facts.prerequisites.iter().position(failed).map(|at| u16::try_from(at).unwrap_or(u16::MAX))
}

/// Whether an answer meets a prerequisite.
pub(crate) fn meets(detail: &Detail<'_>, wanted: &Key) -> bool {
    !matches!(detail.reason(), Reason::Disabled | Reason::Error) && detail.variant() == Some(wanted)
}

/// What a rule serves to a context, if it takes it.
#[inline]
fn apply(
    snapshot: &Snapshot,
    program: &Program,
    rule: Rule<'_>,
    context: &Context,
) -> Result<Option<(u16, Reason)>, KeyMissing> {
    let mut code = rule.code;
    if rule.conditional() {
        let (truth, rest) = code.holds(context, &snapshot.segments);
        if !truth.is_true() {
            return Ok(None);
        }
        code = rest;
    }
    if rule.serve() == ONE {
        return Ok(Some((rule.variant(), Reason::TargetingMatch)));
    }
    let split = Split::read(code);
    if !split.takes(program, context)? {
        return Ok(None);
    }
    let variant = if rule.serve() == ROLLOUT { split.falls_to(program, context)? } else { rule.variant() };
    Ok(Some((variant, Reason::Split)))
}

impl Split<'_> {
    /// Whether its percentage takes a context.
    #[inline]
    fn takes(&self, program: &Program, context: &Context) -> Result<bool, KeyMissing> {
        match self.percentage {
            0 => Ok(false),
            BUCKETS => Ok(true),
            share => Ok(bucket_by(self.by, program.rule_head(), context).ok_or(KeyMissing)? < share),
        }
    }

    /// The variant of a rollout that a context falls to.
    #[inline]
    pub(crate) fn falls_to(&self, program: &Program, context: &Context) -> Result<u16, KeyMissing> {
        // A variant that has everybody is alone, and needs no key.
        let mut shares = self.shares();
        if let (1, Some((_, variant))) = (shares.len(), shares.next()) {
            return Ok(variant);
        }
        let bucket = bucket_by(self.by, program.rollout_head(), context).ok_or(KeyMissing)?;
        self.shares().find(|(end, _)| bucket < *end).map(|(_, variant)| variant).ok_or(KeyMissing)
    }
}

/// The bucket of the key that an attribute holds, after what stands before it.
#[inline]
pub(crate) fn bucket_by(by: Attribute<'_>, head: &[u8], context: &Context) -> Option<u32> {
    with_key(by, context, |key| bucket_after(head, key))
}

/// The key that an attribute holds: a text, or an integer as decimal text. An empty text is absent.
#[inline]
pub(crate) fn with_key<T>(by: Attribute<'_>, context: &Context, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    match by.of(context)? {
        ContextValue::Text(text) if !text.is_empty() => Some(take(text.as_bytes())),
        value => with_number(value, take),
    }
}

#[cold]
fn with_number<T>(value: &ContextValue, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    match value {
        ContextValue::Number(number) if number.fract() == 0.0 && number.abs() <= 2_f64.powi(53) => {
            #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2⁵³")]
            let integer = *number as i64;
            let mut digits = [0; 20];
            Some(take(decimal(integer, &mut digits)))
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
