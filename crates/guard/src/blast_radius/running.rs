//! While runs are active: what they strike, against what was asked for and against the limit.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{Arm, Percentage, RunId};

use super::{TREATED_MIN, Z_ABORT, ratio, wilson};
use crate::clients::{Place, RunCounts};
use crate::run::Run;

/// What one run strikes in one place.
#[derive(Clone, Copy, Debug)]
struct Struck<'r> {
    run: &'r Run,
    struck: u64,
    requests: u64,
}

impl Struck<'_> {
    fn share(&self) -> f64 {
        ratio(self.struck, self.requests)
    }

    /// How far the share may be above what it would be without end, squared.
    fn doubt(&self) -> f64 {
        let (centre, spread) = wilson(self.struck, self.requests, Z_ABORT);
        (self.share() - (centre - spread).max(0.0)).max(0.0).powi(2)
    }
}

/// The active runs that strike too much, each with a sentence that has the numbers: those that strike half as much
/// again as they were asked to, once [`TREATED_MIN`] requests were treated; and, where all the others together
/// strike more of a place's root requests than the limit, beyond chance, the youngest of these, until the rest do
/// not. What was waived for one of them holds for the place, as it did at the start.
///
/// Shares of several runs are added up, and so are the squares of what each may be off: G. Y. Zou and A. Donner,
/// "Construction of confidence limits about effect measures: a general approach", Statistics in Medicine 27 (2008)
/// 1693–1702. For one run this is Wilson's bound itself.
#[must_use]
pub fn exceeding(active: &[(&Run, &RunCounts)], limit: Percentage) -> BTreeMap<RunId, String> {
    let alone = active.iter().filter_map(|(run, counts)| Some((run.id, more_than_asked(run, counts)?)));
    let mut exceeding: BTreeMap<RunId, String> = alone.collect();
    for (place, mut striking) in by_place(active) {
        striking.retain(|one| !exceeding.contains_key(&one.run.id));
        // The youngest is last.
        striking.sort_by_key(|one| (one.run.started_at, one.run.id));
        while let Some(youngest) = striking.last() {
            let Some(sentence) = beyond(place, &striking, limit) else { break };
            exceeding.insert(youngest.run.id, sentence);
            striking.pop();
        }
    }
    exceeding
}

/// What was struck in one stage, or in all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    treated: u64,
    eligible: u64,
    struck: u64,
    /// So many of the eligible requests were asked for.
    asked: f64,
}

impl Asked {
    fn plus(self, other: Self) -> Self {
        Self {
            treated: self.treated.saturating_add(other.treated),
            eligible: self.eligible.saturating_add(other.eligible),
            struck: self.struck.saturating_add(other.struck),
            asked: self.asked + other.asked,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    fn is_exceeded(self) -> bool {
        self.treated >= TREATED_MIN && self.struck as f64 > self.asked * 1.5
    }

    fn sentence(self, asked: &str) -> String {
        let Self { struck, eligible, .. } = self;
        let share = 100.0 * ratio(struck, eligible);
        format!("{struck} of {eligible} eligible requests were struck: {share:.3} %, where {asked} was asked for")
    }
}

/// Each stage is held against its own share; and all together against what they asked for together, since a short stage
/// treats too few to say anything by itself.
fn more_than_asked(run: &Run, counts: &RunCounts) -> Option<String> {
    let counted = counts.stages();
    let of = |stage: u32| {
        let arm = |arm| counted.get(&(stage, arm)).copied().unwrap_or_default();
        let (treated, control) = (arm(Arm::Treated), arm(Arm::Control));
        let eligible = treated.requests.saturating_add(control.requests);
        let struck = treated.struck.saturating_add(control.struck);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
        let asked = run.percentage_of(stage).ratio() * eligible as f64;
        Asked { treated: treated.requests, eligible, struck, asked }
    };
    let stages: BTreeSet<u32> = counted.keys().map(|(stage, _)| *stage).collect();
    let each: Vec<(u32, Asked)> = stages.into_iter().map(|stage| (stage, of(stage))).collect();
    if let Some((stage, one)) = each.iter().find(|(_, one)| one.is_exceeded()) {
        let ramped = if run.ramp.is_empty() { String::new() } else { format!(" in stage {stage}") };
        return Some(one.sentence(&run.percentage_of(*stage).to_string()) + &ramped);
    }
    let all = each.iter().fold(Asked::default(), |sum, (_, one)| sum.plus(*one));
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    let mean = || format!("{:.3} % over all stages", 100.0 * all.asked / all.eligible.max(1) as f64);
    all.is_exceeded().then(|| all.sentence(&mean()))
}

/// The runs that have struck, by place.
fn by_place<'r>(active: &[(&'r Run, &'r RunCounts)]) -> BTreeMap<&'r Place, Vec<Struck<'r>>> {
    let mut places: BTreeMap<&Place, Vec<Struck<'r>>> = BTreeMap::new();
    for (run, counts) in active {
        for (place, struck, requests) in counts.struck() {
            places.entry(place).or_default().push(Struck { run, struck, requests });
        }
    }
    places
}

/// Why these runs together strike more of a place than the limit, if they do.
fn beyond(place: &Place, striking: &[Struck<'_>], limit: Percentage) -> Option<String> {
    let limit = striking.iter().map(|one| one.run.blast_radius_max(limit)).max()?;
    let share: f64 = striking.iter().map(Struck::share).sum();
    let doubt = striking.iter().map(Struck::doubt).sum::<f64>().sqrt();
    if share - doubt <= limit.ratio() {
        return None;
    }
    let Place { service, operation } = place;
    let share = 100.0 * share;
    Some(match striking {
        [Struck { struck, requests, .. }] => format!(
            "{struck} of {requests} root requests of `{operation}` in {service} were struck: {share:.3} %, where the \
             limit is {limit}"
        ),
        _ => {
            let parts = striking.iter().map(|one| format!("{:.3} % by run {}", 100.0 * one.share(), one.run.id));
            format!(
                "{} runs together struck {share:.3} % of the root requests of `{operation}` in {service} ({}), where \
                 the limit is {limit}; this is the youngest of them",
                striking.len(),
                parts.collect::<Vec<_>>().join(", ")
            )
        }
    })
}
