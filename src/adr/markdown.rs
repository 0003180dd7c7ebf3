//! Markdown into HTML that a page may show: HTML in the text is shown as text, links lead to the web or stay on
//! the site, headings can be linked to.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A heading that can be linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub level: u8,
    pub id: String,
    pub title: String,
}

/// `<`, `>`, `&` and quotes as text.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The headings of a text, in order.
pub fn sections(markdown: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open: Option<(u8, String)> = None;
    for event in parser(markdown) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => open = Some((number(level), String::new())),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, title)) = &mut open {
                    title.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((level, title)) = open.take() {
                    let id = unused(slug(&title), &sections);
                    sections.push(Section { level, id, title });
                }
            }
            _ => {}
        }
    }
    sections
}

/// The text as HTML.
pub fn html(markdown: &str) -> String {
    let sections = sections(markdown);
    let mut heading = sections.iter();
    let mut current = None;
    let events = parser(markdown).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Heading { level, .. }) => {
            current = heading.next();
            let id = current.map_or("", |section| section.id.as_str());
            ours(format!("<{level} id=\"{id}\">"))
        }
        Event::End(TagEnd::Heading(level)) => {
            let link = current
                .filter(|section| section.level > 1)
                .map_or_else(String::new, |section| {
                    let (id, title) = (&section.id, escape(&section.title));
                    format!(" <a class=\"anchor\" href=\"#{id}\" aria-label=\"Link to “{title}”\">#</a>")
                });
            ours(format!("{link}</{level}>\n"))
        }
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: safe(dest_url),
            title,
            id,
        }),
        // A picture from elsewhere would tell its host who reads.
        Event::Start(Tag::Image { dest_url, title, .. }) if leaves_the_site(&dest_url) => Event::Start(Tag::Link {
            link_type: pulldown_cmark::LinkType::Inline,
            dest_url: safe(dest_url),
            title,
            id: CowStr::Borrowed(""),
        }),
        // What may be wider than the page scrolls by itself, by keys too.
        Event::Start(Tag::CodeBlock(kind)) => {
            let language = match &kind {
                CodeBlockKind::Fenced(language) => language.split_whitespace().next().unwrap_or_default(),
                CodeBlockKind::Indented => "",
            };
            ours(format!("<pre tabindex=\"0\"><code class=\"{}\">", escape(language)))
        }
        Event::End(TagEnd::CodeBlock) => ours("</code></pre>\n".to_owned()),
        other => other,
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    out.replace("<table>", "<div class=\"scroll\" tabindex=\"0\"><table class=\"data\">")
        .replace("</table>", "</table></div>")
}

fn parser(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// HTML of our own making.
fn ours<'a>(html: String) -> Event<'a> {
    Event::Html(html.into())
}

fn leaves_the_site(url: &str) -> bool {
    url.contains(':') || url.starts_with("//")
}

fn safe(url: CowStr<'_>) -> CowStr<'_> {
    let to_the_web = url.starts_with("https://") || url.starts_with("http://");
    if to_the_web || !leaves_the_site(&url) {
        url
    } else {
        CowStr::Borrowed("#")
    }
}

fn number(level: HeadingLevel) -> u8 {
    level as u8
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "section".to_owned()
    } else {
        slug.to_owned()
    }
}

fn unused(slug: String, sections: &[Section]) -> String {
    let taken = |id: &str| sections.iter().any(|section| section.id == id);
    if !taken(&slug) {
        return slug;
    }
    let numbered = (2..).map(|number| format!("{slug}-{number}"));
    numbered.into_iter().find(|id| !taken(id)).unwrap_or(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_foreign_schemes_are_disarmed() {
        for wicked in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,hello)",
            "![x](https://example.org/spy.png)",
            "```\"><script>\ncode\n```",
            "<table><tr onclick=alert(1)>",
        ] {
            let page = html(wicked);
            for bad in ["<script", "<img", "javascript:", "href=\"data:", "<tr onclick"] {
                assert!(!page.to_lowercase().contains(bad), "{wicked} became {page}");
            }
        }
    }

    #[test]
    fn headings_have_addresses_of_their_own() {
        let page = html("# One\n\n## What `it` is\n\n## What it is\n");
        assert!(page.contains("<h1 id=\"one\">One</h1>"), "{page}");
        assert!(
            page.contains("<h2 id=\"what-it-is\">What <code>it</code> is <a class=\"anchor\" href=\"#what-it-is\"")
        );
        assert!(page.contains("<h2 id=\"what-it-is-2\">"), "{page}");
        assert_eq!(sections("## !\n")[0].id, "section");
    }

    #[test]
    fn wide_things_scroll_by_themselves() {
        let page = html("| a |\n|---|\n| b |\n\n```sql\nSELECT 1\n```\n");
        assert!(
            page.contains("<div class=\"scroll\" tabindex=\"0\"><table class=\"data\">"),
            "{page}"
        );
        assert!(
            page.contains("<pre tabindex=\"0\"><code class=\"sql\">SELECT 1\n</code></pre>"),
            "{page}"
        );
    }
}
