//! What a strike does, as a sentence's part: `500ms of latency, then the error 503`.

use serde_json::Value as Json;

/// An effect in the form of documents, in words. What this version does not know stays as it is.
#[must_use]
pub fn effect(effect: &Json) -> String {
    in_words(effect).unwrap_or_else(|| effect.to_string())
}

fn in_words(effect: &Json) -> Option<String> {
    let members = effect.as_object().filter(|members| !members.is_empty())?;
    if members.keys().any(|name| !["latency", "hang", "data", "error", "abort"].contains(&name.as_str())) {
        return None;
    }
    // In the order in which a strike does them.
    let mut parts = Vec::new();
    if let Some(of) = members.get("latency") {
        parts.push(latency(of)?);
    }
    if let Some(of) = members.get("hang") {
        parts.push(format!("a hang of {} at most", of["max"].as_str()?));
    }
    parts.extend(members.get("data").map(|data| format!("the data {data} for the application")));
    parts.extend(members.get("error").map(error));
    if members.get("abort").is_some_and(|abort| *abort == Json::Bool(true)) {
        parts.push("a connection that breaks".to_owned());
    }
    Some(parts.join(", then "))
}

fn latency(of: &Json) -> Option<String> {
    if let Some(fixed) = of.as_str() {
        return Some(format!("{fixed} of latency"));
    }
    let max = of["max"].as_str()?;
    let (name, shape) = of.as_object()?.iter().find(|(name, _)| *name != "max")?;
    let text = |name: &str| shape[name].as_str();
    let number = |name: &str| shape[name].as_f64();
    let described = match name.as_str() {
        "fixed" => format!("{} of latency", shape.as_str()?),
        "uniform" => format!("{} to {} of latency", text("from")?, text("to")?),
        "normal" => format!("{} of latency on average (normal, sd {})", text("mean")?, text("sd")?),
        "lognormal" => format!("{} of latency in the median (lognormal, sigma {})", text("median")?, number("sigma")?),
        "exponential" => format!("{} of latency on average (exponential)", text("mean")?),
        "pareto" => format!("{} of latency at least (Pareto, shape {})", text("min")?, number("shape")?),
        _ => return None,
    };
    Some(format!("{described}, {max} at most"))
}

fn error(of: &Json) -> String {
    let status = of["status"].as_u64().map(|status| format!(" {status}"));
    let code = of["code"].as_str().map(|code| format!(" {code}"));
    let message = of["message"].as_str().map(|message| format!(" \"{message}\""));
    let told: String = [status, code, message].into_iter().flatten().collect();
    if told.is_empty() { "an error".to_owned() } else { format!("the error{told}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn effects_in_words() {
        let cases = [
            (json!({ "latency": "500ms" }), "500ms of latency"),
            (json!({ "latency": { "fixed": "500ms", "max": "1s" } }), "500ms of latency, 1s at most"),
            (
                json!({ "latency": { "uniform": { "from": "100ms", "to": "1s" }, "max": "1s" } }),
                "100ms to 1s of latency, 1s at most",
            ),
            (
                json!({ "latency": { "normal": { "mean": "1s500ms", "sd": "100ms" }, "max": "2s" } }),
                "1s500ms of latency on average (normal, sd 100ms), 2s at most",
            ),
            (
                json!({ "latency": { "lognormal": { "median": "800ms", "sigma": 0.5 }, "max": "5s" } }),
                "800ms of latency in the median (lognormal, sigma 0.5), 5s at most",
            ),
            (
                json!({ "latency": { "exponential": { "mean": "1s" }, "max": "5s" } }),
                "1s of latency on average (exponential), 5s at most",
            ),
            (
                json!({ "latency": { "pareto": { "min": "1s", "shape": 2 }, "max": "5s" } }),
                "1s of latency at least (Pareto, shape 2), 5s at most",
            ),
            (json!({ "hang": { "max": "10s" } }), "a hang of 10s at most"),
            (json!({ "data": { "results": [] } }), r#"the data {"results":[]} for the application"#),
            (json!({ "error": {} }), "an error"),
            (
                json!({ "error": { "status": 503, "code": "down", "message": "It is down" }, "latency": "1s" }),
                "1s of latency, then the error 503 down \"It is down\"",
            ),
            (json!({ "abort": true }), "a connection that breaks"),
            // Of a newer server.
            (json!({ "latency": { "weibull": {}, "max": "1s" } }), r#"{"latency":{"weibull":{},"max":"1s"}}"#),
            (json!({ "latency": "1s", "teapot": 1 }), r#"{"latency":"1s","teapot":1}"#),
            (json!({}), "{}"),
        ];
        for (form, expected) in cases {
            assert_eq!(effect(&form), expected);
        }
    }
}
