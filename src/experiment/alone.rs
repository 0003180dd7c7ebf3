//! One request alone, at its profile's network or at one where every round trip is as long as somebody says: what
//! it waited for, and how long.

use std::sync::Arc;

use base::{Nanos, Time};
use program::profile::{LinkLatency, Profile};
use program::{Compilation, Event, EventKind, Link, LinkClass, NodeId, NodeKind, OperationId, Outcome};
use report::Alone;

use crate::solo;

/// Looks at one request of an operation on a compiled design.
///
/// # Errors
///
/// The request fails, or is not answered: then its latency says nothing.
pub(crate) fn look(
    full: &Compilation,
    operation: OperationId,
    profile: &Profile,
    round_trip: Option<Nanos>,
) -> Result<Alone, String> {
    let mut alone = Compilation::clone(&solo::compilation(full, operation));
    let mut profile = profile.clone();
    if let Some(round_trip) = round_trip {
        stretch(&mut alone, &mut profile, round_trip);
    }
    let alone = Arc::new(alone);
    let events = solo::events(&alone, &profile)?;
    let answered = events.iter().find_map(|event| match &event.kind {
        EventKind::RequestAnswered { latency, outcome, .. } if event.request == Some(solo::REQUEST) => {
            Some((event.at, *latency, outcome.clone()))
        }
        _ => None,
    });
    let (at, latency) = match answered {
        Some((at, latency, Outcome::Done)) => (at, latency),
        Some((_, _, outcome)) => return Err(format!("the request alone fails: {outcome}")),
        None => return Err("the request alone is not answered".to_owned()),
    };
    Ok(Alone {
        round_trip,
        latency,
        trips: trips(&alone, &events, at),
        service: service(&events, at),
    })
}

/// Every round trip between two machines takes so long; clients sit at the application's own machine.
fn stretch(compilation: &mut Compilation, profile: &mut Profile, round_trip: Nanos) {
    for class in [LinkClass::SameZone, LinkClass::CrossZone, LinkClass::CrossRegion] {
        profile.network.retain(|link| link.class != class);
        profile.network.push(LinkLatency {
            class,
            base_ns: Nanos(round_trip.0 / 2),
            jitter_mean_ns: Nanos::ZERO,
        });
    }
    let nodes = &compilation.deployment.nodes;
    let ids = || (0..nodes.len()).map(|index| NodeId(index as u16));
    let is_client = |id: &NodeId| nodes[id.index()].kind == NodeKind::Client;
    let at_home = ids().filter(is_client).flat_map(|client| {
        ids().filter(move |other| *other != client).map(move |other| Link {
            between: (client, other),
            class: LinkClass::Local,
        })
    });
    // The first link between two nodes counts.
    let links: Vec<Link> = at_home.chain(compilation.deployment.links.iter().cloned()).collect();
    compilation.deployment.links = links;
}

/// What was sent to another machine on the request's behalf before its answer, in order.
fn trips(compilation: &Compilation, events: &[Event], answered: Time) -> Vec<String> {
    let sent = events
        .iter()
        .filter(|event| event.request == Some(solo::REQUEST) && event.at <= answered);
    let sent = sent.filter_map(|event| match &event.kind {
        EventKind::MessageSent {
            activation,
            step,
            to,
            reply: false,
            ..
        } => {
            let deployment = &compilation.deployment;
            if deployment.node(event.node).kind == NodeKind::Client {
                return None;
            }
            let program = &compilation.programs[activation.program.index()];
            Some(format!("{}: {}", deployment.node(*to).name, program.step(*step).label))
        }
        _ => None,
    });
    sent.collect()
}

/// How long processors worked on the request's behalf and how long it waited for flushes, locks and connections before
/// its answer. What overlaps counts once.
fn service(events: &[Event], answered: Time) -> Nanos {
    let mut spans: Vec<(Time, Time)> = Vec::new();
    let mut waits = Vec::new();
    let own = |event: &&Event| event.request == Some(solo::REQUEST) && event.at <= answered;
    for event in events.iter().filter(own) {
        match &event.kind {
            EventKind::WorkStarted { duration, .. } => spans.push((event.at, event.at + *duration)),
            EventKind::WaitStarted { activation, step, .. } => waits.push((activation, step, event.at)),
            EventKind::WaitEnded { activation, step, .. } => {
                let begun = waits.iter().position(|(of, at, _)| (of, at) == (&activation, &step));
                spans.extend(begun.map(|place| (waits.swap_remove(place).2, event.at)));
            }
            _ => {}
        }
    }
    spans.sort_unstable();
    let mut until = Time::ZERO;
    let mut total = Nanos::ZERO;
    for (from, to) in spans {
        let (from, to) = (from.max(until), to.min(answered));
        total += to.since(from);
        until = until.max(to);
    }
    total
}
