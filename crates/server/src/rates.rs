//! How often anybody may ask, and what their memory is bounded by.
//!
//! Holders of a token are counted by token, and never by address: behind one address there may be a thousand clients,
//! or a proxy with all of them. All others are counted by the address that the connection comes from; what headers say
//! of other addresses is not believed.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::header::RETRY_AFTER;
use daybreak_control::tokens::TokenId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::limits::{RATE_ADDRESS, RATE_FAILURES, RATE_TOKEN, STREAMS_PER_TOKEN};
use crate::problem::{Code, Problem};

/// Addresses or tokens that are counted one by one; all beyond share a count.
const KEYS_MAX: usize = 100_000;
/// How often those that have been quiet are forgotten.
const SWEEP: Duration = Duration::from_secs(30);

/// How often anybody may ask. None is without a limit.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// With one token.
    pub token: Option<Quota>,
    /// From one address, without a token.
    pub address: Option<Quota>,
    /// From one address, with what is no token.
    pub failures: Option<Quota>,
    /// Streams open at once with one token.
    pub streams_per_token: usize,
}

/// A rate with bursts of two seconds' worth; none for 0.
#[must_use]
pub fn per_second(rate: u32) -> Option<Quota> {
    let rate = NonZeroU32::new(rate)?;
    Some(Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))))
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            token: per_second(RATE_TOKEN),
            address: per_second(RATE_ADDRESS),
            failures: per_second(RATE_FAILURES),
            streams_per_token: STREAMS_PER_TOKEN,
        }
    }
}

/// What was asked lately.
#[derive(Debug)]
pub struct Rates {
    tokens: Counts<TokenId>,
    addresses: Counts<IpAddr>,
    failures: Counts<IpAddr>,
    token: Option<Quota>,
    streams_per_token: usize,
}

#[derive(Debug)]
struct Counts<K: Clone + Hash + Eq>(Option<DefaultKeyedRateLimiter<K>>);

impl Rates {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        Self {
            tokens: Counts::new(limits.token),
            addresses: Counts::new(limits.address),
            failures: Counts::new(limits.failures),
            token: limits.token,
            streams_per_token: limits.streams_per_token,
        }
    }

    /// Streams open at once with one token.
    #[must_use]
    pub const fn streams_per_token(&self) -> usize {
        self.streams_per_token
    }

    /// The time in which so many may ask once each with one token, and leave half of its rate to others.
    #[must_use]
    pub fn pace(&self, holders: usize) -> Duration {
        let Some(quota) = self.token else { return Duration::ZERO };
        let holders = u32::try_from(holders).unwrap_or(u32::MAX);
        quota.replenish_interval().saturating_mul(2).saturating_mul(holders)
    }

    /// Whether so many may ask all at once with one token: half of its burst holds them.
    #[must_use]
    pub fn bursts(&self, holders: usize) -> bool {
        self.token.is_none_or(|quota| holders <= usize::try_from(quota.burst_size().get() / 2).unwrap_or(usize::MAX))
    }

    /// Counts a request with a token.
    ///
    /// # Errors
    /// When there were too many.
    pub fn token(&self, token: TokenId) -> Result<(), Problem> {
        self.tokens.count(&token).map_err(|wait| too_many("this token", wait))
    }

    /// Counts a request without a token.
    ///
    /// # Errors
    /// When there were too many.
    pub fn address(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        self.addresses.count(&self.addresses.key(address)).map_err(|wait| too_many("your address", wait))
    }

    /// Counts a request with what is no token. Even then a token from the same address gets in: it cannot be guessed,
    /// and nobody is to be shut out by their neighbour.
    ///
    /// # Errors
    /// When there were too many.
    pub fn failure(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        self.failures.count(&self.failures.key(address)).map_err(|wait| too_many("wrong tokens of your address", wait))
    }

    /// Forgets now and then who has been quiet, for ever.
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.tokens.forget();
            self.addresses.forget();
            self.failures.forget();
        }
    }
}

impl<K: Clone + Hash + Eq> Counts<K> {
    fn new(quota: Option<Quota>) -> Self {
        Self(quota.map(RateLimiter::keyed))
    }

    /// Counts one; how long to wait where there were too many.
    fn count(&self, key: &K) -> Result<(), Duration> {
        let Some(counts) = &self.0 else { return Ok(()) };
        counts.check_key(key).map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }

    fn forget(&self) {
        if let Some(counts) = &self.0 {
            counts.retain_recent();
            counts.shrink_to_fit();
        }
    }
}

impl Counts<IpAddr> {
    /// What an address is counted by.
    fn key(&self, address: Option<IpAddr>) -> IpAddr {
        let crowded = self.0.as_ref().is_some_and(|counts| counts.len() >= KEYS_MAX);
        address.filter(|_| !crowded).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), network)
    }
}

/// Whoever has one address of IPv6 has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

fn too_many(whose: &str, wait: Duration) -> Problem {
    // Whole seconds, and never too few.
    let seconds = wait.as_secs() + 1;
    let detail = format!("too many requests: the limit of {whose} is reached; try again in {seconds} s");
    Problem::new(Code::RateLimited, detail).header(RETRY_AFTER, &seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_network() {
        let cases = [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ];
        for (address, expected) in cases {
            assert_eq!(network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn many_with_one_token_take_their_time() {
        let cases = [
            (Some(100), 1, true, 20),
            (Some(100), 100, true, 2_000),
            (Some(100), 101, false, 2_020),
            (Some(100), 300, false, 6_000),
            (Some(10_000), 10_000, true, 2_000),
            (Some(1), 2, false, 4_000),
            (None, 10_000, true, 0),
        ];
        for (rate, holders, bursts, ms) in cases {
            let rates = Rates::new(&RateLimits { token: rate.and_then(per_second), ..RateLimits::default() });
            assert_eq!(
                (rates.bursts(holders), rates.pace(holders)),
                (bursts, Duration::from_millis(ms)),
                "{holders} at {rate:?}"
            );
        }
    }

    #[test]
    fn one_does_not_use_up_the_others() {
        let hourly = Quota::per_hour(NonZeroU32::new(2).unwrap());
        let limits = RateLimits { address: Some(hourly), failures: None, ..RateLimits::default() };
        let rates = Rates::new(&limits);
        let from = |address: &str| rates.address(Some(address.parse().unwrap())).is_ok();
        assert_eq!(["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"].map(from), [true, true, false, true]);
        assert_eq!(["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(from), [true, true, false]);
        assert!((0..1_000).all(|_| rates.failure(None).is_ok()), "no limit");
        assert_eq!(per_second(0), None);
    }
}
