//! Axes: from values to pixels, and where the ticks go.

use base::Nanos;

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// Linear, from zero: lengths compare as the values do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Linear {
    most: f64,
    pixels: f64,
}

impl Linear {
    /// Up to a round number that is at least `most`.
    pub(crate) fn new(most: Nanos, pixels: f64) -> Linear {
        let most = (most.0 as f64).max(1.0);
        let step = round_step(most / 5.0);
        Linear {
            most: (most / step).ceil() * step,
            pixels,
        }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        (value / self.most).clamp(0.0, 1.0) * self.pixels
    }

    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let step = round_step(self.most / 5.0);
        let count = (self.most / step + 0.5) as u64;
        (0..=count)
            .map(|index| tick(index as f64 * step, |value| self.at(value)))
            .collect()
    }
}

/// Logarithmic: for a distribution with a long tail. Covers whole steps of 1, 2, 5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Logarithmic {
    least: f64,
    most: f64,
    pixels: f64,
}

impl Logarithmic {
    pub(crate) fn new(least: Nanos, most: Nanos, pixels: f64) -> Logarithmic {
        let least = round_down((least.0 as f64).max(1_000.0));
        let most = round_up((most.0 as f64).max(least * 10.0));
        Logarithmic { least, most, pixels }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let ln = base::math::ln;
        let share = ln(value.max(self.least) / self.least) / ln(self.most / self.least);
        share.clamp(0.0, 1.0) * self.pixels
    }

    /// At 1, 2 and 5, or at powers of ten only if those would stand too close.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let mut values = Vec::new();
        let mut value = self.least;
        while value <= self.most * 1.000_001 {
            values.push(value);
            value = round_up(value * 1.01);
        }
        let room = self.pixels / values.len().max(1) as f64;
        let ends = |value: &f64| room >= 48.0 || is_power_of_ten(*value);
        values
            .into_iter()
            .filter(ends)
            .map(|value| tick(value, |value| self.at(value)))
            .collect()
    }
}

fn tick(value: f64, at: impl Fn(f64) -> f64) -> Tick {
    Tick {
        at: at(value),
        label: axis_label(value),
    }
}

/// `0`, `500 µs`, `2 ms`, `1.5 s`: axis values are round already.
pub(crate) fn axis_label(nanos: f64) -> String {
    let (value, unit) = match nanos {
        n if n < 0.5 => return "0".to_owned(),
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let text = format!("{value:.2}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The nearest of 1, 2, 5 × 10ⁿ, not less.
pub(crate) fn round_step(value: f64) -> f64 {
    round_up(value.max(1.0))
}

fn round_up(value: f64) -> f64 {
    let power = power_below(value);
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= value * 0.999_999)
        .unwrap_or(value)
}

fn round_down(value: f64) -> f64 {
    let power = power_below(value);
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round <= value * 1.000_001)
        .unwrap_or(value)
}

fn is_power_of_ten(value: f64) -> bool {
    (value / power_below(value) - 1.0).abs() < 1e-6
}

/// The largest power of ten that is not more than `value` (at least 1).
fn power_below(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= value * 1.000_001 {
        power *= 10.0;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_on_a_round_number() {
        let scale = Linear::new(Nanos::from_millis(78), 500.0);
        assert_eq!(labels(&scale.ticks()), ["0", "20 ms", "40 ms", "60 ms", "80 ms"]);
        assert_eq!(scale.at(40e6), 250.0);
        assert_eq!(scale.at(1e12), 500.0, "what is beyond stays at the edge");
    }

    #[test]
    fn nothing_at_all_still_has_an_axis() {
        let scale = Linear::new(Nanos::ZERO, 500.0);
        assert_eq!(scale.at(0.0), 0.0);
        assert!(scale.ticks().len() < 10);
    }

    #[test]
    fn a_logarithmic_axis_covers_its_values_in_whole_steps() {
        let scale = Logarithmic::new(Nanos(1_300_000), Nanos(42_000_000), 600.0);
        assert_eq!(
            labels(&scale.ticks()),
            ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]
        );
        assert_eq!(scale.at(1e6), 0.0);
        assert_eq!(scale.at(5e7), 600.0);
        assert!(scale.at(2e6) < scale.at(3e6));
    }

    #[test]
    fn a_narrow_logarithmic_axis_keeps_powers_of_ten_only() {
        let scale = Logarithmic::new(Nanos(1_000_000), Nanos(1_000_000_000), 300.0);
        assert_eq!(labels(&scale.ticks()), ["1 ms", "10 ms", "100 ms", "1 s"]);
    }

    #[test]
    fn every_round_value_has_a_short_label() {
        for (value, label) in [
            (0.0, "0"),
            (500e3, "500 µs"),
            (2.5e6, "2.5 ms"),
            (1e9, "1 s"),
            (250.0, "250 ns"),
        ] {
            assert_eq!(axis_label(value), label);
        }
    }
}
