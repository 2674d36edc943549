//! What every plot is drawn with.

use std::fmt::Write as _;

use super::Style;

/// Where the plot is, left and top.
pub(super) const LEFT: f64 = 60.0;
pub(super) const TOP: f64 = 40.0;
/// How large it is.
pub(super) const WIDTH: f64 = 480.0;
pub(super) const HEIGHT: f64 = 300.0;
/// How wide a letter is taken to be: generously, since nobody knows the reader's font.
const LETTER: f64 = 7.0;

/// The whole picture.
pub(super) fn document(title: &str, width: f64, height: f64, content: &str) -> String {
    let title = escaped(title);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" font-family="sans-serif" font-size="12" fill="#222">
<title>{title}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{title}</text>
{content}</svg>
"##
    )
}

pub(super) fn grid(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    path(svg, from, to, r##"stroke="#ddd""##);
}

pub(super) fn reference(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    path(svg, from, to, r##"stroke="#222" stroke-dasharray="2 3""##);
}

pub(super) fn path(svg: &mut String, from: (f64, f64), to: (f64, f64), stroke: &str) {
    _ = writeln!(svg, r#"<path {stroke} d="M{:.1} {:.1}L{:.1} {:.1}"/>"#, from.0, from.1, to.0, to.1);
}

pub(super) fn stroke(colour: &str, style: Style) -> String {
    let dashes = if style == Style::Dashed { r#" stroke-dasharray="6 4""# } else { "" };
    format!(r#"stroke="{colour}" stroke-width="2"{dashes}"#)
}

pub(super) fn rect(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
    _ = writeln!(svg, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.0}" fill="{colour}"/>"#);
}

pub(super) fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(text));
}

/// Room for the longest of some texts.
#[expect(clippy::cast_precision_loss, reason = "letters of a line")]
pub(super) fn width<'t>(texts: impl IntoIterator<Item = &'t str>) -> f64 {
    texts.into_iter().map(|text| text.chars().count()).max().unwrap_or(0) as f64 * LETTER
}

/// How wide the title is, with what is left of it.
pub(super) fn title_width(title: &str) -> f64 {
    LEFT + width([title]) * 1.15 + 20.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
