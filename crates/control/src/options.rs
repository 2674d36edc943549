//! What a server is started with, as far as it concerns its conduct.

use daybreak_model::limits::{LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, RUN_DURATION_MAX, RUN_DURATION_MAX_DEFAULT};
use daybreak_model::{Millis, Percentage};

/// What an operator chooses at the start; it stays until the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The environment's name; clients refuse another than the one they first saw.
    pub environment: String,
    /// How long a lease lasts: 3 s to 30 s.
    pub lease: Millis,
    /// The share of a service's root requests of one operation that all runs together may touch.
    pub max_blast_radius: Percentage,
    /// The longest run: up to 4 h.
    pub max_run: Millis,
    /// How long a server may be out of reach before its clients' answers say STALE, unless their builders say so; for
    /// ever unless said.
    pub stale_after: Option<Millis>,
}

/// Why a server cannot be started with these [`Options`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No name.
    #[error("the environment needs a name; write for example `staging`")]
    Environment,
    /// Too short or too long.
    #[error("a lease of {0} is out of range; write a length from {LEASE_MIN} to {LEASE_MAX}")]
    Lease(Millis),
    /// Nothing, or too long.
    #[error("a longest run of {0} is out of range; write a length up to {RUN_DURATION_MAX}")]
    MaxRun(Millis),
}

impl Options {
    /// The blast radius unless an operator chooses another: 5 %.
    pub const MAX_BLAST_RADIUS_DEFAULT: Percentage = match Percentage::from_thousandths(5_000) {
        Some(percentage) => percentage,
        None => Percentage::ZERO,
    };

    /// The defaults, for this environment.
    #[must_use]
    pub fn new(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            lease: LEASE_DEFAULT,
            max_blast_radius: Self::MAX_BLAST_RADIUS_DEFAULT,
            max_run: RUN_DURATION_MAX_DEFAULT,
            stale_after: None,
        }
    }

    /// Whether everything is in range.
    ///
    /// # Errors
    /// The first option that is not.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.environment.trim().is_empty() {
            return Err(OptionsError::Environment);
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            return Err(OptionsError::Lease(self.lease));
        }
        if self.max_run == Millis::ZERO || self.max_run > RUN_DURATION_MAX {
            return Err(OptionsError::MaxRun(self.max_run));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            (Options::new("staging"), Ok(())),
            (Options::new(" "), Err(OptionsError::Environment)),
            (Options { lease: Millis::new(2_999), ..Options::new("a") }, Err(OptionsError::Lease(Millis::new(2_999)))),
            (Options { lease: LEASE_MAX, ..Options::new("a") }, Ok(())),
            (Options { max_run: Millis::ZERO, ..Options::new("a") }, Err(OptionsError::MaxRun(Millis::ZERO))),
        ];
        for (options, expected) in cases {
            assert_eq!(options.check(), expected, "{options:?}");
        }
    }
}
