//! How on-calls stand, as people see it; and whether that freezes changes.

use std::collections::BTreeSet;

use daybreak_guard::hours;
use daybreak_guard::people::{
    Incident, KnownPage, OFF_HOURS_WINDOW, PAGES_WINDOW, People, PeopleState, Reason, Source, brings_pages,
};
use daybreak_model::{Freeze, Key, Kind, Millis, Resources};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::control::not_found;
use crate::{Control, Refusal};

/// Pages and incidents that are told of at most, the latest first.
const HISTORY_MAX: usize = 100;

/// How an on-call stands, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnCallStatus {
    /// How it stands.
    #[serde(flatten)]
    pub state: PeopleState,
    /// Whether no more is left: then no run starts, and what `freeze` says is frozen.
    pub spent: bool,
    /// Everything that stands against a run that would end at once.
    pub reasons: Vec<Reason>,
    /// Of each of its sources the last page that was of no on-call, and is of none as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<UnmatchedPage>,
    /// Its pages, the latest first.
    pub page_history: Vec<PageView>,
    /// The incidents on which somebody worked, the latest first.
    pub incident_history: Vec<IncidentView>,
}

/// A page that is of no on-call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnmatchedPage {
    /// Who told of it.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// What it was matched by, in words: `receiver `pager`, labels severity=page`.
    pub of: String,
}

/// A page that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageView {
    /// When people were paged.
    pub at: Timestamp,
    /// Who told of it.
    pub source: Source,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it stops counting; absent where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_until: Option<Timestamp>,
}

/// An incident that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentView {
    /// When it was last worked on.
    pub at: Timestamp,
    /// Who told of it.
    pub source: Source,
    /// What tells it from others there.
    pub key: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who worked on it.
    pub people: BTreeSet<String>,
    /// Whether it was worked off-hours.
    pub off_hours: bool,
    /// When it stops counting; absent where it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_until: Option<Timestamp>,
}

/// Why changes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// The on-calls whose budget is spent.
    pub on_calls: Vec<Key>,
    /// When the last of them is not spent any more, if nothing else happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clears_at: Option<Timestamp>,
}

impl Control {
    /// How an on-call stands: what counts, what it forbids, what a further page would do.
    ///
    /// # Errors
    /// When there is no such on-call.
    pub fn on_call_status(&self, key: &str) -> Result<OnCallStatus, Refusal> {
        let state = self.state();
        let resources = state.resources();
        let known = resources.on_call.get_key_value(key).ok_or_else(|| not_found(resources, Kind::OnCall, key))?;
        let ((key, definition), now) = (known, self.inner.clock.now());
        let hours = resources.hours.get(&definition.hours);
        let hours = hours.ok_or_else(|| not_found(resources, Kind::Hours, definition.hours.as_str()))?;
        let people = self.inner.pages.people.lock();
        let state = people.state(key, definition, hours, now);
        let mut page_history: Vec<_> = people.pages_of(key).map(|page| page_view(page, now)).collect();
        let mut incident_history: Vec<_> =
            people.incidents_of(key).filter_map(|incident| incident_view(incident, hours, now)).collect();
        let brings = |page: &UnmatchedPage| brings_pages(definition, page.source);
        let unmatched = unmatched(&people, resources, now).into_iter().filter(brings).collect();
        drop(people);
        page_history.sort_by_key(|page| std::cmp::Reverse(page.at));
        incident_history.sort_by_key(|incident| std::cmp::Reverse(incident.at));
        page_history.truncate(HISTORY_MAX);
        incident_history.truncate(HISTORY_MAX);
        // What stands against the shortest run that there is.
        let over = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
        let (spent, reasons) = (state.spent(), state.refuses_start(over));
        Ok(OnCallStatus { state, spent, reasons, unmatched, page_history, incident_history })
    }

    /// How many pages were of no on-call since the start, of each source that could have sent one.
    #[must_use]
    pub fn unmatched_pages(&self) -> Vec<(Source, u64)> {
        let counted = self.inner.pages.unmatched.lock();
        let of = |source| (source, counted.get(&source).copied().unwrap_or_default());
        [Source::Alertmanager, Source::Pagerduty].map(of).to_vec()
    }

    /// What deserves a look of the pages that came in.
    pub(crate) fn page_warnings(&self) -> Vec<String> {
        let state = self.state();
        let pages = unmatched(&self.inner.pages.people.lock(), state.resources(), self.inner.clock.now());
        let warning = |page: UnmatchedPage| {
            let UnmatchedPage { source, at, of } = page;
            format!("a page of `{source}` was of no on-call, at {at}: {of}; compare the `match` of the on-calls")
        };
        pages.into_iter().map(warning).collect()
    }

    /// Why changes by hand are frozen, if they are.
    pub(crate) fn frozen(&self, resources: &Resources) -> Option<Frozen> {
        let freezing = resources.on_call.iter().filter(|(_, on_call)| on_call.freeze == Some(Freeze::Changes));
        let now = self.inner.clock.now();
        let mut frozen = Frozen { on_calls: Vec::new(), clears_at: None };
        for (key, definition) in freezing {
            let Some(hours) = resources.hours.get(&definition.hours) else { continue };
            let state = self.inner.pages.people.lock().state(key, definition, hours, now);
            if state.freezes_changes() {
                frozen.on_calls.push(key.clone());
                frozen.clears_at = frozen.clears_at.max(state.clears_at());
            }
        }
        (!frozen.on_calls.is_empty()).then_some(frozen)
    }
}

/// The last page of each source that was of no on-call, and is of none as they are now.
fn unmatched(people: &People, resources: &Resources, now: Timestamp) -> Vec<UnmatchedPage> {
    let known = Source::ALL.into_iter().filter_map(|source| people.last_unmatched(source, now));
    let nobodys = known.filter(|page| !resources.on_call.values().any(|definition| page.of.is_of(definition)));
    nobodys.map(|page| UnmatchedPage { source: page.source, at: page.at, of: page.of.to_string() }).collect()
}

fn page_view(page: &KnownPage, now: Timestamp) -> PageView {
    let counts_until = counts_until(page.at, PAGES_WINDOW, now);
    PageView { at: page.at, source: page.source, title: page.title.clone(), counts_until }
}

fn incident_view(incident: &Incident, calendar: &daybreak_model::Hours, now: Timestamp) -> Option<IncidentView> {
    let works = incident.works.iter().rev();
    let off = works.clone().find(|work| work.off_hours || !hours::is_open(calendar, work.at)).map(|work| work.at);
    Some(IncidentView {
        at: incident.works.last()?.at,
        source: incident.source,
        key: incident.key.clone(),
        title: incident.title.clone(),
        people: works.filter_map(|work| work.person.clone()).collect(),
        off_hours: off.is_some(),
        counts_until: off.and_then(|at| counts_until(at, OFF_HOURS_WINDOW, now)),
    })
}

fn counts_until(at: Timestamp, window: Millis, now: Timestamp) -> Option<Timestamp> {
    let until = at.checked_add(window.to_duration()).unwrap_or(Timestamp::MAX);
    (until > now).then_some(until)
}
