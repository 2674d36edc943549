//! A plot as inline SVG: lines over the time of a run, and marks where a stage of its ramp begins.

use std::fmt::Write;

use super::escape::Text;
use crate::readable::{e_value, short};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 206.0;
/// Room for the labels of the axes.
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 8.0;
const RIGHT: f64 = 10.0;

/// One line: points of seconds since the start and values.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// The class that gives it its colour.
    pub(super) class: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// What is drawn.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    /// What the axis counts: `%`.
    pub(super) unit: &'a str,
    pub(super) lines: Vec<Line<'a>>,
    /// A level to hold the lines against, with its name.
    pub(super) level: Option<(f64, &'a str)>,
    /// Powers of ten instead of equal steps; values are logarithms to the base 10.
    pub(super) log: bool,
    /// The run's length in seconds.
    pub(super) length: f64,
    /// Seconds at which a stage begins, and its share.
    pub(super) stages: &'a [(f64, String)],
}

/// From values to places.
struct Scale {
    low: f64,
    high: f64,
    length: f64,
}

impl Scale {
    fn of(plot: &Plot<'_>) -> Self {
        let values = plot.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let values = values.chain(plot.level.map(|(level, _)| level)).filter(|value| value.is_finite());
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let high = if high > low { low + (high - low) * 1.08 } else { low + 1.0 };
        Self { low, high, length: plot.length.max(1.0) }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (seconds / self.length).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

/// The plot, with what it shows as text for those who cannot see it.
pub(super) fn svg(plot: &Plot<'_>) -> String {
    let scale = Scale::of(plot);
    let mut svg = format!(
        "<figure><figcaption>{}{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        Text(plot.title),
        legend(plot),
        Text(plot.title)
    );
    axes(&mut svg, plot, &scale);
    for (seconds, share) in plot.stages {
        let x = scale.x(*seconds);
        let (top, bottom) = (TOP, HEIGHT - BOTTOM);
        let _ = write!(svg, "<line class=\"stage\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>");
        let _ =
            writeln!(svg, "<text class=\"stage\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", x + 3.0, TOP + 9.0, Text(share));
    }
    if let Some((level, name)) = plot.level {
        let y = scale.y(level);
        let (left, right) = (LEFT + 4.0, WIDTH - RIGHT);
        let _ = write!(svg, "<line class=\"level\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let above = if y - 4.0 < TOP + 8.0 { y + 11.0 } else { y - 4.0 };
        let _ = writeln!(svg, "<text class=\"level\" x=\"{left}\" y=\"{above:.1}\">{}</text>", Text(name));
    }
    for line in &plot.lines {
        let points = line.points.iter().filter(|(_, value)| value.is_finite());
        let points: Vec<_> = points.map(|(at, value)| format!("{:.1},{:.1}", scale.x(*at), scale.y(*value))).collect();
        if !points.is_empty() {
            let _ = writeln!(svg, "<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "));
        }
    }
    svg + "</svg></figure>\n"
}

/// The lines' names, in their colours; one line is named by the title.
fn legend(plot: &Plot<'_>) -> String {
    let name = |line: &Line<'_>| format!(" <span class=\"{}\">— {}</span>", line.class, Text(line.name));
    if plot.lines.len() > 1 { plot.lines.iter().map(name).collect() } else { String::new() }
}

fn axes(svg: &mut String, plot: &Plot<'_>, scale: &Scale) {
    for value in ticks(plot, scale) {
        let y = scale.y(value);
        let label = match plot.log {
            true => e_value(value * std::f64::consts::LN_10),
            false => format!("{}{}", short(value), plot.unit),
        };
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - RIGHT);
        let (x, y) = (LEFT - 5.0, y + 3.5);
        let _ = writeln!(svg, "<text text-anchor=\"end\" x=\"{x}\" y=\"{y:.1}\">{label}</text>");
    }
    for quarter in 0..=4_u8 {
        let at = scale.length * f64::from(quarter) / 4.0;
        let anchor = match quarter {
            0 => "start",
            4 => "end",
            _ => "middle",
        };
        let label = if scale.length >= 600.0 { format!("{} min", short(at / 60.0)) } else { format!("{at:.0} s") };
        let (x, y) = (scale.x(at), HEIGHT - 6.0);
        let _ = writeln!(svg, "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y}\">{label}</text>");
    }
}

/// Four round values or so; on an axis of powers of ten, whole ones.
fn ticks(plot: &Plot<'_>, scale: &Scale) -> Vec<f64> {
    let rough = (scale.high - scale.low) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factors: &[f64] = if plot.log { &[1.0, 2.0, 3.0, 5.0, 10.0] } else { &[1.0, 2.0, 5.0, 10.0] };
    let step = factors.iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let step = if plot.log { step.ceil().max(1.0) } else { step };
    let first = (scale.low / step).ceil();
    let each = (0..12_u8).map(|number| (first + f64::from(number)) * step);
    each.take_while(|value| *value <= scale.high).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_inside() {
        let cases =
            [vec![], vec![(0.0, 0.0)], vec![(-5.0, -1e9), (1e9, 1e9)], vec![(1.0, f64::NAN), (2.0, f64::INFINITY)]];
        for points in cases {
            for log in [false, true] {
                let line = Line { name: "<b>", class: "treated", points: points.clone() };
                let stages = [(1.0, "<2%>".to_owned())];
                let level = Some((2.0, "<level>"));
                let plot =
                    Plot { title: "<title>", unit: "%", lines: vec![line], level, log, length: 60.0, stages: &stages };
                let svg = svg(&plot);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                assert!(!svg.contains("<b>") && !svg.contains("<title>") && !svg.contains("<level>"), "{svg}");
                let places = svg.split("points=\"").skip(1).filter_map(|rest| rest.split('"').next());
                for place in places.flat_map(|places| places.split([' ', ','])) {
                    let place: f64 = place.parse().unwrap();
                    assert!((0.0..=WIDTH).contains(&place), "{svg}");
                }
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let plot = |log| Plot { title: "", unit: "", lines: Vec::new(), level: None, log, length: 60.0, stages: &[] };
        let cases = [
            (false, 0.0, 1.0, vec![0.0, 0.5, 1.0]),
            (false, -0.5, 4.3, vec![0.0, 2.0, 4.0]),
            (true, 0.0, 2.2, vec![0.0, 1.0, 2.0]),
            (true, 0.0, 40.0, vec![0.0, 10.0, 20.0, 30.0, 40.0]),
        ];
        for (log, low, high, expected) in cases {
            assert_eq!(ticks(&plot(log), &Scale { low, high, length: 60.0 }), expected, "{low} {high}");
        }
    }
}
