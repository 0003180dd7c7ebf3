//! Which page of the app the address names, and the way from one to the next without loading anything.
//!
//! Each page lies in a folder of its own, one below the site's root, wherever that is. A link to such a folder is
//! followed here; all others (`rel="external"`, other sites, a new window) are the browser's.
//!
//! Own code: a few folders need nothing that nests, matches patterns or preloads, and the page's weight is limited.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlAnchorElement};

use crate::browser;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Compare,
    /// A page that was written when the site was built, with a section of ours.
    Isolation,
    Lab,
    Run,
    Nowhere,
}

impl Route {
    /// Of the address.
    pub(crate) fn now() -> Route {
        Route::of(&browser::path())
    }

    /// Is all below the header drawn by the app, so that others can follow without loading anything?
    fn is_whole(self) -> bool {
        !matches!(self, Route::Isolation | Route::Nowhere)
    }

    /// Of an address's path: the folder counts.
    fn of(path: &str) -> Route {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match folder.rsplit_once('/').map_or(folder, |(_, name)| name) {
            "compare" => Route::Compare,
            "isolation" => Route::Isolation,
            "lab" => Route::Lab,
            "run" => Route::Run,
            _ => Route::Nowhere,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Route::Compare => "Compare",
            Route::Isolation => "Transaction isolation",
            Route::Lab => "Your workload",
            Route::Run => "One run",
            Route::Nowhere => "Not found",
        }
    }
}

/// The path of the site's root, as seen from any of the app's pages: `/`, or `/adr-lab/` below a folder of a host.
fn site_of(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.rfind('/').map_or("/", |end| &folder[..=end])
}

/// A page and how it was reached: every way to it counts, so that a link to the same page with another query opens it anew.
#[derive(Clone, PartialEq, Eq)]
struct Visit {
    path: String,
    query: String,
}

impl Visit {
    fn now() -> Visit {
        Visit {
            path: browser::path(),
            query: browser::query(),
        }
    }
}

/// The route of now, and of every link that is followed.
pub(crate) fn current() -> Signal<Route> {
    let visit = RwSignal::new(Visit::now());
    let clicks = window_event_listener(ev::click, move |event| {
        if let Some(link) = followed(&event) {
            event.prevent_default();
            browser::go(&link.href());
            visit.set(Visit::now());
            browser::to_the_top();
        }
    });
    // A step to another place of the same page arrives here, too.
    let steps = window_event_listener(ev::popstate, move |_| {
        let now = Visit::now();
        if visit.with_untracked(|visit| *visit != now) {
            visit.set(now);
        }
    });
    on_cleanup(move || {
        clicks.remove();
        steps.remove();
    });
    Effect::new(move |_| {
        let path = visit.with(|visit| visit.path.clone());
        browser::set_title(&format!("{} · ADR Lab", Route::of(&path).title()));
        browser::mark_current(&path);
    });
    Signal::derive(move || visit.with(|visit| Route::of(&visit.path)))
}

/// The link of ours that a click follows, if it does.
fn followed(event: &ev::MouseEvent) -> Option<HtmlAnchorElement> {
    let elsewhere = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || elsewhere {
        return None;
    }
    let target: Element = event.target()?.dyn_into().ok()?;
    let link: HtmlAnchorElement = target.closest("a[href]").ok()??.dyn_into().ok()?;
    let (path, here) = (link.pathname(), browser::path());
    let ours = link.origin() == browser::origin()?
        && link.rel() != "external"
        && link.target().is_empty()
        && !link.has_attribute("download")
        && site_of(&path) == site_of(&here)
        && Route::of(&path).is_whole()
        && Route::of(&here) != Route::Isolation;
    // To a place of the same page the browser goes by itself.
    let within = !link.hash().is_empty() && path == here && link.search() == browser::query();
    (ours && !within).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::{Route, site_of};

    #[test]
    fn a_page_is_known_below_any_folder() {
        for site in ["/", "/some/folder/"] {
            assert_eq!(Route::of(&format!("{site}compare/")), Route::Compare);
            assert_eq!(Route::of(&format!("{site}lab/index.html")), Route::Lab);
            assert_eq!(Route::of(&format!("{site}isolation/")), Route::Isolation);
            assert_eq!(Route::of(&format!("{site}adr/")), Route::Nowhere);
            assert_eq!(Route::of(site), Route::Nowhere);
            assert_eq!(site_of(&format!("{site}run/")), site);
        }
    }
}
