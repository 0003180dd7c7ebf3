//! Breaking the execution where the cursor stands: the faults that can strike there, as sentences.
//!
//! A fault is known by its step, and steps are those of the undisturbed execution. So faults are offered up to the
//! instant at which a broken execution departs from it; beyond, nobody can say which step would be meant.

use base::Time;
use leptos::prelude::*;
use report::{Mishap, Strike, Target};

use super::Execution;
use super::playback::Playback;

/// What whoever shows the player does about faults.
#[derive(Clone)]
pub(crate) struct Breaking {
    /// The fault of this execution as a sentence, if it has one.
    pub(crate) fault: Option<String>,
    /// Runs it again with this fault; `None`: with nothing broken.
    pub(crate) run: Callback<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    Nodes,
    /// Messages between two nodes, and the step itself.
    Links,
}

/// Links that are offered, those used last.
const MOST_LINKS: usize = 3;

#[component]
pub(crate) fn BreakPanel(
    playback: Playback,
    executions: Vec<Execution>,
    breaking: Breaking,
    panel: RwSignal<Option<Panel>>,
) -> impl IntoView {
    let Breaking { fault, run } = breaking;
    let broken = fault.map(|fault| {
        view! {
            <p class="broken-by"><span class="visually-hidden">"Fault: "</span><code>{fault}</code>
                <button type="button" class="button small" on:click=move |_| run.run(None)>"Mend it"</button>
            </p>
        }
    });
    let several = executions.len() > 1;
    let executions = StoredValue::new(executions);
    let open = move |panel: Panel| {
        let lists = executions.with_value(|executions| {
            let list = |execution: &Execution| offers(playback, execution, panel, several, run);
            executions.iter().map(list).collect_view()
        });
        let title = match panel {
            Panel::Nodes => "Kill a node where the cursor stands",
            Panel::Links => "Cut a link where the cursor stands, make a message late, or refuse the step",
        };
        view! { <div class="break-panel" role="group" aria-label=title><p class="hint">{title} ":"</p>{lists}</div> }
    };
    view! { {broken} {move || panel.get().map(open)} }
}

fn offers(
    playback: Playback,
    execution: &Execution,
    panel: Panel,
    several: bool,
    run: Callback<Option<String>>,
) -> impl IntoView + use<> {
    let (strikes, departs) = (execution.strikes.clone(), execution.departs);
    let choices = Memo::new(move |_| {
        let now = playback.cursor.get().at;
        if departs.is_some_and(|departs| now >= departs) {
            return None;
        }
        Some(match panel {
            Panel::Nodes => nodes(&strikes, now),
            Panel::Links => links(&strikes, now),
        })
    });
    let choice = move |strike: Strike| {
        let title = title(&strike.target);
        let place = format!("at {}, step {}: {}", strike.at, strike.step, strike.label);
        let fault = strike.fault.clone();
        view! {
            <li>
                <button type="button" class="button small" on:click=move |_| run.run(Some(fault.clone()))>{title}</button>
                <span>{place} <code>{strike.fault}</code></span>
            </li>
        }
    };
    let list = move || {
        match (choices.get(), departs) {
        (None, Some(departs)) => view! {
            <p>"This execution is broken already. Another fault takes the place of that one: choose it before it struck. "
                <button type="button" class="button small" on:click=move |_| playback.to_before(departs)>"Go there"</button>
            </p>
        }
        .into_any(),
        (Some(choices), _) if !choices.is_empty() => {
            view! { <ul class="break-choices">{choices.into_iter().map(choice).collect_view()}</ul> }.into_any()
        }
        _ => view! { <p>"Nothing can be broken before this."</p> }.into_any(),
    }
    };
    let title = several.then(|| view! { <h4>{execution.title.clone()}</h4> });
    view! { <div class="break-offers">{title} {list}</div> }
}

/// Per node the last chance to kill it up to now, the latest first.
fn nodes(strikes: &[Strike], now: Time) -> Vec<Strike> {
    let mut found: Vec<&Strike> = Vec::new();
    for strike in past(strikes, now) {
        let is_new = found.iter().all(|known| known.target != strike.target);
        if matches!(strike.target, Target::Node { .. }) && is_new {
            found.push(strike);
        }
    }
    found.into_iter().cloned().collect()
}

/// What can happen on the links that were used last, and to the last step itself.
fn links(strikes: &[Strike], now: Time) -> Vec<Strike> {
    let mut found: Vec<&Strike> = Vec::new();
    let mut used: Vec<(&str, &str, bool)> = Vec::new();
    for strike in past(strikes, now) {
        if found.iter().any(|known| known.target == strike.target) {
            continue;
        }
        if let Target::Message { from, to, reply, .. } = &strike.target {
            let link = (from.as_str(), to.as_str(), *reply);
            if !used.contains(&link) {
                if used.len() == MOST_LINKS {
                    continue;
                }
                used.push(link);
            }
            found.push(strike);
        }
    }
    found.extend(past(strikes, now).find(|strike| strike.target == Target::Step));
    found.into_iter().cloned().collect()
}

/// The latest first.
fn past(strikes: &[Strike], now: Time) -> impl Iterator<Item = &Strike> {
    strikes.iter().rev().filter(move |strike| strike.at <= now)
}

fn title(target: &Target) -> String {
    match target {
        Target::Node { name } => format!("Kill {name}"),
        Target::Message { from, to, reply, what } => {
            let message = if *reply { "answer" } else { "request" };
            let does = match what {
                Mishap::Lost => format!("Lose the {message}"),
                Mishap::Late => format!("Delay the {message}"),
                Mishap::Doubled => format!("Send the {message} twice"),
            };
            format!("{does}: {from} → {to}")
        }
        Target::Step => "Refuse the step".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(at: u64, step: u32, target: Target) -> Strike {
        Strike {
            at: Time(at),
            target,
            step,
            label: format!("step {step}"),
            fault: format!("fault at {at}"),
        }
    }

    fn node(name: &str) -> Target {
        Target::Node { name: name.to_owned() }
    }

    fn lost(from: &str, to: &str) -> Target {
        Target::Message {
            from: from.to_owned(),
            to: to.to_owned(),
            reply: false,
            what: Mishap::Lost,
        }
    }

    fn faults(choices: Vec<Strike>) -> Vec<String> {
        choices.into_iter().map(|choice| choice.fault).collect()
    }

    #[test]
    fn a_node_is_killed_at_the_last_chance_up_to_the_cursor() {
        let strikes = [
            strike(1, 1, node("app")),
            strike(2, 1, node("db")),
            strike(5, 2, node("app")),
            strike(9, 3, node("db")),
        ];
        assert_eq!(faults(nodes(&strikes, Time(6))), ["fault at 5", "fault at 2"]);
        assert_eq!(faults(nodes(&strikes, Time(9))), ["fault at 9", "fault at 5"]);
        assert!(nodes(&strikes, Time(0)).is_empty());
    }

    #[test]
    fn the_links_used_last_can_be_cut_and_the_last_step_refused() {
        let strikes = [
            strike(1, 1, lost("app", "a")),
            strike(2, 2, lost("app", "b")),
            strike(3, 3, Target::Step),
            strike(4, 3, lost("app", "c")),
            strike(5, 4, lost("app", "d")),
            strike(6, 5, Target::Step),
        ];
        assert_eq!(
            faults(links(&strikes, Time(6))),
            ["fault at 5", "fault at 4", "fault at 2", "fault at 6"],
            "three links, then the step"
        );
        assert_eq!(faults(links(&strikes, Time(1))), ["fault at 1"]);
    }
}
