//! Events in the file: numbered, found by their terms, dropped when they are too many or too old.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::failure::Work;
use super::tables::{EVENTS, EVENTS_BY_TERM, Json, decode, encode};
use crate::time::earlier;
use crate::{EventFilter, EventOrder, EventPage, RecordedEvent, Retention};

/// Events that one append drops at most, beside as many as it brings: so no change pays for a retention that was
/// lowered by much.
const DROPPED_MAX: usize = 100;

/// What an event is found by: its kind, its subject and all that these are below of, and its actor.
fn terms(recorded: &RecordedEvent) -> Vec<String> {
    let event = &recorded.event;
    let mut terms = Vec::new();
    let mut add = |of: char, path: &str, separator: char| {
        let ends = path.match_indices(separator).map(|(at, _)| at).chain([path.len()]);
        terms.extend(ends.map(|end| format!("{of}{}", path.get(..end).unwrap_or(path))));
    };
    add('k', &event.kind, '.');
    event.subject.iter().for_each(|subject| add('s', subject, '/'));
    terms.extend(event.actor.iter().map(|actor| format!("a{actor}")));
    terms.sort();
    terms.dedup();
    terms
}

/// The term that all wanted events have; the one that the fewest have is likely named first.
fn wanted_term(filter: &EventFilter) -> Option<String> {
    let subject = filter.subject.as_ref().map(|subject| format!("s{subject}"));
    let actor = || filter.actor.as_ref().map(|actor| format!("a{actor}"));
    let kind = || filter.kind.as_ref().map(|kind| format!("k{kind}"));
    subject.or_else(actor).or_else(kind)
}

/// The tables of events, open for writing.
pub(super) struct EventTables<'t> {
    events: Table<'t, u64, (i64, Json)>,
    by_term: Table<'t, (&'static str, u64), ()>,
}

impl<'t> EventTables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Work<Self> {
        Ok(Self { events: transaction.open_table(EVENTS)?, by_term: transaction.open_table(EVENTS_BY_TERM)? })
    }

    pub(super) fn put(&mut self, recorded: &RecordedEvent) -> Work<()> {
        let json = encode(recorded)?;
        self.events.insert(recorded.id, (recorded.event.at.as_millisecond(), json.as_slice()))?;
        for term in terms(recorded) {
            self.by_term.insert((term.as_str(), recorded.id), ())?;
        }
        Ok(())
    }

    /// Drops what exceeds the retention, the oldest first, after `added` events were put of which this is the last.
    pub(super) fn drop_oldest(&mut self, retention: Retention, added: usize, last: &RecordedEvent) -> Work<()> {
        let oldest = earlier(last.event.at, retention.age).as_millisecond();
        for _ in 0..added + DROPPED_MAX {
            let too_many = self.events.len()? > retention.events as u64;
            let Some(first) = self.events.first()?.map(|(id, event)| (id.value(), event.value().0)) else { break };
            if !too_many && first.1 >= oldest {
                break;
            }
            self.remove(first.0)?;
        }
        Ok(())
    }

    fn remove(&mut self, id: u64) -> Work<()> {
        let removed: Option<RecordedEvent> =
            self.events.remove(id)?.map(|event| decode("an event", event.value().1)).transpose()?;
        for term in removed.iter().flat_map(terms) {
            self.by_term.remove((term.as_str(), id))?;
        }
        Ok(())
    }
}

/// Reads a page of events.
pub(super) fn page(transaction: &ReadTransaction, filter: &EventFilter, limit: usize) -> Work<EventPage> {
    let from = filter.after.map_or(0, |after| after.saturating_add(1));
    let until = filter.before.unwrap_or(u64::MAX);
    let mut page = Pager { filter, limit, page: EventPage::default() };
    if from >= until {
        return Ok(page.page);
    }
    let events = transaction.open_table(EVENTS)?;
    match wanted_term(filter) {
        Some(term) => {
            let by_term = transaction.open_table(EVENTS_BY_TERM)?;
            for entry in ordered(by_term.range((term.as_str(), from)..(term.as_str(), until))?, filter.order) {
                let Some(event) = events.get(entry?.0.value().1)? else { continue };
                if page.is_full_with(event.value())? {
                    break;
                }
            }
        }
        None => {
            for entry in ordered(events.range(from..until)?, filter.order) {
                if page.is_full_with(entry?.1.value())? {
                    break;
                }
            }
        }
    }
    Ok(page.page)
}

fn ordered<'i, T: 'i>(
    items: impl DoubleEndedIterator<Item = T> + 'i,
    order: EventOrder,
) -> Box<dyn Iterator<Item = T> + 'i> {
    match order {
        EventOrder::LatestFirst => Box::new(items.rev()),
        EventOrder::OldestFirst => Box::new(items),
    }
}

struct Pager<'f> {
    filter: &'f EventFilter,
    limit: usize,
    page: EventPage,
}

impl Pager<'_> {
    /// Takes an event if it is wanted; whether there was no place for it any more.
    fn is_full_with(&mut self, (at, json): (i64, &[u8])) -> Work<bool> {
        let early = self.filter.since.is_some_and(|since| at < since.as_millisecond());
        let late = self.filter.until.is_some_and(|until| at > until.as_millisecond());
        if early || late {
            return Ok(false);
        }
        let recorded: RecordedEvent = decode("an event", json)?;
        if !self.filter.matches(&recorded) {
            return Ok(false);
        }
        if self.page.events.len() >= self.limit {
            self.page.next = self.page.events.last().map(|last| last.id);
            return Ok(true);
        }
        self.page.events.push(recorded);
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::Event;

    #[test]
    fn an_event_is_found_by_all_that_it_is_below_of() {
        let event = |kind: &str, subject: Option<&str>, actor: Option<&str>| RecordedEvent {
            id: 1,
            revision: None,
            event: Event {
                at: Timestamp::UNIX_EPOCH,
                kind: kind.to_owned(),
                subject: subject.map(str::to_owned),
                actor: actor.map(str::to_owned),
                reason: None,
                data: Value::Null,
            },
        };
        let cases = [
            (event("halt", None, None), vec!["khalt"]),
            (
                event("run.started", Some("runs/1"), Some("ada")),
                vec!["aada", "krun", "krun.started", "sruns", "sruns/1"],
            ),
            (event("a.a", Some("/x/"), None), vec!["ka", "ka.a", "s", "s/x", "s/x/"]),
        ];
        for (event, expected) in cases {
            assert_eq!(terms(&event), expected);
        }
    }
}
