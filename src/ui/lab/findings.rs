//! What the worker found last, kind by kind, still sealed where only one page shows it. A new finding takes the place of the old one when it arrives, not before.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::{Diagnostic, Report, RunOptions, Sealed};
use report::isolation::Interleavings;
use report::{AtomicityReport, Board, DrawReport, RunReport};

use super::texts::Source;

/// What a board was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) source: Source,
    /// Of a scenario that is not built in.
    pub(crate) text: Option<String>,
    /// Without the designs: the board itself says which they are.
    pub(crate) options: RunOptions,
}

#[derive(Clone)]
pub(crate) struct Compared {
    pub(crate) board: Arc<Board>,
    pub(crate) asked: Asked,
    /// Does it have all its rows?
    pub(crate) complete: bool,
    /// It came with the site.
    pub(crate) recorded: bool,
}

/// A report, read where it is shown. One that cannot be read would be of another build, and such a worker was refused.
pub(crate) fn opened<T: Report>(sealed: Option<Sealed<T>>) -> Option<Arc<T>> {
    sealed?.open().ok().map(Arc::new)
}

#[derive(Clone, Copy)]
pub(crate) struct Findings {
    /// Why the last question was not answered.
    pub(crate) refused: RwSignal<Vec<Diagnostic>>,
    pub(crate) run: RwSignal<Option<Sealed<RunReport>>>,
    pub(crate) atomicity: RwSignal<Option<Sealed<AtomicityReport>>>,
    /// The board, as far as it is there.
    pub(crate) compared: RwSignal<Option<Compared>>,
    /// What the board that is being made was asked for.
    pub(crate) asked: StoredValue<Option<Asked>>,
    pub(crate) drawn: RwSignal<Option<Sealed<DrawReport>>>,
    pub(crate) interleaved: RwSignal<Option<Sealed<Interleavings>>>,
}

impl Findings {
    pub(crate) fn new() -> Findings {
        Findings {
            refused: RwSignal::new(Vec::new()),
            run: RwSignal::new(None),
            atomicity: RwSignal::new(None),
            compared: RwSignal::new(None),
            asked: StoredValue::new(None),
            drawn: RwSignal::new(None),
            interleaved: RwSignal::new(None),
        }
    }
}
