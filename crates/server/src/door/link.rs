//! What is known of a connection while it is open: by its worker, and by what its requests pass.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::RETRY_AFTER;
use tokio::sync::Notify;

use super::Lane;
use crate::limits::LAG_MAX;
use crate::problem::{Code, Problem};
use crate::roles::Row;

/// How often a worker looks whether it lags.
const LOOK: Duration = Duration::from_millis(20);

/// Requests that a worker is asked for between two looks, where they are why it lags.
const ASKED_MIN: usize = 32;

/// A connection. A clone is another handle of the same.
#[derive(Clone, Debug)]
pub(crate) struct Link(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    lane: Lane,
    secure: bool,
    local: SocketAddr,
    lag: Rc<Lag>,
    /// Requests that are being answered.
    busy: Cell<usize>,
    /// Since when there is none.
    idle_since: Cell<Instant>,
    close: Notify,
}

/// How far a worker is behind: how long whoever is next waits for their turn.
#[derive(Debug)]
pub(super) struct Lag {
    /// When the worker should look next.
    due: Cell<Instant>,
    /// By how much it last came too late.
    late: Cell<Duration>,
    /// Requests since it last looked, and from then to the time before.
    asked: Cell<usize>,
    asked_before: Cell<usize>,
}

/// A request under way; over when this is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Link);

impl Lag {
    pub(super) fn new() -> Self {
        let due = Cell::new(Instant::now());
        Self { due, late: Cell::default(), asked: Cell::default(), asked_before: Cell::default() }
    }

    /// Looks again and again, for ever.
    pub(super) async fn watch(self: Rc<Self>) {
        loop {
            let due = Instant::now() + LOOK;
            self.due.set(due);
            tokio::time::sleep_until(due.into()).await;
            self.late.set(due.elapsed());
            self.asked_before.set(self.asked.take());
        }
    }

    /// As far as is known at this moment: a worker that has not looked for long is behind by as much.
    fn now(&self) -> Duration {
        self.late.get().max(self.due.get().elapsed())
    }

    /// Whether that comes of what it is asked: where few ask, others keep the processors busy, and nobody is helped by a
    /// refusal.
    fn is_of_requests(&self) -> bool {
        self.asked.get().max(self.asked_before.get()) >= ASKED_MIN
    }
}

impl Link {
    pub(super) fn new(lane: Lane, secure: bool, local: SocketAddr, lag: Rc<Lag>) -> Self {
        let (busy, idle_since) = (Cell::default(), Cell::new(Instant::now()));
        Self(Rc::new(Inner { lane, secure, local, lag, busy, idle_since, close: Notify::new() }))
    }

    /// A request begins.
    pub(super) fn busy(&self) -> Busy {
        self.0.busy.set(self.0.busy.get() + 1);
        self.0.lag.asked.set(self.0.lag.asked.get() + 1);
        Busy(self.clone())
    }

    /// Since when nothing has been asked; none while something is answered.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.0.busy.get() == 0).then(|| self.0.idle_since.get())
    }

    /// Has its worker close it.
    pub(super) fn close(&self) {
        self.0.close.notify_one();
    }

    /// Ready when it is to be closed.
    pub(super) async fn closed(&self) {
        self.0.close.notified().await;
    }

    /// Whether a request may come here now. What takes risk away always may, and so do reports, without which leases lapse.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where the worker is too far behind; or where a connection that began with something urgent
    /// goes on with something that is not.
    pub(crate) fn admit(&self, row: Option<&Row>) -> Result<(), Problem> {
        if row.is_some_and(|row| row.unlimited || row.lane() == Lane::Urgent) {
            return Ok(());
        }
        let Inner { lane, lag, .. } = &*self.0;
        if *lane == Lane::Urgent {
            let detail =
                "this connection began with what comes before everything else, and is kept free for it; ask on another";
            return Err(Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "0"));
        }
        let late = lag.now();
        if *lane == Lane::Common && late > LAG_MAX && lag.is_of_requests() {
            let detail = format!(
                "the server is {} ms behind with what it is asked; ask again in a second. Halts, stops and reports are \
                 answered all the same",
                late.as_millis()
            );
            return Err(Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "1"));
        }
        Ok(())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Inner { busy, idle_since, .. } = &*self.0.0;
        busy.set(busy.get().saturating_sub(1));
        idle_since.set(Instant::now());
    }
}

/// Whether a request came over TLS.
pub(crate) fn is_secure(request: &ServiceRequest) -> bool {
    request.conn_data::<Link>().map_or_else(|| request.app_config().secure(), |link| link.0.secure)
}

/// The address that a request came to.
pub(crate) fn local_address(request: &ServiceRequest) -> SocketAddr {
    request.conn_data::<Link>().map_or_else(|| request.app_config().local_addr(), |link| link.0.local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles;

    fn link(lane: Lane, late: Duration) -> Link {
        let lag = Lag::new();
        lag.due.set(Instant::now() + Duration::from_secs(60));
        lag.late.set(late);
        lag.asked_before.set(ASKED_MIN);
        Link::new(lane, false, SocketAddr::from(([127, 0, 0, 1], 1)), Rc::new(lag))
    }

    #[test]
    fn invariant_3_what_takes_risk_away_comes_in_however_late_it_is() {
        let (fast, slow) = (Duration::ZERO, LAG_MAX * 2);
        let (halt, list) = (("PUT", "/api/v1/halt"), ("GET", "/api/v1/runs"));
        let report = ("POST", "/api/v1/reports");
        let cases = [
            (Lane::Common, fast, list, true),
            (Lane::Common, slow, list, false),
            (Lane::Common, slow, halt, true),
            (Lane::Common, slow, report, true),
            (Lane::Urgent, slow, halt, true),
            (Lane::Urgent, fast, list, false),
            (Lane::Streams, slow, ("GET", "/api/v1/stream"), true),
            (Lane::Common, slow, ("GET", "/nothing"), false),
        ];
        for (lane, late, (method, path), expected) in cases {
            let admitted = link(lane, late).admit(roles::find(method, path));
            assert_eq!(admitted.is_ok(), expected, "{lane:?} {late:?} {method} {path}");
        }
    }

    #[test]
    fn a_worker_that_does_not_look_is_behind() {
        let lag = Lag::new();
        lag.due.set(Instant::now() - LAG_MAX * 2);
        assert!(lag.now() >= LAG_MAX * 2);
        assert!(!lag.is_of_requests(), "nobody has asked");
        lag.asked.set(ASKED_MIN);
        assert!(lag.is_of_requests());
    }

    #[test]
    fn idle_is_who_asks_nothing() {
        let link = link(Lane::Common, Duration::ZERO);
        assert!(link.idle_since().is_some());
        let (one, other) = (link.busy(), link.busy());
        drop(one);
        assert_eq!(link.idle_since(), None);
        drop(other);
        assert!(link.idle_since().is_some());
    }
}
