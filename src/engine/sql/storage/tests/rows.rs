//! Snapshots, row locks, savepoints, pruning and vacuum against the naive model.

use base::Fingerprint;
use base::random::Stream;

use super::world::World;
use crate::SessionId;
use crate::storage::*;

/// Runs `check` with the story of what went before, should it fail.
fn telling<T>(seed: u64, story: &[String], check: impl FnOnce() -> T) -> T {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)) {
        Ok(value) => value,
        Err(panic) => {
            eprintln!(
                "seed {seed}; the last steps:\n  {}",
                story[story.len().saturating_sub(25)..].join("\n  ")
            );
            std::panic::resume_unwind(panic)
        }
    }
}

#[test]
fn snapshots_and_locks_are_those_of_the_naive_model() {
    for seed in 0..60 {
        let mut random = Stream::new(seed, "rows", 0);
        let mut world = World::new(4);
        let mut story = Vec::new();
        for _ in 0..600 {
            let step = telling(seed, &story, || world.step(&mut random));
            story.push(step);
        }
        telling(seed, &story, || world.check_committed());
    }
}

#[test]
fn a_fork_goes_its_own_way_and_equal_ways_have_equal_hashes() {
    for seed in 0..10 {
        let mut random = Stream::new(seed, "forks", 0);
        let mut world = World::new(4);
        for _ in 0..200 {
            world.step(&mut random);
        }
        let before = Fingerprint::of(&world.storage);
        let (mut same, mut other) = (world.clone(), world.clone());
        let (mut random_same, mut random_other) = (random.clone(), Stream::new(seed, "another way", 0));
        for _ in 0..200 {
            other.step(&mut random_other);
        }
        assert_eq!(
            Fingerprint::of(&world.storage),
            before,
            "seed {seed}: untouched by what its fork did"
        );
        for step in 0..200 {
            world.step(&mut random);
            same.step(&mut random_same);
            assert_eq!(
                Fingerprint::of(&world.storage),
                Fingerprint::of(&same.storage),
                "seed {seed}, step {step}: equal operations, equal hashes"
            );
        }
        assert_ne!(
            Fingerprint::of(&world.storage),
            Fingerprint::of(&other.storage),
            "seed {seed}"
        );
        other.check_committed();
        world.check_committed();
    }
}

#[test]
fn a_queue_does_not_grow_without_bound() {
    let mut storage = Storage::new();
    let session = SessionId(1);
    let xid = storage.begin(session).expect("a number");
    let relation = storage.create_relation(xid);
    let index = storage.create_index(xid, relation, None);
    storage.commit(xid);
    storage.finish_commit(xid);
    let mut rows = std::collections::VecDeque::new();
    for n in 0..20_000_u32 {
        let xid = storage.begin(session).expect("a number");
        let row = storage
            .insert(relation, &[7; 100], xid, CommandId::FIRST)
            .expect("fits");
        storage.index_insert(index, &n.to_be_bytes(), row).expect("fits");
        rows.push_back(row);
        if rows.len() > 100
            && let Some(oldest) = rows.pop_front()
        {
            assert_eq!(
                storage.delete(relation, oldest, xid, CommandId::FIRST),
                Ok(RowOutcome::Done(()))
            );
        }
        let lsn = storage.commit(xid);
        storage.flushed(lsn);
        storage.finish_commit(xid);
    }
    assert!(
        storage.page_count(relation) < 10,
        "{} pages for 100 rows",
        storage.page_count(relation)
    );
    assert!(
        storage.index_entries(index) < 600,
        "{} entries for 100 rows",
        storage.index_entries(index)
    );
}

#[test]
fn an_old_snapshot_keeps_what_it_sees() {
    let mut storage = Storage::new();
    let (reader, writer) = (SessionId(1), SessionId(2));
    let xid = storage.begin(writer).expect("a number");
    let relation = storage.create_relation(xid);
    let mut row = storage.insert(relation, b"first", xid, CommandId::FIRST).expect("fits");
    storage.commit(xid);
    storage.finish_commit(xid);
    let old = storage.snapshot(reader, None, CommandId::FIRST);
    for n in 0..2_000_u32 {
        let xid = storage.begin(writer).expect("a number");
        let outcome = storage.update(
            relation,
            row,
            &n.to_be_bytes(),
            Change::default(),
            xid,
            CommandId::FIRST,
        );
        let Ok(RowOutcome::Done(updated)) = outcome else {
            panic!("{outcome:?}")
        };
        row = updated.row;
        storage.commit(xid);
        storage.finish_commit(xid);
    }
    let all = |storage: &Storage, snapshot: &Snapshot| {
        let mut cursor = storage.scan(relation);
        std::iter::from_fn(|| {
            storage
                .next_visible(&mut cursor, snapshot)
                .map(|(_, data)| data.to_vec())
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(all(&storage, &old), [b"first"]);
    assert!(storage.page_count(relation) > 5);
    storage.release_snapshots(reader);
    storage.vacuum(relation);
    assert_eq!(all(&storage, &storage.observe()), [1_999_u32.to_be_bytes()]);
    assert!(all(&storage, &old).is_empty(), "released: what it saw is cleared away");
}
