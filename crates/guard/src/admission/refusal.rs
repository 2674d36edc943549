//! What stands against a start, and what only deserves a word.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word that answers and events use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// Why a start is refused.
    RefusalCode {
        /// Everything is halted.
        Halted = "halted",
        /// The fault is disabled.
        FaultDisabled = "fault_disabled",
        /// The percentage that was asked for is above the fault's.
        PercentageRaised = "percentage_raised",
        /// The duration that was asked for is above the fault's.
        DurationRaised = "duration_raised",
        /// The duration is zero.
        NoDuration = "no_duration",
        /// The percentage is zero.
        NoPercentage = "no_percentage",
        /// The duration is above the server's limit.
        TooLong = "too_long",
        /// The fault says `guard: none`, and this is production.
        GuardRequired = "guard_required",
        /// The calendar is closed.
        OutsideHours = "outside_hours",
        /// The calendar closes before the run would end.
        DoesNotFit = "does_not_fit",
        /// The calendar's holidays are not known for all of the run.
        CalendarEnds = "calendar_ends",
        /// What a limit of the run is measured by is not known.
        InsufficientData = "insufficient_data",
        /// The error budget of the guard's SLO would not be left as the guard demands.
        BudgetLow = "budget_low",
        /// That error budget burns too fast.
        Burning = "burning",
        /// The people on call have had enough, or nobody knows whether they have.
        PeopleBudget = "people_budget",
        /// No client counts outcomes for the guard's SLO.
        NoArms = "no_arms",
        /// No shadow run on the point came first.
        ShadowFirst = "shadow_first",
        /// No live client can be struck at the point.
        NoClients = "no_clients",
        /// The runs together would touch too much.
        BlastRadius = "blast_radius",
        /// Another run is active on the point.
        PointBusy = "point_busy",
        /// A run on the point ended a short while ago.
        CoolingDown = "cooling_down",
        /// The lists that its condition and the protected segments reach are too long to be sent to each client.
        ListsTooLong = "lists_too_long",
    }
}

codes! {
    /// What the one who starts should know.
    WarningCode {
        /// Nothing has passed the point yet.
        NoTraffic = "no_traffic",
        /// What the run touches is not known, so it was assumed to be all that it could.
        BlastRadiusUnmeasured = "blast_radius_unmeasured",
        /// Some clients that know the point forbid faults.
        FaultsForbidden = "faults_forbidden",
        /// There is too little traffic for a verdict in that time.
        CannotConclude = "cannot_conclude",
        /// Some passes happen outside of a request, and are never struck.
        Unscoped = "unscoped",
        /// A point behind the root, where requests are looked at again: it needs their context.
        NeedsContext = "needs_context",
        /// Another active run counts the same requests.
        SharesOutcomes = "shares_outcomes",
        /// The run may spend one bad request at most.
        FirstBadEnds = "first_bad_ends",
        /// An active run treats requests, and strikes none of them.
        StrikesNobody = "strikes_nobody",
    }
}

/// One reason against a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Which.
    pub code: RefusalCode,
    /// What stands against it, with the numbers.
    pub sentence: String,
    /// What would clear it.
    pub clears: String,
    /// When it clears by itself, if it does and that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clears_at: Option<Timestamp>,
    /// Whether an admin may waive it, with a reason.
    pub waivable: bool,
}

/// One thing that the one who starts should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which.
    pub code: WarningCode,
    /// What.
    pub sentence: String,
}
