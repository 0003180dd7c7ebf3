//! The pages: components, charts and their geometry.
use leptos::prelude::*;
/// Mounts.
pub fn mount() {
    leptos::mount::mount_to_body(|| view! { <p>"hello"</p> });
}
