//! Snapshots, row locks, savepoints, pruning and vacuum against the naive model.

use base::Fingerprint;
use base::random::Stream;

use super::world::World;

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
