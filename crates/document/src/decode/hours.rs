//! Reads calendars.

use daybreak_model::{DateRange, Hours, TimeSpan, Weekdays};
use jiff::civil::{Time, Weekday};

use super::reader::{DATE, Reader};
use crate::fields::HOURS;
use crate::suggest;
use crate::tree::{Node, Tree, shorten};

const DAYS: &str = "write days such as `mon..fri`, or `[mon, wed, fri]`";
const SPANS: &str = "write a span within one day, as in `\"10:00-12:00\"`";

impl Reader<'_> {
    pub(crate) fn hours(&mut self, node: &Node) -> Option<Hours> {
        let fields = &self.fields(node, &HOURS)?;
        Some(Hours {
            description: self.field(fields, "description", Self::text),
            time_zone: self.field(fields, "time_zone", Self::time_zone).unwrap_or_default(),
            weekdays: self.field(fields, "weekdays", Self::weekdays).unwrap_or(Weekdays::NONE),
            times: self.field(fields, "times", Self::times).unwrap_or_default(),
            holidays: self.field(fields, "holidays", Self::holidays).unwrap_or_default(),
            holidays_until: self.field(fields, "holidays_until", Self::date),
        })
    }

    fn time_zone(&mut self, node: &Node) -> Option<String> {
        const ZONE: &str = "write an IANA name, as in `Europe/Berlin`";
        let text = self.formed(node, "a time zone", ZONE)?.to_owned();
        let known = jiff::tz::db();
        // Names are looked up without regard to case; written they are as IANA writes them.
        if let Some(name) = known.get(&text).ok().and_then(|zone| zone.iana_name().map(str::to_owned)) {
            if name == text {
                return Some(name);
            }
            self.error(
                "unknown_time_zone",
                node.head,
                format!("there is no time zone `{text}`"),
                format!("write `{name}`"),
            );
            return None;
        }
        let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
        // People know the city, not always the continent.
        let city = |name: &&str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&text));
        let near = names.iter().map(String::as_str).find(city);
        // An offset is near to no name: another is not what is meant.
        let is_offset = text.contains(|c: char| c.is_ascii_digit() || c == '+');
        let search = !is_offset && suggest::is_affordable(&text, names.len(), self.problems.len());
        let nearest = || suggest::nearest(&text, names.iter().map(String::as_str));
        let near = near.or_else(|| if search { nearest() } else { None });
        let help = match near {
            Some(near) => format!("write `{near}`"),
            None if is_offset => format!("{ZONE}; an offset knows no summer time"),
            None => ZONE.to_owned(),
        };
        self.error("unknown_time_zone", node.head, format!("there is no time zone `{}`", shorten(&text)), help);
        None
    }

    fn weekdays(&mut self, node: &Node) -> Option<Weekdays> {
        let days: Vec<Option<Weekdays>> = match &node.tree {
            Tree::List(_) => self.list(node, DAYS, |reader, item| {
                let text = reader.formed(item, "a weekday", DAYS);
                Some(text.and_then(|text| reader.days(text.trim(), item)))
            })?,
            _ => {
                let text = self.formed(node, "weekdays", DAYS)?;
                text.split(',').map(|part| self.days(part.trim(), node)).collect()
            }
        };
        if days.is_empty() {
            self.error("empty_value", node.head, "a calendar without any day is never open", DAYS);
            return None;
        }
        days.into_iter().try_fold(Weekdays::NONE, |all, days| Some(all.and(days?)))
    }

    /// One day, or one span of days.
    fn days(&mut self, text: &str, node: &Node) -> Option<Weekdays> {
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (self.weekday(first.trim(), node), self.weekday(last.trim(), node)),
            None => {
                let day = self.weekday(text, node);
                (day, day)
            }
        };
        let (first, last) = (first?, last?);
        Some((0..=last.since(first)).fold(Weekdays::NONE, |days, ahead| days.with(first.wrapping_add(ahead))))
    }

    fn weekday(&mut self, name: &str, node: &Node) -> Option<Weekday> {
        let day = Weekdays::named(name);
        if day.is_none() {
            let short: String = name.to_lowercase().chars().take(3).collect();
            let one_word = name.chars().all(char::is_alphabetic);
            let help = match Weekdays::named(&short) {
                Some(_) if one_word => format!("write `{short}`"),
                _ => DAYS.to_owned(),
            };
            self.error("invalid_weekdays", node.head, format!("`{}` is no weekday", shorten(name)), help);
        }
        day
    }

    fn times(&mut self, node: &Node) -> Option<Vec<TimeSpan>> {
        let Tree::List(items) = &node.tree else { return self.span(node).map(|span| vec![span]) };
        if items.is_empty() {
            self.error("empty_value", node.head, "a calendar without any time is never open", SPANS);
            return None;
        }
        let spans = self.list(node, SPANS, Self::span)?;
        (spans.len() == items.len()).then_some(spans)
    }

    fn span(&mut self, node: &Node) -> Option<TimeSpan> {
        let text = self.formed(node, "a span of time", SPANS)?;
        let Some((from, to)) = text.split_once('-') else {
            self.error("invalid_time", node.head, format!("`{}` is no span of time", shorten(text)), SPANS);
            return None;
        };
        let (from, to) = (from.trim(), to.trim());
        let start = self.time(from, node)?;
        let end = if to == "24:00" { None } else { Some(self.time(to, node)?) };
        if end.is_some_and(|end| end <= start) {
            let help = match end {
                Some(Time::MIN) => format!("write `\"{from}-24:00\"`"),
                Some(end) if end < start => format!("write two spans: `\"00:00-{to}\"` and `\"{from}-24:00\"`"),
                _ => SPANS.to_owned(),
            };
            self.error(
                "invalid_time",
                node.head,
                format!("`{text}` does not end after it begins, on the same day"),
                help,
            );
            return None;
        }
        Some(TimeSpan { from: start, to: end })
    }

    fn time(&mut self, text: &str, node: &Node) -> Option<Time> {
        let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = text.split_once(':').filter(|(hour, minute)| digits(hour) && digits(minute) && minute.len() == 2);
        let time = parsed.and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
        if time.is_none() {
            let message = format!("`{}` is no time of day", shorten(text));
            self.error("invalid_time", node.head, message, "write hours and minutes from `00:00` to `24:00`");
        }
        time
    }

    fn holidays(&mut self, node: &Node) -> Option<Vec<DateRange>> {
        self.list(node, "write a list of days, as in `[2026-12-24, 2026-12-25]`", |reader, item| {
            let text = reader.formed(item, "a day", DATE)?;
            let (first, last) = match text.split_once("..") {
                Some((first, last)) => {
                    (reader.date_of(first.trim(), item.head), reader.date_of(last.trim(), item.head))
                }
                None => {
                    let day = reader.date_of(text.trim(), item.head);
                    (day, day)
                }
            };
            let (first, last) = (first?, last?);
            if last < first {
                let message = format!("`{text}` ends before it begins");
                reader.error("invalid_date", item.head, message, format!("write `{last}..{first}`"));
                return None;
            }
            Some(DateRange { first, last })
        })
    }
}
