//! The pages of transaction isolation: `/isolation/`, the matrix, and `/isolation/<slug>/`, an anomaly with its schedules.
//! From what was recorded; a test of the command line compares it with what runs give. Below the matrix the app has a
//! section: a schedule of one's own, which may begin as one of those that are built in.

use std::path::Path;

use protocol::BuiltIn;
use report::html;
use report::isolation::IsolationMatrix;

use crate::shell::{Failure, Result, read, root, write as write_file};
use crate::site::entries;
use crate::static_page::{Site, StaticPage, up};

pub(crate) const PATH: &str = "isolation/";
pub(crate) const TITLE: &str = "Transaction isolation";

/// Where built-in schedules are; the first of all is what a visitor sees.
const SCHEDULES: [&str; 2] = ["public/schedules", "tests/anomalies"];

pub(crate) fn recorded() -> Result<IsolationMatrix> {
    let path = root().join("public/recorded/isolation.json");
    serde_json::from_str(&read(&path)?).map_err(|error| Failure(format!("{}: {error}.", path.display())))
}

/// The app's page with the matrix around its place.
pub(crate) fn around_the_app(page: &str, matrix: &IsolationMatrix) -> Result<String> {
    const MAIN: &str = "<main id=\"main\" class=\"wrap\" tabindex=\"-1\" data-app></main>";
    const END_OF_HEAD: &str = "  </head>";
    if page.matches(MAIN).count() != 1 || page.matches(END_OF_HEAD).count() != 1 {
        return Err(Failure(
            "The app's page has no place for the app, or no head.".to_owned(),
        ));
    }
    let content = html::isolation_matrix(matrix);
    let main = format!(
        "<main id=\"main\" class=\"wrap page\" tabindex=\"-1\">\n{content}\n<section id=\"own\" aria-labelledby=\"own-title\" data-app>\
         <h2 id=\"own-title\">Your own schedule</h2></section>\n<script type=\"module\" src=\"../isolation.js\"></script>\n</main>"
    );
    let sheets =
        ["article.css", "isolation.css"].map(|sheet| format!("    <link rel=\"stylesheet\" href=\"../{sheet}\">\n"));
    Ok(page
        .replace(MAIN, &main)
        .replace(END_OF_HEAD, &format!("{}{END_OF_HEAD}", sheets.concat())))
}

/// Copies what is built in, with a list of it.
pub(crate) fn add_schedules(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Failure(format!("{}: {error}.", folder.display())))?;
    let mut list = Vec::new();
    for source in SCHEDULES {
        for file in entries(&root().join(source))? {
            if file.extension().is_none_or(|extension| extension != "spec") {
                continue;
            }
            let text = read(&file)?;
            let title = text.lines().find_map(|line| line.strip_prefix("# title: "));
            let title = title.ok_or_else(|| Failure(format!("{} has no line `# title:`.", file.display())))?;
            let slug = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            write_file(&folder.join(format!("{slug}.spec")), &text)?;
            list.push(BuiltIn {
                slug,
                title: title.to_owned(),
            });
        }
    }
    write_file(&folder.join("index.bin"), protocol::encode(&list).map_err(Failure)?)
}

/// A page for each anomaly.
pub(crate) fn write(site: &Site, matrix: &IsolationMatrix) -> Result<()> {
    for row in &matrix.rows {
        let path = format!("isolation/{}/", row.slug);
        page(
            site,
            &path,
            &row.title,
            &row.meaning,
            &html::isolation_anomaly(matrix, row),
        )?;
    }
    Ok(())
}

fn page(site: &Site, path: &str, title: &str, description: &str, content: &str) -> Result<()> {
    let root = up(path);
    site.write(&StaticPage {
        path,
        title,
        description,
        current: PATH,
        content: &format!(
            "<link rel=\"stylesheet\" href=\"{root}isolation.css\">\n{content}\n<script type=\"module\" src=\"{root}isolation.js\"></script>"
        ),
    })
}
