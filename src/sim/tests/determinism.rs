//! Equal inputs give equal runs; observing changes nothing; a fork goes on as the original does.

use base::Nanos;
use program::workload::ClientLoop;
use program::*;
use sim::{Checks, Options, Progress, Record, first_difference};

use crate::build::*;
use crate::statement::{accounts, deposit};

/// Twenty clients, four connections, three hot rows: waits for locks, connections, cores and flushes.
fn busy() -> Compilation {
    let mut compilation = accounts(3, 4);
    deposit(&mut compilation);
    compilation.workload.clients = ClientLoop::Closed {
        clients: 20,
        think: Nanos::from_millis(5),
    };
    compilation.workload.requests = 400;
    compilation
}

fn jittery() -> program::profile::Profile {
    let mut profile = profile();
    profile.network[0].jitter_mean_ns = Nanos::from_micros(50);
    profile
}

fn run(compilation: &Compilation, record: Record, checks: Checks) -> sim::Simulation {
    let options = Options {
        record,
        checks,
        ..Options::of(compilation)
    };
    simulation_with(compilation, &jittery(), Vec::new(), options)
}

#[test]
fn the_same_run_twice_is_the_same_run() {
    let compilation = busy();
    let mut left = run(&compilation, Record::Everything, Checks::End);
    let mut right = run(&compilation, Record::Everything, Checks::End);
    if let Some(difference) = first_difference(&mut left, &mut right) {
        let say = |event: &Option<Event>| event.as_ref().map(|event| event.sentence(&compilation));
        panic!(
            "event {}: {:?} / {:?}",
            difference.index,
            say(&difference.left),
            say(&difference.right)
        );
    }
    assert_eq!(left.trace(), right.trace());
    assert_eq!(left.fingerprint(), right.fingerprint());
    assert!(left.trace().0 > 5_000);
}

#[test]
fn another_seed_is_another_run_and_the_first_differing_event_is_named() {
    let mut compilation = busy();
    let mut left = run(&compilation, Record::Everything, Checks::End);
    compilation.workload.seed += 1;
    let mut right = run(&compilation, Record::Everything, Checks::End);
    let difference = first_difference(&mut left, &mut right).expect("other arrivals");
    assert_ne!(difference.left, difference.right);
}

#[test]
fn observing_changes_nothing() {
    let compilation = busy();
    let mut plain = run(&compilation, Record::Nothing, Checks::Never);
    plain.run();
    for (record, checks) in [
        (Record::Everything, Checks::End),
        (Record::Requests([RequestId(7)].into()), Checks::EveryCommit),
        (
            Record::Window(base::Time(1_000_000), base::Time(20_000_000)),
            Checks::Never,
        ),
    ] {
        let mut observed = run(&compilation, record, checks);
        observed.run();
        assert_eq!(plain.trace(), observed.trace());
        assert_eq!(plain.fingerprint(), observed.fingerprint());
    }
}

#[test]
fn a_replay_records_what_a_full_recording_would_have_of_a_request() {
    let compilation = busy();
    let mut full = run(&compilation, Record::Everything, Checks::Never);
    full.run();
    let mut replay = run(&compilation, Record::Requests([RequestId(123)].into()), Checks::Never);
    replay.run();
    let of_it = |event: &&Event| event.request.is_none_or(|request| request == RequestId(123));
    let expected: Vec<&Event> = full.recorded().iter().filter(of_it).collect();
    assert_eq!(replay.recorded().iter().collect::<Vec<_>>(), expected);
    assert!(expected.iter().any(|event| event.request.is_some()));
}

#[test]
fn slices_of_any_size_are_the_same_run() {
    let compilation = busy();
    let mut whole = run(&compilation, Record::Nothing, Checks::Never);
    whole.run();
    let mut sliced = run(&compilation, Record::Nothing, Checks::Never);
    let mut slices = 0;
    while let Progress::Running {
        issued,
        ended,
        requests,
        ..
    } = sliced.run_slice(7)
    {
        assert!(ended <= issued && issued <= requests);
        slices += 1;
    }
    assert!(slices > 100);
    assert_eq!(whole.fingerprint(), sliced.fingerprint());
}

#[test]
fn a_fork_in_the_middle_of_a_blocked_statement_ends_as_the_original_does() {
    let compilation = busy();
    let mut original = run(&compilation, Record::Everything, Checks::Never);
    let mut blocked = false;
    while !blocked {
        assert!(
            matches!(original.run_slice(1), Progress::Running { .. }),
            "nothing was ever blocked"
        );
        let waits = |event: &Event| {
            matches!(
                event.kind,
                EventKind::WaitStarted {
                    cause: WaitCause::Lock(_),
                    ..
                }
            )
        };
        blocked = original.take_recorded().iter().any(waits);
    }
    let mut fork = original.clone();
    assert_eq!(original.fingerprint(), fork.fingerprint());
    assert_eq!(first_difference(&mut original, &mut fork), None);
    assert_eq!(original.fingerprint(), fork.fingerprint());
    assert_eq!(original.trace(), fork.trace());
}

#[test]
fn a_fork_does_not_disturb_the_original() {
    let compilation = busy();
    let mut alone = run(&compilation, Record::Nothing, Checks::Never);
    let mut forked = run(&compilation, Record::Nothing, Checks::Never);
    alone.run_slice(3_000);
    forked.run_slice(3_000);
    forked.clone().run();
    assert_eq!(alone.fingerprint(), forked.fingerprint());
}
