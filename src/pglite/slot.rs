//! At most two servers at once, whoever asks for them: a page has one memory. The third waits its turn.

use std::cell::RefCell;
use std::collections::VecDeque;

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Servers that a page runs at the same time, at most.
pub const AT_ONCE: usize = 2;

#[derive(Default)]
struct Slots {
    taken: usize,
    /// Resolves the promise of somebody who waits.
    queue: VecDeque<Function>,
}

thread_local! {
    static SLOTS: RefCell<Slots> = RefCell::default();
}

/// The right to run a server; dropped, it goes to the next in the queue.
#[derive(Debug)]
pub struct Slot(());

/// Waits until there is one.
pub async fn slot() -> Slot {
    loop {
        let turn = SLOTS.with_borrow_mut(|slots| {
            if slots.taken < AT_ONCE {
                slots.taken += 1;
                return None;
            }
            let (turn, resolve) = promise();
            slots.queue.push_back(resolve);
            Some(turn)
        });
        match turn {
            None => return Slot(()),
            // It is never rejected.
            Some(turn) => drop(JsFuture::from(turn).await),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = SLOTS.with_borrow_mut(|slots| {
            slots.taken -= 1;
            slots.queue.pop_front()
        });
        if let Some(next) = next {
            resolve(&next);
        }
    }
}

/// A promise with what resolves it.
pub(crate) fn promise() -> (Promise, Function) {
    // Never `Function::default()`: that evaluates a text, which the page's policy forbids.
    let mut function: Function = JsValue::UNDEFINED.unchecked_into();
    let promise = Promise::new(&mut |resolve, _| function = resolve);
    (promise, function)
}

pub(crate) fn resolve(function: &Function) {
    // Resolving functions do not throw.
    let _ = function.call0(&JsValue::UNDEFINED);
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use wasm_bindgen_futures::spawn_local;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    wasm_bindgen_test_configure!(run_in_browser);

    #[wasm_bindgen_test]
    async fn the_third_waits_for_one_of_two() {
        let (first, _second) = (slot().await, slot().await);
        let got = std::rc::Rc::new(std::cell::Cell::new(false));
        let told = std::rc::Rc::clone(&got);
        spawn_local(async move {
            let _third = slot().await;
            told.set(true);
        });
        let later = || JsFuture::from(Promise::resolve(&JsValue::UNDEFINED));
        for _ in 0..5 {
            let _ = later().await;
        }
        assert!(!got.get());
        drop(first);
        for _ in 0..5 {
            let _ = later().await;
        }
        assert!(got.get());
    }
}
