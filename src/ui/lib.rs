//! The page: components, charts and their geometry, the shared state, the line to the worker.
//!
//! ```text
//! page/ ──▶ player/ ──▶ chart/ ──▶ geometry/      what is seen; what plays; SVG; plain arithmetic
//!   └────▶ lab/ ──▶ connection ──▶ worker
//! ```
//!
//! **Architecture invariant:** no engine, no compiler, no simulator and no parser of scenarios or SQL
//! is reachable from here; reports come from the worker as plain data.

#![allow(
    unreachable_pub,
    reason = "Leptos' component macro writes `pub` into private modules"
)]

mod browser;
mod chart;
mod connection;
mod fault;
mod format;
mod geometry;
mod lab;
mod page;
mod player;
mod route;

/// Draws the page that the address names between the site's header and footer.
pub fn mount() {
    std::panic::set_hook(Box::new(browser::show_panic));
    if let Some(place) = browser::empty_place() {
        leptos::mount::mount_to(place, page::Pages).forget();
    }
}
