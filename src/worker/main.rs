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
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};

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
    // A worker always has channels.
    let Ok(bell) = slices(&scope, desk) else { return };
    let hear = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let bytes = Uint8Array::new(&event.data()).to_vec();
        match protocol::decode(&bytes) {
            Ok(request) => {
                let was_idle = listener.borrow().is_idle();
                let replies = listener.borrow_mut().take(request);
                replies.iter().for_each(|reply| say(&voice, reply));
                if was_idle && !listener.borrow().is_idle() {
                    ring(&bell);
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

/// Whoever rings this bell has one slice worked off, after the messages that wait; as long as there is more to do, the
/// slice rings again. A message to oneself and no timer: timers that set timers are held back for four milliseconds.
fn slices(scope: &DedicatedWorkerGlobalScope, desk: Rc<RefCell<Desk>>) -> Result<MessagePort, JsValue> {
    let channel = MessageChannel::new()?;
    let (voice, again) = (scope.clone(), channel.port1());
    let work = Closure::<dyn FnMut()>::new(move || {
        let replies = desk.borrow_mut().work(js_sys::Date::now);
        replies.iter().for_each(|reply| say(&voice, reply));
        if !desk.borrow().is_idle() {
            ring(&again);
        }
    });
    channel.port2().set_onmessage(Some(work.as_ref().unchecked_ref()));
    work.forget();
    Ok(channel.port1())
}

fn ring(bell: &MessagePort) {
    // There is nothing in the message that could not be sent.
    let _ = bell.post_message(&JsValue::NULL);
}

fn say(scope: &DedicatedWorkerGlobalScope, reply: &Reply) {
    let bytes = protocol::encode(reply).or_else(|error| {
        let message = format!("an answer could not be written: {error}");
        protocol::encode(&Reply::Panicked { message })
    });
    // A page that is gone hears nothing.
    let _ = scope.post_message(&Uint8Array::from(&bytes.unwrap_or_default()[..]));
}
