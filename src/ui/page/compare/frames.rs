//! Long pages are drawn a piece a frame, so that nothing holds the page up.

use leptos::prelude::*;

/// Counts up to a number, one a frame, and calls `there` when it is reached.
pub(super) fn one_by_one(most: Memo<usize>, there: impl Fn() + 'static) -> ReadSignal<usize> {
    let (drawn, set_drawn) = signal(0);
    Effect::new(move |_| {
        let (drawn, most) = (drawn.get(), most.get());
        if drawn < most {
            request_animation_frame(move || {
                // The page may have been left meanwhile.
                set_drawn.try_set(drawn + 1);
            });
        } else if drawn > most {
            set_drawn.set(most);
        } else if most > 0 {
            there();
        }
    });
    drawn
}
