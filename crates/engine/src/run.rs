//! Compiled runs: whom they select, how they draw, what they do.

use std::time::Duration;

use daybreak_model::limits::{BUCKETS, EFFECT_DURATION_MAX};
use daybreak_model::wire::RunSpec;
use daybreak_model::{
    Arm, Condition, Context, Distribution, DrawBy, DrawKey, ErrorEffect, Key, KeyHash, Latency, Millis, Percentage,
    RunId,
};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp, LogNormal, Normal, Pareto, Uniform};

use crate::assemble::Assembler;
use crate::bucket::{Purpose, bucket_after, hash, head};
use crate::code::{Attribute, OwnCode, Segments};
use crate::evaluate::{bucket_by, with_key};
use crate::segments;
use crate::truth::Truth;

/// A compiled run.
#[derive(Debug)]
pub struct Run {
    id: RunId,
    spec: RunSpec,
    when: Option<OwnCode>,
    protect: Box<[OwnCode]>,
    segments: Segments,
    /// What stands before the key where it draws.
    draws_after: Box<[u8]>,
}

/// Why a run cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run of `{fault}` cannot be compiled: {why}")]
pub struct RunError {
    fault: Key,
    why: String,
}

/// What happens to one pass of a treated request, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Strike<'r> {
    /// Wait this long.
    pub latency: Option<Duration>,
    /// Then wait for nothing, this long.
    pub hang: Option<Duration>,
    /// Hand this to the application.
    pub data: Option<&'r serde_json::Value>,
    /// Then fail.
    pub then: Option<Failure<'r>>,
}

/// How a pass fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure<'r> {
    /// With an error.
    Error(&'r ErrorEffect),
    /// By breaking the connection.
    Abort,
}

impl Run {
    /// Compiles what a run pinned.
    ///
    /// # Errors
    /// When it names a segment that it does not bring along.
    pub fn compile(id: RunId, spec: RunSpec) -> Result<Self, RunError> {
        let segments = segments::compile(&spec.segments);
        let error = |why| RunError { fault: spec.fault.clone(), why };
        let compile = |condition: &Condition| {
            let mut code = Assembler::default();
            code.condition(condition, &segments).map(|()| code.finish()).map_err(error)
        };
        let when = spec.when.as_ref().map(compile).transpose()?;
        let protected = |key: &Key| compile(&Condition::Segment(key.clone()));
        let protect = spec.protect.iter().map(protected).collect::<Result<_, _>>()?;
        let draws_after = head(Purpose::Fault, spec.salt.as_bytes()).into();
        Ok(Self { id, when, protect, segments, draws_after, spec })
    }

    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// What it pinned.
    #[must_use]
    pub const fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Whether a pass may be eligible: the operation (of the fault, and of the guard's SLO) and the host are its own, its condition is *true*, and
    /// the context is surely in no protected segment. Where the context does not say, it counts as protected.
    #[must_use]
    pub fn selects(&self, operation: &str, host: Option<&str>, context: &Context) -> bool {
        let measured = self.spec.measure.as_ref().is_none_or(|measure| measure.operation == operation);
        let operation = measured && self.spec.operation.as_deref().is_none_or(|own| own == operation);
        let host = self.spec.host.as_deref().is_none_or(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)));
        let holds = |code: &OwnCode| code.code().holds(context, &self.segments).0;
        operation
            && host
            && self.when.as_ref().is_none_or(|when| holds(when).is_true())
            && self.protect.iter().all(|protected| holds(protected) == Truth::False)
    }

    /// Which arm a request is in; `None` where the draw is sticky and its key is missing.
    #[must_use]
    pub fn draw(&self, percentage: Percentage, key: DrawKey, context: &Context) -> Option<Arm> {
        let share = percentage.thousandths();
        let bucket = match &self.spec.by {
            DrawBy::Request => bucket_after(&self.draws_after, &key.digits()),
            DrawBy::Attribute(name) => bucket_by(Attribute::named(name), &self.draws_after, context)?,
        };
        debug_assert!(bucket < BUCKETS, "a bucket is below 100,000");
        Some(if bucket < share { Arm::Treated } else { Arm::Control })
    }

    /// The hash of the key that a sticky draw is made by. It tells nothing of the draw: its purpose is another.
    #[must_use]
    pub fn key_hash(&self, context: &Context) -> Option<KeyHash> {
        match &self.spec.by {
            DrawBy::Request => None,
            DrawBy::Attribute(name) => key_hash(name, &self.spec.salt, context),
        }
    }

    /// What happens to the `pass`-th pass, from 0, of a treated request; `None` where `times` spares it, or
    /// where the run is a shadow. The same for the same salt, key and pass, on any machine.
    #[must_use]
    pub fn strike(&self, key: DrawKey, pass: u32) -> Option<Strike<'_>> {
        if self.spec.shadow || self.spec.times.is_some_and(|times| pass >= times.get()) {
            return None;
        }
        let effect = &self.spec.effect;
        let latency = effect.latency.map(|latency| {
            let seed = hash([b"latency", self.spec.salt.as_bytes(), &key.digits(), &pass.to_be_bytes()]);
            sample(&latency, &mut ChaCha8Rng::seed_from_u64(seed))
        });
        let error = effect.error.as_ref().map(Failure::Error);
        Some(Strike {
            latency,
            hang: effect.hang.map(|hang| hang.max.min(EFFECT_DURATION_MAX).to_duration()),
            data: effect.data.as_ref(),
            then: error.or(effect.abort.then_some(Failure::Abort)),
        })
    }
}

/// The hash of the key that an attribute holds; `None` where it holds none.
#[must_use]
pub fn key_hash(attribute: &str, salt: &str, context: &Context) -> Option<KeyHash> {
    let hash = |key: &[u8]| KeyHash::new(hash([b"key", salt.as_bytes(), key]));
    with_key(Attribute::named(attribute), context, hash)
}

/// A latency between nothing and its `max`.
fn sample(latency: &Latency, rng: &mut ChaCha8Rng) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2⁵³ ms")]
    let ms = |millis: Millis| millis.get() as f64;
    // A distribution that cannot be made injects nothing: never more than asked.
    let sampled = match latency.distribution {
        Distribution::Fixed(length) => ms(length),
        Distribution::Uniform { from, to } => {
            Uniform::new_inclusive(ms(from), ms(to)).map_or(0.0, |uniform| uniform.sample(rng))
        }
        Distribution::Normal { mean, sd } => Normal::new(ms(mean), ms(sd)).map_or(0.0, |normal| normal.sample(rng)),
        Distribution::Lognormal { median, sigma } => {
            LogNormal::new(ms(median).ln(), sigma).map_or(0.0, |lognormal| lognormal.sample(rng))
        }
        Distribution::Exponential { mean } => {
            Exp::new(1.0 / ms(mean)).map_or(0.0, |exponential| exponential.sample(rng))
        }
        Distribution::Pareto { min, shape } => Pareto::new(ms(min), shape).map_or(0.0, |pareto| pareto.sample(rng)),
    };
    let max = ms(latency.max.min(EFFECT_DURATION_MAX));
    let clamped = if sampled.is_nan() { 0.0 } else { sampled.clamp(0.0, max) };
    Duration::from_secs_f64(clamped / 1_000.0)
}
