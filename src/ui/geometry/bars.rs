//! Percentile bars: one row per design, all on one axis.

use base::Nanos;

use super::scale::{Linear, Tick};

/// What one row shows; a design without answers has no latencies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) title: String,
    pub(crate) values: Option<[Nanos; 3]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) title: String,
    /// The line for the title.
    pub(crate) title_y: f64,
    pub(crate) y: f64,
    pub(crate) height: f64,
    /// Where the median, the 90th and the 99th percentile end.
    pub(crate) ends: Option<[f64; 3]>,
}

const ROW: f64 = 46.0;
const TOP: f64 = 22.0;
const BAR: f64 = 14.0;

/// `most` is the locked end of the axis: the same for all charts that are compared.
pub(crate) fn bars(designs: &[Percentiles], most: Nanos, width: f64) -> Bars {
    let scale = Linear::new(most, width - 28.0);
    let row = |(index, design): (usize, &Percentiles)| {
        let top = TOP + index as f64 * ROW;
        Row {
            title: design.title.clone(),
            title_y: top + 18.0,
            y: top + 25.0,
            height: BAR,
            ends: design.values.map(|values| values.map(|value| scale.at(value.0 as f64))),
        }
    };
    Bars {
        width,
        height: TOP + designs.len() as f64 * ROW + 4.0,
        ticks: scale.ticks(),
        rows: designs.iter().enumerate().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_share_one_axis() {
        let designs = [
            Percentiles {
                title: "a".to_owned(),
                values: Some([1, 2, 4].map(Nanos::from_millis)),
            },
            Percentiles {
                title: "b".to_owned(),
                values: Some([2, 4, 8].map(Nanos::from_millis)),
            },
        ];
        let bars = bars(&designs, Nanos::from_millis(8), 428.0);
        let ends: Vec<[f64; 3]> = bars.rows.iter().filter_map(|row| row.ends).collect();
        assert_eq!(ends, [[50.0, 100.0, 200.0], [100.0, 200.0, 400.0]]);
    }

    #[test]
    fn a_design_without_answers_keeps_its_row_and_has_no_bar() {
        let designs = [Percentiles {
            title: "a".to_owned(),
            values: None,
        }];
        let bars = bars(&designs, Nanos::ZERO, 400.0);
        assert_eq!(bars.rows.len(), 1);
        assert_eq!(bars.rows[0].ends, None);
    }
}
