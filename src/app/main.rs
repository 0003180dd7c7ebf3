//! Entry of the page: mounts the UI. Small on purpose: no engine and no SQL parser is in it.

fn main() {
    ui::mount();
}
