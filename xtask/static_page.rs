//! Pages that are written when the site is built and work without scripts: their frame, and what they share with the
//! app's page (style sheets, header, footer, policy).

use std::path::{Path, PathBuf};

use adr::escape;

use crate::frame;
use crate::shell::{Failure, Result, read, write};

/// The site while it is being put together.
#[derive(Debug)]
pub(crate) struct Site {
    folder: PathBuf,
    /// Of the app's page: names with hashes.
    style_sheets: Vec<String>,
}

/// One page.
#[derive(Debug)]
pub(crate) struct StaticPage<'a> {
    /// Where it lies below the site's root, with a slash at the end: `adr/programs-are-data/`.
    pub(crate) path: &'a str,
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    /// The header's link that leads to it or above it: `adr/`.
    pub(crate) current: &'a str,
    /// HTML between header and footer.
    pub(crate) content: &'a str,
}

impl Site {
    /// Reads the app's page, which Trunk has written.
    pub(crate) fn of(folder: &Path) -> Result<Site> {
        let index = read(&folder.join("index.html"))?;
        let links = index
            .split("<link")
            .skip(1)
            .filter(|link| link.contains("rel=\"stylesheet\""));
        let style_sheets = links.filter_map(|link| {
            let (_, rest) = link.split_once("href=\"")?;
            let (href, _) = rest.split_once('"')?;
            Some(href.trim_start_matches("./").to_owned())
        });
        let style_sheets: Vec<String> = style_sheets.collect();
        if style_sheets.is_empty() {
            return Err(Failure("The app's page names no style sheet.".to_owned()));
        }
        Ok(Site {
            folder: folder.to_owned(),
            style_sheets,
        })
    }

    pub(crate) fn write(&self, page: &StaticPage<'_>) -> Result<()> {
        self.write_text(page.path, &self.html(page)?)
    }

    /// A page's whole text, to its folder.
    pub(crate) fn write_text(&self, path: &str, text: &str) -> Result<()> {
        let folder = self.folder.join(path);
        std::fs::create_dir_all(&folder).map_err(|error| Failure(format!("{}: {error}.", folder.display())))?;
        write(&folder.join("index.html"), text)
    }

    /// What a host shows for an address that leads nowhere.
    pub(crate) fn write_not_found(&self, page: &StaticPage<'_>) -> Result<()> {
        write(&self.folder.join("404.html"), self.html(page)?)
    }

    fn html(&self, page: &StaticPage<'_>) -> Result<String> {
        let root = up(page.path);
        let place = frame::Place {
            root: &root,
            current: page.current,
        };
        let links: String = (self.style_sheets.iter().map(String::as_str).chain(["article.css"]))
            .map(|sheet| format!("    <link rel=\"stylesheet\" href=\"{root}{sheet}\">\n"))
            .collect();
        Ok(format!(
            r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'">
    <meta name="color-scheme" content="light dark">
    <meta name="description" content="{description}">
    <title>{title} · ADR Lab</title>
    <link rel="icon" type="image/svg+xml" href="{root}icon.svg">
    <script src="{root}theme.js"></script>
{links}  </head>
  <body>
{header}
    <main id="main" class="wrap page">
{content}
    </main>
{footer}
  </body>
</html>
"#,
            description = escape(page.description),
            title = escape(page.title),
            header = frame::header(place)?,
            content = page.content,
            footer = frame::footer()?,
        ))
    }
}

/// From a page to the site's root: `../../` for `adr/one/`.
pub(crate) fn up(path: &str) -> String {
    match path.matches('/').count() {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

#[cfg(test)]
mod tests {
    use super::up;

    #[test]
    fn a_page_knows_its_way_to_the_root() {
        assert_eq!(up(""), "./");
        assert_eq!(up("adr/"), "../");
        assert_eq!(up("adr/one/"), "../../");
    }
}
