//! The one time cursor: where it stands, what moves it, and the clock that plays.

use std::time::Duration;

use base::{Nanos, Time};
use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;
use report::Sequence;

use super::score::{Cursor, Score, fitting_slowdown};
use crate::browser;
use crate::geometry::sequence::axis;
use crate::geometry::timeline::Timeline;

/// As wide as a drawing is before anybody has measured.
const WIDTH: f64 = 640.0;

/// For people who want nothing to move: from event to event instead.
const BETWEEN_EVENTS: Duration = Duration::from_millis(900);

/// A frame that came late (the tab was hidden) makes no leap.
const LONGEST_FRAME_MS: f64 = 100.0;

#[derive(Clone, Copy)]
pub(crate) struct Playback {
    sequences: StoredValue<Vec<Sequence>>,
    score: StoredValue<Score>,
    pub(crate) cursor: RwSignal<Cursor>,
    pub(crate) playing: RwSignal<bool>,
    /// So many nanoseconds of a person's time for one of the run.
    pub(crate) slowdown: RwSignal<u64>,
    /// 0: everything fits.
    pub(crate) zoom: RwSignal<u32>,
    /// Of the place for a drawing, in pixels.
    pub(crate) width: RwSignal<f64>,
    /// What a screen reader hears after a step.
    pub(crate) said: RwSignal<String>,
    /// The axis that all drawings share, and their width.
    pub(crate) axis: Memo<(Timeline, f64)>,
    interval: StoredValue<Option<IntervalHandle>>,
    now: Option<RwSignal<Time>>,
}

impl Playback {
    pub(crate) fn new(sequences: Vec<Sequence>, now: Option<RwSignal<Time>>) -> Playback {
        let score = Score::new(&sequences);
        let cursor = now.map_or_else(|| score.nth(0), |now| score.until(now.get_untracked()));
        let length = axis(&sequences, WIDTH, 1).0.drawn();
        let sequences = StoredValue::new(sequences);
        let (zoom, width) = (RwSignal::new(1), RwSignal::new(WIDTH));
        Playback {
            sequences,
            score: StoredValue::new(score),
            cursor: RwSignal::new(cursor),
            playing: RwSignal::new(false),
            slowdown: RwSignal::new(fitting_slowdown(length)),
            zoom,
            width,
            said: RwSignal::new(String::new()),
            axis: Memo::new(move |_| sequences.with_value(|sequences| axis(sequences, width.get(), zoom.get()))),
            interval: StoredValue::new(None),
            now,
        }
    }

    // ── Where it is ─────────────────────────────────────────────────────────────────────────────

    pub(crate) fn events(self) -> usize {
        self.score.with_value(Score::len)
    }

    pub(crate) fn end(self) -> Time {
        let ends = |sequences: &Vec<Sequence>| sequences.iter().map(|sequence| sequence.to).max();
        self.sequences.with_value(ends).unwrap_or(Time::ZERO)
    }

    /// The sentence that an execution has come to.
    pub(crate) fn current(self, execution: usize) -> Option<usize> {
        let cursor = self.cursor.get();
        self.score.with_value(|score| score.current(cursor, execution))
    }

    /// The event that happened last, as it is read out.
    pub(crate) fn sentence(self) -> String {
        let cursor = self.cursor.get();
        let Some((execution, sentence)) = self.score.with_value(|score| score.latest(cursor)) else {
            return String::new();
        };
        self.sequences.with_value(|sequences| {
            let said = sequences
                .get(execution)
                .and_then(|sequence| sequence.sentences.get(sentence));
            said.map(|said| format!("{}: {}", said.at, said.text))
                .unwrap_or_default()
        })
    }

    // ── What moves it ───────────────────────────────────────────────────────────────────────────

    fn go(self, to: impl FnOnce(&Score, Cursor) -> Cursor) {
        let cursor = self.cursor.get_untracked();
        let next = self.score.with_value(|score| to(score, cursor));
        if next != cursor {
            self.cursor.set(next);
            if let Some(now) = self.now {
                now.set(next.at);
            }
        }
    }

    fn step(self, to: impl FnOnce(&Score, Cursor) -> Cursor) {
        self.pause();
        self.go(to);
        self.said.set(untrack(move || self.sentence()));
    }

    pub(crate) fn step_forward(self) {
        self.step(Score::next);
    }

    pub(crate) fn step_back(self) {
        self.step(Score::previous);
    }

    pub(crate) fn rewind(self) {
        self.step(|score, _| score.nth(0));
    }

    pub(crate) fn wind(self) {
        self.step(|score, _| score.last());
    }

    /// To the n-th event; the slider says by itself where it is.
    pub(crate) fn slide(self, index: usize) {
        self.pause();
        self.go(|score, _| score.nth(index));
    }

    pub(crate) fn to_sentence(self, execution: usize, sentence: usize) {
        self.pause();
        self.go(|score, _| score.sentence(execution, sentence));
    }

    /// To a place of the drawings.
    pub(crate) fn to_place(self, x: f64) {
        self.pause();
        let at = self.axis.with_untracked(|(timeline, _)| timeline.instant(x));
        self.go(|score, _| score.until(at));
    }

    /// To the last event before an instant.
    pub(crate) fn to_before(self, at: Time) {
        self.step(|score, _| score.until(Time(at.0.saturating_sub(1))));
    }

    // ── The clock ───────────────────────────────────────────────────────────────────────────────

    pub(crate) fn toggle(self) {
        if self.playing.get_untracked() {
            return self.pause();
        }
        if self.is_over() {
            self.go(|score, _| score.nth(0));
        }
        self.playing.set(true);
        if browser::prefers_less_motion() {
            let advance = move || {
                self.go(Score::next);
                if self.is_over() {
                    self.pause();
                }
            };
            // Without a timer there is no play; stepping still works.
            self.interval
                .set_value(set_interval_with_handle(advance, BETWEEN_EVENTS).ok());
        } else {
            self.next_frame(js_sys::Date::now());
        }
    }

    pub(crate) fn pause(self) {
        if let Some(interval) = self.interval.try_update_value(Option::take).flatten() {
            interval.clear();
        }
        if self.playing.try_get_untracked() == Some(true) {
            self.playing.set(false);
        }
    }

    fn is_over(self) -> bool {
        let cursor = self.cursor.get_untracked();
        cursor.at >= self.end() || cursor.index() + 1 >= self.events()
    }

    fn next_frame(self, before_ms: f64) {
        request_animation_frame(move || self.frame(before_ms));
    }

    fn frame(self, before_ms: f64) {
        // It may be gone meanwhile, or have been paused.
        if self.playing.try_get_untracked() != Some(true) {
            return;
        }
        let now_ms = js_sys::Date::now();
        let elapsed = Nanos(((now_ms - before_ms).clamp(0.0, LONGEST_FRAME_MS) * 1e6) as u64);
        let (from, slowdown) = (self.cursor.get_untracked().at, self.slowdown.get_untracked());
        let at = self
            .axis
            .with_untracked(|(timeline, _)| timeline.play(from, elapsed, slowdown));
        self.go(|score, _| score.until(at));
        if at >= self.end() {
            self.pause();
        } else {
            self.next_frame(now_ms);
        }
    }
}
