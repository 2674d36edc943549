//! What the shop sells.

use serde::Serialize;

/// One thing on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Product {
    /// How carts and searches name it.
    pub(crate) id: &'static str,
    /// How customers know it.
    pub(crate) name: &'static str,
    /// In cents.
    pub(crate) price: u32,
}

/// Everything there is.
pub(crate) const PRODUCTS: [Product; 6] = [
    Product { id: "tea", name: "Assam tea, 250 g", price: 1_250 },
    Product { id: "kettle", name: "Kettle that whistles", price: 4_900 },
    Product { id: "cup", name: "Cup without a handle", price: 1_800 },
    Product { id: "strainer", name: "Tea strainer", price: 900 },
    Product { id: "honey", name: "Heather honey", price: 1_100 },
    Product { id: "lamp", name: "Lamp for reading at dawn", price: 7_500 },
];

/// The product of this id.
pub(crate) fn product(id: &str) -> Option<Product> {
    PRODUCTS.into_iter().find(|product| product.id == id)
}

/// The products whose name or id contains the words, case aside.
pub(crate) fn search(words: &str) -> Vec<Product> {
    let words = words.to_lowercase();
    let found = |product: &Product| product.id.contains(&words) || product.name.to_lowercase().contains(&words);
    PRODUCTS.into_iter().filter(found).collect()
}
