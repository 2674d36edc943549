//! Bars that lie, one or several a row.

use super::Axis;
use super::svg::{LEFT, TOP, WIDTH, document, grid, rect, reference, text, title_width, width};

/// How high a bar is, and how far from the one above it.
const BAR: f64 = 11.0;
const APART: f64 = 12.0;

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) value: f64,
    pub(crate) colour: &'static str,
    /// What is written behind it.
    pub(crate) label: String,
}

/// The bars of one row, from above.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bars: Vec<Bar>,
}

/// Rows over the same axis.
#[derive(Clone, Debug)]
pub(crate) struct Bars<'a> {
    pub(crate) title: &'a str,
    pub(crate) axis: Axis,
    pub(crate) rows: &'a [Row],
    /// Colours, and what they mean.
    pub(crate) legend: &'a [(&'static str, &'a str)],
    /// A value that is marked, and its name.
    pub(crate) reference: Option<(f64, &'a str)>,
}

impl Bars<'_> {
    /// The plot.
    pub(crate) fn svg(&self) -> String {
        let left = (20.0 + width(self.rows.iter().map(|row| row.name.as_str()))).max(LEFT);
        let x = |value: f64| left + WIDTH * self.axis.part(value);
        let bottom = TOP + self.rows.iter().map(height).sum::<f64>();
        let mut svg = String::new();
        for (value, written) in self.axis.ticks() {
            grid(&mut svg, (x(value), TOP), (x(value), bottom));
            text(&mut svg, (x(value), bottom + 18.0), "middle", written);
        }
        let mut top = TOP;
        for row in self.rows {
            text(&mut svg, (left - 8.0, top + height(row) / 2.0 + 4.0), "end", &row.name);
            let mut y = top + 5.0;
            for bar in &row.bars {
                rect(&mut svg, (left, y), (x(bar.value) - left, BAR), bar.colour);
                text(&mut svg, (x(bar.value) + 5.0, y + BAR - 1.0), "start", &bar.label);
                y += APART;
            }
            top += height(row);
        }
        if let Some((value, name)) = self.reference {
            reference(&mut svg, (x(value), TOP), (x(value), bottom));
            text(&mut svg, (x(value) + 4.0, TOP - 6.0), "start", name);
        }
        text(&mut svg, (left + WIDTH / 2.0, bottom + 36.0), "middle", self.axis.name());
        let line = bottom + if self.axis.name().is_empty() { 42.0 } else { 60.0 };
        let mut column = left;
        for (colour, name) in self.legend {
            rect(&mut svg, (column, line - 10.0), (BAR, BAR), colour);
            text(&mut svg, (column + 18.0, line), "start", name);
            column += 40.0 + width([*name]);
        }
        let labels = width(self.rows.iter().flat_map(|row| &row.bars).map(|bar| bar.label.as_str()));
        let whole = (left + WIDTH + 24.0 + labels).max(column).max(title_width(self.title));
        document(self.title, whole, line + 14.0, &svg)
    }
}

#[expect(clippy::cast_precision_loss, reason = "one bar or two")]
fn height(row: &Row) -> f64 {
    10.0 + APART * row.bars.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_value() {
        let bar = |value| Bar { value, colour: "#000", label: format!("{value} ns") };
        let rows = [Row { name: "a".to_owned(), bars: vec![bar(0.5), bar(1.0)] }];
        let plot =
            |axis| Bars { title: "t", axis, rows: &rows, legend: &[("#000", "x")], reference: Some((0.05, "5 %")) };
        let svg = plot(Axis::shares("", 1.0)).svg();
        assert!(svg.contains(r#"width="240.0""#) && svg.contains(r#"width="480.0""#), "{svg}");
        assert!(svg.contains(">0.5 ns<") && svg.contains(">5 %<") && svg.contains(">x<"), "{svg}");
        let decades = plot(Axis::logarithmic("ns", [0.1, 10.0])).svg();
        assert!(decades.contains(r#"width="240.0""#) && decades.contains(">ns<"), "{decades}");
    }
}
