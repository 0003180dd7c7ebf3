//! Entry of the Web Worker: answers the page, and runs experiments in slices between which it hears
//! Cancel. One experiment at a time.
//!
//! A panic is a defect: it is told to the page, which drops this worker and starts another.

mod answer;
mod desk;
mod experiments;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use js_sys::global;
use protocol::Reply;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use desk::Desk;

fn main() {
    let Ok(scope) = global().dyn_into::<DedicatedWorkerGlobalScope>() else {
        return;
    };
    let voice = scope.clone();
    std::panic::set_hook(Box::new(move |panic| {
        say(
            &voice,
            &Reply::Panicked {
                message: panic.to_string(),
            },
        )
    }));

    let desk = Rc::new(RefCell::new(Desk::default()));
    let (voice, listener) = (scope.clone(), Rc::clone(&desk));
    let slice = slices(&scope, desk);
    let hear = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let bytes = Uint8Array::new(&event.data()).to_vec();
        match protocol::decode(&bytes) {
            Ok(request) => {
                let was_idle = listener.borrow().is_idle();
                let replies = listener.borrow_mut().take(request);
                replies.iter().for_each(|reply| say(&voice, reply));
                if was_idle && !listener.borrow().is_idle() {
                    later(&voice, &slice);
                }
            }
            // Only a page of another build can say what cannot be read; it is told so by `Ready`.
            Err(error) => say(
                &voice,
                &Reply::Panicked {
                    message: format!("a question could not be read: {error}"),
                },
            ),
        }
    });
    scope.set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
    say(
        &scope,
        &Reply::Ready {
            version: protocol::VERSION,
        },
    );
}

/// A function that works one slice and calls itself again, after messages had their turn.
fn slices(scope: &DedicatedWorkerGlobalScope, desk: Rc<RefCell<Desk>>) -> JsValue {
    let again: Rc<RefCell<JsValue>> = Rc::default();
    let (voice, next) = (scope.clone(), Rc::clone(&again));
    let work = Closure::<dyn FnMut()>::new(move || {
        let replies = desk.borrow_mut().work(js_sys::Date::now);
        replies.iter().for_each(|reply| say(&voice, reply));
        if !desk.borrow().is_idle() {
            later(&voice, &next.borrow());
        }
    });
    let function = work.into_js_value();
    again.replace(function.clone());
    function
}

fn later(scope: &DedicatedWorkerGlobalScope, function: &JsValue) {
    // Timers of a live worker cannot be refused.
    let _ = scope.set_timeout_with_callback(function.unchecked_ref());
}

fn say(scope: &DedicatedWorkerGlobalScope, reply: &Reply) {
    let bytes = protocol::encode(reply).or_else(|error| {
        let message = format!("an answer could not be written: {error}");
        protocol::encode(&Reply::Panicked { message })
    });
    // A page that is gone hears nothing.
    let _ = scope.post_message(&Uint8Array::from(&bytes.unwrap_or_default()[..]));
}
