//! Tokens of a server that is stopped: how the first one is made, and how one gets in again.

use std::sync::Arc;

use daybreak_store::Store;
use jiff::Timestamp;
use rand::Rng;

use super::table::{Table, USED};
use super::{NewToken, Secret, TokenId, TokenView, commit};
use crate::control::OpenError;
use crate::{Actor, Refusal};

/// The tokens in a store that no server uses.
#[derive(Debug)]
pub struct OfflineTokens {
    store: Arc<dyn Store>,
    table: Table,
    revision: u64,
}

impl OfflineTokens {
    /// Reads them.
    ///
    /// # Errors
    /// When the store fails, or holds what cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, OpenError> {
        let contents = store.load().await?;
        let notes = store.notes(USED.to_owned()).await?;
        let table = Table::read(&contents, &notes).map_err(|(what, why)| OpenError::Unreadable { what, why })?;
        Ok(Self { store, table, revision: contents.position.revision })
    }

    /// All of them, the oldest first.
    #[must_use]
    pub fn list(&self, now: Timestamp) -> Vec<TokenView> {
        self.table.views(now)
    }

    /// Makes one.
    ///
    /// # Errors
    /// As [`Control::create_token`](crate::Control::create_token).
    pub async fn create(
        &mut self,
        new: &NewToken,
        actor: &Actor,
        now: Timestamp,
        random: &mut impl Rng,
    ) -> Result<(TokenView, Secret), Refusal> {
        let (planned, secret) = self.table.create(new, actor, now, random)?;
        self.revision = commit(&self.store, self.revision, planned.change).await?;
        self.table = planned.after;
        Ok((planned.token.view(now), secret))
    }

    /// Removes one. Where none is left the server asks nobody for a token any more, and so listens on loopback only.
    ///
    /// # Errors
    /// As [`Control::revoke_token`](crate::Control::revoke_token).
    pub async fn revoke(
        &mut self,
        id: TokenId,
        force: bool,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<TokenView, Refusal> {
        let mut planned = self.table.revoke(id, force, actor, now)?;
        Table::open_if_empty(&mut planned);
        self.revision = commit(&self.store, self.revision, planned.change).await?;
        self.table = planned.after;
        Ok(planned.token.view(now))
    }

    /// Whether a running server would ask for tokens.
    #[must_use]
    pub fn required(&self) -> bool {
        self.table.required
    }
}
