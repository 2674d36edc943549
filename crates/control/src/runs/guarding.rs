//! What guards are told: where budgets stand, how people fare, what clients count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_guard::admission::{self, GuardFacts};
use daybreak_guard::budget::{self, Reservations};
use daybreak_guard::clients::{Client, Clients, SloGrowth};
use daybreak_guard::people::PeopleState;
use daybreak_guard::run::{Guarded, Run};
use daybreak_guard::watch::{BudgetSight, PeopleSight, Sight};
use daybreak_model::{Fault, Guard, GuardPolicy, InstanceId, Key, RunId, Slo};
use jiff::Timestamp;

use crate::{Control, State};

/// What is known of what a fault's guard names, at one moment.
#[derive(Debug)]
pub(super) struct Known {
    policy: GuardPolicy,
    slo: Option<Slo>,
    budget: Option<budget::Status>,
    reserved: f64,
    fresh: bool,
    people: Option<PeopleState>,
    /// The number of the first page that these people do not know of yet.
    next_page: u64,
    /// The services of live clients that count outcomes for the SLO.
    roots: BTreeSet<String>,
    sharing: Vec<RunId>,
    shadow_done: bool,
    /// Why the last shadow run on the point does not count.
    shadow_lacks: Option<String>,
    eligible_per_second: Option<f64>,
}

impl Known {
    pub(super) fn facts(&self) -> GuardFacts<'_> {
        GuardFacts {
            slo: self.slo.as_ref(),
            budget: self.budget.as_ref(),
            reserved: self.reserved,
            fresh: self.fresh,
            people: self.people.as_ref(),
            arms_reported: !self.roots.is_empty(),
            roots: self.roots.iter().map(String::as_str).collect(),
            sharing: self.sharing.clone(),
            shadow_done: self.shadow_done,
            shadow_lacks: self.shadow_lacks.as_deref(),
            eligible_per_second: self.eligible_per_second,
        }
    }

    /// What a run pins of it.
    pub(super) fn pinned(self) -> Option<Guarded> {
        let allowed = self.budget.map_or(0.0, |budget| budget.allowed);
        let spend_max = self.policy.max_spend.ratio() * allowed;
        Some(Guarded { policy: self.policy, slo: self.slo?, spend_max, next_page: self.next_page })
    }
}

impl Control {
    /// What is known of what a fault's guard names; none where it has no guard.
    pub(super) fn guard_known(&self, state: &State, fault: &Fault, live: &[&Client], now: Timestamp) -> Option<Known> {
        let Guard::Policy(policy) = &fault.guard else { return None };
        let slo = state.resources().slos.get(&policy.slo);
        let revision = state.revision(daybreak_model::Kind::Slo, policy.slo.as_str()).unwrap_or_default();
        self.define_budgets();
        let (budget, fresh) = {
            let table = self.inner.budgets.lock();
            let status = slo.map(|slo| table.budgets.status(&policy.slo, slo, now));
            (status, slo.is_some() && !self.is_source_stale_in(&table, policy.slo.as_str(), now))
        };
        let (reserved, shadow_done, shadow_lacks, sharing) = {
            let runs = self.inner.runs.lock();
            let sharing = slo.map(|slo| runs.sharing(&policy.slo, slo)).unwrap_or_default();
            let point = &fault.point;
            (runs.reserved(&policy.slo), runs.has_shadow_run(point), runs.shadow_lacks(point), sharing)
        };
        let counting = live.iter().filter(|client| client.counts(&policy.slo, revision));
        let roots: BTreeSet<String> = counting.map(|client| client.service.clone()).collect();
        // Asked first: what comes in between counts twice rather than never.
        let next_page = self.inner.pages.people.lock().next();
        Some(Known {
            policy: policy.clone(),
            budget,
            reserved,
            fresh,
            people: policy.on_call.as_ref().and_then(|on_call| self.people_state(state, on_call, now)),
            next_page,
            sharing,
            shadow_done,
            shadow_lacks,
            eligible_per_second: slo.and_then(|slo| self.eligible_per_second(fault, slo, &roots, now)),
            roots,
            slo: slo.cloned(),
        })
    }

    /// Has error budgets take in what clients counted, of SLOs that Prometheus does not feed.
    pub(super) fn count_outcomes(&self, grown: &[SloGrowth]) {
        if grown.is_empty() {
            return;
        }
        let state = self.state();
        for growth in grown {
            let slo = state.resources().slos.get(&growth.slo);
            if slo.is_some_and(|slo| slo.sli.prometheus.is_none()) {
                self.count(&growth.slo, growth.revision, growth.totals.good, growth.totals.bad);
            }
        }
    }

    fn people_state(&self, state: &State, on_call: &Key, now: Timestamp) -> Option<PeopleState> {
        let definition = state.resources().on_call.get(on_call)?;
        let hours = state.resources().hours.get(&definition.hours)?;
        Some(self.inner.pages.people.lock().state(on_call, definition, hours, now))
    }

    /// Requests that could be eligible, each counted once: where it is at its root.
    fn eligible_per_second(&self, fault: &Fault, slo: &Slo, roots: &BTreeSet<String>, now: Timestamp) -> Option<f64> {
        let clients = self.inner.clients.lock();
        let rate = |root: &String| clients.traffic().eligible_per_second(root, &fault.point, &slo.sli.operation, now);
        let rates = roots.iter().map(rate).collect::<Option<Vec<f64>>>()?;
        rates.into_iter().reduce(|sum, rate| sum + rate)
    }

    /// Where the budgets of the active runs' SLOs stand, and how their on-calls fare.
    pub(super) fn sights<'r>(
        &self,
        active: impl Iterator<Item = &'r Arc<Run>>,
        now: Timestamp,
    ) -> BTreeMap<RunId, (BudgetSight, PeopleSight)> {
        self.define_budgets();
        let state = self.state();
        // Runs share on-calls.
        let mut states: BTreeMap<&Key, Option<PeopleState>> = BTreeMap::new();
        let guarded = active.filter_map(|run| Some((run, run.guard.as_ref()?)));
        let sight = |(run, guard): (&'r Arc<Run>, &'r Guarded)| {
            let people = guard.policy.on_call.as_ref().map(|on_call| {
                let stands = states.entry(on_call).or_insert_with(|| self.people_state(&state, on_call, now));
                let no_room = match stands {
                    Some(stands) => stands.ends_run(run.ends_at),
                    None => Some(admission::unknown_on_call(on_call)),
                };
                let pages = self.inner.pages.people.lock().pages_since(on_call, guard.next_page);
                PeopleSight { pages, no_room }
            });
            (run.id, (self.budget_sight(guard, now), people.unwrap_or_default()))
        };
        guarded.map(sight).collect()
    }

    fn budget_sight(&self, guard: &Guarded, now: Timestamp) -> BudgetSight {
        let (slo, table) = (&guard.policy.slo, self.inner.budgets.lock());
        BudgetSight {
            burning: table.budgets.status(slo, &guard.slo, now).is_burning(),
            burns_fast: table.budgets.fast_burn(slo, &guard.slo, now),
            // What counts something else by now says nothing of this run.
            stale: self.is_source_stale_in(&table, slo.as_str(), now)
                || table.budgets.indicator(slo) != Some(&guard.slo.sli),
        }
    }
}

/// What a watch sees of a run, but for its budget and its people.
pub(super) fn sight(
    run: &Run,
    clients: &Clients,
    silent: &BTreeSet<InstanceId>,
    (now, over): (Timestamp, bool),
) -> Sight {
    let mut sight = Sight::new(run, clients.run(run.id), silent, (now, over));
    sight.lost = match over {
        true => clients.lost(run, &clients.silent(now), now),
        false => clients.lost(run, silent, now),
    };
    sight
}

impl super::RunTable {
    /// The share of an SLO's budget that is set aside for active runs.
    fn reserved(&self, slo: &Key) -> f64 {
        let mut reservations = Reservations::default();
        for run in self.active().filter(|run| !run.spec.shadow) {
            if let Some(guard) = &run.guard {
                reservations.hold(run.id, guard.policy.slo.clone(), guard.policy.max_spend);
            }
        }
        reservations.share(slo)
    }

    /// The active runs that count the same requests as an SLO, and strike.
    fn sharing(&self, key: &Key, slo: &Slo) -> Vec<RunId> {
        let same = |guard: &Guarded| guard.policy.slo == *key || guard.slo.sli.operation == slo.sli.operation;
        let sharing = self.active().filter(|run| !run.spec.shadow && run.guard.as_ref().is_some_and(same));
        sharing.map(|run| run.id).collect()
    }

    /// Whether a point has had a shadow run.
    fn has_shadow_run(&self, point: &Key) -> bool {
        self.ended.iter().any(|finished| finished.run.spec.point == *point && finished.is_rehearsed())
    }

    /// Why the last shadow run on a point does not count, where there was one.
    fn shadow_lacks(&self, point: &Key) -> Option<String> {
        let shadow = |finished: &&super::Finished| finished.run.spec.shadow && finished.run.spec.point == *point;
        let last = self.ended.iter().rev().find(shadow).filter(|finished| !finished.is_rehearsed())?;
        Some(format!("the last one, `{}`, does not count: {}", last.run.id, last.lacks()))
    }
}
