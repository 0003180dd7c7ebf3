//! A sentence at the top of the page until it is put away.

use leptos::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) bad: bool,
}

/// One place for it: a new one takes the place of the last.
#[derive(Clone, Copy)]
pub(crate) struct Notices(RwSignal<Option<Notice>>);

impl Notices {
    pub(crate) fn new() -> Notices {
        Notices(RwSignal::new(None))
    }

    pub(crate) fn now(self) -> Option<Notice> {
        self.0.get()
    }

    pub(crate) fn say(self, text: String) {
        self.0.set(Some(Notice { text, bad: false }));
    }

    pub(crate) fn say_bad(self, text: String) {
        self.0.set(Some(Notice { text, bad: true }));
    }

    /// Unless there is one already.
    pub(crate) fn mention_bad(self, text: String) {
        if self.0.with_untracked(Option::is_none) {
            self.say_bad(text);
        }
    }

    pub(crate) fn put_away(self) {
        self.0.set(None);
    }

    /// What was said in passing has had its time; what is bad stays until it is put away.
    pub(crate) fn pass(self) {
        if self
            .0
            .with_untracked(|notice| notice.as_ref().is_some_and(|notice| !notice.bad))
        {
            self.put_away();
        }
    }
}
