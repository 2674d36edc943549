//! Metrics that are read when they are asked for: each with its name, what it tells, and its series.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

/// The labels of a series.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Metrics of one name.
#[derive(Debug)]
pub(super) struct Metric {
    name: &'static str,
    help: &'static str,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Counter(Vec<(Labels, u64)>),
    Seconds(Vec<(Labels, f64)>),
    Gauge(Vec<(Labels, f64)>),
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Metrics(Vec<Metric>);

/// One label.
pub(super) fn label(name: &'static str, value: &(impl ToString + ?Sized)) -> Labels {
    vec![(name, value.to_string())]
}

impl Metrics {
    /// What goes up and down, one by its labels.
    pub(super) fn gauges(&mut self, name: &'static str, help: &'static str, values: Vec<(Labels, f64)>) {
        self.0.push(Metric { name, help, values: Values::Gauge(values) });
    }

    /// What goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauges(name, help, vec![(Labels::new(), value)]);
    }

    /// A fact that is so or not.
    pub(super) fn fact(&mut self, name: &'static str, help: &'static str, holds: bool) {
        self.gauge(name, help, f64::from(u8::from(holds)));
    }

    /// What only grows, one by its labels.
    pub(super) fn counters(&mut self, name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) {
        self.0.push(Metric { name, help, values: Values::Counter(values) });
    }

    /// What only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.counters(name, help, vec![(Labels::new(), value)]);
    }

    /// Time that only grows.
    pub(super) fn seconds(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.0.push(Metric { name, help, values: Values::Seconds(vec![(Labels::new(), value)]) });
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Metric { name, help, values } in &self.0 {
            match values {
                Values::Gauge(series) if !series.is_empty() => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    for (labels, value) in series {
                        metric.encode_family(labels)?.encode_gauge(value)?;
                    }
                }
                Values::Counter(series) if !series.is_empty() => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    for (labels, value) in series {
                        metric.encode_family(labels)?.encode_counter::<Labels, _, f64>(value, None)?;
                    }
                }
                Values::Seconds(series) if !series.is_empty() => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    for (labels, value) in series {
                        metric.encode_family(labels)?.encode_counter::<Labels, _, f64>(value, None)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
