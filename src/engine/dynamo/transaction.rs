//! Transactions: all or nothing, in two rounds, without waiting.
//!
//! ```text
//! begin ─▶ every item free? every condition true? ── no ──▶ cancelled, with a reason for each action
//!              │ yes
//!              ▼
//!          prepared: the items are marked, readers still see what was ─▶ finish: all is written, the marks go
//! ```
//!
//! A marked item conflicts with other transactions and with single writes: they are refused, never made to wait.
//! A transaction that reads looks twice: what has changed between its rounds, or is marked, is a conflict.
//! A `ClientRequestToken` is remembered for ten minutes after its transaction has succeeded.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Fingerprint, Nanos, SortedMap, Time};

use crate::capacity::{Consistency, Consumption, Units, merge};
use crate::expression::{PathTree, Placeholders};
use crate::failure::{CancellationReason, Failure, FailureName, Fallible, invalid};
use crate::item::Item;
use crate::key::{self, Key};
use crate::request::{Action, Get, Outcome, Reply, Write};
use crate::service::{Begun, Engine};
use crate::storage::Content;
use crate::value::item_size;
use crate::write::{Plan, cost_of_looking, parse};

/// A transaction between its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Transactions {
    begun: u64,
    prepared: BTreeMap<TransactionId, Prepared>,
    /// (table, key) → who will write it.
    marks: BTreeMap<(Arc<str>, Key), TransactionId>,
    tokens: Tokens,
}

/// Tokens that were used; shared by clones, for there may be as many as transactions in ten minutes.
#[derive(Clone, Debug)]
struct Tokens {
    known: SortedMap<Arc<Token>>,
    content: Content,
    /// Of finished transactions: eight bytes of the instant at which the token is forgotten, and the token.
    expiring: SortedMap<()>,
}

#[derive(Clone, Debug, Hash)]
enum Prepared {
    Write {
        writes: Vec<PreparedWrite>,
        token: Option<Arc<str>>,
    },
    /// What the first round has seen.
    Read { reads: Vec<PreparedRead> },
}

#[derive(Clone, Debug, Hash)]
struct PreparedWrite {
    table: Arc<str>,
    key: Key,
    old: Option<Arc<Item>>,
    new: Option<Arc<Item>>,
    /// Only its condition was asked for.
    check: bool,
}

#[derive(Clone, Debug, Hash)]
struct PreparedRead {
    table: Arc<str>,
    key: Key,
    seen: Option<Arc<Item>>,
    /// What of it is given back.
    given: Option<Arc<Item>>,
}

#[derive(Clone, Debug, Hash)]
struct Token {
    request: Fingerprint,
    /// Once it has finished: until when it is remembered, and what a repeat is told to have read.
    finished: Option<(Time, Vec<Consumption>)>,
}

const TOKEN_LIFE: Nanos = Nanos::from_secs(600);
const MAX_ACTIONS: usize = 100;
const MAX_BYTES: u64 = 4 * 1024 * 1024;

impl Transactions {
    pub(crate) fn marks(&self, table: &Arc<str>, key: &Key) -> bool {
        !self.marks.is_empty() && self.marks.contains_key(&(table.clone(), key.clone()))
    }

    fn prepare(&mut self, prepared: Prepared) -> TransactionId {
        let id = TransactionId(self.begun);
        self.begun += 1;
        if let Prepared::Write { writes, .. } = &prepared {
            for write in writes {
                self.marks.insert((write.table.clone(), write.key.clone()), id);
            }
        }
        self.prepared.insert(id, prepared);
        id
    }
}

impl Tokens {
    fn get(&self, token: &str) -> Option<&Arc<Token>> {
        self.known.get(token.as_bytes())
    }

    fn put(&mut self, token: &str, value: Token) {
        let (key, value) = (Key::from(token.as_bytes()), Arc::new(value));
        let old = self.known.insert(key.clone(), Arc::clone(&value));
        self.content.replace(&key, old.as_deref(), Some(&*value));
    }

    fn finish(&mut self, token: &str, until: Time, consumed: Vec<Consumption>) {
        if let Some(known) = self.get(token) {
            let request = known.request;
            let mut expiry = until.0.to_be_bytes().to_vec();
            expiry.extend_from_slice(token.as_bytes());
            self.expiring.insert(expiry.into(), ());
            self.put(
                token,
                Token {
                    request,
                    finished: Some((until, consumed)),
                },
            );
        }
    }

    fn forget(&mut self, now: Time) {
        loop {
            let Some(expiry) = self.expiring.iter().next().map(|(expiry, ())| Key::clone(expiry)) else {
                return;
            };
            let Some((until, token)) = expiry.split_first_chunk::<8>() else {
                return;
            };
            if Time(u64::from_be_bytes(*until)) >= now {
                return;
            }
            self.expiring.remove(&expiry);
            let old = self.known.remove(token);
            self.content.replace(token, old.as_deref(), None);
        }
    }
}

impl Default for Tokens {
    fn default() -> Tokens {
        Tokens {
            known: SortedMap::new(),
            content: Content::default(),
            expiring: SortedMap::new(),
        }
    }
}

impl Hash for Tokens {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.known.len(), self.content).hash(state);
    }
}

impl Engine {
    pub(crate) fn begin_write(&mut self, writes: &[Write], token: Option<&Arc<str>>, now: Time) -> Fallible<Begun> {
        check_count("transactItems", writes.len())?;
        self.transactions.tokens.forget(now);
        let request = Fingerprint::of(&writes);
        if let Some(known) = token.and_then(|token| self.transactions.tokens.get(token)) {
            return known.repeated(request).map(Begun::Done);
        }
        let plans = match self.plan_writes(writes, now)? {
            Ok(plans) => plans,
            Err(cancelled) => return Ok(Begun::Done(cancelled)),
        };
        if let Some(token) = token {
            let known = Token {
                request,
                finished: None,
            };
            self.transactions.tokens.put(token, known);
        }
        let prepared = plans.into_iter().zip(writes).map(|(plan, write)| PreparedWrite {
            table: write.table.clone(),
            key: plan.key,
            old: plan.old,
            new: plan.new,
            check: matches!(write.action, Action::Check { .. }),
        });
        let id = self.transactions.prepare(Prepared::Write {
            writes: prepared.collect(),
            token: token.cloned(),
        });
        Ok(Begun::Prepared(id))
    }

    /// What each action would do; or the outcome of a transaction that is cancelled.
    fn plan_writes(&mut self, writes: &[Write], now: Time) -> Fallible<Result<Vec<Plan>, Outcome>> {
        let mut parsed = Vec::with_capacity(writes.len());
        for write in writes {
            parsed.push(parse(write)?);
        }
        let mut keys = Vec::with_capacity(writes.len());
        for write in writes {
            keys.push(write.key(&self.table(&write.table)?.definition));
        }
        let mut seen = BTreeSet::new();
        for (write, key) in writes.iter().zip(&keys) {
            if let Ok(key) = key
                && !seen.insert((&write.table, key))
            {
                return Err(invalid(
                    "Transaction request cannot include multiple operations on one item",
                ));
            }
        }
        let (mut plans, mut reasons, mut consumed, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
        for (parsed, key) in parsed.iter().zip(keys) {
            let write = parsed.write;
            let key = match key {
                Ok(key) => key,
                Err(failure) => {
                    reasons.push(CancellationReason::ValidationError(failure.message));
                    continue;
                }
            };
            let marked = self.transactions.marks(&write.table, &key);
            let table = self.table_mut(&write.table)?;
            let old = table.get(&key).cloned();
            merge(&mut consumed, cost_of_looking(table, old.as_deref(), true));
            if marked {
                reasons.push(CancellationReason::TransactionConflict);
                continue;
            }
            if !parsed.holds(old.as_deref()) {
                let item = old.filter(|_| write.old_on_failure);
                reasons.push(CancellationReason::ConditionalCheckFailed(item));
                continue;
            }
            let new = match parsed.result(&table.definition, old.as_ref()) {
                Ok(new) => new,
                Err(failure) => {
                    reasons.push(CancellationReason::ValidationError(failure.message));
                    continue;
                }
            };
            if table.admit_write(&key, new.as_ref(), now).is_err() {
                reasons.push(CancellationReason::ProvisionedThroughputExceeded);
                continue;
            }
            bytes = bytes.saturating_add(new.as_deref().or(old.as_deref()).map_or(0, item_size));
            reasons.push(CancellationReason::None);
            plans.push(Plan { key, old, new });
        }
        if plans.len() < writes.len() {
            return Ok(Err(Outcome {
                result: Err(Failure::cancelled(reasons)),
                consumed,
            }));
        }
        if bytes > MAX_BYTES {
            return Err(invalid(
                "Transaction request size has exceeded the maximum allowed size of 4 MB",
            ));
        }
        Ok(Ok(plans))
    }

    pub(crate) fn begin_read(&mut self, gets: &[Get], now: Time) -> Fallible<Begun> {
        check_count("transactItems", gets.len())?;
        let mut projections = Vec::with_capacity(gets.len());
        for get in gets {
            let mut placeholders = Placeholders::new(&get.substitutions.names, &get.substitutions.values);
            projections.push(match &get.projection {
                Some(text) => Some(placeholders.projection(text)?),
                None => None,
            });
            placeholders.check_unused()?;
        }
        let (mut reads, mut reasons, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (get, projection) in gets.iter().zip(projections) {
            let table = self.table(&get.table)?;
            let key = match key::of_request(&table.definition.key, &get.key) {
                Ok(key) => key,
                Err(failure) => {
                    reasons.push(CancellationReason::ValidationError(failure.message));
                    continue;
                }
            };
            if !seen.insert((get.table.clone(), key.clone())) {
                return Err(invalid(
                    "Transaction request cannot include multiple operations on one item",
                ));
            }
            let marked = self.transactions.marks(&get.table, &key);
            let table = self.table_mut(&get.table)?;
            reasons.push(if marked {
                CancellationReason::TransactionConflict
            } else if table.meter.check(&key, false, now).is_err() {
                CancellationReason::ProvisionedThroughputExceeded
            } else {
                CancellationReason::None
            });
            let seen = table.get(&key).cloned();
            reads.push(PreparedRead {
                table: get.table.clone(),
                given: seen.clone().map(|item| projected(projection.as_ref(), item)),
                key,
                seen,
            });
        }
        if reasons.iter().any(|reason| *reason != CancellationReason::None) {
            let consumed = self.charge_reads(&reads);
            return Ok(Begun::Done(Outcome {
                result: Err(Failure::cancelled(reasons)),
                consumed,
            }));
        }
        let id = self.transactions.prepare(Prepared::Read { reads });
        Ok(Begun::Prepared(id))
    }

    /// The second round. An id that is not prepared (any more) is refused.
    pub(crate) fn finish_transaction(&mut self, id: TransactionId, now: Time) -> Fallible<Outcome> {
        match self.transactions.prepared.remove(&id) {
            None => Err(invalid("There is no such transaction")),
            Some(Prepared::Write { writes, token }) => self.commit(writes, token, now),
            Some(Prepared::Read { reads }) => Ok(self.read_again(reads)),
        }
    }

    fn commit(&mut self, writes: Vec<PreparedWrite>, token: Option<Arc<str>>, now: Time) -> Fallible<Outcome> {
        let index_delay = self.configuration.index_delay;
        let (mut consumed, mut repeat) = (Vec::new(), Vec::new());
        for write in writes {
            self.transactions
                .marks
                .remove(&(write.table.clone(), write.key.clone()));
            let table = self.table_mut(&write.table)?;
            let size = write.new.as_deref().or(write.old.as_deref()).map_or(0, item_size);
            let mut read = Consumption::of(&write.table, Units::read(size, Consistency::Transactional));
            read.transactional = true;
            merge(&mut repeat, read);
            merge(
                &mut consumed,
                if write.check {
                    let looked = cost_of_looking(table, write.old.as_deref(), true);
                    table.meter.take(&write.key, true, looked.own.halves());
                    looked
                } else {
                    table.write(&write.key, write.new, true, (now, index_delay))
                },
            );
        }
        if let Some(token) = token {
            self.transactions.tokens.finish(&token, now + TOKEN_LIFE, repeat);
        }
        Ok(Outcome {
            result: Ok(Reply::Transacted),
            consumed,
        })
    }

    fn read_again(&mut self, reads: Vec<PreparedRead>) -> Outcome {
        let reason = |read: &PreparedRead| {
            let now = self.tables.get(&read.table).and_then(|table| table.get(&read.key));
            if self.transactions.marks(&read.table, &read.key) || now != read.seen.as_ref() {
                CancellationReason::TransactionConflict
            } else {
                CancellationReason::None
            }
        };
        let reasons: Vec<CancellationReason> = reads.iter().map(reason).collect();
        let consumed = self.charge_reads(&reads);
        let result = if reasons.iter().any(|reason| *reason != CancellationReason::None) {
            Err(Failure::cancelled(reasons))
        } else {
            Ok(Reply::Items(reads.into_iter().map(|read| read.given).collect()))
        };
        Outcome { result, consumed }
    }

    fn charge_reads(&mut self, reads: &[PreparedRead]) -> Vec<Consumption> {
        let mut consumed = Vec::new();
        for read in reads {
            let size = read.seen.as_deref().map_or(0, item_size);
            let units = Units::read(size, Consistency::Transactional);
            if let Some(table) = self.tables.get_mut(&read.table) {
                table.meter.take(&read.key, false, units.halves());
            }
            let mut consumption = Consumption::of(&read.table, units);
            consumption.transactional = true;
            merge(&mut consumed, consumption);
        }
        consumed
    }
}

impl Token {
    /// The token comes again.
    fn repeated(&self, request: Fingerprint) -> Fallible<Outcome> {
        if request != self.request {
            let message = "Request rejected because the token was used with different parameters";
            return Err(Failure::new(FailureName::IdempotentParameterMismatch, message));
        }
        match &self.finished {
            None => Err(Failure::new(
                FailureName::TransactionInProgress,
                "Transaction with the given request token is already in progress",
            )),
            Some((_, consumed)) => Ok(Outcome {
                result: Ok(Reply::Transacted),
                consumed: consumed.clone(),
            }),
        }
    }
}

fn check_count(member: &str, count: usize) -> Fallible<()> {
    let constraint = match count {
        1..=MAX_ACTIONS => return Ok(()),
        0 => "Member must have length greater than or equal to 1".to_owned(),
        _ => format!("Member must have length less than or equal to {MAX_ACTIONS}"),
    };
    Err(invalid(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}"
    )))
}

pub(crate) fn projected(projection: Option<&PathTree>, item: Arc<Item>) -> Arc<Item> {
    match projection {
        None => item,
        Some(paths) => Arc::new(paths.project(&item)),
    }
}
