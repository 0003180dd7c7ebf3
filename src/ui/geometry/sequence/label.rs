//! Room for words: which stretches of which text lines are taken.

/// Of a letter of the labels' monospaced type.
const LETTER: f64 = 6.7;

pub(crate) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// Text lines by their baseline; on each, what is taken.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: Vec<(f64, f64, f64)>,
}

impl Room {
    /// Takes the stretch if nothing is there; gives whether it could.
    pub(crate) fn take(&mut self, baseline: f64, from: f64, to: f64) -> bool {
        let is_free = |(line, left, right): &(f64, f64, f64)| *line != baseline || to < *left || from > *right;
        let free = self.taken.iter().all(is_free);
        if free {
            self.taken.push((baseline, from, to));
        }
        free
    }
}
