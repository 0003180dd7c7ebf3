//! Changing and locking row versions.

use super::heap::{Heap, size_on_page};
use super::holders::NewXmax;
use super::ids::{CommandId, RelationId, RowId, Xid};
use super::row_lock::RowLock;
use super::tuple::{Flags, TupleHeader};
use super::visibility::{Visibility, Writable};
use super::wal::Record;
use super::{Change, RowOutcome, Storage, StorageError, Updated};

impl Storage {
    /// A new row.
    pub fn insert(
        &mut self,
        relation: RelationId,
        data: &[u8],
        xid: Xid,
        command: CommandId,
    ) -> Result<RowId, StorageError> {
        check_command(command)?;
        let header = fresh_header(xid, command);
        let heap = self.heap_mut(relation);
        let row = heap.insert(header, data)?;
        heap.live = heap.live.saturating_add(1);
        let header = TupleHeader { next: row, ..header };
        self.wal.append(
            xid,
            &Record::Insert {
                relation,
                row,
                header,
                data,
            },
        );
        Ok(row)
    }

    /// Bulk load outside of time: seen by everyone at once and not logged. Call
    /// [`Storage::checkpoint_now`] after.
    pub fn insert_frozen(&mut self, relation: RelationId, data: &[u8]) -> Result<RowId, StorageError> {
        let mut header = fresh_header(Xid::FROZEN, CommandId::FIRST);
        header.flags.set(Flags::XMIN_COMMITTED);
        let heap = self.heap_mut(relation);
        heap.live = heap.live.saturating_add(1);
        heap.insert(header, data)
    }

    /// Replaces the version at `row`; `xid` is the (sub)transaction that writes.
    pub fn update(
        &mut self,
        relation: RelationId,
        row: RowId,
        data: &[u8],
        change: Change,
        xid: Xid,
        command: CommandId,
    ) -> Result<RowOutcome<Updated>, StorageError> {
        check_command(command)?;
        Heap::check_size(data)?;
        let strength = if change.key {
            RowLock::Update
        } else {
            RowLock::NoKeyUpdate
        };
        let old = match self.for_writing(relation, row, strength, xid, command) {
            Ok(header) => header,
            Err(outcome) => return Ok(outcome),
        };
        let top = self.transactions.top_of(xid);
        let inherited = self.visibility().inherited(&old, top);
        let mut header = fresh_header(xid, command);
        self.set_xmax(&mut header, inherited, xid);
        let mut old = self.marked(old, xid, command, strength)?;

        let needed = size_on_page(data);
        let mut hot = false;
        if !change.indexed {
            self.make_room(relation, row.page, needed);
            hot = self.heap(relation).is_some_and(|heap| heap.has_room(row.page, needed));
        }
        if hot {
            header.flags.set(Flags::HEAP_ONLY);
            old.flags.set(Flags::HOT_UPDATED);
        }
        let heap = self.heap_mut(relation);
        let placed = if hot {
            heap.insert_on(row.page, header, data)
        } else {
            None
        };
        let new = match placed {
            Some(new) => new,
            None => heap.insert(header, data)?,
        };
        header.next = new;
        old.next = new;
        heap.replace_header(row, &old, xid);
        heap.dead = heap.dead.saturating_add(1);
        self.wal.append(
            xid,
            &Record::Update {
                relation,
                old: row,
                old_header: old,
                new,
                header,
                data,
            },
        );
        self.note_dead(relation);
        Ok(RowOutcome::Done(Updated { row: new, hot }))
    }

    /// Removes the version at `row`.
    pub fn delete(
        &mut self,
        relation: RelationId,
        row: RowId,
        xid: Xid,
        command: CommandId,
    ) -> Result<RowOutcome<()>, StorageError> {
        self.remove(relation, row, xid, command, false)
    }

    /// Removes the version at `row`, which goes on in another relation: who waits for it cannot follow.
    pub fn move_away(
        &mut self,
        relation: RelationId,
        row: RowId,
        xid: Xid,
        command: CommandId,
    ) -> Result<RowOutcome<()>, StorageError> {
        self.remove(relation, row, xid, command, true)
    }

    /// Whether the version at `row` has gone to another relation.
    pub fn moved_away(&self, relation: RelationId, row: RowId) -> bool {
        let header = self.heap(relation).and_then(|heap| heap.header(row));
        header.is_some_and(|header| header.next == RowId::ELSEWHERE)
    }

    /// The command that made the newest version of a row which this transaction has changed; the one that removed it,
    /// if there is none.
    pub fn last_command(&self, relation: RelationId, row: RowId, xid: Xid) -> Option<CommandId> {
        let heap = self.heap(relation)?;
        let top = self.transactions.top_of(xid);
        let (mut at, mut header) = (row, heap.header(row)?);
        while header.next != at && header.next != RowId::ELSEWHERE {
            at = header.next;
            header = heap.header(at)?;
        }
        Some(self.visibility().made_by_command(&header, top))
    }

    fn remove(
        &mut self,
        relation: RelationId,
        row: RowId,
        xid: Xid,
        command: CommandId,
        moved: bool,
    ) -> Result<RowOutcome<()>, StorageError> {
        check_command(command)?;
        let old = match self.for_writing(relation, row, RowLock::Update, xid, command) {
            Ok(header) => header,
            Err(outcome) => return Ok(outcome),
        };
        let mut header = self.marked(old, xid, command, RowLock::Update)?;
        header.next = if moved { RowId::ELSEWHERE } else { row };
        let heap = self.heap_mut(relation);
        heap.replace_header(row, &header, xid);
        heap.live = heap.live.saturating_sub(1);
        heap.dead = heap.dead.saturating_add(1);
        self.wal.append(xid, &Record::Mark { relation, row, header });
        self.note_dead(relation);
        Ok(RowOutcome::Done(()))
    }

    /// Locks the version at `row` and, if it is being or has been replaced by one that does not conflict, the
    /// newer versions too.
    pub fn lock_row(
        &mut self,
        relation: RelationId,
        row: RowId,
        strength: RowLock,
        xid: Xid,
        command: CommandId,
    ) -> RowOutcome<()> {
        let Some(old) = self.heap(relation).and_then(|heap| heap.header(row)) else {
            return RowOutcome::Invisible;
        };
        let top = self.transactions.top_of(xid);
        let visibility = self.visibility();
        match visibility.writable(&old, row, top, command) {
            Writable::Free => {}
            Writable::Invisible => return RowOutcome::Invisible,
            Writable::SelfModified(command) => return RowOutcome::SelfModified { command },
            Writable::Deleted(by) => return RowOutcome::Deleted { by },
            Writable::Updated(by) => {
                if let Err(outcome) = self.past_committed(&old, by, strength) {
                    return outcome;
                }
            }
            Writable::Held => {
                if visibility.already_locked(&old, top, strength) {
                    return RowOutcome::Done(());
                }
                let holders = visibility.in_the_way(&old, top, strength);
                if !holders.is_empty() {
                    return RowOutcome::Busy(holders);
                }
                match visibility.overwritten(&old, row) {
                    Some(Writable::Updated(by)) => {
                        if let Err(outcome) = self.past_committed(&old, by, strength) {
                            return outcome;
                        }
                    }
                    Some(Writable::Deleted(by)) => return RowOutcome::Deleted { by },
                    _ => {}
                }
            }
        }
        if self.visibility().writer(&old).is_some()
            && let Err(outcome) = self.lock_newer(relation, &old, row, strength, xid)
        {
            return outcome;
        }
        self.put_lock(relation, row, old, strength, xid);
        RowOutcome::Done(())
    }

    /// A version that a committed update replaced can still be locked for key share if no key changed.
    fn past_committed(&self, old: &TupleHeader, by: Xid, strength: RowLock) -> Result<(), RowOutcome<()>> {
        if strength == RowLock::KeyShare && !old.flags.has(Flags::KEYS_UPDATED) {
            return Ok(());
        }
        Err(RowOutcome::Updated { next: old.next, by })
    }

    /// Locks the versions after `old`, unless one conflicts.
    fn lock_newer(
        &mut self,
        relation: RelationId,
        old: &TupleHeader,
        row: RowId,
        strength: RowLock,
        xid: Xid,
    ) -> Result<(), RowOutcome<()>> {
        let top = self.transactions.top_of(xid);
        let (mut at, mut before) = (row, *old);
        while let Some(by) = self.visibility().writer(&before)
            && before.next != at
            && before.next != RowId::ELSEWHERE
        {
            at = before.next;
            let Some(header) = self.heap(relation).and_then(|heap| heap.header(at)) else {
                return Ok(());
            };
            if header.xmin != by {
                return Ok(());
            }
            let visibility = self.visibility();
            if !visibility.transactions.is_running(header.xmin) && !visibility.transactions.is_committed(header.xmin) {
                return Ok(());
            }
            let holders = visibility.in_the_way(&header, top, strength);
            if !holders.is_empty() {
                return Err(RowOutcome::Busy(holders));
            }
            match visibility.overwritten(&header, at) {
                Some(Writable::Updated(by)) => self.past_committed(&header, by, strength)?,
                Some(Writable::Deleted(by)) => return Err(RowOutcome::Deleted { by }),
                _ => {}
            }
            if !visibility.already_locked(&header, top, strength) {
                self.put_lock(relation, at, header, strength, xid);
            }
            before = header;
        }
        Ok(())
    }

    fn put_lock(&mut self, relation: RelationId, row: RowId, old: TupleHeader, strength: RowLock, xid: Xid) {
        let holders = self.visibility().with_holder(&old, xid, strength, false);
        let mut header = old;
        self.set_xmax(&mut header, holders, xid);
        if header.flags.has(Flags::XMAX_LOCK_ONLY) {
            // A replacement that was rolled back may have left these.
            header.flags.clear(Flags::HOT_UPDATED);
            header.next = row;
        }
        self.heap_mut(relation).set_header(row, &header);
        self.wal.append(xid, &Record::Mark { relation, row, header });
    }

    /// The header of a version that may be replaced or removed now, or why not.
    fn for_writing<T>(
        &self,
        relation: RelationId,
        row: RowId,
        strength: RowLock,
        xid: Xid,
        command: CommandId,
    ) -> Result<TupleHeader, RowOutcome<T>> {
        let header = self
            .heap(relation)
            .and_then(|heap| heap.header(row))
            .ok_or(RowOutcome::Invisible)?;
        let top = self.transactions.top_of(xid);
        let visibility = self.visibility();
        let outcome = |writable: Writable| match writable {
            Writable::Free | Writable::Held => None,
            Writable::Invisible => Some(RowOutcome::Invisible),
            Writable::SelfModified(command) => Some(RowOutcome::SelfModified { command }),
            Writable::Updated(by) => Some(RowOutcome::Updated { next: header.next, by }),
            Writable::Deleted(by) => Some(RowOutcome::Deleted { by }),
        };
        let writable = visibility.writable(&header, row, top, command);
        if let Some(outcome) = outcome(writable) {
            return Err(outcome);
        }
        if writable == Writable::Held {
            let holders = visibility.in_the_way(&header, top, strength);
            if !holders.is_empty() {
                return Err(RowOutcome::Busy(holders));
            }
            if let Some(outcome) = visibility.overwritten(&header, row).and_then(outcome) {
                return Err(outcome);
            }
        }
        Ok(header)
    }

    /// The header of a version that `xid` replaces or removes.
    fn marked(
        &mut self,
        old: TupleHeader,
        xid: Xid,
        command: CommandId,
        strength: RowLock,
    ) -> Result<TupleHeader, StorageError> {
        let top = self.transactions.top_of(xid);
        let mut header = old;
        if self.transactions.is_part_of(old.xmin, Some(top)) {
            let made = self.visibility().made_by_command(&old, top);
            header.command = self.transactions.make_combo(top, (made, command))?;
            header.flags.set(Flags::COMBO);
        } else {
            // Whoever may write it knows that its maker committed.
            header.flags.set(Flags::XMIN_COMMITTED);
            header.flags.clear(Flags::COMBO);
            header.command = command;
        }
        let holders = self.visibility().with_holder(&old, xid, strength, true);
        self.set_xmax(&mut header, holders, xid);
        header.flags.clear(Flags::HOT_UPDATED);
        Ok(header)
    }

    fn set_xmax(&mut self, header: &mut TupleHeader, holders: NewXmax, by: Xid) {
        header.flags.clear(Flags::XMAX_BITS);
        match holders {
            NewXmax::Nobody => {
                header.xmax = Xid::NONE;
                header.flags.set(Flags::XMAX_INVALID);
            }
            NewXmax::One(xid, flags) => {
                header.xmax = xid;
                header.flags.set(flags.0);
            }
            NewXmax::Several(members, flags) => {
                self.multixacts.trim(&self.transactions);
                let number = self.multixacts.create(members.clone());
                self.wal.append(by, &Record::Multixact { number, members });
                header.xmax = number;
                header.flags.set(flags.0);
            }
        }
    }

    #[inline]
    pub(crate) fn visibility(&self) -> Visibility<'_> {
        Visibility {
            transactions: &self.transactions,
            multixacts: &self.multixacts,
        }
    }
}

fn fresh_header(xid: Xid, command: CommandId) -> TupleHeader {
    TupleHeader {
        xmin: xid,
        xmax: Xid::NONE,
        next: RowId { page: 0, slot: 0 },
        command,
        flags: Flags(Flags::XMAX_INVALID),
    }
}

fn check_command(command: CommandId) -> Result<(), StorageError> {
    if command > CommandId::MAX {
        Err(StorageError::TooManyCommands)
    } else {
        Ok(())
    }
}
