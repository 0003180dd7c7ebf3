//! Who holds a row version through its `xmax`, and what `xmax` becomes when one more joins.
//!
//! One holder stands in `xmax` itself, several are a multixact. Holders that have ended are left out
//! when `xmax` is written anew.

use super::ids::Xid;
use super::multixact::Member;
use super::row_lock::RowLock;
use super::tuple::{Flags, TupleHeader};
use super::visibility::Visibility;

/// The strength that a single holder's flags tell.
fn single_strength(flags: Flags) -> RowLock {
    if flags.has(Flags::KEYS_UPDATED) {
        return RowLock::Update;
    }
    if !flags.has(Flags::XMAX_LOCK_ONLY) {
        return RowLock::NoKeyUpdate;
    }
    match flags.0 & Flags::LOCK_BITS {
        Flags::XMAX_KEY_SHARE => RowLock::KeyShare,
        Flags::LOCK_BITS => RowLock::Share,
        _ => RowLock::NoKeyUpdate,
    }
}

/// The flags of an `xmax` with these holders, of which the strongest counts.
fn flags_for(members: &[Member]) -> Flags {
    let mut flags = Flags(0);
    if members.iter().all(|member| !member.writes) {
        flags.set(Flags::XMAX_LOCK_ONLY);
    }
    if members.len() > 1 {
        flags.set(Flags::XMAX_MULTI);
    }
    let strongest = members
        .iter()
        .map(|member| member.strength)
        .max()
        .unwrap_or(RowLock::KeyShare);
    match strongest {
        RowLock::KeyShare => flags.set(Flags::XMAX_KEY_SHARE),
        RowLock::Share => flags.set(Flags::LOCK_BITS),
        RowLock::NoKeyUpdate => flags.set(Flags::XMAX_EXCLUSIVE),
        RowLock::Update => flags.set(Flags::XMAX_EXCLUSIVE),
    }
    if members.iter().any(|member| member.strength == RowLock::Update) {
        flags.set(Flags::KEYS_UPDATED);
    }
    flags
}

/// What a new `xmax` is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NewXmax {
    Nobody,
    One(Xid, Flags),
    /// To be made a multixact.
    Several(Vec<Member>, Flags),
}

impl NewXmax {
    fn of(members: Vec<Member>) -> NewXmax {
        match members.as_slice() {
            [] => NewXmax::Nobody,
            [one] => NewXmax::One(one.xid, flags_for(&members)),
            _ => {
                let flags = flags_for(&members);
                NewXmax::Several(members, flags)
            }
        }
    }
}

impl Visibility<'_> {
    /// Those in `xmax` that run, or that wrote and committed.
    pub(crate) fn holders(&self, header: &TupleHeader) -> Vec<Member> {
        let flags = header.flags;
        if flags.has(Flags::XMAX_INVALID) {
            return Vec::new();
        }
        let counts = |member: &Member| {
            self.transactions.is_running(member.xid) || (member.writes && self.transactions.is_committed(member.xid))
        };
        if flags.has(Flags::XMAX_MULTI) {
            return self
                .multixacts
                .members(header.xmax)
                .iter()
                .copied()
                .filter(counts)
                .collect();
        }
        let writes = !flags.has(Flags::XMAX_LOCK_ONLY);
        let one = Member {
            xid: header.xmax,
            strength: single_strength(flags),
            writes,
        };
        if counts(&one) { vec![one] } else { Vec::new() }
    }

    /// The running transactions besides `top` whose hold conflicts with `strength`.
    pub(crate) fn in_the_way(&self, header: &TupleHeader, top: Xid, strength: RowLock) -> Box<[Xid]> {
        self.holders(header)
            .into_iter()
            .filter(|member| member.strength.conflicts_with(strength))
            .map(|member| member.xid)
            .filter(|&xid| self.transactions.is_running(xid) && !self.transactions.is_part_of(xid, Some(top)))
            .collect()
    }

    /// Does the transaction hold the version at least so strongly by a lock?
    pub(crate) fn already_locked(&self, header: &TupleHeader, top: Xid, strength: RowLock) -> bool {
        self.holders(header)
            .iter()
            .any(|member| member.strength >= strength && self.transactions.is_part_of(member.xid, Some(top)))
    }

    /// `xmax` with one more holder. A transaction that locks again is kept with the stronger of both.
    pub(crate) fn with_holder(&self, header: &TupleHeader, xid: Xid, strength: RowLock, writes: bool) -> NewXmax {
        if header.flags.has(Flags::XMAX_INVALID) {
            let one = [Member { xid, strength, writes }];
            return NewXmax::One(xid, flags_for(&one));
        }
        let mut members = self.holders(header);
        let mut own = Member { xid, strength, writes };
        if let Some(at) = members.iter().position(|member| member.xid == xid) {
            let before = members.remove(at);
            own.strength = own.strength.max(before.strength);
            own.writes |= before.writes;
        }
        members.push(own);
        NewXmax::of(members)
    }

    /// The `xmax` of the version that replaces this one: those of other transactions who hold it stay holders of the row.
    pub(crate) fn inherited(&self, header: &TupleHeader, top: Xid) -> NewXmax {
        if header.flags.has(Flags::XMAX_INVALID) {
            return NewXmax::Nobody;
        }
        let mut members = self.holders(header);
        members.retain(|member| {
            self.transactions.is_running(member.xid) && !self.transactions.is_part_of(member.xid, Some(top))
        });
        for member in &mut members {
            member.writes = false;
        }
        NewXmax::of(members)
    }
}
