//! `daybreak serve`.

use std::ffi::OsString;
use std::io::stderr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use daybreak_control::clock::SystemClock;
use daybreak_control::tokens::OfflineTokens;
use daybreak_control::{Control, LoadError, Options, Refusal, check_webhooks, read_documents};
use daybreak_document::{Diagnostic, Source, decode, render};
use daybreak_model::Kind;
use daybreak_model::wire::StoreId;
use daybreak_server::{Capacity, Offload, RateLimits, Shared, Tls, TlsFiles, access, rates};
use daybreak_store::{EmbeddedOptions, EmbeddedStore, Retention, Store};
use rand::RngExt;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Serve;
use crate::check::counted;
use crate::style::is_colored;
use crate::telemetry::Telemetry;

/// Threads for what must not wait for requests: one makes changes, one reads the files, one is left for the guard.
const THREADS: usize = 3;
/// Threads that read documents and write long answers.
const OFFLOAD_THREADS: usize = 2;
/// How often the guard looks.
const TICK: Duration = Duration::from_secs(1);

/// What to do where the documents cannot be read.
const NO_DOCUMENTS: &str = "the documents cannot be served; `--flags DIR` names their folder";

/// What curl is given where tokens are asked for.
const HALT_TOKEN: &str = " -H \"Authorization: Bearer $DAYBREAK_TOKEN\"";

/// How serving ended.
enum End {
    /// It was asked to stop.
    Stopped,
    /// A backup was restored: a server is to start anew on this address.
    Restored(SocketAddr),
}

pub(crate) fn run(options: Serve) -> anyhow::Result<ExitCode> {
    let telemetry = Telemetry::start(&options)?;
    let threads = |count| tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build();
    let (runtime, offload) = (threads(THREADS)?, threads(OFFLOAD_THREADS)?);
    let served = runtime.block_on(serve(options, Offload::new(offload.handle().clone()), telemetry.traces()));
    telemetry.end();
    match served? {
        End::Stopped => Ok(ExitCode::SUCCESS),
        End::Restored(address) => Err(start_anew(address)),
    }
}

async fn serve(options: Serve, offload: Offload, traces: bool) -> anyhow::Result<End> {
    let listener = TcpListener::bind(options.listen)
        .with_context(|| format!("cannot listen on {}; `--listen 127.0.0.1:0` takes any free port", options.listen))?;
    let tls = tls(&options)?;
    let limits = RateLimits {
        token: rates::per_second(options.rate_limit),
        address: rates::per_second(options.rate_limit_address),
        streams_per_token: options.streams_per_token,
        ..RateLimits::default()
    };
    let conduct = conduct(&options);
    before_anything_is_written(&options, &conduct)?;
    let control = open(&options, conduct).await?;
    let _watch = match control.watch_files(options.flags.clone()).await {
        Ok(watch) => watch,
        Err(LoadError::Refused { refusal: Refusal::Invalid(diagnostics), sources }) => {
            return Err(faulty(&options, &diagnostics, &sources));
        }
        Err(why) => return Err(why).context(NO_DOCUMENTS),
    };
    if let Some(file) = &options.webhooks {
        control.watch_webhooks(file).await?;
    }
    if let Some(file) = &options.pagerduty_secret_file {
        control.know_pagerduty(file.clone()).await?;
    }
    if let Some(url) = &options.prometheus {
        control.watch_prometheus(url.clone()).map_err(anyhow::Error::msg).context("Prometheus cannot be asked")?;
    }
    control.note_started(env!("CARGO_PKG_VERSION")).await;
    tokio::spawn(tick(control.clone()));
    let address = listener.local_addr()?;
    println!("{}", greeting(&control, address, &options));
    let shared = Shared::new(control.clone(), offload)
        .limited(&limits)
        .with_room_for(capacity())
        .traced(traces)
        .asked_from(options.cors_origin.iter().cloned().collect());
    let (signal, asked) = (stop_signal()?, control.clone());
    let end = async move {
        tokio::select! {
            () = signal => {}
            () = asked.restart_asked() => {}
        }
    };
    daybreak_server::serve(listener, shared, tls, end).await?;
    control.keep_counts().await;
    if control.is_to_restart() {
        // What is recorded from a restore on is in no log: the store's place has been taken.
        return Ok(End::Restored(address));
    }
    control.note_stopped().await;
    Ok(End::Stopped)
}

/// Becomes a new server with the same options on the same address: whatever this one knew is forgotten. It returns only
/// where that cannot be done.
fn start_anew(address: SocketAddr) -> anyhow::Error {
    let mut words = vec![OsString::from("serve")];
    let mut given = std::env::args_os().skip(1).peekable();
    given.next_if(|word| word == "serve");
    while let Some(word) = given.next() {
        // Any free port was asked for, perhaps; now it must be this one.
        if word == "--listen" {
            given.next();
        } else if !word.to_string_lossy().starts_with("--listen=") {
            words.push(word);
        }
    }
    words.extend(["--listen".into(), address.to_string().into()]);
    let failed = match std::env::current_exe() {
        Ok(binary) => std::process::Command::new(binary).args(words).exec(),
        Err(error) => error,
    };
    anyhow::Error::new(failed).context("the backup is in place, but the server cannot start anew by itself; start it")
}

/// Looks at everything that can be wrong with the options. What is refused here leaves the data folder as it was.
fn before_anything_is_written(options: &Serve, conduct: &Options) -> anyhow::Result<()> {
    conduct.check()?;
    if let Some(file) = &options.webhooks {
        check_webhooks(file)?;
    }
    if EmbeddedStore::is_in(&options.data) {
        return Ok(());
    }
    // With nothing in the store there are no tokens, and nothing but the documents to be served.
    check_listen(options, false)?;
    let sources = read_documents(&options.flags).context(NO_DOCUMENTS)?;
    let decoded = decode(&sources);
    if decoded.has_errors() {
        return Err(faulty(options, &decoded.diagnostics, &sources));
    }
    Ok(())
}

/// Without tokens it listens on loopback only.
fn check_listen(options: &Serve, tokens_required: bool) -> anyhow::Result<()> {
    if tokens_required || access::may_listen(options.listen) {
        return Ok(());
    }
    let data = options.data.display();
    let make = if options.data.is_dir() { String::new() } else { format!("install -d -m 700 {data} && ") };
    bail!(
        "without tokens the server listens on loopback only, and {} is not; make the first one: \
         `{make}daybreak token create admin --role admin --data {data}`",
        options.listen.ip(),
    )
}

/// Prints what is wrong with the documents.
fn faulty(options: &Serve, diagnostics: &[Diagnostic], sources: &[Source]) -> anyhow::Error {
    eprint!("{}", render(diagnostics, sources, is_colored(&stderr())));
    anyhow::anyhow!("{0} cannot be served; `daybreak check {0}` says the same", options.flags.display())
}

fn conduct(options: &Serve) -> Options {
    Options {
        environment: options.environment.clone(),
        lease: options.lease,
        max_blast_radius: options.max_blast_radius,
        max_run: options.max_run,
        stale_after: options.stale_after,
    }
}

/// The control on the store in `--data`.
async fn open(options: &Serve, conduct: Options) -> anyhow::Result<Control> {
    let mut random = rand::rng();
    let retention = Retention { events: options.events_max, age: options.events_age };
    let new_id = StoreId::new(random.random());
    let store = EmbeddedStore::open(EmbeddedOptions { retention, ..EmbeddedOptions::new(&options.data, new_id) })?;
    let store: Arc<dyn Store> = Arc::new(store);
    // Before the control, which ends the runs of the server before.
    check_listen(options, OfflineTokens::open(Arc::clone(&store)).await?.required())?;
    let seed = random.random();
    Ok(Control::open(conduct, store, Arc::new(SystemClock), seed).await?)
}

/// How many connections there is room for. Each is a file, and of those a process may open more than it is given at first.
fn capacity() -> Capacity {
    let mut limit = getrlimit(Resource::Nofile);
    let given = limit.current;
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit.current = given;
    }
    let files = limit.current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let capacity = Capacity::within(files);
    if capacity != Capacity::FULL {
        tracing::warn!(
            files,
            needed = Capacity::FULL.files(),
            streams = capacity.streams,
            others = capacity.common,
            "this process may open few files, so it serves fewer connections than it could; raise `ulimit -Hn`, or \
             `LimitNOFILE` in systemd, where more are to come"
        );
    }
    capacity
}

/// The certificates to serve with; none where the server speaks in the clear.
fn tls(options: &Serve) -> anyhow::Result<Option<Tls>> {
    let pair = options.tls_cert.clone().zip(options.tls_key.clone());
    let files = pair.map(|(certificate, key)| TlsFiles { certificate, key, client_ca: options.tls_client_ca.clone() });
    Ok(files.map(Tls::load).transpose()?)
}

/// The guard's tick, each second, until the server ends.
async fn tick(control: Control) {
    let mut seconds = tokio::time::interval(TICK);
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        control.tick().await;
    }
}

/// What somebody who starts it wants to know first.
fn greeting(control: &Control, address: SocketAddr, options: &Serve) -> String {
    let state = control.state();
    let count = |kind: Kind| counted(state.resources().keys(kind).len(), kind.noun());
    let scheme = if options.tls_cert.is_some() { "https" } else { "http" };
    let access = match (control.tokens_required(), options.tls_cert.is_some() || access::may_listen(address)) {
        (false, _) => " (loopback only, as there are no tokens)",
        (true, true) => " (with tokens)",
        (true, false) => " (with tokens, which travel in the clear; `--tls-cert` and `--tls-key` encrypt)",
    };
    // Whoever needs it is in a hurry: it is there to be copied.
    let token = if control.tokens_required() { HALT_TOKEN } else { "" };
    format!(
        "daybreak {} listening on {scheme}://{address}{access}\n\
         {} and {} from {}, environment {}\n\
         the API: {scheme}://{address}/docs/    stop everything: curl -X PUT{token} {scheme}://{address}/api/v1/halt",
        env!("CARGO_PKG_VERSION"),
        count(Kind::Flag),
        count(Kind::Fault),
        options.flags.display(),
        options.environment,
    )
}

/// Ready at the first SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
