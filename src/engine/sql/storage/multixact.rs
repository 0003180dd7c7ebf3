//! Multixacts: several transactions that hold one row version at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::Xid;
use super::row_lock::RowLock;
use super::transaction::Transactions;

/// One holder of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    pub(crate) xid: Xid,
    pub(crate) strength: RowLock,
    /// It replaced or removed the version (strength `Update` or `NoKeyUpdate`), not only locked it.
    pub(crate) writes: bool,
}

/// Multixacts by number. A number stands in `xmax` where the flag `XMAX_MULTI` says so.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Multixacts {
    next: u32,
    members: Arc<BTreeMap<u32, Arc<[Member]>>>,
}

impl Multixacts {
    pub(crate) fn new() -> Multixacts {
        Multixacts {
            next: 1,
            members: Arc::new(BTreeMap::new()),
        }
    }

    /// The members; none if all have long ended.
    pub(crate) fn members(&self, number: Xid) -> &[Member] {
        self.members.get(&number.0).map_or(&[], |members| members)
    }

    /// The member that wrote, if one did.
    pub(crate) fn writer(&self, number: Xid) -> Option<Xid> {
        self.members(number)
            .iter()
            .find(|member| member.writes)
            .map(|member| member.xid)
    }

    pub(crate) fn is_running(&self, number: Xid, transactions: &Transactions) -> bool {
        self.members(number)
            .iter()
            .any(|member| transactions.is_running(member.xid))
    }

    /// A new one. Its members never change.
    pub(crate) fn create(&mut self, members: Vec<Member>) -> Xid {
        let number = Xid(self.next);
        self.restore(number, members);
        number
    }

    pub(crate) fn restore(&mut self, number: Xid, members: Vec<Member>) {
        self.next = self.next.max(number.0.saturating_add(1));
        Arc::make_mut(&mut self.members).insert(number.0, members.into());
    }

    /// Forgets those whose members only locked and have all ended, among the oldest ones: what still
    /// names them is held by nobody, which is also what an unknown number means.
    pub(crate) fn trim(&mut self, transactions: &Transactions) {
        while let Some((&number, members)) = self.members.first_key_value() {
            if members
                .iter()
                .any(|member| member.writes || transactions.is_running(member.xid))
            {
                return;
            }
            Arc::make_mut(&mut self.members).remove(&number);
        }
    }
}
