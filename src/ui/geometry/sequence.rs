//! A sampled execution as a drawing.
//!
//! ```text
//!            0      1 ms     2 ms
//! client     ╲                         ╱      a slanted line: a message
//! service     ▆       ▆  ░░░░  ▆      ▆       solid: work, hatched: waiting
//! server        ▆▆▆●      ✕                   dot: commit, ✕: fault
//!              └────┘                         bracket: a transaction
//! ────────
//! every user has a role  ▨▨▨▨▨▨▨              band: an invariant is broken
//! ```

use base::Time;
use program::{NodeKind, Role};
use report::{Mark, Sequence};

use super::scale::Tick;
use super::timeline::{Break, Timeline};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) lanes: Vec<LaneLine>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) breaks: Vec<Break>,
    pub(crate) works: Vec<Work>,
    pub(crate) waits: Vec<Stretch>,
    pub(crate) downs: Vec<Stretch>,
    pub(crate) messages: Vec<Line>,
    pub(crate) brackets: Vec<Bracket>,
    pub(crate) faults: Vec<Label>,
    pub(crate) bands: Vec<Stretch>,
    pub(crate) timeline: Timeline,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LaneLine {
    pub(crate) name: String,
    pub(crate) y: f64,
    pub(crate) server: bool,
}

/// A box on a lane; its label if there is room for one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) step: u32,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) label: Option<String>,
    pub(crate) title: String,
    pub(crate) pivot: bool,
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
const LEFT: f64 = 150.0;
const TOP: f64 = 44.0;
const LANE: f64 = 64.0;
const BAND: f64 = 40.0;
const RIGHT_MARGIN: f64 = 30.0;
/// Below this width steps would stand on each other.
const PIXELS_PER_MARK: f64 = 15.0;
const LEAST_BOX: f64 = 5.0;
/// Of a letter of the labels' monospaced type.
const LETTER: f64 = 6.7;

/// At least `width` pixels wide; wider if there is much to draw.
pub(crate) fn draw(sequence: &Sequence, width: f64) -> Drawing {
    let instants: Vec<Time> = sequence.marks.iter().flat_map(ends).collect();
    let width = width.max(LEFT + RIGHT_MARGIN + PIXELS_PER_MARK * sequence.marks.len() as f64);
    let timeline = Timeline::new(instants, LEFT, width - RIGHT_MARGIN);
    let lanes: Vec<LaneLine> = (sequence.lanes.iter().enumerate())
        .map(|(index, lane)| LaneLine {
            name: lane.name.clone(),
            y: lane_y(index as u16),
            server: lane.kind == NodeKind::SqlServer,
        })
        .collect();
    let mut drawing = Drawing {
        width,
        height: TOP + lanes.len() as f64 * LANE,
        left: LEFT,
        top: TOP - 16.0,
        ticks: timeline.ticks(),
        breaks: timeline.breaks(),
        lanes,
        works: Vec::new(),
        waits: Vec::new(),
        downs: Vec::new(),
        messages: Vec::new(),
        brackets: Vec::new(),
        faults: Vec::new(),
        bands: Vec::new(),
        timeline,
    };
    for mark in &sequence.marks {
        drawing.add(mark);
    }
    drawing.add_bands(sequence);
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
                    label: Some(format!("{step} {label}")),
                    title: format!("{step} {label}: {}", to.since(*from)),
                    pivot: *role == Role::Pivot,
                });
            }
            Mark::Wait { lane, from, to, cause } => {
                let title = format!("waits for {cause}: {}", to.since(*from));
                let stretch = self.stretch(*lane, *from, *to, cause.clone(), title);
                self.waits.push(stretch);
            }
            Mark::Down { lane, from, to } => {
                let text = format!("down {}", to.since(*from));
                let stretch = self.stretch(*lane, *from, *to, text.clone(), text);
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
                    y: y + 16.0,
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
            Mark::Broken { .. } => {}
        }
    }

    fn stretch(&self, lane: u16, from: Time, to: Time, text: String, title: String) -> Stretch {
        let (x, right, y) = (self.timeline.at(from), self.timeline.at(to), lane_y(lane));
        let label = Label {
            x: (x + right) / 2.0,
            y: y - 12.0,
            text,
        };
        Stretch {
            x,
            y,
            width: (right - x).max(1.0),
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

    /// One row per invariant, below the lanes.
    fn add_bands(&mut self, sequence: &Sequence) {
        let mut rows: Vec<&str> = Vec::new();
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
            let row = rows.iter().position(|known| known == invariant).unwrap_or_else(|| {
                rows.push(invariant);
                rows.len() - 1
            });
            let y = TOP + self.lanes.len() as f64 * LANE + row as f64 * BAND + 8.0;
            let (x, right) = (self.timeline.at(*from), self.timeline.at(*to));
            let seen = match readers {
                0 => String::new(),
                1 => ", 1 reader saw it".to_owned(),
                _ => format!(", {readers} readers saw it"),
            };
            let text = format!("{invariant}: broken for {}{seen}", to.since(*from));
            let half = text.chars().count() as f64 * LETTER / 2.0;
            let middle = ((x + right) / 2.0)
                .max(LEFT + half)
                .min((self.width - half).max(LEFT + half));
            let label = Label {
                x: middle,
                y: y - 12.0,
                text: text.clone(),
            };
            self.bands.push(Stretch {
                x,
                y,
                width: (right - x).max(2.0),
                label: Some(label),
                title: text,
            });
        }
        self.height += rows.len() as f64 * BAND + if rows.is_empty() { 0.0 } else { 12.0 };
    }

    /// Labels stand above their box; one that would cover its left neighbour on the lane is shortened
    /// to the step's number or left out. What is left out can still be read in the list of steps.
    fn leave_out_crowded_labels(&mut self) {
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        let free = |taken: &[(f64, f64, f64)], y: f64, from: f64, to: f64| {
            taken
                .iter()
                .all(|(row, left, right)| *row != y || to < *left || from > *right)
        };
        for fault in &self.faults {
            taken.push((
                fault.y,
                fault.x - 10.0,
                fault.x + 14.0 + fault.text.len() as f64 * LETTER,
            ));
        }
        let mut order: Vec<usize> = (0..self.works.len()).collect();
        order.sort_by(|a, b| self.works[*a].x.total_cmp(&self.works[*b].x).then(a.cmp(b)));
        for index in order {
            let (y, x, step) = (self.works[index].y, self.works[index].x, self.works[index].step);
            let next = self
                .works
                .iter()
                .filter(|work| work.y == y && work.x > x)
                .map(|work| work.x);
            let room = next.fold(self.width, f64::min);
            let full = self.works[index].label.take();
            let candidates = [full, Some(step.to_string())];
            self.works[index].label = candidates.into_iter().flatten().find_map(|text| {
                let right = x + text.chars().count() as f64 * LETTER + 4.0;
                let fits = right <= room && free(&taken, y, x, right);
                fits.then(|| {
                    taken.push((y, x, right));
                    text
                })
            });
        }
        for stretch in self.waits.iter_mut().chain(self.downs.iter_mut()) {
            let Some(label) = &stretch.label else { continue };
            let half = label.text.chars().count() as f64 * LETTER / 2.0;
            let (from, to) = (label.x - half, label.x + half);
            if free(&taken, stretch.y, from, to) && half * 2.0 < stretch.width.max(70.0) {
                taken.push((stretch.y, from, to));
            } else {
                stretch.label = None;
            }
        }
    }
}

fn lane_y(lane: u16) -> f64 {
    TOP + f64::from(lane) * LANE + 22.0
}

/// The instants that a mark needs on the axis.
fn ends(mark: &Mark) -> Vec<Time> {
    match mark {
        Mark::Work { from, to, .. }
        | Mark::Wait { from, to, .. }
        | Mark::Transaction { from, to, .. }
        | Mark::Down { from, to, .. }
        | Mark::Broken { from, to, .. } => vec![*from, *to],
        Mark::Message { sent, arrives, .. } => [Some(*sent), *arrives].into_iter().flatten().collect(),
        Mark::Fault { at, .. } => vec![*at],
    }
}

#[cfg(test)]
mod tests {
    use base::Nanos;
    use report::Lane;

    use super::*;

    fn ms(millis: u64) -> Time {
        Time::ZERO + Nanos::from_millis(millis)
    }

    fn work(lane: u16, from: u64, to: u64, step: u32) -> Mark {
        let (label, sql, role) = ("INSERT auth.users".to_owned(), None, Role::Work);
        Mark::Work {
            lane,
            from: ms(from),
            to: ms(to),
            step,
            label,
            sql,
            role,
        }
    }

    fn sequence(marks: Vec<Mark>) -> Sequence {
        let lane = |name: &str, kind| Lane {
            name: name.to_owned(),
            kind,
        };
        Sequence {
            operation: "create_user".to_owned(),
            title: "create_user".to_owned(),
            from: ms(0),
            to: ms(10),
            lanes: vec![
                lane("client", NodeKind::Client),
                lane("app", NodeKind::Service),
                lane("db", NodeKind::SqlServer),
            ],
            marks,
            sentences: vec![],
        }
    }

    #[test]
    fn work_lies_on_its_lane_between_its_instants() {
        let drawing = draw(&sequence(vec![work(1, 0, 4, 1), work(2, 4, 10, 2)]), 680.0);
        let [first, second] = &drawing.works[..] else {
            panic!("{:?}", drawing.works)
        };
        assert_eq!((first.x, first.width, first.y), (150.0, 200.0, drawing.lanes[1].y));
        assert_eq!((second.x, second.width, second.y), (350.0, 300.0, drawing.lanes[2].y));
    }

    #[test]
    fn a_message_slants_from_lane_to_lane_and_a_lost_one_ends_half_way() {
        let message = |arrives| Mark::Message {
            from_lane: 0,
            to_lane: 1,
            sent: ms(0),
            arrives,
            reply: false,
        };
        let drawing = draw(
            &sequence(vec![message(Some(ms(5))), message(None), work(2, 5, 10, 1)]),
            680.0,
        );
        let (there, lost) = (&drawing.messages[0], &drawing.messages[1]);
        assert!(there.from.0 < there.to.0 && there.from.1 < there.to.1);
        assert!(lost.lost && lost.to.1 < there.to.1);
    }

    #[test]
    fn labels_never_cover_each_other() {
        let marks = (0..40).map(|step| work(2, step, step + 1, step as u32 + 1)).collect();
        let drawing = draw(&sequence(marks), 680.0);
        let mut right = 0.0;
        for work in drawing.works.iter().filter(|work| work.label.is_some()) {
            assert!(work.x >= right, "{work:?}");
            right = work.x + work.label.as_ref().map_or(0, String::len) as f64 * LETTER;
        }
    }

    #[test]
    fn each_broken_invariant_has_a_band_of_its_own() {
        let broken = |name: &str, from, to, readers| Mark::Broken {
            invariant: name.to_owned(),
            from: ms(from),
            to: ms(to),
            readers,
        };
        let without = draw(&sequence(vec![work(2, 0, 9, 1)]), 680.0);
        let marks = vec![
            work(2, 0, 9, 1),
            broken("a", 1, 3, 0),
            broken("b", 2, 4, 3),
            broken("a", 5, 6, 1),
        ];
        let drawing = draw(&sequence(marks), 680.0);
        let rows: Vec<f64> = drawing.bands.iter().map(|band| band.y).collect();
        assert!(rows[0] == rows[2] && rows[1] > rows[0]);
        assert!(drawing.height > without.height + 2.0 * BAND);
        assert_eq!(drawing.bands[1].title, "b: broken for 2.00 ms, 3 readers saw it");
    }

    #[test]
    fn an_empty_sequence_is_an_empty_drawing() {
        let drawing = draw(&sequence(vec![]), 680.0);
        assert_eq!((drawing.lanes.len(), drawing.works.len(), drawing.width), (3, 0, 680.0));
    }
}
