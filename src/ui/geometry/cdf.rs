//! The cumulative distribution of latencies as steps: for every share, how slow it gets.

use base::Nanos;

use super::scale::{Logarithmic, Tick};

/// (latency, share of requests at most that slow), both rising.
pub(crate) type Points = Vec<(Nanos, f64)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cdf {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) bottom: f64,
    pub(crate) x: Vec<Tick>,
    pub(crate) y: Vec<Tick>,
    /// The `d` of one SVG path per design; empty without data.
    pub(crate) paths: Vec<String>,
}

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 28.0;
const RIGHT_MARGIN: f64 = 24.0;

pub(crate) fn cdf(designs: &[Points], width: f64) -> Cdf {
    let latencies = || designs.iter().flatten().map(|(latency, _)| *latency);
    let least = latencies().min().unwrap_or(Nanos::from_millis(1));
    let most = latencies().max().unwrap_or(Nanos::from_secs(1));
    let x = Logarithmic::new(least, most, width - LEFT - RIGHT_MARGIN);
    let y = |share: f64| BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP);
    let shift = |tick: Tick| Tick {
        at: tick.at + LEFT,
        ..tick
    };
    Cdf {
        width,
        height: HEIGHT,
        left: LEFT,
        bottom: BOTTOM,
        x: x.ticks().into_iter().map(shift).collect(),
        y: [0.0, 0.25, 0.5, 0.75, 1.0]
            .map(|share| Tick {
                at: y(share),
                label: format!("{:.0} %", share * 100.0),
            })
            .into(),
        paths: designs
            .iter()
            .map(|points| steps(points, |latency| LEFT + x.at(latency.0 as f64), y))
            .collect(),
    }
}

/// Horizontal, then up: between two observed latencies nothing was observed.
fn steps(points: &Points, x: impl Fn(Nanos) -> f64, y: impl Fn(f64) -> f64) -> String {
    let Some((first, _)) = points.first() else {
        return String::new();
    };
    let mut path = format!("M{:.1} {:.1}", x(*first), y(0.0));
    for (latency, share) in points {
        path.push_str(&format!("H{:.1}V{:.1}", x(*latency), y(*share)));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_goes_across_and_then_up() {
        let points = vec![(Nanos::from_millis(1), 0.5), (Nanos::from_millis(10), 1.0)];
        let chart = cdf(&[points], LEFT + RIGHT_MARGIN + 100.0);
        assert_eq!(chart.paths, ["M44.0 212.0H44.0V111.0H144.0V10.0"]);
    }

    #[test]
    fn a_design_without_answers_has_no_line_and_disturbs_no_other() {
        let points = vec![(Nanos::from_millis(1), 0.5), (Nanos::from_millis(10), 1.0)];
        let both = cdf(&[vec![], points.clone()], 300.0);
        assert_eq!(both.paths[0], "");
        assert_eq!(both.paths[1], cdf(&[points], 300.0).paths[0]);
        assert_eq!(cdf(&[], 300.0).paths, Vec::<String>::new());
    }
}
