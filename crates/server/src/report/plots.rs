//! What the report draws over time.

use daybreak_model::Percentage;

use super::plot::{Line, Plot, svg};
use crate::readable::{Evidence, Moment, Seen};

/// The e-value that ends a run, as its logarithm to the base 10.
const ENDS_AT: f64 = 2.0;

/// Every plot, if anything was seen over time.
pub(super) fn all(page: &mut String, seen: &Seen, evidence: &Evidence) {
    if evidence.timeline.len() < 2 {
        return;
    }
    // What is known only after the run's end stands at its end: the run is no longer than it was.
    let last = evidence.timeline.last().map(|moment| moment.at);
    let length = seen.ended_at.or(last).map_or(0.0, |at| seen.seconds(at)).max(1.0);
    let begun = |(until, share)| (seen.seconds(until), share);
    let untils = seen.ramp.iter().map(|stage| stage.until);
    let shares = seen.ramp.iter().skip(1).map(|stage| stage.percentage.clone()).chain([seen.percentage.clone()]);
    let stages: Vec<(f64, String)> = untils.zip(shares).map(begun).filter(|(at, _)| *at <= length).collect();
    let points = |of: &dyn Fn(&Moment) -> Option<f64>| {
        evidence.timeline.iter().filter_map(|moment| Some((seen.seconds(moment.at), of(moment)?))).collect()
    };
    let plot = |title, unit, lines, level, log| svg(&Plot { title, unit, lines, level, log, length, stages: &stages });
    page.push_str("<section><h2>Over time</h2>\n");
    let bad = [
        Line { name: "treated", class: "treated", points: points(&|moment| Some(100.0 * moment.treated.bad_rate())) },
        Line { name: "control", class: "control", points: points(&|moment| Some(100.0 * moment.control.bad_rate())) },
    ];
    page.push_str(&plot("Bad requests so far", "%", bad.into(), None, false));
    let e_value = points(&|moment| Some(moment.harm_ln_e / std::f64::consts::LN_10));
    let e_value = vec![Line { name: "e-value", class: "treated", points: e_value }];
    page.push_str(&plot("E-value of harm", "", e_value, Some((ENDS_AT, "100 ends the run")), true));
    let upper: Vec<_> = points(&|moment| Some(100.0 * moment.harm_upper?));
    if !upper.is_empty() {
        let tolerated = seen.tolerated.parse::<Percentage>().ok();
        let level = tolerated.map(|tolerated| (100.0 * tolerated.ratio(), "tolerated"));
        let upper = vec![Line { name: "harm", class: "treated", points: upper }];
        page.push_str(&plot("Harm to struck requests, at most", "%", upper, level, false));
    }
    page.push_str("</section>\n");
}
