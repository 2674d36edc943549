use std::collections::BTreeSet;

use daybreak_model::{Condition, Fault, Hours, Millis, OnCall, Ramp};

use jiff::Timestamp;

use super::*;
use crate::admission::{Admission, Start, admit};
use crate::blast_radius::LIMIT_DEFAULT;
use crate::budget::Budgets;
use crate::clients::{FaultPoint, KeysSeen, PointInService};
use crate::fixtures::{at, day, fault, key, percentage, policy, slo};
use crate::people::{Page, People, Repeat, Source, Urgency};

/// Everything that a guard can name, and what stands against nothing.
struct Bench {
    fault: Fault,
    slo: Slo,
    day: Hours,
    on_call: OnCall,
    budgets: Budgets,
    people: People,
    protect: BTreeSet<Key>,
    /// Services that have the point.
    services: Vec<&'static str>,
    keys: Option<KeysSeen>,
}

impl Bench {
    fn new() -> Self {
        let on_call = OnCall {
            description: None,
            pages_per_week: 2,
            off_hours_incidents_per_half_year: 1,
            hours: key("day"),
            pages: None,
            freeze: None,
            require_source: None,
        };
        let mut bench = Self {
            fault: Fault { guard: Guard::Policy(policy()), ..fault() },
            slo: slo(),
            day: day(),
            on_call,
            budgets: Budgets::default(),
            people: People::default(),
            protect: BTreeSet::new(),
            services: vec!["shop"],
            keys: None,
        };
        bench.count(100_000, 10);
        bench
    }

    fn count(&mut self, good: u64, bad: u64) {
        self.budgets.add(&key("checkout"), 1, good, bad, at(-4 * 3_600));
        self.budgets.add(&key("checkout"), 1, 1_000, 0, at(-60));
    }

    fn page(&mut self, number: i64) {
        let page = Page {
            source: Source::Plain,
            on_call: key("payments"),
            keys: [number.to_string()].into(),
            repeat: Repeat::AnyKnown,
            at: at(-number),
            title: None,
            urgency: Urgency::High,
        };
        let _ = self.people.page(page, at(0));
    }

    /// The codes of what stands against a start with these changes to what is known; and of the warnings.
    fn codes(
        &self,
        start: Start<'_>,
        change: impl FnOnce(&mut GuardFacts<'_>),
    ) -> (Vec<&'static str>, Vec<&'static str>) {
        let admission = self.admit(start, at(-86_400), change);
        let codes = admission.refusals.iter().map(|refusal| refusal.code.as_str()).collect();
        (codes, admission.warnings.iter().map(|warning| warning.code.as_str()).collect())
    }

    fn admit(&self, start: Start<'_>, since: Timestamp, change: impl FnOnce(&mut GuardFacts<'_>)) -> Admission {
        let budget = self.budgets.status(&key("checkout"), &self.slo, at(0));
        let people = self.people.state(&key("payments"), &self.on_call, &self.day, at(0));
        let mut guard = GuardFacts {
            slo: Some(&self.slo),
            budget: Some(&budget),
            reserved: 0.0,
            fresh: true,
            people: Some(&people),
            arms_reported: true,
            shadow_done: true,
            shadow_lacks: None,
            roots: ["shop"].into(),
            sharing: Vec::new(),
            eligible_per_second: Some(1_000.0),
        };
        change(&mut guard);
        let services = self.services.iter().map(|service| ((*service).to_owned(), PointInService::default()));
        let point = FaultPoint { clients: 1, permitting: 1, passes: 10, unscoped: 0, services: services.collect() };
        admit(&Facts {
            now: at(0),
            environment: PRODUCTION,
            max_run: Millis::from_secs(3_600),
            max_blast_radius: LIMIT_DEFAULT,
            fault: &self.fault,
            hours: Some(&self.day),
            protect: &self.protect,
            listening_since: since,
            start,
            halted: None,
            keys: self.keys,
            point,
            near_point: None,
            shares: Vec::new(),
            busy: Vec::new(),
            last_ended_at: None,
            guard: Some(guard),
        })
    }

    fn refused(&self, change: impl FnOnce(&mut GuardFacts<'_>)) -> Vec<&'static str> {
        self.codes(Start::default(), change).0
    }
}

const OVERRIDE: Start<'_> =
    Start { percentage: None, duration: None, shadow: false, override_reason: Some("I must"), may_override: true };

#[test]
fn nothing_stands_against_a_guarded_start() {
    assert_eq!(Bench::new().codes(Start::default(), |_| {}), (Vec::new(), Vec::new()));
}

#[test]
fn invariant_5_what_is_not_known_refuses_and_is_never_waived() {
    /// A code, and what brings it about.
    type Case = (&'static str, fn(&mut GuardFacts<'_>));
    let bench = Bench::new();
    let cases: [Case; 5] = [
        ("insufficient_data", |guard| guard.slo = None),
        ("insufficient_data", |guard| guard.budget = None),
        ("insufficient_data", |guard| guard.fresh = false),
        ("no_arms", |guard| guard.arms_reported = false),
        ("shadow_first", |guard| guard.shadow_done = false),
    ];
    for (code, change) in cases {
        assert_eq!(bench.refused(change), [code]);
        assert_eq!(bench.codes(OVERRIDE, change).0, [code], "never waived");
    }
    let nobody = Bench { budgets: Budgets::default(), ..Bench::new() };
    assert_eq!(nobody.refused(|_| {}), ["insufficient_data"], "no traffic is no good sign");
}

/// What is too few where, and how long it takes.
#[test]
fn too_few_requests_are_counted_out() {
    // Requests within the last minute and four hours ago, of an SLO of 99.9% over 28 days.
    let cases = [
        ((0, 0), "0 of 1000 in 28d, 0 of 75 in 1h, 0 of 179 in 6h; none came within the last 5m"),
        ((860, 0), "860 of 1000 in 28d; that takes about 1m more at the rate of the last 5m"),
        ((50, 900), "950 of 1000 in 28d, 50 of 75 in 1h; that takes about 5m more at the rate of the last 5m"),
        ((1, 999), "1 of 75 in 1h; the rate of the last 5m is too low for that"),
    ];
    for ((now, before), expected) in cases {
        let mut bench = Bench { budgets: Budgets::default(), ..Bench::new() };
        bench.budgets.add(&key("checkout"), 1, before, 0, at(-4 * 3_600));
        bench.budgets.add(&key("checkout"), 1, now, 0, at(-60));
        let refusals = bench.admit(Start::default(), at(-86_400), |_| {}).refusals;
        let said = "the SLO `checkout` has too few requests to tell whether its budget burns: ";
        assert_eq!(refusals.iter().map(|one| one.sentence.as_str()).collect::<Vec<_>>(), [format!("{said}{expected}")]);
    }
    let mut enough = Bench { budgets: Budgets::default(), ..Bench::new() };
    enough.count(0, 0);
    assert_eq!(enough.refused(|_| {}), [] as [&str; 0], "1,000 are not too few");
}

#[test]
fn a_budget_must_be_left_after_all_reservations() {
    // 1,000 of 1,002,000 may be bad, and the run may spend 2 % of that.
    for (bad, reserved, expected) in
        [(780, 0.0, true), (790, 0.0, false), (0, 0.78, true), (0, 0.79, false), (500, 0.3, false), (1_100, 0.0, false)]
    {
        let mut bench = Bench { budgets: Budgets::default(), ..Bench::new() };
        bench.budgets.add(&key("checkout"), 1, 999_000 - bad, bad, at(-20 * 86_400));
        bench.count(1_000, 0);
        let refused = bench.refused(|guard| guard.reserved = reserved);
        assert_eq!(refused, if expected { vec![] } else { vec!["budget_low"] }, "{bad} bad, {reserved} reserved");
        assert_eq!(bench.codes(OVERRIDE, |guard| guard.reserved = reserved).0, [] as [&str; 0], "it may be waived");
    }
}

#[test]
fn a_burning_budget_refuses_and_is_not_waived() {
    let mut bench = Bench::new();
    bench.budgets.add(&key("checkout"), 1, 10, 200, at(-60));
    let refused = bench.refused(|_| {});
    assert!(refused.contains(&"burning"), "{refused:?}");
    assert!(bench.codes(OVERRIDE, |_| {}).0.contains(&"burning"));
}

#[test]
fn people_that_were_paged_enough_refuse() {
    let mut bench = Bench::new();
    bench.page(1);
    assert_eq!(bench.refused(|_| {}), [] as [&str; 0], "one of two");
    bench.page(2);
    assert_eq!(bench.refused(|_| {}), ["people_budget"], "one more would be too many");
    assert_eq!(bench.codes(OVERRIDE, |_| {}).0, [] as [&str; 0], "it may be waived");
    assert_eq!(Bench::new().refused(|guard| guard.people = None), ["people_budget"], "nobody knows");
}

#[test]
fn a_shadow_run_needs_no_shadow_run_and_spends_nothing() {
    let shadow = Start { shadow: true, ..Start::default() };
    let (refused, warnings) = Bench::new().codes(shadow, |guard| {
        guard.shadow_done = false;
        guard.reserved = 0.69;
    });
    assert_eq!((refused, warnings), (Vec::new(), Vec::new()));
}

#[test]
fn too_little_traffic_for_a_verdict_deserves_a_word() {
    let warned = |fault: Fault, rate: f64, keys: Option<u64>| {
        let keys = keys.map(|distinct| KeysSeen { distinct, requests: distinct, heaviest: 1 });
        let bench = Bench { fault: Fault { guard: Guard::Policy(policy()), ..fault }, keys, ..Bench::new() };
        bench.codes(Start::default(), |guard| guard.eligible_per_second = Some(rate)).1 == ["cannot_conclude"]
    };
    let ramp = |text: &str| Fault { ramp: text.parse().unwrap_or(Ramp::NONE), ..fault() };
    let sticky = |text: &str| Fault { by: DrawBy::Attribute("account".into()), ..ramp(text) };
    // 1 % for ten minutes, of which some 640 must be treated.
    assert!(!warned(fault(), 200.0, None));
    assert!(warned(fault(), 50.0, None));
    // Half of the time half as much: three quarters of it.
    assert!(!warned(ramp("0.5% for 5m"), 200.0, None));
    assert!(warned(ramp("0.5% for 5m"), 120.0, None) && !warned(fault(), 120.0, None));
    // Where keys are drawn, they must be as many, whatever the number of requests.
    assert!(!warned(sticky(""), 1.0, Some(100_000)));
    assert!(warned(sticky(""), 1_000.0, Some(20_000)));
    assert!(warned(sticky("0.5% for 5m"), 1_000.0, Some(1_000_000)), "a ramp moves keys");
}

#[test]
fn what_the_one_who_starts_should_know() {
    /// What it is about, the changes to what is known, and the codes.
    type Case = (&'static str, fn(&mut Bench), fn(&mut GuardFacts<'_>), &'static [&'static str]);
    let cases: [Case; 8] = [
        ("another run counts the same", |_| {}, |guard| guard.sharing = vec![RunId::new(9)], &["shares_outcomes"]),
        ("2 % of 50.5 bad requests are more than one", |bench| bench.slo.objective = percentage("99.95%"), |_| {}, &[]),
        (
            "2 % of 46 bad requests are less",
            |bench| {
                bench.budgets = Budgets::default();
                bench.budgets.add(&key("checkout"), 1, 45_000, 0, at(-4 * 3_600));
                bench.budgets.add(&key("checkout"), 1, 1_000, 0, at(-60));
            },
            |_| {},
            &["first_bad_ends"],
        ),
        ("a service behind the root", |bench| bench.services = vec!["shop", "gateway"], |_| {}, &[]),
        (
            "with protected segments",
            |bench| {
                bench.services = vec!["shop", "gateway"];
                bench.protect = [key("vip")].into();
            },
            |_| {},
            &["needs_context"],
        ),
        (
            "with a condition",
            |bench| {
                bench.services = vec!["gateway"];
                bench.fault.when = Some(Condition::Segment(key("eu")));
            },
            |_| {},
            &["needs_context"],
        ),
        ("the root's own point sees its context", |bench| bench.protect = [key("vip")].into(), |_| {}, &[]),
        ("no root is known", |bench| bench.protect = [key("vip")].into(), |guard| guard.roots = BTreeSet::new(), &[]),
    ];
    for (about, set, change, expected) in cases {
        let mut bench = Bench::new();
        set(&mut bench);
        assert_eq!(bench.codes(Start::default(), change).1, expected, "{about}");
        let shadow = Start { shadow: true, ..Start::default() };
        let spares = |code: &&&str| matches!(**code, "needs_context" | "shares_outcomes");
        let of_shadow: Vec<_> = expected.iter().filter(spares).copied().collect();
        assert_eq!(bench.codes(shadow, change).1, of_shadow, "{about}, in a shadow run");
    }
}

/// After a restart it takes some seconds until clients have told again what they know.
#[test]
fn a_server_that_has_just_started_says_so() {
    for (age, expected) in [(0, true), (29, true), (30, false)] {
        let bench = Bench::new();
        let admission = bench.admit(Start::default(), at(-age), |guard| guard.arms_reported = false);
        let refusal = &admission.refusals[0];
        assert_eq!(refusal.code, RefusalCode::NoArms);
        assert_eq!(refusal.clears_at, expected.then(|| at(30 - age)), "{refusal:?}");
        assert_eq!(refusal.clears.contains("wait some seconds"), expected, "{refusal:?}");
    }
}
