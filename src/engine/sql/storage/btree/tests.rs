//! The B-tree against an ordered set, with forks; cursors across splits and removals.

use std::collections::BTreeSet;
use std::ops::Bound;

use base::Fingerprint;
use base::random::Stream;

use super::*;
use crate::storage::ids::IndexId;

type Model = BTreeSet<(Vec<u8>, RowId)>;

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

fn random_row(random: &mut Stream) -> RowId {
    RowId {
        page: random.below(1_000) as u32,
        slot: 1 + random.below(200) as u16,
    }
}

fn scan(tree: &BTree, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Vec<RowId> {
    let mut cursor = IndexCursor::new(IndexId(1), lower, upper, direction);
    std::iter::from_fn(|| cursor.next(tree)).collect()
}

fn remove(tree: &mut BTree, key: &[u8], row: RowId) {
    let place = Place {
        key,
        row: u64::from(row.pack()),
    };
    let leaf = tree.leaf_for(place);
    let at = tree.node(leaf).lower_bound(place);
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

fn check(tree: &BTree, model: &Model, random: &mut Stream, context: &str) {
    assert_eq!(tree.entries(), model.len() as u64, "{context}");
    let all: Vec<RowId> = model.iter().map(|(_, row)| *row).collect();
    assert_eq!(
        scan(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward),
        all,
        "{context}"
    );
    for _ in 0..20 {
        let (low, high) = (random_key(random), random_key(random));
        let (lower, upper) = (random_bound(random, &low), random_bound(random, &high));
        let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let mut expected: Vec<RowId> = model
            .iter()
            .filter(|(key, _)| within(key, lower, upper))
            .map(|(_, row)| *row)
            .collect();
        assert_eq!(
            scan(tree, lower, upper, Direction::Forward),
            expected,
            "{context}: {lower:?} to {upper:?}"
        );
        expected.reverse();
        assert_eq!(
            scan(tree, lower, upper, Direction::Backward),
            expected,
            "{context}: back, {lower:?} to {upper:?}"
        );
        let mut found = Vec::new();
        tree.lookup(&low, |row| found.push(row));
        let equal: Vec<RowId> = model
            .iter()
            .filter(|(key, _)| *key == low)
            .map(|(_, row)| *row)
            .collect();
        assert_eq!(found, equal, "{context}: {low:?}");
    }
}

#[test]
fn a_tree_and_its_forks_behave_as_ordered_sets() {
    for seed in 0..12 {
        let mut random = Stream::new(seed, "btree", 0);
        let mut worlds = vec![(BTree::new(RelationId(1)), Model::new())];
        for step in 0..6_000 {
            let world = random.below(worlds.len() as u64) as usize;
            let (tree, model) = &mut worlds[world];
            if random.chance(if step < 3_000 { 3 } else { 1 }, 4) || model.is_empty() {
                let (key, row) = (random_key(&mut random), random_row(&mut random));
                tree.insert(&key, row);
                model.insert((key, row));
            } else {
                let at = random.below(model.len() as u64) as usize;
                let entry = model.iter().nth(at).cloned().expect("counted");
                remove(tree, &entry.0, entry.1);
                model.remove(&entry);
            }
            if step % 2_000 == 500 {
                let fork = worlds[world].clone();
                worlds.push(fork);
            }
        }
        for (number, (tree, model)) in worlds.iter().enumerate() {
            check(tree, model, &mut random, &format!("seed {seed}, world {number}"));
        }
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
                tree.insert(&key, row);
            }
            let mut cursor = IndexCursor::new(IndexId(1), Bound::Unbounded, Bound::Unbounded, direction);
            let mut seen = Vec::new();
            while let Some(row) = cursor.next(&tree) {
                seen.push(row.page);
                for _ in 0..3 {
                    let n = random.below(6_000);
                    let (key, row) = entry(n);
                    if n.is_multiple_of(3) {
                        continue;
                    }
                    if random.chance(1, 2) {
                        tree.insert(&key, row);
                    } else if scan(&tree, Bound::Included(&key), Bound::Included(&key), direction) == [row] {
                        remove(&mut tree, &key, row);
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
    for _ in 0..2_000 {
        tree.insert(&random_key(&mut random), random_row(&mut random));
    }
    let mut fork = tree.clone();
    let key = b"one more".as_slice();
    tree.insert(key, RowId { page: 1, slot: 1 });
    assert_ne!(Fingerprint::of(&tree), Fingerprint::of(&fork));
    fork.insert(key, RowId { page: 1, slot: 1 });
    assert_eq!(Fingerprint::of(&tree), Fingerprint::of(&fork));
}

#[test]
fn keys_that_only_grow_leave_full_leaves() {
    let mut tree = BTree::new(RelationId(1));
    for n in 0..50_000_u64 {
        tree.insert(
            &n.to_be_bytes(),
            RowId {
                page: n as u32 / 100,
                slot: 1 + (n % 100) as u16,
            },
        );
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
        tree.insert(
            &n.to_be_bytes(),
            RowId {
                page: n as u32 / 100,
                slot: 1 + (n % 100) as u16,
            },
        );
        if n >= 1_000 {
            let old = n - 1_000;
            remove(
                &mut tree,
                &old.to_be_bytes(),
                RowId {
                    page: old as u32 / 100,
                    slot: 1 + (old % 100) as u16,
                },
            );
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
                node.insert(at, *entry, inner.then_some(at as u32));
            }
            for entry in &entries {
                for row in [0, entry.row, entry.row + 1, node::AFTER] {
                    let place = Place { key: entry.key, row };
                    let expected = entries.partition_point(|other| *other < place);
                    assert_eq!(node.lower_bound(place), expected, "{place:?}");
                }
            }
        }
    }
    assert_eq!(Node::new(None, None).lower_bound(Place { key: b"any", row: 0 }), 0);
}
