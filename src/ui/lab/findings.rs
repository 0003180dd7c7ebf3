//! What the worker found last, kind by kind. A new finding takes the place of the old one when it arrives, not before.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::Diagnostic;
use report::{AtomicityReport, RunReport};

#[derive(Clone, Copy)]
pub(crate) struct Findings {
    /// Why the last question was not answered.
    pub(crate) refused: RwSignal<Vec<Diagnostic>>,
    pub(crate) run: RwSignal<Option<Arc<RunReport>>>,
    pub(crate) atomicity: RwSignal<Option<Arc<AtomicityReport>>>,
}

impl Findings {
    pub(crate) fn new() -> Findings {
        Findings {
            refused: RwSignal::new(Vec::new()),
            run: RwSignal::new(None),
            atomicity: RwSignal::new(None),
        }
    }
}
