//! The B-tree against an ordered set, with forks; cursors across splits and removals.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use base::Fingerprint;
use base::random::Stream;

use super::*;
use crate::storage::ids::IndexId;

type Model = BTreeSet<(Vec<u8>, RowId)>;

/// Rows with their keys. One that is not here is gone.
#[derive(Clone, Debug, Default)]
struct Rows(BTreeMap<u32, Vec<u8>>);

impl Keys for Rows {
    fn key(&self, row: u32) -> Option<Vec<u8>> {
        self.0.get(&row).cloned()
    }

    fn may_cut(&self, row: u32, _: bool) -> bool {
        !row.is_multiple_of(7)
    }
}

/// Nothing is cut.
struct Whole;

impl Keys for Whole {
    fn key(&self, _: u32) -> Option<Vec<u8>> {
        None
    }

    fn may_cut(&self, _: u32, _: bool) -> bool {
        false
    }
}

/// A tree, the rows that it leads to, and what must be in it.
#[derive(Clone, Debug)]
struct World {
    tree: BTree,
    rows: Rows,
    model: Model,
    /// Entries whose rows are gone.
    gone: BTreeSet<RowId>,
}

impl World {
    fn insert(&mut self, key: Vec<u8>, row: RowId) {
        self.rows.0.insert(row.pack(), key.clone());
        self.tree.insert(&key, row, &self.rows);
        self.model.insert((key, row));
    }

    fn remove(&mut self, key: Vec<u8>, row: RowId) {
        remove(&mut self.tree, &key, row, &self.rows);
        self.model.remove(&(key, row));
        self.rows.0.remove(&row.pack());
    }

    /// The row goes, its entry stays.
    fn lose(&mut self, key: Vec<u8>, row: RowId) {
        self.rows.0.remove(&row.pack());
        self.model.remove(&(key, row));
        self.gone.insert(row);
    }

    /// The entries of lost rows go.
    fn sweep(&mut self) {
        for leaf in self.tree.leaves() {
            let lost: Vec<u16> = (0_u16..)
                .zip(self.tree.leaf_rows(leaf))
                .filter(|(_, row)| self.gone.contains(row))
                .map(|(at, _)| at)
                .collect();
            self.tree.remove(leaf, &lost);
        }
        self.gone.clear();
    }

    fn scan(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Vec<RowId> {
        let mut found = scan(&self.tree, lower, upper, direction, &self.rows);
        found.retain(|row| !self.gone.contains(row));
        found
    }
}

/// Keys that share prefixes, repeat, are prefixes of each other, and now and then are long.
fn random_key(random: &mut Stream) -> Vec<u8> {
    match random.below(4) {
        0 => format!("user_{:04}", random.below(3_000)).into_bytes(),
        1 => random.below(500).to_be_bytes().to_vec(),
        2 => vec![b'a'; random.below(30) as usize],
        _ => {
            let mut key = vec![b'z'; random.below(900) as usize];
            key.extend_from_slice(&random.below(50).to_be_bytes());
            key
        }
    }
}

fn row(number: u64) -> RowId {
    RowId {
        page: number as u32 / 200,
        slot: 1 + (number % 200) as u16,
    }
}

fn scan(tree: &BTree, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction, keys: &dyn Keys) -> Vec<RowId> {
    let mut cursor = IndexCursor::new(IndexId(1), lower, upper, direction);
    std::iter::from_fn(|| cursor.next(tree, keys)).collect()
}

fn remove(tree: &mut BTree, key: &[u8], row: RowId, keys: &dyn Keys) {
    let place = Place {
        key,
        row: u64::from(row.pack()),
    };
    let leaf = tree.leaf_for(place);
    let at = tree.node(leaf).lower_bound(place, keys);
    assert_eq!(tree.node(leaf).row(at), row.pack());
    tree.remove(leaf, &[at as u16]);
}

fn within(key: &[u8], lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
    let after_lower = match lower {
        Bound::Included(bound) => key >= bound,
        Bound::Excluded(bound) => key > bound,
        Bound::Unbounded => true,
    };
    let before_upper = match upper {
        Bound::Included(bound) => key <= bound,
        Bound::Excluded(bound) => key < bound,
        Bound::Unbounded => true,
    };
    after_lower && before_upper
}

fn random_bound(random: &mut Stream, key: &[u8]) -> Bound<Vec<u8>> {
    match random.below(3) {
        0 => Bound::Included(key.to_vec()),
        1 => Bound::Excluded(key.to_vec()),
        _ => Bound::Unbounded,
    }
}

fn check(world: &World, random: &mut Stream, context: &str) {
    let World { tree, model, gone, .. } = world;
    assert_eq!(tree.entries(), (model.len() + gone.len()) as u64, "{context}");
    let all: Vec<RowId> = model.iter().map(|(_, row)| *row).collect();
    assert_eq!(
        world.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward),
        all,
        "{context}"
    );
    for _ in 0..40 {
        let (low, high) = (random_key(random), random_key(random));
        let (lower, upper) = (random_bound(random, &low), random_bound(random, &high));
        let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let mut expected: Vec<RowId> = model
            .iter()
            .filter(|(key, _)| within(key, lower, upper))
            .map(|(_, row)| *row)
            .collect();
        assert_eq!(
            world.scan(lower, upper, Direction::Forward),
            expected,
            "{context}: {lower:?} to {upper:?}"
        );
        expected.reverse();
        assert_eq!(
            world.scan(lower, upper, Direction::Backward),
            expected,
            "{context}: back, {lower:?} to {upper:?}"
        );
        let known = model.iter().nth(random.below(model.len() as u64) as usize);
        for key in [Some(&low), known.map(|(key, _)| key)].into_iter().flatten() {
            let mut found = Vec::new();
            tree.lookup(key, &world.rows, |row| found.push(row));
            found.retain(|row| !gone.contains(row));
            let equal: Vec<RowId> = model
                .iter()
                .filter(|(other, _)| other == key)
                .map(|(_, row)| *row)
                .collect();
            assert_eq!(found, equal, "{context}: {key:?}");
        }
    }
}

#[test]
fn a_tree_and_its_forks_behave_as_ordered_sets() {
    for seed in 0..12 {
        let mut random = Stream::new(seed, "btree", 0);
        let mut worlds = vec![World {
            tree: BTree::new(RelationId(1)),
            rows: Rows::default(),
            model: Model::new(),
            gone: BTreeSet::new(),
        }];
        for step in 0..6_000 {
            let number = random.below(worlds.len() as u64) as usize;
            let world = &mut worlds[number];
            if random.chance(if step < 3_000 { 3 } else { 1 }, 4) || world.model.is_empty() {
                // Now and then an update that keeps the key: one more entry with it.
                let old = random.below(world.model.len() as u64 + 1) as usize;
                let old = world.model.iter().nth(old).filter(|_| random.chance(1, 4));
                let key = old.map_or_else(|| random_key(&mut random), |(key, _)| key.clone());
                world.insert(key, row(step));
            } else {
                let at = random.below(world.model.len() as u64) as usize;
                let (key, row) = world.model.iter().nth(at).cloned().expect("counted");
                if random.chance(1, 2) {
                    world.remove(key, row);
                } else {
                    world.lose(key, row);
                }
            }
            if random.chance(1, 300) {
                world.sweep();
            }
            if step % 2_000 == 500 {
                let fork = worlds[number].clone();
                worlds.push(fork);
            }
        }
        for (number, world) in worlds.iter().enumerate() {
            check(world, &mut random, &format!("seed {seed}, world {number}"));
        }
    }
}

#[test]
fn of_long_keys_only_what_tells_them_apart_is_kept() {
    let mut random = Stream::new(3, "long keys", 0);
    let (mut tree, mut rows) = (BTree::new(RelationId(1)), Rows::default());
    let count = 20_000;
    for number in 0..count {
        let key: Vec<u8> = (0..120).map(|_| random.below(16) as u8 + b'a').collect();
        rows.0.insert(row(number).pack(), key.clone());
        tree.insert(&key, row(number), &rows);
    }
    // One in seven is pinned.
    let per_entry = tree.allocated() as u64 / count;
    assert!(per_entry < 22 + 120 / 7 + 8, "{per_entry} bytes an entry");
    for (number, key) in &rows.0 {
        let mut found = Vec::new();
        tree.lookup(key, &rows, |row| found.push(row.pack()));
        assert_eq!(found, [*number]);
    }
}

#[test]
fn a_scan_rests_while_others_change_the_tree() {
    for seed in 0..20 {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut random = Stream::new(seed, "resting scan", 0);
            let mut tree = BTree::new(RelationId(1));
            let entry = |n: u64| {
                (
                    n.to_be_bytes(),
                    RowId {
                        page: n as u32,
                        slot: 1,
                    },
                )
            };
            // Those divisible by 3 stay all the time: a scan must give them once each, in order.
            for n in 0..3_000 {
                let (key, row) = entry(n);
                tree.insert(&key, row, &Whole);
            }
            let mut cursor = IndexCursor::new(IndexId(1), Bound::Unbounded, Bound::Unbounded, direction);
            let mut seen = Vec::new();
            while let Some(row) = cursor.next(&tree, &Whole) {
                seen.push(row.page);
                for _ in 0..3 {
                    let n = random.below(6_000);
                    let (key, row) = entry(n);
                    if n.is_multiple_of(3) {
                        continue;
                    }
                    if random.chance(1, 2) {
                        tree.insert(&key, row, &Whole);
                    } else if scan(&tree, Bound::Included(&key), Bound::Included(&key), direction, &Whole) == [row] {
                        remove(&mut tree, &key, row, &Whole);
                    }
                }
            }
            if direction == Direction::Backward {
                seen.reverse();
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "seed {seed}: in order and none twice");
            let stayed: Vec<u32> = seen.into_iter().filter(|n| n % 3 == 0).collect();
            assert_eq!(
                stayed,
                (0..3_000).filter(|n| n % 3 == 0).collect::<Vec<u32>>(),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn forks_that_do_the_same_have_equal_hashes() {
    let mut random = Stream::new(5, "btree hash", 0);
    let mut tree = BTree::new(RelationId(1));
    for number in 0..2_000 {
        tree.insert(&random_key(&mut random), row(number), &Whole);
    }
    let mut fork = tree.clone();
    let key = b"one more".as_slice();
    tree.insert(key, row(5_000), &Whole);
    assert_ne!(Fingerprint::of(&tree), Fingerprint::of(&fork));
    fork.insert(key, row(5_000), &Whole);
    assert_eq!(Fingerprint::of(&tree), Fingerprint::of(&fork));
}

#[test]
fn keys_that_only_grow_leave_full_leaves() {
    let mut tree = BTree::new(RelationId(1));
    for n in 0..50_000_u64 {
        tree.insert(&n.to_be_bytes(), row(n), &Whole);
    }
    let leaves = tree.leaves().len() as u64;
    assert!(50_000 / leaves > 300, "{leaves} leaves");
    assert_eq!(tree.height(), 2);
}

#[test]
fn emptied_leaves_are_used_again() {
    let mut tree = BTree::new(RelationId(1));
    // A queue: in at one end, out at the other.
    for n in 0..60_000_u64 {
        tree.insert(&n.to_be_bytes(), row(n), &Whole);
        if n >= 1_000 {
            let old = n - 1_000;
            remove(&mut tree, &old.to_be_bytes(), row(old), &Whole);
        }
    }
    assert_eq!(tree.entries(), 1_000);
    assert!(tree.nodes.len() < 40, "{} nodes for 1,000 entries", tree.nodes.len());
}

#[test]
fn a_place_is_found_however_keys_are_spread() {
    let spreads: [fn(u64) -> u64; 5] = [
        |n| n,
        |n| 1_u64 << (n % 64),
        |n| u64::MAX - n * n * n,
        |n| n / 50 * 1_000_000_007,
        |n| if n < 150 { 7 } else { n << 40 },
    ];
    for spread in spreads {
        for inner in [false, true] {
            let mut keys: Vec<Vec<u8>> = (0..200).map(|n| spread(n).to_be_bytes().to_vec()).collect();
            // Some differ only after the bytes that a slot holds.
            keys.extend((0..200).map(|n| [&spread(n).to_be_bytes()[..], &[n as u8]].concat()));
            keys.sort_unstable();
            let mut entries: Vec<Place<'_>> = (1..)
                .zip(&keys)
                .map(|(row, key)| Place {
                    key: key.as_slice(),
                    row,
                })
                .collect();
            if inner {
                entries.insert(0, Place { key: &[], row: 0 });
            }
            let mut node = Node::new(None, None);
            for (at, entry) in entries.iter().enumerate() {
                if inner {
                    node.insert_child(at, *entry, at as u32);
                } else {
                    node.insert(at, *entry, &Whole);
                }
            }
            for entry in &entries {
                for row in [0, entry.row, entry.row + 1, node::AFTER] {
                    let place = Place { key: entry.key, row };
                    let expected = entries.partition_point(|other| *other < place);
                    assert_eq!(node.lower_bound_by_known(place), expected, "{place:?}");
                }
            }
        }
    }
    assert_eq!(
        Node::new(None, None).lower_bound_by_known(Place { key: b"any", row: 0 }),
        0
    );
}
