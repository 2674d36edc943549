//! Reads what a strike does.

use daybreak_model::{Distribution, Effect, ErrorEffect, Hang, Latency, Millis};

use super::json;
use super::reader::{Fields, Reader};
use crate::fields::{EFFECT, ERROR, EXPONENTIAL, HANG, LATENCY, LOGNORMAL, NORMAL, PARETO, UNIFORM};
use crate::tree::{Node, Tree};

/// The fields of a latency that say how it is distributed.
const DISTRIBUTIONS: [&str; 6] = ["fixed", "uniform", "normal", "lognormal", "exponential", "pareto"];

impl Reader<'_> {
    pub(crate) fn effect(&mut self, node: &Node) -> Option<Effect> {
        let fields = &self.fields(node, &EFFECT)?;
        if fields.is_empty() {
            let help = "write at least one of `latency`, `hang`, `data`, `error`, `abort`";
            self.error("empty_effect", fields.head, "this effect does nothing", help);
        }
        Some(Effect {
            latency: self.field(fields, "latency", Self::latency),
            hang: self.field(fields, "hang", Self::hang),
            data: self.field(fields, "data", |reader, node| json::read(reader, node)),
            error: self.field(fields, "error", Self::error_effect),
            abort: self.field(fields, "abort", Self::boolean).unwrap_or(false),
        })
    }

    fn hang(&mut self, node: &Node) -> Option<Hang> {
        let fields = &self.fields(node, &HANG)?;
        Some(Hang { max: self.field(fields, "max", Self::duration)? })
    }

    fn error_effect(&mut self, node: &Node) -> Option<ErrorEffect> {
        let fields = &self.fields(node, &ERROR)?;
        let status = self.field(fields, "status", |reader, node| reader.integer(node, 400, 599));
        Some(ErrorEffect {
            status: status.and_then(|status| status.try_into().ok()),
            code: self.field(fields, "code", Self::words),
            message: self.field(fields, "message", Self::text),
        })
    }

    fn latency(&mut self, node: &Node) -> Option<Latency> {
        if let Tree::Text { .. } | Tree::Number(_) = node.tree {
            let fixed = self.duration(node)?;
            return Some(Latency { distribution: Distribution::Fixed(fixed), max: fixed });
        }
        let fields = &self.fields(node, &LATENCY)?;
        let written: Vec<&str> = DISTRIBUTIONS.into_iter().filter(|name| fields.has(name)).collect();
        let [name] = written[..] else {
            let message = match written.len() {
                0 => "a latency needs a distribution".to_owned(),
                _ => format!("a latency has one distribution, not `{}`", written.join("` and `")),
            };
            let help = "write one of `fixed`, `uniform`, `normal`, `lognormal`, `exponential`, `pareto`";
            self.error("distribution", fields.head, message, help);
            return None;
        };
        let max = self.field(fields, "max", Self::duration);
        if !fields.has("max") && name != "fixed" {
            let help = "write the longest that it may ever take, as in `max: 1s`";
            self.within("max", |reader| reader.error("missing_field", fields.head, "a latency needs `max`", help));
        }
        match (self.distribution(fields, name), max) {
            (Some(distribution), Some(max)) => Some(Latency { distribution, max }),
            (Some(Distribution::Fixed(fixed)), None) if !fields.has("max") => {
                Some(Latency { distribution: Distribution::Fixed(fixed), max: fixed })
            }
            // With a distribution that was reported, the maximum can be checked all the same.
            (None, Some(max)) => Some(Latency { distribution: Distribution::Fixed(max), max }),
            _ => None,
        }
    }

    fn distribution(&mut self, fields: &Fields<'_>, name: &str) -> Option<Distribution> {
        match name {
            "fixed" => self.field(fields, "fixed", Self::duration).map(Distribution::Fixed),
            "uniform" => self.field(fields, "uniform", |reader, node| {
                let fields = &reader.fields(node, &UNIFORM)?;
                let (from, to) = (reader.millis(fields, "from"), reader.millis(fields, "to"));
                Some(Distribution::Uniform { from: from?, to: to? })
            }),
            "normal" => self.field(fields, "normal", |reader, node| {
                let fields = &reader.fields(node, &NORMAL)?;
                let (mean, sd) = (reader.millis(fields, "mean"), reader.millis(fields, "sd"));
                Some(Distribution::Normal { mean: mean?, sd: sd? })
            }),
            "lognormal" => self.field(fields, "lognormal", |reader, node| {
                let fields = &reader.fields(node, &LOGNORMAL)?;
                let (median, sigma) = (reader.millis(fields, "median"), reader.field(fields, "sigma", Self::number));
                Some(Distribution::Lognormal { median: median?, sigma: sigma? })
            }),
            "exponential" => self.field(fields, "exponential", |reader, node| {
                let fields = &reader.fields(node, &EXPONENTIAL)?;
                Some(Distribution::Exponential { mean: reader.millis(fields, "mean")? })
            }),
            _ => self.field(fields, "pareto", |reader, node| {
                let fields = &reader.fields(node, &PARETO)?;
                let (min, shape) = (reader.millis(fields, "min"), reader.field(fields, "shape", Self::number));
                Some(Distribution::Pareto { min: min?, shape: shape? })
            }),
        }
    }

    fn millis(&mut self, fields: &Fields<'_>, name: &'static str) -> Option<Millis> {
        self.field(fields, name, Self::duration)
    }
}
