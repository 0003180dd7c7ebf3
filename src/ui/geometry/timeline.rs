//! The time axis of a drawn execution: linear where something happens, with long idle stretches
//! shortened to a visible break.
//!
//! ```text
//! 0      1 ms    2 ms   ⌇ 2.50 s ⌇   2.503 s
//! ├───────┼───────┼─────⌇────────⌇──────┤
//! ```
//!
//! A step takes a fraction of a millisecond and a restart takes seconds; on one linear axis either the
//! steps vanish or the drawing is a kilometre wide. A logarithmic axis would show both, and bend every
//! length: that COMMIT takes longer than INSERT could no longer be seen. So the scale is one and the
//! same wherever anything happens, lengths compare, and a stretch in which nothing begins or ends is cut
//! out if it outweighs the rest. A break says how much it leaves out. Playing crosses it in a moment,
//! too: a person waits as long as the picture is wide, not as long as the server was down.
//!
//! Several drawings that are compared share one axis: their instants are put together.

use base::{Nanos, Time};

use super::scale::{Tick, round_step};

/// A stretch that is drawn shorter than it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Break {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// How long it was.
    pub(crate) label: String,
}

/// A stretch between two instants and its place on the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    from: Time,
    to: Time,
    left: f64,
    right: f64,
    broken: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    origin: Time,
    spans: Vec<Span>,
    left: f64,
    /// Nanoseconds per pixel where nothing is left out.
    density: f64,
}

/// What a break takes, in pixels.
const BREAK: f64 = 72.0;

/// What a break takes when it is played.
const CROSSING: Nanos = Nanos::from_millis(900);

/// A stretch is broken if it takes more than this share of all that is not broken.
const LONG: f64 = 0.4;

impl Timeline {
    /// Over the instants of the marks, from pixel `left` to pixel `right`.
    pub(crate) fn new(mut instants: Vec<Time>, left: f64, right: f64) -> Timeline {
        instants.sort_unstable();
        instants.dedup();
        let origin = instants.first().copied().unwrap_or(Time::ZERO);
        let lengths: Vec<u64> = instants.windows(2).map(|pair| pair[1].since(pair[0]).0).collect();
        let broken = long_stretches(&lengths);
        let breaks = broken.iter().filter(|broken| **broken).count() as f64 * BREAK;
        let linear: u64 = lengths
            .iter()
            .zip(&broken)
            .filter(|(_, broken)| !**broken)
            .map(|(length, _)| length)
            .sum();
        let density = linear.max(1) as f64 / (right - left - breaks).max(1.0);
        let mut at = left;
        let mut spans = Vec::with_capacity(lengths.len());
        for (index, pair) in instants.windows(2).enumerate() {
            let width = if broken[index] {
                BREAK
            } else {
                lengths[index] as f64 / density
            };
            spans.push(Span {
                from: pair[0],
                to: pair[1],
                left: at,
                right: at + width,
                broken: broken[index],
            });
            at += width;
        }
        Timeline {
            origin,
            spans,
            left,
            density,
        }
    }

    /// Where an instant lies; before the first and after the last, at the edges.
    pub(crate) fn at(&self, time: Time) -> f64 {
        let index = self.spans.partition_point(|span| span.to < time);
        match self.spans.get(index) {
            Some(span) if time <= span.from => span.left,
            Some(span) => {
                let share = time.since(span.from).0 as f64 / span.to.since(span.from).0.max(1) as f64;
                span.left + share * (span.right - span.left)
            }
            None => self.spans.last().map_or(self.left, |span| span.right),
        }
    }

    /// The instant at a place: the inverse of [`Timeline::at`].
    pub(crate) fn instant(&self, x: f64) -> Time {
        let index = self.spans.partition_point(|span| span.right < x);
        match self.spans.get(index) {
            Some(span) if x <= span.left => span.from,
            Some(span) => {
                let share = (x - span.left) / (span.right - span.left).max(f64::EPSILON);
                span.from + Nanos((span.to.since(span.from).0 as f64 * share) as u64)
            }
            None => self.spans.last().map_or(self.origin, |span| span.to),
        }
    }

    /// Where the cursor is after playing for `elapsed` of a person's time, each nanosecond of the run taking
    /// `slowdown`. A break takes [`CROSSING`], whatever its length.
    pub(crate) fn play(&self, from: Time, elapsed: Nanos, slowdown: u64) -> Time {
        let mut now = from.max(self.origin);
        let mut left = elapsed.0 as f64;
        let first = self.spans.partition_point(|span| span.to <= now);
        for span in &self.spans[first..] {
            let rest = span.to.since(now).0 as f64;
            let takes = if span.broken {
                CROSSING.0 as f64 * rest / span.to.since(span.from).0.max(1) as f64
            } else {
                rest * slowdown.max(1) as f64
            };
            if takes > left {
                return now + Nanos((rest * left / takes) as u64);
            }
            left -= takes;
            now = span.to;
        }
        now
    }

    /// How long all that is not left out took.
    pub(crate) fn drawn(&self) -> Nanos {
        let shown = self.spans.iter().filter(|span| !span.broken);
        Nanos(shown.map(|span| span.to.since(span.from).0).sum())
    }

    pub(crate) fn breaks(&self) -> Vec<Break> {
        let broken = self.spans.iter().filter(|span| span.broken);
        broken
            .map(|span| Break {
                from: span.left,
                to: span.right,
                label: span.to.since(span.from).to_string(),
            })
            .collect()
    }

    /// Round times since the first instant, none too close to a break's label or to its neighbour.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let step = round_step(self.density * 110.0);
        let mut ticks: Vec<Tick> = Vec::new();
        for span in self.spans.iter().filter(|span| !span.broken) {
            let (from, to) = (
                span.from.since(self.origin).0 as f64,
                span.to.since(self.origin).0 as f64,
            );
            let mut value = (from / step).ceil() * step;
            while value <= to {
                let at = self.at(self.origin + base::Nanos(value as u64));
                let covered = self
                    .breaks()
                    .iter()
                    .any(|gap| ((gap.from + gap.to) / 2.0 - at).abs() < 62.0);
                if !covered && ticks.last().is_none_or(|last| at - last.at >= 56.0) {
                    ticks.push(Tick {
                        at,
                        label: tick_label(value, step),
                    });
                }
                value += step;
            }
        }
        ticks
    }
}

/// Beyond a break values are large and steps small: with as many decimals as tell neighbours apart.
fn tick_label(value: f64, step: f64) -> String {
    let (unit, name) = match value {
        v if v < 0.5 => return "0".to_owned(),
        v if v < 1e3 => (1.0, "ns"),
        v if v < 1e6 => (1e3, "µs"),
        v if v < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let mut decimals = 0;
    let mut finest = unit;
    while finest > step * 1.000_001 && decimals < 9 {
        finest /= 10.0;
        decimals += 1;
    }
    let text = format!("{:.decimals$}", value / unit);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text} {name}")
}

/// Takes the longest stretches away, one by one, while one of them outweighs the rest.
fn long_stretches(lengths: &[u64]) -> Vec<bool> {
    let mut broken = vec![false; lengths.len()];
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(lengths[*index]), *index));
    let mut rest: u64 = lengths.iter().sum();
    // Two stretches or fewer have nothing to be compared with.
    for index in order.into_iter().take(lengths.len().saturating_sub(2)) {
        if (lengths[index] as f64) < LONG * rest as f64 {
            break;
        }
        broken[index] = true;
        rest -= lengths[index];
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(list: &[u64]) -> Vec<Time> {
        list.iter().map(|millis| Time(millis * 1_000_000)).collect()
    }

    #[test]
    fn without_long_stretches_it_is_linear() {
        let line = Timeline::new(millis(&[0, 1, 2, 3, 4]), 100.0, 500.0);
        assert!(line.breaks().is_empty());
        assert_eq!(line.at(Time(2_000_000)), 300.0);
        assert_eq!(line.at(Time(2_500_000)), 350.0);
    }

    #[test]
    fn a_long_stretch_becomes_a_break_that_says_how_long() {
        let line = Timeline::new(millis(&[0, 1, 2, 2_002, 2_003, 2_004]), 0.0, 472.0);
        let breaks = line.breaks();
        assert_eq!(breaks.len(), 1);
        assert_eq!(breaks[0].label, "2.00 s");
        assert_eq!(line.at(Time(1_000_000)), 100.0);
        assert_eq!(line.at(Time(2_002_000_000)) - line.at(Time(2_000_000)), BREAK);
        assert_eq!(line.at(Time(2_004_000_000)), 472.0);
    }

    #[test]
    fn time_never_runs_backwards() {
        let line = Timeline::new(millis(&[5, 9, 10, 800, 801, 5_000, 5_001, 5_002]), 100.0, 900.0);
        let places: Vec<f64> = (0..6_000).map(|milli| line.at(Time(milli * 1_000_000))).collect();
        assert!(places.is_sorted());
        assert_eq!((places[0], places[5_999]), (100.0, 900.0));
    }

    #[test]
    fn a_place_leads_back_to_its_instant() {
        let line = Timeline::new(millis(&[5, 9, 10, 800, 801, 5_000, 5_001, 5_002]), 100.0, 900.0);
        for micros in (5_000..5_002_000).step_by(997) {
            let time = Time(micros * 1_000);
            let back = line.instant(line.at(time));
            let off = back.max(time).since(back.min(time));
            assert!(off.0 <= 2_000, "{time} came back as {back}");
        }
        assert_eq!(line.instant(-5.0), Time(5_000_000));
        assert_eq!(line.instant(1e9), Time(5_002_000_000));
    }

    #[test]
    fn playing_goes_on_at_its_pace_and_crosses_a_break_in_a_moment() {
        let line = Timeline::new(millis(&[0, 1, 2, 2_002, 2_003, 2_004]), 0.0, 472.0);
        assert_eq!(line.play(Time(0), Nanos::from_millis(100), 100), Time(1_000_000));
        // 200 ms for the first two milliseconds, then half of the break.
        let half = line.play(Time(0), Nanos::from_millis(650), 100);
        assert_eq!(half, Time(1_002_000_000));
        let past = line.play(half, Nanos::from_millis(550), 100);
        assert_eq!(past, Time(2_003_000_000));
        assert_eq!(
            line.play(past, Nanos::from_secs(60), 100),
            Time(2_004_000_000),
            "and ends"
        );
        assert_eq!(line.drawn(), Nanos::from_millis(4));
    }

    #[test]
    fn small_frames_add_up_to_large_ones() {
        let line = Timeline::new(millis(&[0, 1, 2, 2_002, 2_003, 2_004]), 0.0, 472.0);
        let mut now = Time(0);
        for _ in 0..60 {
            let next = line.play(now, Nanos::from_millis(16), 100);
            assert!(next >= now, "time never runs backwards");
            now = next;
        }
        let at_once = line.play(Time(0), Nanos::from_millis(960), 100);
        let off = now.max(at_once).since(now.min(at_once));
        assert!(off < Nanos::from_micros(10), "{now} and {at_once}");
    }

    #[test]
    fn nothing_and_one_instant_are_drawn_at_the_left() {
        assert_eq!(Timeline::new(vec![], 10.0, 90.0).at(Time(7)), 10.0);
        assert_eq!(Timeline::new(millis(&[3]), 10.0, 90.0).at(Time(7)), 10.0);
    }

    #[test]
    fn neighbouring_ticks_have_different_labels() {
        let line = Timeline::new(millis(&[0, 1, 2, 1_002, 1_003, 1_004, 1_005, 1_006]), 0.0, 1_500.0);
        let mut labels: Vec<String> = line.ticks().into_iter().map(|tick| tick.label).collect();
        assert!(
            labels.contains(&"1 ms".to_owned()) && labels.contains(&"1.005 s".to_owned()),
            "{labels:?}"
        );
        let all = labels.len();
        labels.dedup();
        assert_eq!(labels.len(), all);
        assert_eq!(tick_label(500e3, 250e3), "500 µs");
        assert_eq!(tick_label(2.5e6, 5e5), "2.5 ms");
    }

    #[test]
    fn ticks_avoid_breaks_and_each_other() {
        let line = Timeline::new(millis(&[0, 1, 2, 2_002, 2_003, 2_004]), 0.0, 900.0);
        let ticks = line.ticks();
        assert!(ticks.len() > 3, "{ticks:?}");
        assert!(ticks.windows(2).all(|pair| pair[1].at - pair[0].at >= 56.0));
        let gap = &line.breaks()[0];
        assert!(ticks.iter().all(|tick| tick.at <= gap.from || tick.at >= gap.to));
    }
}
