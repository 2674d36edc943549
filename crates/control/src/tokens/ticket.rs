//! A ticket opens a stream of events by its URL, for browsers, whose `EventSource` sends no header to show a token with.
//!
//! URLs are written into logs, so a ticket opens nothing else, and lives for one to two hours. It names its token
//! and the period it was made in, and is signed with the hash that the store keeps of that token: so it ends with the
//! token, outlives a restart, and every server on the same store knows it. In one period a token has one ticket, so that
//! the URL of its streams stays the same.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{Token, TokenId};

/// The length of a period, in seconds. A ticket of this period and of the one before is taken.
const PERIOD: i64 = 3_600;
/// What is signed begins with it, so that no signature means anything elsewhere.
const PURPOSE: &str = "daybreak event stream";

/// Which token a ticket is of, by its own account.
pub(super) fn token(ticket: &str) -> Option<TokenId> {
    ticket.split_once('-')?.0.parse().ok()
}

impl Token {
    /// The ticket of this period.
    pub(super) fn ticket(&self, now: Timestamp) -> String {
        let claim = self.claim(period(now));
        let signature = self.mac(&claim).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default();
        format!("{claim}-{signature}")
    }

    /// Whether it made this ticket, in this period or the one before. How long that takes says nothing of where they differ.
    pub(super) fn issued(&self, ticket: &str, now: Timestamp) -> bool {
        let Some((claim, signature)) = ticket.rsplit_once('-') else { return false };
        let periods = [period(now), period(now) - 1];
        let lives = periods.iter().any(|period| claim == self.claim(*period));
        let signed = unhex(signature).zip(self.mac(claim));
        lives && signed.is_some_and(|(signature, mac)| mac.verify_slice(&signature).is_ok())
    }

    fn claim(&self, period: i64) -> String {
        format!("{}-{period}", self.id())
    }

    fn mac(&self, claim: &str) -> Option<Hmac<Sha256>> {
        // A key of any length is one.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key()).ok()?;
        mac.update(format!("{PURPOSE} {claim}").as_bytes());
        Some(mac)
    }
}

fn period(now: Timestamp) -> i64 {
    now.as_second().div_euclid(PERIOD)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal { text.as_bytes().chunks(2).map(pair).collect() } else { None }
}
