use std::collections::BTreeSet;

use daybreak_model::limits::{BAD_KEYS_OF_CLIENT_MAX, OPERATIONS_MAX};
use daybreak_model::wire::{ArmKeys, ClientState, Evaluations, FaultSupport, Metric, PointCounts, Sdk, SloCounts};
use daybreak_model::{Arm, InstanceId, Key, KeyHash, KeyHashes, KeySketch, RunId, SKETCH_HASHES_MAX};

use super::*;

/// With parts that are short enough for a test.
fn outbox() -> Outbox {
    Outbox { longest: 4 * BYTES_MIN, ..Outbox::default() }
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn store(id: u64) -> StoreId {
    StoreId::new(id)
}

/// A report of so many flags, each evaluated so often.
fn report(flags: usize, count: u64) -> Report {
    let evaluations = |number| {
        let variants = BTreeMap::from([(key("on"), count)]);
        (key(&format!("flag-with-some-name-{number}")), Evaluations { variants, errors: 0 })
    };
    Report {
        client: InstanceId::new(1),
        sequence: 1,
        service: "shop".into(),
        environment: None,
        sdk: Sdk { name: "test".into(), version: "1".into() },
        level: 1,
        position: None,
        position_age: None,
        state: ClientState::Streaming,
        faults: FaultSupport::default(),
        runs: Vec::new(),
        unsupported: Vec::new(),
        operations: BTreeMap::new(),
        points: BTreeMap::new(),
        arms: Vec::new(),
        counted: BTreeMap::new(),
        slos: Vec::new(),
        keys: Vec::new(),
        evaluations: (0..flags).map(evaluations).collect(),
        unknown_flags: BTreeMap::new(),
        goodbye: false,
    }
}

/// Writes a report, and has it acknowledged or lost; what came through.
fn send(outbox: &mut Outbox, report: &Report, acknowledged: bool) -> Report {
    let (text, sent) = outbox.write(report.clone()).unwrap();
    assert!(text.len() <= outbox.longest, "{} bytes", text.len());
    if acknowledged {
        outbox.acknowledged(sent, store(1), false);
    }
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_short_report_says_everything_each_time() {
    let mut outbox = outbox();
    let report = report(500, 1);
    for acknowledged in [true, false, true] {
        assert_eq!(send(&mut outbox, &report, acknowledged), report);
    }
}

#[test]
fn what_does_not_fit_comes_with_the_next_ones() {
    let mut outbox = outbox();
    let report = report(2_000, 1);
    let (mut heard, mut reports) = (BTreeMap::new(), 0_usize);
    while heard.len() < report.evaluations.len() {
        let part = send(&mut outbox, &report, true);
        let before = heard.len();
        heard.extend(part.evaluations);
        assert!(heard.len() > before, "each has its turn");
        reports += 1;
    }
    let shortest = serde_json::to_vec(&report).unwrap().len().div_ceil(outbox.longest);
    assert!(reports <= shortest + 1, "{reports} reports where {shortest} would do");
    assert_eq!(heard, report.evaluations);
}

#[test]
fn what_changed_comes_first_and_a_lost_report_loses_nothing() {
    let mut outbox = outbox();
    let mut report = report(4_000, 1);
    while outbox.counters.values().any(|counter| counter.acknowledged.is_none()) || outbox.counters.is_empty() {
        send(&mut outbox, &report, true);
    }
    let changed: BTreeSet<Key> = report.evaluations.keys().step_by(100).cloned().collect();
    for flag in &changed {
        report.evaluations.get_mut(flag).unwrap().errors = 7;
    }
    let says_all =
        |part: &Report| changed.iter().all(|flag| part.evaluations.get(flag) == report.evaluations.get(flag));
    assert!(says_all(&send(&mut outbox, &report, false)), "the first one was lost");
    assert!(says_all(&send(&mut outbox, &report, true)));
    let next: BTreeSet<Key> = send(&mut outbox, &report, true).evaluations.into_keys().collect();
    assert!(!next.is_empty() && next.is_disjoint(&changed), "then the others, in turn");
}

#[test]
fn who_does_not_know_it_is_told_everything_again() {
    for (store, first) in [(store(2), false), (store(1), true)] {
        told_again(store, first);
    }
}

fn told_again(store: StoreId, first: bool) {
    let mut outbox = outbox();
    let report = report(2_000, 1);
    for _ in 0..5 {
        send(&mut outbox, &report, true);
    }
    assert!(outbox.counters.values().all(|counter| counter.acknowledged.is_some()));
    let (_, sent) = outbox.write(report).unwrap();
    let said = sent.rows.len();
    outbox.acknowledged(sent, store, first);
    let known = outbox.counters.values().filter(|counter| counter.acknowledged.is_some()).count();
    assert_eq!(known, said, "it knows only what it was told itself");
}

#[test]
fn no_kind_keeps_another_from_having_its_turn() {
    let mut outbox = outbox();
    let mut report = report(2_000, 1);
    let operation = |number: usize| format!("GET /{}/{number}", "x".repeat(100));
    for number in 0..50 {
        report.operations.insert(operation(number), OperationCounts { requests: 1, open: 1 });
        let counts = BTreeMap::from([(Metric::Requests, 1)]);
        for run in 0..10 {
            let (operation, counts) = (operation(number), counts.clone());
            report.arms.push(ArmCounts {
                run: RunId::new(run),
                stage: 0,
                arm: Arm::Treated,
                operation,
                counts,
                latency: BTreeMap::new(),
                keys: None,
            });
        }
    }
    let requests: BTreeMap<String, u64> = (0..50).map(|number| (operation(number), 1)).collect();
    for point in 0..50 {
        let counts = PointCounts { passes: 1, unscoped: 0, requests: requests.clone(), permitted: true };
        report.points.insert(key(&format!("point-{point}")), counts);
    }
    let (mut arms, mut operations, mut points, mut flags) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for sequence in 0..40_u64 {
        // Everything changes all the time.
        report.operations.values_mut().for_each(|counts| counts.requests = sequence);
        report.points.values_mut().for_each(|counts| counts.passes = sequence);
        report.evaluations.values_mut().for_each(|evaluations| evaluations.errors = sequence);
        let part = send(&mut outbox, &report, true);
        assert_whole(&part, &report);
        arms.extend(part.arms.into_iter().map(|arm| (arm.run, arm.operation)));
        operations.extend(part.operations.into_keys());
        points.extend(part.points.into_keys());
        flags.extend(part.evaluations.into_keys());
    }
    assert_eq!((arms.len(), operations.len(), points.len(), flags.len()), (500, 50, 50, 2_000));
}

#[test]
fn a_server_that_takes_only_short_ones_gets_short_ones() {
    let mut outbox = outbox();
    let report = report(1_000, 1);
    for _ in 0..20 {
        outbox.refused_as_too_long(usize::MAX);
    }
    assert_eq!(outbox.longest, BYTES_MIN);
    assert!(!send(&mut outbox, &report, true).evaluations.is_empty());
    let huge = Report { evaluations: BTreeMap::new(), ..report.clone() };
    let name = key(&"x".repeat(100));
    let variants: BTreeMap<Key, u64> = (0..10_000).map(|number| (key(&format!("v{number}")), 1)).collect();
    let huge = Report { evaluations: [(name, Evaluations { variants, errors: 0 })].into(), ..huge };
    assert!(send(&mut outbox, &huge, true).evaluations.is_empty(), "what never fits holds nothing up");
}

/// Of what a part says of arms nothing is missing that the server takes shares of.
fn assert_whole(part: &Report, report: &Report) {
    for arm in &part.arms {
        let stage = |report: &Report| {
            let own =
                |other: &&ArmCounts| (other.run, other.stage, &other.operation) == (arm.run, arm.stage, &arm.operation);
            report.arms.iter().filter(own).cloned().collect::<Vec<_>>()
        };
        assert_eq!(stage(part), stage(report), "both arms of a stage");
        assert_eq!(part.operations.get(&arm.operation), report.operations.get(&arm.operation), "with its requests");
    }
    assert_eq!((&part.runs, &part.counted), (&report.runs, &report.counted));
}

/// One arm of a run that draws by an attribute, as large as a client lets it become.
fn largest_arm(run: u64, stage: u32, arm: Arm) -> ArmCounts {
    let hash = |number: u64| KeyHash::new(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let (mut drawn, mut bad) = (KeySketch::default(), KeyHashes::default());
    (0..SKETCH_HASHES_MAX as u64).for_each(|number| drawn.insert(hash(number)));
    (0..BAD_KEYS_OF_CLIENT_MAX as u64 / 2).for_each(|number| {
        bad.insert(hash(number));
    });
    let keys = ArmKeys { struck: drawn.clone(), drawn, bad: [(Metric::Slow, bad)].into(), full: true };
    ArmCounts {
        run: RunId::new(run),
        stage,
        arm,
        operation: "POST /checkout".to_owned(),
        counts: [(Metric::Requests, 1_000), (Metric::Settled, 1_000)].into(),
        latency: (0..400).map(|step| (60_000_000 - step, 1_000_000)).collect(),
        keys: Some(keys),
    }
}

/// A report of runs of which each is as large as it may be: active ones, then ended ones, the youngest first.
fn sticky(active: u64, ended: u64, stages: u32) -> Report {
    let mut report = report(2_000, 1);
    report.operations = (0..OPERATIONS_MAX)
        .map(|number| (format!("GET /{number}/{}", "x".repeat(180)), OperationCounts { requests: 1, open: 1 }))
        .chain([("POST /checkout".to_owned(), OperationCounts { requests: 9, open: 1 })])
        .collect();
    report.runs = (0..active).map(RunId::new).collect();
    let arms =
        |run| (0..stages).flat_map(move |stage| [Arm::Treated, Arm::Control].map(|arm| largest_arm(run, stage, arm)));
    report.arms = (0..active + ended).flat_map(arms).collect();
    report.counted = report.runs.iter().map(|run| (*run, 4_000 * u64::from(stages))).collect();
    report
}

/// Which runs' stages came through, in turn.
fn stages_heard(outbox: &mut Outbox, report: &mut Report, turns: u64) -> Vec<BTreeSet<(RunId, u32)>> {
    let turn = |turn| {
        report.operations.values_mut().for_each(|counts| counts.requests = turn);
        let part = send(outbox, report, true);
        assert_whole(&part, report);
        part.arms.iter().map(|arm| (arm.run, arm.stage)).collect()
    };
    (0..turns).map(turn).collect()
}

#[test]
fn invariant_5_the_largest_runs_come_through() {
    let mut report = sticky(2, 2, 4);
    let heard = stages_heard(&mut Outbox::default(), &mut report, 16);
    let active = |(run, _): &(RunId, u32)| report.runs.contains(run);
    assert_eq!(heard.iter().flatten().collect::<BTreeSet<_>>().len(), 16, "each has its turn");
    let of_ended: Vec<_> = heard.iter().map(|turn| !turn.iter().all(active)).take(11).collect();
    let expected: Vec<_> = (1..=11).map(|turn| turn % 4 == 0 || turn > 10).collect();
    assert_eq!(of_ended, expected, "those that may strike come first, but for every fourth time");
}

#[test]
fn of_ended_runs_the_youngest_comes_first() {
    let mut report = sticky(0, 12, 1);
    let heard = stages_heard(&mut Outbox::default(), &mut report, 12);
    let order: Vec<_> = heard.into_iter().flatten().map(|(run, _)| run).collect();
    assert_eq!(order, (0..12).map(RunId::new).collect::<Vec<_>>());
}

#[test]
fn what_ended_does_not_wait_for_ever() {
    let mut report = sticky(3, 1, 1);
    let mut outbox = Outbox::default();
    let ended = RunId::new(3);
    let mut heard = 0;
    for turn in 0..20 {
        // The active ones have something new each time, and fill a report each.
        report.arms.iter_mut().filter(|arm| arm.run != ended).for_each(|arm| {
            arm.counts.insert(Metric::Requests, turn);
        });
        let part = send(&mut outbox, &report, true);
        heard += part.arms.iter().filter(|arm| arm.run == ended).count();
    }
    assert!(heard > 0);
}

/// A server that begins anew counts from there on.
#[test]
fn a_report_says_how_much_of_an_slo_was_acknowledged() {
    let mut outbox = outbox();
    let settled = |count: u64| BTreeMap::from([(Metric::Settled, count)]);
    let mut said = |revision: u64, count: u64, acknowledged: bool| {
        let slo = SloCounts { slo: key("checkout"), revision, counts: settled(count), acknowledged: None };
        let report = Report { slos: vec![slo], ..report(1, 0) };
        send(&mut outbox, &report, acknowledged).slos.remove(0).acknowledged
    };
    assert_eq!(said(1, 10, false), Some(BTreeMap::new()), "nothing has been heard yet");
    assert_eq!(said(1, 20, true), Some(BTreeMap::new()));
    assert_eq!(said(1, 20, true), None, "all of it has");
    assert_eq!(said(1, 30, false), Some(settled(20)));
    assert_eq!(said(1, 40, true), Some(settled(20)));
    assert_eq!(said(2, 5, true), Some(BTreeMap::new()), "another measure begins at nothing");
    assert_eq!(said(1, 40, true), Some(BTreeMap::new()), "what was measured no longer is forgotten");
}

#[test]
fn outcomes_by_slo_come_in_parts_too() {
    let mut report = report(0, 0);
    let counts = BTreeMap::from([(Metric::Settled, 1_000_000)]);
    let slo = |number| SloCounts {
        slo: key(&format!("slo-{number}")),
        revision: 1,
        counts: counts.clone(),
        acknowledged: None,
    };
    report.slos = (0..10_000).map(slo).collect();
    let mut outbox = Outbox::default();
    let heard: BTreeSet<Key> = (0..10).flat_map(|_| send(&mut outbox, &report, true).slos).map(|slo| slo.slo).collect();
    assert_eq!(heard.len(), 10_000);
}
