//! Metrics that are read when they are asked for: each with its name, what it tells, and its series.

use std::fmt;
use std::time::Duration;

use daybreak_control::{BOUNDS_MS, Histogram};
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
    Histogram(Vec<(Labels, Histogram)>),
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

    /// Times by how long they were, one by its labels.
    pub(super) fn histograms(&mut self, name: &'static str, help: &'static str, values: Vec<(Labels, Histogram)>) {
        self.0.push(Metric { name, help, values: Values::Histogram(values) });
    }

    /// Time that only grows.
    pub(super) fn seconds(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.0.push(Metric { name, help, values: Values::Seconds(vec![(Labels::new(), value)]) });
    }
}

/// How many there are in each stretch, by its upper end in seconds.
fn buckets(of: &Histogram) -> Vec<(f64, u64)> {
    let bounds = BOUNDS_MS.iter().map(|bound| Duration::from_millis(*bound).as_secs_f64());
    bounds.chain([f64::INFINITY]).zip(of.counts).collect()
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
                Values::Histogram(series) if !series.is_empty() => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    for (labels, of) in series {
                        let (sum, buckets) = (of.sum.as_secs_f64(), buckets(of));
                        metric.encode_family(labels)?.encode_histogram::<Labels>(sum, of.count(), &buckets, None)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_told_in_seconds_by_its_stretches() {
        let mut times = Histogram::default();
        [1, 41, 90_000].into_iter().for_each(|length| times.add(Duration::from_millis(length)));
        let mut metrics = Metrics::default();
        metrics.histograms("took_seconds", "Times", vec![(label("way", "streaming"), times)]);
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(metrics));
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        let bucket = |le: &str| {
            let bucket = format!("took_seconds_bucket{{way=\"streaming\",le=\"{le}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&bucket)).map(str::to_owned)
        };
        let found =
            ["0.001", "0.02", "0.05", "60", "+Inf"].map(|le| bucket(le).unwrap_or_else(|| panic!("{le}: {text}")));
        assert_eq!(found, ["1", "1", "2", "2", "3"]);
        assert!(text.contains("took_seconds_sum{way=\"streaming\"} 90.042\n"), "{text}");
    }
}
