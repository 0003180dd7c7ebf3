//! What all pages of the site share: the header with its links, and the footer. One text each (`style/header.html`,
//! `style/footer.html`), for the app's pages and for those that are written at build time.

use std::path::Path;

use crate::shell::{Failure, Result, read, root};

/// Where the header leads, relative to the site's root. A page that is not there fails the build.
const LINKS: &[(&str, &str)] = &[
    ("home/", "Kill a server"),
    ("adr/", "Decisions"),
    ("designs/", "Designs"),
];

/// Where a page lies in the site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// From what the page's links are relative to, to the site's root: `./`, `../`.
    pub(crate) root: &'a str,
    /// From there to the page itself: empty, unless the page has a `<base>`.
    pub(crate) here: &'a str,
    /// The link of the header that leads here, if one does: `compare/`.
    pub(crate) current: &'a str,
}

pub(crate) fn header(place: Place<'_>) -> Result<String> {
    let link = |(path, title): &(&str, &str)| {
        let current = if *path == place.current {
            " aria-current=\"page\""
        } else {
            ""
        };
        format!("<li><a href=\"{}{path}\"{current}>{title}</a></li>", place.root)
    };
    let links: String = LINKS.iter().map(link).collect();
    Ok(read(&root().join("style/header.html"))?
        .replace("{root}", place.root)
        .replace("{here}", place.here)
        .replace("{links}", &links))
}

pub(crate) fn footer() -> Result<String> {
    read(&root().join("style/footer.html"))
}

/// No link of the header leads nowhere.
pub(crate) fn check_links(site: &Path) -> Result<()> {
    match LINKS
        .iter()
        .find(|(path, _)| !site.join(path).join("index.html").is_file())
    {
        None => Ok(()),
        Some((path, title)) => Err(Failure(format!(
            "The header links “{title}” to {path}, and there is no such page."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_and_the_current_one_is_marked() {
        let header = header(Place {
            root: "../",
            here: "adr/",
            current: "adr/",
        })
        .unwrap();
        assert!(header.contains("href=\"../adr/\" aria-current=\"page\""), "{header}");
        assert!(
            header.contains("href=\"adr/#main\"") && !header.contains('{'),
            "{header}"
        );
    }
}
