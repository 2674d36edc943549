//! In which form the metrics are wanted: as Prometheus's own libraries choose it.

/// A form of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// Prometheus's text of before, which people read, too.
    Prometheus,
}

impl Form {
    /// What it is called on the wire.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The form that an `Accept` asks for; Prometheus's text unless it prefers OpenMetrics.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let offers = accept.split(',').filter_map(Offer::read);
        let mut best: Option<Offer> = None;
        for offer in offers {
            // The first of those that are wanted alike.
            if best.as_ref().is_none_or(|best| offer.quality > best.quality) {
                best = Some(offer);
            }
        }
        best.map_or(Self::Prometheus, |best| best.form)
    }
}

/// One form that is accepted.
struct Offer {
    form: Form,
    quality: f32,
}

impl Offer {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next()?.to_ascii_lowercase();
        let parameters: Vec<(String, &str)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
            .collect();
        let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let form = match (media_type.as_str(), find("version")) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Form::OpenMetrics,
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Form::Prometheus,
            _ => return None,
        };
        let quality = find("q").map_or(Some(1.0), |quality| quality.parse().ok())?;
        (quality > 0.0).then_some(Self { form, quality })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_is_wanted_most() {
        use Form::{OpenMetrics, Prometheus};
        let of_prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                             text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let cases = [
            (of_prometheus, OpenMetrics),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", Prometheus),
            ("text/plain,application/openmetrics-text", Prometheus),
            ("*/*", Prometheus),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Prometheus),
            ("application/json", Prometheus),
            ("application/openmetrics-text;q=x", Prometheus),
            ("", Prometheus),
            (";,;=;", Prometheus),
        ];
        for (accept, expected) in cases {
            assert_eq!(Form::accepted(accept), expected, "{accept}");
        }
    }
}
