//! What a process permits.

use std::path::PathBuf;
use std::time::Duration;

use daybreak_model::limits::{EFFECT_DURATION_MAX, FAULTS_IN_FLIGHT_MAX};

use crate::Telemetry;

/// What this process permits. Everything here can only lower what the server asks for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether faults may strike at all; `false` unless `DAYBREAK_FAULTS` permits it.
    pub allowed: bool,
    /// The only fault points where faults may strike; all of them where `None`.
    pub points: Option<Vec<String>>,
    /// Nothing is injected while this file exists. It is looked for every second.
    pub kill_file: Option<PathBuf>,
    /// Faults in flight at once, at most 64.
    pub in_flight_max: u32,
    /// The longest wait at one pass, at most 30 s.
    pub wait_max: Duration,
    /// Paths of health checks, beside [`HEALTH_PATHS`](crate::scope::HEALTH_PATHS).
    pub health_paths: Vec<String>,
    /// Whether draws of callers are believed. Only behind an edge that strips the `baggage` of strangers.
    pub trust_baggage: bool,
    /// Whether draws are handed on to the services that are called.
    pub send_baggage: bool,
    /// Whose traces are told of draws and strikes.
    pub telemetry: Option<Telemetry>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed: true,
            points: None,
            kill_file: None,
            in_flight_max: FAULTS_IN_FLIGHT_MAX,
            wait_max: EFFECT_DURATION_MAX.to_duration(),
            health_paths: Vec::new(),
            trust_baggage: false,
            send_baggage: false,
            telemetry: None,
        }
    }
}

impl Settings {
    /// The defaults, with `DAYBREAK_FAULTS` heeded. Unset, empty, `on`, `true`, `1` and `yes` permit faults; `off`,
    /// `false`, `0` and `no` forbid them, whatever the case. So does anything else, with a warning in the log: what
    /// cannot be read permits nothing.
    #[must_use]
    pub fn from_env() -> Self {
        let word = std::env::var_os("DAYBREAK_FAULTS").unwrap_or_default();
        let said = word.to_str().and_then(permission);
        if said.is_none() {
            tracing::warn!(?word, "DAYBREAK_FAULTS is neither `on` nor `off`: no fault strikes in this process");
        }
        Self { allowed: said.unwrap_or(false), ..Self::default() }
    }

    pub(super) fn permits(&self, point: &str) -> bool {
        self.points.as_ref().is_none_or(|points| points.iter().any(|permitted| permitted == point))
    }

    /// The same, with every limit inside its range.
    pub(super) fn within_limits(mut self) -> Self {
        self.in_flight_max = self.in_flight_max.min(FAULTS_IN_FLIGHT_MAX);
        self.wait_max = self.wait_max.min(EFFECT_DURATION_MAX.to_duration());
        self
    }
}

/// What a word says of faults; none where it says neither.
fn permission(word: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|known| word.trim().eq_ignore_ascii_case(known));
    if is_one_of(&["", "on", "true", "1", "yes"]) {
        Some(true)
    } else if is_one_of(&["off", "false", "0", "no"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a word that is known to permit faults does.
    #[test]
    fn invariant_4_a_word_that_is_not_known_permits_nothing() {
        let permits = ["", " ", "on", " ON ", "true", "1", "Yes"];
        let forbids = ["off", " OFF ", "false", "0", "no"];
        let unknown = ["disabled", "none", "offf", "on;off", "2", "-1", "null"];
        for (words, expected) in [(&permits[..], Some(true)), (&forbids, Some(false)), (&unknown, None)] {
            for word in words {
                assert_eq!(permission(word), expected, "{word:?}");
            }
        }
    }

    #[test]
    fn invariant_4_limits_can_only_be_lowered() {
        let wide = Settings { in_flight_max: 1_000, wait_max: Duration::from_secs(3_600), ..Settings::default() };
        let settings = wide.within_limits();
        assert_eq!((settings.in_flight_max, settings.wait_max), (64, Duration::from_secs(30)));
    }
}
