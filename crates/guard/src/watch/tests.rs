use std::collections::BTreeSet;

use daybreak_model::wire::{Metric, Report};
use daybreak_model::{Arm, Millis};

use super::*;
use crate::clients::Clients;
use crate::fixtures::{RUN, arm, at, percentage, policy, report, run, slo};

/// A run of half an hour that treats a tenth, and may spend 50 bad requests.
fn guarded() -> Run {
    let guard = Some(Guarded { policy: policy(), slo: slo(), spend_max: 50.0, next_page: 0 });
    Run { percentage: percentage("10%"), ends_at: at(1_800), guard, ..run() }
}

/// A client whose counts grow, and the watch that looks at them.
struct Scene {
    run: Run,
    watch: Watch,
    clients: Clients,
    sequence: u64,
    /// Requests, struck and failed of treated and of control.
    treated: [u64; 3],
    control: [u64; 3],
    people: PeopleSight,
    budget: BudgetSight,
    speaks: bool,
    /// Whether the arms are in its reports.
    says_arms: bool,
}

impl Scene {
    fn new(run: Run) -> Self {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        Self {
            run,
            watch: Watch::default(),
            clients,
            sequence: 0,
            treated: [0; 3],
            control: [0; 3],
            people: PeopleSight::default(),
            budget: BudgetSight::default(),
            speaks: true,
            says_arms: true,
        }
    }

    /// One second: requests come, so many of each arm fail, and the guard looks.
    fn second(&mut self, second: i64, requests: [u64; 2], failed: [u64; 2]) -> Option<Event> {
        for (counts, (requests, failed)) in
            [&mut self.treated, &mut self.control].into_iter().zip(requests.into_iter().zip(failed))
        {
            counts[0] += requests;
            counts[2] += failed;
        }
        self.treated[1] = self.treated[0];
        if self.speaks {
            self.report(second);
        }
        self.see(second, false, |scene, sight| scene.watch.look(&scene.run.clone(), sight))
    }

    /// What it shows by now, or in the end.
    fn finding(&mut self, second: i64, over: bool) -> Finding {
        self.see(second, over, |scene, sight| scene.watch.finding(&scene.run, sight))
    }

    fn see<T>(&mut self, second: i64, over: bool, what: impl Fn(&mut Self, &Sight) -> T) -> T {
        let clients = std::mem::take(&mut self.clients);
        let (now, silent) = (at(second), clients.silent(at(second)));
        let last_report = clients.iter().map(|client| client.last_heard).max();
        let mut sight = Sight::new(&self.run, clients.run(RUN), &silent, (now, over));
        sight.last_report = last_report;
        (sight.budget, sight.people) = (Some(self.budget), self.people.clone());
        let seen = what(self, &sight);
        self.clients = clients;
        seen
    }

    fn report(&mut self, second: i64) {
        self.sequence += 1;
        let counted = |side, [requests, struck, failed]: [u64; 3]| {
            let mut counts = arm(side, requests, struck);
            counts.stage = self.run.stage;
            counts.counts.extend([(Metric::Settled, requests), (Metric::Error, failed)]);
            counts
        };
        let arms = vec![counted(Arm::Treated, self.treated), counted(Arm::Control, self.control)];
        let counted = [(RUN, arms.iter().map(daybreak_model::wire::ArmCounts::events).sum())].into();
        let arms = if self.says_arms { arms } else { Vec::new() };
        let report = Report { runs: vec![RUN], arms, counted, ..report(1, self.sequence) };
        self.clients.report(&report, at(second)).unwrap();
    }

    /// The end that the guard comes to within so many seconds of the same traffic: when, and why.
    fn within(&mut self, seconds: i64, requests: [u64; 2], failed: [u64; 2]) -> Option<(i64, Cause)> {
        (1..=seconds).find_map(|second| match self.second(second, requests, failed)? {
            Event::Guard { cause, .. } => Some((second, cause)),
            _ => None,
        })
    }
}

#[test]
fn invariant_1_a_run_that_harms_is_ended() {
    let mut scene = Scene::new(guarded());
    let (second, cause) = scene.within(1_800, [10, 90], [1, 0]).unwrap();
    assert_eq!(
        (second, cause),
        (4, Cause::Harm),
        "four bad requests at a tenth, none in control, and three metrics looked at"
    );
    assert!(Scene::new(Run { guard: None, ..guarded() }).within(1_800, [10, 90], [5, 0]).is_none(), "nothing guards");
}

#[test]
fn a_run_that_does_no_harm_goes_on() {
    let mut scene = Scene::new(guarded());
    assert_eq!(scene.within(400, [10, 90], [0, 1]), None);
    let moments = scene.watch.timeline().len();
    assert!((13..=14).contains(&moments), "{moments} in 400 s of a run of 1,800 s");
    assert_eq!(scene.watch.timeline().last().map(|moment| moment.treated.requests), Some(3_910));
}

#[test]
fn invariant_4_a_run_spends_no_more_than_its_share() {
    // As many bad ones in proportion: no harm, but spent all the same.
    let mut scene = Scene::new(guarded());
    assert_eq!(scene.within(1_800, [10, 90], [1, 9]), Some((50, Cause::BudgetSpent)));
    let shadow = |run: Run| Run { spec: daybreak_model::wire::RunSpec { shadow: true, ..run.spec }, ..run };
    assert_eq!(Scene::new(shadow(guarded())).within(300, [10, 90], [1, 9]), None, "a shadow run spends nothing");
    let unlike = Scene::new(shadow(guarded())).within(300, [10, 90], [1, 0]);
    assert_eq!(unlike.map(|(_, cause)| cause), Some(Cause::InstrumentationBroken), "harm without a strike");
}

#[test]
fn arms_that_do_not_come_out_as_drawn_end_a_run() {
    let ended = Scene::new(guarded()).within(600, [20, 80], [0, 0]);
    assert_eq!(ended.map(|(_, cause)| cause), Some(Cause::InstrumentationBroken));
}

#[test]
fn invariant_5_a_run_that_nobody_reports_of_is_ended() {
    let mut scene = Scene::new(guarded());
    assert_eq!(scene.within(100, [10, 90], [0, 0]), None);
    scene.speaks = false;
    let ends = (101..200).find_map(|second| scene.second(second, [10, 90], [0, 0]).map(|event| (second, event)));
    let (second, event) = ends.unwrap();
    assert_eq!(second, 105, "after 5 s");
    assert!(matches!(event, Event::Guard { cause: Cause::StaleReports, .. }), "{event:?}");
    // From the beginning: it may settle.
    let mut mute = Scene { speaks: false, ..Scene::new(guarded()) };
    assert_eq!(mute.within(100, [10, 90], [0, 0]), Some((15, Cause::StaleReports)));
}

/// Its other counters go on coming: a run whose arms find no room in a report must not go on unseen.
#[test]
fn invariant_5_a_run_whose_arms_never_come_is_ended() {
    // Requests of either arm in each second, and when that ends the run.
    let cases = [([10, 90], Some(110)), ([0, 90], Some(110)), ([1, 0], Some(110)), ([0, 0], None)];
    for (requests, expected) in cases {
        let mut scene = Scene::new(guarded());
        assert_eq!(scene.within(99, [10, 90], [0, 0]), None);
        scene.says_arms = false;
        let ends = (100..125).find_map(|second| scene.second(second, requests, [0, 0]).map(|event| (second, event)));
        assert_eq!(ends.as_ref().map(|(second, _)| *second), expected, "{requests:?}");
        let cause = ends.map(|(_, event)| matches!(event, Event::Guard { cause: Cause::StaleReports, .. }));
        assert_eq!(cause, expected.map(|_| true));
    }
    // From the beginning, and without a guard.
    let mute = |run| Scene { says_arms: false, ..Scene::new(run) }.within(100, [0, 90], [0, 0]);
    assert_eq!(mute(guarded()), Some((11, Cause::StaleReports)));
    assert_eq!(mute(Run { guard: None, ..guarded() }), None);
}

#[test]
fn invariant_5_traffic_that_dwindles_ends_a_run() {
    let mut scene = Scene::new(guarded());
    assert_eq!(scene.within(120, [1, 9], [0, 0]), None);
    let ends = (121..400).find(|second| scene.second(*second, [u64::from(second % 4 == 0), 4], [0, 0]).is_some());
    assert!(ends.is_some_and(|second| (150..=200).contains(&second)), "{ends:?}");
    // Hardly any traffic says nothing by being less.
    let mut quiet = Scene::new(guarded());
    assert!((1..300).all(|second| quiet.second(second, [0, u64::from(second < 60)], [0, 0]).is_none()));
}

#[test]
fn budgets_and_people_end_a_run() {
    /// What happens, and what that ends the run by.
    type Case = (fn(&mut Scene), Option<Cause>);
    let cases: [Case; 7] = [
        (|scene| scene.budget.burning = true, Some(Cause::Burning)),
        (|scene| scene.budget.burns_fast = true, Some(Cause::Burning)),
        (|scene| scene.budget.stale = true, Some(Cause::StaleReports)),
        (|scene| scene.people.pages = 1, Some(Cause::Paged)),
        (|scene| scene.people.no_room = Some("a hard week".to_owned()), Some(Cause::Paged)),
        (
            |scene| {
                scene.people = PeopleSight { pages: 1, no_room: Some("a hard week".to_owned()) };
                scene.run.waived = vec![RefusalCode::PeopleBudget];
            },
            None,
        ),
        (|_| {}, None),
    ];
    for (change, expected) in cases {
        let mut scene = Scene::new(guarded());
        assert_eq!(scene.within(30, [10, 90], [0, 0]), None);
        change(&mut scene);
        let event = scene.second(31, [10, 90], [0, 0]);
        let cause = event.and_then(|event| match event {
            Event::Guard { cause, .. } => Some(cause),
            _ => None,
        });
        assert_eq!(cause, expected);
    }
}

#[test]
fn a_run_that_is_to_stop_when_resilient_does() {
    let mut run = guarded();
    if let Some(guard) = &mut run.guard {
        guard.policy.stop_when = Some(StopWhen::Resilient);
    }
    let mut scene = Scene::new(run);
    let ends = (1..1_800).find(|second| scene.second(*second, [10, 90], [0, 0]) == Some(Event::Resilient));
    // 569 treated requests rule out one percentage point where nothing is bad, once all of them have had their 30 s.
    assert!(ends.is_some_and(|second| (85..=95).contains(&second)), "{ends:?}");
    assert_eq!(Scene::new(guarded()).within(300, [10, 90], [0, 0]), None, "unless said, it goes on");
}

#[test]
fn what_may_still_turn_out_bad_is_not_taken_for_well() {
    // So many a second would do for one percentage point after six, if the first were not bad only after a while.
    let check = |latency: Option<Millis>, resilient_at: i64| {
        let mut run = guarded();
        run.guard.as_mut().unwrap().slo.sli.good.latency = latency;
        let mut scene = Scene::new(run);
        assert_eq!(scene.within(resilient_at - 1, [100, 900], [0, 0]), None);
        let before = scene.finding(resilient_at - 1, false);
        assert_eq!(before.because, Because::TooFewRequests { treated: 69 }, "{before:?}");
        assert!(before.harm.is_some_and(|harm| harm.upper > 0.01 && harm.upper < 0.012), "{before:?}");
        assert_eq!(scene.finding(resilient_at - 1, true).verdict, Verdict::Resilient, "with its last requests through");
        scene.second(resilient_at, [100, 900], [0, 0]);
        assert_eq!(scene.finding(resilient_at, false).verdict, Verdict::Resilient);
    };
    check(None, 36);
    check(Some(Millis::from_secs(10)), 16);
    let mut scene = Scene::new(guarded());
    scene.second(1, [100, 900], [0, 0]);
    let first = scene.finding(1, false);
    assert_eq!(first.harm.map(|harm| harm.upper), Some(1.0), "of none of them the outcome is known for sure");
}

#[test]
fn invariant_5_clients_that_were_lost_leave_no_resilience() {
    let ended = |cause| {
        let mut scene = Scene::new(guarded());
        assert_eq!(scene.within(90, [10, 90], [0, 0]), None);
        let event = match cause {
            Cause::ClientsLost => Event::ClientsLost { clients: 2 },
            cause => Event::Guard { cause, reason: String::new() },
        };
        let _ = scene.run.step(event, at(90));
        let finding = scene.finding(120, true);
        (finding.verdict, finding.because)
    };
    assert_eq!(ended(Cause::ClientsLost), (Verdict::Inconclusive, Because::ClientsLost));
    assert_eq!(ended(Cause::StaleReports), (Verdict::Inconclusive, Because::StaleReports));
    assert_eq!(ended(Cause::Paged), (Verdict::Resilient, Because::HarmRuledOut));
}

/// Around its end nobody aborts it any more.
#[test]
fn invariant_5_what_was_not_seen_by_the_end_leaves_no_resilience() {
    let found = |spoil: fn(&mut Sight)| {
        let mut scene = Scene::new(guarded());
        assert_eq!(scene.within(90, [10, 90], [0, 0]), None);
        let finding = scene.see(120, true, |scene, sight| {
            let mut sight = sight.clone();
            spoil(&mut sight);
            scene.watch.finding(&scene.run, &sight)
        });
        finding.because
    };
    assert_eq!(found(|_| {}), Because::HarmRuledOut);
    assert_eq!(found(|sight| sight.lost = 1), Because::HarmRuledOut);
    assert_eq!(found(|sight| sight.lost = 2), Because::ClientsLost);
    assert_eq!(found(|sight| sight.incomplete = true), Because::ArmsMissing);
}

/// The wall clock is put back, and the only client dies.
#[test]
fn invariant_5_a_clock_that_is_put_back_leaves_no_run_unseen() {
    for back in [0, 600] {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        let mut watch = Watch::default();
        let spoken = |sequence| Report { runs: vec![RUN], ..report(1, sequence) };
        clients.report(&spoken(1), at(300)).unwrap();
        clients.report(&spoken(2), at(302 - back)).unwrap();
        let mut look = |second| {
            let sight = Sight::new(&guarded(), clients.run(RUN), &BTreeSet::new(), (at(second - back), false));
            watch.look(&guarded(), &sight)
        };
        assert_eq!(look(306), None);
        let event = look(307);
        assert!(matches!(event, Some(Event::Guard { cause: Cause::StaleReports, .. })), "{event:?}");
    }
}

#[test]
fn what_is_open_at_a_lost_client_counts_as_bad() {
    let mut clients = Clients::default();
    clients.open_run(RUN);
    let mut open = arm(Arm::Treated, 30, 30);
    open.counts.extend([(Metric::Settled, 20)]);
    let report = Report { runs: vec![RUN], arms: vec![open], ..report(1, 1) };
    clients.report(&report, at(0)).unwrap();
    let slow = |second, over| {
        let silent = clients.silent(at(second));
        Sight::new(&guarded(), clients.run(RUN), &silent, (at(second), over)).arms().treated().slow
    };
    assert_eq!((slow(4, false), slow(5, false), slow(4, true)), (0, 10, 10));
    assert_eq!(clients.silent(at(5)), BTreeSet::from([daybreak_model::InstanceId::new(1)]));
}

#[test]
fn invariant_4_a_ramp_grows_by_time_and_each_stage_counts_by_its_own_share() {
    let ramp = "1% for 1m, then 5% for 2m".parse().unwrap();
    let plan = Run::planned(&ramp, percentage("10%"), at(0));
    let mut run = Run { ramp: plan, ..guarded() };
    let stage = |run: &mut Run, second| {
        let effects = run.step(Event::Tick, at(second));
        (run.stage, run.percentage_of(run.stage).to_string(), !effects.is_empty())
    };
    assert_eq!(stage(&mut run, 59), (0, "1%".to_owned(), false));
    assert_eq!(stage(&mut run, 60), (1, "5%".to_owned(), true));
    assert_eq!(stage(&mut run, 30), (1, "5%".to_owned(), false), "a clock that is put back undoes nothing");
    assert_eq!(stage(&mut run, 200), (2, "10%".to_owned(), true));
    assert_eq!(Run::planned(&ramp, percentage("5%"), at(0)).len(), 1, "no stage treats as much as the last");
    let sight_at = |stage: u32, percentage: &str| {
        let stages = Sight::new(&run, None, &BTreeSet::new(), (at(0), false)).arms().stages.clone();
        assert_eq!(stages[stage as usize].percentage.to_string(), percentage);
        stages.len()
    };
    assert_eq!((sight_at(0, "1%"), sight_at(1, "5%"), sight_at(2, "10%")), (3, 3, 3));
}
