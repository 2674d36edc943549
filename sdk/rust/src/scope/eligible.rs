//! Requests that no fault may ever strike.

/// A request that carries this header with `off` is never struck.
pub const OFF_HEADER: &str = "daybreak-fault";

/// Paths of health checks. The settings can add to them, nothing takes away.
pub const HEALTH_PATHS: [&str; 6] =
    ["/healthz", "/readyz", "/livez", "/health", "/metrics", "/grpc.health.v1.Health/Check"];

/// How the names of probes and of load balancers' agents begin.
pub const EXEMPT_AGENTS: [&str; 12] = [
    "kube-probe/",
    "ELB-HealthChecker/",
    "Amazon-Route53-Health-Check-Service",
    "GoogleHC/",
    "GoogleStackdriverMonitoring-UptimeChecks",
    "Load Balancer Agent",
    "Edge Health Probe",
    "Envoy/HC",
    "HAProxy",
    "Consul Health Check",
    "Prometheus/",
    "Blackbox Exporter/",
];

/// Whether faults may strike a request of this path and these headers. Of a header that is there more than once,
/// each value counts.
pub(super) fn eligible<'h, V: Iterator<Item = &'h [u8]>>(
    path: &str,
    health_paths: &[String],
    values: impl Fn(&'static str) -> V,
) -> bool {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let is = |name, wanted: &str| values(name).any(|value| has_item(value, wanted));
    let health = HEALTH_PATHS.contains(&path) || health_paths.iter().any(|own| own == path);
    let exempt = values("user-agent").any(|agent| EXEMPT_AGENTS.iter().any(|begin| starts_with(agent, begin)));
    let long_lived = values("upgrade").next().is_some() || is("accept", "text/event-stream");
    !(health || exempt || long_lived || is(OFF_HEADER, "off"))
}

/// Whether a header's comma-separated value has this item, whatever its case and parameters.
fn has_item(value: &[u8], wanted: &str) -> bool {
    let is_wanted = |bare: &[u8]| bare.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
    let mut items = value.split(|byte| *byte == b',');
    items.any(|item| item.split(|byte| *byte == b';').next().is_some_and(is_wanted))
}

fn starts_with(text: &[u8], begin: &str) -> bool {
    text.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path, headers, and whether such a request is eligible.
    type Case = (&'static str, &'static [(&'static str, &'static str)], bool);

    #[test]
    fn invariant_6_health_checks_and_streams_are_never_eligible() {
        let cases: [Case; 22] = [
            ("/checkout", &[], true),
            ("/", &[], true),
            ("/healthz", &[], false),
            ("/healthz/", &[], false),
            ("/readyz", &[], false),
            ("/livez", &[], false),
            ("/health", &[], false),
            ("/metrics", &[], false),
            ("/own-probe", &[], false),
            ("/healthy-food", &[], true),
            ("/", &[("user-agent", "kube-probe/1.31")], false),
            ("/", &[("user-agent", "elb-healthchecker/2.0")], false),
            ("/", &[("user-agent", "Mozilla/5.0 kube-probe/1")], true),
            ("/", &[("upgrade", "websocket")], false),
            ("/", &[("accept", "text/event-stream")], false),
            ("/", &[("accept", "text/html, Text/Event-Stream;q=0.9")], false),
            ("/", &[("accept", "text/html")], true),
            ("/", &[("daybreak-fault", "off")], false),
            ("/", &[("daybreak-fault", " OFF ")], false),
            ("/", &[("daybreak-fault", "on")], true),
            ("/", &[("daybreak-fault", "on"), ("daybreak-fault", "off")], false),
            ("/", &[("accept", "text/html"), ("accept", "text/event-stream")], false),
        ];
        for (path, headers, expected) in cases {
            let values = |name| super::super::fixtures::values(headers, name);
            assert_eq!(eligible(path, &["/own-probe".to_owned()], values), expected, "{path} {headers:?}");
        }
    }
}
