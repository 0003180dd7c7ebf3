//! Experiments from a scenario's text to a report.

mod sign_up;
