//! The line to the Web Worker: messages out, replies and defects back.
//!
//! The page never waits on this line, and a worker that broke is dropped as a whole: its WebAssembly
//! memory cannot be trusted any more, and never shrinks.

use js_sys::Uint8Array;
use protocol::{Reply, Request};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::browser;

/// What comes over the line.
pub(crate) enum Heard {
    Reply(Reply),
    /// The worker broke without a word of its own, or said what nobody understands.
    Broken(String),
}

/// Dropped, it takes its worker with it.
pub(crate) struct Connection {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Connection {
    /// Starts a worker; `hear` is called for everything that it says.
    pub(crate) fn open(hear: impl Fn(Heard) + Clone + 'static) -> Result<Connection, String> {
        let address = browser::worker_address().ok_or("the page does not say where its worker is")?;
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&address, &options).map_err(|error| text_of(&error))?;

        let listener = hear.clone();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let bytes = Uint8Array::new(&event.data()).to_vec();
            listener(match protocol::decode(&bytes) {
                Ok(reply) => Heard::Reply(reply),
                Err(error) => Heard::Broken(format!("a message could not be read: {error}")),
            });
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            // Loading failed if there is no message.
            let message = js_sys::Reflect::get(&event, &JsValue::from_str("message")).ok();
            let message = message
                .and_then(|message| message.as_string())
                .filter(|message| !message.is_empty());
            hear(Heard::Broken(
                message.unwrap_or_else(|| "it could not be loaded".to_owned()),
            ));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Connection {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    pub(crate) fn send(&self, request: &Request) -> Result<(), String> {
        let bytes = protocol::encode(request)?;
        self.worker
            .post_message(&Uint8Array::from(&bytes[..]))
            .map_err(|error| text_of(&error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn text_of(error: &JsValue) -> String {
    error.as_string().unwrap_or_else(|| format!("{error:?}"))
}
