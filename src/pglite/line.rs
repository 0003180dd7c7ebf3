//! The line to a server's worker: questions out, each with its number; answers and progress back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use js_sys::{Function, Reflect};
use program::SqlAnswer;
use serde::{Deserialize, Serialize};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::Error;
use crate::slot::{Slot, promise, resolve};

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Question<'a> {
    Load,
    Start,
    Sql(&'a str),
}

#[derive(Serialize)]
struct Asked<'a> {
    id: u32,
    question: Question<'a>,
}

/// What `worker.js` says.
#[derive(Debug, Deserialize)]
pub(crate) enum Said {
    Progress { id: u32, done: u64, of: u64 },
    Loaded { id: u32 },
    Started { id: u32, version: String },
    Answered { id: u32, answer: SqlAnswer },
    Failed { id: u32, message: String },
}

impl Said {
    fn id(&self) -> u32 {
        match self {
            Said::Progress { id, .. }
            | Said::Loaded { id }
            | Said::Started { id, .. }
            | Said::Answered { id, .. }
            | Said::Failed { id, .. } => *id,
        }
    }

    pub(crate) fn unexpected(&self) -> Error {
        Error::Unavailable(format!("its worker answers another question, number {}", self.id()))
    }
}

type Told = Box<dyn Fn(u64, u64)>;

/// Somebody who waits for an answer.
struct Waiting {
    resolve: Function,
    said: Rc<RefCell<Option<Result<Said, Error>>>>,
    told: Option<Told>,
}

#[derive(Default)]
struct Desk {
    waiting: RefCell<BTreeMap<u32, Waiting>>,
    closed: Cell<bool>,
}

impl Desk {
    fn hear(&self, said: Said) {
        if let Said::Progress { id, done, of } = said {
            if let Some(told) = self.waiting.borrow().get(&id).and_then(|waiting| waiting.told.as_ref()) {
                told(done, of);
            }
            return;
        }
        let waiting = self.waiting.borrow_mut().remove(&said.id());
        if let Some(waiting) = waiting {
            waiting.end(match said {
                Said::Failed { message, .. } => Err(Error::Unavailable(message)),
                said => Ok(said),
            });
        }
    }

    /// Nobody is answered any more.
    fn end(&self, error: &Error) {
        self.closed.set(true);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting
            .into_values()
            .for_each(|waiting| waiting.end(Err(error.clone())));
    }
}

impl Waiting {
    fn end(self, said: Result<Said, Error>) {
        self.said.replace(Some(said));
        resolve(&self.resolve);
    }
}

struct Open {
    worker: Worker,
    desk: Rc<Desk>,
    next: Cell<u32>,
    slot: Cell<Option<Slot>>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

#[derive(Clone)]
pub(crate) struct Line(Rc<Open>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn open(slot: Slot, address: &str) -> Result<Line, Error> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(address, &options);
        let worker = worker.map_err(|error| Error::Unavailable(format!("{error:?}")))?;
        let desk = Rc::new(Desk::default());

        let listener = Rc::clone(&desk);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let text = event.data().as_string().unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(said) => listener.hear(said),
                Err(error) => listener.end(&Error::Unavailable(format!("a message could not be read: {error}"))),
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let listener = Rc::clone(&desk);
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            // Loading failed if there is no message.
            let message = Reflect::get(&event, &JsValue::from_str("message")).ok();
            let message = message.and_then(|message| message.as_string());
            let message = message.unwrap_or_else(|| "its worker could not be loaded".to_owned());
            listener.end(&Error::Unavailable(message));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Line(Rc::new(Open {
            worker,
            desk,
            next: Cell::new(0),
            slot: Cell::new(Some(slot)),
            _on_message: on_message,
            _on_error: on_error,
        })))
    }

    pub(crate) async fn ask(&self, question: Question<'_>, told: Option<Told>) -> Result<Said, Error> {
        let open = &self.0;
        if open.desk.closed.get() {
            return Err(Error::Closed);
        }
        let id = open.next.get();
        open.next.set(id.wrapping_add(1));
        let (answered, resolve) = promise();
        let said = Rc::default();
        let waiting = Waiting {
            resolve,
            said: Rc::clone(&said),
            told,
        };
        open.desk.waiting.borrow_mut().insert(id, waiting);
        let text =
            serde_json::to_string(&Asked { id, question }).map_err(|error| Error::Unavailable(error.to_string()))?;
        let sent = open.worker.post_message(&JsValue::from_str(&text));
        sent.map_err(|error| Error::Unavailable(format!("{error:?}")))?;
        // It is never rejected.
        let _ = JsFuture::from(answered).await;
        said.take().unwrap_or(Err(Error::Closed))
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl Open {
    fn close(&self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
        self.slot.take();
        self.desk.end(&Error::Closed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}
