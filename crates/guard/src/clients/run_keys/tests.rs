//! Keys over clients, processes and stages.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::BAD_KEYS_OF_CLIENT_MAX;
use daybreak_model::wire::{Report, RunSpec};
use daybreak_model::{Arm, DrawBy, KeyHashes};
use proptest::prelude::*;

use super::*;
use crate::clients::{Clients, RunCounts};
use crate::fixtures::{RUN, arm, at, report, run};
use crate::run::Run;
use crate::watch::Sight;

/// Keys that were drawn in an arm of a stage, and those of them that were bad.
type Row = ((u32, Arm), (u64, u64));

fn hash(number: u64) -> KeyHash {
    KeyHash::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn keys(arm_of: Arm, stage: u32, drawn: &[u64], errors: &[u64]) -> ArmCounts {
    let all = |keys: &[u64]| keys.iter().copied().map(hash).collect::<Vec<_>>();
    let keys = ArmKeys {
        drawn: all(drawn).into_iter().collect(),
        struck: KeySketch::default(),
        bad: BTreeMap::from([(Metric::Error, all(errors).into_iter().collect::<KeyHashes>())]),
        full: false,
    };
    ArmCounts { stage, keys: Some(keys), ..arm(arm_of, drawn.len() as u64, 0) }
}

fn clients(reports: &[Report]) -> Clients {
    let mut clients = Clients::default();
    clients.open_run(RUN);
    for report in reports {
        clients.report(report, at(0)).unwrap();
    }
    clients
}

fn stages(clients: &Clients) -> BTreeMap<(u32, Arm), (u64, u64)> {
    let stages = clients.run(RUN).map(RunCounts::key_stages).unwrap_or_default();
    stages.into_iter().map(|(at, totals)| (at, (totals.requests, totals.error))).collect()
}

#[test]
fn a_key_counts_once_whoever_meets_it() {
    let told = |client, sequence, arms: Vec<ArmCounts>| Report { arms, ..report(client, sequence) };
    let treated = |errors: &[u64]| keys(Arm::Treated, 0, &[1, 2, 3], errors);
    let check = |reports: &[Report], expected: &[Row]| {
        assert_eq!(stages(&clients(reports)), expected.iter().copied().collect());
    };
    // Ten bad requests of one key are one bad key; so are those of three processes.
    check(&[told(1, 1, vec![treated(&[1])])], &[((0, Arm::Treated), (3, 1))]);
    let three: Vec<_> = (1..=3).map(|client| told(client, 1, vec![treated(&[1])])).collect();
    check(&three, &[((0, Arm::Treated), (3, 1))]);
    let again: Vec<_> = three.iter().chain(&three).cloned().collect();
    check(&again, &[((0, Arm::Treated), (3, 1))]);
    // Another one is another.
    check(&[told(1, 1, vec![treated(&[1])]), told(1, 2, vec![treated(&[1, 2])])], &[((0, Arm::Treated), (3, 2))]);
    // A ramp draws more of them: where a key was bad first, there it stays.
    let ramped = [
        told(1, 1, vec![keys(Arm::Control, 0, &[1, 2], &[1])]),
        told(1, 2, vec![keys(Arm::Control, 0, &[1, 2], &[1]), keys(Arm::Treated, 1, &[1, 2], &[1, 2])]),
    ];
    check(&ramped, &[((0, Arm::Control), (2, 1)), ((1, Arm::Treated), (2, 1))]);
    // A stage that no ramp has is none.
    check(&[told(1, 1, vec![keys(Arm::Treated, 99, &[1], &[1])])], &[]);
}

/// An estimate that is too high would share harm out among too many.
#[test]
fn as_many_keys_were_struck_as_there_are_at_least() {
    let check = |number: u64, lowered: bool| {
        let mut row = keys(Arm::Treated, 0, &(0..number).collect::<Vec<_>>(), &[]);
        row.keys.as_mut().unwrap().struck = row.keys.as_ref().unwrap().drawn.clone();
        let clients = clients(&[Report { arms: vec![row], ..report(1, 1) }]);
        let totals = clients.run(RUN).unwrap().key_stages()[&(0, Arm::Treated)];
        assert!(totals.requests.abs_diff(number) * 10 <= number, "{totals:?}");
        let expected = if lowered { totals.requests - totals.requests / 16 } else { number };
        assert_eq!(totals.struck, expected, "{number}: {totals:?}");
    };
    check(0, false);
    check(1_000, false);
    check(4_000, true);
}

#[test]
fn at_the_limit_the_counts_stand_still() {
    let mut clients = Clients::default();
    clients.open_run(RUN);
    let part = BAD_KEYS_OF_CLIENT_MAX as u64;
    let parts = BAD_KEYS_MAX as u64 / part;
    for client in 0..parts + 2 {
        let errors: Vec<_> = (client * part..(client + 1) * part).collect();
        let (treated, control) = errors.split_at(errors.len() / 2);
        let arms = vec![keys(Arm::Treated, 0, treated, treated), keys(Arm::Control, 0, control, control)];
        clients.report(&Report { arms, ..report(u128::from(client) + 1, 1) }, at(0)).unwrap();
        assert_eq!(clients.run(RUN).is_some_and(RunCounts::are_keys_full), client >= parts, "{client}");
    }
    let counted = stages(&clients);
    let bad = BAD_KEYS_MAX as u64 / 2;
    assert_eq!((counted[&(0, Arm::Treated)].1, counted[&(0, Arm::Control)].1), (bad, bad));
}

#[test]
fn what_is_open_at_the_end_is_feared_to_be_bad() {
    let open = ArmCounts { keys: None, ..arm(Arm::Treated, 5, 5) };
    let clients = clients(&[Report { arms: vec![open], ..report(1, 1) }]);
    let sight = |over| {
        let sticky = Run { spec: RunSpec { by: DrawBy::Attribute("tenant".into()), ..run().spec }, ..run() };
        let sight = Sight::new(&sticky, clients.run(RUN), &BTreeSet::new(), (at(1), over));
        [sight.told(), sight.feared()].map(|arms| (arms.treated().requests, arms.treated().slow))
    };
    assert_eq!(sight(false), [(0, 0), (0, 0)]);
    assert_eq!(sight(true), [(0, 0), (5, 5)], "which keys are open nobody knows");
}

proptest! {
    /// However bad requests are spread over processes, reports, duplicates and stages: each key counts once.
    #[test]
    fn spreading_changes_nothing(
        bad in prop::collection::vec((0_u64..60, 0_u128..4, 0_u32..3, any::<bool>()), 0..120),
        repeat in 1_usize..3,
    ) {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        let mut sequences = [0_u64; 4];
        let mut so_far: BTreeMap<(u128, u32, bool), Vec<u64>> = BTreeMap::new();
        for (key, client, stage, treated) in &bad {
            let known = so_far.entry((*client, *stage, *treated)).or_default();
            known.push(*key);
            let side = if *treated { Arm::Treated } else { Arm::Control };
            let sequence = &mut sequences[usize::try_from(*client).unwrap()];
            *sequence += 1;
            let arms = vec![keys(side, *stage, known, known)];
            for _ in 0..repeat {
                clients.report(&Report { arms: arms.clone(), ..report(*client + 1, *sequence) }, at(0)).unwrap();
            }
        }
        let distinct: BTreeSet<u64> = bad.iter().map(|(key, ..)| *key).collect();
        let counted = stages(&clients);
        prop_assert_eq!(counted.values().map(|(_, errors)| errors).sum::<u64>(), distinct.len() as u64);
        let first: BTreeMap<u64, (u32, Arm)> = bad.iter().rev().map(|(key, _, stage, treated)| {
            (*key, (*stage, if *treated { Arm::Treated } else { Arm::Control }))
        }).collect();
        for (at, (_, errors)) in &counted {
            prop_assert_eq!(*errors, first.values().filter(|of| *of == at).count() as u64);
        }
    }
}
