//! Lines, one axis over another.

use std::fmt::Write as _;

use super::svg::{HEIGHT, LEFT, TOP, WIDTH, document, grid, path, reference, stroke, text, title_width, width};
use super::{Axis, COLOURS};

/// A line with as many points as this or fewer has a dot at each.
const DOTS_MAX: usize = 20;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Solid,
    Dashed,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Which of the [`COLOURS`]; beyond the last they begin anew.
    pub(crate) colour: usize,
    pub(crate) style: Style,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Some lines over the same axes.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: &'a [Series],
    /// A height that is marked, and its name.
    pub(crate) reference: Option<(f64, &'a str)>,
}

impl Lines<'_> {
    /// The plot.
    pub(crate) fn svg(&self) -> String {
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        let mut svg = String::new();
        self.axes(&mut svg);
        if let Some((value, name)) = self.reference {
            let y = self.y(value);
            reference(&mut svg, (LEFT, y), (right, y));
            text(&mut svg, (LEFT + 6.0, y - 5.0), "start", name);
        }
        for (number, series) in self.series.iter().enumerate() {
            let colour = COLOURS[series.colour % COLOURS.len()];
            let stroke = stroke(colour, series.style);
            let places: Vec<(f64, f64)> = series.points.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
            let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            _ = writeln!(svg, r#"<polyline fill="none" {stroke} points="{}"/>"#, points.join(" "));
            for (x, y) in places.iter().filter(|_| places.len() <= DOTS_MAX) {
                _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#);
            }
            #[expect(clippy::cast_precision_loss, reason = "a few lines")]
            let line = TOP + 14.0 + 22.0 * number as f64;
            path(&mut svg, (right + 16.0, line - 4.0), (right + 44.0, line - 4.0), &stroke);
            text(&mut svg, (right + 52.0, line), "start", &series.name);
        }
        let legend = right + 64.0 + width(self.series.iter().map(|series| series.name.as_str()));
        document(self.title, legend.max(title_width(self.title)), bottom + 52.0, &svg)
    }

    fn axes(&self, svg: &mut String) {
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        for (value, written) in self.x.ticks() {
            let x = self.x(value);
            grid(svg, (x, TOP), (x, bottom));
            text(svg, (x, bottom + 18.0), "middle", written);
        }
        text(svg, (LEFT + WIDTH / 2.0, bottom + 38.0), "middle", self.x.name());
        for (value, written) in self.y.ticks() {
            let y = self.y(value);
            grid(svg, (LEFT, y), (right, y));
            text(svg, (LEFT - 8.0, y + 4.0), "end", written);
        }
        text(svg, (LEFT - 8.0, TOP - 8.0), "end", self.y.name());
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + WIDTH * self.x.part(value)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT * (1.0 - self.y.part(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_where_they_belong() {
        let points = vec![(1.0, 0.0), (480.0, 2.0)];
        let series = [Series { name: "a < b".into(), colour: 7, style: Style::Solid, points }];
        let (x, y) = (Axis::at("minutes", &[1.0, 480.0]), Axis::shares("", 1.0));
        let svg = Lines { title: "t", x, y, series: &series, reference: Some((0.5, "half")) }.svg();
        // From the left below to the right above; what is over the top stays at it.
        assert!(svg.contains(r#"points="60.0,340.0 540.0,40.0""#) && svg.contains(COLOURS[1]), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains(r#"d="M60.0 190.0L540.0 190.0""#), "{svg}");
    }
}
