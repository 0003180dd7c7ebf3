//! How fast the hot paths are. Prints, asserts nothing about time:
//! `cargo test --release -p engine-sql speed -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use base::Fingerprint;
use base::random::Stream;

use crate::SessionId;
use crate::storage::*;

const ROWS: u32 = 10_000;
const SESSION: SessionId = SessionId(1);

fn loaded(padding: usize) -> (Storage, RelationId, IndexId) {
    let mut storage = Storage::new();
    let xid = storage.begin(SESSION).expect("a number");
    let relation = storage.create_relation(xid);
    let index = storage.create_index(xid, relation, None);
    storage.commit(xid);
    storage.finish_commit(xid);
    for id in 0..ROWS {
        let mut data = id.to_be_bytes().to_vec();
        data.resize(4 + padding, 0xab);
        let row = storage.insert_frozen(relation, &data).expect("fits");
        storage.index_insert(index, &id.to_be_bytes(), row).expect("fits");
    }
    storage.checkpoint_now();
    (storage, relation, index)
}

fn time(what: &str, count: u32, mut work: impl FnMut(u32)) {
    let start = Instant::now();
    for n in 0..count {
        work(n);
    }
    let nanos = start.elapsed().as_nanos() as f64 / f64::from(count);
    println!("{what:45} {nanos:10.0} ns  {:12.0} /s", 1e9 / nanos);
}

#[test]
#[ignore = "prints times"]
fn speed() {
    let (mut storage, relation, index) = loaded(80);
    let mut random = Stream::new(1, "speed", 0);
    let mut rows = Vec::new();
    let database = DatabaseId(1);

    time("point read by key", 1_000_000, |_| {
        let key = (random.below(u64::from(ROWS)) as u32).to_be_bytes();
        storage.acquire(
            SESSION,
            LockTag::Relation { database, relation },
            LockMode::AccessShare,
            true,
        );
        let snapshot = storage.snapshot(SESSION, None, CommandId::FIRST);
        rows.clear();
        storage.index_lookup(index, &key, |row| rows.push(row));
        let (_, data) = storage.fetch_indexed(relation, rows[0], &snapshot).expect("there");
        assert_eq!(data[..4], key);
        storage.release_snapshots(SESSION);
        storage.release_locks(SESSION);
    });

    time("update by key, own transaction", 500_000, |_| {
        let key = (random.below(u64::from(ROWS)) as u32).to_be_bytes();
        storage.acquire(
            SESSION,
            LockTag::Relation { database, relation },
            LockMode::RowExclusive,
            true,
        );
        let snapshot = storage.snapshot(SESSION, None, CommandId::FIRST);
        rows.clear();
        storage.index_lookup(index, &key, |row| rows.push(row));
        let (row, data) = rows
            .iter()
            .find_map(|&root| storage.fetch_indexed(relation, root, &snapshot))
            .expect("there");
        let mut data = data.to_vec();
        data[10] ^= 1;
        let xid = storage.begin(SESSION).expect("a number");
        match storage
            .update(relation, row, &data, Change::default(), xid, CommandId::FIRST)
            .expect("fits")
        {
            RowOutcome::Done(Updated { hot: true, .. }) => {}
            RowOutcome::Done(new) => storage.index_insert(index, &key, new.row).expect("fits"),
            other => panic!("{other:?}"),
        }
        let lsn = storage.commit(xid);
        storage.flushed(lsn);
        storage.finish_commit(xid);
        storage.release_snapshots(SESSION);
        storage.release_locks(SESSION);
    });
    println!(
        "pages {}, index entries {}",
        storage.page_count(relation),
        storage.index_entries(index)
    );

    time("update of one hot row", 500_000, |_| {
        let key = 7_u32.to_be_bytes();
        let snapshot = storage.snapshot(SESSION, None, CommandId::FIRST);
        rows.clear();
        storage.index_lookup(index, &key, |row| rows.push(row));
        let (row, data) = rows
            .iter()
            .find_map(|&root| storage.fetch_indexed(relation, root, &snapshot))
            .expect("there");
        let data = data.to_vec();
        let xid = storage.begin(SESSION).expect("a number");
        match storage
            .update(relation, row, &data, Change::default(), xid, CommandId::FIRST)
            .expect("fits")
        {
            RowOutcome::Done(Updated { hot: true, .. }) => {}
            RowOutcome::Done(new) => storage.index_insert(index, &key, new.row).expect("fits"),
            other => panic!("{other:?}"),
        }
        let lsn = storage.commit(xid);
        storage.flushed(lsn);
        storage.finish_commit(xid);
        storage.release_snapshots(SESSION);
    });
    println!(
        "pages {}, index entries {}",
        storage.page_count(relation),
        storage.index_entries(index)
    );

    time("insert with one index, 100 a transaction", 5_000, |n| {
        let xid = storage.begin(SESSION).expect("a number");
        for k in 0..100 {
            let id = ROWS + n * 100 + k;
            let mut data = id.to_be_bytes().to_vec();
            data.resize(84, 1);
            let row = storage.insert(relation, &data, xid, CommandId::FIRST).expect("fits");
            storage.index_insert(index, &id.to_be_bytes(), row).expect("fits");
        }
        let lsn = storage.commit(xid);
        storage.flushed(lsn);
        storage.finish_commit(xid);
    });

    let (mut storage, relation, index) = loaded(80);
    time("fork of a 10,000-row table", 200_000, |_| {
        black_box(storage.clone());
    });
    time("fork, one update in the fork", 100_000, |n| {
        let mut fork = storage.clone();
        let key = (n % ROWS).to_be_bytes();
        let snapshot = fork.snapshot(SESSION, None, CommandId::FIRST);
        rows.clear();
        fork.index_lookup(index, &key, |row| rows.push(row));
        let (row, data) = fork.fetch_indexed(relation, rows[0], &snapshot).expect("there");
        let data = data.to_vec();
        let xid = fork.begin(SESSION).expect("a number");
        black_box(
            fork.update(relation, row, &data, Change::default(), xid, CommandId::FIRST)
                .expect("fits"),
        );
        fork.commit(xid);
        fork.finish_commit(xid);
    });
    time("fingerprint of a 10,000-row table", 200, |_| {
        black_box(Fingerprint::of(&storage));
    });
    time("scan of a 10,000-row table", 500, |_| {
        let snapshot = storage.snapshot(SESSION, None, CommandId::FIRST);
        let mut cursor = storage.scan(relation);
        let mut count = 0;
        while storage.next_visible(&mut cursor, &snapshot).is_some() {
            count += 1;
        }
        assert_eq!(count, ROWS);
    });
}
