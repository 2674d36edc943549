//! The threads that answer: each lane has its own, and each thread its own runtime and its own application.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::AppConfig;
use parking_lot::Mutex;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::link::Lag;
use super::socket::Socket;
use super::{Arrival, Lane, Link};
use crate::{Shared, app, limits};

/// Idle connections are closed where there are too many; not those that asked for something a moment ago.
const IDLE_MIN: Duration = Duration::from_secs(1);
/// The same in the urgent lane: whoever means something urgent sends all of it at once.
const IDLE_MIN_URGENT: Duration = Duration::from_millis(20);
/// How often they are looked for: where many come, each is one too many.
const LOOK_FOR_IDLE: Duration = Duration::from_millis(100);
/// The same in the urgent lane.
const LOOK_FOR_IDLE_URGENT: Duration = Duration::from_millis(5);
/// Threads of one worker for what blocks.
const BLOCKING_MAX: usize = 16;

/// All of them.
#[derive(Debug)]
pub(super) struct Workers {
    lanes: [Vec<mpsc::UnboundedSender<Order>>; Lane::ALL.len()],
    next: AtomicUsize,
    /// When idle ones were last looked for.
    looked: [Mutex<Option<Instant>>; Lane::ALL.len()],
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// What a worker is told.
enum Order {
    /// Serve somebody.
    Serve(Arrival),
    /// Close so many connections that have been idle longest.
    CloseIdle(usize),
    /// Take nobody any more, and end when all have gone, or after a while.
    End,
}

/// What a worker is started with.
struct Job {
    lane: Lane,
    shared: Shared,
    local: SocketAddr,
    secure: bool,
    orders: mpsc::UnboundedReceiver<Order>,
    stopping: watch::Receiver<bool>,
}

/// The connections of one worker.
#[derive(Debug, Default)]
struct Open {
    links: RefCell<BTreeMap<u64, Link>>,
    /// Told when the last has gone.
    empty: Notify,
}

impl Workers {
    /// Starts them, and waits until they can serve.
    ///
    /// # Errors
    /// When the system has no threads for them.
    pub(super) fn start(
        shared: &Shared,
        local: SocketAddr,
        secure: bool,
        stopping: &watch::Sender<bool>,
    ) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let (mut ends, mut ready) = (Vec::new(), Vec::new());
        let mut start = |lane: Lane, number: usize| {
            let (order, orders) = mpsc::unbounded_channel();
            let ((end, ended), (begin, begun)) = (oneshot::channel(), std::sync::mpsc::channel());
            let job = Job { lane, shared: shared.clone(), local, secure, orders, stopping: stopping.subscribe() };
            let name = format!("{} {number}", lane.as_str());
            std::thread::Builder::new().name(name).spawn(move || {
                // Nobody may wait for either.
                match run(job, || drop(begin.send(Ok(())))) {
                    Ok(()) => drop(end.send(())),
                    Err(error) => drop(begin.send(Err(error))),
                }
            })?;
            ends.push(ended);
            ready.push(begun);
            Ok(order)
        };
        let mut lanes: [Vec<_>; Lane::ALL.len()] = Default::default();
        for lane in Lane::ALL {
            // What is urgent is short, and rare.
            let count = if lane == Lane::Urgent { 1 } else { processors };
            lanes[lane as usize] = (0..count).map(|number| start(lane, number)).collect::<io::Result<_>>()?;
        }
        for begun in ready {
            begun.recv().map_err(|_| io::Error::other("a worker ended before it began"))??;
        }
        Ok(Self { lanes, next: AtomicUsize::new(0), looked: Default::default(), ends: Mutex::new(ends) })
    }

    /// Hands somebody to the next worker of a lane.
    pub(super) fn send(&self, lane: Lane, arrival: Arrival) {
        let workers = &self.lanes[lane as usize];
        let next = self.next.fetch_add(1, Ordering::Relaxed) % workers.len();
        // A worker is gone only where the server ends; so is the connection then.
        let _ = workers[next].send(Order::Serve(arrival));
    }

    /// Closes so many connections of a lane that have been idle longest, unless that was done a moment ago.
    pub(super) fn close_idle(&self, lane: Lane, count: usize) {
        let (now, mut looked) = (Instant::now(), self.looked[lane as usize].lock());
        let apart = if lane == Lane::Urgent { LOOK_FOR_IDLE_URGENT } else { LOOK_FOR_IDLE };
        if looked.is_some_and(|looked| now.duration_since(looked) < apart) {
            return;
        }
        *looked = Some(now);
        let workers = &self.lanes[lane as usize];
        for worker in workers {
            let _ = worker.send(Order::CloseIdle(count.div_ceil(workers.len())));
        }
    }

    /// Lets all of them end, and waits until they have.
    pub(super) async fn end(&self) {
        for worker in self.lanes.iter().flatten() {
            let _ = worker.send(Order::End);
        }
        let ends = std::mem::take(&mut *self.ends.lock());
        for end in ends {
            // One that failed has ended, too.
            let _ = end.await;
        }
    }
}

fn run(job: Job, begun: impl FnOnce()) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_MAX)
        .build_local(LocalOptions::default())?;
    runtime.block_on(work(job, begun))
}

/// What a worker does.
async fn work(job: Job, begun: impl FnOnce()) -> io::Result<()> {
    let Job { lane, shared, local, secure, mut orders, stopping } = job;
    let app = app(&shared).into_factory().map_err(|error: actix_web::Error| error.error_response());
    // What is urgent makes room for the next; and a stream lasts as long as its connection.
    let keep_alive = match lane {
        Lane::Common => KeepAlive::Timeout(limits::KEEP_ALIVE),
        Lane::Urgent | Lane::Streams => KeepAlive::Disabled,
    };
    let http = HttpService::build()
        .keep_alive(keep_alive)
        .h1_write_buffer_size(limits::WRITE_BUFFER)
        .client_request_timeout(limits::HEAD_TIMEOUT)
        .client_disconnect_timeout(limits::DISCONNECT_TIMEOUT)
        .local_addr(local)
        .graceful_shutdown_signal(move || {
            let mut stopping = stopping.clone();
            async move { drop(stopping.wait_for(|stopping| *stopping).await) }
        })
        .on_connect_ext(|socket: &Socket, data| drop(data.insert(socket.link().clone())))
        .finish(map_config(app, |()| AppConfig::default()));
    let failed = |()| io::Error::other("the application cannot be set up");
    let http = Rc::new(http.new_service(()).await.map_err(failed)?);
    let (open, lag) = (Rc::new(Open::default()), Rc::new(Lag::new()));
    let watch = tokio::task::spawn_local(Rc::clone(&lag).watch());
    begun();
    let least = if lane == Lane::Urgent { IDLE_MIN_URGENT } else { IDLE_MIN };
    let mut number = 0;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Serve(arrival) => {
                number += 1;
                let link = Link::new(lane, secure, local, Rc::clone(&lag));
                open.links.borrow_mut().insert(number, link.clone());
                let (http, one) = (Rc::clone(&http), One(Rc::clone(&open), number));
                tokio::task::spawn_local(async move {
                    serve(&*http, arrival, link).await;
                    drop(one);
                });
            }
            Order::CloseIdle(count) => open.close_idle(count, least),
            Order::End => break,
        }
    }
    // Whoever is on their way comes too late.
    drop(orders);
    // Some last as long as they are let.
    let _ = tokio::time::timeout(limits::SHUTDOWN_TIMEOUT, open.emptied()).await;
    watch.abort();
    Ok(())
}

/// Serves a connection until it ends, or is to be closed.
async fn serve<H>(http: &H, Arrival { socket, peer, place }: Arrival, link: Link)
where
    H: Service<(Socket, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>,
{
    let served = async {
        let socket = socket.arrive(link.clone())?;
        http.call((socket, Protocol::Http1, Some(peer))).await
    };
    let mut served = pin!(served);
    loop {
        tokio::select! {
            biased;
            served = &mut served => {
                if let Err(error) = served {
                    tracing::debug!(%peer, %error, "a connection broke off");
                }
                break;
            }
            // It may have been asked for something since it was chosen.
            () = link.closed() => if link.idle_since().is_some() {
                tracing::debug!(%peer, "a connection is closed, as it is idle and there are many");
                break;
            },
        }
    }
    drop(place);
}

/// A connection that is open until this is dropped.
struct One(Rc<Open>, u64);

impl Drop for One {
    fn drop(&mut self) {
        let Self(open, number) = self;
        let mut links = open.links.borrow_mut();
        links.remove(number);
        if links.is_empty() {
            open.empty.notify_one();
        }
    }
}

impl Open {
    async fn emptied(&self) {
        while !self.links.borrow().is_empty() {
            self.empty.notified().await;
        }
    }

    fn close_idle(&self, count: usize, least: Duration) {
        let links = self.links.borrow();
        let idle = links.values().filter_map(|link| Some((link.idle_since()?, link)));
        let mut idle: Vec<_> = idle.filter(|(since, _)| since.elapsed() >= least).collect();
        idle.sort_unstable_by_key(|(since, _): &(Instant, _)| *since);
        idle.iter().take(count).for_each(|(_, link)| link.close());
    }
}
