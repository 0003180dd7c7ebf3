//! After a crash the storage holds exactly what had been committed and flushed, wherever the flush ended.

use base::random::Stream;

use super::world::World;
use crate::storage::{CommandId, Xid};
use crate::{Lsn, SessionId};

/// After each commit: the WAL position and the rows that are committed by then.
type Prefixes = Vec<(Lsn, Vec<String>)>;

fn run(world: &mut World, random: &mut Stream, steps: usize, prefixes: &mut Prefixes) {
    for _ in 0..steps {
        let before = world.committed.len();
        world.step(random);
        if world.committed.len() > before {
            let rows = world.expected(None, CommandId::FIRST, &world.committed);
            prefixes.push((world.storage.wal_position(), rows));
        }
    }
}

fn check_crash_at(world: &World, flushed: u64, prefixes: &Prefixes, seed: u64) {
    let mut crashed = world.clone();
    crashed.storage.flushed(Lsn(flushed));
    crashed.storage.crash();
    crashed.storage.recover();
    let expected = prefixes
        .iter()
        .rev()
        .find(|(lsn, _)| lsn.0 <= flushed)
        .map(|(_, rows)| rows.as_slice());
    let shown = crashed.shown(&crashed.storage.observe());
    assert_eq!(shown, expected.unwrap_or(&[]), "seed {seed}, flushed up to {flushed}");
    // It works: a new transaction can write, and no number is used twice.
    let session = SessionId(77);
    let xid = crashed.storage.begin(session).expect("a number");
    assert!(xid > Xid::FIRST && !crashed.storage.observe().is_running(Xid(xid.0 - 1)));
    for n in 0..40_u32 {
        let data = super::world::row_data(1_000_000 + n, 11, 100);
        let row = crashed
            .storage
            .insert(crashed.relation, &data, xid, CommandId::FIRST)
            .expect("fits");
        crashed
            .storage
            .index_insert(crashed.index, &super::world::key_of(&data), row)
            .expect("fits");
    }
    crashed.storage.commit(xid);
    crashed.storage.finish_commit(xid);
    assert_eq!(
        crashed.shown(&crashed.storage.observe()).len(),
        shown.len() + 40,
        "seed {seed}"
    );
    crashed.storage.vacuum(crashed.relation);
    assert_eq!(
        crashed.shown(&crashed.storage.observe()).len(),
        shown.len() + 40,
        "seed {seed}"
    );
}

#[test]
fn recovery_gives_the_committed_prefix_at_every_flush_point() {
    for seed in 0..6 {
        let mut random = Stream::new(seed, "recovery", 0);
        let mut world = World::new(4);
        let mut prefixes = vec![(world.storage.wal_position(), Vec::new())];
        let start = world.storage.wal_position().0;
        run(&mut world, &mut random, 250, &mut prefixes);
        let end = world.storage.wal_position().0;
        for flushed in (start..=end).step_by(37).chain([end]) {
            check_crash_at(&world, flushed, &prefixes, seed);
        }
    }
}

#[test]
fn recovery_begins_at_the_last_checkpoint() {
    for seed in 0..6 {
        let mut random = Stream::new(seed, "checkpoints", 0);
        let mut world = World::new(4);
        let mut prefixes = vec![(world.storage.wal_position(), Vec::new())];
        run(&mut world, &mut random, 300, &mut prefixes);
        world.storage.checkpoint_now();
        let start = world.storage.wal_position().0;
        run(&mut world, &mut random, 150, &mut prefixes);
        let end = world.storage.wal_position().0;
        for flushed in (start..=end).step_by(101).chain([end]) {
            check_crash_at(&world, flushed, &prefixes, seed);
        }
        let mut crashed = world.clone();
        crashed.storage.flushed(Lsn(end));
        crashed.storage.crash();
        assert_eq!(crashed.storage.recover().wal_bytes, end - start, "seed {seed}");
    }
}

#[test]
fn a_commit_record_that_was_written_before_a_checkpoint_counts() {
    let mut world = World::new(1);
    let xid = world.storage.begin(SessionId(0)).expect("a number");
    let data = super::world::row_data(1, 2, 3);
    let row = world
        .storage
        .insert(world.relation, &data, xid, CommandId::FIRST)
        .expect("fits");
    world
        .storage
        .index_insert(world.index, &super::world::key_of(&data), row)
        .expect("fits");
    world.storage.commit(xid);
    assert!(
        world.shown(&world.storage.observe()).is_empty(),
        "nobody sees it before it is finished"
    );
    world.storage.checkpoint_now();
    world.storage.crash();
    world.storage.recover();
    assert_eq!(world.shown(&world.storage.observe()), [super::world::brief(&data)]);
}

#[test]
fn tables_of_unfinished_transactions_are_gone_after_a_crash() {
    let mut world = World::new(1);
    let xid = world.storage.begin(SessionId(0)).expect("a number");
    let unfinished = world.storage.create_relation(xid);
    world
        .storage
        .insert(unfinished, b"row", xid, CommandId::FIRST)
        .expect("fits");
    let other = world.storage.begin(SessionId(1)).expect("a number");
    let finished = world.storage.create_relation(other);
    world
        .storage
        .insert(finished, b"row", other, CommandId::FIRST)
        .expect("fits");
    world.storage.drop_relation(other, world.relation);
    let lsn = world.storage.commit(other);
    world.storage.finish_commit(other);
    assert_eq!(
        world.storage.index_depth(world.index),
        0,
        "an index goes with its relation"
    );
    world.storage.flushed(lsn);
    for checkpoint in [false, true] {
        let mut crashed = world.clone();
        if checkpoint {
            crashed.storage.checkpoint_now();
        }
        crashed.storage.crash();
        crashed.storage.recover();
        assert_eq!(crashed.storage.page_count(unfinished), 0);
        assert_eq!(crashed.storage.page_count(finished), 1);
        assert_eq!(crashed.storage.page_count(crashed.relation), 0);
    }
}
