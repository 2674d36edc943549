//! Server-sent events, as far as OFREP's need them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Response;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

/// A stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// A stream, if the answer is one.
    pub(crate) fn of(response: Response) -> Result<Self> {
        ensure!(response.status() == 200, "200 was expected, not {}", response.status());
        let header = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media_type = header.unwrap_or_default().to_owned();
        ensure!(media_type.starts_with("text/event-stream"), "it is `{media_type}`, not text/event-stream");
        Ok(Self { response, text: String::new() })
    }

    /// The next event that has data, if one comes within this time.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Event> {
        match tokio::time::timeout(patience, self.read()).await {
            Ok(event) => event,
            Err(_) => bail!("no event came within {} s", patience.as_secs()),
        }
    }

    async fn read(&mut self) -> Result<Event> {
        loop {
            while let Some((block, rest)) = split(&self.text) {
                let event = parse(block);
                self.text = rest.to_owned();
                if !event.data.is_empty() {
                    return Ok(event);
                }
            }
            let chunk = self.response.chunk().await?.context("the stream ended")?;
            self.text.push_str(&String::from_utf8_lossy(&chunk).replace("\r\n", "\n"));
        }
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("\n\n")
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" if event.data.is_empty() => value.clone_into(&mut event.data),
            "data" => event.data = format!("{}\n{value}", event.data),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read() {
        let event = |name: &str, id: &str, data: &str| Event { name: name.into(), id: id.into(), data: data.into() };
        let cases = [
            ("data: a", event("", "", "a")),
            ("id: 7\nevent: message\ndata: {\"a\": 1}", event("message", "7", "{\"a\": 1}")),
            ("data:a\ndata: b", event("", "", "a\nb")),
            (": comment\nretry: 5", Event::default()),
            ("id", Event::default()),
        ];
        for (block, expected) in cases {
            assert_eq!(parse(block), expected, "{block}");
        }
        assert_eq!(split("a\n\nb"), Some(("a", "b")));
    }
}
