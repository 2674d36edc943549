//! Whose a page is.

use std::collections::BTreeMap;

use daybreak_model::OnCall;

use super::Source;

/// Whether an alert of Alertmanager is this on-call's, by the receiver that it was sent to and its labels.
#[must_use]
pub fn owns_alert(definition: &OnCall, receiver: &str, labels: &BTreeMap<String, String>) -> bool {
    definition.pages.as_ref().is_some_and(|own| {
        let said = !own.receiver.is_empty() || !own.labels.is_empty();
        let received = own.receiver.is_empty() || own.receiver.iter().any(|name| name == receiver);
        let has =
            |(name, values): (&String, &Vec<String>)| labels.get(name).is_some_and(|value| values.contains(value));
        said && received && own.labels.iter().all(has)
    })
}

/// Whether an incident of PagerDuty is this on-call's, by its service's id or name.
#[must_use]
pub fn owns_service(definition: &OnCall, id: &str, name: Option<&str>) -> bool {
    let is_named = |service: &String| service == id || Some(service.as_str()) == name;
    definition.pages.as_ref().is_some_and(|own| own.service.iter().any(is_named))
}

/// Whether an on-call's pages come from this source. One that says of no other has those that are posted for it.
#[must_use]
pub fn brings_pages(definition: &OnCall, source: Source) -> bool {
    let alerts = definition.pages.as_ref().is_some_and(|own| !own.receiver.is_empty() || !own.labels.is_empty());
    let incidents = definition.pages.as_ref().is_some_and(|own| !own.service.is_empty());
    match source {
        Source::Alertmanager => alerts,
        Source::Pagerduty => incidents,
        Source::Plain => !alerts && !incidents,
    }
}
