//! All tokens: what is to be committed to make or revoke one, and which of them a text is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use daybreak_model::{EventKind, Key, Millis};
use daybreak_store::{Change, Contents, Document, Event};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::text::{self, TextError};
use super::ticket;
use super::token::Stored;
use super::{Role, Secret, Token, TokenId, TokenRefusal, TokenView};
use crate::{Actor, Refusal};

/// What the names of tokens begin with, among what the store keeps.
const STORED: &str = "token/";
/// Among the notes: when a token was last used.
pub(super) const USED: &str = "token-used/";
/// There from the first token on: the server asks for tokens, whatever becomes of that one.
const REQUIRED: &str = "tokens-required";
/// Tokens, at most.
const TOKENS_MAX: usize = 10_000;
/// How long another admin's token must still live, so that the one before may go.
const ADMIN_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The longest that a token with an expiry lives: ten years.
const LIFETIME_MAX: Millis = Millis::from_secs(3_653 * 86_400);

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, of a key's form; no other living token has it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// How long it lives: from a second to ten years, or for ever.
    pub expires: Option<Millis>,
}

/// Why nobody gets in with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is no token.
    #[error(transparent)]
    Text(#[from] TextError),
    /// No such token is known. It may have been revoked.
    #[error("the token is not known here, or was revoked; ask an admin for another: `daybreak token create`")]
    Unknown,
    /// It has expired.
    #[error("the token has expired; ask an admin for another: `daybreak token create`")]
    Expired,
    /// It is no ticket, or one of long ago.
    #[error("the ticket is none, or has expired; evaluate all flags again: the answer has the URL of a new one")]
    Ticket,
}

/// All tokens at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    tokens: HashMap<TokenId, Arc<Token>>,
    /// Whether tokens are asked for.
    pub(super) required: bool,
}

/// A change that is still to be committed, and what holds after it.
pub(super) struct Planned {
    pub(super) token: Arc<Token>,
    pub(super) change: Change,
    pub(super) after: Table,
}

impl Table {
    /// What the store holds.
    ///
    /// # Errors
    /// With the name of what cannot be read, and why.
    pub(super) fn read(contents: &Contents, notes: &BTreeMap<String, Value>) -> Result<Self, (String, String)> {
        let mut table = Self { required: contents.meta.contains_key(REQUIRED), ..Self::default() };
        for (name, stored) in &contents.meta {
            let Some(id) = name.strip_prefix(STORED) else { continue };
            let unreadable = |why: String| (format!("the token {id}"), why);
            let token: TokenId = id.parse().map_err(|error: TextError| unreadable(error.to_string()))?;
            let stored = stored.document.read::<Stored>().map_err(|error| unreadable(error.to_string()))?;
            let used = notes.get(&format!("{USED}{id}")).and_then(|note| decode(note).ok());
            table.tokens.insert(token, Arc::new(Token::new(token, stored, used)));
        }
        table.required |= !table.tokens.is_empty();
        Ok(table)
    }

    /// Plans a new token. The first one is an admin's: from then on everybody is asked for one.
    pub(super) fn create(
        &self,
        new: &NewToken,
        actor: &Actor,
        now: Timestamp,
        random: &mut impl Rng,
    ) -> Result<(Planned, Secret), Refusal> {
        let wrong = |error| Refusal::Key { noun: "token", key: new.name.clone(), error };
        let name = Key::new(&new.name).map_err(wrong)?;
        let mut living = self.tokens.values().filter(|token| !token.expired(now) && !token.is_blocked());
        if living.any(|token| token.name() == name.as_str()) {
            return Err(TokenRefusal::NameTaken(name).into());
        }
        if self.tokens.len() >= TOKENS_MAX {
            return Err(TokenRefusal::TooMany(TOKENS_MAX).into());
        }
        if new.role != Role::Admin && !self.has_admin(now, None) {
            return Err(TokenRefusal::FirstIsAdmin.into());
        }
        let expires = new.expires.map(|lifetime| expiry(now, lifetime)).transpose()?;
        let id = std::iter::repeat_with(|| TokenId::random(random)).find(|id| !self.tokens.contains_key(id));
        let id = id.unwrap_or_else(|| TokenId::random(random));
        let secret = Secret::random(new.role, id, random);
        let stored = Stored::new(name.as_str(), new.role, now, actor.name.clone(), expires, secret.reveal());
        let mut change = Change::default();
        // None of its parts lacks a JSON form.
        let document = Document::of(&stored).map_err(|error| Refusal::Store(error.to_string()))?;
        change.meta.insert(format!("{STORED}{id}"), Some(document));
        change.meta.insert(REQUIRED.to_owned(), Some(json!(true).into()));
        let token = Arc::new(Token::new(id, stored, None));
        change.events.push(event(EventKind::TokenCreated, &token.view(now), actor, now));
        let mut after = self.clone();
        after.required = true;
        after.tokens.insert(id, Arc::clone(&token));
        Ok((Planned { token, change, after }, secret))
    }

    /// Plans that a token is no more. The last admin's stays, unless it is forced.
    pub(super) fn revoke(&self, id: TokenId, force: bool, actor: &Actor, now: Timestamp) -> Result<Planned, Refusal> {
        let token = self.tokens.get(&id).cloned().ok_or_else(|| unknown(id.to_string()))?;
        let admin = token.role() == Role::Admin && !token.expired(now);
        if admin && !force && !self.has_admin(now.checked_add(ADMIN_FOR).unwrap_or(now), Some(id)) {
            return Err(TokenRefusal::LastAdmin.into());
        }
        let mut change = Change::default();
        change.meta.insert(format!("{STORED}{id}"), None);
        change.events.push(event(EventKind::TokenRevoked, &token.view(now), actor, now));
        let mut after = self.clone();
        after.tokens.remove(&id);
        Ok(Planned { token, change, after })
    }

    /// Has nobody be asked for a token any more, where none is left.
    pub(super) fn open_if_empty(planned: &mut Planned) {
        if planned.after.tokens.is_empty() {
            planned.after.required = false;
            planned.change.meta.insert(REQUIRED.to_owned(), None);
        }
    }

    /// Whose token a text is. It allocates nothing, and takes no lock.
    pub(super) fn authenticate(&self, text: &str, now: Timestamp) -> Result<Arc<Token>, Denied> {
        let token = self.tokens.get(&text::id(text)?).filter(|token| token.is(text) && !token.is_blocked());
        let token = token.ok_or(Denied::Unknown)?;
        if token.expired(now) {
            return Err(Denied::Expired);
        }
        token.touch(now);
        Ok(Arc::clone(token))
    }

    /// Whose ticket a text is.
    pub(super) fn redeem(&self, ticket: &str, now: Timestamp) -> Result<Arc<Token>, Denied> {
        let token = ticket::token(ticket).and_then(|id| self.tokens.get(&id)).filter(|token| token.issued(ticket, now));
        let token = token.ok_or(Denied::Ticket)?;
        if token.is_blocked() {
            return Err(Denied::Unknown);
        }
        if token.expired(now) {
            return Err(Denied::Expired);
        }
        token.touch(now);
        Ok(Arc::clone(token))
    }

    /// All of them, the oldest first.
    pub(super) fn views(&self, now: Timestamp) -> Vec<TokenView> {
        let mut views: Vec<_> = self.tokens.values().map(|token| token.view(now)).collect();
        views.sort_by_key(|view| (view.created, view.id));
        views
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// Whether an admin's token would be left without one of them.
    fn has_admin(&self, now: Timestamp, without: Option<TokenId>) -> bool {
        let admin = |token: &&Arc<Token>| token.role() == Role::Admin && !token.expired(now) && !token.is_blocked();
        self.tokens.values().filter(admin).any(|token| Some(token.id()) != without)
    }
}

pub(super) fn unknown(key: String) -> Refusal {
    Refusal::NotFound { noun: "token", key, nearest: None }
}

fn decode<T: DeserializeOwned>(document: &Value) -> Result<T, String> {
    T::deserialize(document).map_err(|error| error.to_string())
}

fn expiry(now: Timestamp, lifetime: Millis) -> Result<Timestamp, Refusal> {
    let refused = || TokenRefusal::Lifetime { given: lifetime, max: LIFETIME_MAX }.into();
    if !(Millis::from_secs(1)..=LIFETIME_MAX).contains(&lifetime) {
        return Err(refused());
    }
    now.checked_add(lifetime.to_duration()).map_err(|_| refused())
}

fn event(kind: EventKind, token: &TokenView, actor: &Actor, at: Timestamp) -> Event {
    Event {
        at,
        kind: kind.into(),
        subject: Some(format!("tokens/{}", token.id)),
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        data: json!({ "name": token.name, "role": token.role, "expires": token.expires }),
    }
}
