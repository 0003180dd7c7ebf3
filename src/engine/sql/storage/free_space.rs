//! How much room each page of a heap has.
//!
//! Pages are looked through in groups; of each group a bound is known that no page's room exceeds. It
//! rises at once and is made exact only when a search finds it too high, so that a search over a full
//! heap of many pages looks at few of them.

use super::cow::CowVec;

const GROUP: usize = 64;

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct FreeSpace {
    room: CowVec<u16>,
    bounds: CowVec<u16>,
}

impl FreeSpace {
    pub(crate) fn new() -> FreeSpace {
        FreeSpace {
            room: CowVec::new(),
            bounds: CowVec::new(),
        }
    }

    /// Notes a page's room; a new page is the one after the last.
    #[inline]
    pub(crate) fn set(&mut self, page: u32, room: u16) {
        let page = page as usize;
        if page == self.room.len() {
            self.room.push(room);
            if page.is_multiple_of(GROUP) {
                self.bounds.push(0);
            }
        } else if self.room.get(page) != Some(&room)
            && let Some(noted) = self.room.get_mut(page)
        {
            *noted = room;
        }
        if self.bounds.get(page / GROUP).is_some_and(|&bound| bound < room)
            && let Some(bound) = self.bounds.get_mut(page / GROUP)
        {
            *bound = room;
        }
    }

    pub(crate) fn fits(&self, page: u32, size: usize) -> bool {
        self.room
            .get(page as usize)
            .is_some_and(|&room| usize::from(room) >= size)
    }

    /// Bytes of memory.
    pub(crate) fn allocated(&self) -> usize {
        self.room.allocated(|_| 0) + self.bounds.allocated(|_| 0)
    }

    /// A page with room for `size` bytes, from the group of `near` on and around.
    pub(crate) fn find(&mut self, near: u32, size: usize) -> Option<u32> {
        let groups = self.bounds.len();
        let first = near as usize / GROUP;
        (first..groups)
            .chain(0..first.min(groups))
            .find_map(|group| self.find_in(group, size))
    }

    fn find_in(&mut self, group: usize, size: usize) -> Option<u32> {
        if usize::from(*self.bounds.get(group)?) < size {
            return None;
        }
        let pages = group * GROUP..((group + 1) * GROUP).min(self.room.len());
        let mut most = 0;
        for page in pages {
            let room = self.room.get(page).copied().unwrap_or(0);
            if usize::from(room) >= size {
                return Some(page as u32);
            }
            most = most.max(room);
        }
        if let Some(bound) = self.bounds.get_mut(group) {
            *bound = most;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use base::random::Stream;

    use super::*;

    #[test]
    fn a_page_is_found_whenever_one_fits() {
        for seed in 0..20 {
            let mut random = Stream::new(seed, "free space", 0);
            let mut space = FreeSpace::new();
            let mut model: Vec<u16> = Vec::new();
            for _ in 0..5_000 {
                let room = random.below(100) as u16;
                if model.len() < 500 && random.chance(1, 4) {
                    space.set(model.len() as u32, room);
                    model.push(room);
                } else if !model.is_empty() {
                    let page = random.below(model.len() as u64) as usize;
                    space.set(page as u32, room / 3);
                    model[page] = room / 3;
                }
                let size = random.below(110) as usize;
                let near = random.below(600) as u32;
                match space.find(near, size) {
                    Some(page) => assert!(usize::from(model[page as usize]) >= size, "seed {seed}"),
                    None => assert!(model.iter().all(|&room| usize::from(room) < size), "seed {seed}"),
                }
            }
        }
    }
}
