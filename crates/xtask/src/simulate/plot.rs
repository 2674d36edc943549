//! Two kinds of plots, as SVG: lines over minutes, and bars.

use std::fmt::Write as _;

/// Colours that are told apart by colour-blind people too (Okabe & Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Where the plot is, left and top.
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
/// How large it is.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
/// What is written on the axis of minutes.
const TICKS: [f64; 8] = [1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 240.0, 480.0];

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Solid,
    Dashed,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) style: Style,
    /// Minutes from 1 on, and shares.
    pub(super) points: Vec<(f64, f64)>,
}

/// Shares over minutes, the minutes on a logarithmic axis to 480.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a> {
    pub(super) title: &'a str,
    /// Two and two have a colour.
    pub(super) series: &'a [Series],
    /// A share that is marked, and its name.
    pub(super) reference: Option<(f64, &'a str)>,
    /// The greatest share that is drawn.
    pub(super) top: f64,
}

/// Two shares a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) names: [&'a str; 2],
    pub(super) rows: &'a [(String, [f64; 2])],
    /// A share that is marked, and its name.
    pub(super) reference: (f64, &'a str),
}

impl Lines<'_> {
    /// The plot.
    pub(super) fn svg(&self) -> String {
        let x = |minute: f64| LEFT + WIDTH * minute.max(1.0).ln() / TICKS[TICKS.len() - 1].ln();
        let y = |share: f64| TOP + HEIGHT * (1.0 - share.min(self.top) / self.top);
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        let mut svg = String::new();
        for minute in TICKS {
            grid(&mut svg, (x(minute), TOP), (x(minute), bottom));
            text(&mut svg, (x(minute), bottom + 18.0), "middle", &format!("{minute}"));
        }
        text(&mut svg, (LEFT + WIDTH / 2.0, bottom + 38.0), "middle", "minutes");
        for fifth in 0..=5 {
            let share = self.top * f64::from(fifth) / 5.0;
            grid(&mut svg, (LEFT, y(share)), (right, y(share)));
            text(&mut svg, (LEFT - 8.0, y(share) + 4.0), "end", &format!("{:.0} %", share * 100.0));
        }
        if let Some((share, name)) = self.reference {
            reference(&mut svg, (LEFT, y(share)), (right, y(share)));
            text(&mut svg, (LEFT + 6.0, y(share) - 5.0), "start", name);
        }
        for (number, series) in self.series.iter().enumerate() {
            let place = |(minute, share): &(f64, f64)| format!("{:.1},{:.1}", x(*minute), y(*share));
            let points: Vec<String> = series.points.iter().map(place).collect();
            let colour = COLOURS[number / 2 % COLOURS.len()];
            let stroke = stroke(colour, series.style);
            _ = writeln!(svg, r#"<polyline fill="none" {stroke} points="{}"/>"#, points.join(" "));
            let line = TOP + 14.0 + 22.0 * number as f64;
            let (from, to) = (right + 16.0, right + 44.0);
            _ = writeln!(svg, r#"<path {stroke} d="M{from:.1} {:.1}H{to:.1}"/>"#, line - 4.0);
            text(&mut svg, (to + 8.0, line), "start", &series.name);
        }
        document(self.title, right + 260.0, bottom + 52.0, &svg)
    }
}

impl Bars<'_> {
    /// The plot.
    pub(super) fn svg(&self) -> String {
        let left = LEFT + 260.0;
        let x = |share: f64| left + WIDTH * share;
        let bottom = TOP + 34.0 * self.rows.len() as f64;
        let mut svg = String::new();
        for fifth in 0..=5 {
            let share = f64::from(fifth) / 5.0;
            grid(&mut svg, (x(share), TOP), (x(share), bottom));
            text(&mut svg, (x(share), bottom + 18.0), "middle", &format!("{:.0} %", share * 100.0));
        }
        for (number, (name, shares)) in self.rows.iter().enumerate() {
            let top = TOP + 34.0 * number as f64;
            text(&mut svg, (left - 8.0, top + 20.0), "end", name);
            for ((share, colour), offset) in shares.iter().zip(COLOURS).zip([5.0, 17.0]) {
                let (y, width) = (top + offset, WIDTH * share);
                _ = writeln!(svg, r#"<rect x="{left:.1}" y="{y:.1}" width="{width:.1}" height="11" fill="{colour}"/>"#);
            }
        }
        reference(&mut svg, (x(self.reference.0), TOP), (x(self.reference.0), bottom));
        text(&mut svg, (x(self.reference.0) + 4.0, TOP - 6.0), "start", self.reference.1);
        for ((name, colour), column) in self.names.iter().zip(COLOURS).zip([left, left + 200.0]) {
            let line = bottom + 42.0;
            let y = line - 10.0;
            _ = writeln!(svg, r#"<rect x="{column:.1}" y="{y:.1}" width="11" height="11" fill="{colour}"/>"#);
            text(&mut svg, (column + 18.0, line), "start", name);
        }
        document(self.title, left + WIDTH + 40.0, bottom + 56.0, &svg)
    }
}

fn document(title: &str, width: f64, height: f64, content: &str) -> String {
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

fn grid(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    path(svg, from, to, r##"stroke="#ddd""##);
}

fn reference(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    path(svg, from, to, r##"stroke="#222" stroke-dasharray="2 3""##);
}

fn path(svg: &mut String, from: (f64, f64), to: (f64, f64), stroke: &str) {
    _ = writeln!(svg, r#"<path {stroke} d="M{:.1} {:.1}L{:.1} {:.1}"/>"#, from.0, from.1, to.0, to.1);
}

fn stroke(colour: &str, style: Style) -> String {
    let dashes = if style == Style::Dashed { r#" stroke-dasharray="6 4""# } else { "" };
    format!(r#"stroke="{colour}" stroke-width="2"{dashes}"#)
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_where_they_belong() {
        let series = [Series { name: "a < b".into(), style: Style::Solid, points: vec![(1.0, 0.0), (480.0, 2.0)] }];
        let svg = Lines { title: "t", series: &series, reference: Some((0.5, "half")), top: 1.0 }.svg();
        // From the left below to the right above; what is over the top stays at it.
        assert!(svg.contains(r#"points="60.0,340.0 540.0,40.0""#), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains(r#"d="M60.0 190.0L540.0 190.0""#), "{svg}");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let rows = [("a".to_owned(), [0.5, 1.0])];
        let svg = Bars { title: "t", names: ["x", "y"], rows: &rows, reference: (0.05, "5 %") }.svg();
        assert!(svg.contains(r#"width="240.0""#) && svg.contains(r#"width="480.0""#), "{svg}");
    }
}
