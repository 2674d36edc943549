//! Runs: activations of faults, how they end, and who takes part.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::draw_key::hexadecimal;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bits:ty, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($bits);

        impl $name {
            /// An identifier of these bits; they should be random.
            #[must_use]
            pub const fn new(bits: $bits) -> Self {
                Self(bits)
            }
        }

        impl FromStr for $name {
            type Err = RunIdError;

            fn from_str(text: &str) -> Result<Self, RunIdError> {
                let bits = hexadecimal(text, $digits).and_then(|bits| bits.try_into().ok());
                bits.map(Self).ok_or(RunIdError { digits: $digits })
            }
        }

        impl TryFrom<String> for $name {
            type Error = RunIdError;

            fn try_from(text: String) -> Result<Self, RunIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$x}", self.0, width = $digits)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

hex_id! {
    /// Identifies a run: 16 lower-case hexadecimal digits.
    RunId, u64, 16
}
hex_id! {
    /// Identifies one start of one client process: 32 lower-case hexadecimal digits, fresh at each start.
    InstanceId, u128, 32
}

/// The text is not so many lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier of {digits} lower-case hexadecimal digits is expected")]
pub struct RunIdError {
    digits: usize,
}

/// Which side of a run's draw a request fell on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Eligible and drawn.
    Treated,
    /// Eligible and not drawn by this run, whatever other runs drew.
    Control,
}

/// How a run ended; apart from its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its time was up, or it showed what it was to show.
    Completed,
    /// Somebody stopped it.
    Stopped,
    /// Something ended it against the plan.
    Aborted(Cause),
}

/// Why a run was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The server restarted, or another one leads.
    ServerRestarted,
    /// Everything was halted.
    Halted,
    /// Its calendar closed.
    OutsideHours,
    /// Its fault was deleted or disabled.
    FaultRemoved,
    /// Two clients that had struck, or treated requests, went silent.
    ClientsLost,
    /// The struck share exceeded what was asked for, or the cap.
    BlastRadius,
    /// The treated arm does worse.
    Harm,
    /// The run spent its share of the error budget.
    BudgetSpent,
    /// The service burns its error budget fast.
    Burning,
    /// Somebody was paged.
    Paged,
    /// The arms do not come out as drawn.
    InstrumentationBroken,
    /// Reports came late or not at all.
    StaleReports,
}

/// What a run showed; apart from how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Harm beyond the tolerance is ruled out.
    Resilient,
    /// Harm is shown.
    Harmful,
    /// Neither is shown.
    Inconclusive,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ServerRestarted,
        Self::Halted,
        Self::OutsideHours,
        Self::FaultRemoved,
        Self::ClientsLost,
        Self::BlastRadius,
        Self::Harm,
        Self::BudgetSpent,
        Self::Burning,
        Self::Paged,
        Self::InstrumentationBroken,
        Self::StaleReports,
    ];

    /// The word that events, metrics and answers use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerRestarted => "server_restarted",
            Self::Halted => "halted",
            Self::OutsideHours => "outside_hours",
            Self::FaultRemoved => "fault_removed",
            Self::ClientsLost => "clients_lost",
            Self::BlastRadius => "blast_radius",
            Self::Harm => "harm",
            Self::BudgetSpent => "budget_spent",
            Self::Burning => "burning",
            Self::Paged => "paged",
            Self::InstrumentationBroken => "instrumentation_broken",
            Self::StaleReports => "stale_reports",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Aborted(cause) => write!(f, "aborted: {}", cause.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_listed_once() {
        let numbers: Vec<_> = Cause::ALL.iter().map(|cause| *cause as usize).collect();
        assert_eq!(numbers, (0..=Cause::StaleReports as usize).collect::<Vec<_>>());
    }
}
