//! Every bound that is not an operator's to set, by name.

use crate::Millis;

/// The engine level that this version speaks. A resource that needs a higher one is left alone by an SDK:
/// it keeps its last version of that flag, ignores that fault, and reports it as unsupported.
pub const ENGINE_LEVEL: u32 = 1;

/// Characters in a key.
pub const KEY_LENGTH_MAX: usize = 100;
/// Buckets of a draw or a rollout: 0.001 % is one of them.
pub const BUCKETS: u32 = 100_000;

/// A document, be it a file or an API body, in bytes: a list of a million ids has room, and some.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a document may hold: its values, of which each field of a map counts as [`FIELD_PARTS`]. So a long document is one
/// of long texts and long lists, and what it takes to read one does not grow with its bytes alone.
pub const DOCUMENT_PARTS_MAX: usize = 2 * 1024 * 1024;
/// The texts of a document together, in bytes: its keys and its values, but for those that a long list is made of.
pub const DOCUMENT_TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a long list is made of: values up to this length, in bytes.
pub const LISTED_BYTES_MAX: usize = 1_000;
/// What a field of a map counts as, its value aside.
pub const FIELD_PARTS: usize = 2;
/// Values of a list that the log of events, differences and answers to changes tell; of longer ones they tell the first
/// [`VALUES_SHOWN`], and how many more there are.
pub const VALUES_TOLD_MAX: usize = 10_000;
/// See [`VALUES_TOLD_MAX`].
pub const VALUES_SHOWN: usize = 10;
/// Values that the lists of a run may have together: they are in what is granted to each client.
pub const RUN_VALUES_MAX: usize = 100_000;
/// The body of an evaluation request, in bytes.
pub const CONTEXT_BYTES_MAX: usize = 256 * 1024;
/// The body of a report, in bytes.
pub const REPORT_BYTES_MAX: usize = 1024 * 1024;
/// The longest report that an SDK sends, in bytes; what does not fit comes with the next ones.
pub const REPORT_PART_BYTES_MAX: usize = 256 * 1024;
/// How deep a context, a condition or a variant's object may nest.
pub const DEPTH_MAX: usize = 32;
/// Attributes of one context.
pub const ATTRIBUTES_MAX: usize = 256;
/// Flags that one flag may reach through prerequisites, end to end.
pub const PREREQUISITE_DEPTH_MAX: usize = 32;
/// Segments that one segment may reach through `segment`, end to end.
pub const SEGMENT_DEPTH_MAX: usize = 32;
/// Steps that one evaluation may take through prerequisites, or through segments: what is reached twice counts
/// twice.
pub const EVALUATION_STEPS_MAX: u64 = 10_000;
/// Rules of one flag.
pub const RULES_MAX: usize = 10_000;
/// Variants of one flag.
pub const VARIANTS_MAX: usize = 1_000;
/// The name of an attribute, and a salt, in bytes.
pub const NAME_BYTES_MAX: usize = 1_000;
/// The compiled size of one regular expression, in bytes.
pub const PATTERN_SIZE_MAX: usize = 1024 * 1024;
/// The compiled size of all regular expressions that are read together, in bytes; those that were refused count too.
pub const PATTERN_SIZES_MAX: usize = 32 * 1024 * 1024;
/// Integers beyond ±2⁵³ cannot be kept exactly and are refused.
pub const INTEGER_MAX: i64 = 1 << 53;

/// The shortest lease an operator may choose.
pub const LEASE_MIN: Millis = Millis::from_secs(3);
/// The longest lease an operator may choose.
pub const LEASE_MAX: Millis = Millis::from_secs(30);
/// The lease unless an operator chooses another.
pub const LEASE_DEFAULT: Millis = Millis::from_secs(10);
/// How often a client reports while a run is active, or its last requests are still counted.
pub const REPORT_INTERVAL_ACTIVE: Millis = Millis::from_secs(2);
/// How often a client reports while nothing runs.
pub const REPORT_INTERVAL_IDLE: Millis = Millis::from_secs(10);
/// The server grants leases only if the guard ticked, and the store confirmed, within this time.
pub const GUARD_TICK_AGE_MAX: Millis = Millis::from_secs(3);
/// How far the wall clock and the monotonic clock may drift apart during one lease before it is void.
pub const CLOCK_DRIFT_MAX: Millis = Millis::from_secs(2);

/// The longest injected latency or hang.
pub const EFFECT_DURATION_MAX: Millis = Millis::from_secs(30);
/// Faults that may be in flight at once in one process.
pub const FAULTS_IN_FLIGHT_MAX: u32 = 64;
/// The longest run, unless the server was started with `--max-run`.
pub const RUN_DURATION_MAX_DEFAULT: Millis = Millis::from_secs(60 * 60);
/// The longest run that `--max-run` may allow.
pub const RUN_DURATION_MAX: Millis = Millis::from_secs(4 * 60 * 60);
/// The pause between two runs on one fault point.
pub const COOL_DOWN: Millis = Millis::from_secs(10 * 60);
/// Clients that have not reported for this long are not live.
pub const CLIENT_SILENT_AFTER: Millis = Millis::from_secs(30);

/// Acknowledgements of one change that clients together send in a millisecond: what they are spread by.
pub const ACKNOWLEDGEMENTS_PER_MS: u64 = 20;
/// The longest time that acknowledgements of one change are spread over.
pub const ACKNOWLEDGEMENT_JITTER_MAX: Millis = Millis::from_secs(1);
/// How often the stream says that it lives.
pub const HEARTBEAT_INTERVAL: Millis = Millis::from_secs(5);
/// A stream that says nothing for this long is lost.
pub const STREAM_SILENT_AFTER: Millis = Millis::from_secs(15);

/// The longest event of the stream, and the longest snapshot that is polled, in bytes: 100,000 flags of 2.6 KB.
pub const SNAPSHOT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The longest reply to a report, in bytes: the specifications of its runs are in it.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Changes that the stream keeps for clients that reconnect.
pub const RESUME_CHANGES_MAX: usize = 1024;
/// Bytes of changes that the stream keeps for clients that reconnect.
pub const RESUME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Distinct root operations that one client reports by name; the others are reported as `other`.
pub const OPERATIONS_MAX: usize = 200;
/// Bytes of an operation's name; longer ones count as `other`.
pub const OPERATION_LENGTH_MAX: usize = 200;
/// Bad keys of one sticky run that one client tells, and that the server keeps of all clients: at that many, the test
/// for harm stands still.
pub const BAD_KEYS_OF_CLIENT_MAX: usize = 5_000;
/// See [`BAD_KEYS_OF_CLIENT_MAX`].
pub const BAD_KEYS_MAX: usize = 100_000;
/// Attributes by which faults draw whose values one client counts, each at one point.
pub const SKETCHES_MAX: usize = 8;
/// The heaviest keys that are told of one slice.
pub const HEAVIEST_KEYS_MAX: usize = 128;
/// Names of flags that there are not that one client reports: those that were asked for most.
pub const UNKNOWN_FLAGS_OF_CLIENT_MAX: usize = 20;
/// Characters that are kept of the name of a flag that there is not.
pub const UNKNOWN_FLAG_LENGTH_MAX: usize = 100;
/// Distinct fault points that one client reports by name.
pub const FAULT_POINTS_MAX: usize = 500;

/// Pages, and incidents, that are remembered of one on-call; more than that are too many for any objective.
pub const PAGES_MAX: usize = 500;
/// What tells one page from another, as its alerts do: of one page so many are remembered.
pub const PAGE_KEYS_MAX: usize = 200;
/// Works on one incident that are remembered.
pub const WORKS_MAX: usize = 50;
/// The key, the title and the person of a page, in bytes.
pub const PAGE_TEXT_BYTES_MAX: usize = 500;
