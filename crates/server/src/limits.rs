//! What one client, or all of them, may ask of the server.

use std::time::Duration;

/// Connections that have not said what they want yet; for the next the one goes that came first.
pub const WAITING_MAX: usize = 2_048;
/// Connections at once for what takes risk away, and probes.
pub const URGENT_CONNECTIONS_MAX: usize = 512;
/// Connections at once of streams, by OFREP too.
pub const STREAM_CONNECTIONS_MAX: usize = STREAMS_MAX + EVENT_STREAMS_MAX;
/// Connections at once for everything else, reports among it; idle ones make room.
pub const COMMON_CONNECTIONS_MAX: usize = 24_576;
/// How far what is asked may be behind until it is told to come again.
pub const LAG_MAX: Duration = Duration::from_secs(1);
/// Streams open at once.
pub const STREAMS_MAX: usize = 20_000;
/// Streams of OFREP's events open at once. They take no places from those of SDKs.
pub const EVENT_STREAMS_MAX: usize = 10_000;
/// The silence after which a stream of OFREP's events shows that it lives: most are of browsers, some on batteries.
pub const EVENTS_HEARTBEAT: Duration = Duration::from_secs(15);
/// How far OFREP's events on one stream are apart at least.
pub const EVENTS_APART: Duration = Duration::from_millis(100);
/// Over what time at most OFREP's events are spread where a token has many streams.
pub const EVENTS_SPREAD_MAX: Duration = Duration::from_secs(10);
/// How long an answer waits for what an event has told of.
pub const FRESH_WAIT: Duration = Duration::from_secs(2);
/// Followers of the events.
pub const FOLLOWERS_MAX: usize = 256;
/// Streams open at once with one token, unless an operator chooses another number.
pub const STREAMS_PER_TOKEN: usize = 10_000;
/// Requests a second with one token, unless an operator chooses another number.
pub const RATE_TOKEN: u32 = 10_000;
/// Requests a second from one address without a token, unless an operator chooses another number.
pub const RATE_ADDRESS: u32 = 100;
/// Requests a second from one address with what is no token.
pub const RATE_FAILURES: u32 = 5;
/// The silence after which a stream shows that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// The time that a client has to send the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that a client has to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The time that a client has to send a long document.
pub const LONG_BODY_TIMEOUT: Duration = Duration::from_secs(120);
/// The time for which an idle connection is kept.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The time that a closing connection has to finish.
pub const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The time that requests in flight have to finish when the server stops.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 4_096;
/// Bytes of a connection's answers that wait to be written, and of a piece that is added to them. Together they fit into the
/// buffer that each connection has anyway, so that a long answer makes none of them grow.
pub const WRITE_BUFFER: usize = 4 * 1024;
/// See [`WRITE_BUFFER`].
pub const PIECE_MAX: usize = 4_000;
/// How long a client may take nothing of what waits for it. Heartbeats wait for it, too, so a stream whose client does not read
/// ends by then.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A body of a command such as `start`, `enable` or `halt`, in bytes.
pub const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// The body of an event of PagerDuty, in bytes.
pub const WEBHOOK_BYTES_MAX: usize = 256 * 1024;

/// How long a command that acts first waits for its reason.
pub const REASON_WAIT: Duration = Duration::from_millis(250);
/// Characters of a reason that a command which acts first takes; the rest is cut off.
pub const REASON_LENGTH_MAX: usize = 500;
/// How long the answer to a halt waits for clients to confirm it, unless somebody asks for another wait.
pub const CONFIRM_WAIT: Duration = Duration::from_millis(300);
/// Documents that are read, checked and applied at once, or wait for it.
pub const DOCUMENTS_MAX: usize = 64;
/// A document beyond this is a long one, in bytes: it has to tell its length.
pub const SHORT_DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Long documents that are received, read and applied at once: each may take hundreds of megabytes meanwhile.
pub const LONG_DOCUMENTS_MAX: usize = 2;
/// A notification of Alertmanager, in bytes.
pub const ALERTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Long answers that are written at once, or wait for it.
pub const READS_MAX: usize = 512;
/// Flags that OFREP's bulk evaluates where requests are answered; more are evaluated elsewhere.
pub const INLINE_FLAGS_MAX: usize = 500;

/// An answer beyond this is a long one, in bytes: it is written in pieces, and has to find room.
pub const SHORT_ANSWER_BYTES_MAX: usize = 16_000;
/// Bytes of OFREP's long answers that wait to be read at once.
pub const EVALUATIONS_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Bytes of the page under /docs/ that wait to be read at once, which anybody may ask for.
pub const DOCS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of all other long answers that wait to be read at once.
pub const ANSWERS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of documents that are in memory at once, as they came.
pub const DOCUMENTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of reports that are being read at once.
pub const REPORTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of notifications of pages that are being read at once.
pub const PAGES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of all other bodies that are being read at once.
pub const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
