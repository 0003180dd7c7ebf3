//! The pages of transaction isolation: `/isolation/`, the matrix, and `/isolation/<slug>/`, an anomaly with its schedules.
//! From what was recorded; a test of the command line compares it with what runs give.

use report::html;
use report::isolation::IsolationMatrix;

use crate::shell::{Failure, Result, read, root};
use crate::static_page::{Site, StaticPage, up};

pub(crate) fn write(site: &Site) -> Result<()> {
    let path = root().join("public/recorded/isolation.json");
    let matrix: IsolationMatrix =
        serde_json::from_str(&read(&path)?).map_err(|error| Failure(format!("{}: {error}.", path.display())))?;
    page(
        site,
        "isolation/",
        "Transaction isolation",
        "Which anomalies occur at which level of transaction isolation, each with a schedule that shows it, step by step.",
        &html::isolation_matrix(&matrix),
    )?;
    for row in &matrix.rows {
        let path = format!("isolation/{}/", row.slug);
        page(
            site,
            &path,
            &row.title,
            &row.meaning,
            &html::isolation_anomaly(&matrix, row),
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
        current: "isolation/",
        content: &format!(
            "<link rel=\"stylesheet\" href=\"{root}isolation.css\">\n{content}\n<script type=\"module\" src=\"{root}isolation.js\"></script>"
        ),
    })
}
