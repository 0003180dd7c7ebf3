//! The price book of the bills, and one's own prices in place of some of its.

use leptos::prelude::*;
use report::ListedPrice;

use crate::lab::{Lab, lab};

/// The chip's words.
pub(super) fn summary(lab: Lab) -> Signal<String> {
    Signal::derive(move || match lab.choices.prices.with(Vec::len) {
        0 => lab.findings.compared.with(|compared| {
            let sheet = compared.as_ref().map(|compared| &compared.board.prices);
            sheet.map(|sheet| format!("of {}", sheet.date)).unwrap_or_default()
        }),
        1 => "1 is yours".to_owned(),
        number => format!("{number} are yours"),
    })
}

#[component]
pub(super) fn Prices() -> impl IntoView {
    let lab = lab();
    // A board that grows keeps its prices, and whoever types keeps the focus.
    let sheet = Memo::new(move |_| {
        lab.findings.compared.with(|compared| {
            let board = compared.as_ref().map(|compared| &compared.board);
            board.map(|board| board.prices.clone())
        })
    });
    let form = move || {
        let Some(sheet) = sheet.get() else {
            return view! { <p class="hint">"The prices are known once a board has been run."</p> }.into_any();
        };
        let (servers, rates): (Vec<_>, Vec<_>) = sheet.prices.into_iter().partition(|price| price.server().is_some());
        view! {
                <p class="hint">{format!("{} of {}. A price of yours counts as assumed; run again to bill with it.", sheet.title, sheet.date)}</p>
                <fieldset class="prices"><legend>"What is paid by use, in dollars"</legend>{rates.into_iter().map(price).collect_view()}</fieldset>
                <fieldset class="prices"><legend>"Servers, in dollars an hour"</legend>{servers.into_iter().map(price).collect_view()}</fieldset>
            }
            .into_any()
    };
    view! {
        {form}
        <Show when=move || !lab.choices.prices.with(Vec::is_empty)>
            <button type="button" class="button small" on:click=move |_| lab.choices.prices.set(Vec::new())>"All as in the book"</button>
        </Show>
    }
}

fn price(price: ListedPrice) -> AnyView {
    let lab = lab();
    let words = price.words();
    let ListedPrice {
        key,
        usd,
        source,
        replaced,
    } = price;
    let of = key.clone();
    let typed = move || {
        lab.choices.prices.with(|prices| {
            let own = prices.iter().find(|(known, _)| *known == of);
            own.map(|(_, usd)| usd.clone()).unwrap_or_default()
        })
    };
    // The board that is shown may itself have been billed with a price of one's own.
    let placeholder = (!replaced).then_some(usd);
    view! {
        <label class="price" title=source>
            <span>{words}</span>
            <input type="text" inputmode="decimal" autocomplete="off" placeholder=placeholder prop:value=typed
                on:input=move |event| lab.choices.set_price(&key, event_target_value(&event))/>
        </label>
    }
    .into_any()
}
