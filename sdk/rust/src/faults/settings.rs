//! What a process permits.

use std::path::PathBuf;
use std::time::Duration;

use daybreak_model::limits::{EFFECT_DURATION_MAX, FAULTS_IN_FLIGHT_MAX};

/// What this process permits. Everything here can only lower what the server asks for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether faults may strike at all; `false` where `DAYBREAK_FAULTS=off`.
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
        }
    }
}

impl Settings {
    /// The defaults, with `DAYBREAK_FAULTS` heeded: `off`, `false`, `0` and `no` all mean off, whatever the case.
    #[must_use]
    pub fn from_env() -> Self {
        Self { allowed: !std::env::var("DAYBREAK_FAULTS").is_ok_and(|word| means_off(&word)), ..Self::default() }
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

fn means_off(word: &str) -> bool {
    ["off", "false", "0", "no"].iter().any(|off| word.trim().eq_ignore_ascii_case(off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_off() {
        for (word, off) in [("off", true), (" OFF ", true), ("0", true), ("no", true), ("on", false), ("", false)] {
            assert_eq!(means_off(word), off, "{word:?}");
        }
    }

    #[test]
    fn invariant_4_limits_can_only_be_lowered() {
        let wide = Settings { in_flight_max: 1_000, wait_max: Duration::from_secs(3_600), ..Settings::default() };
        let settings = wide.within_limits();
        assert_eq!((settings.in_flight_max, settings.wait_max), (64, Duration::from_secs(30)));
    }
}
