//! What the page asks of the browser: storage, the address, files of the site, the clipboard, downloads.
//! Everything can be refused (private windows, policies): a refusal is an answer, never a panic.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Response, Url};

/// Under the key's own prefix; `None` if there is nothing or storage is forbidden.
pub(crate) fn stored(key: &str) -> Option<String> {
    storage()?.get_item(&format!("adr-lab.{key}")).ok().flatten()
}

/// Gives whether it could be kept.
pub(crate) fn store(key: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(&format!("adr-lab.{key}"), value).is_ok())
}

pub(crate) fn forget(key: &str) {
    if let Some(storage) = storage() {
        // Nothing is lost if it stays.
        let _ = storage.remove_item(&format!("adr-lab.{key}"));
    }
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

/// The address's query, with its `?`.
pub(crate) fn query() -> String {
    web_sys::window()
        .and_then(|window| window.location().search().ok())
        .unwrap_or_default()
}

/// Changes the address without loading anything; gives the whole address.
pub(crate) fn set_query(query: &str) -> Option<String> {
    let window = web_sys::window()?;
    let path = window.location().pathname().ok()?;
    let address = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    window
        .history()
        .ok()?
        .replace_state_with_url(&JsValue::NULL, "", Some(&address))
        .ok()?;
    window.location().href().ok()
}

/// From any page of the app to the site's root: each lies in a folder of its own, one below it.
const ROOT: &str = "../";

/// The address's path.
pub(crate) fn path() -> String {
    web_sys::window()
        .and_then(|window| window.location().pathname().ok())
        .unwrap_or_default()
}

pub(crate) fn origin() -> Option<String> {
    web_sys::window()?.location().origin().ok()
}

/// Goes to another address of this site without loading it.
pub(crate) fn go(address: &str) -> Option<()> {
    let history = web_sys::window()?.history().ok()?;
    history.push_state_with_url(&JsValue::NULL, "", Some(address)).ok()
}

/// Where a new page begins, for eyes and for the keyboard.
pub(crate) fn to_the_top() -> Option<()> {
    let window = web_sys::window()?;
    window.scroll_to_with_x_and_y(0.0, 0.0);
    let main: web_sys::HtmlElement = window.document()?.get_element_by_id("main")?.dyn_into().ok()?;
    main.focus().ok()
}

pub(crate) fn set_title(title: &str) {
    if let Some(document) = web_sys::window().and_then(|window| window.document()) {
        document.set_title(title);
    }
}

/// Marks the header's link that leads to a path.
pub(crate) fn mark_current(path: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let links = document.and_then(|document| document.query_selector_all("header.top a").ok());
    let Some(links) = links else { return };
    for index in 0..links.length() {
        let link = links
            .get(index)
            .and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
        let Some(link) = link else { continue };
        // Attributes of an element can always be set.
        let _ = if link.pathname() == path {
            link.set_attribute("aria-current", "page")
        } else {
            link.remove_attribute("aria-current")
        };
    }
}

/// From the page to a path below the site's root.
pub(crate) fn address_of(path: &str) -> String {
    format!("{ROOT}{path}")
}

/// A promise of ours.
#[derive(Clone)]
pub(crate) struct Waiting {
    promise: js_sys::Promise,
    resolve: js_sys::Function,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        // Never `Function::default()`: that evaluates a text, which the page's policy forbids.
        let mut function: js_sys::Function = JsValue::UNDEFINED.unchecked_into();
        let promise = js_sys::Promise::new(&mut |resolve, _| function = resolve);
        Waiting {
            promise,
            resolve: function,
        }
    }

    pub(crate) fn promise(&self) -> js_sys::Promise {
        self.promise.clone()
    }

    /// Whoever waits goes on.
    pub(crate) fn end(&self) {
        // Resolving functions do not throw.
        let _ = self.resolve.call0(&JsValue::UNDEFINED);
    }
}

/// A file of this site, by its path below the root.
pub(crate) async fn fetch_text(path: &str) -> Result<String, String> {
    let text = fetch(path)
        .await?
        .text()
        .map_err(|_| "the file is no text".to_owned())?;
    let text = JsFuture::from(text).await.map_err(|_| BROKE_OFF.to_owned())?;
    text.as_string().ok_or_else(|| "the file is no text".to_owned())
}

pub(crate) async fn fetch_bytes(path: &str) -> Result<Vec<u8>, String> {
    let buffer = fetch(path).await?.array_buffer().map_err(|_| BROKE_OFF.to_owned())?;
    let buffer = JsFuture::from(buffer).await.map_err(|_| BROKE_OFF.to_owned())?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

const BROKE_OFF: &str = "the file broke off";

async fn fetch(path: &str) -> Result<Response, String> {
    let window = web_sys::window().ok_or("there is no window")?;
    let response = JsFuture::from(window.fetch_with_str(&address_of(path)))
        .await
        .map_err(|_| "the site cannot be reached".to_owned())?;
    let response: Response = response
        .dyn_into()
        .map_err(|_| "the browser gave no response".to_owned())?;
    if !response.ok() {
        return Err(format!("the site answered {}", response.status()));
    }
    Ok(response)
}

/// Gives whether it was allowed.
pub(crate) async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    JsFuture::from(window.navigator().clipboard().write_text(text))
        .await
        .is_ok()
}

/// Offers a text as a file to keep.
pub(crate) fn download(name: &str, text: &str) -> Option<()> {
    let options = BlobPropertyBag::new();
    options.set_type("text/csv;charset=utf-8");
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    let anchor = web_sys::window()?.document()?.create_element("a").ok()?;
    let anchor: HtmlAnchorElement = anchor.dyn_into().ok()?;
    anchor.set_href(&address);
    anchor.set_download(name);
    anchor.click();
    Url::revoke_object_url(&address).ok()
}

/// What the start script was told: where the worker's loader lies.
pub(crate) fn worker_address() -> Option<String> {
    let document = web_sys::window()?.document()?;
    let start = document.query_selector("script[data-worker]").ok()??;
    start.get_attribute("data-worker")
}

/// What follows the address's `#`.
pub(crate) fn fragment() -> Option<String> {
    let hash = web_sys::window()?.location().hash().ok()?;
    let fragment = hash.strip_prefix('#')?;
    (!fragment.is_empty()).then(|| fragment.to_owned())
}

/// Changes it without going anywhere.
pub(crate) fn set_fragment(fragment: Option<&str>) {
    let fragment = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
    let address = format!("{}{}{fragment}", path(), query());
    if let Some(history) = web_sys::window().and_then(|window| window.history().ok()) {
        // Where it is forbidden, the address stays as it was.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}

/// Puts the focus on the first element that a selector finds.
pub(crate) fn focus(selector: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let element = document.and_then(|document| document.query_selector(selector).ok().flatten());
    if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Where it cannot be had, nothing is lost.
        let _ = element.focus();
    }
}

/// Says of each cell of a board whether its evidence is open.
pub(crate) fn mark_expanded(open: Option<&str>) {
    let document = web_sys::window().and_then(|window| window.document());
    let cells = document.and_then(|document| document.query_selector_all("[data-cell]").ok());
    let Some(cells) = cells else { return };
    for index in 0..cells.length() {
        let cell = cells
            .get(index)
            .and_then(|cell| cell.dyn_into::<web_sys::Element>().ok());
        let Some(cell) = cell else { continue };
        let is_open = open.is_some() && cell.get_attribute("data-cell").as_deref() == open;
        // Attributes of an element can always be set.
        let _ = cell.set_attribute("aria-expanded", if is_open { "true" } else { "false" });
    }
}

/// Is this a phone's width? Changes with the window.
pub(crate) fn narrow() -> ReadSignal<bool> {
    let is_narrow = || {
        let query = web_sys::window().and_then(|window| window.match_media("(max-width: 640px)").ok().flatten());
        query.is_some_and(|query| query.matches())
    };
    let (narrow, set_narrow) = signal(is_narrow());
    let resized = window_event_listener(leptos::ev::resize, move |_| {
        if narrow.get_untracked() != is_narrow() {
            set_narrow.set(is_narrow());
        }
    });
    on_cleanup(move || resized.remove());
    narrow
}

/// By how much an element would end to the right of what the window shows, had it not been `moved` to the left; with a
/// small margin where it would. In CSS pixels.
pub(crate) fn beyond_the_window(element: &web_sys::Element, moved: f64) -> f64 {
    const MARGIN: f64 = 8.0;
    let width = web_sys::window().and_then(|window| window.inner_width().ok()?.as_f64());
    let over = width.map_or(0.0, |width| element.get_bounding_client_rect().right() + moved - width);
    if over > 0.0 { over + MARGIN } else { 0.0 }
}

/// Scrolls as little as shows an element; to its beginning, if it fills most of the window.
pub(crate) fn bring_into_view(element: &web_sys::Element) {
    let window = web_sys::window().and_then(|window| window.inner_height().ok());
    let height = window.and_then(|height| height.as_f64()).unwrap_or_default();
    let options = web_sys::ScrollIntoViewOptions::new();
    options.set_block(if f64::from(element.client_height()) < height * 0.6 {
        web_sys::ScrollLogicalPosition::Nearest
    } else {
        web_sys::ScrollLogicalPosition::Start
    });
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Where the app is drawn; what was shown there until now goes.
pub(crate) fn empty_place() -> Option<web_sys::HtmlElement> {
    let place = web_sys::window()?.document()?.query_selector("[data-app]").ok()??;
    place.set_text_content(None);
    place.dyn_into().ok()
}

/// Nothing should move by itself.
pub(crate) fn prefers_less_motion() -> bool {
    let query =
        web_sys::window().and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok().flatten());
    query.is_some_and(|query| query.matches())
}

/// A defect of the page itself: said where it can be read, since nothing else will react any more.
pub(crate) fn show_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let document = web_sys::window().and_then(|window| window.document());
    if let Some(element) = document.and_then(|document| document.get_element_by_id("stopped")) {
        let text = format!("The page stopped with a defect of ours: {panic}. Your text is kept: reload the page.");
        element.set_text_content(Some(&text));
        // An attribute of our own element can always be removed.
        let _ = element.remove_attribute("hidden");
    }
}

/// The whole address.
pub(crate) fn address() -> Option<String> {
    web_sys::window()?.location().href().ok()
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    wasm_bindgen_test_configure!(run_in_browser);

    #[wasm_bindgen_test]
    fn what_is_stored_is_there_until_it_is_forgotten() {
        assert!(store("test", "grüße"));
        assert_eq!(stored("test").as_deref(), Some("grüße"));
        forget("test");
        assert_eq!(stored("test"), None);
    }

    #[wasm_bindgen_test]
    async fn a_file_that_is_not_there_is_an_answer() {
        assert!(fetch_text("no-such-file.toml").await.is_err());
    }

    #[wasm_bindgen_test]
    fn the_address_changes_without_loading() {
        set_query("v=1&seed=7");
        assert_eq!(query(), "?v=1&seed=7");
        set_query("");
        assert_eq!(query(), "");
    }
}
