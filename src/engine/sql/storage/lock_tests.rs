//! Lock table and deadlock detection: the documented conflict table, known queues and circles, and
//! random schedules.

use std::collections::{BTreeMap, BTreeSet};

use base::random::Stream;

use super::lock::{Acquired, DeadlockCheck, DeadlockLink, LockMode, LockTag};
use super::lock_table::LockTable;
use super::{DatabaseId, RelationId, RowId, Storage, Xid};
use crate::SessionId;

use Acquired::{Granted, Unavailable, Waits};
use LockMode::*;

const DATABASE: DatabaseId = DatabaseId(5);

fn relation(number: u32) -> LockTag {
    LockTag::Relation {
        database: DATABASE,
        relation: RelationId(number),
    }
}

fn session(number: u32) -> SessionId {
    SessionId(number)
}

fn woken(table: &mut LockTable) -> Vec<u32> {
    let mut woken = Vec::new();
    table.drain_woken(&mut woken);
    woken.into_iter().map(|session| session.0).collect()
}

/// PostgreSQL 15, table 13.2 "Conflicting Lock Modes", row by row as printed there.
#[test]
fn modes_conflict_as_documented() {
    let documented: [(LockMode, &[LockMode]); 8] = [
        (AccessShare, &[AccessExclusive]),
        (RowShare, &[Exclusive, AccessExclusive]),
        (RowExclusive, &[Share, ShareRowExclusive, Exclusive, AccessExclusive]),
        (
            ShareUpdateExclusive,
            &[
                ShareUpdateExclusive,
                Share,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ],
        ),
        (
            Share,
            &[
                RowExclusive,
                ShareUpdateExclusive,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ],
        ),
        (
            ShareRowExclusive,
            &[
                RowExclusive,
                ShareUpdateExclusive,
                Share,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ],
        ),
        (
            Exclusive,
            &[
                RowShare,
                RowExclusive,
                ShareUpdateExclusive,
                Share,
                ShareRowExclusive,
                Exclusive,
                AccessExclusive,
            ],
        ),
        (AccessExclusive, &LockMode::ALL),
    ];
    for (mode, conflicting) in documented {
        for other in LockMode::ALL {
            assert_eq!(
                mode.conflicts_with(other),
                conflicting.contains(&other),
                "{mode:?} and {other:?}"
            );
            let mut table = LockTable::default();
            assert_eq!(table.acquire(session(1), relation(1), other, true), Granted);
            let expected = if conflicting.contains(&other) { Waits } else { Granted };
            assert_eq!(
                table.acquire(session(2), relation(1), mode, true),
                expected,
                "{mode:?} after {other:?}"
            );
        }
    }
}

#[test]
fn the_queue_is_first_come_first_served() {
    let mut table = LockTable::default();
    assert_eq!(table.acquire(session(1), relation(1), AccessShare, true), Granted);
    assert_eq!(table.acquire(session(2), relation(1), AccessExclusive, true), Waits);
    // Compatible with the holder, but must not overtake the one who waits.
    assert_eq!(table.acquire(session(3), relation(1), AccessShare, true), Waits);
    assert_eq!(table.acquire(session(4), relation(1), AccessShare, false), Unavailable);
    assert_eq!(
        table.waits_for(session(3)),
        Some((relation(1), AccessShare, vec![session(2)]))
    );
    table.release_since(session(1), 0);
    assert_eq!(woken(&mut table), [2]);
    table.release_since(session(2), 0);
    assert_eq!(woken(&mut table), [3]);
}

#[test]
fn one_who_leaves_the_queue_lets_those_behind_go() {
    let mut table = LockTable::default();
    table.acquire(session(1), relation(1), AccessShare, true);
    table.acquire(session(2), relation(1), AccessExclusive, true);
    table.acquire(session(3), relation(1), RowShare, true);
    table.cancel_wait(session(2));
    assert_eq!(woken(&mut table), [3]);
}

#[test]
fn rolling_back_to_a_savepoint_gives_back_what_was_taken_since() {
    let mut table = LockTable::default();
    table.acquire(session(1), relation(1), AccessExclusive, true);
    let mark = table.mark(session(1));
    table.acquire(session(1), relation(1), AccessExclusive, true);
    table.acquire(session(1), relation(2), AccessExclusive, true);
    assert_eq!(table.acquire(session(2), relation(1), AccessShare, true), Waits);
    assert_eq!(table.acquire(session(3), relation(2), AccessShare, true), Waits);
    table.release_since(session(1), mark);
    assert_eq!(woken(&mut table), [3], "relation 1 was locked before the savepoint");
}

#[test]
fn weak_locks_of_the_fast_path_are_seen_by_strong_ones() {
    let mut table = LockTable::default();
    for number in 1..=3 {
        assert_eq!(table.acquire(session(number), relation(1), RowExclusive, true), Granted);
    }
    assert!(table.locks.is_empty(), "noted with the sessions only");
    assert_eq!(table.acquire(session(4), relation(1), ShareRowExclusive, true), Waits);
    for number in 1..=3 {
        assert!(woken(&mut table).is_empty());
        table.release_since(session(number), 0);
    }
    assert_eq!(woken(&mut table), [4]);
    table.release_since(session(4), 0);
    assert!(table.locks.is_empty());
}

/// isolation/deadlock-simple: both hold a share and want all of it.
#[test]
fn two_upgrades_of_one_lock_are_a_deadlock_at_once() {
    let mut table = LockTable::default();
    table.acquire(session(1), relation(1), AccessShare, true);
    table.acquire(session(2), relation(1), AccessShare, true);
    assert_eq!(table.acquire(session(1), relation(1), AccessExclusive, true), Waits);
    assert_eq!(
        table.acquire(session(2), relation(1), AccessExclusive, true),
        Acquired::Deadlock
    );
    let lines: Vec<String> = table.report.iter().map(DeadlockLink::to_string).collect();
    assert_eq!(
        lines,
        [
            "Process 2 waits for AccessExclusiveLock on relation 1 of database 5; blocked by process 1.",
            "Process 1 waits for AccessExclusiveLock on relation 1 of database 5; blocked by process 2.",
        ]
    );
    table.release_since(session(2), 0);
    assert_eq!(woken(&mut table), [1]);
}

#[test]
fn an_upgrade_goes_before_those_who_wait_for_its_holder() {
    let mut table = LockTable::default();
    table.acquire(session(1), relation(1), ShareUpdateExclusive, true);
    assert_eq!(table.acquire(session(2), relation(1), AccessExclusive, true), Waits);
    assert_eq!(
        table.acquire(session(1), relation(1), ShareRowExclusive, true),
        Granted,
        "at the end it would wait for itself"
    );
}

/// isolation/deadlock-soft, and what a PostgreSQL 15 server does when d1 or d2 is the one who checks: the
/// other one of the two goes before the exclusive request that it waited behind.
#[test]
fn a_soft_circle_is_broken_by_reordering() {
    let (a1, a2) = (relation(1), relation(2));
    let (d1, d2, e1, e2) = (session(1), session(2), session(3), session(4));
    for (checks, goes_on, then) in [(d1, d2, e2), (d2, d1, e1)] {
        let mut table = LockTable::default();
        assert_eq!(table.acquire(d1, a1, AccessShare, true), Granted);
        assert_eq!(table.acquire(d2, a2, AccessShare, true), Granted);
        assert_eq!(table.acquire(e1, a1, AccessExclusive, true), Waits);
        assert_eq!(table.acquire(e2, a2, AccessExclusive, true), Waits);
        assert_eq!(table.acquire(d1, a2, AccessShare, true), Waits);
        assert_eq!(table.acquire(d2, a1, AccessShare, true), Waits);
        assert_eq!(table.check_deadlock(checks), DeadlockCheck::Reordered);
        assert_eq!(woken(&mut table), [goes_on.0]);
        assert_eq!(table.check_deadlock(checks), DeadlockCheck::None);
        table.release_since(goes_on, 0);
        assert_eq!(woken(&mut table), [then.0]);
        table.release_since(then, 0);
        assert_eq!(woken(&mut table), [checks.0]);
    }
}

/// isolation/deadlock-hard, with eight sessions.
#[test]
fn a_long_circle_is_found_and_told_from_the_one_who_looks() {
    let mut table = LockTable::default();
    for number in 1..=8 {
        assert_eq!(
            table.acquire(session(number), relation(number), AccessExclusive, true),
            Granted
        );
    }
    for number in 1..=7 {
        assert_eq!(
            table.acquire(session(number), relation(number + 1), AccessExclusive, true),
            Waits
        );
        assert_eq!(table.check_deadlock(session(number)), DeadlockCheck::None);
    }
    assert_eq!(table.acquire(session(8), relation(1), AccessExclusive, true), Waits);
    let DeadlockCheck::Deadlock(links) = table.check_deadlock(session(8)) else {
        panic!("not found")
    };
    assert_eq!(links.len(), 8);
    assert_eq!(
        links[0].to_string(),
        "Process 8 waits for AccessExclusiveLock on relation 1 of database 5; blocked by process 1."
    );
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        assert_eq!(link.blocker, next.waiter);
    }
    table.release_since(session(8), 0);
    assert_eq!(woken(&mut table), [7]);
}

#[test]
fn one_outside_the_circle_is_not_its_victim() {
    let mut table = LockTable::default();
    for number in 1..=2 {
        table.acquire(session(number), relation(number), AccessExclusive, true);
    }
    table.acquire(session(3), relation(1), AccessShare, true);
    table.acquire(session(1), relation(2), AccessShare, true);
    table.acquire(session(2), relation(1), AccessShare, true);
    assert_eq!(table.check_deadlock(session(3)), DeadlockCheck::None);
    assert!(matches!(table.check_deadlock(session(1)), DeadlockCheck::Deadlock(links) if links.len() == 2));
}

#[test]
fn a_transaction_is_waited_for_until_it_ends() {
    let mut storage = Storage::new();
    let (first, second) = (session(1), session(2));
    let xid = storage.begin(first).expect("a number");
    let sub = storage.begin_sub(xid).expect("a number");
    let mut woken = Vec::new();
    for (waits_for, end) in [(sub, sub), (xid, xid)] {
        assert_eq!(
            storage.acquire(second, LockTag::Transaction(waits_for), Share, true),
            Waits
        );
        assert_eq!(
            storage.waits_for(second),
            Some((LockTag::Transaction(waits_for), Share, vec![first]))
        );
        storage.abort(end);
        storage.drain_woken(&mut woken);
        assert_eq!(woken, [second]);
        woken.clear();
        storage.release_locks(second);
    }
    assert_eq!(
        storage.acquire(second, LockTag::Transaction(xid), Share, true),
        Granted,
        "it has ended"
    );
    let xid = storage.begin(first).expect("a number");
    storage.acquire(second, LockTag::Transaction(xid), Share, true);
    storage.commit(xid);
    storage.drain_woken(&mut woken);
    assert_eq!(woken, [], "not before the flush");
    storage.finish_commit(xid);
    storage.drain_woken(&mut woken);
    assert_eq!(woken, [second]);
}

#[test]
fn tags_are_worded_as_in_postgresql() {
    for (tag, text) in [
        (relation(16_384), "relation 16384 of database 5"),
        (
            LockTag::Tuple {
                database: DATABASE,
                relation: RelationId(7),
                row: RowId { page: 0, slot: 3 },
            },
            "tuple (0,3) of relation 7 of database 5",
        ),
        (LockTag::Transaction(Xid(731)), "transaction 731"),
        (
            LockTag::Advisory {
                database: DATABASE,
                class: 0,
                object: 9,
                kind: 1,
            },
            "advisory lock [5,0,9,1]",
        ),
        (
            LockTag::SpeculativeToken { xid: Xid(8), token: 2 },
            "speculative token 2 of transaction 8",
        ),
    ] {
        assert_eq!(tag.to_string(), text);
    }
}

/// The table must never let two conflicting modes be held, never leave one waiting who could go on,
/// tell of every grant exactly once, and with a deadlock check of every waiter leave no circle.
#[test]
fn random_schedules_keep_the_rules() {
    for seed in 0..400 {
        let mut random = Stream::new(seed, "locks", 0);
        let mut table = LockTable::default();
        let sessions = 2 + random.below(6) as u32;
        let relations = 1 + random.below(4);
        let mut waiting: BTreeMap<u32, (LockTag, LockMode)> = BTreeMap::new();
        let mut held: BTreeSet<(u32, LockTag, LockMode)> = BTreeSet::new();
        for step in 0..300 {
            let who = random.below(u64::from(sessions)) as u32;
            let tag = relation(random.below(relations) as u32);
            let mode = LockMode::ALL[random.below(8) as usize];
            let waits = waiting.contains_key(&who);
            if waits {
                if random.chance(1, 3) {
                    table.cancel_wait(session(who));
                    waiting.remove(&who);
                }
            } else if random.chance(2, 3) {
                match table.acquire(session(who), tag, mode, random.chance(4, 5)) {
                    Granted => drop(held.insert((who, tag, mode))),
                    Waits => drop(waiting.insert(who, (tag, mode))),
                    Unavailable => {}
                    Acquired::Deadlock => {
                        table.release_since(session(who), 0);
                        held.retain(|&(holder, ..)| holder != who);
                    }
                }
            } else if random.chance(1, 2) {
                table.release_since(session(who), 0);
                held.retain(|&(holder, ..)| holder != who);
            } else if let Some(&(_, tag, mode)) = held.iter().find(|(holder, ..)| *holder == who) {
                assert!(table.release(session(who), tag, mode));
                held.remove(&(who, tag, mode));
            }
            note_woken(&mut table, &mut waiting, &mut held, seed);
            for number in waiting.keys().copied().collect::<Vec<u32>>() {
                if waiting.contains_key(&number)
                    && let DeadlockCheck::Deadlock(links) = table.check_deadlock(session(number))
                {
                    assert_is_circle(&links, &waiting, &held, seed);
                    table.release_since(session(number), 0);
                    waiting.remove(&number);
                    held.retain(|&(holder, ..)| holder != number);
                }
                note_woken(&mut table, &mut waiting, &mut held, seed);
            }
            check_rules(&table, &waiting, &held, &format!("seed {seed}, step {step}"));
        }
        for number in 0..sessions {
            table.release_since(session(number), 0);
            waiting.remove(&number);
            held.retain(|&(holder, ..)| holder != number);
            note_woken(&mut table, &mut waiting, &mut held, seed);
        }
        assert!(
            table.locks.is_empty() || !held.is_empty(),
            "seed {seed}: {:?}",
            table.locks
        );
    }
}

fn note_woken(
    table: &mut LockTable,
    waiting: &mut BTreeMap<u32, (LockTag, LockMode)>,
    held: &mut BTreeSet<(u32, LockTag, LockMode)>,
    seed: u64,
) {
    for who in woken(table) {
        let (tag, mode) = waiting
            .remove(&who)
            .unwrap_or_else(|| panic!("seed {seed}: {who} woken without waiting"));
        held.insert((who, tag, mode));
    }
}

fn check_rules(
    table: &LockTable,
    waiting: &BTreeMap<u32, (LockTag, LockMode)>,
    held: &BTreeSet<(u32, LockTag, LockMode)>,
    context: &str,
) {
    for &(who, tag, mode) in held {
        for &(other, other_tag, other_mode) in held {
            let conflict = who != other && tag == other_tag && mode.conflicts_with(other_mode);
            assert!(
                !conflict,
                "{context}: {who} has {mode:?} and {other} has {other_mode:?}"
            );
        }
    }
    for (&who, &(tag, mode)) in waiting {
        let (known, known_mode, blockers) = table
            .waits_for(session(who))
            .unwrap_or_else(|| panic!("{context}: {who}"));
        assert_eq!((known, known_mode), (tag, mode), "{context}");
        assert!(!blockers.is_empty(), "{context}: {who} waits for nobody");
        // Follow who waits for whom: everyone must come to one who runs.
        let mut reached: BTreeSet<SessionId> = BTreeSet::from([session(who)]);
        let mut runs = false;
        let mut front: Vec<SessionId> = blockers;
        while let Some(next) = front.pop() {
            if reached.insert(next) {
                match table.waits_for(next) {
                    Some((_, _, more)) => front.extend(more),
                    None => runs = true,
                }
            }
        }
        assert!(runs, "{context}: {who} and those before it wait in a circle");
    }
}

/// Every link's waiter does wait, and for one who holds or waits before it what conflicts.
fn assert_is_circle(
    links: &[DeadlockLink],
    waiting: &BTreeMap<u32, (LockTag, LockMode)>,
    held: &BTreeSet<(u32, LockTag, LockMode)>,
    seed: u64,
) {
    for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
        assert_eq!(link.blocker, next.waiter, "seed {seed}");
        assert_eq!(waiting.get(&link.waiter.0), Some(&(link.tag, link.mode)), "seed {seed}");
        let holds = held
            .iter()
            .any(|&(who, tag, mode)| who == link.blocker.0 && tag == link.tag && mode.conflicts_with(link.mode));
        let waits = waiting
            .get(&link.blocker.0)
            .is_some_and(|&(tag, mode)| tag == link.tag && mode.conflicts_with(link.mode));
        assert!(holds || waits, "seed {seed}: {link}");
    }
}
