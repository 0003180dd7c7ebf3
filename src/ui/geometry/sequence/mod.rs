//! A sampled execution as a drawing. Lanes' names stand beside it, so that they stay when it is scrolled.
//!
//! ```text
//!            0      1 ms     2 ms
//! client     ╲                         ╱      a slanted line: a message
//! service     ▆       ▆  ░░░░  ▆      ▆       solid: work, hatched: waiting
//! server        ▆▆▆●      ✕                   dot: commit, ✕: fault
//!              └────┘                         bracket: a transaction
//! ────────
//! in sight           ░░ 1 of 2 ░░             between two commits: others see half of it
//! every user has a role  ▨▨▨▨▨▨▨              band: an invariant is broken
//! ```

mod label;
#[cfg(test)]
mod tests;

use base::Time;
use program::{NodeKind, Role};
use report::{Mark, Sequence};

use super::scale::Tick;
use super::timeline::{Break, Timeline};
use label::{Room, text_width};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    /// Below the axis.
    pub(crate) top: f64,
    /// Where the lanes end and the rows below them begin.
    pub(crate) lanes_end: f64,
    pub(crate) rows: Vec<Row>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) breaks: Vec<Break>,
    pub(crate) works: Vec<Work>,
    pub(crate) waits: Vec<Stretch>,
    pub(crate) downs: Vec<Stretch>,
    pub(crate) messages: Vec<Line>,
    pub(crate) brackets: Vec<Bracket>,
    pub(crate) faults: Vec<Label>,
    pub(crate) parts: Vec<Stretch>,
    pub(crate) bands: Vec<Stretch>,
    pub(crate) timeline: Timeline,
}

/// A lane or a row below the lanes; its line lies at `y`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) y: f64,
    pub(crate) kind: RowKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// A process: client, service.
    Process,
    /// A server that keeps rows or items.
    Store,
    /// How much of the operation others can see.
    Parts,
    Invariant,
}

/// A box on a lane; its label if there is room for one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) step: u32,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) label: Option<Label>,
    pub(crate) title: String,
    pub(crate) sign: Sign,
}

/// What a saga's step is besides work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    None,
    /// The go / no-go.
    Pivot,
    /// Undoes what was done.
    Compensation,
}

/// A hatched box with what it says; the words are left out where they would cover others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) label: Option<Label>,
    pub(crate) title: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) from: (f64, f64),
    pub(crate) to: (f64, f64),
    pub(crate) reply: bool,
    pub(crate) lost: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bracket {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) y: f64,
    /// The commit's dot lies at `(to, lane)`.
    pub(crate) lane: f64,
    pub(crate) committed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) text: String,
}

/// Half the height of a box.
pub(crate) const HALF: f64 = 8.0;
/// From a lane's line down to a bracket, and the bracket's height.
pub(crate) const BRACKET: (f64, f64) = (13.0, 6.0);
const LEFT: f64 = 16.0;
const TOP: f64 = 34.0;
const LANE: f64 = 62.0;
const BAND: f64 = 46.0;
const RIGHT_MARGIN: f64 = 34.0;
/// Below this width steps would stand on each other.
const PIXELS_PER_MARK: f64 = 16.0;
const LEAST_BOX: f64 = 5.0;
/// From a lane's line to the baseline of a label above it, and below it.
const ABOVE: f64 = -13.0;
const BELOW: f64 = 31.0;
/// A second line above, for what has no room on the first: the line of what the lane above says below.
const HIGH_ABOVE: f64 = BELOW - LANE;

/// The axis over some executions, all measured from when they were asked: as wide as is given, or as much
/// wider as steps need to be told apart, times `zoom`. Zoom zero fits everything into the width.
pub(crate) fn axis(sequences: &[Sequence], width: f64, zoom: u32) -> (Timeline, f64) {
    let marks = || sequences.iter().flat_map(|sequence| &sequence.marks);
    let most = sequences.iter().map(|sequence| sequence.marks.len()).max().unwrap_or(0);
    let told_apart = LEFT + RIGHT_MARGIN + PIXELS_PER_MARK * most as f64;
    let width = match zoom {
        0 => width,
        zoom => width.max(told_apart) * f64::from(zoom),
    };
    let ends = marks().flat_map(|mark| <[Time; 2]>::from(mark.span()));
    let asked = (!sequences.is_empty()).then_some(Time::ZERO);
    let instants = asked.into_iter().chain(ends).collect();
    (Timeline::new(instants, LEFT, width - RIGHT_MARGIN), width)
}

pub(crate) fn draw(sequence: &Sequence, timeline: &Timeline, width: f64) -> Drawing {
    let rows: Vec<Row> = (sequence.lanes.iter().enumerate())
        .map(|(index, lane)| Row {
            name: lane.name.clone(),
            y: lane_y(index as u16),
            kind: match lane.kind {
                NodeKind::SqlServer | NodeKind::DynamoDb | NodeKind::ObjectStore | NodeKind::EventBus => RowKind::Store,
                NodeKind::Client | NodeKind::Service => RowKind::Process,
            },
        })
        .collect();
    let lanes_end = TOP + rows.len() as f64 * LANE;
    let mut drawing = Drawing {
        width,
        height: lanes_end,
        left: LEFT,
        right: width - RIGHT_MARGIN,
        top: TOP - 10.0,
        lanes_end,
        ticks: timeline.ticks(),
        breaks: timeline.breaks(),
        rows,
        works: Vec::new(),
        waits: Vec::new(),
        downs: Vec::new(),
        messages: Vec::new(),
        brackets: Vec::new(),
        faults: Vec::new(),
        parts: Vec::new(),
        bands: Vec::new(),
        timeline: timeline.clone(),
    };
    for mark in &sequence.marks {
        drawing.add(mark);
    }
    drawing.add_parts(sequence);
    drawing.add_bands(sequence);
    drawing.say_once();
    drawing.leave_out_crowded_labels();
    drawing
}

impl Drawing {
    fn add(&mut self, mark: &Mark) {
        let at = |time: &Time| self.timeline.at(*time);
        match mark {
            Mark::Work {
                lane,
                from,
                to,
                step,
                label,
                role,
                ..
            } => {
                let (x, right) = (at(from), at(to));
                self.works.push(Work {
                    step: *step,
                    x,
                    y: lane_y(*lane),
                    width: (right - x).max(LEAST_BOX),
                    label: Some(Label {
                        x,
                        y: lane_y(*lane) + ABOVE,
                        text: format!("{step} {label}"),
                    }),
                    title: format!("{step} {label}: {}", to.since(*from)),
                    sign: match role {
                        Role::Pivot => Sign::Pivot,
                        Role::Compensation => Sign::Compensation,
                        _ => Sign::None,
                    },
                });
            }
            Mark::Wait { lane, from, to, cause } => {
                let title = format!("waits for {cause}: {}", to.since(*from));
                let stretch = self.stretch(lane_y(*lane), *from, *to, BELOW, cause.clone(), title);
                self.waits.push(stretch);
            }
            Mark::Down { lane, from, to } => {
                let text = format!("down {}", to.since(*from));
                let stretch = self.stretch(lane_y(*lane), *from, *to, ABOVE, text.clone(), text);
                self.downs.push(stretch);
            }
            Mark::Message {
                from_lane,
                to_lane,
                sent,
                arrives,
                reply,
            } => {
                let line = self.message(*from_lane, *to_lane, *sent, *arrives, *reply);
                self.messages.push(line);
            }
            Mark::Transaction {
                lane,
                from,
                to,
                committed,
            } => {
                let y = lane_y(*lane);
                let (from, to) = (at(from), at(to));
                self.brackets.push(Bracket {
                    from,
                    to,
                    y: y + BRACKET.0,
                    lane: y,
                    committed: *committed,
                });
            }
            Mark::Fault { lane, at: time, label } => {
                let (x, y) = (at(time), lane_y(*lane));
                self.faults.push(Label {
                    x,
                    y,
                    text: label.clone(),
                });
            }
            Mark::Broken { .. } | Mark::Partly { .. } => {}
        }
    }

    /// `label` is what the baseline is off the line.
    fn stretch(&self, y: f64, from: Time, to: Time, label: f64, text: String, title: String) -> Stretch {
        let (x, right) = (self.timeline.at(from), self.timeline.at(to));
        let label = Label {
            x: (x + right) / 2.0,
            y: y + label,
            text,
        };
        Stretch {
            x,
            y,
            width: (right - x).max(2.0),
            label: Some(label),
            title,
        }
    }

    fn message(&self, from_lane: u16, to_lane: u16, sent: Time, arrives: Option<Time>, reply: bool) -> Line {
        let (from, to) = (lane_y(from_lane), lane_y(to_lane));
        let towards = if to >= from { 1.0 } else { -1.0 };
        let start = (self.timeline.at(sent), from + towards * (HALF + 1.0));
        let end = match arrives {
            Some(arrives) => (self.timeline.at(arrives), to - towards * (HALF + 1.0)),
            // A lost message ends half-way.
            None => (start.0 + 12.0, (from + to) / 2.0),
        };
        Line {
            from: start,
            to: end,
            reply,
            lost: arrives.is_none(),
        }
    }

    fn add_row(&mut self, name: String, kind: RowKind) -> f64 {
        let y = self.height + BAND - 14.0;
        self.height += BAND;
        self.rows.push(Row { name, y, kind });
        y
    }

    /// One row below the lanes: how much of the operation others can see, while it is not all of it.
    fn add_parts(&mut self, sequence: &Sequence) {
        let partly = |mark: &Mark| match mark {
            Mark::Partly { from, to, done, of } => Some((*from, *to, *done, *of)),
            _ => None,
        };
        let found: Vec<_> = sequence.marks.iter().filter_map(partly).collect();
        if found.is_empty() {
            return;
        }
        let y = self.add_row("half in sight".to_owned(), RowKind::Parts);
        for (from, to, done, of) in found {
            let text = format!("{done} of {of} committed");
            let title = format!("others can see {done} of {of} parts for {}", to.since(from));
            let stretch = self.stretch(y, from, to, ABOVE, text, title);
            self.parts.push(self.left_aligned(stretch));
        }
    }

    /// One row per invariant, below the lanes.
    fn add_bands(&mut self, sequence: &Sequence) {
        for mark in &sequence.marks {
            let Mark::Broken {
                invariant,
                from,
                to,
                readers,
            } = mark
            else {
                continue;
            };
            let is_its = |row: &&Row| row.kind == RowKind::Invariant && row.name == *invariant;
            let y = self.rows.iter().find(is_its).map(|row| row.y);
            let y = y.unwrap_or_else(|| self.add_row(invariant.clone(), RowKind::Invariant));
            let text = report::broken_for(*from, *to, *readers);
            let title = format!("{invariant}: {text}");
            let stretch = self.stretch(y, *from, *to, ABOVE, text, title);
            self.bands.push(self.left_aligned(stretch));
        }
    }

    /// Its words begin where it begins, as far as they fit into the drawing.
    fn left_aligned(&self, mut stretch: Stretch) -> Stretch {
        if let Some(label) = &mut stretch.label {
            let last = self.right - text_width(&label.text);
            label.x = stretch.x.min(last).max(self.left);
        }
        stretch
    }

    /// A step works at several places: who asks, who does it, who takes the answer. It is named once, where it is done.
    fn say_once(&mut self) {
        let store = |y: f64| {
            let at = |row: &&Row| row.y == y && row.kind == RowKind::Store;
            self.rows.iter().find(at).is_some()
        };
        let mut named: Vec<(u32, usize)> = Vec::new();
        for (index, work) in self.works.iter().enumerate() {
            match named.iter_mut().find(|(step, _)| *step == work.step) {
                Some((_, place)) if store(work.y) && !store(self.works[*place].y) => *place = index,
                Some(_) => {}
                None => named.push((work.step, index)),
            }
        }
        for (index, work) in self.works.iter_mut().enumerate() {
            if !named.contains(&(work.step, index)) {
                work.label = None;
            }
        }
    }

    /// Labels stand above their box, or below; one that would cover another is shortened to the step's number or left
    /// out. What is left out can still be read in the lists.
    fn leave_out_crowded_labels(&mut self) {
        let mut room = Room::default();
        for fault in &self.faults {
            let right = fault.x + 14.0 + text_width(&fault.text);
            room.take(fault.y + ABOVE, fault.x - 10.0, right);
        }
        let mut order: Vec<usize> = (0..self.works.len()).collect();
        order.sort_by(|a, b| self.works[*a].x.total_cmp(&self.works[*b].x).then(a.cmp(b)));
        for index in order {
            let Work { y, x, step, .. } = self.works[index];
            let Some(full) = self.works[index].label.take() else {
                continue;
            };
            let next = (self.works.iter())
                .filter(|work| work.y == y && work.x > x && work.label.is_some())
                .map(|work| work.x);
            let end = next.fold(self.width, f64::min);
            let at = |off: f64, text: String| Label { x, y: y + off, text };
            let candidates = [
                at(ABOVE, full.text.clone()),
                at(HIGH_ABOVE, full.text),
                at(ABOVE, step.to_string()),
            ];
            self.works[index].label = candidates.into_iter().find(|label| {
                let right = x + text_width(&label.text) + 4.0;
                let covers_the_next = label.y == y + ABOVE && right > end;
                !covers_the_next && right <= self.width && room.take(label.y, x, right)
            });
        }
        let stretches = self.downs.iter_mut().chain(&mut self.waits);
        for stretch in stretches.chain(&mut self.parts).chain(&mut self.bands) {
            let Some(label) = &stretch.label else { continue };
            let half = text_width(&label.text) / 2.0;
            // Rows below are read from where they begin.
            let (from, to) = match label.y > self.lanes_end {
                true => (label.x, label.x + 2.0 * half),
                false => (label.x - half, label.x + half),
            };
            if !room.take(label.y, from, to) {
                stretch.label = None;
            }
        }
    }
}

fn lane_y(lane: u16) -> f64 {
    TOP + f64::from(lane) * LANE + 26.0
}
