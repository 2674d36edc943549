//! Reads faults and their guards.

use std::num::NonZeroU32;

use daybreak_model::{DrawBy, Fault, Guard, GuardPolicy, Key, Millis, Percentage, Ramp, Schedule, StopWhen};

use super::reader::Reader;
use crate::fields::{FAULT, GUARD};
use crate::tree::{Node, Tree};

impl Reader<'_> {
    /// A fault. What is wrong in it is noted and stands in by a placeholder, so that the rest can be checked too.
    pub(crate) fn fault(&mut self, key: &Key, node: &Node) -> Option<Fault> {
        let fields = &self.fields(node, &FAULT)?;
        let times = self.field(fields, "times", |reader, node| reader.integer(node, 1, u32::MAX));
        Some(Fault {
            description: self.field(fields, "description", Self::text),
            owner: self.field(fields, "owner", Self::text),
            tags: self.field(fields, "tags", Self::tags).unwrap_or_default(),
            metadata: self.field(fields, "metadata", Self::metadata).unwrap_or_default(),
            enabled: self.field(fields, "enabled", Self::boolean).unwrap_or(true),
            point: self.field(fields, "point", Self::key).unwrap_or_else(|| key.clone()),
            // One that cannot be read is there all the same.
            operation: self.field(fields, "operation", Self::words).or(fields.was_meant("operation").then(String::new)),
            host: self.field(fields, "host", Self::words).or(fields.was_meant("host").then(String::new)),
            when: self.field(fields, "when", Self::condition),
            percentage: self.field(fields, "percentage", Self::percentage).unwrap_or(Percentage::ZERO),
            ramp: self.field(fields, "ramp", Self::ramp).unwrap_or_default(),
            by: self.field(fields, "by", Self::draw_by).unwrap_or_default(),
            effect: self.field(fields, "effect", Self::effect).unwrap_or_default(),
            times: times.and_then(NonZeroU32::new),
            hours: self.field(fields, "hours", Self::key).unwrap_or_else(|| key.clone()),
            guard: self.field(fields, "guard", |reader, node| reader.guard(key, node)).unwrap_or(Guard::None),
            max_duration: self.field(fields, "max_duration", Self::duration).unwrap_or(Millis::ZERO),
            schedule: self.field(fields, "schedule", Self::schedule),
            salt: self.field(fields, "salt", Self::salt),
        })
    }

    fn ramp(&mut self, node: &Node) -> Option<Ramp> {
        self.parsed(node, "a ramp", "write its steps, as in `1% for 5m, then 2% for 5m`", "invalid_ramp")
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        match self.text(node)?.as_str() {
            "daily" => Some(Schedule::Daily),
            "weekly" => Some(Schedule::Weekly),
            _ => self.wrong(node, "how often it is started", "write `daily` or `weekly`"),
        }
    }

    fn draw_by(&mut self, node: &Node) -> Option<DrawBy> {
        let text = self.words(node)?;
        match text.as_str() {
            "request" => Some(DrawBy::Request),
            _ => self.attribute_name(&text, node.head).map(DrawBy::Attribute),
        }
    }

    fn guard(&mut self, fault: &Key, node: &Node) -> Option<Guard> {
        if let Tree::Text { text, .. } = &node.tree {
            if text == "none" {
                return Some(Guard::None);
            }
            let help = "write `{ slo: …, min_budget: 20% }`, or `none`";
            return self.wrong(node, "a guard or `none`", help);
        }
        let fields = &self.fields(node, &GUARD)?;
        let percentage = |reader: &mut Self, name| reader.field(fields, name, Self::percentage);
        Some(Guard::Policy(GuardPolicy {
            min_budget: percentage(self, "min_budget").unwrap_or(Percentage::ZERO),
            max_spend: percentage(self, "max_spend").unwrap_or(GuardPolicy::MAX_SPEND_DEFAULT),
            harm: percentage(self, "harm").unwrap_or(GuardPolicy::HARM_DEFAULT),
            slo: self.field(fields, "slo", Self::key).unwrap_or_else(|| fault.clone()),
            on_call: self.field(fields, "on_call", Self::key),
            stop_when: self.field(fields, "stop_when", Self::stop_when),
        }))
    }

    fn stop_when(&mut self, node: &Node) -> Option<StopWhen> {
        match self.text(node)?.as_str() {
            "resilient" => Some(StopWhen::Resilient),
            _ => self.wrong(node, "what ends the run early", "write `resilient`"),
        }
    }
}
