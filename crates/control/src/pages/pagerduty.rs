//! PagerDuty's webhook, version 3: <https://developer.pagerduty.com/docs/webhooks-overview>, whose text with an example of
//! each event is docs/webhooks/01-Overview.md of <https://github.com/PagerDuty/developer-docs>.
//!
//! An incident of high urgency pages people when it is triggered or reopened, and when it is escalated, reassigned or
//! delegated to somebody who was not paged for it yet, or somebody is asked to respond. It is worked on when a person
//! acknowledges, annotates or resolves it.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_guard::people::{Asked, Page, People, Repeat, Source, Urgency, Work, owns_service};
use daybreak_model::{Key, OnCall};
use jiff::Timestamp;
use serde::Deserialize;

use super::{PageRefusal, Told, object, shortened};

/// What happens to an incident when people are paged.
const PAGING: [&str; 6] = ["triggered", "escalated", "reassigned", "delegated", "responder.added", REOPENED];
const REOPENED: &str = "reopened";

/// A delivery; what it holds beside the event is left alone.
#[derive(Debug, Deserialize)]
pub(super) struct Delivery {
    event: Event,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    event_type: String,
    occurred_at: Timestamp,
    #[serde(default)]
    agent: Option<Named>,
    #[serde(default)]
    data: Data,
}

/// An incident, a note on one, or somebody who is asked to respond to one. Of other events it is something else, of which
/// nothing is asked.
#[derive(Debug, Default, Deserialize)]
struct Data {
    id: Option<String>,
    title: Option<String>,
    urgency: Option<String>,
    service: Option<Named>,
    #[serde(default)]
    assignees: Option<Vec<Named>>,
    /// The incident that it is of, where it is none itself.
    incident: Option<Named>,
    /// Who is asked to respond.
    user: Option<Named>,
}

/// Somebody or something, by id and name.
#[derive(Clone, Debug, Deserialize)]
struct Named {
    id: Option<String>,
    summary: Option<String>,
    #[serde(rename = "type")]
    what: Option<String>,
}

impl Data {
    /// The incident's, which stands elsewhere where this is something of it.
    fn title(&self) -> Option<String> {
        let of_incident = || self.incident.as_ref().and_then(|incident| incident.summary.clone());
        self.title.clone().or_else(of_incident).map(shortened)
    }
}

impl Delivery {
    /// Reads a delivery.
    pub(super) fn read(body: &[u8]) -> Result<Self, PageRefusal> {
        object(body)
            .map_err(|why| PageRefusal::Malformed(format!("this is no event of PagerDuty's webhook, version 3: {why}")))
    }

    /// The pages that it is, and the work that it shows. `people` know whose an incident is whose service is not named.
    pub(super) fn told(&self, on_calls: &BTreeMap<Key, OnCall>, people: &People) -> Told {
        let Event { event_type, data, .. } = &self.event;
        let Some(kind) = event_type.strip_prefix("incident.") else { return Told::default() };
        let incident = data.incident.as_ref().and_then(|incident| incident.id.clone()).or_else(|| data.id.clone());
        let Some(incident) = incident.map(shortened).filter(|id| !id.is_empty()) else { return Told::default() };
        let (mut told, mut matched) = (Told::default(), false);
        for (key, definition) in on_calls {
            let service = data.service.as_ref();
            let own = match service.and_then(|service| service.id.as_deref()) {
                Some(id) => owns_service(definition, id, service.and_then(|service| service.summary.as_deref())),
                None => is_known(people, key, &incident),
            };
            if !own {
                continue;
            }
            matched = true;
            told.pages.extend(self.page(kind, key, &incident));
            told.works.extend(self.work(kind, key, &incident));
        }
        // What names no service is of an incident that is not known, whosever it may be.
        let asked = data.service.as_ref().and_then(|service| {
            Some(Asked::Service { id: shortened(service.id.clone()?), name: service.summary.clone().map(shortened) })
        });
        if !matched {
            let pages = PAGING.contains(&kind) && data.urgency.as_deref() != Some("low");
            told.foreign = asked.is_some() && !pages;
            told.unmatched = asked.filter(|_| pages);
        }
        told
    }

    fn page(&self, kind: &str, on_call: &Key, incident: &str) -> Option<Page> {
        let Event { id, occurred_at, data, .. } = &self.event;
        if !PAGING.contains(&kind) {
            return None;
        }
        let mut keys = BTreeSet::from([incident.to_owned()]);
        if kind == REOPENED {
            keys.insert(shortened(format!("{incident}/reopened/{id}")));
        } else {
            let people = data.assignees.iter().flatten().chain(&data.user);
            let people = people.filter_map(|person| person.id.as_deref());
            keys.extend(people.map(|person| shortened(format!("{incident}/{person}"))));
        }
        // What does not say that it can wait cannot.
        let urgency = if data.urgency.as_deref() == Some("low") { Urgency::Low } else { Urgency::High };
        Some(Page {
            source: Source::Pagerduty,
            on_call: on_call.clone(),
            keys,
            repeat: Repeat::AllKnown,
            at: *occurred_at,
            title: data.title(),
            urgency,
        })
    }

    fn work(&self, kind: &str, on_call: &Key, incident: &str) -> Option<Work> {
        let Event { occurred_at, agent, data, .. } = &self.event;
        let person =
            agent.as_ref().filter(|agent| agent.what.as_deref().is_some_and(|what| what.starts_with("user")))?;
        matches!(kind, "acknowledged" | "annotated" | "resolved").then(|| Work {
            source: Source::Pagerduty,
            on_call: on_call.clone(),
            key: incident.to_owned(),
            at: *occurred_at,
            person: person.summary.clone().or_else(|| person.id.clone()).map(shortened),
            title: data.title(),
            off_hours: false,
        })
    }
}

/// Whether an on-call was paged for this incident, or has worked on it.
fn is_known(people: &People, on_call: &Key, incident: &str) -> bool {
    people.pages_of(on_call).any(|page| page.source == Source::Pagerduty && page.keys.contains(incident))
        || people.incidents_of(on_call).any(|known| known.source == Source::Pagerduty && known.key == incident)
}
