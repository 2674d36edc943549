//! The shop's one page, for people.

use crate::catalogue::{PRODUCTS, Product};

/// The catalogue in so many columns, under a banner that may be empty.
pub(crate) fn catalogue(columns: u64, banner: &str) -> String {
    let cell = |Product { id, name, price }: Product| {
        let (units, cents) = (price / 100, price % 100);
        format!("<li><b>{name}</b><br>{units}.{cents:02} € <code>{id}</code></li>")
    };
    let cells: String = PRODUCTS.into_iter().map(cell).collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>Dawn &amp; Daughters</title>\
         <style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:3rem auto;color:#222}}\
         ul{{display:grid;grid-template-columns:repeat({columns},1fr);gap:1rem;padding:0;list-style:none}}\
         li{{border:1px solid #ddd;border-radius:.5rem;padding:1rem}}em{{color:#a40}}</style>\
         <h1>Dawn &amp; Daughters</h1><p><em>{}</em></p><ul>{cells}</ul>\n",
        escape(banner)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
