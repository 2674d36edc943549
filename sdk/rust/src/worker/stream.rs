//! One connection of the stream.

use std::io;

use daybreak_model::Millis;
use daybreak_model::wire::{ClientState, Message};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use tokio::time::{Instant, timeout, timeout_at};

use super::events::{Event, Reader};
use super::follow::Speech;
use super::http::{chain, refused};
use super::pace::Pace;
use super::unpack::{ACCEPTED, Unpack};
use crate::core::Core;

/// Events that may come in one piece, far more than what is not compressed can hold.
const AT_ONCE_MAX: usize = 50_000;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What following a stream needs.
pub(super) struct Stream<'w> {
    pub(super) core: &'w Core,
    pub(super) http: &'w reqwest::Client,
    pub(super) pace: Pace,
    pub(super) speech: &'w Speech,
    /// Called when the documents have changed.
    pub(super) keep: &'w (dyn Fn() + Sync),
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// The server asks to connect again, within this time.
    Goodbye(Millis),
    /// Anything else.
    Lost(String),
}

/// Reads events, and has those that are complete. A piece that was compressed may unpack to very many of them.
#[derive(Debug)]
struct Reading {
    reader: Reader,
    events: Vec<Event>,
    /// Bytes that the piece which is being read may still unpack to.
    left: usize,
}

impl io::Write for Reading {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len()).filter(|_| self.events.len() <= AT_ONCE_MAX);
        self.left = left.ok_or_else(|| io::Error::other("too much comes at once"))?;
        self.reader.read(bytes, &mut self.events).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream<'_> {
    /// Connects and follows the stream until it ends; whether it said anything, and how it ended.
    pub(super) async fn follow(&self) -> (bool, End) {
        let mut spoke = false;
        let end = match self.connect().await {
            Ok(response) => self.listen(response, &mut spoke).await,
            Err(why) => End::Lost(why),
        };
        (spoke, end)
    }

    async fn connect(&self) -> Result<reqwest::Response, String> {
        let url = format!("{}/api/v1/stream", self.core.settings.url);
        let mut request = self.http.get(url).header(ACCEPT, "text/event-stream").header(ACCEPT_ENCODING, ACCEPTED);
        if let (Some(position), _) = self.core.stand() {
            request = request.header(LAST_EVENT_ID, position.to_string());
        }
        match timeout(self.pace.silent_after, request.send()).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response),
            Ok(Ok(response)) => Err(refused(response.status())),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err("the server does not answer".to_owned()),
        }
    }

    async fn listen(&self, mut response: reqwest::Response, spoke: &mut bool) -> End {
        let limit = self.pace.snapshot_bytes;
        let reading = Reading { reader: Reader::new(limit), events: Vec::new(), left: limit };
        let mut unpack = match Unpack::new(response.headers(), reading) {
            Ok(unpack) => unpack,
            Err(why) => return End::Lost(why),
        };
        let mut silent_from = Instant::now() + self.pace.silent_after;
        loop {
            let piece = match timeout_at(silent_from, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return End::Lost("the server closed it".to_owned()),
                Ok(Err(error)) => return End::Lost(chain(&error)),
                Err(_) => return End::Lost("it fell silent".to_owned()),
            };
            let reading = unpack.target();
            let before = reading.reader.under_way();
            reading.left = limit;
            let read = unpack.take(&piece);
            let Reading { reader, events, .. } = unpack.target();
            let events = std::mem::take(events);
            // A long event that is on its way is no silence; what is neither event nor data is.
            if !events.is_empty() || reader.under_way() > before {
                silent_from = Instant::now() + self.pace.silent_after;
            } else if silent_from <= Instant::now() {
                return End::Lost("it says nothing that can be understood".to_owned());
            }
            if let Some(end) = events.iter().find_map(|event| self.take(event, spoke)) {
                return end;
            }
            if let Err(error) = read {
                return End::Lost(chain(&error));
            }
        }
    }

    /// Takes an event in; how the stream ends by it, if it does.
    fn take(&self, event: &Event, spoke: &mut bool) -> Option<End> {
        match Message::read(&event.name, &event.data) {
            Ok(Some(message)) => {
                if let Err(end) = self.act(message) {
                    return Some(end);
                }
                *spoke = true;
            }
            // A newer server may say more than we know; but whoever says only that is no server of ours.
            Ok(None) => {}
            Err(error) => return Some(End::Lost(format!("an event `{}` cannot be read: {error}", event.name))),
        }
        if *spoke {
            self.speech.heard();
            self.core.heard(ClientState::Streaming);
        }
        None
    }

    fn act(&self, message: Message) -> Result<(), End> {
        match message {
            Message::Snapshot(snapshot) => {
                let taken = self.core.update(false, |documents| documents.replace(&snapshot));
                taken.map_err(|refused| End::Lost(refused.to_string()))?;
                (self.keep)();
            }
            Message::Change(change) => {
                if self.core.stand().0.is_some_and(|ours| ours.store != change.position.store) {
                    return Err(End::Lost("a change of another store: a snapshot is needed".to_owned()));
                }
                let infallible =
                    self.core.update(false, |documents| Ok::<_, std::convert::Infallible>(documents.change(&change)));
                let Ok(()) = infallible;
                if change.ack {
                    self.core.acknowledgements.want(change.jitter.to_duration());
                }
                (self.keep)();
            }
            Message::Runs(news) => {
                self.core.faults.runs_changed(&news);
                if let Some(position) = news.position {
                    self.core.reach(position);
                }
            }
            Message::Heartbeat => {}
            Message::Goodbye(goodbye) => return Err(End::Goodbye(goodbye.jitter)),
        }
        Ok(())
    }
}
