use std::collections::BTreeSet;

use daybreak_model::Arm;
use daybreak_model::limits::OPERATIONS_MAX;
use daybreak_model::wire::{Evaluations, FaultSupport, Metric, OperationCounts, PointCounts};
use proptest::prelude::*;

use super::*;
use crate::fixtures::{RUN, arm, at, key, report, run, traffic_report};

const CHECKOUT: &str = "POST /checkout";

fn clients(reports: &[(Report, i64)]) -> Clients {
    let mut clients = Clients::default();
    clients.open_run(RUN);
    for (report, second) in reports {
        clients.report(report, at(*second)).unwrap();
    }
    clients
}

/// A report with so many treated requests, all of them struck.
fn striking(client: u128, sequence: u64, struck: u64) -> Report {
    Report { arms: vec![arm(Arm::Treated, struck, struck)], ..traffic_report(client, sequence, struck, struck) }
}

fn passed(clients: &Clients, second: i64) -> Option<(u64, u64)> {
    clients.traffic().passed("shop", &key("payment.gateway"), CHECKOUT, at(second))
}

#[test]
fn counters_become_differences() {
    let clients = clients(&[
        (traffic_report(1, 1, 10, 5), 0),
        (traffic_report(1, 2, 30, 6), 2),
        (traffic_report(2, 1, 100, 0), 3),
        // A counter that shrinks counts for nothing.
        (traffic_report(1, 3, 20, 4), 4),
    ]);
    assert_eq!(passed(&clients, 5), Some((130, 6)));
}

#[test]
fn a_client_met_late_brings_no_traffic_of_before() {
    let clients =
        clients(&[(traffic_report(1, 900, 1_000_000, 1_000), 0), (traffic_report(1, 901, 1_000_010, 1_001), 2)]);
    assert_eq!(passed(&clients, 5), Some((10, 1)));
}

#[test]
fn a_point_is_known_before_anything_passes_it() {
    let clients = clients(&[(traffic_report(1, 900, 5, 0), 0)]);
    assert!(clients.traffic().knows("shop", &key("payment.gateway"), at(1)));
    assert!(!clients.traffic().knows("till", &key("payment.gateway"), at(1)));
}

#[test]
fn what_becomes_of_a_report() {
    let mut clients = Clients::default();
    let mut check = |report: Report, expected: Result<Reported, ReportRefusal>| {
        assert_eq!(clients.report(&report, at(0)), expected, "{} {}", report.client, report.sequence);
    };
    check(report(1, 5), Ok(Reported::First));
    check(report(1, 5), Ok(Reported::Old));
    check(report(1, 4), Ok(Reported::Old));
    check(report(1, 7), Ok(Reported::Newer));
    check(Report { service: String::new(), ..report(2, 1) }, Err(ReportRefusal::ServiceName));
    check(Report { service: "s".repeat(201), ..report(2, 1) }, Err(ReportRefusal::ServiceName));
    check(Report { service: "till".to_owned(), ..report(1, 8) }, Err(ReportRefusal::OtherService));
    check(report(1, 8), Ok(Reported::Newer));
}

#[test]
fn who_is_live() {
    let goodbye = Report { goodbye: true, ..report(3, 2) };
    let mut clients = clients(&[(report(1, 1), 0), (report(2, 1), 20), (report(3, 1), 20), (goodbye, 21)]);
    let live = |clients: &Clients, second: i64| clients.live(at(second)).map(|c| c.client).collect::<Vec<_>>();
    let [one, two] = [1, 2].map(InstanceId::new);
    assert_eq!(live(&clients, 30), [one, two]);
    assert_eq!(live(&clients, 31), [two]);
    assert_eq!(live(&clients, 51), []);
    // A duplicate of an old report is no sign of life.
    assert_eq!(clients.report(&report(1, 1), at(32)), Ok(Reported::Old));
    assert_eq!(live(&clients, 32), [two]);
    assert_eq!(clients.iter().count(), 3);
    clients.sweep(at(20 + 600));
    assert_eq!(clients.iter().map(|client| client.client).collect::<Vec<_>>(), [two, InstanceId::new(3)]);
}

#[test]
fn invariant_5_a_client_that_forbids_faults_does_not_count_at_a_point() {
    let forbidding = Report { faults: FaultSupport::default(), ..traffic_report(2, 1, 10, 10) };
    let mut refusing = traffic_report(3, 1, 10, 10);
    refusing.points.values_mut().for_each(|point| point.permitted = false);
    let clients = clients(&[(traffic_report(1, 1, 10, 7), 0), (forbidding, 0), (refusing, 0), (report(4, 1), 0)]);
    let point_at = |name: &str, second: i64| fault_point(&key(name), clients.live(at(second)));
    let point = point_at("payment.gateway", 1);
    assert_eq!((point.clients, point.permitting, point.passes), (3, 1, 27));
    assert_eq!(point.services["shop"].requests[CHECKOUT], 27);
    assert_eq!(fault_points(clients.live(at(1))), BTreeMap::from([(key("payment.gateway"), point)]));
    assert_eq!(point_at("payment.gateway", 31), FaultPoint::default());
    assert_eq!(point_at("elsewhere", 1), FaultPoint::default());
}

/// What a lost client left open stays bad after nothing else is known of it, until it is heard again.
#[test]
fn invariant_5_a_lost_client_that_is_forgotten_leaves_its_open_requests_bad() {
    let counted = |settled| {
        let mut counted = arm(Arm::Treated, 10, 10);
        counted.counts.insert(Metric::Settled, settled);
        vec![counted]
    };
    let open = |client| Report { arms: counted(7), ..report(client, 1) };
    let goodbye = Report { goodbye: true, ..open(2) };
    let mut clients = clients(&[(open(1), 0), (goodbye, 0), (report(3, 1), 0)]);
    let bad = |clients: &Clients, second| {
        clients.run(RUN).unwrap().feared(&clients.silent(at(second)), false).values().sum::<u64>()
    };
    assert_eq!([4, 5, 600].map(|second| bad(&clients, second)), [0, 3, 3]);
    clients.sweep(at(700));
    assert_eq!((clients.iter().count(), bad(&clients, 700)), (0, 3), "one said goodbye");
    assert_eq!(clients.lost(&run(), &clients.silent(at(30)), at(30)), 1, "as where it had to make room for others");
    let again = Report { arms: counted(10), ..report(1, 2) };
    assert_eq!(clients.report(&again, at(701)), Ok(Reported::First));
    assert_eq!([701, 706].map(|second| bad(&clients, second)), [0, 0], "they are settled");
}

/// A request that passes several services may be struck in each: how many were is not the sum.
#[test]
fn a_request_that_several_services_struck_counts_once() {
    let told = |client: u128, service: &str, requests, struck| Report {
        service: service.to_owned(),
        arms: vec![arm(Arm::Treated, requests, struck)],
        ..report(client, 1)
    };
    let check = |reports: &[Report], expected: u64| {
        let reports: Vec<_> = reports.iter().map(|report| (report.clone(), 0)).collect();
        let clients = clients(&reports);
        let run = clients.run(RUN).unwrap();
        let of = [run.requests(Arm::Treated), run.stages()[&(0, Arm::Treated)]].map(|totals| totals.struck);
        assert_eq!(of, [expected; 2], "{reports:#?}");
    };
    let (shop, gateway) = (told(1, "shop", 100, 10), told(2, "gateway", 0, 15));
    check(std::slice::from_ref(&shop), 10);
    check(&[shop.clone(), gateway.clone()], 15);
    check(&[shop.clone(), gateway.clone(), told(3, "ledger", 0, 12)], 15);
    // Two roots serve different requests. A retry may come to another instance behind them.
    check(&[shop.clone(), told(4, "shop", 100, 10), gateway.clone()], 20);
    check(&[shop, gateway.clone(), told(5, "gateway", 0, 14)], 15);
    // No more were struck than there are.
    check(&[told(1, "shop", 12, 10), gateway], 12);
}

#[test]
fn only_open_runs_are_counted() {
    let mut clients = clients(&[(striking(1, 1, 3), 0)]);
    assert_eq!(clients.run(RUN).unwrap().arm(Arm::Treated).struck, 3);
    let counts = clients.close_run(RUN).unwrap();
    assert_eq!(counts.root_requests(), 3);
    clients.report(&striking(1, 2, 9), at(1)).unwrap();
    assert!(clients.run(RUN).is_none());
}

#[test]
fn requests_after_the_end_are_none_of_a_run() {
    let mut clients = clients(&[(striking(1, 1, 3), 0), (striking(2, 1, 2), 5)]);
    clients.end_run(RUN, at(6));
    clients.end_run(RUN, at(60));
    let mut root_requests = |client, sequence, requests, second| {
        clients.report(&striking(client, sequence, requests), at(second)).unwrap();
        clients.run(RUN).unwrap().root_requests()
    };
    assert_eq!(root_requests(1, 2, 10, 7), 12, "what it had made before the end is in it");
    assert_eq!(root_requests(1, 3, 90, 8), 12);
    assert_eq!(root_requests(2, 2, 4, 9), 14);
    assert_eq!(root_requests(2, 3, 90, 11), 14);
    assert_eq!(clients.run(RUN).unwrap().arm(Arm::Treated).struck, 180, "strikes are, whenever they are told of");
}

/// A client that counts backwards, and then catches up, is not counted twice.
#[test]
fn invariant_4_an_arm_that_shrinks_counts_once() {
    let clients = clients(&[(striking(1, 1, 9), 0), (striking(1, 2, 4), 2), (striking(1, 3, 10), 4)]);
    assert_eq!(clients.run(RUN).unwrap().arm(Arm::Treated).struck, 10);
}

/// An absent counter, point or evaluation is neither zero nor gone, and what comes back is not counted twice.
#[test]
fn invariant_4_what_a_report_leaves_out_is_unchanged() {
    let evaluated = |variant: &str, count| Evaluations { variants: [(key(variant), count)].into(), errors: 0 };
    let first = Report { evaluations: [(key("layout"), evaluated("grid", 3))].into(), ..striking(1, 1, 40) };
    let second = Report { evaluations: [(key("layout"), evaluated("list", 2))].into(), ..report(1, 2) };
    let clients = clients(&[(first, 0), (second, 2), (report(1, 3), 4), (striking(1, 4, 41), 6)]);
    let client = clients.get(InstanceId::new(1)).unwrap();
    let (grid, list) = (key("grid"), key("list"));
    assert_eq!(client.evaluations[&key("layout")].variants, [(grid, 3), (list, 2)].into());
    assert_eq!(client.operations[CHECKOUT].requests, 41);
    assert_eq!(fault_point(&key("payment.gateway"), clients.live(at(6))).permitting, 1);
    assert_eq!(passed(&clients, 6), Some((41, 41)));
    let run = clients.run(RUN).unwrap();
    assert_eq!((run.arm(Arm::Treated).requests, run.arm(Arm::Treated).struck), (41, 41));
    assert_eq!(run.root_requests(), 41);
}

/// What a client had counted before it was first heard may be long ago.
#[test]
fn evaluations_grow_by_what_is_new() {
    let (on, off) = (key("on"), key("off"));
    let of = |sequence, variants: &[(&Key, u64)], errors| {
        let variants = variants.iter().map(|(variant, count)| ((*variant).clone(), *count)).collect();
        let evaluations = [(key("f"), Evaluations { variants, errors })].into();
        Report { evaluations, ..report(1, sequence) }
    };
    let grown = |clients: &mut Clients, report: Report| -> Vec<_> {
        clients.report(&report, at(0)).unwrap();
        let grown = clients.take_evaluations();
        grown.into_iter().map(|grown| (grown.variant.map(|name| name.to_string()), grown.count, grown.recent)).collect()
    };
    let served = |variant: &str, count, recent| (Some(variant.to_owned()), count, recent);
    let mut clients = Clients::default();
    assert_eq!(grown(&mut clients, of(1, &[(&on, 3)], 1)), [(None, 1, true), served("on", 3, true)]);
    assert_eq!(grown(&mut clients, of(2, &[(&on, 3), (&off, 2)], 1)), [served("off", 2, true)]);
    assert_eq!(grown(&mut clients, of(2, &[(&on, 9)], 1)), [], "a duplicate");
    let mut late = Clients::default();
    assert_eq!(grown(&mut late, of(9, &[(&on, 3)], 0)), [served("on", 3, false)]);
    assert_eq!(grown(&mut late, of(10, &[(&on, 4)], 0)), [served("on", 1, true)]);
}

/// A point that is not reported anew is known all the same: also after the 15 minutes that traffic reaches back.
#[test]
fn a_point_that_is_left_out_stays_known() {
    let reports: Vec<_> = (2..200).map(|sequence| (report(1, sequence), sequence as i64 * 10)).collect();
    let clients = clients(&[vec![(traffic_report(1, 1, 10, 10), 0)], reports].concat());
    assert!(clients.traffic().knows("shop", &key("payment.gateway"), at(1_991)));
    assert_eq!(fault_point(&key("payment.gateway"), clients.live(at(1_991))).clients, 1);
}

/// Whoever is met late may send its counters piece by piece: none of them is taken for growth.
#[test]
fn a_client_met_late_brings_no_traffic_of_before_piece_by_piece() {
    let whole = traffic_report(1, 900, 1_000_000, 1_000);
    let pieces = [
        Report { points: BTreeMap::new(), ..whole.clone() },
        Report { operations: BTreeMap::new(), sequence: 901, ..whole },
        traffic_report(1, 902, 1_000_010, 1_001),
    ];
    let clients = clients(&pieces.map(|piece| (piece, 0)));
    assert_eq!(passed(&clients, 5), Some((10, 1)));
}

#[test]
fn everything_is_bounded() {
    let many = |n: usize| (0..n).map(|n| format!("GET /{n:05}"));
    let mut long = report(1, 1);
    long.operations = many(5_000).map(|name| (name, OperationCounts { requests: 1, open: 1 })).collect();
    long.operations.insert("x".repeat(201), OperationCounts { requests: 1, open: 0 });
    let point = PointCounts { requests: many(5_000).map(|name| (name, 1)).collect(), ..PointCounts::default() };
    long.points = (0..5_000).map(|n| (key(&format!("p{n}")), point.clone())).take(600).collect();
    long.evaluations = (0..30_000).map(|n| (key(&format!("f{n}")), Evaluations::default())).collect();
    let mut client = Client::new(&long, at(0));
    let _ = client.take_in(&long, at(0));
    assert_eq!(client.operations.len(), OPERATIONS_MAX + 1);
    assert_eq!(client.operations.values().map(|counts| counts.requests).sum::<u64>(), 5_001);
    assert_eq!(client.points.len(), 500);
    assert!(client.points.values().all(|point| point.requests.len() == OPERATIONS_MAX + 1));
    assert_eq!(client.evaluations.len(), EVALUATIONS_MAX);
    // Others in the next report find no room either.
    let others = Report { operations: many(10_000).map(|name| (name, OperationCounts::default())).collect(), ..long };
    let _ = client.take_in(&others, at(2));
    assert_eq!(client.operations.len(), OPERATIONS_MAX + 1);
    let variants = (0..1_000).map(|n| (key(&format!("v{n}")), 1)).collect();
    let evaluations = [(key("f1"), Evaluations { variants, errors: 1 })].into();
    let _ = client.take_in(&Report { evaluations, ..report(1, 3) }, at(4));
    assert_eq!(client.evaluations[&key("f1")].variants.len(), EVALUATED_VARIANTS_MAX);
}

#[test]
fn when_all_are_live_no_more_are_counted() {
    let mut clients = Clients::default();
    for client in 0..CLIENTS_MAX as u128 {
        clients.report(&report(client, 1), at(0)).unwrap();
    }
    assert_eq!(clients.report(&report(u128::MAX, 1), at(30)), Err(ReportRefusal::TooManyClients));
    assert_eq!(clients.report(&report(5, 2), at(30)), Ok(Reported::Newer));
    assert_eq!(clients.report(&report(u128::MAX, 1), at(31)), Ok(Reported::First));
    assert_eq!(clients.iter().count(), CLIENTS_MAX);
    assert!(clients.get(InstanceId::new(0)).is_none());
}

/// Its last report but one may still be on its way.
#[test]
fn who_makes_room_right_after_a_goodbye_is_not_counted_twice() {
    let mut clients = Clients::default();
    clients.open_run(RUN);
    let settled = |report: Report, requests| {
        let mut arm = arm(Arm::Control, requests, 0);
        arm.counts.insert(Metric::Settled, requests);
        Report { arms: vec![arm], ..report }
    };
    clients.report(&Report { goodbye: true, ..settled(report(0, 3), 10) }, at(0)).unwrap();
    for client in 1..CLIENTS_MAX as u128 {
        clients.report(&report(client, 1), at(1)).unwrap();
    }
    assert_eq!(clients.report(&report(u128::MAX, 1), at(1)), Ok(Reported::First));
    assert!(clients.get(InstanceId::new(0)).is_none());
    clients.report(&report(1, 2), at(40)).unwrap();
    assert_eq!(clients.report(&settled(report(0, 2), 9), at(41)), Ok(Reported::First));
    assert_eq!(clients.run(RUN).unwrap().arm(Arm::Control).requests, 10);
}

/// The reports of some clients: each counts on from the one before.
fn any_reports() -> impl Strategy<Value = Vec<Report>> {
    let steps = prop::collection::vec((0..50_u64, 0..50_u64, 0..20_u64), 1..8);
    prop::collection::vec(steps, 1..4).prop_map(|clients| {
        let mut reports = Vec::new();
        for (client, steps) in clients.into_iter().enumerate() {
            let (mut passed, mut others, mut struck) = (0, 0, 0);
            for (sequence, (more_passed, more_others, more_struck)) in steps.into_iter().enumerate() {
                (passed, others, struck) = (passed + more_passed, others + more_others, struck + more_struck);
                let arms = vec![arm(Arm::Treated, struck * 2, struck), arm(Arm::Control, passed, 0)];
                let report = traffic_report(client as u128, sequence as u64 + 1, passed + others, passed);
                reports.push(Report { arms, ..report });
            }
        }
        reports
    })
}

/// What a report has to say to a server that acknowledged this state: what has changed since.
fn changes(report: &Report, acknowledged: &Report) -> Report {
    let mut changes = report.clone();
    changes.operations.retain(|name, counts| acknowledged.operations.get(name) != Some(counts));
    changes.points.retain(|point, counts| acknowledged.points.get(point) != Some(counts));
    changes.arms.retain(|arm| !acknowledged.arms.contains(arm));
    changes
}

proptest! {
    /// Reports of changes alone, some of them lost, come to the same as reports of everything.
    #[test]
    fn invariant_4_reports_of_changes_come_to_the_same(
        reports in any_reports(), arrives in prop::collection::vec(any::<bool>(), 32),
    ) {
        let (mut whole, mut parts) = (Clients::default(), Clients::default());
        [&mut whole, &mut parts].into_iter().for_each(|clients| clients.open_run(RUN));
        let mut acknowledged: BTreeMap<InstanceId, Report> = BTreeMap::new();
        for (report, arrives) in reports.iter().zip(arrives) {
            let nothing = Report { operations: BTreeMap::new(), points: BTreeMap::new(), arms: Vec::new(), ..report.clone() };
            let known = acknowledged.get(&report.client).unwrap_or(&nothing);
            if arrives || report.sequence == 1 {
                parts.report(&changes(report, known), at(0)).unwrap();
                whole.report(report, at(0)).unwrap();
                acknowledged.insert(report.client, report.clone());
            }
        }
        prop_assert_eq!(parts.snapshot(), whole.snapshot());
        prop_assert_eq!(passed(&parts, 1), passed(&whole, 1));
        prop_assert_eq!(parts.run(RUN), whole.run(RUN));
    }

    /// Every report comes at least once, in any order: the totals are those of the last reports.
    #[test]
    fn invariant_4_duplicated_and_shuffled_reports_change_nothing(
        (reports, deliveries) in any_reports().prop_flat_map(|reports| {
            let all: Vec<usize> = (0..reports.len()).collect();
            let twice = prop::collection::vec(prop::sample::select(all.clone()), 0..20);
            let deliveries = twice.prop_flat_map(move |twice| Just([all.clone(), twice].concat()).prop_shuffle());
            (Just(reports), deliveries)
        }),
    ) {
        let mut clients = Clients::default();
        clients.open_run(RUN);
        let mut first: BTreeMap<InstanceId, u64> = BTreeMap::new();
        for index in deliveries {
            let report = &reports[index];
            let counted = if report.sequence > 1 { report.operations[CHECKOUT].requests } else { 0 };
            first.entry(report.client).or_insert(counted);
            clients.report(report, at(0)).unwrap();
        }
        let ids: BTreeSet<InstanceId> = reports.iter().map(|report| report.client).collect();
        let last: Vec<&Report> = ids.iter().map(|id| reports.iter().rfind(|report| report.client == *id).unwrap()).collect();
        let sum = |of: &dyn Fn(&Report) -> u64| last.iter().map(|report| of(report)).sum::<u64>();
        let metric = |arm: usize, metric| move |report: &Report| report.arms[arm].counts[&metric];
        use Metric::{Requests, Struck};

        let run = clients.run(RUN).unwrap();
        prop_assert_eq!(run.arm(Arm::Treated).requests, sum(&metric(0, Requests)));
        prop_assert_eq!(run.arm(Arm::Treated).struck, sum(&metric(0, Struck)));
        prop_assert_eq!(run.arm(Arm::Control).requests, sum(&metric(1, Requests)));
        let requests = sum(&|report| report.operations[CHECKOUT].requests) - first.values().sum::<u64>();
        prop_assert_eq!(clients.traffic().passed("shop", &key("payment.gateway"), CHECKOUT, at(1)).map_or(0, |(n, _)| n), requests);
        for report in last {
            let client = clients.get(report.client).unwrap();
            prop_assert_eq!((&client.operations, &client.points), (&report.operations, &report.points));
        }
    }
}

/// Evaluations only grow, whoever goes; of a client that was there before the server only what comes from now on.
#[test]
fn evaluations_are_added_up() {
    let mut clients = Clients::default();
    let told = |client: u128, sequence: u64, served: [u64; 2], errors: u64| {
        let variants = [(key("on"), served[0]), (key("off"), served[1])].into();
        let evaluations = [(key("layout"), Evaluations { variants, errors })].into();
        Report { evaluations, ..report(client, sequence) }
    };
    let cases = [
        (told(1, 1, [3, 1], 1), (4, 1)),
        (told(1, 2, [5, 1], 1), (6, 1)),
        (told(1, 2, [9, 9], 9), (6, 1)),
        (told(1, 3, [4, 1], 2), (6, 2)),
        (told(2, 7, [100, 0], 50), (6, 2)),
        (told(2, 8, [101, 0], 50), (7, 2)),
    ];
    for (report, expected) in cases {
        clients.report(&report, at(0)).unwrap();
        let counted = clients.evaluated()[&key("layout")];
        assert_eq!((counted.served, counted.errors), expected, "{} of {}", report.sequence, report.client);
    }
    clients.sweep(at(24 * 3_600));
    assert_eq!(clients.evaluated()[&key("layout")].served, 7, "they are gone, what they counted is not");
}
