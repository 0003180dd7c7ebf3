//! The pages of designs: `/designs/` and `/designs/<slug>/`, from their texts and what compilers made of one workload.

use std::fmt::Write;

use adr::escape;
use report::{DesignSheet, DesignSheets, ProgramLine, ProgramListing};

use crate::shell::{Failure, Result, read, root};
use crate::static_page::{Site, StaticPage, up};

/// A design with its variants, the default one first.
struct Family<'a> {
    slug: &'a str,
    sheets: Vec<&'a DesignSheet>,
}

pub(crate) fn write(site: &Site) -> Result<()> {
    let path = root().join("public/recorded/designs.json");
    let sheets: DesignSheets =
        serde_json::from_str(&read(&path)?).map_err(|error| Failure(format!("{}: {error}.", path.display())))?;
    let families = families(&sheets);
    site.write(&StaticPage {
        path: "designs/",
        title: "Designs",
        description: "The storage architectures that the lab compiles a workload to.",
        current: "designs/",
        content: &list(&families),
    })?;
    for family in &families {
        let path = format!("designs/{}/", family.slug);
        site.write(&StaticPage {
            path: &path,
            title: &family.sheets[0].title,
            description: &family.sheets[0].summary,
            current: "designs/",
            content: &page(family, &sheets, &up(&path)),
        })?;
    }
    Ok(())
}

fn families(sheets: &DesignSheets) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for sheet in &sheets.designs {
        let slug = sheet.slug.split('+').next().unwrap_or_default();
        match families.iter_mut().find(|family| family.slug == slug) {
            Some(family) => family.sheets.push(sheet),
            None => families.push(Family {
                slug,
                sheets: vec![sheet],
            }),
        }
    }
    families
}

fn list(families: &[Family<'_>]) -> String {
    let mut html = String::from(
        "<h1>Designs</h1>\n<p class=\"lead\">Each is a compiler: it takes a workload, written once in SQL, and makes of it servers, databases and \
         a program of physical steps for each operation.</p>\n<ul class=\"cards\">\n",
    );
    for family in families {
        let sheet = family.sheets[0];
        let _ = writeln!(
            html,
            "<li class=\"card\"><h2><a href=\"{}/\">{}</a></h2>\n<p>{}</p></li>",
            escape(family.slug),
            escape(&sheet.title),
            escape(&sheet.summary)
        );
    }
    html.push_str("</ul>\n");
    html
}

fn page(family: &Family<'_>, sheets: &DesignSheets, root: &str) -> String {
    let sheet = family.sheets[0];
    let mut html = format!(
        "<p class=\"crumb\"><a href=\"{root}designs/\">Designs</a></p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        escape(&sheet.title),
        escape(&sheet.summary)
    );
    html.push_str(&nodes(sheet));
    if let Some(text) = adr::library::design(family.slug) {
        html.push_str("<div class=\"prose\">\n");
        html.push_str(&adr::html(text));
        html.push_str("</div>\n");
    }
    for sheet in &family.sheets {
        html.push_str(&programs(sheet, sheets, family.sheets.len() > 1));
    }
    html.push_str(&weakened(family));
    html
}

/// What stands where: a box for each node.
fn nodes(sheet: &DesignSheet) -> String {
    let mut html = String::from("<ul class=\"nodes\" aria-label=\"What stands where\">\n");
    for node in &sheet.nodes {
        let stores = node.holds.iter().take(MOST_STORES);
        let mut stores: String = stores.map(|name| format!("<li>{}</li>", escape(name))).collect();
        if node.holds.len() > MOST_STORES {
            let _ = write!(stores, "<li>and {} more</li>", node.holds.len() - MOST_STORES);
        }
        let stores = if stores.is_empty() {
            stores
        } else {
            format!("<ul>{stores}</ul>")
        };
        let class = if node.holds.is_empty() { "service" } else { "store" };
        let _ = writeln!(
            html,
            "<li class=\"{class}\"><b>{}</b> <small>{}</small>{stores}</li>",
            escape(&node.name),
            escape(&node.kind)
        );
    }
    html.push_str("</ul>\n");
    html
}

/// More databases on one server are counted.
const MOST_STORES: usize = 6;

fn programs(sheet: &DesignSheet, sheets: &DesignSheets, named: bool) -> String {
    let of = if named {
        format!(": {}", escape(&sheet.title))
    } else {
        String::new()
    };
    let id = sheet.slug.replace('+', "-");
    let mut html = format!(
        "<h2 id=\"program-{id}\">One program{of}</h2>\n<p class=\"hint\">What the compiler makes of “{}” (<code>{}</code>) in the scenario “{}”.</p>\n",
        escape(&sheets.operation_title),
        escape(&sheets.operation),
        escape(&sheets.scenario_title)
    );
    if sheet.programs.is_empty() {
        html.push_str("<p>It cannot be expressed here.</p>\n");
    }
    for (index, program) in sheet.programs.iter().enumerate() {
        let steps = program.lines.len();
        let open = if index == 0 { " open" } else { "" };
        let _ = writeln!(
            html,
            "<details class=\"listing\"{open}><summary><b>{}</b>, run by {}, {steps} lines</summary>\n<pre tabindex=\"0\"><code>{}</code></pre></details>",
            escape(&program.name),
            escape(&program.home),
            listing(program)
        );
    }
    html
}

fn listing(program: &ProgramListing) -> String {
    program.lines.iter().map(line).collect()
}

fn line(line: &ProgramLine) -> String {
    let indent = "  ".repeat(usize::from(line.indent));
    let at = line.at.as_ref().map_or_else(String::new, |at| format!("  → {at}"));
    let mut text = format!("{indent}<b>{}</b>{}\n", escape(&line.label), escape(&at));
    // Control statements are their own label.
    if let Some(sql) = line.sql.as_ref().filter(|sql| **sql != line.label) {
        for sql in sql.lines() {
            let _ = writeln!(text, "{indent}    {}", escape(sql));
        }
    }
    text
}

fn weakened(family: &Family<'_>) -> String {
    let sheet = family.sheets[0];
    let mut html = String::from("<h2 id=\"weakened\">What this workload loses here</h2>\n");
    if sheet.weakened.is_empty() && sheet.refusals.is_empty() {
        html.push_str("<p>Nothing: every constraint is enforced as written, every operation can be expressed.</p>\n");
    }
    if !sheet.weakened.is_empty() {
        html.push_str(
            "<div class=\"scroll\" tabindex=\"0\"><table class=\"data\"><thead><tr><th scope=\"col\">Constraint</th>\
             <th scope=\"col\">becomes</th><th scope=\"col\">because</th></tr></thead><tbody>\n",
        );
        for weakening in &sheet.weakened {
            let _ = writeln!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escape(&weakening.constraint),
                escape(&weakening.becomes),
                escape(&weakening.reason)
            );
        }
        html.push_str("</tbody></table></div>\n");
    }
    for refusal in &sheet.refusals {
        let _ = writeln!(
            html,
            "<p><code>{}</code> cannot be expressed: {}</p>",
            escape(&refusal.statement),
            escape(&refusal.reason)
        );
    }
    html
}
