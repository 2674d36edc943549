//! How often flags were evaluated, as clients report it.

use std::collections::BTreeMap;

use daybreak_guard::clients::Evaluated;
use daybreak_model::Key;

use crate::Control;

impl Control {
    /// How often flags were evaluated since the server started, over all clients, also those that are gone.
    #[must_use]
    pub fn evaluations(&self) -> BTreeMap<Key, Evaluated> {
        self.inner.clients.lock().evaluated().clone()
    }
}
