//! Tokens: who may do what.
//!
//! Where no token was ever made, nobody is asked for one, and the server answers its own machine alone. From the first
//! one on everybody is asked, for good: revoking or expiring never opens the server again. Only removing all of them
//! while it is stopped does.

mod offline;
mod role;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod ticket;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use daybreak_model::wire::{Message, RunsChanged};
use daybreak_model::{EventKind, Key, Millis};
use daybreak_store::{Change, Contents, Event, Expected, Store};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use offline::OfflineTokens;
pub use role::{Right, Role, RoleError};
pub use table::{Denied, NewToken};
use table::{Planned, Table, USED};
pub use text::{Secret, TextError, TokenId};
pub use token::{Token, TokenStream, TokenView};

use crate::control::OpenError;
use crate::{Actor, Control, Refusal};

/// Why a token was not made or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Another one has that name.
    #[error("there is a token `{0}` already; revoke it first, or take another name")]
    NameTaken(Key),
    /// Nobody could administrate.
    #[error("the first token is an admin's, as from then on everybody is asked for one; make it with role `admin`")]
    FirstIsAdmin,
    /// Nobody could administrate any more.
    #[error(
        "this is the last admin's token that lives for another day; make another one first, or say `force`: then only `daybreak token create --data DIR`, on the stopped server, makes another"
    )]
    LastAdmin,
    /// There are too many.
    #[error("there are {0} tokens already; revoke those that nobody needs")]
    TooMany(usize),
    /// Too short or too long.
    #[error("a token cannot live for {given}; write a length from 1s to {max}, or none for ever")]
    Lifetime {
        /// What was asked for.
        given: Millis,
        /// The longest.
        max: Millis,
    },
    /// It is refused, but the store still has it.
    #[error(
        "the token is refused from now on, but a restart would forget that, as the store failed ({0}); revoke it again"
    )]
    RevokedNotRecorded(String),
}

/// A call that only admins may make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminCall {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Whether it changes nothing, and hands out nothing secret.
    pub only_reads: bool,
}

/// The tokens of a running server.
#[derive(Debug)]
pub(crate) struct Tokens {
    table: ArcSwap<Table>,
    /// Whether tokens are asked for: it ends the streams of those who have none.
    required: watch::Sender<bool>,
    /// Who holds it ends a token. It is held for a moment, and no store is waited for.
    ending: Mutex<()>,
}

impl Tokens {
    pub(crate) async fn open(store: &Arc<dyn Store>, contents: &Contents) -> Result<Self, OpenError> {
        let notes = store.notes(USED.to_owned()).await?;
        let table = Table::read(contents, &notes).map_err(|(what, why)| OpenError::Unreadable { what, why })?;
        Ok(Self {
            required: watch::Sender::new(table.required),
            table: ArcSwap::from_pointee(table),
            ending: Mutex::default(),
        })
    }

    fn set(&self, table: Table) {
        let required = table.required;
        self.table.store(Arc::new(table));
        self.required.send_if_modified(|was| std::mem::replace(was, required) != required);
    }
}

impl Control {
    /// Whether a token is asked for.
    #[must_use]
    pub fn tokens_required(&self) -> bool {
        self.inner.tokens.table.load().required
    }

    /// Becomes true when tokens begin to be asked for.
    #[must_use]
    pub fn tokens_become_required(&self) -> watch::Receiver<bool> {
        self.inner.tokens.required.subscribe()
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// When it is nobody's, or no longer.
    pub fn authenticate(&self, text: &str) -> Result<Arc<Token>, Denied> {
        self.inner.tokens.table.load().authenticate(text, self.inner.clock.now())
    }

    /// What opens a stream of events for a token's holder, by a URL in which the token itself must not stand.
    #[must_use]
    pub fn ticket(&self, token: &Token) -> String {
        token.ticket(self.inner.clock.now())
    }

    /// Whose ticket this is.
    ///
    /// # Errors
    /// When it is none or has expired, or its token is nobody's any more.
    pub fn redeem(&self, ticket: &str) -> Result<Arc<Token>, Denied> {
        self.inner.tokens.table.load().redeem(ticket, self.inner.clock.now())
    }

    /// All tokens, the oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<TokenView> {
        self.inner.tokens.table.load().views(self.inner.clock.now())
    }

    /// Makes a token. Its secret is in the answer, and nowhere else.
    ///
    /// # Errors
    /// When the name is taken or none, the first token is not an admin's, or the store fails.
    pub async fn create_token(&self, new: NewToken, actor: Actor) -> Result<(TokenView, Secret), Refusal> {
        let control = self.clone();
        self.to_the_end(async move {
            let _writer = control.inner.writer.lock().await;
            let (now, table) = (control.inner.clock.now(), control.inner.tokens.table.load_full());
            let (planned, secret) = table.create(&new, &actor, now, &mut *control.inner.entropy.lock())?;
            let view = planned.token.view(now);
            control.commit_tokens(planned).await?;
            tracing::info!(token = view.name, id = %view.id, role = %view.role, actor = actor.name, "token created");
            Ok((view, secret))
        })
        .await
    }

    /// Revokes a token: it is refused and its streams end before anything else happens.
    ///
    /// # Errors
    /// When there is no such token, or it is the last admin's and that is not forced. When the store fails, it is
    /// refused all the same until the server ends, and can be revoked again.
    pub async fn revoke_token(&self, id: TokenId, force: bool, actor: Actor) -> Result<TokenView, Refusal> {
        let control = self.clone();
        self.to_the_end(async move {
            let tokens = &control.inner.tokens;
            let plan = |force| tokens.table.load().revoke(id, force, &actor, control.inner.clock.now());
            {
                // Of two admins who revoke each other at once, one stays.
                let _ending = tokens.ending.lock();
                plan(force)?.token.end();
            }
            let _writer = control.inner.writer.lock().await;
            // Whether it may go is decided: it is refused already. A second revocation finds it blocked, and still
            // there if the first could not be stored.
            let planned = plan(true)?;
            let view = planned.token.view(control.inner.clock.now());
            let not_recorded = |why: Refusal| TokenRefusal::RevokedNotRecorded(why.to_string());
            control.commit_tokens(planned).await.map_err(not_recorded)?;
            tracing::info!(token = view.name, id = %view.id, actor = actor.name, "token revoked");
            let note = BTreeMap::from([(format!("{USED}{id}"), None)]);
            if let Err(error) = control.inner.store.put_notes(note).await {
                tracing::debug!(%error, "the note of the token's use stays");
            }
            Ok(view)
        })
        .await
    }

    /// Records that a token was used for an admin's call, for what, and how it was answered. One that only reads is
    /// recorded once an hour for each token. The answer waits for nothing.
    pub fn record_use(&self, token: &Token, call: &AdminCall, status: u16) {
        let now = self.inner.clock.now();
        if call.only_reads && !token.is_read_due(now) {
            return;
        }
        let event = Event {
            at: now,
            kind: EventKind::TokenUsed.into(),
            subject: Some(format!("tokens/{}", token.id())),
            actor: Some(token.name().to_owned()),
            reason: None,
            data: json!({ "method": call.method, "path": call.path, "status": status }),
        };
        self.note_soon(event);
    }

    /// The caller holds the writer's lock.
    async fn commit_tokens(&self, planned: Planned) -> Result<(), Refusal> {
        let Planned { mut change, after, .. } = planned;
        let pending = self.pending(&mut change);
        let before = self.state();
        let expected = Expected::Revision(before.position().revision);
        let position = self.inner.store.commit(expected, change).await?;
        self.recorded(&pending);
        self.tell_followers();
        self.inner.tokens.set(after);
        let next = Arc::new(before.moved_to(position));
        let message = Message::Runs(RunsChanged { position: Some(position), ..RunsChanged::default() });
        self.inner.hub.publish(position.revision, &message, || self.inner.state.store(next));
        Ok(())
    }

    /// Ends the streams of tokens that have expired, and notes which were used. To be called now and then.
    pub(crate) async fn tend_tokens(&self) {
        let (now, table) = (self.inner.clock.now(), self.inner.tokens.table.load_full());
        let mut used = Vec::new();
        for token in table.iter() {
            token.end_if_expired(now);
            used.extend(token.use_to_note().map(|at| (Arc::clone(token), at)));
        }
        if used.is_empty() {
            return;
        }
        let note = |(token, at): &(Arc<Token>, i64)| {
            let moment = Timestamp::from_second(*at).ok().map(|moment| Value::String(moment.to_string()));
            (format!("{USED}{}", token.id()), moment)
        };
        match self.inner.store.put_notes(used.iter().map(note).collect()).await {
            Ok(()) => used.iter().for_each(|(token, at)| token.noted(*at)),
            Err(error) => tracing::debug!(%error, "the uses of tokens could not be noted; it is tried on"),
        }
    }
}

/// A change that was planned while no server runs.
async fn commit(store: &Arc<dyn Store>, revision: u64, change: Change) -> Result<u64, Refusal> {
    Ok(store.commit(Expected::Revision(revision), change).await?.revision)
}
