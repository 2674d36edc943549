//! One token, and what is known of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::text::hash;
use super::{Right, Role, TokenId};

/// How often a token's use is noted at most, in seconds.
const NOTED_EVERY: i64 = 60;

/// How often it is recorded at most that a token only read what admins may, in seconds.
const READS_RECORDED_EVERY: i64 = 3_600;

/// What the store keeps. Of the token itself it keeps a hash.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    hash: [u8; 32],
}

/// A token that the server knows.
pub struct Token {
    id: TokenId,
    stored: Stored,
    /// In seconds since 1970; 0 where it was never used.
    used: AtomicI64,
    noted: AtomicI64,
    /// When it was last recorded that it read, since the server started: in seconds since 1970.
    read_recorded: AtomicI64,
    streams: AtomicUsize,
    /// Read with each request, where a lock would be shared by all.
    blocked: AtomicBool,
    ended: watch::Sender<bool>,
}

/// A token as it is listed: never with its secret, nor with the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// From when on it is refused; never where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether it has expired.
    pub expired: bool,
    /// When it was last used, to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// Streams that are open with it.
    pub streams: usize,
}

/// Counts one stream of a token as open until it is dropped.
#[derive(Debug)]
pub struct TokenStream(Arc<Token>);

impl Stored {
    pub(super) fn new(
        name: &str,
        role: Role,
        created: Timestamp,
        created_by: Option<String>,
        expires: Option<Timestamp>,
        text: &str,
    ) -> Self {
        Self { name: name.to_owned(), role, created, created_by, expires, hash: hash(text) }
    }
}

impl Token {
    pub(super) fn new(id: TokenId, stored: Stored, used: Option<Timestamp>) -> Self {
        let used = used.map_or(0, Timestamp::as_second);
        Self {
            id,
            stored,
            used: AtomicI64::new(used),
            noted: AtomicI64::new(used),
            read_recorded: AtomicI64::new(i64::MIN),
            streams: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            ended: watch::Sender::new(false),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// Its role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.stored.role
    }

    /// Whether it has a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.stored.role.may(right)
    }

    /// Becomes true when the token ends, by being revoked or by expiring.
    #[must_use]
    pub fn ends(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Counts one more stream, unless `max` are open with this token.
    #[must_use]
    pub fn open_stream(self: &Arc<Self>, max: usize) -> Option<TokenStream> {
        let more = |open: usize| (open < max).then_some(open + 1);
        let counted = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_| TokenStream(Arc::clone(self)))
    }

    /// What the store keeps of the token's text, to sign with: who knows it knows every token of the server already.
    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.stored.hash
    }

    /// Whether this is the token's text. How long that takes says nothing of where they differ.
    pub(super) fn is(&self, text: &str) -> bool {
        hash(text).ct_eq(&self.stored.hash).into()
    }

    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.stored.expires.is_some_and(|expires| expires <= now)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Refuses it from now on, and ends its streams.
    pub(super) fn end(&self) {
        self.blocked.store(true, Ordering::Release);
        self.ended.send_replace(true);
    }

    /// Ends its streams where it has expired. Should the clock be put back, it is valid again; its streams are gone.
    pub(super) fn end_if_expired(&self, now: Timestamp) {
        let expired = self.expired(now);
        self.ended.send_if_modified(|ended| std::mem::replace(ended, expired || self.is_blocked()) != *ended);
    }

    /// Notes that it was used, to a minute.
    pub(super) fn touch(&self, now: Timestamp) {
        let (now, used) = (now.as_second(), self.used.load(Ordering::Relaxed));
        if now - used >= NOTED_EVERY {
            self.used.store(now, Ordering::Relaxed);
        }
    }

    /// When it was last used, if that is still to be stored.
    pub(super) fn use_to_note(&self) -> Option<i64> {
        let used = self.used.load(Ordering::Relaxed);
        (used != self.noted.load(Ordering::Relaxed)).then_some(used)
    }

    pub(super) fn noted(&self, used: i64) {
        self.noted.store(used, Ordering::Relaxed);
    }

    /// Whether it is to be recorded that it reads what admins may: then it is not for the next hour.
    pub(super) fn is_read_due(&self, now: Timestamp) -> bool {
        let now = now.as_second();
        let due = |last: i64| (now.saturating_sub(last) >= READS_RECORDED_EVERY).then_some(now);
        self.read_recorded.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }

    pub(super) fn view(&self, now: Timestamp) -> TokenView {
        let used = self.used.load(Ordering::Relaxed);
        let Stored { name, role, created, created_by, expires, .. } = self.stored.clone();
        TokenView {
            id: self.id,
            name,
            role,
            created,
            created_by,
            expires,
            expired: self.expired(now),
            last_used: Timestamp::from_second(used).ok().filter(|_| used != 0),
            streams: self.streams.load(Ordering::Relaxed),
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stored { name, role, .. } = &self.stored;
        f.debug_struct("Token").field("id", &self.id).field("name", name).field("role", role).finish_non_exhaustive()
    }
}

impl TokenStream {
    /// How many streams are open with its token, itself among them.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.streams.load(Ordering::Relaxed)
    }
}

impl Drop for TokenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
