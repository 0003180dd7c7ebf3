//! Data → marks → SVG coordinates, in plain Rust: no DOM, no signals, tested natively.
//!
//! Coordinates are CSS pixels from the top left. A chart's component draws what it finds here and
//! decides nothing.

pub(crate) mod bars;
pub(crate) mod cdf;
pub(crate) mod scale;
pub(crate) mod sequence;
pub(crate) mod timeline;
