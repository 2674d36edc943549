//! What is known of keys, over clients and time.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{at, key};

fn wanted() -> SketchWanted {
    SketchWanted { point: key("payment.gateway"), attribute: "account".to_owned(), salt: "s".to_owned() }
}

fn hash(number: u64) -> KeyHash {
    KeyHash::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// One request of each of these, but so many of the heaviest.
fn told(slice: u64, keys: std::ops::Range<u64>, heaviest: (u64, u64)) -> PointKeys {
    let SketchWanted { point, attribute, salt } = wanted();
    let requests = keys.end - keys.start + heaviest.1;
    let keys = keys.chain([heaviest.0]).map(hash).collect();
    PointKeys {
        point,
        attribute,
        salt,
        slice,
        requests,
        keys,
        heaviest: BTreeMap::from([(hash(heaviest.0), heaviest.1)]),
    }
}

fn all() -> AllPointKeys {
    let mut all = AllPointKeys::default();
    all.want(&[wanted()]);
    all
}

fn check(all: &AllPointKeys, second: i64, (distinct, requests, heaviest): (u64, u64, u64)) {
    let seen = all.seen(&key("payment.gateway"), "account", at(second));
    assert_eq!(seen, Some(KeysSeen { distinct, requests, heaviest }), "at {second}");
}

#[test]
fn clients_and_slices_add_up_and_duplicates_do_not() {
    let mut all = all();
    let (one, two) = (InstanceId::new(1), InstanceId::new(2));
    all.take_in(one, &[told(0, 1..100, (0, 10))], at(0));
    check(&all, 0, (100, 109, 10));
    all.take_in(one, &[told(0, 1..100, (0, 10))], at(2));
    check(&all, 2, (100, 109, 10));
    all.take_in(one, &[told(0, 1..120, (0, 15))], at(4));
    check(&all, 4, (120, 134, 15));
    // Another client meets the same keys.
    all.take_in(two, &[told(0, 1..120, (0, 15))], at(4));
    check(&all, 4, (120, 268, 30));
    // The next slice begins with nothing; the one before may still have grown.
    all.take_in(one, &[told(0, 1..130, (0, 15)), told(1, 1..2, (0, 7))], at(400));
    check(&all, 400, (130, 268 + 10 + 8, 37));
    all.take_in(one, &[told(1, 1..2, (0, 7)), told(2, 1..2, (0, 1))], at(700));
    check(&all, 700, (130, 288, 38));
    // One that is over is not taken in anew.
    all.take_in(one, &[told(0, 1..130, (0, 15))], at(701));
    check(&all, 701, (130, 288, 38));
}

#[test]
fn an_hour_later_it_is_forgotten() {
    let mut all = all();
    all.take_in(InstanceId::new(1), &[told(0, 1..100, (0, 10))], at(0));
    all.take_in(InstanceId::new(1), &[told(1, 200..210, (0, 1))], at(1_800));
    for second in [1_800, 3_299] {
        all.sweep(at(second));
        check(&all, second, (110, 120, 11));
    }
    all.sweep(at(3_600));
    check(&all, 3_600, (11, 11, 1));
    check(&all, 7_200, (0, 0, 0));
    all.sweep(at(7_200));
    assert!(all.0.values().all(|seen| seen.slots.is_empty() && seen.clients.is_empty()));
}

#[test]
fn only_what_is_wanted_is_counted() {
    let mut all = all();
    let other = PointKeys { salt: "another".to_owned(), ..told(0, 1..100, (0, 10)) };
    all.take_in(InstanceId::new(1), &[other], at(0));
    check(&all, 0, (0, 0, 0));
    assert_eq!(all.seen(&key("payment.gateway"), "country", at(0)), None);
    all.take_in(InstanceId::new(1), &[told(0, 1..100, (0, 10))], at(0));
    all.want(&[wanted()]);
    check(&all, 0, (100, 109, 10));
    all.want(&[]);
    assert_eq!(all.seen(&key("payment.gateway"), "account", at(0)), None);
}

proptest! {
    /// Whatever the reports, nothing panics, and what is kept is bounded.
    #[test]
    fn any_reports(reports in prop::collection::vec((0_u128..3, 0_u64..6, 0_u64..50, 0_u64..u64::MAX, 0_i64..4_000), 0..60)) {
        let mut all = all();
        for (client, slice, keys, heaviest, second) in reports {
            let mut told = told(slice, 0..keys, (keys, 1));
            told.heaviest.insert(hash(keys), heaviest);
            told.requests = heaviest;
            all.take_in(InstanceId::new(client), &[told], at(second));
            let kept = all.0.values().flat_map(|seen| seen.clients.values()).map(|slices| slices.slices.len()).max();
            prop_assert!(kept.unwrap_or_default() <= SLICES_MAX);
            let seen = all.seen(&key("payment.gateway"), "account", at(second)).unwrap();
            prop_assert!(seen.distinct <= 50);
        }
    }
}
