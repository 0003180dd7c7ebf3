//! Rows that no page can hold: their bytes lie beside the pages, the page has only their number (what
//! PostgreSQL does with its TOAST tables, without compression).

use std::sync::Arc;

use super::cow::{CowVec, SHARED};

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct LongRows {
    rows: CowVec<Option<Arc<[u8]>>>,
    free: Vec<u32>,
}

impl LongRows {
    pub(crate) fn new() -> LongRows {
        LongRows {
            rows: CowVec::new(),
            free: Vec::new(),
        }
    }

    /// Keeps the bytes; their number, as a page holds it.
    pub(crate) fn put(&mut self, data: &[u8]) -> [u8; 4] {
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(row) = self.rows.get_mut(number as usize) {
                    *row = Some(data.into());
                }
                number
            }
            None => {
                self.rows.push(Some(data.into()));
                (self.rows.len() - 1) as u32
            }
        };
        number.to_le_bytes()
    }

    /// Bytes of memory.
    pub(crate) fn allocated(&self) -> usize {
        let row = |row: &Option<Arc<[u8]>>| row.as_ref().map_or(0, |row| SHARED + row.len());
        self.rows.allocated(row) + self.free.capacity() * size_of::<u32>()
    }

    pub(crate) fn get(&self, number: &[u8]) -> Option<&[u8]> {
        self.rows.get(decode(number)? as usize)?.as_deref()
    }

    pub(crate) fn remove(&mut self, number: &[u8]) {
        let Some(number) = decode(number) else { return };
        if let Some(row) = self.rows.get_mut(number as usize)
            && row.take().is_some()
        {
            self.free.push(number);
        }
    }
}

fn decode(number: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(number.try_into().ok()?))
}
