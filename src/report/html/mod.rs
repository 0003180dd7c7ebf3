//! Parts of a report as HTML text: written by the same functions when the site is built and in the page, so that what is
//! painted first is what stays.
//!
//! Names and values come from a person's file or from a stranger's link. So text is only ever added through
//! [`Html::text`] and attributes through [`Html::open`], which escape; markup of ours is a literal.

mod board;
mod cell;
mod evidence;
mod home;
mod interleavings;
mod isolation;
mod picture;

pub use board::{board_head, board_question, board_section, cell_name};
pub use evidence::evidence;
pub use home::home;
pub use interleavings::interleavings;
pub use isolation::{isolation_anomaly, isolation_matrix};
pub use picture::{hatchings, picture};

/// HTML being written.
#[derive(Clone, Debug, Default)]
pub struct Html(String);

impl Html {
    pub fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.escaped(value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    pub fn within(&mut self, tag: &'static str, attributes: &[(&'static str, &str)], content: impl FnOnce(&mut Html)) {
        self.open(tag, attributes);
        content(self);
        self.close(tag);
    }

    /// An element with a class and a text.
    pub fn element(&mut self, tag: &'static str, class: &str, text: &str) {
        let with_class = [("class", class)];
        let attributes = if class.is_empty() { &[][..] } else { &with_class[..] };
        self.within(tag, attributes, |html| html.text(text));
    }

    pub fn text(&mut self, text: &str) {
        self.escaped(text);
    }

    /// Markup of ours.
    pub fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub fn finish(self) -> String {
        self.0
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn what_comes_from_a_file_stays_text() {
        let mut html = Html::default();
        html.within("td", &[("title", "\"><script>")], |html| {
            html.text("<img onerror='x'> & co")
        });
        assert_eq!(
            html.finish(),
            "<td title=\"&quot;&gt;&lt;script&gt;\">&lt;img onerror=&#39;x&#39;&gt; &amp; co</td>"
        );
    }
}
