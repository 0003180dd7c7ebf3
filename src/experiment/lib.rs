//! Experiments: scenario text in, reports out.

mod listing;
mod sequence;
