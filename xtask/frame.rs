//! What all pages of the site share: the header with its links, and the footer. One text each (`style/header.html`,
//! `style/footer.html`), for the app's pages and for those that are written at build time.

use std::path::Path;

use crate::shell::{Failure, Result, read, root};

/// Where the header leads, relative to the site's root. A page that is not there fails the build.
const LINKS: &[(&str, &str)] = &[
    ("compare/", "Compare"),
    ("isolation/", "Transactions"),
    ("adr/", "Decisions"),
    ("designs/", "Designs"),
];

/// Pages that the app draws: it goes from one to the other without loading anything.
pub(crate) const APP: [&str; 3] = ["compare/", "lab/", "run/"];

/// Pages with a section that the app draws.
pub(crate) const WITH_THE_APP: [&str; 1] = ["isolation/"];

/// Where a page lies in the site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// From the page to the site's root: `./`, `../`.
    pub(crate) root: &'a str,
    /// The link of the header that leads here, if one does: `compare/`.
    pub(crate) current: &'a str,
}

pub(crate) fn header(place: Place<'_>) -> Result<String> {
    let links: String = LINKS
        .iter()
        .map(|(path, title)| format!("<li>{}</li>", link(place, path, title)))
        .collect();
    let own = link(place, "lab/", "Your workload");
    Ok(read(&root().join("style/header.html"))?
        .replace("{root}", place.root)
        .replace("{links}", &links)
        .replace("{own}", &own))
}

fn link(place: Place<'_>, path: &str, title: &str) -> String {
    let current = if path == place.current {
        " aria-current=\"page\""
    } else {
        ""
    };
    // The app leaves links with this word to the browser.
    let external = if APP.contains(&path) { "" } else { " rel=\"external\"" };
    format!("<a href=\"{}{path}\"{current}{external}>{title}</a>", place.root)
}

pub(crate) fn footer() -> Result<String> {
    read(&root().join("style/footer.html"))
}

/// No link of the header leads nowhere.
pub(crate) fn check_links(site: &Path) -> Result<()> {
    let mut paths = LINKS.iter().map(|(path, _)| *path).chain(APP);
    match paths.find(|path| !site.join(path).join("index.html").is_file()) {
        None => Ok(()),
        Some(path) => Err(Failure(format!(
            "The header leads to {path}, and there is no such page."
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
            current: "adr/",
        })
        .unwrap();
        assert!(header.contains("href=\"../adr/\" aria-current=\"page\""), "{header}");
        assert!(header.contains("href=\"../lab/\">"), "{header}");
        assert!(!header.contains('{'), "{header}");
    }
}
