//! The pure crates read no clock, no randomness, no file and no environment: those come in as arguments.
//!
//! Every path that a source file names is spelled out through its `use` declarations and held against a table.
//! Test code is left alone.

use std::collections::HashMap;

use anyhow::{Context, Result};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemMod, ItemUse, UseTree};

use super::Finding;
use super::arrows::PURE;
use crate::workspace::File;

/// Paths that a pure crate does not name, nor anything below them; and what they are.
const IMPURE: &[(&str, &str)] = &[
    ("std::time::Instant", "a clock"),
    ("std::time::SystemTime", "a clock"),
    ("std::time::UNIX_EPOCH", "a clock"),
    ("jiff::Timestamp::now", "a clock"),
    ("jiff::Zoned::now", "a clock"),
    ("jiff::tz::TimeZone::system", "the environment"),
    ("jiff::tz::TimeZone::try_system", "the environment"),
    ("rand::rng", "randomness"),
    ("rand::random", "randomness"),
    ("rand::thread_rng", "randomness"),
    ("rand::make_rng", "randomness"),
    ("rand::rngs::ThreadRng", "randomness"),
    ("rand::rngs::SysRng", "randomness"),
    ("rand::rngs::OsRng", "randomness"),
    ("getrandom", "randomness"),
    ("std::hash::RandomState", "randomness"),
    ("std::collections::hash_map::RandomState", "randomness"),
    ("std::fs", "a file"),
    ("std::io::stdin", "the environment"),
    ("std::io::stdout", "the environment"),
    ("std::io::stderr", "the environment"),
    ("std::env", "the environment"),
    ("std::net::TcpListener", "the network"),
    ("std::net::TcpStream", "the network"),
    ("std::net::UdpSocket", "the network"),
    ("std::net::ToSocketAddrs", "the network"),
    ("std::os", "the environment"),
    ("std::process", "the environment"),
    ("std::thread", "the scheduler"),
    ("std::sync::mpsc", "the scheduler"),
];

/// Macros that print or block.
const IMPURE_MACROS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Finds impure paths in the sources of the pure crates.
///
/// # Errors
/// When a source is no Rust.
pub(super) fn check(files: &[File]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_pure(&file.path)) {
        let syntax = syn::parse_file(&file.text).with_context(|| format!("{} is no Rust", file.path))?;
        let mut reader = Reader { path: &file.path, names: HashMap::new(), findings: Vec::new() };
        // Twice: a `use` counts also above itself.
        Uses(&mut reader.names).visit_file(&syntax);
        reader.visit_file(&syntax);
        findings.append(&mut reader.findings);
    }
    Ok(findings)
}

fn is_pure(path: &str) -> bool {
    let source = PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
    source && path.ends_with(".rs") && !is_test_file(path)
}

/// Whether a file holds only tests.
pub(super) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

/// Whether an item is compiled only for tests.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let marked = path.segments.last().is_some_and(|last| last.ident == "test");
        let configured = path.is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                list.tokens.clone().into_iter().next().is_some_and(|token| token.to_string() == "test")
            });
        marked || configured
    })
}

/// Learns what each name of a file means from its `use` declarations.
struct Uses<'a>(&'a mut HashMap<String, String>);

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut paths = Vec::new();
        spell_out(&item.tree, "", &mut paths);
        for (name, path, _) in paths {
            self.0.insert(name, path);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

/// Every leaf of a `use` as (the name it brings, its whole path, where it stands).
fn spell_out(tree: &UseTree, before: &str, paths: &mut Vec<(String, String, Span)>) {
    let join = |name: &str| if before.is_empty() { name.to_owned() } else { format!("{before}::{name}") };
    match tree {
        UseTree::Path(path) => spell_out(&path.tree, &join(&path.ident.to_string()), paths),
        UseTree::Group(group) => group.items.iter().for_each(|tree| spell_out(tree, before, paths)),
        UseTree::Name(name) if name.ident == "self" => {
            let last = before.rsplit("::").next().unwrap_or(before);
            paths.push((last.to_owned(), before.to_owned(), name.ident.span()));
        }
        UseTree::Name(name) => paths.push((name.ident.to_string(), join(&name.ident.to_string()), name.ident.span())),
        UseTree::Rename(rename) => {
            let path = if rename.ident == "self" { before.to_owned() } else { join(&rename.ident.to_string()) };
            paths.push((rename.rename.to_string(), path, rename.ident.span()));
        }
        UseTree::Glob(glob) => paths.push(("*".into(), join("*"), glob.star_token.spans[0])),
    }
}

struct Reader<'a> {
    path: &'a str,
    names: HashMap<String, String>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    /// Holds a path, as written, against the table.
    fn hold(&mut self, path: &str, span: Span) {
        let (first, rest) = path.split_once("::").map_or((path, None), |(first, rest)| (first, Some(rest)));
        let path = match (self.names.get(first), rest) {
            (Some(meaning), Some(rest)) => format!("{meaning}::{rest}"),
            (Some(meaning), None) => meaning.clone(),
            (None, _) => path.to_owned(),
        };
        self.hold_spelled_out(&path, span);
    }

    fn hold_spelled_out(&mut self, path: &str, span: Span) {
        let path = path
            .strip_prefix("core::")
            .or_else(|| path.strip_prefix("alloc::"))
            .map_or_else(|| path.to_owned(), |rest| format!("std::{rest}"));
        let below =
            |impure: &str| path == impure || path.strip_prefix(impure).is_some_and(|rest| rest.starts_with("::"));
        // A glob would bring what stands right below it.
        let brings = |impure: &str| {
            path.strip_suffix("::*")
                .is_some_and(|parent| impure.rsplit_once("::").is_some_and(|(above, _)| above == parent))
        };
        if let Some((_, what)) = IMPURE.iter().find(|(impure, _)| below(impure) || brings(impure)) {
            let message = format!("a pure crate reads {what}: `{path}`");
            self.find(message, span);
        }
    }

    fn find(&mut self, message: String, span: Span) {
        let finding = Finding::new(self.path, message, "take it as an argument; the caller on a higher floor reads it");
        let finding = finding.at(span.start().line);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Reads the paths in a macro's tokens, which have no syntax of their own.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<(String, Span)> = None;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => match path.as_mut().filter(|_| colons == 2) {
                    Some((path, _)) => {
                        path.push_str("::");
                        path.push_str(&ident.to_string());
                    }
                    None => self.end(path.replace((ident.to_string(), ident.span()))),
                },
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end(path.take());
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end(path.take()),
            }
            colons = 0;
        }
        self.end(path);
    }

    fn end(&mut self, path: Option<(String, Span)>) {
        if let Some((path, span)) = path {
            self.hold(&path, span);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if is_test(&item.attrs) {
            return;
        }
        let mut paths = Vec::new();
        spell_out(&item.tree, "", &mut paths);
        for (_, path, span) in paths {
            self.hold_spelled_out(&path, span);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.hold(&names.join("::"), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        if let Some(name) = item.path.get_ident().filter(|name| IMPURE_MACROS.iter().any(|impure| name == impure)) {
            self.find(format!("a pure crate prints: `{name}!`"), name.span());
        }
        self.tokens(item.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};

    fn check(source: &str, expected: &[&str]) {
        let files = [file("crates/engine/src/a.rs", source), file("crates/server/src/a.rs", source)];
        let expected: Vec<String> =
            expected.iter().map(|finding| format!("crates/engine/src/a.rs:{finding}")).collect();
        assert_eq!(shown(&super::check(&files).unwrap()), expected, "{source}");
    }

    #[test]
    fn what_only_computes_is_fine() {
        check("use std::time::Duration;\nuse jiff::Timestamp;\nfn a(now: Timestamp) {}\n", &[]);
        check("use std::net::IpAddr;\nuse rand::rngs::ChaCha8Rng;\nfn now() {}\nfn a() { now() }\n", &[]);
        check("use std::io::{Read, Write};\nfn a() { let env = 1; let fs = env; }\n", &[]);
    }

    #[test]
    fn impure_paths_are_found_however_they_are_spelled() {
        check("fn a() { std::time::Instant::now(); }\n", &["1: a pure crate reads a clock: `std::time::Instant::now`"]);
        check("use std::time::SystemTime as T;\n", &["1: a pure crate reads a clock: `std::time::SystemTime`"]);
        check("use std::{env, fmt};\n", &["1: a pure crate reads the environment: `std::env`"]);
        check(
            "use std::fs::{self, File};\n",
            &["1: a pure crate reads a file: `std::fs`", "1: a pure crate reads a file: `std::fs::File`"],
        );
        check("use std::time::*;\n", &["1: a pure crate reads a clock: `std::time::*`"]);
        check("use std::time;\nfn a(t: time::Instant) {}\n", &["2: a pure crate reads a clock: `std::time::Instant`"]);
        check(
            "use jiff::Timestamp;\n\nfn a() { Timestamp::now(); }\n",
            &["3: a pure crate reads a clock: `jiff::Timestamp::now`"],
        );
        check("fn a() { rand::random::<u8>(); }\n", &["1: a pure crate reads randomness: `rand::random`"]);
    }

    #[test]
    fn macros_are_read_too() {
        check(
            "fn a() { assert!(f(std::env::var(\"X\"))); }\n",
            &["1: a pure crate reads the environment: `std::env::var`"],
        );
        check(
            "use jiff::Zoned;\nfn a() { format!(\"{}\", Zoned::now()); }\n",
            &["2: a pure crate reads a clock: `jiff::Zoned::now`"],
        );
        check("fn a() { println!(\"a\"); }\n", &["1: a pure crate prints: `println!`"]);
    }

    #[test]
    fn tests_are_left_alone() {
        check("#[cfg(test)]\nmod tests { use std::fs; fn a() { fs::read(\"a\"); } }\n", &[]);
        check("#[test]\nfn a() { std::env::var(\"X\"); }\n", &[]);
        let files = [file("crates/engine/src/a/tests.rs", "use std::fs;\n")];
        assert_eq!(shown(&super::check(&files).unwrap()), [""; 0]);
    }
}
