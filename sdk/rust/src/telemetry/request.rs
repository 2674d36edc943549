//! What a request keeps of its trace: the span that it began in, which is told of its draws wherever they are made.

use std::hash::Hash;

use daybreak_model::wire::BaggageDraw;
use daybreak_model::{Arm, RunId};
use parking_lot::Mutex;

use super::names::{self, Attribute, Value};
use super::span::Span;
use super::told::Told;
use super::{DrawTold, StrikeTold, tell};

/// What a request keeps of its trace, until it is over.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    /// Taken out when the request is over: the span is its application's, and ends when that says so.
    span: Mutex<Option<Span>>,
    told: Mutex<Told>,
    /// The first run that drew the request: the one that its span is told of by the names without a run.
    first: Mutex<Option<RunId>>,
}

impl RequestTrace {
    pub(super) fn new(span: Span) -> Self {
        Self { span: Mutex::new(Some(span)), told: Mutex::default(), first: Mutex::default() }
    }

    /// The draws that the caller made are known before any point is passed, and where none ever is.
    pub(crate) fn arrived(&self, draws: &[BaggageDraw]) {
        tell("the draws of a caller", || {
            // What treats it comes first, as the span has one run in full.
            let of = |arm| draws.iter().filter(move |draw| draw.arm == arm);
            for draw in of(Arm::Treated).chain(of(Arm::Control)) {
                self.tell_request(draw.run, draw.arm, names::of_arm(draw.run, draw.arm).into());
            }
        });
    }

    /// A run draws the request. What the root drew is no event of its own where it is only followed.
    pub(crate) fn drawn(&self, draw: &DrawTold<'_>, by_root: bool) {
        tell("a draw", || {
            if by_root {
                self.with_current(|span| span.drawn(draw));
            }
            self.tell_request(draw.run, draw.arm, names::of_draw(draw));
        });
    }

    /// A run strikes the request.
    pub(crate) fn struck(&self, strike: &StrikeTold<'_>) {
        tell("a strike", || {
            let attributes = names::of_strike(strike);
            self.with_current(|span| {
                span.struck(strike);
                self.set(span, attributes.clone());
            });
            self.tell_request(strike.run, Arm::Treated, attributes);
            self.with_own(|span| {
                self.set_of(span, names::EFFECT_PREFIX, strike.run, strike.effect);
                self.set(span, vec![(names::STRUCK, Value::Yes)]);
            });
        });
    }

    /// A strike of this run is cut short: the run ended, or the lease, before it was over.
    pub(crate) fn cut_short(&self, strike: &DrawTold<'_>) {
        tell("a strike that was cut short", || {
            let cut_short = || vec![(names::CUT_SHORT, Value::Yes)];
            self.with_current(|span| {
                span.cut_short(strike);
                self.set(span, cut_short());
            });
            self.with_own(|span| self.set(span, cut_short()));
        });
    }

    /// The id of its trace, where it is known and kept: for numbers that lead to an example.
    pub(crate) fn exemplar(&self) -> Option<u128> {
        tell("a strike", || self.span.lock().as_ref().and_then(Span::kept_trace)).flatten()
    }

    /// The request is over.
    pub(crate) fn finish(&self) {
        let span = self.span.lock().take();
        tell("the end of a request", || drop(span));
    }

    pub(super) fn told<T>(&self, f: impl FnOnce(&mut Told) -> T) -> T {
        f(&mut self.told.lock())
    }

    /// Has the request's span told: of each run that drew it, of the first one in full, and whether any treats it.
    fn tell_request(&self, run: RunId, arm: Arm, attributes: Vec<Attribute>) {
        let first = *self.first.lock().get_or_insert(run) == run;
        self.with_own(|span| {
            self.set_of(span, names::ARM_PREFIX, run, names::arm(arm));
            if first {
                self.set(span, attributes);
            }
            if arm == Arm::Treated {
                self.set(span, vec![(names::TREATED, Value::Yes)]);
            }
        });
    }

    /// Sets those of the attributes that the span does not have yet.
    fn set(&self, span: &Span, mut attributes: Vec<Attribute>) {
        attributes.retain(|(name, _)| self.is_new(span, name));
        span.set_all(&attributes);
    }

    /// Sets an attribute of one run, unless the span has it.
    fn set_of(&self, span: &Span, prefix: &'static str, run: RunId, text: &str) {
        let run = run.to_string();
        let name = (prefix, run.as_str());
        if self.is_new(span, &name) {
            span.set_of(name, text);
        }
    }

    fn is_new(&self, span: &Span, name: &(impl Hash + ?Sized)) -> bool {
        span.id().is_some_and(|id| self.told(|told| told.is_new(id, name)))
    }

    fn with_own(&self, f: impl FnOnce(&Span)) {
        let span = self.span.lock().clone();
        if let Some(span) = span {
            f(&span);
        }
    }

    /// The span that the request is in now; what is not recorded is told nothing.
    fn with_current(&self, f: impl FnOnce(&Span)) {
        let through = self.span.lock().as_ref().map(Span::through);
        if let Some(span) = through.and_then(Span::current) {
            f(&span);
        }
    }
}
