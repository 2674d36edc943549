//! Carts, in memory.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use crate::catalogue::{self, Product};

/// The carts of all customers.
#[derive(Default)]
pub(crate) struct Carts {
    by_user: Mutex<HashMap<String, Cart>>,
}

/// Products by id, and how many of each.
pub(crate) type Cart = BTreeMap<&'static str, u32>;

/// As many customers as may have a cart at once: this is a demonstration, and memory is not for free.
const CARTS_MAX: usize = 100_000;

impl Carts {
    /// Puts one more product into a customer's cart; the cart after that.
    pub(crate) fn add(&self, user: &str, product: Product) -> Cart {
        let mut carts = self.by_user.lock();
        if carts.len() >= CARTS_MAX && !carts.contains_key(user) {
            carts.clear();
        }
        let cart = carts.entry(user.to_owned()).or_default();
        let count = cart.entry(product.id).or_default();
        *count = count.saturating_add(1);
        cart.clone()
    }

    /// A customer's cart.
    pub(crate) fn get(&self, user: &str) -> Cart {
        self.by_user.lock().get(user).cloned().unwrap_or_default()
    }

    /// Takes a customer's cart away, to be paid for.
    pub(crate) fn take(&self, user: &str) -> Cart {
        self.by_user.lock().remove(user).unwrap_or_default()
    }

    /// Gives a cart back whose payment failed.
    pub(crate) fn put_back(&self, user: &str, cart: Cart) {
        self.by_user.lock().insert(user.to_owned(), cart);
    }
}

/// What a cart costs, in cents.
pub(crate) fn total(cart: &Cart) -> u64 {
    let price = |id| catalogue::product(id).map_or(0, |product| u64::from(product.price));
    cart.iter().map(|(id, count)| price(id) * u64::from(*count)).sum()
}
