//! `daybreak check`: the documents' faults, as a good compiler prints them.

use std::io::stdout;
use std::process::ExitCode;

use daybreak_document::{Diagnostic, Severity, decode_on, render};
use daybreak_model::{Kind, Resources};
use serde_json::{Value, json};

use crate::args::Check;
use crate::folder;
use crate::out;
use crate::style::{Format, is_colored};

pub(crate) fn run(options: &Check) -> anyhow::Result<ExitCode> {
    let sources = match (folder::read_all(&options.paths), options.format) {
        (Ok(sources), _) => sources,
        (Err(error), Format::Text) => return Err(error.into()),
        // Who asks for JSON reads JSON.
        (Err(error), Format::Json) => {
            report(&json!({ "ok": false, "files": 0, "diagnostics": [], "error": error.to_string() }))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let decoded = decode_on(&sources, Some(folder::today()));
    let failed = decoded.has_errors();
    match options.format {
        Format::Text => {
            let color = is_colored(&stdout());
            let found = render(&decoded.diagnostics, &sources, color);
            out::print(&format!("{found}{}\n", summary(sources.len(), &decoded.resources, &decoded.diagnostics)))?;
        }
        Format::Json => {
            report(&json!({ "ok": !failed, "files": sources.len(), "diagnostics": decoded.diagnostics }))?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn report(report: &Value) -> anyhow::Result<()> {
    out::print(&format!("{}\n", serde_json::to_string_pretty(report)?))?;
    Ok(())
}

fn summary(files: usize, resources: &Resources, diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let files = counted(files, "file");
    let warnings = match of(Severity::Warning) {
        0 => String::new(),
        warnings => format!(", {}", counted(warnings, "warning")),
    };
    match of(Severity::Error) {
        0 => {
            let kinds = Kind::ALL.into_iter().filter_map(|kind| match resources.keys(kind).len() {
                0 => None,
                count if kind == Kind::Hours => Some(counted(count, "calendar")),
                count => Some(counted(count, kind.noun())),
            });
            let kinds = kinds.collect::<Vec<_>>().join(", ");
            format!("{files} checked: {}{warnings}", if kinds.is_empty() { "no resources".to_owned() } else { kinds })
        }
        errors => format!("{files} checked: {}{warnings}", counted(errors, "error")),
    }
}

/// `1 flag`, `2 flags`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
