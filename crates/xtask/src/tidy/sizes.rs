//! Small rooms: how long a file and a function may be.
//!
//! What is too long today stands in a list with its length, and may only shrink: a ratchet.

use anyhow::{Context, Result};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, ItemMod, Signature, TraitItemFn};

use super::Finding;
use super::purity::{is_test, is_test_file};
use crate::workspace::File;

/// Lines of a Rust file, its unit tests included.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function outside tests, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Longer files: path, lines, and why it is right so.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Longer functions: path, name, lines.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Finds files that are too long.
pub(super) fn check_files(files: &[File]) -> Vec<Finding> {
    check_files_against(files, LONG_FILES)
}

fn check_files_against(files: &[File], long: &[(&str, usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let lines = file.text.lines().count();
        let listed = long.iter().find(|(path, ..)| *path == file.path).map(|(_, lines, _)| *lines);
        if let Some((message, help)) = ratchet(lines, FILE_LINES_MAX, listed, "LONG_FILES") {
            let help =
                help.unwrap_or("give each of its subjects a file of its own, and long tests a `tests.rs`".into());
            findings.push(Finding::new(&file.path, message, help));
        }
    }
    let gone = long.iter().filter(|(path, ..)| !files.iter().any(|file| file.path == *path));
    findings.extend(gone.map(|(path, ..)| Finding::new(*path, "it is gone", "take it off `LONG_FILES`")));
    findings
}

/// Finds functions that are too long.
///
/// # Errors
/// When a file is no Rust.
pub(super) fn check_functions(files: &[File]) -> Result<Vec<Finding>> {
    check_functions_against(files, LONG_FUNCTIONS)
}

fn check_functions_against(files: &[File], long: &[(&str, &str, usize)]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && !is_test_file(&file.path)) {
        let syntax = syn::parse_file(&file.text).with_context(|| format!("{} is no Rust", file.path))?;
        let mut functions = Functions::default();
        functions.visit_file(&syntax);
        for function in functions.0 {
            let listed = long.iter().find(|(path, name, _)| *path == file.path && *name == function.name);
            let listed = listed.map(|(.., lines)| *lines);
            if let Some((message, help)) = ratchet(function.lines, FUNCTION_LINES_MAX, listed, "LONG_FUNCTIONS") {
                let help = help.unwrap_or("give its parts names: functions that fit on a screen".into());
                let message = format!("`{}`: {message}", function.name);
                findings.push(Finding::new(&file.path, message, help).at(function.line));
            }
        }
    }
    Ok(findings)
}

/// What is wrong with so many lines, and the help unless it is the obvious one.
fn ratchet(lines: usize, max: usize, listed: Option<usize>, list: &str) -> Option<(String, Option<String>)> {
    match listed {
        None if lines > max => Some((format!("{lines} lines, {max} at most"), None)),
        Some(was) if lines > was => Some((format!("{lines} lines, it may only shrink from {was}"), None)),
        Some(was) if lines < was => {
            let help = if lines > max { format!("write {lines} in `{list}`") } else { format!("take it off `{list}`") };
            Some((format!("{lines} lines, listed with {was}"), Some(help)))
        }
        _ => None,
    }
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

#[derive(Default)]
struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let (start, end): (Span, Span) = (signature.span(), block.span());
        let (line, last) = (start.start().line, end.end().line);
        self.0.push(Function { name: signature.ident.to_string(), line, lines: last + 1 - line });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            self.add(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2))
    }

    fn check_functions(source: &str, listed: Option<usize>, expected: &[&str]) {
        let long: Vec<_> = listed.map(|lines| ("a.rs", "a", lines)).into_iter().collect();
        assert_eq!(shown(&check_functions_against(&[file("a.rs", source)], &long).unwrap()), expected);
    }

    #[test]
    fn functions_fit_on_a_screen() {
        check_functions(&function(70), None, &[]);
        check_functions(&function(71), None, &["a.rs:1: `a`: 71 lines, 70 at most"]);
        let method = format!("struct A;\nimpl A {{\n{}}}\n", function(71));
        check_functions(&method, None, &["a.rs:3: `a`: 71 lines, 70 at most"]);
        check_functions(&format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(71)), None, &[]);
    }

    #[test]
    fn what_is_listed_may_only_shrink() {
        check_functions(&function(80), Some(80), &[]);
        check_functions(&function(81), Some(80), &["a.rs:1: `a`: 81 lines, it may only shrink from 80"]);
        check_functions(&function(75), Some(80), &["a.rs:1: `a`: 75 lines, listed with 80"]);
        check_functions(&function(60), Some(80), &["a.rs:1: `a`: 60 lines, listed with 80"]);
    }

    #[test]
    fn files_have_one_subject() {
        let long = file("a.rs", &"\n".repeat(501));
        assert_eq!(shown(&check_files_against(&[long], &[])), ["a.rs: 501 lines, 500 at most"]);
        assert_eq!(shown(&check_files_against(&[], &[("b.rs", 600, "a table")])), ["b.rs: it is gone"]);
    }
}
