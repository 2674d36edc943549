//! Diagnostics for people.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Related, Severity};
use crate::source::{Source, Span};

/// Writes diagnostics as a good compiler does, each with its lines of the source; `color` adds terminal colours.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let blocks = diagnostics.iter().map(|diagnostic| renderer.render(&report(diagnostic, sources)));
    let mut text = blocks.collect::<Vec<_>>().join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Writes diagnostics for logs and editors: `file:line:column: error[code]: message; help`, one on a line.
#[must_use]
pub fn render_plain(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}:{}: ", self.source, self.line, self.column)?;
        }
        write!(f, "{}[{}]: {}", self.severity.as_str(), self.code, self.message)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

fn report<'a>(diagnostic: &'a Diagnostic, sources: &'a [Source]) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let text = |name: &str| sources.iter().find(|source| source.name == name);
    let title = level.primary_title(&*diagnostic.message).id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(source) = text(&diagnostic.source).filter(|_| diagnostic.line > 0) {
        let mut snippet = snippet(source)
            .annotation(AnnotationKind::Primary.span(range(diagnostic.span, &source.text)).label(&*diagnostic.path));
        for related in diagnostic.related.iter().filter(|related| related.source == diagnostic.source) {
            snippet = snippet.annotation(context(related, source));
        }
        group = group.element(snippet);
        for related in diagnostic.related.iter().filter(|related| related.source != diagnostic.source) {
            if let Some(source) = text(&related.source) {
                group = group.element(self::snippet(source).annotation(context(related, source)));
            }
        }
    } else if !diagnostic.path.is_empty() {
        group = group.element(Level::NOTE.message(format!("at {}", diagnostic.path)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
    }
    vec![group]
}

fn snippet(source: &Source) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(&*source.text).path(&*source.name)
}

fn context<'a>(related: &'a Related, source: &Source) -> annotate_snippets::Annotation<'a> {
    AnnotationKind::Context.span(range(related.span, &source.text)).label(&*related.message)
}

/// A range that lies within the text.
fn range(span: Span, text: &str) -> std::ops::Range<usize> {
    let end = span.end.min(text.len());
    span.start.min(end)..end
}
