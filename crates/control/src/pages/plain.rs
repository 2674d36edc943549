//! A page in Daybreak's own form, for whatever sends neither Alertmanager's nor PagerDuty's.

use std::collections::BTreeSet;

use daybreak_guard::people::{Page, Repeat, Source, Urgency, Work};
use daybreak_model::Key;
use daybreak_model::limits::PAGE_TEXT_BYTES_MAX;
use jiff::Timestamp;

use super::{PageRefusal, Told};

/// A page, or a sign of life of what would send one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainPage {
    /// Whose it is.
    pub on_call: String,
    /// What tells it from others: sent again it is the same page. Without one each is a page of its own.
    pub key: Option<String>,
    /// What it says.
    pub title: Option<String>,
    /// When people were paged; now unless said.
    pub at: Option<Timestamp>,
    /// Whether it could wait.
    pub urgency: Urgency,
    /// Who worked on it.
    pub person: Option<String>,
    /// Whether somebody worked on it off-hours. Unless said, the calendar tells, for the time of the page, where a person
    /// is named.
    pub off_hours_work: Option<bool>,
    /// It is no page: it only shows that its sender lives.
    pub heartbeat: bool,
}

impl PlainPage {
    pub(super) fn told(
        self,
        on_call: &Key,
        now: Timestamp,
        fresh: impl FnOnce() -> String,
    ) -> Result<Told, PageRefusal> {
        for (name, text) in [("key", &self.key), ("title", &self.title), ("person", &self.person)] {
            let length = text.as_ref().map_or(1, String::len);
            if length == 0 || length > PAGE_TEXT_BYTES_MAX {
                let why = format!("`{name}` has {length} bytes; write 1 to {PAGE_TEXT_BYTES_MAX}, or leave it out");
                return Err(PageRefusal::Malformed(why));
            }
        }
        let mut told = Told::default();
        if self.heartbeat {
            let is_bare = Self { on_call: self.on_call.clone(), heartbeat: true, ..Self::default() } == self;
            let why = "a `heartbeat` is no page; send it with `on_call` alone";
            return if is_bare { Ok(told) } else { Err(PageRefusal::Malformed(why.to_owned())) };
        }
        let (key, at) = (self.key.unwrap_or_else(fresh), self.at.unwrap_or(now));
        if self.off_hours_work == Some(true) || (self.off_hours_work.is_none() && self.person.is_some()) {
            told.works.push(Work {
                source: Source::Plain,
                on_call: on_call.clone(),
                key: key.clone(),
                at,
                person: self.person,
                title: self.title.clone(),
                off_hours: self.off_hours_work == Some(true),
            });
        }
        told.pages.push(Page {
            source: Source::Plain,
            on_call: on_call.clone(),
            keys: BTreeSet::from([key]),
            repeat: Repeat::AnyKnown,
            at,
            title: self.title,
            urgency: self.urgency,
        });
        Ok(told)
    }
}
