//! Plots, as SVG: lines over an axis, and bars that lie. A white ground makes them readable on dark pages too.

mod axis;
mod bars;
mod lines;
mod svg;

pub(crate) use axis::Axis;
pub(crate) use bars::{Bar, Bars, Row};
pub(crate) use lines::{Lines, Series, Style};

/// Colours that are told apart by colour-blind people too (Okabe & Ito).
pub(crate) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
