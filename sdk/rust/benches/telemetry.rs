//! What it costs that requests are counted: time and allocations on a request's way, and bytes of reports.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with it; it adds nothing else")]

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, test, web};
use criterion::{Criterion, criterion_group, criterion_main};
use daybreak_model::wire::{Enveloped, Measure, Metric, Position, Reply, Report, RunGrant, RunSpec, StoreId};
use daybreak_model::{Context, DrawBy, Effect, Good, Key, Millis, Percentage, RunId, StatusBound};
use daybreak_sdk::faults::{Clock, Faults, Moment, Settings, SystemClock};
use daybreak_sdk::middleware::{actix::Daybreak, tower::DaybreakLayer};
use daybreak_sdk::scope::RootRequest;
use daybreak_sdk::{Outcome, Point, TestClient};
use jiff::SignedDuration;
use tower::{Service, ServiceBuilder, service_fn};

mod measure;

const POINT: &str = "payment.gateway";
const OPERATION: &str = "GET";

/// What is granted and measured while requests come.
#[derive(Clone, Copy, Debug)]
struct Scenery {
    name: &'static str,
    measured: bool,
    /// A run at the point, for the operation, that treats this share.
    here: Option<Percentage>,
    /// Runs of other operations, in other services.
    elsewhere: u64,
}

const SCENERIES: [Scenery; 5] = [
    Scenery { name: "no SLO, no run", measured: false, here: None, elsewhere: 0 },
    Scenery { name: "an SLO, no run", measured: true, here: None, elsewhere: 0 },
    Scenery { name: "an SLO, a run, control", measured: true, here: Some(Percentage::ZERO), elsewhere: 0 },
    Scenery { name: "an SLO, a run, treated", measured: true, here: Some(Percentage::FULL), elsewhere: 0 },
    Scenery { name: "an SLO, 20 runs elsewhere", measured: true, here: None, elsewhere: 20 },
];

fn measure(operation: &str) -> Result<Measure, Box<dyn Error>> {
    let good = Good { status: Some(StatusBound(500)), latency: Some(Millis::new(400)) };
    let slo = Key::new(&operation.replace([' ', '/'], "-").to_lowercase())?;
    Ok(Measure { slo, revision: 1, operation: operation.to_owned(), good })
}

fn grant(
    faults: &Faults,
    id: u64,
    (point, operation): (&str, &str),
    share: Percentage,
) -> Result<RunGrant, Box<dyn Error>> {
    let spec = RunSpec {
        fault: Key::new("fault")?,
        point: Key::new(point)?,
        operation: None,
        host: None,
        when: None,
        segments: Default::default(),
        protect: Vec::new(),
        by: DrawBy::Request,
        salt: "salt".to_owned(),
        // It strikes, and the request goes on.
        effect: Effect { data: Some(serde_json::json!({"stock": 0})), ..Effect::default() },
        times: None,
        shadow: false,
        measure: Some(measure(operation)?),
    };
    let ends_at = faults.now().wall + SignedDuration::from_hours(1);
    let spec = Some(Enveloped::new(1, &spec)?);
    Ok(RunGrant { id: RunId::new(id), stage: 0, percentage: share, cap: 64, ends_at, spec })
}

fn reply(faults: &Faults, runs: Vec<RunGrant>, measures: Vec<Measure>) -> Reply {
    Reply {
        environment: "bench".to_owned(),
        position: Position { store: StoreId::new(1), revision: 1 },
        now: faults.now().wall,
        lease: Millis::from_secs(30),
        interval: Millis::from_secs(2),
        halted: false,
        first: false,
        runs,
        stale_after: None,
        measures,
        sketches: Vec::new(),
    }
}

impl Scenery {
    /// Grants anew, since leases lapse.
    fn set(&self, faults: &Faults) {
        let grants = || -> Result<Reply, Box<dyn Error>> {
            let here = self.here.map(|share| grant(faults, 1, (POINT, OPERATION), share));
            let elsewhere = (0..self.elsewhere)
                .map(|run| grant(faults, 100 + run, ("stock", &format!("GET /other/{run}")), Percentage::FULL));
            let runs = here.into_iter().chain(elsewhere).collect::<Result<_, _>>()?;
            let measures = self.measured.then(|| measure(OPERATION)).into_iter().collect::<Result<_, _>>()?;
            Ok(reply(faults, runs, measures))
        };
        let reply = grants();
        assert!(reply.is_ok(), "what the benchmark grants is sound");
        reply.into_iter().for_each(|reply| faults.grant(&reply, faults.now()));
    }
}

/// Measures work by time; then says how often it allocates.
fn measured(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    mut prepare: impl FnMut(),
    mut work: impl FnMut(u64),
) {
    const COUNTED: u64 = 1_000;
    group.bench_function(name, |b| {
        b.iter_custom(|times| {
            prepare();
            let began = measure::worked();
            work(times);
            measure::worked().saturating_sub(began)
        });
    });
    prepare();
    work(COUNTED);
    let before = measure::allocations();
    work(COUNTED);
    let allocated = measure::allocations() - before;
    eprintln!("    {name}: {:.2} allocations each\n", allocated as f64 / COUNTED as f64);
}

/// A request by hand: its scope, one pass, and its outcome.
fn by_hand(faults: &Faults, point: &Point) {
    let mut open = faults.open(|| RootRequest::new(OPERATION, Context::default()));
    open.scope().enter(|| drop(black_box(point.pass_blocking())));
    open.respond();
    open.end(Outcome::Status(200));
}

fn scope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("telemetry/scope");
    measured(
        &mut group,
        "the string of the operation alone",
        || (),
        |times| {
            (0..times).for_each(|_| drop(black_box(OPERATION.to_owned())));
        },
    );
    for scenery in SCENERIES {
        let faults = Faults::new(Settings::default());
        let point = faults.point(POINT);
        let prepare = || scenery.set(&faults);
        measured(&mut group, scenery.name, prepare, |times| (0..times).for_each(|_| by_hand(&faults, &point)));
    }
    group.finish();
}

type Runtime = tokio::runtime::Runtime;

fn runtime() -> Option<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().ok()
}

/// Sends requests through a tower service, and reads each answer to its end.
async fn through<S, B>(service: &mut S, times: u64)
where
    S: Service<http::Request<()>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body + Unpin,
{
    for _ in 0..times {
        let Ok(answer) = service.call(http::Request::new(())).await;
        let mut body = answer.into_body();
        while std::future::poll_fn(|poller| std::pin::Pin::new(&mut body).poll_frame(poller)).await.is_some() {}
    }
}

fn tower(criterion: &mut Criterion) {
    let Some(runtime) = runtime() else { return };
    let mut group = criterion.benchmark_group("telemetry/tower");
    let handler = |point: Point| {
        service_fn(move |_: http::Request<()>| {
            let point = point.clone();
            async move {
                let _ = black_box(point.pass().await);
                Ok::<_, Infallible>(http::Response::new("hello".to_owned()))
            }
        })
    };
    // Nothing runs there, and there is no scope.
    let mut bare = handler(Faults::new(Settings::default()).point(POINT));
    measured(&mut group, "without the layer", || (), |times| runtime.block_on(through(&mut bare, times)));
    for scenery in SCENERIES {
        let faults = Faults::new(Settings::default());
        let layer = DaybreakLayer::new(&faults);
        let mut service = ServiceBuilder::new().layer(layer).service(handler(faults.point(POINT)));
        let prepare = || scenery.set(&faults);
        measured(&mut group, scenery.name, prepare, |times| runtime.block_on(through(&mut service, times)));
    }
    group.finish();
}

fn actix(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("telemetry/actix");
    let system = actix_web::rt::System::new();
    let handler = |point: web::Data<Point>| async move {
        let _ = black_box(point.pass().await);
        HttpResponse::Ok().body("hello")
    };
    let client = TestClient::new();
    let request = || test::TestRequest::with_uri("/").to_request();
    let route = || App::new().app_data(web::Data::new(client.point(POINT))).default_service(web::to(handler));
    let bare = system.block_on(test::init_service(route()));
    measured(
        &mut group,
        "without the middleware",
        || (),
        |times| {
            system.block_on(async {
                for _ in 0..times {
                    black_box(test::call_and_read_body(&bare, request()).await);
                }
            });
        },
    );
    let wrapped = system.block_on(test::init_service(route().wrap(Daybreak::new(client.client()))));
    for scenery in SCENERIES {
        let prepare = || scenery.set(client.faults());
        measured(&mut group, scenery.name, prepare, |times| {
            system.block_on(async {
                for _ in 0..times {
                    black_box(test::call_and_read_body(&wrapped, request()).await);
                }
            });
        });
    }
    group.finish();
}

/// A clock that is moved by hand, so that requests take as long as those of a service.
#[derive(Debug, Default)]
struct ByHand(AtomicU64);

impl Clock for ByHand {
    fn now(&self) -> Moment {
        let passed = Duration::from_micros(self.0.load(Ordering::Relaxed));
        Moment { boot: passed, monotonic: passed, wall: SystemClock.now().wall }
    }
}

/// The text of a report after many requests of these operations, each with an SLO, while so many runs treat a hundredth.
fn report(operations: u64, measures: u64, runs: u64) -> Result<String, Box<dyn Error>> {
    let clock = Arc::new(ByHand::default());
    let faults = Faults::with_clock(Settings::default(), Arc::clone(&clock) as _);
    let point = faults.point(POINT);
    let name = |number: u64| format!("GET /things/{number}");
    let hundredth = Percentage::from_thousandths(1_000).unwrap_or(Percentage::ZERO);
    let granted = (0..runs).map(|run| grant(&faults, run, (POINT, &name(run % operations.max(1))), hundredth));
    let granted = granted.collect::<Result<_, _>>()?;
    let measures = (0..measures).map(|number| measure(&name(number))).collect::<Result<_, _>>()?;
    let reply = reply(&faults, granted, measures);
    for number in 0..10_000 {
        faults.grant(&reply, faults.now());
        if operations > 0 {
            let mut open = faults.open(|| RootRequest::new(name(number % operations), Context::default()));
            open.scope().enter(|| drop(point.pass_blocking()));
            // From 5 ms to 500 ms, most of them short.
            let short = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57;
            clock.0.fetch_add(5_000 + 495_000 / (1 + short), Ordering::Relaxed);
            open.respond();
            open.end(Outcome::Status(200));
        }
    }
    let mut report: Report = serde_json::from_value(serde_json::json!({
        "client": "0".repeat(32), "sequence": 1_000, "service": "shop", "environment": "production",
        "sdk": { "name": "daybreak-sdk", "version": "0.1.0" }, "level": 1, "state": "streaming",
        "position": format!("{}:1000", "0".repeat(16)),
    }))?;
    faults.fill(&mut report);
    let counted = report.arms.iter().filter_map(|arm| arm.counts.get(&Metric::Settled)).sum::<u64>();
    assert!(runs == 0 || counted > 0, "the runs of the benchmark count");
    Ok(serde_json::to_string(&report)?)
}

fn reports(_: &mut Criterion) {
    let cases = [
        ("idle: no traffic", 0, 0, 0),
        ("20 operations, 1 SLO, no run", 20, 1, 0),
        ("20 operations, 1 SLO, 1 run", 20, 1, 1),
        ("20 operations, 20 SLOs, 20 runs", 20, 20, 20),
        ("100 operations with an SLO each, no run", 100, 100, 0),
        ("100 operations with an SLO each, 20 runs", 100, 100, 20),
    ];
    println!("| reports of one client | bytes of one | bytes/s |\n|---|---|---|");
    for (name, operations, measures, runs) in cases {
        match report(operations, measures, runs) {
            Ok(text) => {
                let interval = if runs > 0 { 2 } else { 10 };
                println!("| {name} | {} | {} |", text.len(), text.len() / interval);
            }
            Err(error) => println!("| {name} | {error} | |"),
        }
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = short(); targets = scope, tower, actix, reports }
criterion_main!(benches);
