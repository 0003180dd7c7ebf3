//! Charts as SVG components. Each stands in a [`figure`](figure::figure) with a table of the same
//! figures, which can be taken along as CSV.

pub(crate) mod bars;
pub(crate) mod cdf;
pub(crate) mod figure;
pub(crate) mod legend;
pub(crate) mod marks;
