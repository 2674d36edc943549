use proptest::prelude::*;

use super::*;
use crate::fixtures::{at, key};

#[test]
fn a_window_forgets_in_steps() {
    let mut window = Window::default();
    window.add(5, at(0));
    window.add(0, at(1));
    window.add(7, at(31));
    // A clock that was put back.
    window.add(1, at(2));
    let check = |second: i64, expected: u64| assert_eq!(window.total(at(second)), expected, "after {second} s");
    check(31, 13);
    check(899, 13);
    check(900, 8);
    check(929, 8);
    check(930, 0);
}

#[test]
fn what_passed_a_point() {
    let mut traffic = Traffic::default();
    let gateway = key("payment.gateway");
    traffic.add_requests("shop", "POST /checkout", 100, at(0));
    traffic.add_requests("shop", "GET /", 900, at(0));
    traffic.add_passed("shop", &gateway, "POST /checkout", 80, at(0));
    let check = |service: &str, operation: &str, second: i64, expected: Option<(u64, u64)>| {
        assert_eq!(traffic.passed(service, &gateway, operation, at(second)), expected, "{service} {operation}");
    };
    check("shop", "POST /checkout", 10, Some((100, 80)));
    check("shop", "GET /", 10, Some((900, 0)));
    check("shop", "GET /cart", 10, Some((0, 0)));
    check("shop", "POST /checkout", 10_000, Some((0, 0)));
    check("till", "POST /checkout", 10, None);
    assert_eq!(traffic.operations("shop", &gateway, at(10)), BTreeSet::from(["POST /checkout"]));
    assert!(traffic.operations("shop", &gateway, at(10_000)).is_empty());

    assert!(traffic.knows("shop", &gateway, at(900)) && !traffic.knows("shop", &gateway, at(901)));
    assert!(!traffic.knows("shop", &key("ledger"), at(10)) && !traffic.knows("till", &gateway, at(10)));

    traffic.sweep(at(10));
    assert_eq!(traffic.windows, 3);
    traffic.sweep(at(10_000));
    assert_eq!((traffic.windows, traffic.services.len()), (0, 0));
}

#[test]
fn a_rate_is_since_traffic_began() {
    let gateway = key("payment.gateway");
    // So many requests a second, of which a half pass the point, from this second until that; and what that is per second.
    let cases =
        [(0, 60, 60, 50.0), (0, 15, 15, 25.0), (0, 900, 900, 50.0), (0, 2_000, 2_000, 50.0), (0, 60, 1_000, 0.0)];
    for (from, until, now, expected) in cases {
        let (mut traffic, mut everywhere) = (Traffic::default(), Traffic::default());
        for second in from..until {
            traffic.add_requests("shop", "POST /checkout", 100, at(second));
            traffic.add_passed("shop", &gateway, "POST /checkout", 50, at(second));
            everywhere.add_requests("shop", "POST /checkout", 50, at(second));
        }
        for traffic in [&traffic, &everywhere] {
            let rate = traffic.eligible_per_second("shop", &gateway, "POST /checkout", at(now)).unwrap();
            assert!((rate - expected).abs() <= 0.04 * expected, "{from}..{until} at {now}: {rate}");
        }
    }
    assert_eq!(Traffic::default().eligible_per_second("shop", &gateway, "POST /checkout", at(0)), None);
}

#[test]
fn invariant_5_what_could_not_be_counted_makes_shares_unknown() {
    let mut traffic = Traffic::default();
    for n in 0..=WINDOWS_MAX {
        traffic.add_requests("shop", &format!("GET /{n}"), 1, at(0));
    }
    assert_eq!(traffic.windows, WINDOWS_MAX);
    let gateway = key("payment.gateway");
    assert_eq!(traffic.passed("shop", &gateway, "GET /0", at(1)), None);
    traffic.sweep(at(1_000));
    traffic.add_requests("shop", "GET /0", 1, at(1_000));
    assert_eq!(traffic.passed("shop", &gateway, "GET /0", at(1_000)), Some((1, 0)));
}

proptest! {
    /// All of the last 14½ minutes is counted, nothing of before 15 minutes ago, in at most 31 buckets.
    #[test]
    fn a_window_counts_its_time(mut counts in prop::collection::vec((0..5_000_i64, 0..100_u64), 0..60), later in 0..1_000_i64) {
        counts.sort_unstable();
        let mut window = Window::default();
        counts.iter().for_each(|(second, count)| window.add(*count, at(*second)));
        let now = counts.last().map_or(0, |(second, _)| *second) + later;
        let since = |seconds: i64| counts.iter().filter(|(at, _)| *at > now - seconds).map(|(_, count)| count).sum::<u64>();
        let total = window.total(at(now));
        prop_assert!(since(WINDOW_SECONDS - BUCKET_SECONDS) <= total && total <= since(WINDOW_SECONDS));
        prop_assert!(window.buckets.len() <= 31);
    }
}
