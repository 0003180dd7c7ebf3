//! Entry of the Web Worker: answers the page and runs experiments, in slices.

fn main() {
    let _ = (
        protocol::VERSION,
        base::Time::ZERO,
        js_sys::global(),
        serde_json::Value::Null,
    );
}
