//! The scenario's or schedule's text with what is wrong in it, line by line.
//!
//! The text area is the person's own: the page writes into it only when another text is chosen, so
//! that undo works as everywhere.

use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::{Diagnostic, Severity};

use crate::format::plural;
use crate::lab::{Source, Subject, lab};

#[component]
pub(crate) fn Editor() -> impl IntoView {
    let lab = lab();
    let subject = lab.texts.subject;
    // A schedule is short, is what its page is about, and becomes one's own when somebody writes in it.
    let is_schedule = subject == Subject::Schedule;
    let open = RwSignal::new(is_schedule);
    let area = NodeRef::<Textarea>::new();
    let own = Memo::new(move |_| lab.texts.source.get() == Source::Own);
    // Someone who chose their own scenario wants to write.
    Effect::new(move |_| {
        if own.get() {
            open.set(true);
        }
    });
    // A change by hand arrives here, too, and is no change then.
    Effect::new(move |_| {
        let text = lab.texts.text().unwrap_or_default();
        if let Some(area) = area.get().filter(|area| area.value() != text) {
            area.set_value(&text);
        }
    });
    let problems = move || lab.texts.diagnostics.with(Vec::len) as u64;
    let summary = move || {
        let title = match subject {
            Subject::Scenario => "Scenario file",
            Subject::Schedule => "Sessions and their steps, in the format of PostgreSQL's isolationtester",
        };
        match problems() {
            0 => title.to_owned(),
            number => format!("{title}: {}", plural(number, "remark", "remarks")),
        }
    };
    let write = move |text: String| match own.get_untracked() {
        true => lab.texts.write(text),
        false => lab.texts.take_over(text),
    };
    let go_to = move |line: u32, column: u32| {
        open.set(true);
        let Some(area) = area.get() else { return };
        let place = offset_utf16(&area.value(), line, column);
        // Where the caret cannot be set, the place is still written beside.
        let _ = area.focus();
        let _ = area.set_selection_range(place, place);
    };
    let title = move || match (subject, own.get()) {
        (Subject::Schedule, _) => "Schedule, in the format of PostgreSQL's isolationtester",
        (Subject::Scenario, true) => "My own scenario (TOML with SQL inside)",
        (Subject::Scenario, false) => "Scenario file, to read",
    };
    view! {
        <details class="editor" prop:open=open on:toggle=move |event| open.set(is_open(&event))>
            <summary>{summary}</summary>
            <div class="editor-tools">
                <Show when=move || !own.get() && !is_schedule>
                    <button type="button" class="button small" on:click=move |_| lab.texts.copy_to_own()>"Edit a copy"</button>
                </Show>
                <Show when=move || lab.texts.earlier_text.with(Option::is_some)>
                    <span class="hint">"Your earlier text is kept."</span>
                    <button type="button" class="button small" on:click=move |_| lab.texts.bring_back()>"Exchange with it"</button>
                    <button type="button" class="button small" on:click=move |_| lab.texts.drop_earlier()>"Forget it"</button>
                </Show>
            </div>
            <textarea node_ref=area class="code" rows="24" spellcheck="false" autocomplete="off" wrap="off" aria-label=title
                readonly=move || !own.get() && !is_schedule on:input=move |event| write(event_target_value(&event))></textarea>
        </details>
        <ul class="diagnostics" aria-live="polite">
            {move || lab.texts.diagnostics.get().into_iter().map(|diagnostic| line(diagnostic, go_to)).collect_view()}
        </ul>
    }
}

fn line(diagnostic: Diagnostic, go_to: impl Fn(u32, u32) + 'static) -> impl IntoView {
    let Diagnostic {
        line,
        column,
        severity,
        message,
        hint,
    } = diagnostic;
    let place = (line > 0).then(|| {
        view! { <button type="button" class="place" on:click=move |_| go_to(line, column)>{format!("line {line}, column {column}")}</button> }
    });
    let word = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    view! {
        <li class=word>
            {place} " " <b>{word}</b> " " {message} {hint.map(|hint| view! { <small>{hint}</small> })}
        </li>
    }
}

fn is_open(event: &leptos::ev::Event) -> bool {
    use leptos::wasm_bindgen::JsCast;
    let details = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    details.is_some_and(|details| details.has_attribute("open"))
}

/// The text area counts UTF-16 units; diagnostics count characters, from 1.
fn offset_utf16(text: &str, line: u32, column: u32) -> u32 {
    let mut offset = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index as u32 + 1 == line {
            let before = content.chars().take(column.saturating_sub(1) as usize);
            return offset + before.map(|c| c.len_utf16() as u32).sum::<u32>();
        }
        offset += content.encode_utf16().count() as u32;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::offset_utf16;

    #[test]
    fn a_place_is_found_in_utf16() {
        let text = "a = 1\nb = \"ü😀\" # x\nlast";
        assert_eq!(offset_utf16(text, 1, 1), 0);
        assert_eq!(offset_utf16(text, 2, 3), 8);
        assert_eq!(offset_utf16(text, 2, 9), 6 + 9, "the face takes two units");
        assert_eq!(
            offset_utf16(text, 3, 1),
            text[..text.find("last").unwrap()].encode_utf16().count() as u32
        );
        assert_eq!(offset_utf16(text, 99, 1), text.encode_utf16().count() as u32);
    }
}
