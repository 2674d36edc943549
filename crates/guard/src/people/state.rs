//! What pages and incidents come to for one on-call at one moment.

use daybreak_model::limits::PAGES_MAX;
use daybreak_model::{Freeze, Hours, Key, Millis, OnCall};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{CLOSING_MARGIN, Incident, OFF_HOURS_WINDOW, PAGES_WINDOW, People, Source, brings_pages};
use crate::hours::{self, HoursStatus};
use crate::span::{after, signed};

/// How an on-call stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeopleState {
    /// Which.
    pub on_call: Key,
    /// Pages within 168 hours.
    pub pages: Budget,
    /// Incidents worked off-hours within 182 days.
    pub off_hours_incidents: Budget,
    /// Where its pages come from.
    pub sources: Vec<SourceState>,
    /// By when a run must be over, since one more incident off-hours would break the objective: two hours before the
    /// rotation's hours close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_end_by: Option<Timestamp>,
    /// What is frozen while the budget is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// What one further page would do.
    pub further_page: FurtherPage,
    /// The hours are closed now, and until then, where that is known.
    #[serde(skip)]
    closed: Option<Option<Timestamp>>,
    /// The time zone in which people read times.
    #[serde(skip)]
    zone: String,
}

/// One objective, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// How many count now. No more than [`PAGES_MAX`] are counted: so many are too many for any objective.
    pub count: usize,
    /// How many are fair.
    pub objective: u32,
    /// For how long each counts.
    pub window: Millis,
    /// When the next one ages out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ages_out_at: Option<Timestamp>,
    /// Whether it stands against a start.
    pub refuses_start: bool,
    /// When it no longer stands against a start if nothing else happens; none where it does not, or where no wait helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clears_at: Option<Timestamp>,
    /// Whether it is used up.
    pub spent: bool,
}

/// A source of an on-call's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SourceState {
    /// Which.
    pub source: Source,
    /// When it was last heard from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heard_at: Option<Timestamp>,
    /// Within which time it must be heard from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_within: Option<Millis>,
    /// Whether it was not: then nobody knows whether the week was quiet, and no run starts.
    pub silent: bool,
}

/// What one further page would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FurtherPage {
    /// How many would count then.
    pub count: usize,
    /// Whether that would break the objective.
    pub breaks_objective: bool,
    /// Whether no run could start any more.
    pub refuses_start: bool,
    /// Whether changes by hand would be frozen.
    pub freezes_changes: bool,
}

/// One reason against a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What stands against it, with the numbers.
    pub sentence: String,
    /// What would clear it.
    pub clears: String,
    /// When it clears by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clears_at: Option<Timestamp>,
}

impl People {
    /// How an on-call stands. `hours` are the rotation's own: what was worked while they were not known to be open was
    /// worked off-hours.
    #[must_use]
    pub fn state(&self, on_call: &Key, definition: &OnCall, hours: &Hours, now: Timestamp) -> PeopleState {
        let pages = self.pages_of(on_call).map(|page| page.at);
        let pages = counted(pages, PAGES_WINDOW, now);
        let incidents = self.incidents_of(on_call).filter_map(|incident| off_hours(incident, hours));
        let incidents = counted(incidents, OFF_HOURS_WINDOW, now);
        let off_hours_incidents = off_hours_budget(&incidents, definition.off_hours_incidents_per_half_year);
        let is_last = incidents.len() == usize_of(definition.off_hours_incidents_per_half_year);
        let budget = page_budget(&pages, definition.pages_per_week);
        let today = hours::status(hours, now);
        PeopleState {
            on_call: on_call.clone(),
            pages: budget,
            off_hours_incidents,
            sources: self.sources(on_call, definition, now),
            runs_end_by: is_last.then(|| runs_end_by(today, now)).flatten(),
            closed: (!today.open).then_some(today.opens_at),
            freeze: definition.freeze,
            further_page: further(budget, definition.freeze),
            zone: hours.time_zone.clone(),
        }
    }

    fn sources(&self, on_call: &Key, definition: &OnCall, now: Timestamp) -> Vec<SourceState> {
        let required = definition.require_source;
        let of = |source| {
            let last_heard_at = self.last_heard(source, on_call);
            let within = |within: Millis| last_heard_at.is_some_and(|at| now.duration_since(at) <= signed(within));
            let silent = required.is_some_and(|required| !within(required));
            SourceState { source, last_heard_at, required_within: required, silent }
        };
        Source::ALL.into_iter().filter(|source| brings_pages(definition, *source)).map(of).collect()
    }
}

impl PeopleState {
    /// Whether its budget is used up: then what its `freeze` says is frozen.
    #[must_use]
    pub const fn spent(&self) -> bool {
        self.pages.spent || self.off_hours_incidents.spent
    }

    /// Whether changes by hand are frozen.
    #[must_use]
    pub fn freezes_changes(&self) -> bool {
        self.freeze == Some(Freeze::Changes) && self.spent()
    }

    /// When the last of what is used up is so no longer, if nothing else happens.
    #[must_use]
    pub fn clears_at(&self) -> Option<Timestamp> {
        let of = |budget: &Budget| if budget.spent { budget.clears_at } else { None };
        of(&self.pages).max(of(&self.off_hours_incidents))
    }

    /// Everything that stands against a run which would be over at `ends_at`; nothing where it may start.
    #[must_use]
    pub fn refuses_start(&self, ends_at: Timestamp) -> Vec<Reason> {
        let (pages, incidents) = (&self.pages, &self.off_hours_incidents);
        let mut reasons = Vec::new();
        if pages.refuses_start {
            let never = "no wait helps: the objective allows no page at all";
            reasons.push(self.reason(self.many_pages(), pages.clears_at, never));
        }
        if incidents.refuses_start {
            reasons.push(self.reason(self.many_incidents(), incidents.clears_at, "look at its objective"));
        } else if let Some(sentence) = self.closing(ends_at) {
            let clears = match self.closed {
                None => "start a shorter run, or start it earlier in the day".to_owned(),
                Some(_) => {
                    format!("start it while they are open, so that it is over {CLOSING_MARGIN} before they close")
                }
            };
            reasons.push(Reason { sentence, clears, clears_at: None });
        }
        reasons.extend(self.sources.iter().filter(|source| source.silent).map(|source| self.silence(source)));
        reasons
    }

    /// Why a run that would be over at `ends_at` must not go on; none where it may.
    #[must_use]
    pub fn ends_run(&self, ends_at: Timestamp) -> Option<String> {
        match (self.pages.spent, self.off_hours_incidents.spent) {
            (true, _) => Some(self.many_pages()),
            (false, true) => Some(self.many_incidents()),
            (false, false) => self.closing(ends_at),
        }
    }

    fn many_pages(&self) -> String {
        format!(
            "`{}` was paged {} within a week, of {} that are fair: one more would break the objective",
            self.on_call,
            times(self.pages.count),
            self.pages.objective
        )
    }

    fn many_incidents(&self) -> String {
        let Budget { count, objective, .. } = self.off_hours_incidents;
        format!(
            "`{}` worked {} within half a year, of {objective} that are fair",
            self.on_call,
            incidents_off_hours(count)
        )
    }

    /// What stands against a run that ends too late for one more incident off-hours.
    fn closing(&self, ends_at: Timestamp) -> Option<String> {
        let by = self.runs_end_by.filter(|by| *by < ends_at)?;
        if let Some(opens_at) = self.closed {
            let until = opens_at.map_or_else(String::new, |at| format!(" until {}", self.local(at)));
            let on_call = &self.on_call;
            return Some(format!(
                "one more incident off-hours would break the objective of `{on_call}`, and its hours are closed{until}"
            ));
        }
        Some(format!(
            "one more incident off-hours would break the objective of `{}`, so a run must be over {CLOSING_MARGIN} before its \
             hours close: by {}",
            self.on_call,
            self.local(by)
        ))
    }

    fn reason(&self, sentence: String, clears_at: Option<Timestamp>, never: &str) -> Reason {
        let clears = clears_at.map_or_else(|| never.to_owned(), |at| format!("it ages out on {}", self.local(at)));
        Reason { sentence, clears, clears_at }
    }

    fn silence(&self, state: &SourceState) -> Reason {
        let (on_call, source) = (&self.on_call, state.source);
        let within = state.required_within.unwrap_or(Millis::ZERO);
        let sentence = match state.last_heard_at {
            Some(at) => format!(
                "`{source}`, which brings the pages of `{on_call}`, was last heard from on {}, and should be within \
                 {within}: silence is no quiet week",
                self.local(at)
            ),
            None => format!("`{source}`, which brings the pages of `{on_call}`, was never heard from"),
        };
        Reason { sentence, clears: format!("have `{source}` send something to its webhook"), clears_at: None }
    }

    fn local(&self, at: Timestamp) -> String {
        let zone = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    }
}

/// When an incident was last worked off-hours, if it was.
#[must_use]
fn off_hours(incident: &Incident, hours: &Hours) -> Option<Timestamp> {
    let works = incident.works.iter().rev();
    works.filter(|work| work.off_hours || !hours::is_open(hours, work.at)).map(|work| work.at).next()
}

/// Those that count now, the earliest first. What lies ahead, since a clock was put back, counts.
fn counted(all: impl Iterator<Item = Timestamp>, window: Millis, now: Timestamp) -> Vec<Timestamp> {
    let mut counted: Vec<_> = all.filter(|at| after(*at, window) > now).collect();
    counted.sort_unstable();
    counted
}

fn page_budget(pages: &[Timestamp], objective: u32) -> Budget {
    let (count, fair) = (pages.len(), usize_of(objective));
    let refuses_start = count >= fair || count >= PAGES_MAX;
    // One must be left.
    let clearing = (fair > 0).then(|| count.checked_sub(fair)).flatten();
    Budget {
        count,
        objective,
        window: PAGES_WINDOW,
        ages_out_at: pages.first().map(|at| after(*at, PAGES_WINDOW)),
        refuses_start,
        clears_at: clearing.and_then(|at| pages.get(at)).map(|at| after(*at, PAGES_WINDOW)),
        spent: refuses_start && count > 0,
    }
}

fn off_hours_budget(incidents: &[Timestamp], objective: u32) -> Budget {
    let (count, fair) = (incidents.len(), usize_of(objective));
    let refuses_start = count > fair || count >= PAGES_MAX;
    let clearing = count.checked_sub(fair.saturating_add(1));
    Budget {
        count,
        objective,
        window: OFF_HOURS_WINDOW,
        ages_out_at: incidents.first().map(|at| after(*at, OFF_HOURS_WINDOW)),
        refuses_start,
        clears_at: clearing.and_then(|at| incidents.get(at)).map(|at| after(*at, OFF_HOURS_WINDOW)),
        spent: refuses_start,
    }
}

fn further(pages: Budget, freeze: Option<Freeze>) -> FurtherPage {
    let (count, fair) = (pages.count.saturating_add(1), usize_of(pages.objective));
    let refuses_start = count >= fair || count >= PAGES_MAX;
    FurtherPage {
        count,
        breaks_objective: count > fair,
        refuses_start,
        freezes_changes: freeze == Some(Freeze::Changes) && refuses_start,
    }
}

/// Two hours before closing; now where it is closed. None where it does not close.
fn runs_end_by(status: HoursStatus, now: Timestamp) -> Option<Timestamp> {
    if !status.open {
        return Some(now);
    }
    status.closes_at.map(|at| at.checked_sub(signed(CLOSING_MARGIN)).unwrap_or(Timestamp::MIN))
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn times(count: usize) -> String {
    match count {
        0 => "not once".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

fn incidents_off_hours(count: usize) -> String {
    if count == 1 { "1 incident off-hours".to_owned() } else { format!("{count} incidents off-hours") }
}
